//! A landed blob to its parts, in bounded memory.
//!
//! ```text
//! ranges (If-Match) ─▶ reader: decompress, cut at row ends ─▶ workers, one a core: decode, summarise, merge ─▶ parts
//!            (Parquet: page by page, decode)                       └─▶ tally, in the order of the file:
//!                                                                      bad rows ─▶ quarantine · good rows ─▶ curated
//! ```
//!
//! The workers and the memory for chunks are the process's: all loads share them, by the [`Budget`]. What a load holds
//! beside its chunks is a few ranges, one row for each group, and for a curated file one row group. Events of a stream take
//! a way of their own, [`events`]. It knows nothing of the ledger: what is counted here counts only once it is committed.

mod budget;
mod curated;
mod decoder;
mod error;
pub mod events;
mod fetch;
mod jobs;
mod memory;
mod parquet;
mod pool;
mod tally;
mod text;
mod worker;

use std::sync::Arc;

use millrace_decode::contract::Column;
use millrace_decode::inflate::Compression;
use millrace_decode::parquet::RangeSource;
use millrace_frames::part::Part;
use millrace_frames::plan::SummaryPlan;
use millrace_frames::summarise::Summariser;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::names::{BlobName, ETag};
use crate::pipeline::{Feed, Format, Pipeline, UnknownColumns};
use crate::records::load_files;
use crate::records::quarantine::QuarantineWriter;
use crate::stations::containers::{Container, Containers};
use crate::stations::warehouse::SummaryPart;

pub use budget::Budget;
use curated::Curating;
pub use error::CountError;
use fetch::{BlobRanges, fetch};
use jobs::Jobs;
use pool::Load;
use text::TextFile;

/// Bytes of text that a worker decodes at a time. Four times as much is no faster, and takes half as much memory again.
const CHUNK_BYTES: usize = 1 << 20;

/// What counting one feed's files takes, made once.
#[derive(Clone)]
pub struct FeedCounter {
    pub feed: Feed,
    plans: Vec<SummaryPlan>,
    needed: Vec<Column>,
    summariser: Arc<Summariser>,
}

impl FeedCounter {
    pub fn new(pipeline: &Pipeline, feed: &Feed) -> Result<Self, CountError> {
        let plans: Vec<SummaryPlan> = pipeline.summaries_of(&feed.name).cloned().collect();
        let needed = feed.needed_columns(&plans);
        let summariser = Summariser::new(&needed, &feed.rules, &plans, feed.name.as_str())
            .map_err(|source| CountError::Plan { feed: feed.name.clone(), source: Box::new(source) })?;
        Ok(FeedCounter { feed: feed.clone(), plans, needed, summariser: Arc::new(summariser) })
    }

    /// For files of events, which are NDJSON whatever this feed's files are.
    pub fn of_events(&self) -> Self {
        let mut counter = self.clone();
        counter.feed.format = Format::Ndjson;
        counter
    }

