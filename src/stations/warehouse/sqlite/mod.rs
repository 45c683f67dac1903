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

use self::connection::{Access, Connections, Lease, failed};
use self::table_sql::TableSql;
use super::ledger::{settled_by_landing, settled_by_ledger};
use super::shape::TableShape;
use super::{
    Contribution, FeedMeaning, FileLoad, FileUnit, HistoryEntry, LandedVersion, MigrationReport, Outcome,
    QuarantinedEvents, RecordedGap, Remedy, RetractionOrder, RetractionOutcome, Schema, StreamLoad, StreamOutcome,
    StreamRecord, StreamUnit, SummaryRows, SummarySince, TableCheck, UnitRecord, Warehouse, WarehouseError,
};
use crate::names::{BlobName, FeedName};

mod connection;
mod decimals;
mod ledger;
mod migrate;
mod replace;
mod retract;
mod table_sql;
mod values;
mod verify;
mod verify_sql;

/// Rows that are copied to the blocking thread at a time: bounds the memory that a commit adds to its load.
const FILL_ROWS: usize = 4_096;

/// A warehouse in a SQLite file.
#[derive(Debug)]
pub struct SqliteWarehouse {
    connections: Connections,
}

/// How one run of the commit's transaction ended.
enum Attempt {
    Settled(Outcome),
    /// COMMIT itself failed: only the ledger knows whether it counts.
    Unknown {
        displaced: Option<UnitRecord>,
        error: WarehouseError,
    },
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

