//! What decoding yields: columns in Arrow's layout, without Arrow, and the rows that did not fit.

use std::borrow::Cow;

use bytes::Bytes;

/// The rows of one chunk: the good ones as columns, the bad ones with their reason.
#[derive(Debug)]
pub struct DecodedChunk {
    /// The chunk that was decoded. String views point into it.
    pub bytes: Bytes,
    /// Data rows in the chunk, bad ones included.
    pub row_count: u32,
    /// One entry for each column that the decoder was asked for, in that order; each holds `row_count - bad.len()` rows.
    pub columns: Vec<ColumnValues>,
    /// Sorted by row.
    pub bad: Vec<BadRow>,
    /// Keys of the chunk's objects that the contract does not name, sorted, each once: the first
    /// [`DecodedChunk::MAX_UNKNOWN_KEYS`] that were met, very long ones shortened. Only of NDJSON, where each row says
    /// its own keys.
    pub unknown_keys: Vec<String>,
}

impl DecodedChunk {
    /// How many unknown keys are named.
    pub const MAX_UNKNOWN_KEYS: usize = 100;

    /// How many rows each column holds.
    pub fn good_row_count(&self) -> usize {
        self.row_count as usize - self.bad.len()
    }

    /// The row of the chunk (counted from 0) that stands at `index` in the columns.
    pub fn row_of(&self, index: usize) -> u32 {
        let mut row = index as u32;
        for bad in &self.bad {
            if bad.row > row {
                break;
            }
            row += 1;
        }
        row
    }
}

/// A row that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Counted from 0 within the chunk.
    pub row: u32,
    /// As it stood in the file, without its line end. Of a file that is not in UTF-8, its text in UTF-8, with
    /// [`DAMAGE`](crate::text::DAMAGE) for what could not be read.
    pub raw: Vec<u8>,
    /// What is wrong, naming column and value: "column `dep_delay`: `abc` is not a float64".
    pub reason: String,
}

/// One column's values. A null holds a zero value (an empty string) and a 0 in `validity`.
#[derive(Debug)]
pub struct ColumnValues {
    pub values: Values,
    /// Bit i of byte i / 8 (least significant first) is 1 where row i has a value; `None` where every row has one.
    pub validity: Option<Vec<u8>>,
}

impl ColumnValues {
    /// Whether the row at `index` has no value.
    pub fn is_null(&self, index: usize) -> bool {
        self.validity.as_ref().is_some_and(|bits| bits[index / 8] >> (index % 8) & 1 == 0)
    }
}

#[derive(Debug)]
pub enum Values {
    /// Valid UTF-8; also JSON. A view is Arrow's: up to 12 bytes stand inside, longer ones in a buffer.
    String {
        views: Vec<StringView>,
        unescaped: Vec<u8>,
    },
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    /// In units of 10^-scale of the column's type.
    Decimal(Vec<i128>),
    Bool(Vec<bool>),
    /// Days since 1970-01-01.
    Date(Vec<i32>),
    /// Microseconds since 1970-01-01 UTC.
    Timestamp(Vec<i64>),
}

/// Arrow's string view, field by field. With `length <= 12` the text stands in the twelve bytes of `prefix`, `buffer`
/// and `offset`, little endian, padded with zeros. Otherwise `prefix` holds its first four bytes, `buffer` is 0 for
/// [`DecodedChunk::bytes`] or 1 for `unescaped`, and `offset` is where it begins there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct StringView {
    pub length: u32,
    pub prefix: u32,
    pub buffer: u32,
    pub offset: u32,
}

