//! What decoding yields: columns in Arrow's layout, without Arrow, and the rows that did not fit.

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
}

impl DecodedChunk {
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
    /// As it stood in the file, without its line end.
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

#[derive(Debug)]
pub enum Values {
    /// Valid UTF-8. A view is Arrow's: up to 12 bytes stand inside, longer ones in a buffer.
    String {
        views: Vec<StringView>,
        unescaped: Vec<u8>,
    },
    Int64(Vec<i64>),
    Float64(Vec<f64>),
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
