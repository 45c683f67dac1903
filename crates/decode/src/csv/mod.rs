//! Delimited text: cutting, header, cells.
//!
//! One grammar (in `scan`) says where cells and rows end, for every byte string, whole or not; the cutter, the header
//! and the decoder all ask it and can therefore never disagree about where a row ends:
//!
//! - A quote opens only as the first byte of a cell; elsewhere in an unquoted cell it is an ordinary byte.
//! - Inside quotes a doubled quote is a quote, and delimiters and line ends are text.
//! - After the closing quote comes the delimiter, the line end or the end of the data. Anything else makes the row bad;
//!   it reaches to the next delimiter or line end, and quotes in it mean nothing.
//! - LF ends a row, a CR right before it belongs to the line end; any other CR is data.
//! - A completely empty line is no row. The last row needs no line end.
//! - A layout may have no quote; then every cell is what stands between delimiters.

mod cutter;
mod decoder;
mod footer;
mod header;
mod layout;
mod reader;
mod rows;
mod scan;

#[cfg(test)]
mod agreement;

pub use crate::cutter::DEFAULT_MAX_ROW_BYTES;
pub use crate::names::MissingColumn;
pub use cutter::{CutError, RowCutter};
pub use decoder::Decoder;
pub use header::{Header, HeaderError, MAX_COLUMNS};
pub use layout::{CsvLayout, HeaderRow, LayoutError};
pub use reader::{ChunkReader, CsvError};
