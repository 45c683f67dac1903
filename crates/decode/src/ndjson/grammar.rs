//! The grammar of RFC 8259: whether bytes are JSON, and where a value ends.
//!
//! It knows no keys, columns or values, reads each byte once and never passes a line feed, which in JSON can only stand
//! between tokens and here ends the row: a row that breaks off is found without looking for its end first. Nothing in
//! it calls itself, and nothing allocates.
//!
//! Bytes that are not ASCII are passed over: that they are UTF-8 is asked elsewhere, for a whole chunk at once.

use crate::lanes::{VECTOR, find_text_ends};

/// How deep arrays and objects may be nested, the row's own object counted. One bit each.
pub(super) const MAX_DEPTH: u32 = 64;

/// Why bytes are no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub what: &'static str,
    /// Where in the chunk; at the furthest the line feed that ends the row, or the end of the chunk.
    pub at: usize,
}

/// A string between its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    pub start: usize,
    pub end: usize,
    /// It has a backslash.
    pub escaped: bool,
}

/// A chunk, as JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'a> {
    pub bytes: &'a [u8],
}

impl Json<'_> {
    /// The byte there; at the end of the chunk a line feed, so that the last row needs none.
    #[inline(always)]
    pub fn at(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b'\n')
    }

    /// The first place from `at` that is no blank, tab or CR.
    #[inline(always)]
    pub fn blanks(&self, mut at: usize) -> usize {
        while matches!(self.at(at), b' ' | b'\t' | b'\r') {
            at += 1;
        }
        at
    }

    /// The string whose text begins at `start`, right behind its quote.
    #[inline(always)]
    pub fn string(&self, start: usize) -> Result<Text, Fault> {
        let end = plain_end(self.bytes, start);
        if self.at(end) == b'"' {
            return Ok(Text { start, end, escaped: false });
        }
        let end = self.escaped_end(start, end)?;
        Ok(Text { start, end, escaped: true })
    }

    /// The end of a string that has something else than plain text at `at`.
    #[inline(never)]
    fn escaped_end(&self, start: usize, mut at: usize) -> Result<usize, Fault> {
        loop {
            match self.at(at) {
                b'"' => return Ok(at),
                b'\\' => at = self.escape(at)?,
                b'\n' => return Err(Fault { what: "the line ends inside the string that begins", at: start - 1 }),
                _ => return Err(Fault { what: "a string has a control character, which must be escaped,", at }),
            }
            at = plain_end(self.bytes, at);
        }
    }

    /// What follows the escape whose backslash stands at `at`.
    #[inline]
    fn escape(&self, at: usize) -> Result<usize, Fault> {
        match self.at(at + 1) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
            b'u' => self.unicode_escape(at),
            _ => Err(Fault { what: "a string has an escape that JSON does not know", at }),
        }
    }

    fn unicode_escape(&self, at: usize) -> Result<usize, Fault> {
        let unit = |at: usize| self.bytes.get(at + 2..at + 6).and_then(code_unit);
        let lone = Err(Fault { what: "a string has half a surrogate pair", at });
        match unit(at) {
            None => Err(Fault { what: "a string has a \\u without four hexadecimal digits", at }),
            Some(0xd800..0xdc00) => {
                let second = self.bytes.get(at + 6..at + 8) == Some(b"\\u");
                let second = if second { unit(at + 6) } else { None };
                if matches!(second, Some(0xdc00..0xe000)) { Ok(at + 12) } else { lone }
            }
            Some(0xdc00..0xe000) => lone,
            Some(_) => Ok(at + 6),
        }
    }

    /// What follows the number that begins at `at`.
    #[inline]
    pub fn number(&self, at: usize) -> Result<usize, Fault> {
        let mut at = at + usize::from(self.at(at) == b'-');
        at = if self.at(at) == b'0' { at + 1 } else { self.digits(at)? };
        if self.at(at) == b'.' {
            at = self.digits(at + 1)?;
        }
        if matches!(self.at(at), b'e' | b'E') {
            at += 1;
            at = self.digits(at + usize::from(matches!(self.at(at), b'+' | b'-')))?;
        }
        Ok(at)
    }

    /// What follows the digits at `at`, of which there must be one.
    #[inline(always)]
    fn digits(&self, at: usize) -> Result<usize, Fault> {
        let mut end = at;
        // Eight at a time without asking each: how many digits a number has is what cannot be foreseen.
        while let Some(word) = self.bytes.get(end..).and_then(<[u8]>::first_chunk::<8>) {
            let length = digit_count(u64::from_le_bytes(*word));
            end += length;
            if length < 8 {
                break;
            }
        }
        while self.at(end).is_ascii_digit() {
            end += 1;
        }
        if end == at {
            return Err(Fault { what: "expected a digit", at });
        }
        Ok(end)
    }

    /// What follows `true`, `false` or `null`, where that is what stands at `at`.
    #[inline]
    pub fn literal(&self, at: usize, word: &[u8]) -> Result<usize, Fault> {
        if self.bytes[at..].starts_with(word) {
            return Ok(at + word.len());
        }
        Err(Fault { what: "expected a value", at })
    }

    /// What follows the value that begins at `at`, which stands within `depth` arrays and objects.
    #[inline(always)]
    pub fn value(&self, at: usize, depth: u32) -> Result<usize, Fault> {
        match self.at(at) {
            b'"' => Ok(self.string(at + 1)?.end + 1),
            b'{' | b'[' => self.nested(at, depth),
            _ => self.scalar(at),
        }
    }

    #[inline]
    fn scalar(&self, at: usize) -> Result<usize, Fault> {
        match self.at(at) {
            b'-' | b'0'..=b'9' => self.number(at),
            b't' => self.literal(at, b"true"),
            b'f' => self.literal(at, b"false"),
            b'n' => self.literal(at, b"null"),
            _ => Err(Fault { what: "expected a value", at }),
        }
    }

    /// What follows the array or object that begins at `at`.
    #[inline(never)]
    pub fn nested(&self, mut at: usize, outer_depth: u32) -> Result<usize, Fault> {
        // The lowest bit is the innermost: 1 for an object.
        let mut kinds = 0_u64;
        let mut depth = outer_depth;
        loop {
            // A value begins here.
            match self.at(at) {
                b'"' => at = self.string(at + 1)?.end + 1,
                opening @ (b'{' | b'[') => {
                    if depth == MAX_DEPTH {
                        return Err(Fault { what: "nested more than 64 levels deep", at });
                    }
                    depth += 1;
                    let is_object = opening == b'{';
                    kinds = kinds << 1 | u64::from(is_object);
                    at = self.blanks(at + 1);
                    // The closing one is two bytes further in ASCII, for both kinds.
                    if self.at(at) != opening + 2 {
                        if is_object {
                            at = self.key(at)?;
                        }
                        continue;
                    }
                    kinds >>= 1;
                    depth -= 1;
                    at += 1;
                }
                _ => at = self.scalar(at)?,
            }
            // A value ended here.
            loop {
                if depth == outer_depth {
                    return Ok(at);
                }
                at = self.blanks(at);
                let is_object = kinds & 1 == 1;
                match self.at(at) {
                    b',' => {
                        at = self.blanks(at + 1);
                        if is_object {
                            at = self.key(at)?;
                        }
                        break;
                    }
                    b'}' if is_object => at += 1,
                    b']' if !is_object => at += 1,
                    _ if is_object => return Err(Fault { what: "expected `,` or `}`", at }),
                    _ => return Err(Fault { what: "expected `,` or `]`", at }),
                }
                kinds >>= 1;
                depth -= 1;
            }
        }
    }

    /// Where the value of the key that begins at `at` begins.
    #[inline]
    fn key(&self, at: usize) -> Result<usize, Fault> {
        let text = self.key_text(at)?;
        self.colon(text.end + 1)
    }

    /// The key that begins at `at`.
    #[inline]
    pub fn key_text(&self, at: usize) -> Result<Text, Fault> {
        if self.at(at) != b'"' {
            return Err(Fault { what: "expected a key in quotes", at });
        }
        self.string(at + 1)
    }

    /// What follows the colon at `at`, blanks around it included.
    #[inline]
    pub fn colon(&self, at: usize) -> Result<usize, Fault> {
        let at = self.blanks(at);
        if self.at(at) != b':' {
            return Err(Fault { what: "expected `:`", at });
        }
        Ok(self.blanks(at + 1))
    }
}

