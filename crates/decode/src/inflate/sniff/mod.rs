//! What a file's first bytes betray. Read as something else it would be rubbish, row after row; better one refusal, with
//! words.
//!
//! It refuses only what is certain: one odd row is that row's fault and not the file's.

mod encoding;
mod formats;
mod notation;
#[cfg(test)]
mod tests;

use std::fmt;

use encoding_rs::{Encoding, UTF_8};

use super::Compression;
use formats::Known;

/// More tells nothing new.
const LOOKED_AT_BYTES: usize = 4096;

/// What a feed's files hold, once they are decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// CSV in this encoding.
    Text {
        encoding: &'static Encoding,
    },
    Ndjson,
    Parquet,
}

/// Why a file is not what its name or its feed says, or nothing that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the file is {what}, but its name does not end in {}", .found.ending())]
    UnderPlainName { found: Compression, what: &'static str },
    #[error("the file's name ends in {}, but it is {what}", .declared.ending())]
    NotAsNamed { declared: Compression, what: &'static str, remedy: &'static str },
    #[error("the file is {what}, where {expected} is expected")]
    AnotherContent { what: &'static str, expected: Content, remedy: &'static str },
    #[error(
        "the file is not {expected}: there is a NUL byte at byte {offset}, as in a binary format or another encoding"
    )]
    Nul { offset: usize, expected: Content },
}

impl Refusal {
    /// What a person can do about the file.
    pub fn remedy(&self) -> &'static str {
        match self {
            Refusal::UnderPlainName { found: Compression::Gzip, .. } => "ask the sender to name it .gz",
            Refusal::UnderPlainName { found: Compression::Zstd, .. } => "ask the sender to name it .zst",
            Refusal::UnderPlainName { .. } => "ask the sender to name it .zip",
            Refusal::NotAsNamed { remedy, .. } | Refusal::AnotherContent { remedy, .. } => remedy,
            Refusal::Nul { .. } => "ask the sender what the file is, and set format and encoding of the feed to it",
        }
    }
}

impl Content {
    /// As the file's bytes are text.
    fn encoding(self) -> &'static Encoding {
        match self {
            Content::Text { encoding } => encoding,
            Content::Ndjson | Content::Parquet => UTF_8,
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Text { encoding } => write!(f, "CSV in {}", encoding.name()),
            Content::Ndjson => f.write_str("NDJSON"),
            Content::Parquet => f.write_str("Parquet"),
        }
    }
}

/// Whether a file is compressed as its name declares, by its first bytes (some hundred do; fewer only of a shorter file).
/// What is inside is [`sniff_content`]'s to judge.
pub fn sniff(first_bytes: &[u8], declared: Compression) -> Result<(), Refusal> {
    let found = formats::compression(first_bytes);
    if declared == Compression::None {
        return match found {
            None => Ok(()),
            Some(found) => Err(Refusal::UnderPlainName { found, what: formats::compressed(found).what }),
        };
    }
    if found == Some(declared) || formats::may_become(first_bytes, declared) {
        return Ok(());
    }
    let known = match found {
        Some(found) => formats::compressed(found),
        None => formats::known(first_bytes).or_else(|| formats::pgp_packet(first_bytes)).unwrap_or(UNKNOWN),
    };
    Err(Refusal::NotAsNamed { declared, what: known.what, remedy: known.remedy })
}

const UNKNOWN: Known = Known {
    what: "not compressed in that way",
    remedy: "ask the sender to name the file as it is compressed: .gz, .zst, .zip, or none of them",
};

/// Whether decompressed bytes can be the start of such content (some hundred do; fewer only of a shorter file). Of more
/// than 4 KiB it looks at the first.
pub fn sniff_content(first_bytes: &[u8], expected: Content) -> Result<(), Refusal> {
    let first_bytes = &first_bytes[..first_bytes.len().min(LOOKED_AT_BYTES)];
    if let Some(known) = another_content(first_bytes, expected) {
        return Err(Refusal::AnotherContent { what: known.what, expected, remedy: known.remedy });
    }
    match expected {
        Content::Parquet => Ok(()),
        Content::Ndjson | Content::Text { .. } => match encoding::telling_nul(first_bytes, expected.encoding()) {
            None => Ok(()),
            Some(offset) => Err(Refusal::Nul { offset, expected }),
        },
    }
}

fn another_content(first_bytes: &[u8], expected: Content) -> Option<Known> {
    if let Some(found) = formats::compression(first_bytes) {
        return Some(formats::compressed_inside(found));
    }
    let declared = expected.encoding();
    if expected == Content::Parquet && formats::is_parquet(first_bytes) {
        return None;
    }
    formats::known(first_bytes)
        // In UTF-16 these bytes may be letters.
        .or_else(|| if encoding::is_utf_16(declared) { None } else { formats::pgp_packet(first_bytes) })
        .or_else(|| match expected {
            Content::Parquet => Some(formats::NO_PARQUET),
            Content::Ndjson => encoding::another_than(declared, first_bytes).map(encoding::Found::in_ndjson),
            Content::Text { .. } => encoding::another_than(declared, first_bytes).map(encoding::Found::in_csv),
        })
        .or_else(|| notation::another_than(expected, &encoding::to_utf_8(first_bytes, declared)))
}
