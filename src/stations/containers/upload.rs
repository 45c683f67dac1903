//! A blob in the making: blocks one after the other, then one commit under a condition.

use bytes::Bytes;

use super::{BlobWriter, Condition, ContainerError};
use crate::names::ETag;

/// See [`super::Container::upload`]. Dropping an upload discards it.
pub struct Upload {
    writer: Box<dyn BlobWriter>,
    size_bytes: u64,
}

impl Upload {
    pub(super) fn new(writer: Box<dyn BlobWriter>) -> Self {
        Upload { writer, size_bytes: 0 }
    }

    /// Appends a block. A few MiB at a time serve every store well.
    pub async fn write(&mut self, block: Bytes) -> Result<(), ContainerError> {
        self.size_bytes += block.len() as u64;
        self.writer.append(block).await
    }

    /// Bytes appended so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Makes the blob from all blocks at once, durably.
    ///
    /// # Errors
    /// `Superseded` where the condition does not hold at the moment of the commit; the upload is discarded then.
    pub async fn commit(self, condition: Condition) -> Result<ETag, ContainerError> {
        self.writer.commit(condition).await
    }

    pub async fn abort(self) -> Result<(), ContainerError> {
        self.writer.abort().await
    }
}