    async fn attempt(&self, load: &FileLoad, landed: &dyn LandedVersion) -> Result<Attempt, WarehouseError> {
        let record = &load.record;
        let plans: Vec<SummaryPlan> = load.parts.iter().map(|part| part.plan.clone()).collect();
        let tables = TableShape::of_all(&plans)?;

        let mut lease = self.connections.lease(Access::Existing { feed: record.unit.feed.clone() }).await;
        let last_pieces = fill_temporary_tables(&mut lease, load, &tables).await?;
        let (ours, shapes) = (record.clone(), tables.clone());
        let locked = move |connection: &mut Connection| {
            run_all(connection, last_pieces)?;
            replace::lock(connection, &ours, &shapes)
        };
        let ledger = lease.run("locking", locked).await?;
        if let Some(outcome) = settled_by_ledger(ledger.as_ref(), record)? {
            return roll_back(lease, outcome).await;
        }
        let blob = &record.unit.blob;
        let current = landed.current(blob).await;
        let current = current.map_err(|source| WarehouseError::LandedVersion { blob: blob.clone(), source })?;
        if let Some(outcome) = settled_by_landing(ledger.as_ref(), record, current.as_ref()) {
            return roll_back(lease, outcome).await;
        }
        let (ours, displaced) = (record.clone(), ledger.clone());
        let replaced = move |connection: &mut Connection| {
            replace::replace(connection, &ours, displaced.as_ref(), &tables)?;
            Ok(end_transaction(connection, "COMMIT"))
        };
        if let Err(error) = lease.run("replacing parts", replaced).await? {
            return Ok(Attempt::Unknown { displaced: ledger, error });
        }
        lease.give_back();
        Ok(Attempt::Settled(Outcome::Committed { displaced: ledger }))
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
        let (displaced, error) = match self.attempt(load, landed).await? {
            Attempt::Settled(outcome) => return Ok(outcome),
            Attempt::Unknown { displaced, error } => (displaced, error),
        };
        // Ours, if the ledger names this very load; then the second run would displace nothing and say less.
        let counted = self.unit(&load.record.unit).await?;
        if counted.is_some_and(|counted| counted.load_id == load.record.load_id) {
            return Ok(Outcome::Committed { displaced });
        }
        match self.attempt(load, landed).await? {
            Attempt::Settled(outcome) => Ok(outcome),
            Attempt::Unknown { .. } => Err(error),
        }
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

    async fn stream(&self, _unit: &StreamUnit) -> Result<Option<StreamRecord>, WarehouseError> {
        unimplemented!()
    }

    async fn streams(&self, _feed: &FeedName) -> Result<Vec<StreamRecord>, WarehouseError> {
        unimplemented!()
    }

    async fn commit_stream(&self, _load: &StreamLoad) -> Result<StreamOutcome, WarehouseError> {
        unimplemented!()
    }

    async fn stream_gaps(&self, _feed: &FeedName, _limit: usize) -> Result<Vec<RecordedGap>, WarehouseError> {
        unimplemented!()
    }

    async fn stream_summaries(&self, _unit: &StreamUnit) -> Result<Vec<SummarySince>, WarehouseError> {
        unimplemented!()
    }

    async fn stream_quarantine(
        &self,
        _feed: &FeedName,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Vec<(StreamUnit, QuarantinedEvents)>, WarehouseError> {
        unimplemented!()
    }

    async fn verify(&self, schema: &Schema, remedy: Remedy, limit: usize) -> Result<Vec<TableCheck>, WarehouseError> {
        let Some(first) = schema.meanings.first() else { return Ok(Vec::new()) };
        let asked = schema.clone();
        let work = move |connection: &Connection| verify::verify(connection, &asked, remedy, limit);
        self.on_schema(first.feed.clone(), "recounting", work).await
    }

    async fn summary(&self, plan: &SummaryPlan) -> Result<SummaryRows, WarehouseError> {
        let feed = FeedName::new(plan.feed.clone())
            .map_err(|error| WarehouseError::Data { table: plan.table.clone(), reason: error.to_string() })?;
        let (asked, plan) = (feed.clone(), plan.clone());
        self.on_schema(feed, "reading a summary", move |connection| read_summary(connection, &asked, &plan)).await
    }
}

/// Something to do on the blocking thread. Each way there and back costs more than what it does for a small file, so
/// pieces go together.
type Piece = Box<dyn FnOnce(&mut Connection) -> Result<(), WarehouseError> + Send>;

fn run_all(connection: &mut Connection, pieces: Vec<Piece>) -> Result<(), WarehouseError> {
    pieces.into_iter().try_for_each(|piece| piece(connection))
}

/// Returns the pieces that are left to run.
async fn fill_temporary_tables(
    lease: &mut Lease,
    load: &FileLoad,
    tables: &[TableShape],
) -> Result<Vec<Piece>, WarehouseError> {
    let (feed, shapes) = (load.record.unit.feed.clone(), tables.to_vec());
    let mut pieces: Vec<Piece> = vec![Box::new(move |connection| {
        ledger::require_schema(connection, &feed)?;
        replace::prepare(connection, &shapes)
    })];
    let mut copied_rows = 0;
    for part in &load.parts {
        let table = TableSql::new(TableShape::of(&part.plan)?);
        for rows in part.rows.chunks(FILL_ROWS) {
            if copied_rows + rows.len() > FILL_ROWS {
                let full = std::mem::take(&mut pieces);
                lease.run("filling", move |connection| run_all(connection, full)).await?;
                copied_rows = 0;
            }
            copied_rows += rows.len();
            let (table, summary_id, rows) = (table.clone(), part.plan.id.clone(), rows.to_vec());
            pieces.push(Box::new(move |connection| replace::fill(connection, &table, &summary_id, &rows)));
        }
    }
    Ok(pieces)
}

async fn roll_back(mut lease: Lease, outcome: Outcome) -> Result<Attempt, WarehouseError> {
    lease.run("rolling back", |connection| end_transaction(connection, "ROLLBACK")).await?;
    lease.give_back();
    Ok(Attempt::Settled(outcome))
}

fn end_transaction(connection: &Connection, statement: &'static str) -> Result<(), WarehouseError> {
    connection.execute_batch(statement).map_err(failed("ending the transaction"))
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
