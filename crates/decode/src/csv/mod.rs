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

mod cutter;
mod decoder;
mod header;
mod rows;
mod scan;

#[cfg(test)]
mod agreement;

pub use cutter::RowCutter;
pub use decoder::Decoder;
pub use header::{Header, HeaderError, MissingColumn};

pub use crate::cutter::{CutError, DEFAULT_MAX_ROW_BYTES};

/// How a feed's files are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvLayout {
    /// Between cells; an ASCII byte.
    pub delimiter: u8,
    /// Around a cell that holds delimiters, line ends or quotes; an ASCII byte.
    pub quote: u8,
}

impl Default for CsvLayout {
    fn default() -> Self {
        Self { delimiter: b',', quote: b'"' }
    }
}

/// A layout under which no file could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    #[error("delimiter and quote are the same character")]
    DelimiterIsQuote,
    #[error("{0} is a line end")]
    LineEnd(&'static str),
    #[error("{0} is not an ASCII character")]
    NotAscii(&'static str),
}

impl CsvLayout {
    /// Says whether files can be read under this layout. [`RowCutter`], [`Header`] and [`Decoder`] insist on it.
    pub fn check(&self) -> Result<(), LayoutError> {
        for (name, byte) in [("the delimiter", self.delimiter), ("the quote", self.quote)] {
            if byte == b'\n' || byte == b'\r' {
                return Err(LayoutError::LineEnd(name));
            }
            if !byte.is_ascii() {
                return Err(LayoutError::NotAscii(name));
            }
        }
        if self.delimiter == self.quote {
            return Err(LayoutError::DelimiterIsQuote);
        }
        Ok(())
    }

    /// For those who build on a layout: a broken one is a mistake of the program, as pipeline.toml was checked.
    fn insist(&self) {
        if let Err(fault) = self.check() {
            panic!("unusable CSV layout: {fault}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_that_could_not_be_read_is_refused() {
        let layout = |delimiter, quote| CsvLayout { delimiter, quote };
        assert_eq!(layout(b';', b'\'').check(), Ok(()));
        assert_eq!(layout(b'"', b'"').check(), Err(LayoutError::DelimiterIsQuote));
        assert_eq!(layout(b'\r', b'"').check(), Err(LayoutError::LineEnd("the delimiter")));
        assert_eq!(layout(b',', 0xab).check(), Err(LayoutError::NotAscii("the quote")));
    }
}
