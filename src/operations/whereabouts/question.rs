//! What a person writes to name a file, and which files that may mean. Pure.
//!
//! A person has the name from a listing, a mail, a log or this program: the name at the source, a path, the landed blob's
//! name, an address, or a pattern. Names whose bytes are no text are written in as many ways as there are tools that show
//! them, and letters with accents in two ways that look the same.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{Glob, GlobMatcher};
use percent_encoding::percent_decode_str;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::names::BlobName;
use crate::pipeline::Pipeline;
use crate::records::pulled::PulledKey;

/// Below this, two names have nothing to do with each other.
const LIKENESS: f64 = 0.75;

/// Bytes of a name that a slip is looked for in.
const LONGEST_COMPARED: usize = 255;

/// What a person wrote.
pub struct Question {
    /// As it is repeated to them.
    pub asked: String,
    /// Without `./` before it and `/` behind it.
    bytes: Vec<u8>,
    text: String,
    glob: Option<GlobMatcher>,
    /// Directories at the sources, with the landing prefix that stands for each.
    directories: Vec<SourceDirectory>,
}

struct SourceDirectory {
    landing_prefix: String,
    directory: String,
}

/// How well a file fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fit {
    /// It is what was asked for.
    Same,
    /// Its last segment is, and the folders are other ones.
    SameName,
    /// Its last segment looks alike; 1.0 is equal.
    Like(f64),
}

impl Question {
    pub fn new(asked: &OsStr, pipeline: &Pipeline) -> Self {
        let shown = asked.to_string_lossy().into_owned();
        let bytes = trimmed(&path_of_address(asked.as_bytes()));
        let text = composed(&String::from_utf8_lossy(&bytes));
        let is_glob = text.contains(['*', '?', '[', '{']);
        let glob = is_glob.then(|| Glob::new(&text).ok().map(|glob| glob.compile_matcher())).flatten();
        let directories = pipeline.feeds.iter().flat_map(|feed| {
            feed.sources.iter().map(|source| SourceDirectory {
                landing_prefix: match &source.name {
                    Some(name) => format!("{}/{name}/", feed.name),
                    None => format!("{}/", feed.name),
                },
                directory: source.url.directory.clone(),
            })
        });
        Question { asked: shown, bytes, text, glob, directories: directories.collect() }
    }

    /// The blob that this names in full, if it can be one's name.
    pub fn as_blob(&self) -> Option<BlobName> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        BlobName::new(text).ok().filter(|blob| blob.feed().is_some() && self.glob.is_none())
    }

    /// `None`: the file has nothing to do with the question.
    pub fn fit(&self, blob: &BlobName) -> Option<Fit> {
        let spellings = spellings(blob);
        if spellings.iter().any(|name| self.is_same(name)) || self.is_same_bytes(blob) {
            return Some(Fit::Same);
        }
        let own = last_segment(&self.text);
        if spellings.iter().any(|name| last_segment(name) == own) {
            return Some(Fit::SameName);
        }
        if self.glob.is_some() {
            return None;
        }
        let own = own.to_lowercase();
        let likeness = spellings.iter().map(|name| likeness(&own, &last_segment(name).to_lowercase()));
        likeness.max_by(f64::total_cmp).filter(|likeness| *likeness >= LIKENESS).map(Fit::Like)
    }

    /// `name` is a blob's full name in one of its spellings.
    fn is_same(&self, name: &str) -> bool {
        if ends_alike(self.text.as_bytes(), name.as_bytes()) {
            return true;
        }
        let at_sources = self.at_sources(name);
        if at_sources.iter().any(|path| ends_alike(self.text.as_bytes(), path.as_bytes())) {
            return true;
        }
        let below = name.split_once('/').map_or(name, |(_, below)| below);
        self.glob.as_ref().is_some_and(|glob| {
            [name, below, last_segment(name)]
                .into_iter()
                .chain(at_sources.iter().map(String::as_str))
                .any(|name| glob.is_match(name))
        })
    }

    /// For names that are no text, given as they are.
    fn is_same_bytes(&self, blob: &BlobName) -> bool {
        let Some(key) = PulledKey::of_blob(blob) else { return false };
        let name = [key.feed().as_str().as_bytes(), b"/", key.path()].concat();
        ends_alike(&self.bytes, &name)
    }

    /// The paths that a blob may have had at its source.
    fn at_sources(&self, name: &str) -> Vec<String> {
        let path = |source: &SourceDirectory| {
            let below = name.strip_prefix(&source.landing_prefix)?;
            Some(format!("{}/{below}", source.directory.trim_end_matches('/')))
        };
        self.directories.iter().filter_map(path).collect()
    }
}

/// From 0 to 1. Names are compared only where they could be alike, and never long ones, as that takes the product of their
/// lengths.
fn likeness(own: &str, name: &str) -> f64 {
    let (short, long) = (own.len().min(name.len()), own.len().max(name.len()));
    // A name without its endings is more often meant than one of the same length.
    if own.len() >= 3 && name.starts_with(own) {
        0.9
    } else if long > LONGEST_COMPARED || (short as f64) < long as f64 * LIKENESS {
        0.0
    } else {
        strsim::normalized_damerau_levenshtein(own, name)
    }
}

/// One is the other, or its end from a `/` on.
fn ends_alike(left: &[u8], right: &[u8]) -> bool {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let Some(before) = long.strip_suffix(short) else { return false };
    !short.is_empty() && (before.is_empty() || before.ends_with(b"/") || short.starts_with(b"/"))
}

fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// `sftp://host/path`, `file:///…`, `https://…?sig=…`: the path, decoded; anything else as it is.
fn path_of_address(asked: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(asked) else { return asked.to_vec() };
    match text.split_once("://") {
        Some((scheme, rest)) if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            let rest = rest.split('?').next().unwrap_or(rest);
            let path = rest.split_once('/').map_or("", |(_, path)| path);
            percent_decode_str(path).collect()
        }
        _ => asked.to_vec(),
    }
}

