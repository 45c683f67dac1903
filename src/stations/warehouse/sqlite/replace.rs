//! One unit's parts for its old ones, and the summary rows that this touches. Everything here runs in pieces on one
//! connection, in the order [`prepare`], [`fill`], [`lock`], [`replace`]; who runs them decides in between.

use rusqlite::{Connection, ErrorCode, params_from_iter};

use super::connection::failed;
use super::ledger::{latest_generation, query_one, require_schema, stored_shapes, write_history, write_unit};
use super::table_sql::{RowSource, TableSql};
use super::values::{bound, words};
use crate::names::FeedName;
use crate::stations::warehouse::row_check::check_row;
use crate::stations::warehouse::shape::{ColumnKind, ShapeColumn, TableShape};
use crate::stations::warehouse::{HistoryEntry, LedgerEvent, UnitRecord, WarehouseError};
use millrace_frames::part::Row;
use millrace_frames::plan::{MeasureType, Merge};

/// Makes an empty temporary table for the new parts of each summary table. It needs no lock: only this connection sees
/// them.
pub fn prepare(connection: &Connection, tables: &[TableShape]) -> Result<(), WarehouseError> {
    let operation = "creating the table of new parts";
    for shape in tables {
        let table = TableSql::new(shape.clone());
        execute(connection, &table.fill(include_str!("sql/create_incoming.sql")), [], operation)?;
        execute(connection, &table.fill(include_str!("sql/empty_incoming.sql")), [], operation)?;
    }
    Ok(())
}

/// Puts some of a part's rows into the temporary table, which a bulk of statements fills while no one waits for us.
pub fn fill(
    connection: &mut Connection,
    part: &TableSql,
    summary_id: &str,
    rows: &[Row],
) -> Result<(), WarehouseError> {
    let operation = "filling the table of new parts";
    let transaction = connection.transaction().map_err(failed(operation))?;
    {
        let sql = part.fill(include_str!("sql/fill_incoming.sql"));
        let mut statement = transaction.prepare_cached(&sql).map_err(failed(operation))?;
        for row in rows {
            check_row(&part.shape, row)?;
            statement.raw_bind_parameter(1, summary_id).map_err(failed(operation))?;
            for (position, value) in row.iter().enumerate() {
                statement.raw_bind_parameter(position + 2, bound(value)).map_err(failed(operation))?;
            }
            match statement.raw_execute() {
                Err(error) if is_constraint(&error) => {
                    let reason = "a load counted two rows with one key".to_owned();
                    return Err(WarehouseError::Data { table: part.shape.table.clone(), reason });
                }
                executed => executed.map_err(failed(operation))?,
            };
        }
    }
    transaction.commit().map_err(failed(operation))
}

/// Takes the lock, and looks whether a load of this generation, into tables of these shapes, may be committed.
///
/// SQL Server takes one application lock for the feed and one for each summary table, in that order, because there
/// writers of other feeds go on meanwhile. SQLite has one writer for the whole file, so `BEGIN IMMEDIATE` is all of
/// these locks together, for every connection and process; a reader sees the state before it.
///
/// # Errors
/// `NotMigrated` where the summaries have other columns than the load's; `OlderGeneration` where a newer meaning of
/// the feed has changed them.
pub fn lock(
    connection: &Connection,
    feed: &FeedName,
    generation: i64,
    tables: &[TableShape],
) -> Result<(), WarehouseError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed("waiting for the lock"))?;
    require_schema(connection, feed)?;
    let latest = latest_generation(connection, feed.as_str())?;
    let Some((latest, _)) = latest.filter(|(latest, _)| *latest >= generation) else {
        return Err(WarehouseError::NotMigrated { feed: feed.clone() });
    };
    let known = stored_shapes(connection)?;
    let fits = |wanted: &TableShape| known.iter().any(|shape| shape.table == wanted.table && shape.agrees_with(wanted));
    if tables.iter().all(fits) {
        return Ok(());
    }
    if latest > generation {
        return Err(WarehouseError::OlderGeneration { feed: feed.clone(), committed: latest, ours: generation });
    }
    Err(WarehouseError::NotMigrated { feed: feed.clone() })
}

/// Writes the ledger, the parts and the summary rows, under the lock. The caller commits.
///
/// Every table that ever had parts is looked at, not just the load's: a unit whose newer meaning no longer counts into
/// a table leaves it.
pub fn replace(
    connection: &Connection,
    record: &UnitRecord,
    displaced: Option<&UnitRecord>,
    tables: &[TableShape],
) -> Result<(), WarehouseError> {
    let operation = "writing the ledger";
    write_unit(connection, record).map_err(failed(operation))?;
    write_history(connection, &record.unit, &committed(record, displaced)).map_err(failed(operation))?;
    let unit_id = record.unit.id();
    for stored in stored_shapes(connection)? {
        let is_filled = tables.iter().any(|shape| shape.table == stored.table);
        let table = TableSql::new(stored);
        let sql = table.fill(include_str!("sql/has_parts.sql"));
        let has_old_parts: bool = query_one(connection, &sql, [unit_id.as_str()], "looking for old parts")?;
        match (has_old_parts, is_filled) {
            (false, false) => {}
            (false, true) => {
                insert_parts(connection, &table, unit_id.as_str())?;
                write_summary(connection, &table, RowSource::Merge)?;
            }
            (true, _) => {
                empty_touched(connection, &table)?;
                take_parts_out(connection, &table, unit_id.as_str())?;
                if is_filled {
                    touch_new_keys(connection, &table)?;
                    insert_parts(connection, &table, unit_id.as_str())?;
                }
                recompute_touched(connection, &table)?;
            }
        }
    }
    Ok(())
}

