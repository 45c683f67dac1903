//! A file's commit: temporary tables without a lock, then the transaction, which asks in its middle which version is landed.

use millrace_frames::plan::SummaryPlan;
use rusqlite::Connection;

use super::connection::{Access, Lease, failed};
use super::table_sql::TableSql;
use super::{SqliteWarehouse, ledger, replace};
use crate::names::FeedName;
use crate::stations::warehouse::ledger::{settled_by_landing, settled_by_ledger};
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::{
    FileLoad, LandedVersion, Outcome, SummaryPart, UnitRecord, Warehouse, WarehouseError,
};

/// Rows that are copied to the blocking thread at a time: bounds the memory that a commit adds to its load.
const FILL_ROWS: usize = 4_096;

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
    pub(super) async fn commit_version(
        &self,
        load: &FileLoad,
        landed: &dyn LandedVersion,
    ) -> Result<Outcome, WarehouseError> {
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

    async fn attempt(&self, load: &FileLoad, landed: &dyn LandedVersion) -> Result<Attempt, WarehouseError> {
        let record = &load.record;
        let plans: Vec<SummaryPlan> = load.parts.iter().map(|part| part.plan.clone()).collect();
        let tables = TableShape::of_all(&plans)?;

        let mut lease = self.connections.lease(Access::Existing { feed: record.unit.feed.clone() }).await;
        let last_pieces = fill_temporary_tables(&mut lease, &record.unit.feed, &load.parts, &tables).await?;
        let (ours, shapes) = (record.clone(), tables.clone());
        let locked = move |connection: &mut Connection| {
            run_all(connection, last_pieces)?;
            replace::lock(connection, &ours.unit.feed, ours.generation, &shapes)?;
            ledger::read_unit(connection, &ours.unit)
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

/// Something to do on the blocking thread. Each way there and back costs more than what it does for a small file, so
/// pieces go together.
pub type Piece = Box<dyn FnOnce(&mut Connection) -> Result<(), WarehouseError> + Send>;

pub fn run_all(connection: &mut Connection, pieces: Vec<Piece>) -> Result<(), WarehouseError> {
    pieces.into_iter().try_for_each(|piece| piece(connection))
}

/// Puts a load's parts into temporary tables. Returns the pieces that are left to run.
pub async fn fill_temporary_tables(
    lease: &mut Lease,
    feed: &FeedName,
    parts: &[SummaryPart],
    tables: &[TableShape],
) -> Result<Vec<Piece>, WarehouseError> {
    let (feed, shapes) = (feed.clone(), tables.to_vec());
    let mut pieces: Vec<Piece> = vec![Box::new(move |connection| {
        ledger::require_schema(connection, &feed)?;
        replace::prepare(connection, &shapes)
    })];
    let mut copied_rows = 0;
    for part in parts {
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

pub fn end_transaction(connection: &Connection, statement: &'static str) -> Result<(), WarehouseError> {
    connection.execute_batch(statement).map_err(failed("ending the transaction"))
}