impl Values {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Values::String { views, .. } => views.len(),
            Values::Int64(values) | Values::Timestamp(values) => values.len(),
            Values::Float64(values) => values.len(),
            Values::Decimal(values) => values.len(),
            Values::Bool(values) => values.len(),
            Values::Date(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl StringView {
    /// A text up to this long stands inside the view.
    pub const INLINE_BYTES: usize = 12;

    /// The view of `buffer[start..end]`, where `buffer` is number `buffer_index`.
    #[inline]
    pub(crate) fn new(buffer: &[u8], start: usize, end: usize, buffer_index: u32) -> Self {
        let length = end - start;
        if length > Self::INLINE_BYTES {
            let prefix = [buffer[start], buffer[start + 1], buffer[start + 2], buffer[start + 3]];
            return Self {
                length: length as u32,
                prefix: u32::from_le_bytes(prefix),
                buffer: buffer_index,
                offset: start as u32,
            };
        }
        // Sixteen bytes at once and a mask are far quicker than a copy of a few bytes.
        let text = match buffer[start..].first_chunk::<16>() {
            Some(sixteen) => u128::from_le_bytes(*sixteen) & ((1 << (length * 8)) - 1),
            None => {
                let mut sixteen = [0; 16];
                sixteen[..length].copy_from_slice(&buffer[start..end]);
                u128::from_le_bytes(sixteen)
            }
        };
        Self { length: length as u32, prefix: text as u32, buffer: (text >> 32) as u32, offset: (text >> 64) as u32 }
    }

    /// The text; `chunk` and `unescaped` are the buffers 0 and 1.
    pub fn text<'a>(&self, chunk: &'a [u8], unescaped: &'a [u8]) -> Cow<'a, [u8]> {
        let length = self.length as usize;
        if length > Self::INLINE_BYTES {
            let start = self.offset as usize;
            let buffer = if self.buffer == 0 { chunk } else { unescaped };
            return Cow::Borrowed(&buffer[start..start + length]);
        }
        Cow::Owned(self.inline_bytes()[..length].to_vec())
    }

    /// Appends the text, as [`StringView::text`] gives it.
    pub fn append_to(&self, out: &mut Vec<u8>, chunk: &[u8], unescaped: &[u8]) {
        let length = self.length as usize;
        if length > Self::INLINE_BYTES {
            let start = self.offset as usize;
            let buffer = if self.buffer == 0 { chunk } else { unescaped };
            out.extend_from_slice(&buffer[start..start + length]);
        } else {
            out.extend_from_slice(&self.inline_bytes()[..length]);
        }
    }

    fn inline_bytes(&self) -> [u8; 16] {
        let text = u128::from(self.prefix) | u128::from(self.buffer) << 32 | u128::from(self.offset) << 64;
        text.to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_gives_back_its_text_from_every_place_and_length() {
        let chunk: Vec<u8> = (0..60).collect();
        for start in 0..=chunk.len() {
            for end in start..=chunk.len() {
                let view = StringView::new(&chunk, start, end, 0);
                assert_eq!(view.text(&chunk, &[]), &chunk[start..end]);
                let mut appended = vec![99];
                view.append_to(&mut appended, &chunk, &[]);
                assert_eq!(appended[1..], chunk[start..end]);
            }
        }
        let view = StringView::new(b"abcdefghijklmnop", 1, 14, 1);
        assert_eq!(view.text(&[], b"abcdefghijklmnop"), &b"bcdefghijklmn"[..]);
    }

    #[test]
    fn a_short_view_is_laid_out_as_arrow_wants_it() {
        let view = StringView::new(b"xabcdefghijkl-------", 1, 7, 0);
        assert_eq!(view.length, 6);
        assert_eq!(view.prefix.to_le_bytes(), *b"abcd");
        assert_eq!(view.buffer.to_le_bytes(), *b"ef\0\0");
        assert_eq!(view.offset, 0);
    }

    #[test]
    fn a_column_index_skips_the_bad_rows() {
        let bad = [0, 3, 4].map(|row| BadRow { row, raw: Vec::new(), reason: String::new() }).to_vec();
        let chunk =
            DecodedChunk { bytes: Bytes::new(), row_count: 7, columns: Vec::new(), bad, unknown_keys: Vec::new() };
        assert_eq!(chunk.good_row_count(), 4);
        assert_eq!([0, 1, 2, 3].map(|index| chunk.row_of(index)), [1, 2, 5, 6]);
    }
}
