//! One core's work: chunks to columns, columns to parts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use millrace_decode::columns::BadRow;
use millrace_frames::part::Part;
use millrace_frames::plan::SummaryPlan;
use millrace_frames::summarise::Summariser;
use tokio::sync::mpsc;

use super::{ChunkTally, CountError, Job};

/// The chunks that wait for a worker.
pub struct Jobs {
    queue: Mutex<Receiver<Job>>,
    /// A worker failed or panicked: nobody takes another chunk, and so the cutter stops too.
    stopped: AtomicBool,
}

impl Jobs {
    pub fn new(queue: Receiver<Job>) -> Self {
        Jobs { queue: Mutex::new(queue), stopped: AtomicBool::new(false) }
    }

    fn next(&self) -> Option<Job> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        self.queue.lock().expect("nothing panics under this lock").recv().ok()
    }
}

/// Stops the other workers unless this one came to its end.
struct StopOthers<'a> {
    jobs: &'a Jobs,
    finished: bool,
}

impl Drop for StopOthers<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.jobs.stopped.store(true, Ordering::Relaxed);
        }
    }
}

/// Counts chunks until there are no more. Returns what they came to, one part for each plan.
pub fn work(
    jobs: &Jobs,
    summariser: &Summariser,
    plans: &[SummaryPlan],
    tallies: &mpsc::Sender<ChunkTally>,
) -> Result<Vec<Part>, CountError> {
    let mut totals: Vec<Part> = plans.iter().map(Part::empty).collect();
    let mut others = StopOthers { jobs, finished: false };
    while let Some(job) = jobs.next() {
        let tally = count_chunk(job, summariser, &mut totals)?;
        if tallies.blocking_send(tally).is_err() {
            return Err(CountError::Stopped);
        }
    }
    others.finished = true;
    Ok(totals)
}

fn count_chunk(job: Job, summariser: &Summariser, totals: &mut [Part]) -> Result<ChunkTally, CountError> {
    let mut chunk = job.decoder.decode(job.bytes.clone());
    let summary = summariser.summarise(&chunk)?;
    for (total, part) in totals.iter_mut().zip(summary.parts) {
        total.merge(part)?;
    }
    let mut bad = std::mem::take(&mut chunk.bad);
    if !summary.rejected.is_empty() {
        let rows: Vec<u32> = summary.rejected.iter().map(|rejected| rejected.row).collect();
        let raws = job.decoder.raw_rows(&job.bytes, &rows);
        bad.extend(summary.rejected.into_iter().zip(raws).map(|(rejected, raw)| BadRow {
            row: rejected.row,
            raw,
            reason: rejected.reason,
        }));
        bad.sort_by_key(|row| row.row);
    }
    Ok(ChunkTally { index: job.index, row_count: u64::from(chunk.row_count), bad })
}
