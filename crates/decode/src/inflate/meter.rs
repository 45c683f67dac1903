//! What every decompressor counts, and what it says when the count or the bytes are wrong.
//!
//! It knows no format.

use super::{Compression, InflateError, InflateLimits};

#[derive(Debug)]
pub(super) struct Meter {
    compression: Compression,
    limits: InflateLimits,
    compressed_bytes: u64,
    output_bytes: u64,
}

impl Meter {
    pub fn new(compression: Compression, limits: InflateLimits) -> Self {
        Self { compression, limits, compressed_bytes: 0, output_bytes: 0 }
    }

    /// Compressed bytes so far.
    pub fn compressed_bytes(&self) -> u64 {
        self.compressed_bytes
    }

    /// Says that so many compressed bytes were read.
    pub fn took(&mut self, bytes: usize) {
        self.compressed_bytes += bytes as u64;
    }

    /// Says that so many bytes came out. To be asked before they are handed out.
    pub fn made(&mut self, bytes: usize) -> Result<(), InflateError> {
        self.output_bytes += bytes as u64;
        let InflateLimits { max_output_bytes, max_ratio, ratio_from_bytes } = self.limits;
        let (compressed_bytes, output_bytes) = (self.compressed_bytes, self.output_bytes);
        if output_bytes > max_output_bytes {
            return Err(InflateError::TooLarge { max_output_bytes });
        }
        if output_bytes > ratio_from_bytes && output_bytes / max_ratio.max(1) > compressed_bytes {
            return Err(InflateError::TooDense { compressed_bytes, output_bytes, max_ratio });
        }
        Ok(())
    }

    pub fn another_format(&self) -> InflateError {
        InflateError::AnotherFormat { compression: self.compression }
    }

    pub fn truncated(&self) -> InflateError {
        InflateError::Truncated { compression: self.compression, compressed_bytes: self.compressed_bytes }
    }

    pub fn damaged(&self, detail: &'static str) -> InflateError {
        InflateError::Damaged { compression: self.compression, compressed_bytes: self.compressed_bytes, detail }
    }

    pub fn trailing_garbage(&self) -> InflateError {
        InflateError::TrailingGarbage { compression: self.compression, compressed_bytes: self.compressed_bytes }
    }
}