    fn empty_parts(&self) -> Vec<Part> {
        self.plans.iter().map(Part::empty).collect()
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
    /// The file in container `curated`, where the feed has such and rows count.
    pub curated: Option<String>,
    /// Columns of the file that the contract does not name.
    pub unknown_columns: Vec<String>,
    /// One for each summary of the feed.
    pub parts: Vec<SummaryPart>,
}

/// Counts a file.
///
/// # Errors
/// See [`CountError`]: a file at fault is to be rejected, a store that is away to be tried again. Nothing was counted
/// then, but bad rows may be in quarantine, which the error names.
pub async fn count(
    counter: &FeedCounter,
    at: &Containers,
    landed: &LandedBlob,
    load_id: &str,
    budget: &Budget,
) -> Result<Counted, CountError> {
    let load = Arc::new(Load::new(counter.clone(), budget.workers(), budget.turn().await));
    // Whoever gives the load up, as its deadline does, stops its reader and its workers.
    let _stop = StopWhenDropped(load.clone());
    let (tallies_in, tallies) = mpsc::unbounded_channel();
    let jobs = Jobs::new(budget, load.clone(), tallies_in);
    let quarantine = QuarantineWriter::new(&at.quarantine, &landed.blob, &landed.etag, load_id);
    let curating = counter.feed.curated.then(|| {
        let name = load_files::name(&landed.blob, &landed.etag, load_id, "parquet");
        Curating::start(&at.curated, name, counter.needed.clone())
    });

    let reading = start_reader(&load, &at.landing, landed, jobs);
    let tally = tally::collect(tallies, quarantine, curating.as_ref()).await;

    // Every stage ends when its neighbour does; the one that failed says why.
    let (fetched, read) = reading.ended().await;
    let parts = load.totals().and_then(|totals| parts_of(counter, totals));
    let (unknown_columns, parts, mut tally) = match (fetched, read, parts, tally) {
        (Ok(()), Ok(unknown_columns), Ok(parts), Ok(tally)) => (unknown_columns, parts, tally),
        (fetched, read, parts, tally) => {
            let curated = match curating {
                Some(curating) => curating.give_up().await,
                None => None,
            };
            return Err(cause([fetched.err(), parts.err(), read.err(), tally.err(), curated]));
        }
    };
    tally.unknown_columns.extend(unknown_columns);

    if !tally.unknown_columns.is_empty() && counter.feed.unknown_columns == UnknownColumns::Reject {
        return Err(CountError::UnknownColumns { columns: tally.unknown_columns.into_iter().collect() });
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
    let curated = match curating {
        Some(curating) => curating.finish().await?,
        None => None,
    };
    Ok(Counted {
        rows_read: tally.rows_read,
        rows_rejected: tally.rows_rejected,
        quarantine: tally.quarantine,
        curated,
        unknown_columns: tally.unknown_columns.into_iter().collect(),
        parts,
    })
}

/// What brings the file's chunks to the workers.
struct Reading {
    /// The ranges of a file that is read from its first byte to its last.
    fetching: Option<JoinHandle<Result<(), CountError>>>,
    /// Yields the file's columns that the contract does not name.
    reading: JoinHandle<Result<Vec<String>, CountError>>,
}

impl Reading {
    async fn ended(self) -> (Result<(), CountError>, Result<Vec<String>, CountError>) {
        let fetched = match self.fetching {
            Some(fetching) => joined(fetching).await,
            None => Ok(()),
        };
        (fetched, joined(self.reading).await)
    }
}

fn start_reader(load: &Arc<Load>, landing: &Container, landed: &LandedBlob, jobs: Jobs) -> Reading {
    let counter = &load.counter;
    let compression = Compression::of_name(landed.blob.as_str());
    let is_parquet = matches!(counter.feed.format, Format::Parquet);
    if is_parquet && compression == Compression::None {
        let source = BlobRanges { landing: landing.clone(), landed: landed.clone(), runtime: Handle::current() };
        let load = load.clone();
        let reading = spawn_blocking(move || parquet::read(&load.counter, Arc::new(source), jobs));
        return Reading { fetching: None, reading };
    }
    let (ranges_in, ranges) = mpsc::channel(2);
    let fetching = Some(tokio::spawn(fetch(landing.clone(), landed.clone(), ranges_in)));
    if is_parquet {
        let (load, size_bytes) = (load.clone(), landed.size_bytes);
        let reading = spawn_blocking(move || {
            let spool: Arc<dyn RangeSource> = Arc::new(parquet::spool(compression, ranges, size_bytes)?);
            parquet::read(&load.counter, spool, jobs)
        });
        return Reading { fetching, reading };
    }
    let file = TextFile::new(counter, landed);
    Reading { fetching, reading: spawn_blocking(move || file.read(ranges, jobs)) }
}

/// The error that made the other stages stop.
fn cause(errors: [Option<CountError>; 5]) -> CountError {
    let mut errors = errors.into_iter().flatten();
    errors.find(|error| !matches!(error, CountError::Stopped)).unwrap_or(CountError::Stopped)
}

struct StopWhenDropped(Arc<Load>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn parts_of(counter: &FeedCounter, totals: Vec<Part>) -> Result<Vec<SummaryPart>, CountError> {
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

#[cfg(test)]
mod tests;
