//! What the fuzz targets share: a target's choices come from the first bytes, the rest is the file, and a file comes to
//! the same however it is split.

use std::collections::BTreeSet;

use millrace_decode::columns::{ColumnValues, DecodedChunk, Values};
use millrace_decode::contract::{ColumnType, DecimalType};

/// Every type, with small and large decimals.
pub const TYPES: [ColumnType; 9] = [
    ColumnType::String,
    ColumnType::Int64,
    ColumnType::Float64,
    ColumnType::Decimal(DecimalType { precision: 38, scale: 10 }),
    ColumnType::Decimal(DecimalType { precision: 4, scale: 2 }),
    ColumnType::Bool,
    ColumnType::Date,
    ColumnType::Timestamp,
    ColumnType::Json,
];

/// The one that a byte chooses.
pub fn choose<T>(from: &[T], byte: u8) -> &T {
    &from[usize::from(byte) % from.len()]
}

/// The file in pieces of lengths that grow and shrink, from one byte on.
pub fn split(file: &[u8], longest: u8) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = file;
    let mut length = 1;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
        length = length * 7 % (usize::from(longest) + 1) + 1;
    }
    pieces
}

/// Everything that a file comes to, with rows counted from its start.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// A good row's values as text; `None` is null.
    pub good: Vec<(u32, Vec<Option<String>>)>,
    /// Row, raw bytes, reason.
    pub bad: Vec<(u32, Vec<u8>, String)>,
    pub rows: u32,
    /// Of NDJSON.
    pub unknown_keys: BTreeSet<String>,
}

impl Outcome {
    /// # Panics
    /// Where the chunk does not keep what its type promises.
    pub fn add(&mut self, decoded: &DecodedChunk) {
        assert!(decoded.bad.windows(2).all(|pair| pair[0].row < pair[1].row));
        assert!(decoded.bad.iter().all(|bad| bad.row < decoded.row_count && !bad.reason.is_empty()));
        for column in &decoded.columns {
            assert_eq!(column.values.len(), decoded.good_row_count());
            let bits = column.validity.as_ref().map_or(0, Vec::len);
            assert!(column.validity.is_none() || bits >= column.values.len().div_ceil(8));
        }
        for index in 0..decoded.good_row_count() {
            let values = decoded.columns.iter().map(|column| value(column, index, &decoded.bytes)).collect();
            self.good.push((self.rows + decoded.row_of(index), values));
        }
        let bad = decoded.bad.iter().map(|bad| (self.rows + bad.row, bad.raw.clone(), bad.reason.clone()));
        self.bad.extend(bad);
        self.unknown_keys.extend(decoded.unknown_keys.iter().cloned());
        self.rows += decoded.row_count;
    }
}

fn value(column: &ColumnValues, index: usize, chunk: &[u8]) -> Option<String> {
    let value = match &column.values {
        Values::String { views, unescaped } => {
            let text = views[index].text(chunk, unescaped).into_owned();
            String::from_utf8(text).expect("strings are UTF-8")
        }
        Values::Int64(values) | Values::Timestamp(values) => values[index].to_string(),
        Values::Float64(values) => {
            assert!(values[index].is_finite());
            values[index].to_string()
        }
        Values::Decimal(values) => values[index].to_string(),
        Values::Bool(values) => values[index].to_string(),
        Values::Date(values) => values[index].to_string(),
    };
    (!column.is_null(index)).then_some(value)
}
