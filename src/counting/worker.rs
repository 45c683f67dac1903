//! A worker's work: a chunk to columns, columns to parts.

use millrace_decode::columns::{BadRow, DecodedChunk};
use millrace_frames::part::Part;
use millrace_frames::summarise::RejectedRow;

use super::decoder::Work;
use super::memory::Memory;
use super::tally::ChunkTally;
use super::{CountError, FeedCounter};

/// Counts one chunk: what it comes to goes into `totals`, one part for each plan, and what is said of its rows comes back.
pub fn count_chunk(
    index: u64,
    work: Work,
    memory: Memory,
    counter: &FeedCounter,
    totals: &mut [Part],
) -> Result<ChunkTally, CountError> {
    let (mut chunk, decoder) = match work {
        Work::Text(bytes, decoder) => (decoder.decode(bytes), Some(decoder)),
        Work::Decoded(chunk) => (chunk, None),
    };
    let rejected = add_chunk(counter, &chunk, totals)?;
    let positions = positions_of(&rejected, &chunk);
    let counts = counter.feed.curated.then(|| {
        let mut counts = vec![true; chunk.good_row_count()];
        positions.iter().for_each(|position| counts[*position] = false);
        counts
    });
    let raws = match decoder {
        Some(decoder) if !rejected.is_empty() => {
            let rows: Vec<u32> = rejected.iter().map(|rejected| rejected.row).collect();
            decoder.raw_rows(&chunk.bytes, &rows)
        }
        _ => positions.iter().map(|at| chunk.row_as_json(&counter.needed, *at).into_bytes()).collect(),
    };
    let row_count = u64::from(chunk.row_count);
    // The good rows stay in the chunk, and alone are its rows from here on.
    chunk.row_count = chunk.good_row_count() as u32;
    let mut bad = std::mem::take(&mut chunk.bad);
    if !rejected.is_empty() {
        bad.extend(rejected.into_iter().zip(raws).map(|(rejected, raw)| BadRow {
            row: rejected.row,
            raw,
            reason: rejected.reason,
        }));
        bad.sort_by_key(|row| row.row);
    }
    Ok(ChunkTally {
        index,
        row_count,
        bad,
        unknown_columns: std::mem::take(&mut chunk.unknown_keys),
        rows: counts.map(|counts| (chunk, counts)),
        memory,
    })
}

/// Adds what a decoded chunk counts to the totals. Returns the rows that count in no summary.
pub fn add_chunk(
    counter: &FeedCounter,
    chunk: &DecodedChunk,
    totals: &mut [Part],
) -> Result<Vec<RejectedRow>, CountError> {
    let summary = counter.summariser.summarise(chunk)?;
    for (total, part) in totals.iter_mut().zip(summary.parts) {
        total.merge(part)?;
    }
    Ok(summary.rejected)
}

/// Where the rejected rows stand in the chunk's columns, which the undecoded ones do not.
fn positions_of(rejected: &[RejectedRow], chunk: &DecodedChunk) -> Vec<usize> {
    let mut undecoded = chunk.bad.iter().map(|bad| bad.row).peekable();
    let mut passed = 0;
    rejected
        .iter()
        .map(|rejected| {
            while undecoded.next_if(|bad| *bad < rejected.row).is_some() {
                passed += 1;
            }
            (rejected.row - passed) as usize
        })
        .collect()
}
