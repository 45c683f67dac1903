//! How a feed's CSV files are laid out, and which layouts make sense.

use encoding_rs::{Encoding, UTF_8};

/// How a feed's files are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvLayout {
    /// What the bytes of the file mean; see [`encoding_of_label`](crate::text::encoding_of_label).
    pub encoding: &'static Encoding,
    /// Between cells; an ASCII character.
    pub delimiter: u8,
    /// Around a cell that holds delimiters, line ends or quotes; an ASCII character. `None`: no character is special.
    pub quote: Option<u8>,
    pub header: HeaderRow,
    /// Lines before the header, or before the first row where there is none. They end at line feeds and nowhere else,
    /// and are dropped whatever stands in them.
    pub skip_rows: u32,
    /// Rows at the end of the file, dropped before they are counted or can be bad; at most
    /// [`CsvLayout::MAX_SKIP_FOOTER`]. The header is never one of them.
    pub skip_footer: u32,
}

/// Whether a file names its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderRow {
    /// In its first row.
    #[default]
    Present,
    /// Nowhere: the contract's columns stand in the file in the contract's order, and there are no others.
    Absent,
}

impl Default for CsvLayout {
    fn default() -> Self {
        Self {
            encoding: UTF_8,
            delimiter: b',',
            quote: Some(b'"'),
            header: HeaderRow::Present,
            skip_rows: 0,
            skip_footer: 0,
        }
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
    #[error("a footer of {0} rows is too long; at most {max} can be skipped", max = CsvLayout::MAX_SKIP_FOOTER)]
    FooterTooLong(u32),
}

impl CsvLayout {
    /// As many rows must be held back all the time.
    pub const MAX_SKIP_FOOTER: u32 = 1000;

    /// Says whether files can be read under this layout. Whoever is built on one insists on it.
    pub fn check(&self) -> Result<(), LayoutError> {
        for (name, byte) in [("the delimiter", Some(self.delimiter)), ("the quote", self.quote)] {
            if let Some(b'\n' | b'\r') = byte {
                return Err(LayoutError::LineEnd(name));
            }
            if byte.is_some_and(|byte| !byte.is_ascii()) {
                return Err(LayoutError::NotAscii(name));
            }
        }
        if Some(self.delimiter) == self.quote {
            return Err(LayoutError::DelimiterIsQuote);
        }
        if self.skip_footer > Self::MAX_SKIP_FOOTER {
            return Err(LayoutError::FooterTooLong(self.skip_footer));
        }
        Ok(())
    }

    /// For those who build on a layout: a broken one is a mistake of the program, as pipeline.toml was checked.
    pub(super) fn insist(&self) {
        if let Err(fault) = self.check() {
            panic!("unusable CSV layout: {fault}");
        }
    }

    /// For those who look at the quotes of cells that are known to have some; without a quote in the layout there are
    /// none, and it does not matter what this says.
    pub(super) fn quote_byte(&self) -> u8 {
        self.quote.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_that_could_not_be_read_is_refused() {
        let check = |delimiter, quote| CsvLayout { delimiter, quote, ..CsvLayout::default() }.check();
        assert_eq!(check(b';', Some(b'\'')), Ok(()));
        assert_eq!(check(b'"', None), Ok(()));
        assert_eq!(check(b'"', Some(b'"')), Err(LayoutError::DelimiterIsQuote));
        assert_eq!(check(b'\r', Some(b'"')), Err(LayoutError::LineEnd("the delimiter")));
        assert_eq!(check(b',', Some(0xab)), Err(LayoutError::NotAscii("the quote")));
        let footer = |skip_footer| CsvLayout { skip_footer, ..CsvLayout::default() }.check();
        assert_eq!(footer(1000), Ok(()));
        assert_eq!(
            footer(1001).unwrap_err().to_string(),
            "a footer of 1001 rows is too long; at most 1000 can be skipped"
        );
    }
}
