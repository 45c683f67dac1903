//! The ledger's rows: units, generations, history, and how each summary table was made.

use millrace_frames::plan::SummaryPlan;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::connection::failed;
use super::values::{NotOurs, time_of, time_text};
use crate::names::{BadName, BlobName, ETag, FeedName, Sha256};
use crate::stations::warehouse::shape::{ColumnKind, ShapeColumn, TableShape};
use crate::stations::warehouse::{
    Displaced, FeedMeaning, FileUnit, HistoryEntry, LedgerEvent, UnitRecord, WarehouseError,
};

/// The upgrades of the fixed tables, oldest first; the number of the last is the version that this program knows.
pub const UPGRADES: [&str; 3] =
    [include_str!("sql/schema_1.sql"), include_str!("sql/schema_2.sql"), include_str!("sql/schema_3.sql")];

pub fn known_version() -> i64 {
    i64::try_from(UPGRADES.len()).expect("there are fewer upgrades than an i64 counts")
}

/// The version of the fixed tables; 0 for a database without them.
///
/// # Errors
/// `NewerSchema`, for a version that this program does not know.
pub fn schema_version(connection: &Connection) -> Result<i64, WarehouseError> {
    let operation = "reading the schema version";
    let has_schema: bool = query_one(connection, include_str!("sql/has_schema.sql"), [], operation)?;
    if !has_schema {
        return Ok(0);
    }
    let found: i64 = query_one(connection, include_str!("sql/read_version.sql"), [], operation)?;
    if found > known_version() {
        return Err(WarehouseError::NewerSchema { found, known: known_version() });
    }
    Ok(found)
}

/// # Errors
/// `NotMigrated` where the fixed tables are missing or older than this program; `NewerSchema`.
pub fn require_schema(connection: &Connection, feed: &FeedName) -> Result<(), WarehouseError> {
    if schema_version(connection)? < known_version() {
        return Err(WarehouseError::NotMigrated { feed: feed.clone() });
    }
    Ok(())
}

pub fn read_unit(connection: &Connection, unit: &FileUnit) -> Result<Option<UnitRecord>, WarehouseError> {
    let operation = "reading the ledger";
    let mut statement = connection.prepare_cached(include_str!("sql/read_unit.sql")).map_err(failed(operation))?;
    let mut rows = statement.query([unit.id().as_str()]).map_err(failed(operation))?;
    match rows.next().map_err(failed(operation))? {
        Some(row) => unit_record(row).map(Some),
        None => Ok(None),
    }
}

pub fn read_units(
    connection: &Connection,
    feed: &FeedName,
    after: Option<&BlobName>,
    limit: usize,
) -> Result<Vec<UnitRecord>, WarehouseError> {
    let operation = "listing the ledger";
    let mut statement = connection.prepare_cached(include_str!("sql/read_units.sql")).map_err(failed(operation))?;
    let after = after.map_or("", BlobName::as_str);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![feed.as_str(), after, limit]).map_err(failed(operation))?;
    let mut units = Vec::new();
    while let Some(row) = rows.next().map_err(failed(operation))? {
        units.push(unit_record(row)?);
    }
    Ok(units)
}

/// Writes the unit's new row.
pub fn write_unit(connection: &Connection, record: &UnitRecord) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(include_str!("sql/upsert_unit.sql"))?.execute(params![
        record.unit.id().as_str(),
        record.unit.feed.as_str(),
        record.unit.blob.as_str(),
        record.etag.as_str(),
        record.generation,
        record.load_id,
        record.size_bytes,
        record.sha256.as_ref().map(Sha256::as_str),
        record.rows_read,
        record.rows_rejected,
        record.quarantine,
        record.curated,
        time_text(record.committed_at),
        record.retracted_at.map(time_text),
    ])?;
    Ok(())
}

/// Writes a line of the history.
pub fn write_history(connection: &Connection, unit: &FileUnit, entry: &HistoryEntry) -> Result<(), rusqlite::Error> {
    let displaced = entry.displaced.as_ref();
    connection.prepare_cached(include_str!("sql/insert_history.sql"))?.execute(params![
        unit.id().as_str(),
        unit.feed.as_str(),
        unit.blob.as_str(),
        entry.etag.as_str(),
        entry.generation,
        entry.load_id,
        entry.event.word(),
        entry.rows_read,
        entry.rows_rejected,
        entry.curated,
        time_text(entry.at),
        displaced.map(|old| old.etag.as_str()),
        displaced.map(|old| old.generation),
        displaced.map(|old| old.load_id.as_str()),
    ])?;
    Ok(())
}

/// What happened to a unit, the newest first.
pub fn read_history(
    connection: &Connection,
    unit: &FileUnit,
    limit: usize,
) -> Result<Vec<HistoryEntry>, WarehouseError> {
    let operation = "reading the history";
    let mut statement = connection.prepare_cached(include_str!("sql/read_history.sql")).map_err(failed(operation))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![unit.id().as_str(), limit]).map_err(failed(operation))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(failed(operation))? {
        entries.push(history_entry(row)?);
    }
    Ok(entries)
}

pub fn delete_unit(connection: &Connection, unit: &FileUnit) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(include_str!("sql/delete_unit.sql"))?.execute([unit.id().as_str()]).map(|_| ())
}

/// The latest generation of a meaning.
pub fn generation_of(connection: &Connection, meaning: &FeedMeaning) -> Result<Option<i64>, WarehouseError> {
    let key = [meaning.feed.as_str(), meaning.fingerprint.as_str()];
    query_one(connection, include_str!("sql/read_generation.sql"), key, "reading the generation")
}

