//! A stream of bytes to chunks that end at row ends, whatever ends a row.
//!
//! It knows nothing of what is in the rows. Its chunks depend on the bytes and the target alone, never on how the bytes
//! were pushed.

use std::fmt;

use bytes::Bytes;

/// What a row cutter is best given for `max_row_bytes`.
pub const DEFAULT_MAX_ROW_BYTES: usize = 16 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What ends a row in some format. It follows a stream of bytes, of which each is shown to one of the two functions.
pub(crate) trait RowEnds: fmt::Debug {
    /// What stops the cutting.
    type Error;

    /// Passes all of `bytes` and returns what follows the last row end in them, as an offset.
    fn last_row_end(&mut self, bytes: &[u8]) -> Option<usize>;

    /// Passes `bytes` up to the first row end and returns what follows it, as an offset; without one, passes all.
    fn first_row_end(&mut self, bytes: &[u8]) -> Option<usize>;

    /// What to say of a row that begins at `offset` and does not end.
    fn too_long(offset: u64, max_row_bytes: usize) -> Self::Error;
}

/// Cuts a stream into chunks of whole rows. A byte order mark at the start is dropped.
///
/// A chunk is as long as whole rows within `target_bytes` make it; a row that is longer stands alone. No more than the
/// larger of `target_bytes` and `max_row_bytes` is ever held.
#[derive(Debug)]
pub(crate) struct Cutter<R> {
    row_ends: R,
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

impl<R: RowEnds> Cutter<R> {
    /// `max_row_bytes` below `target_bytes` counts as `target_bytes`.
    ///
    /// # Panics
    ///
    /// With limits of 2 GiB or more: views of strings could not address such chunks.
    pub fn new(row_ends: R, target_bytes: usize, max_row_bytes: usize) -> Self {
        let max_row_bytes = max_row_bytes.max(target_bytes);
        assert!(max_row_bytes < i32::MAX as usize, "chunks of 2 GiB cannot be addressed");
        Self {
            row_ends,
            target_bytes: target_bytes.max(1),
            max_row_bytes,
            buffer: Vec::new(),
            whole_rows: 0,
            offset: 0,
            begun: false,
        }
    }

    /// Says that bytes of the stream stand before those that are pushed, so that errors can say where a row is.
    pub fn pass_over(&mut self, byte_count: usize) {
        self.offset += byte_count as u64;
    }

    /// Takes the next bytes and hands out the chunks that they complete.
    pub fn push<E: From<R::Error>>(
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
    pub fn finish<E: From<R::Error>>(mut self, out: &mut impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
        if !self.begun {
            self.begin(out)?;
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        out(Bytes::from(self.buffer))
    }

    /// Drops the byte order mark, or takes the held bytes for what they are.
    fn begin<E: From<R::Error>>(&mut self, out: &mut impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
        self.begun = true;
        let head = std::mem::take(&mut self.buffer);
        if head == BYTE_ORDER_MARK {
            self.offset += BYTE_ORDER_MARK.len() as u64;
            return Ok(());
        }
        self.take(&head, out)
    }

    fn take<E: From<R::Error>>(
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
    fn fill<E: From<R::Error>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<usize, E> {
        let taken = input.len().min(self.target_bytes - self.buffer.len());
        let piece = &input[..taken];
        if let Some(end) = self.row_ends.last_row_end(piece) {
            self.whole_rows = self.buffer.len() + end;
        }
        self.buffer.extend_from_slice(piece);
        if self.buffer.len() == self.target_bytes && self.whole_rows > 0 {
            self.hand_out(out)?;
        }
        Ok(taken)
    }

    /// The buffer is full of one row: looks for its end. Returns how much of the input it took.
    fn lengthen<E: From<R::Error>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<usize, E> {
        let room = self.max_row_bytes - self.buffer.len();
        if room == 0 {
            return Err(R::too_long(self.offset, self.max_row_bytes).into());
        }
        let piece = &input[..room.min(input.len())];
        let Some(end) = self.row_ends.first_row_end(piece) else {
            self.buffer.extend_from_slice(piece);
            return Ok(piece.len());
        };
        self.buffer.extend_from_slice(&piece[..end]);
        self.whole_rows = self.buffer.len();
        self.hand_out(out)?;
        Ok(end)
    }

    fn hand_out<E: From<R::Error>>(&mut self, out: &mut impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
        let mut rest = Vec::with_capacity(self.target_bytes);
        rest.extend_from_slice(&self.buffer[self.whole_rows..]);
        self.buffer.truncate(self.whole_rows);
        self.offset += self.whole_rows as u64;
        self.whole_rows = 0;
        out(Bytes::from(std::mem::replace(&mut self.buffer, rest)))
    }
}
