//! A file on this machine's disk, read wherever one likes.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use millrace_decode::parquet::{RangeSource, SourceError};

pub struct FileRanges {
    file: File,
    size_bytes: u64,
}

impl FileRanges {
    /// The file as long as it is now.
    pub fn new(file: File) -> io::Result<Self> {
        let size_bytes = file.metadata()?.len();
        Ok(FileRanges { file, size_bytes })
    }
}

impl RangeSource for FileRanges {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }
}
