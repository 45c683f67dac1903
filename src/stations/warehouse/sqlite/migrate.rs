//! Brings a database to a schema, in one transaction, and says what it did. Running it again changes nothing.

use std::collections::BTreeSet;

use chrono::Utc;
use rusqlite::{Connection, params};

use super::connection::failed;
use super::ledger::{UPGRADES, known_version, latest_generation, query_one, schema_version, stored_shapes};
use super::replace::write_merged;
use super::table_sql::{RowSource, TableSql};
use super::values::time_text;
use crate::names::FeedName;
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::{MigrationReport, Schema, WarehouseError};

pub fn migrate(connection: &mut Connection, schema: &Schema) -> Result<MigrationReport, WarehouseError> {
    let wanted = TableShape::of_all(&schema.summaries)?;
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed("waiting for the lock"))?;
    let mut changes = Vec::new();
    upgrade_fixed_tables(connection, &mut changes)?;
    let feeds_that_lost_parts = make_summaries(connection, &wanted, &mut changes)?;
    give_generations(connection, schema, feeds_that_lost_parts, &mut changes)?;
    let feeds_to_replay = feeds_to_replay(connection, schema)?;
    connection.execute_batch("COMMIT").map_err(failed("committing the migration"))?;
    Ok(MigrationReport { changes, feeds_to_replay })
}

/// What `migrate` would run on an empty database. What it would refuse stands in it as a comment.
pub fn schema_sql(schema: &Schema) -> String {
    let summaries = match TableShape::of_all(&schema.summaries) {
        Ok(shapes) => shapes.into_iter().map(|shape| TableSql::new(shape).create()).collect::<Vec<_>>(),
        Err(refused) => vec![refused.to_string().lines().map(|line| format!("-- refused: {line}\n")).collect()],
    };
    UPGRADES.iter().map(|upgrade| (*upgrade).to_owned()).chain(summaries).collect::<Vec<_>>().join("\n")
}

fn upgrade_fixed_tables(connection: &Connection, changes: &mut Vec<String>) -> Result<(), WarehouseError> {
    let operation = "upgrading the ledger's tables";
    let found = schema_version(connection)?;
    for (version, upgrade) in (1_i64..).zip(UPGRADES).skip_while(|(version, _)| *version <= found) {
        connection.execute_batch(upgrade).map_err(failed(operation))?;
        changes.push(format!("ledger: upgraded to schema version {version}"));
    }
    if found < known_version() {
        let sql = include_str!("sql/write_version.sql");
        connection.execute(sql, params![known_version(), time_text(Utc::now())]).map_err(failed(operation))?;
    }
    Ok(())
}

/// Creates missing summary tables and makes changed ones anew. Returns the feeds whose parts went with the old ones.
fn make_summaries(
    connection: &Connection,
    wanted: &[TableShape],
    changes: &mut Vec<String>,
) -> Result<BTreeSet<String>, WarehouseError> {
    let known = stored_shapes(connection)?;
    let mut feeds_that_lost_parts = BTreeSet::new();
    for shape in wanted {
        let table = &shape.table;
        let before = known.iter().find(|known| known.table.eq_ignore_ascii_case(table));
        match before {
            Some(before) if before.table == *table && before.agrees_with(shape) => continue,
            Some(before) => {
                let kept = keep_stream_counts(connection, before)?;
                changes.push(recreated(connection, before, kept.as_deref())?);
                feeds_that_lost_parts.extend(drop_summary(connection, before)?);
            }
            None => changes.push(format!("table `{table}`: created")),
        }
        create_summary(connection, shape)?;
    }
    Ok(feeds_that_lost_parts)
}

/// What a person is told of a table that is made anew.
fn recreated(
    connection: &Connection,
    before: &TableShape,
    kept_streams: Option<&str>,
) -> Result<String, WarehouseError> {
    let begin = format!("table `{}` has new columns: recreated", before.table);
    let of_files = "counts come back as its files are replayed";
    let Some(aside) = kept_streams else { return Ok(format!("{begin}, {of_files}")) };
    let of_streams = format!(
        "what streams counted stays in table `{aside}`, which is yours now, and the new table counts their next events"
    );
    if has_parts_of(connection, before, UnitKind::File)? {
        return Ok(format!("{begin}, {of_files}; {of_streams}"));
    }
    Ok(format!("{begin}; {of_streams}"))
}

/// What streams counted into a table cannot be counted again: it is written into a table aside, `<table>_before_<n>`, that
/// nothing reads or writes from then on. What files counted is not in it, since it comes back: both tables together have
/// each event and each row once. Returns the table's name; `None`: no stream counted into it.
///
/// A new summary of this name counts streams from their next event on, and the ledger forgets the old one.
fn keep_stream_counts(connection: &Connection, before: &TableShape) -> Result<Option<String>, WarehouseError> {
    let operation = "keeping what streams counted";
    let forget = include_str!("sql/delete_stream_summaries_of_table.sql");
    connection.execute(forget, [&before.table]).map_err(failed(operation))?;
    if !has_parts_of(connection, before, UnitKind::Stream)? {
        return Ok(None);
    }
    let aside = free_name(connection, &before.table)?;
    let kept = TableSql::new(TableShape { table: aside.clone(), columns: before.columns.clone() });
    let create = kept.fill(include_str!("sql/create_summary.sql"));
    connection.execute_batch(&create).map_err(failed(operation))?;
    let table = TableSql::new(before.clone());
    write_merged(connection, &table, &table.keep_stream_counts(&aside), RowSource::Streams, &[], operation)?;
    Ok(Some(aside))
}

