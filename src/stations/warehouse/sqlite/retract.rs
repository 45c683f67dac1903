//! A unit's counts taken back, in the form of a commit: the lock, the ledger, the parts, the keys that they touched.

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use super::connection::failed;
use super::ledger::{
    delete_unit, latest_generation, query_one, read_unit, require_schema, stored_shapes, write_history, write_unit,
};
use super::replace::{empty_touched, recompute_touched, take_parts_out};
use super::table_sql::TableSql;
use crate::stations::warehouse::{
    Contribution, FileUnit, HistoryEntry, LedgerEvent, RetractionOrder, RetractionOutcome, UnitRecord, WarehouseError,
};

pub fn contributions(connection: &Connection, unit: &FileUnit) -> Result<Vec<Contribution>, WarehouseError> {
    let mut contributions = Vec::new();
    for shape in stored_shapes(connection)? {
        contributions.extend(contribution(connection, &TableSql::new(shape), unit.id().as_str())?);
    }
    Ok(contributions)
}

fn contribution(
    connection: &Connection,
    table: &TableSql,
    unit_id: &str,
) -> Result<Option<Contribution>, WarehouseError> {
    let operation = "counting the keys of a unit";
    let sql = table.fill(include_str!("sql/count_keys_of_unit.sql"));
    let mut statement = connection.prepare_cached(&sql).map_err(failed(operation))?;
    let counted = statement.query_row([unit_id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    let (keys, own_keys) = counted.map_err(failed(operation))?;
    let (table, keys, own_keys) = (table.shape.table.clone(), keys.unsigned_abs(), own_keys.unsigned_abs());
    Ok((keys > 0).then_some(Contribution { table, keys, own_keys }))
}

pub fn retract(connection: &Connection, order: &RetractionOrder) -> Result<RetractionOutcome, WarehouseError> {
    begin(connection, &order.unit)?;
    let ledger = read_unit(connection, &order.unit)?;
    if ledger.as_ref().map(|counted| &counted.etag) != order.counted.as_ref() {
        return roll_back(connection, RetractionOutcome::Moved);
    }
    if ledger.as_ref().is_some_and(|unit| unit.retracted_at.is_some() && unit.etag == order.version) {
        return roll_back(connection, RetractionOutcome::Retracted { taken_back: Vec::new() });
    }
    let latest = latest_generation(connection, order.unit.feed.as_str())?.map_or(0, |(generation, _)| generation);
    let record = order.record(ledger.as_ref(), latest);
    write_unit(connection, &record).map_err(failed("writing the ledger"))?;
    let entry = retracted(order, &record, ledger.as_ref());
    write_history(connection, &order.unit, &entry).map_err(failed("writing the history"))?;
    let taken_back = take_back(connection, order.unit.id().as_str())?;
    commit(connection)?;
    Ok(RetractionOutcome::Retracted { taken_back })
}

/// Every table that ever had parts is looked at, as a commit does.
fn take_back(connection: &Connection, unit_id: &str) -> Result<Vec<Contribution>, WarehouseError> {
    let mut taken_back = Vec::new();
    for shape in stored_shapes(connection)? {
        let table = TableSql::new(shape);
        let sql = table.fill(include_str!("sql/has_parts.sql"));
        if !query_one::<bool>(connection, &sql, [unit_id], "looking for old parts")? {
            continue;
        }
        taken_back.extend(contribution(connection, &table, unit_id)?);
        empty_touched(connection, &table)?;
        take_parts_out(connection, &table, unit_id)?;
        recompute_touched(connection, &table)?;
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

pub fn restore(
    connection: &Connection,
    unit: &FileUnit,
    at: DateTime<Utc>,
) -> Result<Option<UnitRecord>, WarehouseError> {
    begin(connection, unit)?;
    let Some(record) = read_unit(connection, unit)?.filter(|record| record.retracted_at.is_some()) else {
        return roll_back(connection, None);
    };
    delete_unit(connection, unit).map_err(failed("writing the ledger"))?;
    let entry = HistoryEntry {
        event: LedgerEvent::Restored,
        etag: record.etag.clone(),
        generation: record.generation,
        load_id: record.load_id.clone(),
        rows_read: 0,
        rows_rejected: 0,
        curated: None,
        at,
        displaced: None,
    };
    write_history(connection, unit, &entry).map_err(failed("writing the history"))?;
    commit(connection)?;
    Ok(Some(record))
}

/// The lock of a commit: see [`super::replace::lock`].
fn begin(connection: &Connection, unit: &FileUnit) -> Result<(), WarehouseError> {
    require_schema(connection, &unit.feed)?;
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed("waiting for the lock"))
}

fn commit(connection: &Connection) -> Result<(), WarehouseError> {
    connection.execute_batch("COMMIT").map_err(failed("committing the retraction"))
}

fn roll_back<T>(connection: &Connection, outcome: T) -> Result<T, WarehouseError> {
    connection.execute_batch("ROLLBACK").map_err(failed("ending the transaction"))?;
    Ok(outcome)
}
