//! Text in another encoding than was declared: byte order marks, and NULs, of which UTF-16 has one in every ASCII
//! character and every other encoding none.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::formats::Known;

/// An encoding that gives itself away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Utf8ByMark,
    Utf16LeByMark,
    Utf16BeByMark,
    Utf32ByMark,
    Utf16LeByNuls,
    Utf16BeByNuls,
    /// No UTF-16.
    Bytes,
}

impl Found {
    fn what(self) -> &'static str {
        match self {
            Found::Utf8ByMark => "UTF-8 text, by its byte order mark",
            Found::Utf16LeByMark => "UTF-16LE text, by its byte order mark",
            Found::Utf16BeByMark => "UTF-16BE text, by its byte order mark",
            Found::Utf32ByMark => "UTF-32 text, by its byte order mark",
            Found::Utf16LeByNuls => "UTF-16LE text, as every second byte is NUL",
            Found::Utf16BeByNuls => "UTF-16BE text, as every second byte is NUL",
            Found::Bytes => "text in UTF-8 or an encoding of single bytes",
        }
    }

    pub fn in_csv(self) -> Known {
        let remedy = match self {
            Found::Utf8ByMark => {
                "set encoding = \"utf-8\" of the feed, or ask the sender for the encoding that was agreed"
            }
            Found::Utf16LeByMark | Found::Utf16LeByNuls => {
                "set encoding = \"utf-16le\" of the feed, or ask the sender for the encoding that was agreed"
            }
            Found::Utf16BeByMark | Found::Utf16BeByNuls => {
                "set encoding = \"utf-16be\" of the feed, or ask the sender for the encoding that was agreed"
            }
            Found::Utf32ByMark => "ask the sender for UTF-8",
            Found::Bytes => "set encoding of the feed to what its files are, such as \"utf-8\" or \"windows-1252\"",
        };
        Known { what: self.what(), remedy }
    }

    pub fn in_ndjson(self) -> Known {
        Known { what: self.what(), remedy: "ask the sender for NDJSON in UTF-8" }
    }
}

pub(super) fn is_utf_16(encoding: &'static Encoding) -> bool {
    encoding == UTF_16LE || encoding == UTF_16BE
}

/// Whether the text is certain not to be in the encoding that was declared.
pub(super) fn another_than(declared: &'static Encoding, first_bytes: &[u8]) -> Option<Found> {
    let found = by_mark(first_bytes)
        .or_else(|| by_nuls(first_bytes))
        .or_else(|| (is_utf_16(declared) && is_text_of_bytes(first_bytes)).then_some(Found::Bytes))?;
    let agrees = match found {
        Found::Utf8ByMark => declared == UTF_8,
        Found::Utf16LeByMark | Found::Utf16LeByNuls => declared == UTF_16LE,
        Found::Utf16BeByMark | Found::Utf16BeByNuls => declared == UTF_16BE,
        Found::Utf32ByMark | Found::Bytes => false,
    };
    (!agrees).then_some(found)
}

fn by_mark(first_bytes: &[u8]) -> Option<Found> {
    let marks: [(&[u8], Found); 5] = [
        (b"\xff\xfe\0\0", Found::Utf32ByMark),
        (b"\0\0\xfe\xff", Found::Utf32ByMark),
        (b"\xff\xfe", Found::Utf16LeByMark),
        (b"\xfe\xff", Found::Utf16BeByMark),
        (b"\xef\xbb\xbf", Found::Utf8ByMark),
    ];
    marks.iter().find(|(mark, _)| first_bytes.starts_with(mark)).map(|(_, found)| *found)
}

/// A quarter of the characters being ASCII is enough: delimiters, digits and line ends are.
fn by_nuls(first_bytes: &[u8]) -> Option<Found> {
    let (pairs, _) = first_bytes.as_chunks::<2>();
    let nuls_at = |index: usize| pairs.iter().filter(|pair| pair[index] == 0).count();
    let (first, second) = (nuls_at(0), nuls_at(1));
    let (many, few) = (pairs.len().div_ceil(4).max(2), pairs.len() / 16);
    match (first, second) {
        _ if first <= few && second >= many => Some(Found::Utf16LeByNuls),
        _ if second <= few && first >= many => Some(Found::Utf16BeByNuls),
        _ => None,
    }
}

/// Whether nothing in it looks like UTF-16: no NUL, and nearly all of it ASCII text, or UTF-8.
fn is_text_of_bytes(first_bytes: &[u8]) -> bool {
    let enough_to_tell = 16;
    if first_bytes.len() < enough_to_tell {
        return false;
    }
    let is_control = |byte: &&u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let is_ascii_text = |byte: &&u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let is_utf_8 = match std::str::from_utf8(first_bytes) {
        Ok(_) => true,
        // The last character may be cut.
        Err(error) => error.error_len().is_none(),
    };
    let ascii_text = first_bytes.iter().filter(is_ascii_text).count();
    !first_bytes.iter().any(|byte| is_control(&byte)) && (is_utf_8 || ascii_text >= first_bytes.len() / 8 * 7)
}

/// Where the first NUL is, if it says that this is no text: in the first line, or one of many. A lone NUL further on is
/// a matter of its row.
pub(super) fn telling_nul(first_bytes: &[u8], declared: &'static Encoding) -> Option<usize> {
    if is_utf_16(declared) {
        return None;
    }
    let first = memchr::memchr(0, first_bytes)?;
    let in_first_line = memchr::memchr(b'\n', first_bytes).is_none_or(|line_end| first < line_end);
    let nuls = memchr::memchr_iter(0, first_bytes).count();
    (in_first_line || nuls >= first_bytes.len().div_ceil(16)).then_some(first)
}

/// The text without its byte order mark, so that ASCII in it can be read. Other encodings than UTF-16 have ASCII as it
/// is.
pub(super) fn to_utf_8<'a>(first_bytes: &'a [u8], declared: &'static Encoding) -> Cow<'a, [u8]> {
    if !is_utf_16(declared) {
        return Cow::Borrowed(first_bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first_bytes));
    }
    let whole_units = &first_bytes[..first_bytes.len() & !1];
    let (text, _) = declared.decode_with_bom_removal(whole_units);
    Cow::Owned(text.into_owned().into_bytes())
}
