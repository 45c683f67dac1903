//! A stream of CSV to chunks that end at row ends. Row ends inside quotes are text.

use bytes::Bytes;

use super::scan::Scanner;
use super::{CsvError, CsvLayout};
use crate::cutter::{Cutter, RowEnds};

/// Why a stream cannot be cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    #[error(
        "the row that begins at byte {offset} (of the text: decompressed, in UTF-8) does not end within \
         {max_row_bytes} bytes; perhaps a quote in it is opened and never closed"
    )]
    RowTooLong { offset: u64, max_row_bytes: usize },
    #[error(
        "{skip_footer} rows in a row are longer than {max_bytes} bytes, too much to hold back for `skip_footer`; \
         is it meant to be {skip_footer}?"
    )]
    FooterTooLong { skip_footer: u32, max_bytes: usize },
    #[error(
        "a quote is opened in one of the last lines and never closed, so that nobody can tell which rows are the \
         {skip_footer} of the footer (`skip_footer`)"
    )]
    FooterUnclosed { skip_footer: u32 },
}

/// Cuts a stream into chunks of whole rows. A byte order mark at the start is dropped.
///
/// A chunk is as long as whole rows within `target_bytes` make it; a row that is longer stands alone. No more than the
/// larger of `target_bytes` and `max_row_bytes` is ever held.
#[derive(Debug)]
pub struct RowCutter {
    cutter: Cutter<Scanner>,
}

impl RowCutter {
    /// `max_row_bytes` below `target_bytes` counts as `target_bytes`.
    ///
    /// # Panics
    ///
    /// With a layout that [`CsvLayout::check`] refuses, and with limits of 2 GiB or more: views of strings could not
    /// address such chunks.
    pub fn new(layout: &CsvLayout, target_bytes: usize, max_row_bytes: usize) -> Self {
        layout.insist();
        Self { cutter: Cutter::new(Scanner::new(layout), target_bytes, max_row_bytes) }
    }

    /// Says that bytes of the stream stand before those that are pushed, so that errors can say where a row is.
    pub(super) fn pass_over(&mut self, byte_count: usize) {
        self.cutter.pass_over(byte_count);
    }

    /// Takes the next bytes and hands out the chunks that they complete.
    pub fn push<E: From<CsvError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        self.cutter.push(input, out)
    }

    /// Says that the stream is over and hands out what is left, which may end without a line end.
    pub fn finish<E: From<CsvError>>(self, out: &mut impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
        self.cutter.finish(out)
    }
}

impl RowEnds for Scanner {
    type Error = CsvError;

    fn last_row_end(&mut self, bytes: &[u8]) -> Option<usize> {
        Scanner::last_row_end(self, bytes)
    }

    fn first_row_end(&mut self, bytes: &[u8]) -> Option<usize> {
        Scanner::first_row_end(self, bytes)
    }

    fn too_long(offset: u64, max_row_bytes: usize) -> CsvError {
        CutError::RowTooLong { offset, max_row_bytes }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_with(pushes: &[&[u8]], target_bytes: usize, max_row_bytes: usize) -> Result<Vec<Bytes>, CsvError> {
        let mut cutter = RowCutter::new(&CsvLayout::default(), target_bytes, max_row_bytes);
        let mut chunks = Vec::new();
        let mut out = |chunk| {
            chunks.push(chunk);
            Ok::<(), CsvError>(())
        };
        for push in pushes {
            cutter.push(push, &mut out)?;
        }
        cutter.finish(&mut out)?;
        Ok(chunks)
    }

    fn cut(text: &str, target_bytes: usize) -> Vec<Bytes> {
        cut_with(&[text.as_bytes()], target_bytes, 1000).unwrap()
    }

    #[test]
    fn chunks_end_at_the_last_row_end_within_the_target() {
        assert_eq!(cut("aa,b\ncc,d\ne", 8), ["aa,b\n", "cc,d\ne"]);
        assert_eq!(cut("aa,b\ncc,d\ne", 10), ["aa,b\ncc,d\n", "e"]);
        assert_eq!(cut("", 10), [""; 0]);
    }

    #[test]
    fn a_row_longer_than_the_target_stands_alone() {
        assert_eq!(cut("a\nbbbbbbbbbbbb\nc\nd\n", 5), ["a\n", "bbbbbbbbbbbb\n", "c\nd\n"]);
    }

    #[test]
    fn line_ends_inside_quotes_do_not_cut() {
        assert_eq!(cut("a\n\"b\nb\nb\"\nc\n", 6), ["a\n", "\"b\nb\nb\"\n", "c\n"]);
        assert_eq!(cut("a\"\nb\"\nc\n", 3), ["a\"\n", "b\"\n", "c\n"]);
    }

    #[test]
    fn a_byte_order_mark_is_dropped_however_it_arrives() {
        let file: &[u8] = b"\xef\xbb\xbfa\nb";
        for cut_at in 0..file.len() {
            let (left, right) = file.split_at(cut_at);
            assert_eq!(cut_with(&[left, right], 100, 100).unwrap(), ["a\nb"]);
        }
        assert_eq!(cut_with(&[b"\xef\xbb"], 100, 100).unwrap(), [&b"\xef\xbb"[..]]);
        assert_eq!(cut_with(&[b"\xef\xbb\xbf"], 100, 100).unwrap(), [""; 0]);
    }

    #[test]
    fn a_row_without_end_is_an_error_that_says_where_it_begins() {
        let mut text = "\u{feff}a,b\n\"".to_owned();
        text.push_str(&"x\n".repeat(100));
        let error = cut_with(&[text.as_bytes()], 16, 64).unwrap_err();
        assert_eq!(error, CsvError::Cut(CutError::RowTooLong { offset: 7, max_row_bytes: 64 }));
        assert!(error.to_string().contains("begins at byte 7"));
    }

    #[test]
    fn a_row_just_as_long_as_allowed_passes() {
        let row = format!("{}\n", "x".repeat(63));
        assert_eq!(cut_with(&[row.as_bytes(), b"y"], 16, 64).unwrap(), [row.as_str(), "y"]);
        let unended = "x".repeat(64);
        assert_eq!(cut_with(&[unended.as_bytes()], 16, 64).unwrap(), [unended.as_str()]);
        assert!(cut_with(&["x".repeat(65).as_bytes()], 16, 64).is_err());
    }

    #[test]
    fn the_receiver_can_stop_the_cutting() {
        #[derive(Debug, PartialEq)]
        enum Stop {
            Csv(CsvError),
            Enough,
        }
        impl From<CsvError> for Stop {
            fn from(error: CsvError) -> Self {
                Stop::Csv(error)
            }
        }
        let mut cutter = RowCutter::new(&CsvLayout::default(), 4, 64);
        assert_eq!(cutter.push(b"a\nb\nc\nd\n", &mut |_| Err(Stop::Enough)), Err(Stop::Enough));
    }
}
