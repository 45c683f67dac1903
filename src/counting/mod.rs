//! A landed blob to its parts, in bounded memory.
//!
//! ```text
//! ranges (If-Match) ─▶ cut: gunzip, chunks at row ends ─▶ workers, one a core: decode, summarise, merge ─▶ parts
//!                                                                 └─▶ tally: bad rows in their order ─▶ quarantine
//! ```
//!
//! What is held at a time is a few ranges, the chunks that the [`Budget`] allows, and one row for each group. It knows
//! nothing of the ledger: what is counted here counts only once `load` commits it.

mod cut;
mod error;
mod tally;
mod worker;

use std::sync::{Arc, mpsc as std_mpsc};

use millrace_decode::columns::BadRow;
use millrace_decode::contract::Column;
use millrace_decode::csv::{CsvLayout, Decoder};
use millrace_frames::part::Part;
use millrace_frames::plan::SummaryPlan;
use millrace_frames::summarise::Summariser;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::names::{BlobName, ETag};
use crate::pipeline::{Feed, Format, Pipeline, UnknownColumns};
use crate::records::quarantine::QuarantineWriter;
use crate::stations::containers::Container;
use crate::stations::warehouse::SummaryPart;

pub use error::CountError;
use worker::Jobs;

/// Bytes of text that a worker decodes at a time. Four times as much is no faster, and takes half as much memory again.
const CHUNK_BYTES: usize = 1 << 20;

/// Chunks in memory at a time, over all loads of the process, and how many cores work on them.
#[derive(Clone)]
pub struct Budget {
    chunks: Arc<Semaphore>,
    workers: usize,
}

impl Budget {
    /// One worker for each core; two chunks for each worker and two in hand.
    pub fn for_this_machine() -> Self {
        let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get());
        Budget { chunks: Arc::new(Semaphore::new(workers * 2 + 2)), workers }
    }
}

/// What counting one feed's files takes, made once.
pub struct FeedCounter {
    pub feed: Feed,
    layout: CsvLayout,
    plans: Vec<SummaryPlan>,
    needed: Vec<Column>,
    summariser: Arc<Summariser>,
}

impl FeedCounter {
    pub fn new(pipeline: &Pipeline, feed: &Feed) -> Result<Self, CountError> {
        let Format::Csv(layout) = &feed.format else {
            return Err(CountError::Format { feed: feed.name.clone(), format: feed.format.name() });
        };
        let plans: Vec<SummaryPlan> = pipeline.summaries_of(&feed.name).cloned().collect();
        let needed = feed.needed_columns(&plans);
        let summariser = Summariser::new(&needed, &feed.rules, &plans, feed.name.as_str())
            .map_err(|source| CountError::Plan { feed: feed.name.clone(), source: Box::new(source) })?;
        Ok(FeedCounter { feed: feed.clone(), layout: layout.clone(), plans, needed, summariser: Arc::new(summariser) })
    }
}

/// One version of a landed blob.
#[derive(Clone, Debug)]
pub struct LandedBlob {
    pub blob: BlobName,
    pub etag: ETag,
    pub size_bytes: u64,
}

/// What a file came to.
#[derive(Debug)]
pub struct Counted {
    /// Data rows, bad ones included.
    pub rows_read: u64,
    pub rows_rejected: u64,
    /// The file in container `quarantine`, where rows were rejected.
    pub quarantine: Option<String>,
    /// Columns of the header that the contract does not name.
    pub unknown_columns: Vec<String>,
    /// One for each summary of the feed.
    pub parts: Vec<SummaryPart>,
}

/// A chunk on its way to a worker.
struct Job {
    /// Chunks are counted from 0, in the order of the file.
    index: u64,
    bytes: bytes::Bytes,
    decoder: Arc<Decoder>,
    _memory: OwnedSemaphorePermit,
}

/// What a worker says of a chunk once it is counted.
struct ChunkTally {
    index: u64,
    row_count: u64,
    /// Sorted by row.
    bad: Vec<BadRow>,
}

