//! Azure SQL, or SQLite: the ledger of what was counted, the parts, and the summary tables.
//!
//! **Invariant.** Each summary table equals the merge, over every unit, of that unit's parts. Nothing else writes SQL.
//!
//! - [`ledger`]: units, versions and what becomes of a load: the decision that every warehouse makes alike.
//! - [`retraction`], [`verification`]: what is taken back by hand, and what a recount finds.
//! - [`stream`]: the same for streams, which accumulate.
//! - [`location`]: where it is.
//! - [`schema`], [`shape`]: what `migrate` is given, and the tables that follow from it.
//! - [`standing`]: what a trial finds of a warehouse.
//! - [`row_check`]: what a row must be to be taken.
//! - [`template`]: text of SQL with names in it.
//! - [`sqlite`]: the embedded warehouse.
//! - [`sqlserver`]: Azure SQL and SQL Server.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use millrace_frames::plan::SummaryPlan;

use crate::names::{BlobName, ETag, FeedName};

mod error;
pub mod ledger;
pub mod location;
pub mod retraction;
pub mod row_check;
pub mod schema;
pub mod shape;
pub mod sqlite;
pub mod sqlserver;
pub mod standing;
pub mod stream;
mod template;
pub mod verification;

pub use error::{Source, WarehouseError};
pub use ledger::{FileLoad, FileUnit, Outcome, SummaryPart, UnitRecord};
pub use retraction::{Contribution, Displaced, HistoryEntry, LedgerEvent, RetractionOrder, RetractionOutcome};
pub use schema::{FeedMeaning, MigrationReport, Schema, SummaryRows};
pub use standing::Standing;
pub use stream::{
    QuarantinedEvents, RecordedGap, StreamGap, StreamLoad, StreamOutcome, StreamRecord, StreamUnit, SummarySince,
};
pub use verification::{Difference, Remedy, TableCheck};

/// Answers which version of a blob is in landing now. The warehouse asks it under the feed's lock.
#[async_trait]
pub trait LandedVersion: Send + Sync {
    /// `None`: the blob is gone.
    async fn current(&self, blob: &BlobName) -> Result<Option<ETag>, Source>;
}

/// Until `migrate` has run, every call but `migrate`, `schema_sql` and `standing` answers `NotMigrated`; on a database that a
/// newer program has migrated, `NewerSchema`.
#[async_trait]
pub trait Warehouse: Send + Sync {
    /// Creates or upgrades the schema; safe to run again.
    async fn migrate(&self, schema: &Schema) -> Result<MigrationReport, WarehouseError>;

    /// The SQL that `migrate` would run on an empty database, as text for people. What `migrate` would refuse stands in
    /// it as a comment.
    fn schema_sql(&self, schema: &Schema) -> String;

    /// The latest generation that `migrate` gave to this meaning. `NotMigrated` if it gave none.
    async fn generation(&self, meaning: &FeedMeaning) -> Result<i64, WarehouseError>;

    /// What the ledger says of a unit; `None`: never counted.
    async fn unit(&self, unit: &FileUnit) -> Result<Option<UnitRecord>, WarehouseError>;

    /// One transaction, under the locks of the feed and its summaries: read the ledger, ask which version is landed,
    /// then replace this unit's parts and recompute what they touch.
    async fn commit_file(&self, load: &FileLoad, landed: &dyn LandedVersion) -> Result<Outcome, WarehouseError>;

    /// Up to `limit` units of a feed with names after `after`, by the bytes of the blob's name.
    async fn units(
        &self,
        feed: &FeedName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<UnitRecord>, WarehouseError>;

    /// What happened to a unit, the newest first, at most `limit` entries.
    async fn history(&self, unit: &FileUnit, limit: usize) -> Result<Vec<HistoryEntry>, WarehouseError>;

    /// What a unit counts at present, one entry for each table that has something of it.
    async fn contributions(&self, unit: &FileUnit) -> Result<Vec<Contribution>, WarehouseError>;

    /// One transaction under the locks of a commit: removes the unit's parts, recomputes what they touched, and has the
    /// ledger say that the order's version is retracted. From its end on no message of that version commits.
    async fn retract(&self, order: &RetractionOrder) -> Result<RetractionOutcome, WarehouseError>;

    /// Forgets that a unit was retracted, so that the next message of its version counts. Returns what the ledger said;
    /// `None`: the unit is not retracted.
    async fn restore(&self, unit: &FileUnit, at: DateTime<Utc>) -> Result<Option<UnitRecord>, WarehouseError>;

    /// What the ledger says of a stream's partition; `None`: nothing of it was ever counted.
    async fn stream(&self, unit: &StreamUnit) -> Result<Option<StreamRecord>, WarehouseError>;

    /// Every partition of every incarnation that a feed ever counted, by namespace, hub, incarnation and partition, of
    /// which the shorter come first: they are numbers.
    async fn streams(&self, feed: &FeedName) -> Result<Vec<StreamRecord>, WarehouseError>;

    /// One transaction, under the locks of the feed and its summaries: reads the ledger, and where it is as the load
    /// expects, merges the load's parts into the unit's and into the summaries, and moves `applied`. A summary of which
    /// the ledger knows nothing for this unit is written down to count since the load's first number; one that the load no
    /// longer has, to have counted until the number before it.
    ///
    /// # Errors
    /// `Data`: nothing of the load counts. After any other error it counts wholly or not at all, and only the ledger says
    /// which, as a commit may succeed although its answer is lost; whoever looks again counts nothing twice. A file of bad
    /// events that was written for the load is nobody's after `Data` and `Moved`; after another error it must stay as long
    /// as [`Warehouse::stream_quarantine`] may name it.
    async fn commit_stream(&self, load: &StreamLoad) -> Result<StreamOutcome, WarehouseError>;

    /// The gaps of a feed's streams, the newest first, at most `limit`.
    async fn stream_gaps(&self, feed: &FeedName, limit: usize) -> Result<Vec<RecordedGap>, WarehouseError>;

    /// Since when each summary counts a unit, the earliest first; those too that count no longer.
    async fn stream_summaries(&self, unit: &StreamUnit) -> Result<Vec<SummarySince>, WarehouseError>;

    /// The files of bad events that commits of a feed's streams made valid, by name: up to `limit` after `after`. Each
    /// with its unit, as `replay --quarantine` names files after it.
    async fn stream_quarantine(
        &self,
        feed: &FeedName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(StreamUnit, QuarantinedEvents)>, WarehouseError>;

    /// Recounts every summary table of the database from its parts, each in a transaction of its own, in the order of
    /// their names. Memory does not grow with a table; at most `limit` differences of each are listed.
    ///
    /// # Errors
    /// `NotMigrated` where a table of the schema is missing or has other columns; `Data`, where a repair meets a sum that
    /// does not fit.
    async fn verify(&self, schema: &Schema, remedy: Remedy, limit: usize) -> Result<Vec<TableCheck>, WarehouseError>;

    /// As whom the warehouse is reached, and what it lacks for this schema. Changes nothing; a database that sleeps wakes.
    async fn standing(&self, schema: &Schema) -> Result<Standing, WarehouseError>;

    /// A whole summary table, for people and tests.
    async fn summary(&self, plan: &SummaryPlan) -> Result<SummaryRows, WarehouseError>;
}
