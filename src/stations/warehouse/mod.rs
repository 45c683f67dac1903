//! Azure SQL, or SQLite: the ledger of what was counted, the parts, and the summary tables.
//!
//! **Invariant.** Each summary table equals the merge, over every unit, of that unit's parts. Nothing else writes SQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use millrace_frames::part::Row;
use millrace_frames::plan::SummaryPlan;
use thiserror::Error;

use super::Disposition;
use crate::names::{BlobName, ETag, FeedName, Sha256};

pub mod sqlite;

/// What counts once: a file in the landing container. Its id is a SHA-256, since SQL Server compares trailing blanks as
/// equal and limits index keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileUnit {
    pub feed: FeedName,
    pub blob: BlobName,
}

impl FileUnit {
    pub fn id(&self) -> Sha256 {
        Sha256::of_fields(&[b"file", self.feed.as_str().as_bytes(), self.blob.as_str().as_bytes()])
    }
}

/// What the ledger says of a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitRecord {
    pub unit: FileUnit,
    pub etag: ETag,
    pub generation: i64,
    pub load_id: String,
    pub size_bytes: i64,
    pub sha256: Option<Sha256>,
    pub rows_read: i64,
    pub rows_rejected: i64,
    /// Name of the file in container `quarantine`, where rows were rejected.
    pub quarantine: Option<String>,
    pub committed_at: DateTime<Utc>,
}

/// One counted file, ready to commit.
#[derive(Clone, Debug)]
pub struct FileLoad {
    /// `committed_at` is when the counting ended; the ledger stores it.
    pub record: UnitRecord,
    /// One entry for each summary of the feed, an empty one too.
    pub parts: Vec<SummaryPart>,
}

#[derive(Clone, Debug)]
pub struct SummaryPart {
    pub plan: SummaryPlan,
    /// One row a key, values in the order of the plan's columns.
    pub rows: Vec<Row>,
}

/// How a commit ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The file's parts are in the summaries. `displaced` is the record that this one replaced.
    Committed { displaced: Option<UnitRecord> },
    /// The ledger had this version and generation already.
    AlreadyApplied,
    /// The blob has another version by now, which has its own message.
    Superseded,
    /// The blob is gone and was never counted.
    Gone,
}

/// Answers which version of a blob is in landing now. The warehouse asks it under the feed's lock.
#[async_trait]
pub trait LandedVersion: Send + Sync {
    /// `None`: the blob is gone.
    async fn current(&self, blob: &BlobName) -> Result<Option<ETag>, Box<dyn std::error::Error + Send + Sync>>;
}

/// One meaning of a feed: contract, rules, summaries and decoder version, hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedMeaning {
    pub feed: FeedName,
    pub fingerprint: Sha256,
}

/// What `migrate` brings the database to.
#[derive(Clone, Debug)]
pub struct Schema {
    pub meanings: Vec<FeedMeaning>,
    pub summaries: Vec<SummaryPlan>,
}

/// What `migrate` did, in words for people, one line a change; empty if there was nothing to do.
#[derive(Clone, Debug, Default)]
pub struct MigrationReport {
    pub changes: Vec<String>,
    /// Feeds whose meaning is new to a database that has units of an older one: their files must be replayed.
    pub feeds_to_replay: Vec<FeedName>,
}

/// A summary table's contents, ordered by its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRows {
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

#[async_trait]
pub trait Warehouse: Send + Sync {
    /// Creates or upgrades the schema; safe to run again.
    async fn migrate(&self, schema: &Schema) -> Result<MigrationReport, WarehouseError>;

    /// The SQL that `migrate` would run on an empty database, as text for people.
    fn schema_sql(&self, schema: &Schema) -> String;

    /// The generation that `migrate` gave to this meaning. `NotMigrated` if it gave none.
    async fn generation(&self, meaning: &FeedMeaning) -> Result<i64, WarehouseError>;

    /// What the ledger says of a unit; `None`: never counted.
    async fn unit(&self, unit: &FileUnit) -> Result<Option<UnitRecord>, WarehouseError>;

    /// One transaction, under the locks of the feed and its summaries: read the ledger, ask which version is landed,
    /// then replace this unit's parts and recompute what they touch.
    async fn commit_file(&self, load: &FileLoad, landed: &dyn LandedVersion) -> Result<Outcome, WarehouseError>;

    /// Up to `limit` units of a feed with names after `after`, by blob name.
    async fn units(
        &self,
        feed: &FeedName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<UnitRecord>, WarehouseError>;

    /// A whole summary table, for people and tests.
    async fn summary(&self, plan: &SummaryPlan) -> Result<SummaryRows, WarehouseError>;
}

#[derive(Debug, Error)]
pub enum WarehouseError {
    #[error("warehouse has no schema for feed `{feed}` as pipeline.toml declares it: run `millrace migrate`")]
    NotMigrated { feed: FeedName },
    #[error(
        "feed `{feed}` was counted by generation {committed}, newer than this handler's {ours}: deploy the newer version"
    )]
    OlderGeneration { feed: FeedName, committed: i64, ours: i64 },
    #[error("table `{table}`: {reason}")]
    Data { table: String, reason: String },
    #[error("asking for the landed version of `{blob}` failed")]
    LandedVersion {
        blob: BlobName,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("warehouse: {operation} failed")]
    Database {
        operation: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl WarehouseError {
    pub fn disposition(&self) -> Disposition {
        match self {
            WarehouseError::Data { .. } => Disposition::Reject,
            WarehouseError::NotMigrated { .. }
            | WarehouseError::OlderGeneration { .. }
            | WarehouseError::LandedVersion { .. }
            | WarehouseError::Database { .. } => Disposition::Retry,
        }
    }
}