/// Counts a file.
///
/// # Errors
/// See [`CountError`]: a file at fault is to be rejected, a store that is away to be tried again. Nothing was counted
/// then, but bad rows may be in quarantine, which the error names.
pub async fn count(
    counter: &FeedCounter,
    landing: &Container,
    landed: &LandedBlob,
    quarantine: QuarantineWriter,
    budget: &Budget,
) -> Result<Counted, CountError> {
    let (ranges_in, ranges) = mpsc::channel(2);
    let (jobs_in, jobs) = std_mpsc::sync_channel(budget.workers);
    let (tallies_in, tallies) = mpsc::channel(budget.workers * 2);

    let fetching = tokio::spawn(cut::fetch(landing.clone(), landed.clone(), ranges_in));
    let plan = cut::CutPlan::new(counter, landed, budget.chunks.clone());
    let cutting = spawn_blocking(move || cut::cut(plan, ranges, jobs_in));
    let workers = start_workers(counter, budget.workers, jobs, tallies_in);
    let tally = tally::collect(tallies, quarantine).await;

    // Every stage ends when its neighbour does; the one that failed says why.
    let fetched = joined(fetching).await;
    let cut = joined(cutting).await;
    let parts = merged(counter, workers).await;
    let (unknown_columns, parts, tally) = match (fetched, cut, parts, tally) {
        (Ok(()), Ok(unknown_columns), Ok(parts), Ok(tally)) => (unknown_columns, parts, tally),
        (fetched, cut, parts, tally) => {
            return Err(cause([fetched.err(), parts.err(), cut.err(), tally.err()]));
        }
    };

    if !unknown_columns.is_empty() && counter.feed.unknown_columns == UnknownColumns::Reject {
        return Err(CountError::UnknownColumns { columns: unknown_columns });
    }
    let ratio = tally.rows_rejected as f64 / tally.rows_read.max(1) as f64;
    if ratio > counter.feed.max_reject_ratio {
        return Err(CountError::TooManyBadRows {
            rejected: tally.rows_rejected,
            read: tally.rows_read,
            limit: counter.feed.max_reject_ratio,
            first: tally.first_bad,
            quarantine: tally.quarantine,
        });
    }
    Ok(Counted {
        rows_read: tally.rows_read,
        rows_rejected: tally.rows_rejected,
        quarantine: tally.quarantine,
        unknown_columns,
        parts,
    })
}

/// The error that made the other stages stop.
fn cause(errors: [Option<CountError>; 4]) -> CountError {
    let mut errors = errors.into_iter().flatten();
    errors.find(|error| !matches!(error, CountError::Stopped)).unwrap_or(CountError::Stopped)
}

type Worker = JoinHandle<Result<Vec<Part>, CountError>>;

fn start_workers(
    counter: &FeedCounter,
    count: usize,
    jobs: std_mpsc::Receiver<Job>,
    tallies: mpsc::Sender<ChunkTally>,
) -> Vec<Worker> {
    let jobs = Arc::new(Jobs::new(jobs));
    (0..count)
        .map(|_| {
            let (jobs, tallies) = (jobs.clone(), tallies.clone());
            let (summariser, plans) = (counter.summariser.clone(), counter.plans.clone());
            spawn_blocking(move || worker::work(&jobs, &summariser, &plans, &tallies))
        })
        .collect()
}

/// Brings what the workers counted together.
async fn merged(counter: &FeedCounter, workers: Vec<Worker>) -> Result<Vec<SummaryPart>, CountError> {
    let mut totals: Vec<Part> = counter.plans.iter().map(Part::empty).collect();
    for worker in workers {
        for (total, part) in totals.iter_mut().zip(joined(worker).await?) {
            total.merge(part)?;
        }
    }
    counter
        .plans
        .iter()
        .zip(totals)
        .map(|(plan, part)| Ok(SummaryPart { plan: plan.clone(), rows: part.into_rows()? }))
        .collect()
}

/// The result of a stage; its panic goes on here, so that the file at fault gets a dead letter.
async fn joined<T>(stage: JoinHandle<Result<T, CountError>>) -> Result<T, CountError> {
    match stage.await {
        Ok(result) => result,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => Err(CountError::Stopped),
    }
}