/// The latest generation of a feed, and the fingerprint that has it.
pub fn latest_generation(connection: &Connection, feed: &str) -> Result<Option<(i64, String)>, WarehouseError> {
    let operation = "reading the latest generation";
    let mut statement =
        connection.prepare_cached(include_str!("sql/read_latest_generation.sql")).map_err(failed(operation))?;
    let latest = statement.query_row([feed], |row| Ok((row.get(0)?, row.get(1)?)));
    latest.optional().map_err(failed(operation))
}

/// How every summary table was made, ordered by name.
pub fn stored_shapes(connection: &Connection) -> Result<Vec<TableShape>, WarehouseError> {
    let operation = "reading the summaries' columns";
    let mut statement = connection.prepare_cached(include_str!("sql/read_columns.sql")).map_err(failed(operation))?;
    let mut rows = statement.query([]).map_err(failed(operation))?;
    let mut shapes: Vec<TableShape> = Vec::new();
    while let Some(row) = rows.next().map_err(failed(operation))? {
        let (table, column) = shape_column(row).map_err(failed(operation))?;
        let column = column.map_err(|source| WarehouseError::Database { operation, source: source.into() })?;
        match shapes.last_mut() {
            Some(last) if last.table == table => last.columns.push(column),
            _ => shapes.push(TableShape { table, columns: vec![column] }),
        }
    }
    Ok(shapes)
}

/// The shape that the database has for a plan.
///
/// # Errors
/// `NotMigrated` where there is none, or one that disagrees with the plan.
pub fn require_shape(connection: &Connection, plan: &SummaryPlan, feed: &FeedName) -> Result<(), WarehouseError> {
    let wanted = TableShape::of(plan)?;
    let known = stored_shapes(connection)?;
    if known.iter().any(|shape| shape.table == wanted.table && shape.agrees_with(&wanted)) {
        return Ok(());
    }
    Err(WarehouseError::NotMigrated { feed: feed.clone() })
}

pub fn query_one<T: rusqlite::types::FromSql>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    operation: &'static str,
) -> Result<T, WarehouseError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed(operation))?;
    statement.query_row(parameters, |row| row.get(0)).map_err(failed(operation))
}

fn shape_column(row: &Row<'_>) -> Result<(String, Result<ShapeColumn, NotOurs>), rusqlite::Error> {
    let (table, name): (String, String) = (row.get(0)?, row.get(1)?);
    let (type_word, merge_word): (String, Option<String>) = (row.get(2)?, row.get(3)?);
    let column = match ColumnKind::from_words(&type_word, merge_word.as_deref()) {
        Some(kind) => Ok(ShapeColumn { name, kind }),
        None => Err(NotOurs { found: format!("type `{type_word}` of column `{name}`"), expected: "a column's type" }),
    };
    Ok((table, column))
}

fn unit_record(row: &Row<'_>) -> Result<UnitRecord, WarehouseError> {
    let operation = "understanding a unit of the ledger";
    let named = |error: BadName| WarehouseError::Database { operation, source: error.into() };
    let text = |position: usize| row.get::<_, String>(position).map_err(failed(operation));
    let number = |position: usize| row.get::<_, i64>(position).map_err(failed(operation));
    let optional = |position: usize| row.get::<_, Option<String>>(position).map_err(failed(operation));
    let time = |text: &str| time_of(text).map_err(|error| WarehouseError::Database { operation, source: error.into() });
    Ok(UnitRecord {
        unit: FileUnit { feed: FeedName::new(text(0)?).map_err(named)?, blob: BlobName::new(text(1)?).map_err(named)? },
        etag: ETag::new(text(2)?).map_err(named)?,
        generation: number(3)?,
        load_id: text(4)?,
        size_bytes: number(5)?,
        sha256: optional(6)?.map(Sha256::new).transpose().map_err(named)?,
        rows_read: number(7)?,
        rows_rejected: number(8)?,
        quarantine: optional(9)?,
        curated: optional(10)?,
        committed_at: time(&text(11)?)?,
        retracted_at: optional(12)?.map(|at| time(&at)).transpose()?,
    })
}

fn history_entry(row: &Row<'_>) -> Result<HistoryEntry, WarehouseError> {
    let operation = "understanding the history";
    let named = |error: BadName| WarehouseError::Database { operation, source: error.into() };
    let text = |position: usize| row.get::<_, String>(position).map_err(failed(operation));
    let number = |position: usize| row.get::<_, i64>(position).map_err(failed(operation));
    let word = text(0)?;
    let event = LedgerEvent::from_word(&word).ok_or_else(|| {
        let fault = NotOurs { found: format!("outcome `{word}`"), expected: "an outcome" };
        WarehouseError::Database { operation, source: fault.into() }
    })?;
    let displaced = match row.get::<_, Option<String>>(8).map_err(failed(operation))? {
        None => None,
        Some(etag) => {
            Some(Displaced { etag: ETag::new(etag).map_err(named)?, generation: number(9)?, load_id: text(10)? })
        }
    };
    Ok(HistoryEntry {
        event,
        etag: ETag::new(text(1)?).map_err(named)?,
        generation: number(2)?,
        load_id: text(3)?,
        rows_read: number(4)?,
        rows_rejected: number(5)?,
        curated: row.get(6).map_err(failed(operation))?,
        at: time_of(&text(7)?).map_err(|error| WarehouseError::Database { operation, source: error.into() })?,
        displaced,
    })
}
