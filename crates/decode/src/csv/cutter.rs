//! A stream of bytes to chunks that end at row ends.
//!
//! It knows where rows end and nothing of what is in them. Its chunks depend on the bytes and the target alone, never
//! on how the bytes were pushed.

use bytes::Bytes;

use super::scan::Scanner;
use super::{CsvError, CsvLayout};

/// What [`RowCutter::new`] is best given for `max_row_bytes`.
pub const DEFAULT_MAX_ROW_BYTES: usize = 16 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

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
    scanner: Scanner,
    target_bytes: usize,
    max_row_bytes: usize,
    /// Begins with a row; while the first bytes may still be a byte order mark, those.
    buffer: Vec<u8>,
    /// How much of the buffer is whole rows.
    whole_rows: usize,
    /// Where in the stream the buffer begins.
    offset: u64,
    /// The byte order mark is behind us, or was not there.
    begun: bool,
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
        let max_row_bytes = max_row_bytes.max(target_bytes);
        assert!(max_row_bytes < i32::MAX as usize, "chunks of 2 GiB cannot be addressed");
        Self {
            scanner: Scanner::new(layout),
            target_bytes: target_bytes.max(1),
            max_row_bytes,
            buffer: Vec::new(),
            whole_rows: 0,
            offset: 0,
            begun: false,
        }
    }

    /// Says that bytes of the stream stand before those that are pushed, so that errors can say where a row is.
    pub(super) fn pass_over(&mut self, byte_count: usize) {
        self.offset += byte_count as u64;
    }

    /// Takes the next bytes and hands out the chunks that they complete.
    pub fn push<E: From<CsvError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.begun {
            return self.take(input, out);
        }
        let missing = BYTE_ORDER_MARK.len() - self.buffer.len();
        let (head, rest) = input.split_at(missing.min(input.len()));
        self.buffer.extend_from_slice(head);
        if self.buffer.len() < BYTE_ORDER_MARK.len() {
            return Ok(());
        }
        self.begin(out)?;
        self.take(rest, out)
    }

    /// Says that the stream is over and hands out what is left, which may end without a line end.
    pub fn finish<E: From<CsvError>>(mut self, out: &mut impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
        if !self.begun {
            self.begin(out)?;
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        out(Bytes::from(self.buffer))
    }

    /// Drops the byte order mark, or takes the held bytes for what they are.
    fn begin<E: From<CsvError>>(&mut self, out: &mut impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
        self.begun = true;
        let head = std::mem::take(&mut self.buffer);
        if head == BYTE_ORDER_MARK {
            self.offset += BYTE_ORDER_MARK.len() as u64;
            return Ok(());
        }
        self.take(&head, out)
    }

    fn take<E: From<CsvError>>(
        &mut self,
        mut input: &[u8],
        out: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        while !input.is_empty() {
            let taken =
                if self.buffer.len() < self.target_bytes { self.fill(input, out)? } else { self.lengthen(input, out)? };
            input = &input[taken..];
        }
        Ok(())
    }

    /// Fills the buffer up to the target; once there, hands out its whole rows. Returns how much of the input it took.
    fn fill<E: From<CsvError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<usize, E> {
        let taken = input.len().min(self.target_bytes - self.buffer.len());
        let piece = &input[..taken];
        if let Some(end) = self.scanner.last_row_end(piece) {
            self.whole_rows = self.buffer.len() + end;
        }
        self.buffer.extend_from_slice(piece);
        if self.buffer.len() == self.target_bytes && self.whole_rows > 0 {
            self.hand_out(out)?;
        }
        Ok(taken)
    }

    /// The buffer is full of one row: looks for its end. Returns how much of the input it took.
    fn lengthen<E: From<CsvError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<usize, E> {
        let room = self.max_row_bytes - self.buffer.len();
        if room == 0 {
            let error = CutError::RowTooLong { offset: self.offset, max_row_bytes: self.max_row_bytes };
            return Err(CsvError::Cut(error).into());
        }
        let piece = &input[..room.min(input.len())];
        let Some(end) = self.scanner.first_row_end(piece) else {
            self.buffer.extend_from_slice(piece);
            return Ok(piece.len());
        };
        self.buffer.extend_from_slice(&piece[..end]);
        self.whole_rows = self.buffer.len();
        self.hand_out(out)?;
        Ok(end)
    }

    fn hand_out<E: From<CsvError>>(&mut self, out: &mut impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
        let mut rest = Vec::with_capacity(self.target_bytes);
        rest.extend_from_slice(&self.buffer[self.whole_rows..]);
        self.buffer.truncate(self.whole_rows);
        self.offset += self.whole_rows as u64;
        self.whole_rows = 0;
        out(Bytes::from(std::mem::replace(&mut self.buffer, rest)))
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
