//! A unit's counts taken back, in the form of a commit: the locks, the ledger, the parts, the keys that they touched.

use chrono::{DateTime, Utc};

use super::SqlServerWarehouse;
use super::errors::{Fault, SqlError, failed};
use super::ledger::{delete_unit, latest_generation, order_of, read_unit, require_schema, write_history, write_unit};
use super::locks::{LockMode, begin, commit, lock_feed, lock_schema, roll_back};
use super::replace::{leave, lock_summaries, with_parts_of};
use super::retry::Retries;
use super::session::Session;
use super::table_sql::TableSql;
use super::values::{Fields, unit_id};
use crate::names::Sha256;
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::{
    Contribution, FileUnit, HistoryEntry, LedgerEvent, RetractionOrder, RetractionOutcome, UnitRecord, Warehouse,
    WarehouseError,
};

/// How one run of a transaction ended.
enum Attempt<T> {
    Settled(T),
    /// COMMIT itself failed: only the ledger knows. With what is true if it did not.
    Unknown {
        done: T,
        fault: Fault,
    },
}

pub async fn contributions(session: &mut Session, unit: &FileUnit) -> Result<Vec<Contribution>, Fault> {
    let id = unit.id();
    let mut contributions = Vec::new();
    for shape in with_parts_of(session, &id).await? {
        contributions.push(contribution(session, shape, &id).await?);
    }
    Ok(contributions)
}

async fn contribution(session: &mut Session, shape: TableShape, unit: &Sha256) -> Result<Contribution, Fault> {
    let operation = "counting the keys of a unit";
    let table = TableSql::new(shape);
    let sql = table.fill(include_str!("sql/count_keys_of_unit.sql"));
    let rows = session.rows(&sql, vec![unit_id(unit)], operation).await?;
    let counted = rows.first().map(|row| {
        let mut fields = Fields::of(row);
        Ok::<_, SqlError>((fields.count()?, fields.count()?))
    });
    let (keys, own_keys) = counted.transpose().map_err(failed(operation))?.unwrap_or_default();
    Ok(Contribution { table: table.shape.table, keys, own_keys })
}

impl SqlServerWarehouse {
    pub(super) async fn take_back(&self, order: &RetractionOrder) -> Result<RetractionOutcome, WarehouseError> {
        order_of(order.unit.blob.as_str(), "unit")?;
        let mut retries = Retries::new(&self.policy);
        let mut unanswered: Option<RetractionOutcome> = None;
        loop {
            match self.attempt_retraction(order).await {
                Ok(Attempt::Settled(outcome)) => match unanswered {
                    // A COMMIT may end after its connection did, and after the ledger was asked.
                    Some(done) if self.is_retracted_by(order).await? => return Ok(done),
                    _ => return Ok(outcome),
                },
                Ok(Attempt::Unknown { done, fault }) => {
                    if self.is_retracted_by(order).await? {
                        return Ok(done);
                    }
                    unanswered = Some(done);
                    retries.after(fault).await?;
                }
                Err(fault) => retries.after(fault).await?,
            }
        }
    }

    /// Whether the latest that happened to the unit is this very retraction.
    async fn is_retracted_by(&self, order: &RetractionOrder) -> Result<bool, WarehouseError> {
        let latest = self.history(&order.unit, 1).await?;
        Ok(latest.iter().any(|entry| entry.event == LedgerEvent::Retracted && entry.load_id == order.id))
    }

    async fn attempt_retraction(&self, order: &RetractionOrder) -> Result<Attempt<RetractionOutcome>, Fault> {
        let mut lease = self.connections.lease().await?;
        let session = lease.session();
        begin_with_locks(session, &order.unit).await?;
        let ledger = read_unit(session, &order.unit).await?;
        let is_moved = ledger.as_ref().map(|counted| &counted.etag) != order.counted.as_ref();
        let is_done = ledger.as_ref().is_some_and(|unit| unit.retracted_at.is_some() && unit.etag == order.version);
        if is_moved || is_done {
            roll_back(session).await?;
            lease.give_back();
            let nothing = RetractionOutcome::Retracted { taken_back: Vec::new() };
            return Ok(Attempt::Settled(if is_moved { RetractionOutcome::Moved } else { nothing }));
        }
        let taken_back = retract(session, order, ledger.as_ref()).await?;
        let done = RetractionOutcome::Retracted { taken_back };
        if let Err(fault) = commit(session).await {
            return Ok(Attempt::Unknown { done, fault });
        }
        lease.give_back();
        Ok(Attempt::Settled(done))
    }

