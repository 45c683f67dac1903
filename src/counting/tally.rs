//! Brings what the workers say of their chunks back into the order of the file: bad rows, numbered, to quarantine; rows
//! that count to the curated file.

use std::collections::{BTreeMap, BTreeSet};

use millrace_decode::columns::{BadRow, DecodedChunk};
use tokio::sync::mpsc;

use super::CountError;
use super::curated::{CountedRows, Curating};
use super::memory::Memory;
use crate::records::quarantine::QuarantineWriter;

/// Names of unknown columns that are kept of one file: a partner whose keys are data must not fill the memory.
const MOST_UNKNOWN_COLUMNS: usize = 1_000;

/// What a worker says of a chunk once it is counted.
pub struct ChunkTally {
    pub index: u64,
    pub row_count: u64,
    /// Sorted by row.
    pub bad: Vec<BadRow>,
    /// Names in the chunk that the contract does not know.
    pub unknown_columns: Vec<String>,
    /// For the curated file, if the feed has one: the rows, and which of the good ones count.
    pub rows: Option<(DecodedChunk, Vec<bool>)>,
    /// Given back once the tally had its turn, so that no more of them wait than chunks may be in memory.
    pub memory: Memory,
}

/// What the chunks came to together.
pub struct Tally {
    pub rows_read: u64,
    pub rows_rejected: u64,
    pub first_bad: Option<FirstBadRow>,
    pub quarantine: Option<String>,
    pub unknown_columns: BTreeSet<String>,
}

/// The first row that was rejected, as an example for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstBadRow {
    /// Counted from 1, without the header.
    pub row: u64,
    pub reason: String,
}

/// Takes tallies in any order; those ahead of their turn wait.
pub async fn collect(
    mut tallies: mpsc::UnboundedReceiver<ChunkTally>,
    mut quarantine: QuarantineWriter,
    curating: Option<&Curating>,
) -> Result<Tally, CountError> {
    let mut waiting: BTreeMap<u64, ChunkTally> = BTreeMap::new();
    let mut next_index = 0;
    let (mut rows_read, mut rows_rejected, mut first_bad) = (0, 0, None);
    let mut unknown_columns = BTreeSet::new();
    while let Some(tally) = tallies.recv().await {
        waiting.insert(tally.index, tally);
        while let Some(tally) = waiting.remove(&next_index) {
            next_index += 1;
            for bad in &tally.bad {
                let row = rows_read + u64::from(bad.row) + 1;
                quarantine.add(row, &bad.raw, &bad.reason).await?;
                if first_bad.is_none() {
                    first_bad = Some(FirstBadRow { row, reason: bad.reason.clone() });
                }
            }
            rows_read += tally.row_count;
            rows_rejected += tally.bad.len() as u64;
            if unknown_columns.len() < MOST_UNKNOWN_COLUMNS {
                unknown_columns.extend(tally.unknown_columns);
            }
            if let (Some(curating), Some((chunk, counts))) = (curating, tally.rows) {
                curating.add(CountedRows { chunk, counts, _memory: tally.memory }).await?;
            }
        }
    }
    if !waiting.is_empty() {
        // A worker failed and left a hole; it says why.
        return Err(CountError::Stopped);
    }
    Ok(Tally { rows_read, rows_rejected, first_bad, quarantine: quarantine.finish().await?, unknown_columns })
}
