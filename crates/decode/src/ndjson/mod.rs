//! Newline-delimited JSON: one object a line.
//!
//! # Rows
//!
//! - A line feed ends a row, always: inside a string JSON has it escaped. A CR before it is white space to JSON.
//! - A line of blanks, tabs and CRs is no row. The last row needs no line end. A byte order mark at the start is dropped.
//! - Every other line must be one JSON object, as RFC 8259 has it, in UTF-8, nested at most 64 levels deep, and nothing
//!   else. The whole line is checked, whatever of it is needed: half an object is a bad row and never counts.
//! - A key of the contract that stands twice makes the row bad. So does one that is `required` and absent. Other keys
//!   are reported, and what they hold does not matter.
//!
//! # Values
//!
//! An absent key is null, and so is JSON's `null`, and a string that is one of the feed's `null_values`.
//!
//! | type | takes |
//! |---|---|
//! | `string` | a string, unescaped. Anything else as its JSON text: `12`, `true`, `{"a": 1}` |
//! | `json` | anything, as its JSON text: a string with its quotes |
//! | `int64` | a number without fraction and exponent; a string that CSV would read as one |
//! | `float64` | a number; a string that CSV would read as one |
//! | `decimal` | a number, by its text and exactly; a string that CSV would read as one |
//! | `bool` | `true`, `false`, `1`, `0`; a string that CSV would read as one |
//! | `date`, `timestamp` | a string that CSV would read as one. A number only with a `format`, which reads its text: `%s` |
//!
//! The JSON text of a value stands as in the file, blanks included. A decimal separator is one of strings; in numbers it
//! is a point.
//!
//! # Why a scanner of its own
//!
//! sonic-rs was measured beside it, with two of four keys of 190-byte events on one busy core: its `to_object_iter` does
//! 605 MB/s and `get_many` 555 before any value is read, this does 1,700 with the columns built. What makes the
//! difference: the text of a string is passed sixteen bytes at a time from wherever it begins (in `grammar`), keys are
//! compared with what stood there before and seldom read (in `keys`), and UTF-8 is checked once for the whole chunk.

mod cutter;
mod decoder;
mod grammar;
mod keys;

#[cfg(test)]
mod agreement;

pub use cutter::{CutError, RowCutter};
pub use decoder::Decoder;

pub use crate::cutter::DEFAULT_MAX_ROW_BYTES;
