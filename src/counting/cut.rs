//! From the store to chunks of whole rows: ranges, decompression, cutting, the header.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use bytes::Bytes;
use millrace_decode::contract::{Column, ValueRules};
use millrace_decode::csv::{ChunkReader, CsvLayout, DEFAULT_MAX_ROW_BYTES, Decoder, Header};
use millrace_decode::inflate::{Compression, Inflater, sniff, sniff_text};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::{CHUNK_BYTES, CountError, FeedCounter, Job, LandedBlob};
use crate::stations::containers::Container;

/// One read of the store. Small enough that its bytes are still in the processor's cache when they are cut.
const RANGE_BYTES: u64 = 1 << 20;

/// Reads the blob, range by range, each only if the blob still has the version that is counted.
pub async fn fetch(landing: Container, landed: LandedBlob, ranges: mpsc::Sender<Bytes>) -> Result<(), CountError> {
    let mut offset = 0;
    while offset < landed.size_bytes {
        let end = landed.size_bytes.min(offset + RANGE_BYTES);
        let range = landing.read(&landed.blob, offset..end, &landed.etag).await?;
        if ranges.send(range).await.is_err() {
            // The cutter ended early; it says why.
            return Ok(());
        }
        offset = end;
    }
    Ok(())
}

/// What the cutter needs to know.
pub struct CutPlan {
    layout: CsvLayout,
    values: ValueRules,
    contract: Vec<Column>,
    needed: Vec<Column>,
    compression: Compression,
    size_bytes: u64,
    chunks: Arc<Semaphore>,
}

impl CutPlan {
    pub fn new(counter: &FeedCounter, landed: &LandedBlob, chunks: Arc<Semaphore>) -> Self {
        CutPlan {
            layout: counter.layout.clone(),
            values: counter.feed.values.clone(),
            contract: counter.feed.columns.clone(),
            needed: counter.needed.clone(),
            compression: Compression::of_name(landed.blob.as_str()),
            size_bytes: landed.size_bytes,
            chunks,
        }
    }
}

/// Cuts the file and hands the chunks to the workers. Returns the header's columns that the contract does not name.
pub fn cut(plan: CutPlan, mut ranges: mpsc::Receiver<Bytes>, jobs: SyncSender<Job>) -> Result<Vec<String>, CountError> {
    let mut inflater = Inflater::new(plan.compression);
    let mut reader = ChunkReader::new(&plan.layout, &plan.contract, CHUNK_BYTES, DEFAULT_MAX_ROW_BYTES);
    let mut chunks = ChunkSink { plan: &plan, jobs, decoder: None, next_index: 0 };
    let mut sniffed = Sniffed::default();
    let mut read_bytes = 0;

    while let Some(range) = ranges.blocking_recv() {
        if read_bytes == 0 {
            sniff(&range, plan.compression)?;
        }
        read_bytes += range.len() as u64;
        inflater.push(&range, &mut |piece: &[u8]| {
            sniffed.look(piece)?;
            reader.push(piece, &mut |header, chunk| chunks.send(header, chunk))
        })?;
    }
    if read_bytes < plan.size_bytes {
        // The store failed; `fetch` says how.
        return Ok(Vec::new());
    }
    inflater.finish()?;
    reader.finish(&mut |header, chunk| chunks.send(header, chunk))
}

/// Whether the first decompressed bytes were looked at.
#[derive(Default)]
struct Sniffed {
    done: bool,
}

impl Sniffed {
    fn look(&mut self, piece: &[u8]) -> Result<(), CountError> {
        if !self.done {
            sniff_text(piece)?;
            self.done = true;
        }
        Ok(())
    }
}

struct ChunkSink<'a> {
    plan: &'a CutPlan,
    jobs: SyncSender<Job>,
    /// Known once the first chunk brought the header.
    decoder: Option<Arc<Decoder>>,
    next_index: u64,
}

impl ChunkSink<'_> {
    fn send(&mut self, header: &Header, chunk: Bytes) -> Result<(), CountError> {
        let decoder = match &self.decoder {
            Some(decoder) => decoder.clone(),
            None => {
                let decoder = Decoder::new(&self.plan.layout, &self.plan.values, header, &self.plan.needed)?;
                self.decoder.insert(Arc::new(decoder)).clone()
            }
        };
        let memory =
            Handle::current().block_on(self.plan.chunks.clone().acquire_owned()).expect("nobody closes the budget");
        let job = Job { index: self.next_index, bytes: chunk, decoder, _memory: memory };
        self.next_index += 1;
        // The workers end early only when one of them failed; it says why.
        self.jobs.send(job).map_err(|_| CountError::Stopped)
    }
}
