//! Message → read the blob in bounded memory → summaries → committed, exactly once.
//!
//! Messages come twice, late and in any order. What decides is the ledger, asked under the feed's lock together with the
//! blob's version; everything before that is a short cut.

mod aftermath;
mod rejection;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::RwLock;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::counting::{Budget, CountError, Counted, FeedCounter, LandedBlob, count};
use crate::faults;
use crate::names::{BlobName, ETag, FeedName};
use crate::pipeline::Pipeline;
use crate::records::attempts::{self, Permission, Worker};
use crate::records::landed::LandedFile;
use crate::records::loaded;
use crate::records::quarantined_events;
use crate::stations::Disposition;
use crate::stations::containers::{Container, ContainerError, Containers};
use crate::stations::warehouse::{
    FeedMeaning, FileLoad, FileUnit, LandedVersion, Outcome, UnitRecord, Warehouse, WarehouseError,
};
use crate::telemetry::chain;

pub use aftermath::marker_of;
use aftermath::{drop_own_files, finish, finish_retraction, note_new_columns};
use rejection::{Rejection, dead_letter, keep_foreign_message};

/// Files of one batch that are loaded side by side: small ones wait for storage and the database more than for a core.
const LOADS_AT_A_TIME: usize = 4;

/// What `load` works with.
pub struct LoadStations {
    pub containers: Containers,
    pub warehouse: Arc<dyn Warehouse>,
    pub feeds: Feeds,
    pub budget: Budget,
    /// Names this process in attempt records.
    pub worker: Worker,
    /// Read by every load; written by one that must run alone.
    pub alone: RwLock<()>,
    pub clock: Clock,
}

/// How to count each feed, and what its declaration means.
pub struct Feeds {
    feeds: HashMap<FeedName, LoadedFeed>,
}

struct LoadedFeed {
    meaning: FeedMeaning,
    files: FeedCounter,
    /// For events that were bad and are good now.
    replayed_events: FeedCounter,
}

impl LoadedFeed {
    fn counter(&self, blob: &BlobName) -> &FeedCounter {
        if quarantined_events::is_landed(blob) { &self.replayed_events } else { &self.files }
    }
}

impl Feeds {
    pub fn new(pipeline: &Pipeline) -> Result<Self, CountError> {
        let mut feeds = HashMap::new();
        for feed in &pipeline.feeds {
            let meaning = FeedMeaning { feed: feed.name.clone(), fingerprint: pipeline.fingerprint(&feed.name) };
            let files = FeedCounter::new(pipeline, feed)?;
            let replayed_events = files.of_events();
            feeds.insert(feed.name.clone(), LoadedFeed { meaning, files, replayed_events });
        }
        Ok(Feeds { feeds })
    }
}

/// How the load of one message ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Loaded {
    Committed {
        rows_read: u64,
        rows_rejected: u64,
    },
    AlreadyApplied,
    /// Its counts were taken back: it counts nothing until a replay names it.
    Retracted,
    Superseded,
    DeadLettered,
}

/// Why a load must be tried again. A file at fault is no error: it becomes a dead letter.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    #[error("counting `{blob}` was interrupted")]
    Count { blob: BlobName, source: CountError },
}

/// Why one version was not loaded.
enum Failure {
    /// A service is away: the message must come again.
    Retry(LoadError),
    /// The file is at fault: it becomes a dead letter.
    Reject(Rejection),
}

impl Failure {
    fn of_counting(blob: &BlobName, error: CountError) -> Self {
        match error.disposition() {
            Disposition::Retry => Failure::Retry(LoadError::Count { blob: blob.clone(), source: error }),
            Disposition::Reject => Failure::Reject(Rejection::of_counting(&error)),
        }
    }
}

/// How the loads of one batch of messages ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BatchReport {
    pub committed: usize,
    pub already_applied: usize,
    pub retracted: usize,
    pub superseded: usize,
    pub dead_lettered: usize,
}

impl BatchReport {
    fn add(&mut self, loaded: &Loaded) {
        match loaded {
            Loaded::Committed { .. } => self.committed += 1,
            Loaded::AlreadyApplied => self.already_applied += 1,
            Loaded::Retracted => self.retracted += 1,
            Loaded::Superseded => self.superseded += 1,
            Loaded::DeadLettered => self.dead_lettered += 1,
        }
    }
}

