//! The names of pulled files, in landing and in the records. Both are injective over the raw bytes of a path.

use chrono::{DateTime, Utc};

use crate::names::{BadName, BlobName, FeedName, Sha256, SourceName};

/// A longer name is cut and completed by its hash: file systems allow 255 bytes in one segment.
const KEY_LIMIT_BYTES: usize = 180;
/// More than a source's name, so that the records of one source share a prefix even where names are cut.
const KEY_CUT_BYTES: usize = 100;

/// Which file of a feed, whatever its version: the feed, and the raw path below its landing prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PulledKey {
    feed: FeedName,
    path: Vec<u8>,
}

/// Which version of a file, as far as a server tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileVersion {
    pub size_bytes: u64,
    /// Seconds since 1970.
    pub modified: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordState {
    Look { first_seen: DateTime<Utc> },
    Landed,
    Finishing,
}

/// The name of one record, which tells all that a tick needs to know of a file it has seen before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordName {
    feed: FeedName,
    encoded_path: String,
    version: FileVersion,
    state: RecordState,
}

impl PulledKey {
    /// `path` is the raw path below the source's directory.
    pub fn new(feed: &FeedName, source: Option<&SourceName>, path: &[u8]) -> Self {
        let mut full = source.map(|name| format!("{name}/").into_bytes()).unwrap_or_default();
        full.extend_from_slice(path);
        PulledKey { feed: feed.clone(), path: full }
    }

    pub(super) fn from_parts(feed: FeedName, path: Vec<u8>) -> Self {
        PulledKey { feed, path }
    }

    pub fn feed(&self) -> &FeedName {
        &self.feed
    }

    /// Below the feed's landing prefix, with the source's name where it has one.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Below the source's directory; `None` for a file of another source.
    pub fn path_in(&self, source: Option<&SourceName>) -> Option<&[u8]> {
        match source {
            None => Some(&self.path),
            Some(name) => self.path.strip_prefix(name.as_str().as_bytes())?.strip_prefix(b"/"),
        }
    }

    /// For people, and as it stands in the blob's name.
    pub fn path_text(&self) -> String {
        to_text(&self.path)
    }

    /// `<feed>/<path>` or `<feed>/<source>/<path>`.
    pub fn landing_blob(&self) -> Result<BlobName, BadName> {
        BlobName::new(format!("{}/{}", self.feed, self.path_text()))
    }

    /// The key of whatever was pulled to this blob; `None` for a blob below no feed.
    pub fn of_blob(blob: &BlobName) -> Option<PulledKey> {
        let (_, path) = blob.as_str().split_once('/')?;
        Some(PulledKey { feed: blob.feed()?, path: from_text(path) })
    }

    pub(super) fn prefix(&self) -> String {
        format!("pulled/{}/{}/", self.feed, encoded(&self.path))
    }

    /// Equal for the records of the same file: see [`RecordName::encoded_path`].
    pub fn encoded_path(&self) -> String {
        encoded(&self.path)
    }
}

pub(super) fn prefix_of_source(feed: &FeedName, source: Option<&SourceName>) -> String {
    let source = source.map(|name| percent_encoded(format!("{name}/").as_bytes())).unwrap_or_default();
    format!("pulled/{feed}/{source}")
}

impl RecordName {
    pub fn new(key: &PulledKey, version: FileVersion, state: RecordState) -> Self {
        RecordName { feed: key.feed.clone(), encoded_path: encoded(&key.path), version, state }
    }

    /// `None`: the blob is no record of a pulled file.
    pub fn parse(blob: &BlobName) -> Option<RecordName> {
        let rest = blob.as_str().strip_prefix("pulled/")?;
        let (feed, rest) = rest.split_once('/')?;
        let (encoded_path, rest) = rest.split_once('/')?;
        let (version, state) = rest.split_once('.')?;
        let (size, modified) = version.split_once('-')?;
        let state = match state {
            "landed" => RecordState::Landed,
            "finishing" => RecordState::Finishing,
            look => {
                let milliseconds = look.strip_prefix("look-")?.parse().ok()?;
                RecordState::Look { first_seen: DateTime::from_timestamp_millis(milliseconds)? }
            }
        };
        Some(RecordName {
            feed: FeedName::new(feed).ok()?,
            encoded_path: encoded_path.to_owned(),
            version: FileVersion { size_bytes: size.parse().ok()?, modified: modified.parse().ok()? },
            state,
        })
    }

    pub fn blob(&self) -> BlobName {
        let FileVersion { size_bytes, modified } = self.version;
        let state = match self.state {
            RecordState::Look { first_seen } => format!("look-{}", first_seen.timestamp_millis()),
            RecordState::Landed => "landed".to_owned(),
            RecordState::Finishing => "finishing".to_owned(),
        };
        let name = format!("pulled/{}/{}/{size_bytes}-{modified}.{state}", self.feed, self.encoded_path);
        BlobName::new(name).expect("its parts have at most 350 characters together")
    }

    /// The path's part of the name. It is cut where the path is long, so it does not tell the path back.
    pub fn encoded_path(&self) -> &str {
        &self.encoded_path
    }

    /// The file that the record is about; `None`: its path is too long for the name, and stands in the record alone.
    pub fn key(&self) -> Option<PulledKey> {
        let is_whole = !self.encoded_path.contains('~');
        is_whole.then(|| PulledKey { feed: self.feed.clone(), path: from_text(&self.encoded_path) })
    }

    pub fn feed(&self) -> &FeedName {
        &self.feed
    }

    pub fn version(&self) -> FileVersion {
        self.version
    }

    pub fn state(&self) -> RecordState {
        self.state
    }

    /// The record of the same version in another state.
    pub fn in_state(&self, state: RecordState) -> RecordName {
        RecordName { state, ..self.clone() }
    }
}

