//! Bad rows, `<blob>/<etag>.<load id>.ndjson` in container `quarantine`: one JSON object a row, with its number, the row
//! as it stood, and what is wrong.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;

use super::load_files;
use crate::names::{BlobName, ETag};
use crate::stations::containers::{Condition, Container, ContainerError, Upload};

const BLOCK_BYTES: usize = 4 << 20;

/// Writes the bad rows of one load as they are found. Nothing exists before the first one.
pub struct QuarantineWriter {
    container: Container,
    name: BlobName,
    upload: Option<Upload>,
    pending: Vec<u8>,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Counted from 1, without the header.
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    /// In place of `raw` where the row is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    reason: &'a str,
}

impl QuarantineWriter {
    pub fn new(container: &Container, blob: &BlobName, etag: &ETag, load_id: &str) -> Self {
        let name = load_files::name(blob, etag, load_id, "ndjson");
        QuarantineWriter { container: container.clone(), name, upload: None, pending: Vec::new() }
    }

    pub async fn add(&mut self, row: u64, raw: &[u8], reason: &str) -> Result<(), ContainerError> {
        let text = std::str::from_utf8(raw).ok();
        let raw_base64 = if text.is_none() { Some(STANDARD.encode(raw)) } else { None };
        serde_json::to_writer(&mut self.pending, &Line { row, raw: text, raw_base64, reason })
            .expect("a line holds text and a number, and a Vec takes every byte");
        self.pending.push(b'\n');
        if self.pending.len() >= BLOCK_BYTES { self.write_block().await } else { Ok(()) }
    }

    /// Makes the file; `None` if no row was bad.
    pub async fn finish(mut self) -> Result<Option<String>, ContainerError> {
        if !self.pending.is_empty() {
            self.write_block().await?;
        }
        let Some(upload) = self.upload else { return Ok(None) };
        match upload.commit(Condition::Absent).await {
            // The load id is our own, so what is there is what we wrote: an answer got lost.
            Ok(_) | Err(ContainerError::Superseded { .. }) => Ok(Some(self.name.into())),
            Err(error) => Err(error),
        }
    }

    async fn write_block(&mut self) -> Result<(), ContainerError> {
        let block = Bytes::from(std::mem::take(&mut self.pending));
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => self.upload.insert(self.container.upload(&self.name).await?),
        };
        upload.write(block).await
    }
}
