//! A blob in the making: blocks that wait unseen at the service, then one list of them under a condition.
//!
//! Blocks that are never listed go by themselves a week after the last one; so a dropped upload needs no cleaning.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{AzureContainer, Verb};
use crate::names::{BlobName, ETag};
use crate::stations::containers::{BlobWriter, Condition, ContainerError};

/// The size of the first blocks.
const SMALLEST_BLOCK_BYTES: usize = 4 << 20;
/// After so many blocks their size doubles: with 50,000 that a blob may have, it may grow beyond a terabyte.
const BLOCKS_PER_SIZE: usize = 10_000;
const MOST_BLOCKS: usize = 50_000;
/// Blocks on their way at a time.
const IN_FLIGHT: usize = 2;

/// Holds less than one block, and [`IN_FLIGHT`] that are on their way.
pub(super) struct BlockWriter {
    container: AzureContainer,
    blob: BlobName,
    /// What no other upload's blocks are named.
    id: Uuid,
    blocks: usize,
    waiting: BytesMut,
    on_their_way: JoinSet<Result<(), ContainerError>>,
}

impl BlockWriter {
    pub fn new(container: AzureContainer, blob: BlobName) -> Self {
        let (id, waiting) = (Uuid::new_v4(), BytesMut::new());
        BlockWriter { container, blob, id, blocks: 0, waiting, on_their_way: JoinSet::new() }
    }

    /// Sends one block off, once there is room on the way.
    async fn stage(&mut self, block: Bytes) -> Result<(), ContainerError> {
        if self.blocks == MOST_BLOCKS {
            let reason = "it is larger than 50,000 blocks can hold";
            return Err(ContainerError::Name { container: self.container.name, blob: self.blob.clone(), reason });
        }
        while self.on_their_way.len() >= IN_FLIGHT {
            self.arrive().await?;
        }
        let (container, blob, id) = (self.container.clone(), self.blob.clone(), block_id(self.id, self.blocks));
        self.blocks += 1;
        self.on_their_way.spawn(async move {
            let request = container.request(Verb::Put, &blob).query("comp", "block").query("blockid", &id).body(block);
            let answer = container.send("upload", &blob, &request).await?;
            if answer.is_success() { Ok(()) } else { Err(container.refusal("upload", &blob, &answer)) }
        });
        Ok(())
    }

    async fn arrive(&mut self) -> Result<(), ContainerError> {
        match self.on_their_way.join_next().await {
            None => Ok(()),
            Some(Ok(outcome)) => outcome,
            Some(Err(failure)) => std::panic::resume_unwind(failure.into_panic()),
        }
    }
}

#[async_trait::async_trait]
impl BlobWriter for BlockWriter {
    async fn append(&mut self, mut block: Bytes) -> Result<(), ContainerError> {
        loop {
            let size = block_size(self.blocks);
            if self.waiting.len() + block.len() < size {
                self.waiting.extend_from_slice(&block);
                return Ok(());
            }
            let piece = block.split_to(size - self.waiting.len());
            let whole = if self.waiting.is_empty() {
                piece
            } else {
                let mut waiting = std::mem::take(&mut self.waiting);
                waiting.extend_from_slice(&piece);
                waiting.freeze()
            };
            self.stage(whole).await?;
        }
    }

    async fn commit(mut self: Box<Self>, condition: Condition) -> Result<ETag, ContainerError> {
        if !self.waiting.is_empty() {
            let last = std::mem::take(&mut self.waiting).freeze();
            self.stage(last).await?;
        }
        while !self.on_their_way.is_empty() {
            self.arrive().await?;
        }
        let request = self.container.request(Verb::Put, &self.blob).query("comp", "blocklist");
        let request = request.body(block_list(self.id, self.blocks));
        self.container.write("commit", &self.blob, request, &condition).await
    }

    async fn abort(self: Box<Self>) -> Result<(), ContainerError> {
        Ok(())
    }
}

fn block_size(blocks_before: usize) -> usize {
    SMALLEST_BLOCK_BYTES << (blocks_before / BLOCKS_PER_SIZE)
}

/// All ids of a blob must have one length.
fn block_id(upload: Uuid, number: usize) -> String {
    BASE64_STANDARD.encode([upload.as_bytes().as_slice(), &(number as u32).to_be_bytes()].concat())
}

fn block_list(upload: Uuid, blocks: usize) -> String {
    let mut list = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for number in 0..blocks {
        list.push_str("<Uncommitted>");
        list.push_str(&block_id(upload, number));
        list.push_str("</Uncommitted>");
    }
    list.push_str("</BlockList>");
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_grow_so_that_a_blob_of_a_terabyte_fits() {
        let bytes: usize = (0..MOST_BLOCKS).map(block_size).sum();
        assert!(bytes > 1 << 40, "{bytes}");
        assert_eq!(block_size(0), 4 << 20);
        assert_eq!(block_size(MOST_BLOCKS - 1), 64 << 20);
    }

    #[test]
    fn block_ids_have_one_length_and_are_never_twice() {
        let upload = Uuid::new_v4();
        assert_eq!(block_id(upload, 0).len(), block_id(upload, MOST_BLOCKS).len());
        assert_ne!(block_id(upload, 1), block_id(upload, 256));
        assert_eq!(block_list(upload, 2).matches(&block_id(upload, 1)).count(), 1);
    }
}