/// `~` stands in no name but a cut one.
fn encoded(path: &[u8]) -> String {
    let whole = percent_encoded(path);
    if whole.len() <= KEY_LIMIT_BYTES {
        return whole;
    }
    format!("{}~{}", &whole[..KEY_CUT_BYTES], Sha256::of(path))
}

fn percent_encoded(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => text.push(char::from(*byte)),
            other => push_escape(&mut text, *other),
        }
    }
    text
}

fn push_escape(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// A raw path as text for a blob's name. `%XX` is written for bytes that are not UTF-8, for control characters, private
/// ones and `\` (none of which Azure takes), for a `%` before two hex digits (so that no two paths share a name), and for
/// what not every store can hold at the end of a name: `.`, the `#` of `#` and digits, and `:` after a letter. All else
/// stays as it is.
fn to_text(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    let mut position = 0;
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            let rest = &path[position..];
            match character {
                '%' if rest.len() > 2 && rest[1..3].iter().all(u8::is_ascii_hexdigit) => text.push_str("%25"),
                '.' if rest.len() == 1 || rest[1] == b'/' => text.push_str("%2E"),
                '#' if rest.len() > 1 && rest[1..].iter().all(u8::is_ascii_digit) => text.push_str("%23"),
                ':' if rest.len() == 1 => text.push_str("%3A"),
                '\\' | '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fffe}' | '\u{ffff}' => {
                    let mut bytes = [0; 4];
                    character.encode_utf8(&mut bytes).bytes().for_each(|byte| push_escape(&mut text, byte));
                }
                other => text.push(other),
            }
            position += character.len_utf8();
        }
        for byte in chunk.invalid() {
            push_escape(&mut text, *byte);
            position += 1;
        }
    }
    text
}

/// The inverse of [`to_text`].
fn from_text(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

/// A raw path in JSON.
pub(super) mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(path: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::to_text(path))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Ok(super::from_text(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(source: Option<&str>, path: &[u8]) -> PulledKey {
        let source = source.map(|name| SourceName::new(name).unwrap());
        PulledKey::new(&FeedName::new("flights").unwrap(), source.as_ref(), path)
    }

    #[test]
    fn plain_names_land_as_they_are() {
        for (path, blob) in [
            (b"2013-01.csv".as_slice(), "flights/2013-01.csv"),
            ("50%#1~ ü.csv".as_bytes(), "flights/50%#1~ ü.csv"),
            (b"50%41.csv", "flights/50%2541.csv"),
            (b"M\xfcnchen.csv", "flights/M%FCnchen.csv"),
            (b"a\\b\nc", "flights/a%5Cb%0Ac"),
            (b"report#12", "flights/report%2312"),
            (b"end.", "flights/end%2E"),
            (b"disc:", "flights/disc%3A"),
            (b"trailing%", "flights/trailing%"),
            (b" a\"b'c?d ", "flights/ a\"b'c?d "),
            ("航班/рейс.csv".as_bytes(), "flights/航班/рейс.csv"),
            (b"a./..b/c..", "flights/a%2E/..b/c.%2E"),
            ("\u{85}\u{e000}\u{ffff}".as_bytes(), "flights/%C2%85%EE%80%80%EF%BF%BF"),
        ] {
            assert_eq!(key(None, path).landing_blob().unwrap().as_str(), blob);
        }
        assert_eq!(key(Some("acme"), b"1.csv").landing_blob().unwrap().as_str(), "flights/acme/1.csv");
    }

    #[test]
    fn a_record_name_tells_version_and_state() {
        let first_seen = DateTime::from_timestamp_millis(1_732_270_000_123).unwrap();
        let version = FileVersion { size_bytes: 2_481_495, modified: 1_700_000_000 };
        let look = RecordName::new(&key(None, "ü/x.csv".as_bytes()), version, RecordState::Look { first_seen });
        assert_eq!(look.blob().as_str(), "pulled/flights/%C3%BC%2Fx.csv/2481495-1700000000.look-1732270000123");
        for state in [RecordState::Look { first_seen }, RecordState::Landed, RecordState::Finishing] {
            let name = look.in_state(state);
            assert_eq!(name.key(), Some(key(None, "ü/x.csv".as_bytes())));
            assert_eq!(RecordName::parse(&name.blob()), Some(name));
        }
        for other in ["pulled/flights/x/1-2", "pulled/flights/x/1-2.look-", "pulled/flights/1-2.landed", "loaded/x/y"] {
            assert_eq!(RecordName::parse(&BlobName::new(other).unwrap()), None, "{other}");
        }
    }

    #[test]
    fn records_of_one_source_share_a_prefix_even_where_names_are_cut() {
        let source = SourceName::new("a".repeat(63)).unwrap();
        let prefix = prefix_of_source(&FeedName::new("flights").unwrap(), Some(&source));
        let long = key(Some(source.as_str()), &[0xff; 250]);
        assert!(long.prefix().starts_with(&prefix));
        assert!(long.encoded_path().len() <= KEY_LIMIT_BYTES);
        assert_ne!(long.encoded_path(), key(Some(source.as_str()), &[0xff; 251]).encoded_path());
        assert_eq!(long.path_in(Some(&source)), Some([0xff; 250].as_slice()));
    }

    proptest! {
        #[test]
        fn no_two_paths_share_a_blob(path in prop::collection::vec(prop::sample::select(b"%2Ffa\xc3\xbc\xff#1.:\\/\n".to_vec()), 1..12)) {
            prop_assert_eq!(from_text(&to_text(&path)), path.clone());
            let key = key(None, &path);
            if let Ok(blob) = key.landing_blob() {
                prop_assert_eq!(PulledKey::of_blob(&blob), Some(key));
            }
        }
    }
}
