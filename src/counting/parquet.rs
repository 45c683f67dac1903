//! Parquet: the footer first, then row group after row group, each page by a range of its own.
//!
//! What was compressed once more around the whole file cannot be read by ranges: it is decompressed to a temporary file.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use millrace_decode::inflate::{Compression, Content, InflateLimits, Inflater, sniff, sniff_content};
use millrace_decode::parquet::{DecoderError, ParquetError, ParquetFile, RangeSource};
use tokio::sync::mpsc;

use super::decoder::Work;
use super::jobs::Jobs;
use super::{CountError, FeedCounter};
use crate::file_ranges::FileRanges;
use crate::stations::containers::ContainerError;

/// A whole file that is compressed once more may grow to this on the temporary disk.
const MOST_SPOOLED_BYTES: u64 = 4 << 30;

/// As much of a file's beginning tells what it is.
const HEAD_BYTES: u64 = 4096;

/// Decodes the file and hands its chunks to the workers. Returns its columns that the contract does not name.
pub fn read(counter: &FeedCounter, source: Arc<dyn RangeSource>, mut jobs: Jobs) -> Result<Vec<String>, CountError> {
    let head =
        source.read(0..source.size_bytes().min(HEAD_BYTES)).map_err(|error| failed(ParquetError::Source(error)))?;
    sniff(&head, Compression::None)?;
    sniff_content(&head, Content::Parquet)?;
    let file = ParquetFile::open(source).map_err(failed)?;
    let unknown_columns = file.check(&counter.feed.columns).map_err(failed)?;
    let decoder = file.decoder(&counter.feed.values, &counter.needed).map_err(|error| match error {
        DecoderError::Format(error) => CountError::Format(error),
        DecoderError::File(error) => failed(error),
    })?;
    for group in 0..file.groups().len() {
        let mut group = decoder.group(group).map_err(failed)?;
        loop {
            jobs.reserve()?;
            let Some(chunk) = group.next_chunk().map_err(failed)? else { break };
            jobs.send(Work::Decoded(chunk.decoded))?;
        }
    }
    Ok(unknown_columns)
}

/// The store's own error comes back as it was.
fn failed(error: ParquetError) -> CountError {
    match error {
        ParquetError::Source(source) => match source.downcast::<ContainerError>() {
            Ok(error) => CountError::Container(*error),
            Err(source) => CountError::Spool { source },
        },
        error => CountError::Parquet(error),
    }
}

/// Decompresses a file to the temporary disk; it vanishes with the handle.
pub fn spool(
    compression: Compression,
    mut ranges: mpsc::Receiver<Bytes>,
    size_bytes: u64,
) -> Result<FileRanges, CountError> {
    let broken = |source: std::io::Error| CountError::Spool { source: source.into() };
    let mut file = tempfile::tempfile().map_err(broken)?;
    let limits = InflateLimits { max_output_bytes: MOST_SPOOLED_BYTES, ..InflateLimits::default() };
    let mut inflater = Inflater::with_limits(compression, limits);
    let (mut read_bytes, mut sniffed) = (0, false);
    while let Some(range) = ranges.blocking_recv() {
        if read_bytes == 0 {
            sniff(&range, compression)?;
        }
        read_bytes += range.len() as u64;
        inflater.push(&range, &mut |piece: &[u8]| {
            if !sniffed {
                sniff_content(piece, Content::Parquet)?;
                sniffed = true;
            }
            file.write_all(piece).map_err(broken)
        })?;
    }
    if read_bytes < size_bytes {
        // The store failed; `fetch` says how.
        return Err(CountError::Stopped);
    }
    inflater.finish()?;
    FileRanges::new(file).map_err(broken)
}
