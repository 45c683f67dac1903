//! A landed blob's bytes, by ranges, each only if the blob still has the version that is counted.

use std::ops::Range;

use bytes::Bytes;
use millrace_decode::parquet::{RangeSource, SourceError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::{CountError, LandedBlob};
use crate::stations::containers::Container;

/// One read of the store. Small enough that its bytes are still in the processor's cache when they are cut.
const RANGE_BYTES: u64 = 1 << 20;

/// Reads the blob from its first byte to its last.
pub async fn fetch(landing: Container, landed: LandedBlob, ranges: mpsc::Sender<Bytes>) -> Result<(), CountError> {
    let mut offset = 0;
    while offset < landed.size_bytes {
        let end = landed.size_bytes.min(offset + RANGE_BYTES);
        let range = landing.read(&landed.blob, offset..end, &landed.etag).await?;
        if ranges.send(range).await.is_err() {
            // The reader ended early; it says why.
            return Ok(());
        }
        offset = end;
    }
    Ok(())
}

/// Reads the blob wherever it is asked to, from a thread that may block.
pub struct BlobRanges {
    pub landing: Container,
    pub landed: LandedBlob,
    pub runtime: Handle,
}

impl RangeSource for BlobRanges {
    fn size_bytes(&self) -> u64 {
        self.landed.size_bytes
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        Ok(self.runtime.block_on(self.landing.read(&self.landed.blob, range, &self.landed.etag))?)
    }
}