/// Loads what a batch of messages names. Every message has its try, whatever became of the others.
///
/// # Errors
/// The first that asks for another try; the whole batch comes again then, and what was committed is found in the ledger.
pub async fn load_batch(messages: &[Vec<u8>], at: &LoadStations) -> Result<BatchReport, LoadError> {
    let mut report = BatchReport::default();
    let mut first_error = None;
    let loads: Vec<BoxFuture<'_, _>> = messages.iter().map(|message| load(message, at).boxed()).collect();
    let mut loads = futures::stream::iter(loads).buffer_unordered(LOADS_AT_A_TIME);
    while let Some(loaded) = loads.next().await {
        match loaded {
            Ok(loaded) => report.add(&loaded),
            Err(error) => {
                warn!("a file waits for another try: {}", chain(&error));
                first_error.get_or_insert(error);
            }
        }
    }
    first_error.map_or(Ok(report), Err)
}

/// Loads what one message names.
pub async fn load(message: &[u8], at: &LoadStations) -> Result<Loaded, LoadError> {
    let landed = match LandedFile::decode(message) {
        Ok(landed) => landed,
        Err(fault) => return keep_foreign_message(message, &fault, at).await,
    };
    let state = &at.containers.state;
    let permission = attempts::permission(state, &landed.blob, &landed.etag, &at.worker, at.clock.now()).await?;
    let (_beside_others, _alone) = match permission {
        Permission::Free => (Some(at.alone.read().await), None),
        Permission::Alone => (None, Some(at.alone.write().await)),
        // Another handler may have loaded it in the end.
        Permission::Exhausted if loaded::exists(state, &landed.blob, &landed.etag).await? => {
            attempts::end(state, &landed.blob, &landed.etag).await?;
            return Ok(Loaded::AlreadyApplied);
        }
        Permission::Exhausted => return dead_letter(&landed, Rejection::exhausted(), at).await,
    };
    let begun = attempts::begin(state, &landed.blob, &landed.etag, &at.worker, at.clock.now()).await?;
    faults::point("load.begun");
    let ended = AssertUnwindSafe(load_version(&landed, at)).catch_unwind().await;
    let loaded = match ended.unwrap_or_else(|panic| Err(Failure::Reject(Rejection::panicked(&*panic)))) {
        Ok(loaded) => Ok(loaded),
        Err(Failure::Reject(rejection)) => dead_letter(&landed, rejection, at).await,
        Err(Failure::Retry(error)) => Err(error),
    };
    match &loaded {
        Ok(_) => begun.settle(state).await?,
        Err(_) => begun.end(state).await?,
    }
    loaded
}

/// One version of one file, from its blob to the committed summaries.
async fn load_version(landed: &LandedFile, at: &LoadStations) -> Result<Loaded, Failure> {
    let unit = FileUnit { feed: landed.feed.clone(), blob: landed.blob.clone() };
    let Some(feed) = at.feeds.feeds.get(&landed.feed) else {
        return Err(Failure::Reject(Rejection::no_such_feed(landed)));
    };
    let Some(facts) = at.containers.landing.head(&landed.blob).await? else {
        return gone(&unit, &landed.etag, at).await;
    };
    if facts.etag != landed.etag {
        info!("{} has a newer version, which has its own message", unit.blob);
        return Ok(Loaded::Superseded);
    }
    let generation = at.warehouse.generation(&feed.meaning).await?;
    if let Some(record) = at.warehouse.unit(&unit).await?.filter(|record| record.etag == landed.etag) {
        if record.retracted_at.is_some() {
            return retracted(&unit, &landed.etag, at).await;
        }
        if record.generation == generation {
            finish(&record, None, at).await?;
            return Ok(Loaded::AlreadyApplied);
        }
    }

    let load_id = uuid::Uuid::new_v4().simple().to_string();
    let blob = LandedBlob { blob: unit.blob.clone(), etag: landed.etag.clone(), size_bytes: facts.size_bytes };
    let counted = match count(feed.counter(&unit.blob), &at.containers, &blob, &load_id, &at.budget).await {
        Ok(counted) => counted,
        Err(CountError::Container(ContainerError::Superseded { .. })) => return Ok(Loaded::Superseded),
        Err(CountError::Container(ContainerError::Gone { .. })) => return gone(&unit, &landed.etag, at).await,
        Err(error) => return Err(Failure::of_counting(&unit.blob, error)),
    };
    note_new_columns(&unit, &counted, at).await?;
    commit(unit, landed, generation, load_id, counted, at).await
}

