//! Reads a request body under a limit, and past what a function does not want to hold.
//!
//! `announce` needs a blob's address, never its content. With deferred binding the host sends no content; where it does
//! all the same (an older extension), the whole blob arrives as one base64 string. [`BodyReader`] reads past it: a string
//! longer than the limit for strings becomes an empty string, whatever the size of the rest.

use thiserror::Error;

/// How much of a body is read and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Of one JSON string, in bytes as sent; a longer one is read past and becomes empty. `None`: strings are kept.
    pub string_bytes: Option<usize>,
    /// Of what is kept.
    pub kept_bytes: usize,
    /// Of what is read at all.
    pub read_bytes: u64,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BodyError {
    #[error("the request body has more than {limit_bytes} bytes")]
    TooLong { limit_bytes: u64 },
}

/// Takes a body piece by piece.
#[derive(Debug)]
pub struct BodyReader {
    limits: BodyLimits,
    kept: Vec<u8>,
    read_bytes: u64,
    string: StringState,
}

#[derive(Debug)]
enum StringState {
    Outside,
    /// `begins` is where the string's content begins in `kept`.
    Inside {
        begins: usize,
        escaped: bool,
    },
    /// Past the limit: dropped up to its closing quote.
    Dropping {
        escaped: bool,
    },
}

impl BodyReader {
    pub fn new(limits: BodyLimits) -> Self {
        BodyReader { limits, kept: Vec::new(), read_bytes: 0, string: StringState::Outside }
    }

    pub fn push(&mut self, piece: &[u8]) -> Result<(), BodyError> {
        self.read_bytes += piece.len() as u64;
        if self.read_bytes > self.limits.read_bytes {
            return Err(BodyError::TooLong { limit_bytes: self.limits.read_bytes });
        }
        match self.limits.string_bytes {
            None => self.kept.extend_from_slice(piece),
            Some(limit) => self.push_without_long_strings(piece, limit),
        }
        if self.kept.len() > self.limits.kept_bytes {
            return Err(BodyError::TooLong { limit_bytes: self.limits.kept_bytes as u64 });
        }
        Ok(())
    }

    pub fn finish(self) -> Vec<u8> {
        self.kept
    }

    fn push_without_long_strings(&mut self, piece: &[u8], limit: usize) {
        let mut rest = piece;
        while !rest.is_empty() {
            if let StringState::Dropping { escaped: false } = self.string {
                // The usual way through a blob's content: no escapes, one quote far away.
                let Some(position) = memchr::memchr2(b'"', b'\\', rest) else {
                    return;
                };
                rest = &rest[position..];
            }
            let byte = rest[0];
            rest = &rest[1..];
            self.push_byte(byte, limit);
        }
    }

    fn push_byte(&mut self, byte: u8, limit: usize) {
        match &mut self.string {
            StringState::Outside => {
                self.kept.push(byte);
                if byte == b'"' {
                    self.string = StringState::Inside { begins: self.kept.len(), escaped: false };
                }
            }
            StringState::Inside { begins, escaped } => {
                if byte == b'"' && !*escaped {
                    self.kept.push(byte);
                    self.string = StringState::Outside;
                } else if self.kept.len() - *begins >= limit {
                    let still_escaped = byte == b'\\' && !*escaped;
                    self.kept.truncate(*begins);
                    self.string = StringState::Dropping { escaped: still_escaped };
                } else {
                    *escaped = byte == b'\\' && !*escaped;
                    self.kept.push(byte);
                }
            }
            StringState::Dropping { escaped } => {
                if byte == b'"' && !*escaped {
                    self.kept.push(byte);
                    self.string = StringState::Outside;
                } else {
                    *escaped = byte == b'\\' && !*escaped;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits { string_bytes: Some(16), kept_bytes: 1024, read_bytes: 1 << 20 };

    fn read(pieces: &[&[u8]]) -> Result<serde_json::Value, BodyError> {
        let mut reader = BodyReader::new(LIMITS);
        for piece in pieces {
            reader.push(piece)?;
        }
        Ok(serde_json::from_slice(&reader.finish()).expect("what is kept is JSON"))
    }

    #[test]
    fn a_long_string_becomes_empty_and_the_rest_stays() {
        let body = format!(r#"{{"Data":{{"blob":"{}"}},"Metadata":{{"name":"a.csv"}}}}"#, "QUJD".repeat(10_000));
        let value = read(&[body.as_bytes()]).unwrap();
        assert_eq!(value, serde_json::json!({"Data":{"blob":""},"Metadata":{"name":"a.csv"}}));
    }

    #[test]
    fn escapes_at_the_limit_do_not_end_the_string() {
        for filler in 0..24 {
            let text = format!("{}\\\"\\\\\\u0041tail and more", "x".repeat(filler));
            let body = format!(r#"{{"a":"{text}","b":"kept"}}"#);
            assert_eq!(read(&[body.as_bytes()]).unwrap()["b"], "kept", "{filler}");
        }
    }

    #[test]
    fn a_body_above_the_limit_is_refused() {
        let limits = BodyLimits { string_bytes: None, kept_bytes: 10, read_bytes: 100 };
        assert_eq!(BodyReader::new(limits).push(&[b' '; 11]), Err(BodyError::TooLong { limit_bytes: 10 }));
        let skipping = BodyLimits { string_bytes: Some(1), kept_bytes: 10, read_bytes: 100 };
        let mut reader = BodyReader::new(skipping);
        reader.push(b"\"").unwrap();
        assert_eq!(reader.push(&[b'x'; 100]), Err(BodyError::TooLong { limit_bytes: 100 }));
    }

    proptest! {
        #[test]
        fn any_cut_into_pieces_reads_the_same(text in "[a-z\"\\\\é]{0,60}", cut in 0usize..80) {
            let body = serde_json::json!({"long": text, "short": "s"}).to_string();
            let cut = cut.min(body.len());
            let (left, right) = body.as_bytes().split_at(cut);
            prop_assert_eq!(read(&[left, right]), read(&[body.as_bytes()]));
        }
    }
}
