//! One core's work: chunks to columns, columns to parts.

use millrace_decode::columns::{BadRow, DecodedChunk};
use millrace_frames::part::Part;
use millrace_frames::summarise::RejectedRow;
use tokio::sync::mpsc;

use super::jobs::{Job, JobQueue, Work};
use super::tally::ChunkTally;
use super::{CountError, FeedCounter};

/// Stops the other workers unless this one came to its end.
struct StopOthers<'a> {
    jobs: &'a JobQueue,
    finished: bool,
}

impl Drop for StopOthers<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.jobs.stop();
        }
    }
}

/// Counts chunks until there are no more. Returns what they came to, one part for each plan.
pub fn work(
    jobs: &JobQueue,
    counter: &FeedCounter,
    tallies: &mpsc::Sender<ChunkTally>,
) -> Result<Vec<Part>, CountError> {
    let mut totals = counter.empty_parts();
    let mut others = StopOthers { jobs, finished: false };
    while let Some(job) = jobs.next() {
        let tally = count_chunk(job, counter, &mut totals)?;
        if tallies.blocking_send(tally).is_err() {
            return Err(CountError::Stopped);
        }
    }
    others.finished = true;
    Ok(totals)
}

fn count_chunk(job: Job, counter: &FeedCounter, totals: &mut [Part]) -> Result<ChunkTally, CountError> {
    let (mut chunk, decoder) = match job.work {
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
        index: job.index,
        row_count,
        bad,
        unknown_columns: std::mem::take(&mut chunk.unknown_keys),
        rows: counts.map(|counts| (chunk, counts)),
        memory: job.memory,
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