async fn commit(
    unit: FileUnit,
    landed: &LandedFile,
    generation: i64,
    load_id: String,
    counted: Counted,
    at: &LoadStations,
) -> Result<Loaded, Failure> {
    let (rows_read, rows_rejected) = (counted.rows_read, counted.rows_rejected);
    let record = UnitRecord {
        unit,
        etag: landed.etag.clone(),
        generation,
        load_id,
        size_bytes: landed.size_bytes as i64,
        sha256: landed.sha256.clone(),
        rows_read: rows_read as i64,
        rows_rejected: rows_rejected as i64,
        quarantine: counted.quarantine,
        curated: counted.curated,
        committed_at: at.clock.now(),
        retracted_at: None,
    };
    let load = FileLoad { record, parts: counted.parts };
    faults::point("load.counted");
    let outcome = match at.warehouse.commit_file(&load, &LandingVersions(&at.containers.landing)).await {
        Ok(outcome) => outcome,
        Err(error) if error.disposition() == Disposition::Reject => {
            drop_own_files(&load.record, at).await?;
            return Err(Failure::Reject(Rejection::by_warehouse(&error)));
        }
        Err(error) => return Err(Failure::Retry(error.into())),
    };
    faults::point("load.committed");
    let ours = load.record;
    match outcome {
        Outcome::Committed { displaced } => {
            finish(&ours, displaced.as_ref(), at).await?;
            info!("loaded {}: {rows_read} rows, {rows_rejected} rejected", ours.unit.blob);
            Ok(Loaded::Committed { rows_read, rows_rejected })
        }
        Outcome::AlreadyApplied => {
            drop_own_files(&ours, at).await?;
            Ok(Loaded::AlreadyApplied)
        }
        Outcome::Retracted => {
            drop_own_files(&ours, at).await?;
            retracted(&ours.unit, &ours.etag, at).await
        }
        Outcome::Superseded => {
            drop_own_files(&ours, at).await?;
            Ok(Loaded::Superseded)
        }
        Outcome::Gone => {
            drop_own_files(&ours, at).await?;
            gone(&ours.unit, &ours.etag, at).await
        }
    }
}

/// A message about a version whose counts were taken back.
async fn retracted(unit: &FileUnit, etag: &ETag, at: &LoadStations) -> Result<Loaded, Failure> {
    info!("{} was retracted: `millrace replay {} --blob` counts it again", unit.blob, unit.feed);
    finish_retraction(&unit.blob, etag, at).await?;
    Ok(Loaded::Retracted)
}

/// The blob is gone: what the ledger says of its version decides. Never a commit.
async fn gone(unit: &FileUnit, etag: &ETag, at: &LoadStations) -> Result<Loaded, Failure> {
    match at.warehouse.unit(unit).await? {
        Some(record) if record.etag == *etag && record.retracted_at.is_some() => Ok(Loaded::Retracted),
        Some(record) if record.etag == *etag => Ok(Loaded::AlreadyApplied),
        Some(_) => Ok(Loaded::Superseded),
        None => Err(Failure::Reject(Rejection::gone())),
    }
}

impl From<ContainerError> for Failure {
    fn from(error: ContainerError) -> Self {
        match error.disposition() {
            Disposition::Retry => Failure::Retry(error.into()),
            // Such as a name that the store lists and cannot read: it is so at every try.
            Disposition::Reject => Failure::Reject(Rejection::by_store(&error)),
        }
    }
}

impl From<WarehouseError> for Failure {
    fn from(error: WarehouseError) -> Self {
        Failure::Retry(error.into())
    }
}

/// Asks landing, for the warehouse, which version is there.
struct LandingVersions<'a>(&'a Container);

#[async_trait]
impl LandedVersion for LandingVersions<'_> {
    async fn current(&self, blob: &BlobName) -> Result<Option<ETag>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.head(blob).await?.map(|facts| facts.etag))
    }
}