fn trimmed(path: &[u8]) -> Vec<u8> {
    let mut path = path;
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
    }
    while path.len() > 1 && path.ends_with(b"/") {
        path = &path[..path.len() - 1];
    }
    path.to_vec()
}

/// Accented letters in one piece, so that two names are equal that look equal.
fn composed(text: &str) -> String {
    if is_nfc(text) { text.to_owned() } else { text.nfc().collect() }
}

/// A blob's name as people may see it: as it is in landing, and, where its bytes are no text, as listings print them.
fn spellings(blob: &BlobName) -> Vec<String> {
    let mut spellings = vec![composed(blob.as_str())];
    let Some(key) = PulledKey::of_blob(blob) else { return spellings };
    let path = key.path();
    let is_plain = std::str::from_utf8(path).is_ok_and(|text| !text.contains(|character: char| character.is_control()));
    let others: &[fn(u8) -> String] = if is_plain {
        // Text that landing had to write differently, as `%25` for `%`.
        &[|_| String::new()]
    } else {
        &[
            |byte| format!("\\x{byte:02x}"),
            |byte| format!("\\{byte:03o}"),
            |_| char::REPLACEMENT_CHARACTER.to_string(),
            |_| "?".to_owned(),
        ]
    };
    for other in others {
        let spelling = composed(&format!("{}/{}", key.feed(), written(path, other)));
        if !spellings.contains(&spelling) {
            spellings.push(spelling);
        }
    }
    spellings
}

fn written(path: &[u8], other: &fn(u8) -> String) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\0'..='\x1f' | '\x7f' => text.push_str(&other(character as u8)),
                plain => text.push(plain),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&other(*byte)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINE: &str = r#"
        [[feed]]
        name = "flights"
        format = "csv"
        [feed.columns]
        carrier = "string"
        [[feed.sftp]]
        url = "sftp://partner@sftp.example.com/outbox/new"
        host_key = "SHA256:lY3pQ0vM8sN5eR2tK7wZ4xC9bJ6hD1gF8aU3iO5qP0E"
        password = "env:PASSWORD"
        [[summary]]
        table = "carriers"
        feed = "flights"
        sql = "SELECT carrier, COUNT(*) AS flights FROM flights GROUP BY carrier"
    "#;

    fn fit(asked: impl AsRef<OsStr>, blob: &str) -> Option<Fit> {
        let pipeline = Pipeline::parse("pipeline.toml", PIPELINE).unwrap();
        Question::new(asked.as_ref(), &pipeline).fit(&BlobName::new(blob).unwrap())
    }

    #[track_caller]
    fn is_the_same(asked: impl AsRef<OsStr>, blob: &str) {
        let asked = asked.as_ref();
        assert_eq!(fit(asked, blob), Some(Fit::Same), "{asked:?}");
    }

    #[test]
    fn a_file_is_found_by_every_name_that_people_have_of_it() {
        for asked in [
            "2013-01.csv.gz",
            "flights/2013-01.csv.gz",
            "./flights/2013-01.csv.gz",
            "inbox/flights/2013-01.csv.gz",
            "/outbox/new/2013-01.csv.gz",
            "new/2013-01.csv.gz",
            "sftp://partner@sftp.example.com/outbox/new/2013-01.csv.gz",
            "https://account.blob.core.windows.net/landing/flights/2013-01.csv.gz?sv=2026&sig=x",
            "2013-*",
            "flights/*.csv.gz",
            "2013-0[12].csv.gz",
            "/outbox/*/2013-01.*",
        ] {
            is_the_same(asked, "flights/2013-01.csv.gz");
        }
    }

    #[test]
    fn an_odd_name_is_found_as_it_looks_on_screen() {
        is_the_same("50%#1~ ü.csv", "flights/50%#1~ ü.csv");
        is_the_same("50%#1~ u\u{308}.csv", "flights/50%#1~ ü.csv");
        is_the_same("50%#1~ ü.csv", "flights/50%#1~ u\u{308}.csv");
        is_the_same("50%41.csv", "flights/50%2541.csv");
        is_the_same("report[1].csv", "flights/report[1].csv");
        for asked in ["M%FCnchen.csv", "M\\xfcnchen.csv", "M\\374nchen.csv", "M\u{fffd}nchen.csv", "M?nchen.csv"] {
            is_the_same(asked, "flights/M%FCnchen.csv");
        }
        is_the_same(OsStr::from_bytes(b"M\xfcnchen.csv"), "flights/M%FCnchen.csv");
        is_the_same("a\\x0ab.csv", "flights/a%0Ab.csv");
    }

    #[test]
    fn the_same_name_in_another_folder_is_near_and_not_the_same() {
        assert_eq!(fit("archive/2013-01.csv.gz", "flights/2013-01.csv.gz"), Some(Fit::SameName));
        assert_eq!(fit("3-01.csv.gz", "flights/2013-01.csv.gz").map(|fit| fit == Fit::Same), Some(false));
    }

    #[test]
    fn a_name_with_a_slip_is_near_and_a_strange_one_is_not() {
        assert!(matches!(fit("2013-10.csv.gz", "flights/2013-01.csv.gz"), Some(Fit::Like(likeness)) if likeness > 0.9));
        assert!(matches!(fit("2013-01", "flights/2013-01.csv.gz"), Some(Fit::Like(_))));
        assert_eq!(fit("invoices.xlsx", "flights/2013-01.csv.gz"), None);
        assert_eq!(fit("2014-*", "flights/2013-01.csv.gz"), None);
    }
}