    pub(super) async fn forget_retraction(
        &self,
        unit: &FileUnit,
        at: DateTime<Utc>,
    ) -> Result<Option<UnitRecord>, WarehouseError> {
        let mut retries = Retries::new(&self.policy);
        let mut unanswered: Option<UnitRecord> = None;
        loop {
            match self.attempt_restoration(unit, at).await {
                // Nothing left to restore: it was this one that did it.
                Ok(Attempt::Settled(None)) => return Ok(unanswered),
                Ok(Attempt::Settled(restored)) => return Ok(restored),
                Ok(Attempt::Unknown { done, fault }) => {
                    unanswered = done;
                    retries.after(fault).await?;
                }
                Err(fault) => retries.after(fault).await?,
            }
        }
    }

    async fn attempt_restoration(
        &self,
        unit: &FileUnit,
        at: DateTime<Utc>,
    ) -> Result<Attempt<Option<UnitRecord>>, Fault> {
        let mut lease = self.connections.lease().await?;
        let session = lease.session();
        begin_with_locks(session, unit).await?;
        let Some(record) = read_unit(session, unit).await?.filter(|record| record.retracted_at.is_some()) else {
            roll_back(session).await?;
            lease.give_back();
            return Ok(Attempt::Settled(None));
        };
        delete_unit(session, unit).await?;
        write_history(session, unit, &restored(&record, at)).await?;
        if let Err(fault) = commit(session).await {
            return Ok(Attempt::Unknown { done: Some(record), fault });
        }
        lease.give_back();
        Ok(Attempt::Settled(Some(record)))
    }
}

async fn begin_with_locks(session: &mut Session, unit: &FileUnit) -> Result<(), Fault> {
    require_schema(session, &unit.feed).await?;
    begin(session).await?;
    lock_schema(session, LockMode::Shared).await?;
    lock_feed(session, &unit.feed).await
}

/// Writes the ledger, and takes the unit out of every table that it counts into.
async fn retract(
    session: &mut Session,
    order: &RetractionOrder,
    ledger: Option<&UnitRecord>,
) -> Result<Vec<Contribution>, Fault> {
    let latest = latest_generation(session, order.unit.feed.as_str()).await?.map_or(0, |(generation, _)| generation);
    let record = order.record(ledger, latest);
    write_unit(session, &record).await?;
    write_history(session, &order.unit, &retracted(order, &record, ledger)).await?;
    let id = order.unit.id();
    let mut taken_back = Vec::new();
    for shape in lock_summaries(session, &id, &[]).await? {
        taken_back.push(contribution(session, shape.clone(), &id).await?);
        leave(session, &shape, &id).await.map_err(|fault| fault.of_table(&shape.table))?;
    }
    Ok(taken_back)
}

fn retracted(order: &RetractionOrder, record: &UnitRecord, ledger: Option<&UnitRecord>) -> HistoryEntry {
    let counted = ledger.filter(|unit| unit.retracted_at.is_none());
    HistoryEntry {
        event: LedgerEvent::Retracted,
        etag: order.version.clone(),
        generation: record.generation,
        load_id: order.id.clone(),
        rows_read: counted.map_or(0, |unit| unit.rows_read),
        rows_rejected: counted.map_or(0, |unit| unit.rows_rejected),
        curated: None,
        at: order.at,
        displaced: counted.map(UnitRecord::as_displaced),
    }
}

fn restored(record: &UnitRecord, at: DateTime<Utc>) -> HistoryEntry {
    HistoryEntry {
        event: LedgerEvent::Restored,
        etag: record.etag.clone(),
        generation: record.generation,
        load_id: record.load_id.clone(),
        rows_read: 0,
        rows_rejected: 0,
        curated: None,
        at,
        displaced: None,
    }
}
