//! The embedded warehouse: one SQLite file, which several processes may use at once.
//!
//! Nothing touches the file until the first call that needs it. Tables carry the schema's name as a prefix
//! (`millrace_unit`), summaries their own. Merging is SQL, in `sql/`; only decimals, which SQLite does not know, are
//! merged by aggregates of our own.

use std::path::PathBuf;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use millrace_frames::plan::SummaryPlan;
use rusqlite::Connection;

use self::connection::{Access, Connections, failed};
use self::table_sql::TableSql;
use super::shape::TableShape;
use super::{
    Contribution, FeedMeaning, FileLoad, FileUnit, HistoryEntry, LandedVersion, MigrationReport, Outcome,
    QuarantinedEvents, RecordedGap, Remedy, RetractionOrder, RetractionOutcome, Schema, Standing, StreamLoad,
    StreamOutcome, StreamRecord, StreamUnit, SummaryRows, SummarySince, TableCheck, UnitRecord, Warehouse,
    WarehouseError,
};
use crate::names::{BlobName, FeedName};

mod accumulate;
mod commit;
mod commit_stream;
mod connection;
mod decimals;
mod ledger;
mod migrate;
mod replace;
mod retract;
mod standing;
mod stream_ledger;
mod table_sql;
mod values;
mod verify;
mod verify_sql;

/// A warehouse in a SQLite file.
#[derive(Debug)]
pub struct SqliteWarehouse {
    connections: Connections,
}

impl SqliteWarehouse {
    /// Opens nothing yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        SqliteWarehouse { connections: Connections::new(path.into()) }
    }

    /// One piece of work on a migrated database; a transaction that it begins it ends, but for an error, which closes the
    /// connection.
    async fn on_schema<T: Send + 'static>(
        &self,
        feed: FeedName,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, WarehouseError> + Send + 'static,
    ) -> Result<T, WarehouseError> {
        let access = Access::Existing { feed: feed.clone() };
        let guarded = move |connection: &mut Connection| {
            ledger::require_schema(connection, &feed)?;
            work(connection)
        };
        self.connections.run(access, operation, guarded).await
    }
}

#[async_trait]
impl Warehouse for SqliteWarehouse {
    async fn migrate(&self, schema: &Schema) -> Result<MigrationReport, WarehouseError> {
        let schema = schema.clone();
        let work = move |connection: &mut Connection| migrate::migrate(connection, &schema);
        self.connections.run(Access::Create, "migrating", work).await
    }

    fn schema_sql(&self, schema: &Schema) -> String {
        migrate::schema_sql(schema)
    }

    async fn generation(&self, meaning: &FeedMeaning) -> Result<i64, WarehouseError> {
        let asked = meaning.clone();
        let work = move |connection: &Connection| ledger::generation_of(connection, &asked);
        let known = self.on_schema(meaning.feed.clone(), "reading the generation", work).await?;
        known.ok_or_else(|| WarehouseError::NotMigrated { feed: meaning.feed.clone() })
    }

    async fn unit(&self, unit: &FileUnit) -> Result<Option<UnitRecord>, WarehouseError> {
        let asked = unit.clone();
        let work = move |connection: &Connection| ledger::read_unit(connection, &asked);
        self.on_schema(unit.feed.clone(), "reading the ledger", work).await
    }

    async fn commit_file(&self, load: &FileLoad, landed: &dyn LandedVersion) -> Result<Outcome, WarehouseError> {
        self.commit_version(load, landed).await
    }

