//! CSV and NDJSON: ranges of the blob, decompressed and cut into chunks of whole rows.

use std::sync::Arc;

use bytes::Bytes;
use millrace_decode::contract::Column;
use millrace_decode::csv::{self, CsvLayout, DEFAULT_MAX_ROW_BYTES, Header};
use millrace_decode::inflate::{Compression, Content, Inflater, sniff, sniff_content};
use millrace_decode::ndjson;
use tokio::sync::mpsc;

use super::decoder::{TextDecoder, Work};
use super::jobs::Jobs;
use super::{CHUNK_BYTES, CountError, FeedCounter, LandedBlob};
use crate::pipeline::{Feed, Format};

/// What reading one file as text takes.
pub struct TextFile {
    feed: Feed,
    needed: Vec<Column>,
    compression: Compression,
    size_bytes: u64,
}

impl TextFile {
    pub fn new(counter: &FeedCounter, landed: &LandedBlob) -> Self {
        TextFile {
            feed: counter.feed.clone(),
            needed: counter.needed.clone(),
            compression: Compression::of_name(landed.blob.as_str()),
            size_bytes: landed.size_bytes,
        }
    }

    /// Reads the file and hands its chunks to the workers. Returns its columns that the contract does not name, as far as
    /// a header tells.
    pub fn read(self, mut ranges: mpsc::Receiver<Bytes>, jobs: Jobs) -> Result<Vec<String>, CountError> {
        let mut inflater = Inflater::new(self.compression);
        let mut rows = RowReader::new(&self, jobs)?;
        let mut sniffed = false;
        let mut read_bytes = 0;
        while let Some(range) = ranges.blocking_recv() {
            if read_bytes == 0 {
                sniff(&range, self.compression)?;
            }
            read_bytes += range.len() as u64;
            inflater.push(&range, &mut |piece: &[u8]| {
                if !sniffed {
                    sniff_content(piece, content(&self.feed.format))?;
                    sniffed = true;
                }
                rows.push(piece)
            })?;
        }
        if read_bytes < self.size_bytes {
            // The store failed; `fetch` says how.
            return Ok(Vec::new());
        }
        inflater.finish()?;
        rows.finish()
    }
}

/// What decompressed bytes must look like.
fn content(format: &Format) -> Content {
    match format {
        Format::Csv(layout) => Content::Text { encoding: layout.encoding },
        Format::Ndjson => Content::Ndjson,
        Format::Parquet => Content::Parquet,
    }
}

/// Cuts decompressed text into chunks.
enum RowReader<'a> {
    Csv { reader: Box<csv::ChunkReader>, chunks: CsvChunks<'a> },
    Ndjson { cutter: ndjson::RowCutter, decoder: Arc<TextDecoder>, jobs: Jobs },
}

impl<'a> RowReader<'a> {
    fn new(file: &'a TextFile, jobs: Jobs) -> Result<Self, CountError> {
        Ok(match &file.feed.format {
            Format::Csv(layout) => RowReader::Csv {
                reader: Box::new(csv::ChunkReader::new(layout, &file.feed.columns, CHUNK_BYTES, DEFAULT_MAX_ROW_BYTES)),
                chunks: CsvChunks { layout, file, decoder: None, jobs },
            },
            Format::Ndjson | Format::Parquet => RowReader::Ndjson {
                cutter: ndjson::RowCutter::new(CHUNK_BYTES, DEFAULT_MAX_ROW_BYTES),
                decoder: Arc::new(TextDecoder::Ndjson(ndjson::Decoder::new(
                    &file.feed.values,
                    &file.feed.columns,
                    &file.needed,
                )?)),
                jobs,
            },
        })
    }

    fn push(&mut self, text: &[u8]) -> Result<(), CountError> {
        match self {
            RowReader::Csv { reader, chunks } => reader.push(text, &mut |header, chunk| chunks.send(header, chunk)),
            RowReader::Ndjson { cutter, decoder, jobs } => {
                cutter.push(text, &mut |chunk| jobs.send(Work::Text(chunk, decoder.clone())))
            }
        }
    }

    fn finish(self) -> Result<Vec<String>, CountError> {
        match self {
            RowReader::Csv { reader, mut chunks } => reader.finish(&mut |header, chunk| chunks.send(header, chunk)),
            RowReader::Ndjson { cutter, decoder, mut jobs } => {
                cutter.finish(&mut |chunk| jobs.send(Work::Text(chunk, decoder.clone())))?;
                Ok(Vec::new())
            }
        }
    }
}

/// Where a CSV file's chunks go.
struct CsvChunks<'a> {
    layout: &'a CsvLayout,
    file: &'a TextFile,
    /// Made when the first chunk brings the header.
    decoder: Option<Arc<TextDecoder>>,
    jobs: Jobs,
}

impl CsvChunks<'_> {
    fn send(&mut self, header: &Header, chunk: Bytes) -> Result<(), CountError> {
        let decoder = match &self.decoder {
            Some(decoder) => decoder.clone(),
            None => {
                let file = self.file;
                let decoder = csv::Decoder::new(self.layout, &file.feed.values, header, &file.needed)?;
                self.decoder.insert(Arc::new(TextDecoder::Csv(decoder))).clone()
            }
        };
        self.jobs.send(Work::Text(chunk, decoder))
    }
}
