//! Names of records: `loaded/<blob>/=<etag>`, injective and fit for every store.
//!
//! A blob's name stays readable: only what a store or a shell could misread is percent-encoded, segment by segment. The
//! version is a segment that begins with `=`, which no encoded blob segment does, so that a blob named like another one's
//! version is never mistaken for it.

use std::fmt::Write;

use percent_encoding::percent_decode_str;

use crate::names::{BlobName, ETag};

/// Characters of a name without its kind.
const LIMIT: usize = 1_000;
const SEGMENT_LIMIT_BYTES: usize = 255;

/// The name of the record of one kind about one version of a blob.
pub fn of_version(kind: &str, blob: &BlobName, etag: &ETag) -> BlobName {
    let name = shortened(format!("{}/={}", encode_path(blob.as_str()), encode_segment(etag.as_str())));
    BlobName::new(format!("{kind}/{name}")).expect("a shortened name and a kind have at most 1,024 characters")
}

/// What the names of all records of one kind about one blob begin with, whatever the version. Only a name that was too long
/// for the store, and was shortened, begins otherwise.
pub fn prefix_of_blob(kind: &str, blob: &BlobName) -> String {
    format!("{kind}/{}/=", encode_path(blob.as_str()))
}

/// What a record's name is about; `None` if it is not a name of [`of_version`].
pub fn version_of(kind: &str, record: &BlobName) -> Option<(BlobName, ETag)> {
    let rest = record.as_str().strip_prefix(kind)?.strip_prefix('/')?;
    let (blob, etag) = rest.rsplit_once("/=")?;
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
    let segments: Option<Vec<String>> =
        blob.split('/').map(|segment| if segment == "%" { Some(String::new()) } else { decode(segment) }).collect();
    Some((BlobName::new(segments?.join("/")).ok()?, ETag::new(decode(etag)?).ok()?))
}

fn encode_path(path: &str) -> String {
    path.split('/').map(encode_segment).collect::<Vec<_>>().join("/")
}

fn encode_segment(segment: &str) -> String {
    if segment.is_empty() {
        // No other segment encodes to a lone percent sign.
        return "%".to_owned();
    }
    if segment.bytes().all(|byte| byte == b'.') {
        return "%2E".repeat(segment.len());
    }
    let mut encoded = String::with_capacity(segment.len());
    for (position, character) in segment.char_indices() {
        let misread = character.is_control()
            || matches!(character, '/' | '%' | '#' | '~' | '?' | '\\' | ':' | '*' | '"' | '<' | '>' | '|')
            || (position == 0 && character == '=');
        if misread {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                write!(encoded, "%{byte:02X}").expect("writing to a String cannot fail");
            }
        } else {
            encoded.push(character);
        }
    }
    encoded
}

/// Azure takes 1,024 characters, and a directory 255 bytes between two `/`. A name that encoding made longer keeps its
/// beginning and is told apart by its hash.
fn shortened(name: String) -> String {
    if name.chars().count() <= LIMIT && name.split('/').all(|segment| segment.len() <= SEGMENT_LIMIT_BYTES) {
        return name;
    }
    let hash = crate::names::Sha256::of(&name);
    let cut = |segment: &str| -> String {
        let mut bytes = 0;
        let fits = |character: &char| {
            bytes += character.len_utf8();
            bytes <= SEGMENT_LIMIT_BYTES
        };
        segment.chars().take_while(fits).collect()
    };
    let beginning: String = name.split('/').map(cut).collect::<Vec<_>>().join("/").chars().take(900).collect();
    format!("{}/={hash}", beginning.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blob(name: &str) -> BlobName {
        BlobName::new(name).unwrap()
    }

    fn etag(text: &str) -> ETag {
        ETag::new(text).unwrap()
    }

    #[test]
    fn an_ordinary_name_stays_readable() {
        let record = of_version("loaded", &blob("flights/2013-01.csv.gz"), &etag("1a-2b"));
        assert_eq!(record.as_str(), "loaded/flights/2013-01.csv.gz/=1a-2b");
    }

    #[test]
    fn a_blob_named_like_a_version_is_not_mistaken_for_it() {
        assert_ne!(of_version("k", &blob("a/=b"), &etag("c")), of_version("k", &blob("a"), &etag("b/=c")));
        assert_eq!(of_version("k", &blob("a/=b"), &etag("c")).as_str(), "k/a/%3Db/=c");
    }

    #[test]
    fn a_very_long_name_is_shortened_and_stays_its_own() {
        let long = |end: &str| blob(&format!("flights/{}{end}", "#".repeat(1000)));
        let (left, right) = (of_version("k", &long("a"), &etag("e")), of_version("k", &long("b"), &etag("e")));
        assert!(left.as_str().chars().count() <= 1024);
        assert_ne!(left, right);
    }

    #[test]
    fn a_segment_that_encoding_makes_too_long_is_shortened_and_stays_its_own() {
        let long = |end: &str| blob(&format!("flights/{}{end}.csv", "ü#".repeat(70)));
        let (left, right) = (of_version("k", &long("a"), &etag("e")), of_version("k", &long("b"), &etag("e")));
        assert_ne!(left, right);
        assert!(left.as_str().starts_with("k/flights/ü%23ü%23"));
        assert!(left.as_str().split('/').all(|segment| segment.len() <= 255), "{left}");
    }

    proptest! {
        #[test]
        fn a_name_comes_back(name in "[a-c/=%#~. ü\\\\]{1,20}", version in "[a-c/=%\"]{1,8}") {
            prop_assume!(ETag::new(version.clone()).is_ok_and(|etag| etag.as_str() == version));
            let (blob, etag) = (blob(&name), etag(&version));
            prop_assert!(of_version("k", &blob, &etag).as_str().starts_with(&prefix_of_blob("k", &blob)));
            prop_assert_eq!(version_of("k", &of_version("k", &blob, &etag)), Some((blob, etag)));
        }
    }
}
