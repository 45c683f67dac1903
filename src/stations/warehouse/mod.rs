//! Azure SQL, or SQLite: the ledger of what was counted, the parts, and the summary tables.
//!
//! **Invariant.** Each summary table equals the merge, over every unit, of that unit's parts. Nothing else writes SQL.
//!
//! - [`ledger`]: units, versions and what becomes of a load: the decision that every warehouse makes alike.
//! - [`schema`], [`shape`]: what `migrate` is given, and the tables that follow from it.
//! - [`row_check`]: what a row must be to be taken.
//! - [`sqlite`]: the embedded warehouse.

use async_trait::async_trait;
use millrace_frames::plan::SummaryPlan;

use crate::names::{BlobName, ETag, FeedName};

mod error;
pub mod ledger;
pub mod row_check;
pub mod schema;
pub mod shape;
pub mod sqlite;

pub use error::{Source, WarehouseError};
pub use ledger::{FileLoad, FileUnit, Outcome, SummaryPart, UnitRecord};
pub use schema::{FeedMeaning, MigrationReport, Schema, SummaryRows};

/// Answers which version of a blob is in landing now. The warehouse asks it under the feed's lock.
#[async_trait]
pub trait LandedVersion: Send + Sync {
    /// `None`: the blob is gone.
    async fn current(&self, blob: &BlobName) -> Result<Option<ETag>, Source>;
}

/// Until `migrate` has run, every call but `migrate` and `schema_sql` answers `NotMigrated`; on a database that a newer
/// program has migrated, `NewerSchema`.
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

    /// A whole summary table, for people and tests.
    async fn summary(&self, plan: &SummaryPlan) -> Result<SummaryRows, WarehouseError>;
}