/// Appends what a string that the grammar has passed means.
pub(super) fn unescape(mut text: &[u8], meaning: &mut Vec<u8>) {
    while let Some(backslash) = memchr::memchr(b'\\', text) {
        meaning.extend_from_slice(&text[..backslash]);
        let (escape, rest) = text[backslash + 1..].split_first().unwrap_or((&b'\\', b""));
        text = rest;
        meaning.push(match escape {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, length) = unescape_unicode(rest);
                meaning.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                text = &rest[length..];
                continue;
            }
            other => *other,
        });
    }
    meaning.extend_from_slice(text);
}

/// The character of the one or two escapes whose digits `text` begins with, and their length.
fn unescape_unicode(text: &[u8]) -> (char, usize) {
    let unit = |at| text.get(at..at + 4).and_then(code_unit).map_or(0xfffd, u32::from);
    match unit(0) {
        high @ 0xd800..0xdc00 => {
            let character = 0x1_0000 + ((high - 0xd800) << 10) + (unit(6) & 0x3ff);
            (char::from_u32(character).unwrap_or(char::REPLACEMENT_CHARACTER), 10)
        }
        unit => (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 4),
    }
}

/// With how many digits the eight bytes begin.
#[inline(always)]
fn digit_count(word: u64) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // A digit's byte is at most 9 now; the highest bit of the others survives the next line.
    let values = word ^ (EACH * 0x30);
    let others = (((values & (EACH * 0x7f)) + EACH * 0x76) | values) & (EACH * 0x80);
    others.trailing_zeros() as usize / 8
}

/// Four hexadecimal digits.
fn code_unit(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)? as u16))
}

/// Where the plain text from `at` ends: at a quote, a backslash, a control character or the end of the chunk.
#[inline(always)]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(vector) = bytes.get(at..).and_then(<[u8]>::first_chunk::<VECTOR>) {
        let ends = find_text_ends(vector);
        if ends != 0 {
            return at + ends.trailing_zeros() as usize;
        }
        at += VECTOR;
    }
    while let Some(&byte) = bytes.get(at)
        && byte != b'"'
        && byte != b'\\'
        && byte >= b' '
    {
        at += 1;
    }
    at
}
