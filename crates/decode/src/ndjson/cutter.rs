//! A stream of NDJSON to chunks that end at line ends: a line feed inside a string is written `\\n` there.

use bytes::Bytes;

use crate::cutter::{Cutter, RowEnds};

/// Why a stream cannot be cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    #[error(
        "the line that begins at byte {offset} does not end within {max_row_bytes} bytes; perhaps the file is one JSON \
         array instead of one object a line"
    )]
    LineTooLong { offset: u64, max_row_bytes: usize },
}

/// Cuts a stream into chunks of whole lines. A byte order mark at the start is dropped.
///
/// A chunk is as long as whole lines within `target_bytes` make it; a line that is longer stands alone. Of very short
/// lines a chunk has [`MAX_CHUNK_LINES`] at most. No more than the larger of `target_bytes` and `max_row_bytes` is ever
/// held.
#[derive(Debug)]
pub struct RowCutter {
    cutter: Cutter<LineFeeds>,
}

impl RowCutter {
    /// `max_row_bytes` below `target_bytes` counts as `target_bytes`.
    ///
    /// # Panics
    ///
    /// With limits of 2 GiB or more: views of strings could not address such chunks.
    pub fn new(target_bytes: usize, max_row_bytes: usize) -> Self {
        Self { cutter: Cutter::new(LineFeeds, target_bytes, max_row_bytes) }
    }

    /// Takes the next bytes and hands out the chunks that they complete.
    pub fn push<E: From<CutError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        self.cutter.push(input, &mut |chunk| hand_out(chunk, out))
    }

    /// Says that the stream is over and hands out what is left, which may end without a line end.
    pub fn finish<E: From<CutError>>(self, out: &mut impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
        self.cutter.finish(&mut |chunk| hand_out(chunk, out))
    }
}

/// Lines of a chunk. Without this limit a file of `{}`, three bytes a row, would fill a hundred columns with a hundred
/// times more nulls than its chunks have bytes. Lines of 32 bytes and more never meet it in chunks of 2 MiB.
pub(super) const MAX_CHUNK_LINES: usize = 1 << 16;

/// Hands out the chunk, in pieces if it has too many lines.
fn hand_out<E>(mut chunk: Bytes, out: &mut impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
    if memchr::memchr_iter(b'\n', &chunk).count() > MAX_CHUNK_LINES {
        while let Some(end) = memchr::memchr_iter(b'\n', &chunk).nth(MAX_CHUNK_LINES - 1) {
            out(chunk.split_to(end + 1))?;
        }
        if chunk.is_empty() {
            return Ok(());
        }
    }
    out(chunk)
}

/// Whatever came before, a line feed ends a row.
#[derive(Debug)]
struct LineFeeds;

impl RowEnds for LineFeeds {
    type Error = CutError;

    fn last_row_end(&mut self, bytes: &[u8]) -> Option<usize> {
        memchr::memrchr(b'\n', bytes).map(|at| at + 1)
    }

    fn first_row_end(&mut self, bytes: &[u8]) -> Option<usize> {
        memchr::memchr(b'\n', bytes).map(|at| at + 1)
    }

    fn too_long(offset: u64, max_row_bytes: usize) -> CutError {
        CutError::LineTooLong { offset, max_row_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pushes: &[&[u8]], target_bytes: usize, max_row_bytes: usize) -> Result<Vec<Bytes>, CutError> {
        let mut cutter = RowCutter::new(target_bytes, max_row_bytes);
        let mut chunks = Vec::new();
        let mut out = |chunk| {
            chunks.push(chunk);
            Ok::<(), CutError>(())
        };
        for push in pushes {
            cutter.push(push, &mut out)?;
        }
        cutter.finish(&mut out)?;
        Ok(chunks)
    }

    #[test]
    fn chunks_end_at_the_last_line_feed_within_the_target() {
        assert_eq!(cut(&[b"\"a\n\"b\nc"], 5, 10).unwrap(), ["\"a\n", "\"b\nc"]);
        assert_eq!(cut(&[b"a\nbbbbbbbb\nc"], 5, 10).unwrap(), ["a\n", "bbbbbbbb\n", "c"]);
    }

    #[test]
    fn of_very_short_lines_a_chunk_has_only_so_many() {
        let file = "\n".repeat(2 * MAX_CHUNK_LINES);
        let chunks = cut(&[file.as_bytes(), b"{}"], 1 << 20, 1 << 20).unwrap();
        assert_eq!(chunks.iter().map(Bytes::len).collect::<Vec<_>>(), [MAX_CHUNK_LINES, MAX_CHUNK_LINES, 2]);
        let chunks = cut(&[file.as_bytes()], file.len(), 1 << 20).unwrap();
        assert_eq!(chunks.len(), 2);
    }

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(cut(&[b"\xef\xbb", b"\xbf{}\n{}"], 100, 100).unwrap(), ["{}\n{}"]);
    }

    #[test]
    fn a_line_without_end_is_an_error_that_says_where_it_begins() {
        let error = cut(&[b"{}\n[", &[b' '; 100]], 16, 64).unwrap_err();
        assert_eq!(error, CutError::LineTooLong { offset: 3, max_row_bytes: 64 });
        assert!(error.to_string().contains("perhaps the file is one JSON array"));
    }
}
