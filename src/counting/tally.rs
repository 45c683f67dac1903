//! Brings the chunks' bad rows back into the order of the file, numbers them, and writes them to quarantine.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::{ChunkTally, CountError};
use crate::records::quarantine::QuarantineWriter;

/// What the chunks came to together.
pub struct Tally {
    pub rows_read: u64,
    pub rows_rejected: u64,
    pub first_bad: Option<FirstBadRow>,
    pub quarantine: Option<String>,
}

/// The first row that was rejected, as an example for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstBadRow {
    /// Counted from 1, without the header.
    pub row: u64,
    pub reason: String,
}

/// Takes tallies in any order. Those ahead of their turn wait; there are never more of them than chunks in memory.
pub async fn collect(
    mut tallies: mpsc::Receiver<ChunkTally>,
    mut quarantine: QuarantineWriter,
) -> Result<Tally, CountError> {
    let mut waiting: BTreeMap<u64, ChunkTally> = BTreeMap::new();
    let mut next_index = 0;
    let (mut rows_read, mut rows_rejected, mut first_bad) = (0, 0, None);
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
        }
    }
    if !waiting.is_empty() {
        // A worker failed and left a hole; it says why.
        return Err(CountError::Stopped);
    }
    Ok(Tally { rows_read, rows_rejected, first_bad, quarantine: quarantine.finish().await? })
}
