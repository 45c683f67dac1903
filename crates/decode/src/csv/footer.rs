//! Holds back the last rows of a file until it is over, and then drops them.
//!
//! It counts rows by the grammar and reads nothing in them: a footer is no row of the feed and need not look like one.

use std::collections::VecDeque;

use bytes::Bytes;

use super::rows::Rows;
use super::{CsvError, CsvLayout, CutError};

/// Chunks that are held back together have at most as many bytes.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// Lets chunks of whole rows through, as many behind as hold the footer.
#[derive(Debug)]
pub(super) struct FooterHolder {
    layout: CsvLayout,
    held: VecDeque<Held>,
    /// The sum of theirs.
    held_rows: usize,
    held_bytes: usize,
    max_held_bytes: usize,
}

#[derive(Debug)]
struct Held {
    chunk: Bytes,
    /// Or as many as the footer has, if there are more: they need not be counted to let other chunks go.
    row_count: usize,
}

impl FooterHolder {
    pub fn new(layout: &CsvLayout) -> Self {
        Self {
            layout: layout.clone(),
            held: VecDeque::new(),
            held_rows: 0,
            held_bytes: 0,
            max_held_bytes: MAX_HELD_BYTES,
        }
    }

    fn footer_rows(&self) -> usize {
        self.layout.skip_footer as usize
    }

    /// Takes the next chunk and hands out those that have the whole footer behind them.
    pub fn push<E: From<CsvError>>(
        &mut self,
        chunk: Bytes,
        out: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.footer_rows() == 0 {
            return out(chunk);
        }
        let row_count = self.count_rows(&chunk, self.footer_rows());
        self.held_rows += row_count;
        self.held_bytes += chunk.len();
        self.held.push_back(Held { chunk, row_count });
        while let Some(front) = self.held.front()
            && self.held_rows - front.row_count >= self.footer_rows()
            && let Some(Held { chunk, row_count }) = self.held.pop_front()
        {
            self.held_rows -= row_count;
            self.held_bytes -= chunk.len();
            out(chunk)?;
        }
        if self.held.len() > 1 && self.held_bytes > self.max_held_bytes {
            let (skip_footer, max_bytes) = (self.layout.skip_footer, self.max_held_bytes);
            return Err(CsvError::Cut(CutError::FooterTooLong { skip_footer, max_bytes }).into());
        }
        Ok(())
    }

    /// Says that the file is over: hands out what is held, but for the footer.
    pub fn finish<E: From<CsvError>>(self, out: &mut impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
        if self.held.back().is_some_and(|last| self.ends_in_open_lines(&last.chunk)) {
            let skip_footer = self.layout.skip_footer;
            return Err(CsvError::Cut(CutError::FooterUnclosed { skip_footer }).into());
        }
        let row_counts: Vec<usize> = self.held.iter().map(|held| self.count_rows(&held.chunk, usize::MAX)).collect();
        let mut data_rows = row_counts.iter().sum::<usize>().saturating_sub(self.footer_rows());
        for (Held { chunk, .. }, row_count) in self.held.into_iter().zip(row_counts) {
            if data_rows == 0 {
                break;
            }
            let taken = data_rows.min(row_count);
            data_rows -= taken;
            let end = if taken < row_count { end_of_row(&chunk, &self.layout, taken) } else { chunk.len() };
            out(chunk.slice(..end))?;
        }
        Ok(())
    }

    /// Stops at `enough`.
    fn count_rows(&self, chunk: &[u8], enough: usize) -> usize {
        let mut rows = Rows::new(chunk, &self.layout, 0);
        let mut count = 0;
        while count < enough && rows.advance() {
            count += 1;
        }
        count
    }

    /// Whether the last row is several lines because a quote in it is never closed. It may then be rows of data and
    /// not a footer.
    fn ends_in_open_lines(&self, chunk: &[u8]) -> bool {
        let mut rows = Rows::new(chunk, &self.layout, 0);
        while rows.advance() {
            if rows.row().unclosed {
                let lines = rows.raw().trim_ascii_end();
                return memchr::memchr(b'\n', lines).is_some();
            }
        }
        false
    }
}

/// Where row `count`, counted from 1, ends with its line end.
pub(super) fn end_of_row(chunk: &[u8], layout: &CsvLayout, count: usize) -> usize {
    let mut rows = Rows::new(chunk, layout, 0);
    let mut passed = 0;
    while passed < count && rows.advance() {
        passed += 1;
    }
    rows.position()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold_with(chunks: &[&str], skip_footer: u32, max_held_bytes: usize) -> Result<Vec<Bytes>, CsvError> {
        let layout = CsvLayout { skip_footer, ..CsvLayout::default() };
        let mut footer = FooterHolder { max_held_bytes, ..FooterHolder::new(&layout) };
        let mut released = Vec::new();
        let mut out = |chunk| {
            released.push(chunk);
            Ok::<(), CsvError>(())
        };
        for chunk in chunks {
            footer.push(Bytes::copy_from_slice(chunk.as_bytes()), &mut out)?;
        }
        footer.finish(&mut out)?;
        Ok(released)
    }

    fn hold(chunks: &[&str], skip_footer: u32) -> Vec<Bytes> {
        hold_with(chunks, skip_footer, 1000).unwrap()
    }

    #[test]
    fn the_last_rows_are_dropped_wherever_the_chunks_end() {
        assert_eq!(hold(&["1\n2\n3\n", "4\n5"], 1), ["1\n2\n3\n", "4\n"]);
        assert_eq!(hold(&["1\n2\n3\n", "4\n5"], 2), ["1\n2\n3\n"]);
        assert_eq!(hold(&["1\n2\n3\n", "4\n5"], 3), ["1\n2\n"]);
        assert_eq!(hold(&["1\n", "2\n", "3\n", "4\n"], 2), ["1\n", "2\n"]);
    }

    #[test]
    fn a_file_with_fewer_rows_has_none_left() {
        assert_eq!(hold(&["1\n2\n"], 2), [""; 0]);
        assert_eq!(hold(&["1\n2\n"], 7), [""; 0]);
        assert_eq!(hold(&[], 7), [""; 0]);
    }

    #[test]
    fn a_footer_need_not_look_like_a_row_and_blank_lines_are_none() {
        assert_eq!(hold(&["1,2\n\nTotal: 1 row\r\n\n\r\n"], 1), ["1,2\n"]);
        assert_eq!(hold(&["1,2\n\"two\nlines\"\n"], 1), ["1,2\n"]);
        assert_eq!(hold(&["1,2\n\"x\" y \"\n"], 1), ["1,2\n"]);
        assert_eq!(hold(&["1,2\n\"never closed\n"], 1), ["1,2\n"]);
    }

    #[test]
    fn a_quote_that_swallows_the_last_lines_does_not_swallow_data_in_silence() {
        let error = hold_with(&["1,2\n", "3,\"4\n5,6\nTotal\n"], 1, 1000).unwrap_err();
        assert_eq!(error, CsvError::Cut(CutError::FooterUnclosed { skip_footer: 1 }));
        assert!(error.to_string().contains("1 of the footer"), "{error}");
    }

    #[test]
    fn what_is_held_back_has_an_end() {
        let chunks = ["0123456789\n"; 5];
        assert_eq!(hold_with(&chunks, 2, 33).unwrap(), ["0123456789\n"; 3]);
        let error = hold_with(&chunks, 4, 33).unwrap_err();
        assert_eq!(error, CsvError::Cut(CutError::FooterTooLong { skip_footer: 4, max_bytes: 33 }));
    }
}