    async fn units(
        &self,
        feed: &FeedName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<UnitRecord>, WarehouseError> {
        let (asked, after) = (feed.clone(), after.cloned());
        let work = move |connection: &Connection| ledger::read_units(connection, &asked, after.as_ref(), limit);
        self.on_schema(feed.clone(), "listing the ledger", work).await
    }

    async fn history(&self, unit: &FileUnit, limit: usize) -> Result<Vec<HistoryEntry>, WarehouseError> {
        let asked = unit.clone();
        let work = move |connection: &Connection| ledger::read_history(connection, &asked, limit);
        self.on_schema(unit.feed.clone(), "reading the history", work).await
    }

    async fn contributions(&self, unit: &FileUnit) -> Result<Vec<Contribution>, WarehouseError> {
        let asked = unit.clone();
        let work = move |connection: &Connection| retract::contributions(connection, &asked);
        self.on_schema(unit.feed.clone(), "counting the keys of a unit", work).await
    }

    async fn retract(&self, order: &RetractionOrder) -> Result<RetractionOutcome, WarehouseError> {
        let asked = order.clone();
        let work = move |connection: &Connection| retract::retract(connection, &asked);
        self.on_schema(order.unit.feed.clone(), "retracting", work).await
    }

    async fn restore(&self, unit: &FileUnit, at: DateTime<Utc>) -> Result<Option<UnitRecord>, WarehouseError> {
        let asked = unit.clone();
        let work = move |connection: &Connection| retract::restore(connection, &asked, at);
        self.on_schema(unit.feed.clone(), "forgetting a retraction", work).await
    }

    async fn stream(&self, unit: &StreamUnit) -> Result<Option<StreamRecord>, WarehouseError> {
        let asked = unit.clone();
        let work = move |connection: &Connection| stream_ledger::read_stream(connection, &asked);
        self.on_schema(unit.feed.clone(), "reading the ledger", work).await
    }

    async fn streams(&self, feed: &FeedName) -> Result<Vec<StreamRecord>, WarehouseError> {
        let asked = feed.clone();
        let work = move |connection: &Connection| stream_ledger::read_streams(connection, &asked);
        self.on_schema(feed.clone(), "listing streams", work).await
    }

    async fn commit_stream(&self, load: &StreamLoad) -> Result<StreamOutcome, WarehouseError> {
        self.commit_events(load).await
    }

    async fn stream_gaps(&self, feed: &FeedName, limit: usize) -> Result<Vec<RecordedGap>, WarehouseError> {
        let asked = feed.clone();
        let work = move |connection: &Connection| stream_ledger::read_gaps(connection, &asked, limit);
        self.on_schema(feed.clone(), "listing gaps", work).await
    }

    async fn stream_summaries(&self, unit: &StreamUnit) -> Result<Vec<SummarySince>, WarehouseError> {
        let asked = unit.clone();
        let work = move |connection: &Connection| stream_ledger::read_summaries(connection, &asked);
        self.on_schema(unit.feed.clone(), "listing what counts a stream", work).await
    }

    async fn stream_quarantine(
        &self,
        feed: &FeedName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(StreamUnit, QuarantinedEvents)>, WarehouseError> {
        let (asked, after) = (feed.clone(), after.map(str::to_owned));
        let work =
            move |connection: &Connection| stream_ledger::read_quarantine(connection, &asked, after.as_deref(), limit);
        self.on_schema(feed.clone(), "listing files of bad events", work).await
    }

    async fn verify(&self, schema: &Schema, remedy: Remedy, limit: usize) -> Result<Vec<TableCheck>, WarehouseError> {
        let Some(first) = schema.meanings.first() else { return Ok(Vec::new()) };
        let asked = schema.clone();
        let work = move |connection: &Connection| verify::verify(connection, &asked, remedy, limit);
        self.on_schema(first.feed.clone(), "recounting", work).await
    }

    async fn standing(&self, schema: &Schema) -> Result<Standing, WarehouseError> {
        let file = self.connections.path().to_owned();
        if !file.exists() {
            return Ok(standing::of_no_file(&file));
        }
        let schema = schema.clone();
        let work = move |connection: &mut Connection| standing::standing(connection, &file, &schema);
        self.connections.run(Access::There, "looking at the database", work).await
    }

    async fn summary(&self, plan: &SummaryPlan) -> Result<SummaryRows, WarehouseError> {
        let feed = FeedName::new(plan.feed.clone())
            .map_err(|error| WarehouseError::Data { table: plan.table.clone(), reason: error.to_string() })?;
        let (asked, plan) = (feed.clone(), plan.clone());
        self.on_schema(feed, "reading a summary", move |connection| read_summary(connection, &asked, &plan)).await
    }
}

fn read_summary(connection: &Connection, feed: &FeedName, plan: &SummaryPlan) -> Result<SummaryRows, WarehouseError> {
    let operation = "reading a summary";
    ledger::require_shape(connection, plan, feed)?;
    let table = TableSql::new(TableShape::of(plan)?);
    let mut statement =
        connection.prepare(&table.fill(include_str!("sql/read_summary.sql"))).map_err(failed(operation))?;
    let mut stored = statement.query([]).map_err(failed(operation))?;
    let mut rows = Vec::new();
    while let Some(row) = stored.next().map_err(failed(operation))? {
        let values = table.shape.columns.iter().enumerate().map(|(position, column)| {
            let value = row.get_ref(position).map_err(failed(operation))?;
            values::stored(column.kind, value)
                .map_err(|error| WarehouseError::Database { operation, source: error.into() })
        });
        rows.push(values.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(SummaryRows { columns: table.shape.columns.into_iter().map(|column| column.name).collect(), rows })
}