/// `<table>_before_<n>`, with the first number that is free.
fn free_name(connection: &Connection, table: &str) -> Result<String, WarehouseError> {
    let mut number = 1;
    loop {
        let name = format!("{table}_before_{number}");
        let sql = include_str!("sql/has_table.sql");
        if !query_one::<bool>(connection, sql, [&name], "looking for a free name")? {
            return Ok(name);
        }
        number += 1;
    }
}

#[derive(Clone, Copy)]
enum UnitKind {
    File,
    Stream,
}

fn has_parts_of(connection: &Connection, shape: &TableShape, kind: UnitKind) -> Result<bool, WarehouseError> {
    let word = match kind {
        UnitKind::File => "file",
        UnitKind::Stream => "stream",
    };
    let sql = TableSql::new(shape.clone()).fill(include_str!("sql/has_parts_of_kind.sql"));
    query_one(connection, &sql, [word], "looking for what counted into a table")
}

fn drop_summary(connection: &Connection, shape: &TableShape) -> Result<Vec<String>, WarehouseError> {
    let operation = "dropping a summary table";
    let table = TableSql::new(shape.clone());
    let mut statement =
        connection.prepare(&table.fill(include_str!("sql/read_feeds_with_parts.sql"))).map_err(failed(operation))?;
    let feeds = statement.query_map([], |row| row.get(0)).map_err(failed(operation))?;
    let feeds = feeds.collect::<Result<Vec<String>, _>>().map_err(failed(operation))?;
    // A statement that is still open would keep the table.
    drop(statement);
    connection.execute_batch(&table.fill(include_str!("sql/drop_summary.sql"))).map_err(failed(operation))?;
    connection.execute(include_str!("sql/delete_columns.sql"), [&shape.table]).map_err(failed(operation))?;
    Ok(feeds)
}

fn create_summary(connection: &Connection, shape: &TableShape) -> Result<(), WarehouseError> {
    let operation = "creating a summary table";
    let taken: bool = query_one(connection, include_str!("sql/has_table.sql"), [&shape.table], operation)?;
    if taken {
        let reason =
            "the database has something of this name that millrace did not make: rename one of them".to_owned();
        return Err(WarehouseError::Data { table: shape.table.clone(), reason });
    }
    connection.execute_batch(&TableSql::new(shape.clone()).create()).map_err(failed(operation))?;
    for (position, column) in (0_i64..).zip(&shape.columns) {
        let words = params![shape.table, position, column.name, column.kind.type_word(), column.kind.merge_word()];
        connection.execute(include_str!("sql/insert_column.sql"), words).map_err(failed(operation))?;
    }
    Ok(())
}

/// Gives the next generation to each feed with a new meaning, and to each feed whose parts were lost, so that its units
/// count as not loaded even where its own fingerprint stayed the same.
fn give_generations(
    connection: &Connection,
    schema: &Schema,
    mut feeds_that_lost_parts: BTreeSet<String>,
    changes: &mut Vec<String>,
) -> Result<(), WarehouseError> {
    for meaning in &schema.meanings {
        let lost_parts = feeds_that_lost_parts.remove(meaning.feed.as_str());
        let fingerprint = meaning.fingerprint.as_str();
        match latest_generation(connection, meaning.feed.as_str())? {
            Some((_, latest)) if latest == fingerprint && !lost_parts => {}
            latest => {
                let next = latest.map_or(1, |(generation, _)| generation + 1);
                insert_generation(connection, meaning.feed.as_str(), next, fingerprint)?;
                changes.push(format!("feed `{}`: generation {next}", meaning.feed));
            }
        }
    }
    for feed in feeds_that_lost_parts {
        if let Some((generation, fingerprint)) = latest_generation(connection, &feed)? {
            insert_generation(connection, &feed, generation + 1, &fingerprint)?;
            changes.push(format!("feed `{feed}`: generation {}", generation + 1));
        }
    }
    Ok(())
}

fn insert_generation(
    connection: &Connection,
    feed: &str,
    generation: i64,
    fingerprint: &str,
) -> Result<(), WarehouseError> {
    let row = params![feed, generation, fingerprint, time_text(Utc::now())];
    let inserted = connection.execute(include_str!("sql/insert_generation.sql"), row);
    inserted.map(|_| ()).map_err(failed("writing a generation"))
}

fn feeds_to_replay(connection: &Connection, schema: &Schema) -> Result<Vec<FeedName>, WarehouseError> {
    let mut feeds = Vec::new();
    for meaning in &schema.meanings {
        let Some((latest, _)) = latest_generation(connection, meaning.feed.as_str())? else {
            continue;
        };
        let key = params![meaning.feed.as_str(), latest];
        if query_one(connection, include_str!("sql/has_older_units.sql"), key, "looking for units to replay")? {
            feeds.push(meaning.feed.clone());
        }
    }
    Ok(feeds)
}
