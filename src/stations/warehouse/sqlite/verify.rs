//! Recounts summary tables from their parts, in the database and in the order of the keys, and mends what differs.

use millrace_frames::part::Value;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::connection::failed;
use super::ledger::{query_one, require_schema, require_shape, stored_shapes};
use super::replace::{empty_touched, execute, recompute_touched};
use super::table_sql::TableSql;
use super::values::{stored, words};
use crate::names::FeedName;
use crate::stations::warehouse::shape::{ShapeColumn, TableShape};
use crate::stations::warehouse::{Difference, Remedy, Schema, TableCheck, WarehouseError};

/// Every table that the database has, by name; each is looked at in a transaction of its own.
pub fn verify(
    connection: &Connection,
    schema: &Schema,
    remedy: Remedy,
    limit: usize,
) -> Result<Vec<TableCheck>, WarehouseError> {
    for meaning in &schema.meanings {
        require_schema(connection, &meaning.feed)?;
    }
    for plan in &schema.summaries {
        let feed = FeedName::new(plan.feed.clone())
            .map_err(|error| WarehouseError::Data { table: plan.table.clone(), reason: error.to_string() })?;
        require_shape(connection, plan, &feed)?;
    }
    stored_shapes(connection)?.into_iter().map(|shape| verify_table(connection, shape, remedy, limit)).collect()
}

fn verify_table(
    connection: &Connection,
    shape: TableShape,
    remedy: Remedy,
    limit: usize,
) -> Result<TableCheck, WarehouseError> {
    let table = TableSql::new(shape);
    let begin = match remedy {
        // Every statement sees the same state.
        Remedy::Report => "BEGIN",
        Remedy::Repair => "BEGIN IMMEDIATE",
    };
    connection.execute_batch(begin).map_err(failed("beginning to recount"))?;
    let check = compare(connection, &table, limit)?;
    if remedy == Remedy::Repair && !check.is_right() {
        repair(connection, &table)?;
    }
    connection.execute_batch("COMMIT").map_err(failed("ending the recount"))?;
    Ok(check)
}

fn compare(connection: &Connection, table: &TableSql, limit: usize) -> Result<TableCheck, WarehouseError> {
    let operation = "recounting a summary";
    let names = |columns: &mut dyn Iterator<Item = &ShapeColumn>| columns.map(|column| column.name.clone()).collect();
    let rows: i64 = query_one(connection, &table.fill(include_str!("sql/count_rows.sql")), [], operation)?;
    let (without_unit, of_retracted) = connection
        .query_row(&table.fill(include_str!("sql/count_orphans.sql")), [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .map_err(failed(operation))?;
    let mut check = TableCheck {
        table: table.shape.table.clone(),
        keys: names(&mut table.shape.keys()),
        measures: names(&mut table.shape.measures()),
        rows: rows.unsigned_abs(),
        differing: 0,
        differences: Vec::new(),
        parts_without_unit: without_unit.unsigned_abs(),
        parts_of_retracted: of_retracted.unsigned_abs(),
    };
    let mut statement = connection.prepare(&table.find_differences()).map_err(failed(operation))?;
    let mut different = statement.query([]).map_err(failed(operation))?;
    while let Some(row) = different.next().map_err(failed(operation))? {
        check.differing += 1;
        if check.differences.len() < limit {
            check.differences.push(difference(row, &table.shape).map_err(failed(operation))?);
        }
    }
    Ok(check)
}

/// Under the lock. What differs after the orphans are gone is found anew, so that one pass mends both.
fn repair(connection: &Connection, table: &TableSql) -> Result<(), WarehouseError> {
    empty_touched(connection, table)?;
    execute(connection, &table.fill(include_str!("sql/touch_orphans.sql")), [], "listing the keys of orphans")?;
    execute(connection, &table.fill(include_str!("sql/delete_orphans.sql")), [], "deleting orphans")?;
    execute(connection, &table.touch_differences(), [], "listing the keys that differ")?;
    recompute_touched(connection, table)
}

fn difference(row: &rusqlite::Row<'_>, shape: &TableShape) -> Result<Difference, rusqlite::Error> {
    let (keys, measures) = (shape.keys().count(), shape.measures().count());
    let values = |columns: &mut dyn Iterator<Item = &ShapeColumn>, from: usize| {
        columns.enumerate().map(|(position, column)| value(row, from + position, column)).collect::<Result<Vec<_>, _>>()
    };
    let is_there = |position: usize| row.get::<_, bool>(position);
    let (has, should) = (keys, keys + 1 + measures);
    Ok(Difference {
        key: values(&mut shape.keys(), 0)?,
        has: is_there(has)?.then(|| values(&mut shape.measures(), has + 1)).transpose()?,
        should: is_there(should)?.then(|| values(&mut shape.measures(), should + 1)).transpose()?,
    })
}

/// What somebody else wrote, or a sum that does not fit, is shown and not refused: showing it is what this is for.
fn value(row: &rusqlite::Row<'_>, position: usize, column: &ShapeColumn) -> Result<Value, rusqlite::Error> {
    let found = row.get_ref(position)?;
    Ok(match (stored(column.kind, found), found) {
        (Ok(value), _) => value,
        // What the merges say of a sum that does not fit.
        (Err(_), ValueRef::Text(b"overflow") | ValueRef::Blob(b"")) => Value::Text("too much to add up".to_owned()),
        (Err(_), other) => Value::Text(words(other)),
    })
}
