//! The rows that count, typed, as a Parquet file in container `curated`: encoded on a thread of its own while the file is
//! counted, uploaded block by block, and made only once the whole file was accepted.

use std::io::{self, Write};

use bytes::Bytes;
use millrace_decode::columns::DecodedChunk;
use millrace_decode::contract::Column;
use millrace_decode::parquet::CuratedWriter;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::memory::Memory;
use super::{CountError, joined};
use crate::names::BlobName;
use crate::stations::containers::{Condition, Container, ContainerError, Upload};

const BLOCK_BYTES: usize = 4 << 20;

/// A chunk that was counted, and which of its rows were.
pub struct CountedRows {
    pub chunk: DecodedChunk,
    /// One entry for each good row of the chunk.
    pub counts: Vec<bool>,
    /// Given back once the rows are encoded.
    pub _memory: Memory,
}

/// A curated file in the making. Dropping it leaves nothing behind.
pub struct Curating {
    name: BlobName,
    chunks: mpsc::Sender<CountedRows>,
    encoding: JoinHandle<Result<(), CountError>>,
    storing: JoinHandle<Result<Option<Upload>, CountError>>,
}

impl Curating {
    /// Nothing exists before the first row.
    pub fn start(container: &Container, name: BlobName, columns: Vec<Column>) -> Self {
        let (chunks, counted) = mpsc::channel(1);
        let (blocks_in, blocks) = mpsc::channel(1);
        Curating {
            encoding: spawn_blocking(move || encode(counted, BlockSink::new(blocks_in), &columns)),
            storing: tokio::spawn(store(container.clone(), name.clone(), blocks)),
            name,
            chunks,
        }
    }

    /// Adds the next rows of the file.
    pub async fn add(&self, rows: CountedRows) -> Result<(), CountError> {
        // The encoder ends early only when it or the store failed; `finish` or the count's end says why.
        self.chunks.send(rows).await.map_err(|_| CountError::Stopped)
    }

    /// Makes the file; `None` if no row counts.
    pub async fn finish(self) -> Result<Option<String>, CountError> {
        let name = self.name.clone();
        let Some(upload) = self.written().await? else { return Ok(None) };
        match upload.commit(Condition::Absent).await {
            // The load id is our own, so what is there is what we wrote: an answer got lost.
            Ok(_) | Err(ContainerError::Superseded { .. }) => Ok(Some(name.into())),
            Err(error) => Err(error.into()),
        }
    }

    /// Discards the file, and says what failed here, if anything did.
    pub async fn give_up(self) -> Option<CountError> {
        self.written().await.err()
    }

    async fn written(self) -> Result<Option<Upload>, CountError> {
        drop(self.chunks);
        let encoded = joined(self.encoding).await;
        // Where the store failed, the encoder could not write: the store says why.
        let upload = joined(self.storing).await?;
        encoded?;
        Ok(upload)
    }
}

fn encode(mut counted: mpsc::Receiver<CountedRows>, sink: BlockSink, columns: &[Column]) -> Result<(), CountError> {
    let mut unused = Some(sink);
    let mut writer = None;
    while let Some(rows) = counted.blocking_recv() {
        if !rows.counts.contains(&true) {
            continue;
        }
        if let Some(sink) = unused.take() {
            writer = Some(CuratedWriter::new(sink, columns).map_err(failed)?);
        }
        if let Some(writer) = &mut writer {
            writer.add(&rows.chunk, &rows.counts).map_err(failed)?;
        }
    }
    match writer {
        Some(writer) => writer.finish().map_err(failed).map(drop),
        None => Ok(()),
    }
}

fn failed(source: millrace_decode::parquet::WriteError) -> CountError {
    CountError::Curate { source }
}

async fn store(
    container: Container,
    name: BlobName,
    mut blocks: mpsc::Receiver<Bytes>,
) -> Result<Option<Upload>, CountError> {
    let mut upload = None;
    while let Some(block) = blocks.recv().await {
        let upload = match &mut upload {
            Some(upload) => upload,
            None => upload.insert(container.upload(&name).await?),
        };
        upload.write(block).await?;
    }
    Ok(upload)
}

/// Hands on what is written in blocks.
struct BlockSink {
    blocks: mpsc::Sender<Bytes>,
    pending: Vec<u8>,
}

impl BlockSink {
    fn new(blocks: mpsc::Sender<Bytes>) -> Self {
        BlockSink { blocks, pending: Vec::with_capacity(BLOCK_BYTES) }
    }

    fn send(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.pending, Vec::with_capacity(BLOCK_BYTES));
        self.blocks.blocking_send(block.into()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for BlockSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOCK_BYTES - self.pending.len());
        self.pending.extend_from_slice(&bytes[..taken]);
        if self.pending.len() == BLOCK_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    /// The last block, however small: the writer flushes when it is done.
    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() { Ok(()) } else { self.send() }
    }
}