fn committed(record: &UnitRecord, displaced: Option<&UnitRecord>) -> HistoryEntry {
    HistoryEntry {
        event: LedgerEvent::Committed,
        etag: record.etag.clone(),
        generation: record.generation,
        load_id: record.load_id.clone(),
        rows_read: record.rows_read,
        rows_rejected: record.rows_rejected,
        curated: record.curated.clone(),
        at: record.committed_at,
        displaced: displaced.map(UnitRecord::as_displaced),
    }
}

/// Begins a list of keys that are to be recomputed.
pub fn empty_touched(connection: &Connection, table: &TableSql) -> Result<(), WarehouseError> {
    let operation = "listing the keys of old parts";
    execute(connection, &table.fill(include_str!("sql/create_touched.sql")), [], operation)?;
    execute(connection, &table.fill(include_str!("sql/empty_touched.sql")), [], operation)
}

/// Removes a unit's parts and touches their keys.
pub fn take_parts_out(connection: &Connection, table: &TableSql, unit_id: &str) -> Result<(), WarehouseError> {
    let touch = table.fill(include_str!("sql/touch_old_keys.sql"));
    execute(connection, &touch, [unit_id], "listing the keys of old parts")?;
    execute(connection, &table.fill(include_str!("sql/delete_parts.sql")), [unit_id], "deleting old parts")
}

/// Writes the rows of the touched keys anew from all parts.
pub fn recompute_touched(connection: &Connection, table: &TableSql) -> Result<(), WarehouseError> {
    write_summary(connection, table, RowSource::Recompute)?;
    let sql = table.fill(include_str!("sql/delete_keys_without_parts.sql"));
    execute(connection, &sql, [], "deleting keys without parts")
}

/// Touches the keys of the new parts.
pub fn touch_new_keys(connection: &Connection, table: &TableSql) -> Result<(), WarehouseError> {
    let sql = table.fill(include_str!("sql/touch_new_keys.sql"));
    execute(connection, &sql, [], "listing the keys of new parts")
}

fn insert_parts(connection: &Connection, table: &TableSql, unit_id: &str) -> Result<(), WarehouseError> {
    execute(connection, &table.fill(include_str!("sql/insert_parts.sql")), [unit_id], "inserting new parts")
}

/// Writes the summary's rows of a source.
pub fn write_summary(connection: &Connection, table: &TableSql, source: RowSource) -> Result<(), WarehouseError> {
    write_merged(connection, table, &table.write_summary(source), source, &[], "writing the summary")
}

/// Runs a statement that merges the rows of a source; both take the parameters.
///
/// # Errors
/// `Data`, naming table, key and measure, where a sum does not fit.
pub fn write_merged(
    connection: &Connection,
    table: &TableSql,
    sql: &str,
    source: RowSource,
    parameters: &[&str],
    operation: &'static str,
) -> Result<(), WarehouseError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed(operation))?;
    match statement.execute(params_from_iter(parameters)) {
        Ok(_) => Ok(()),
        Err(error) if is_constraint(&error) => {
            let overflow = find_overflow(connection, table, source, parameters)?;
            Err(overflow.unwrap_or_else(|| failed(operation)(error)))
        }
        Err(error) => Err(failed(operation)(error)),
    }
}

/// Which key's sum did not fit, once a statement failed for it.
fn find_overflow(
    connection: &Connection,
    table: &TableSql,
    source: RowSource,
    parameters: &[&str],
) -> Result<Option<WarehouseError>, WarehouseError> {
    let operation = "looking for the sum that does not fit";
    for measure in table.shape.measures().filter(|measure| measure.kind.merge() == Some(Merge::Sum)) {
        let mut statement = connection.prepare(&table.find_overflow(source, measure)).map_err(failed(operation))?;
        let mut rows = statement.query(params_from_iter(parameters)).map_err(failed(operation))?;
        if let Some(row) = rows.next().map_err(failed(operation))? {
            let keys = table.shape.keys().enumerate().map(|(position, key)| key_words(row, position, key));
            let keys = keys.collect::<Result<Vec<_>, _>>().map_err(failed(operation))?.join(", ");
            let limit = match measure.kind {
                ColumnKind::Measure(MeasureType::Decimal { .. }, _) => "38 digits",
                _ => "64 bits",
            };
            let reason = format!("the sum of `{}` for {keys} does not fit {limit}", measure.name);
            return Ok(Some(WarehouseError::Data { table: table.shape.table.clone(), reason }));
        }
    }
    Ok(None)
}

fn key_words(row: &rusqlite::Row<'_>, position: usize, key: &ShapeColumn) -> Result<String, rusqlite::Error> {
    Ok(format!("{} = {}", key.name, words(row.get_ref(position)?)))
}

pub fn execute(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    operation: &'static str,
) -> Result<(), WarehouseError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed(operation))?;
    statement.execute(parameters).map_err(failed(operation))?;
    Ok(())
}

fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}
