//! Where a file's bytes come from, range by range.

use std::error::Error;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::ParquetError;

/// What a [`RangeSource`] failed with. It comes to the caller of the reader as it is, in [`ParquetError::Source`].
pub type SourceError = Box<dyn Error + Send + Sync>;

/// A file that is read by ranges. Calls block; several threads call at once.
pub trait RangeSource: Send + Sync {
    /// How long the file is.
    fn size_bytes(&self) -> u64;

    /// The bytes of a range, which lies within the file and is not empty: all of them, and always of the same version of
    /// the file.
    fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError>;
}

/// A file in memory.
impl RangeSource for Bytes {
    fn size_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        let start = usize::try_from(range.start)?;
        let end = usize::try_from(range.end)?;
        match start <= end && end <= self.len() {
            true => Ok(self.slice(start..end)),
            false => Err(format!("bytes {start} to {end} of a file of {}", self.len()).into()),
        }
    }
}

/// All bytes of a range, or the reason why there are fewer.
pub(super) fn read_exactly(source: &dyn RangeSource, range: Range<u64>) -> Result<Bytes, ParquetError> {
    let wanted = range.end - range.start;
    let bytes = source.read(range).map_err(ParquetError::Source)?;
    if bytes.len() as u64 != wanted {
        let reason = format!("asked for {wanted} bytes and got {}", bytes.len());
        return Err(ParquetError::Source(reason.into()));
    }
    Ok(bytes)
}

/// How much of a column is read at once, unless a page is larger.
pub(super) const READ_AHEAD_BYTES: u64 = 1 << 20;

/// A stretch of the file that is read from front to back, with a little of it in memory.
pub(super) struct Stretch {
    source: Arc<dyn RangeSource>,
    /// Read and not yet taken.
    ahead: Bytes,
    /// What has not been read.
    rest: Range<u64>,
}

impl Stretch {
    pub fn new(source: Arc<dyn RangeSource>, range: Range<u64>) -> Self {
        Self { source, ahead: Bytes::new(), rest: range }
    }

    /// What comes next, `length` bytes of it if there are as many, perhaps more.
    pub fn peek(&mut self, length: usize) -> Result<&[u8], ParquetError> {
        let rest = self.rest.end - self.rest.start;
        if self.ahead.len() < length && rest > 0 {
            let missing = (length - self.ahead.len()) as u64;
            let end = self.rest.start + missing.max(READ_AHEAD_BYTES).min(rest);
            let read = read_exactly(&*self.source, self.rest.start..end)?;
            self.rest.start = end;
            self.ahead = match self.ahead.is_empty() {
                true => read,
                false => {
                    let mut joined = BytesMut::with_capacity(self.ahead.len() + read.len());
                    joined.extend_from_slice(&self.ahead);
                    joined.extend_from_slice(&read);
                    joined.freeze()
                }
            };
        }
        Ok(&self.ahead)
    }

    /// Takes the next bytes; `None` where there are fewer.
    pub fn take(&mut self, length: usize) -> Result<Option<Bytes>, ParquetError> {
        if self.peek(length)?.len() < length {
            return Ok(None);
        }
        Ok(Some(self.ahead.split_to(length)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Remembers what was asked for.
    struct Watched {
        file: Bytes,
        ranges: Mutex<Vec<Range<u64>>>,
    }

    impl RangeSource for Watched {
        fn size_bytes(&self) -> u64 {
            self.file.size_bytes()
        }

        fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
            self.ranges.lock().unwrap().push(range.clone());
            self.file.read(range)
        }
    }

    #[test]
    fn a_stretch_is_read_once_and_a_little_ahead() {
        let file: Vec<u8> = (0..5 << 20).map(|index: u32| (index / 3) as u8).collect();
        let watched = Arc::new(Watched { file: file.clone().into(), ranges: Mutex::default() });
        let mut stretch = Stretch::new(watched.clone(), 10..(4 << 20));
        let mut taken = Vec::new();
        for length in [1, 1000, 0, 1 << 20, 2 << 20, 77] {
            taken.extend_from_slice(&stretch.take(length).unwrap().unwrap());
        }
        let left = (4 << 20) - 10 - taken.len();
        assert_eq!(stretch.take(left + 1).unwrap(), None);
        taken.extend_from_slice(&stretch.take(left).unwrap().unwrap());
        assert_eq!(taken, file[10..4 << 20]);
        let ranges = watched.ranges.lock().unwrap();
        assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start), "{ranges:?}");
        assert_eq!(ranges[0], 10..10 + READ_AHEAD_BYTES);
    }

    #[test]
    fn a_source_that_gives_too_little_is_at_fault() {
        struct Short;
        impl RangeSource for Short {
            fn size_bytes(&self) -> u64 {
                9
            }
            fn read(&self, _: Range<u64>) -> Result<Bytes, SourceError> {
                Ok(Bytes::from_static(b"abc"))
            }
        }
        let error = read_exactly(&Short, 0..4).unwrap_err();
        assert!(matches!(error, ParquetError::Source(source) if source.to_string() == "asked for 4 bytes and got 3"));
    }
}
