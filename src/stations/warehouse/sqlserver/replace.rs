//! One unit's parts for its old ones, and the summary rows that this touches, under the locks of a commit.

use super::errors::Fault;
use super::ledger::{latest_generation, require_schema, stored_shapes, write_history, write_unit};
use super::locks::{LockMode, lock_feed, lock_schema, lock_summary};
use super::merging::{empty_touched, recompute_touched, take_parts_out, touch_new_keys, write_summary};
use super::session::Session;
use super::table_sql::{RowSource, TableSql};
use super::values::{Fields, unit_id};
use super::{errors, incoming};
use crate::names::{FeedName, Sha256};
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::{HistoryEntry, LedgerEvent, UnitRecord, WarehouseError};

/// Takes the locks of the schema and the feed, and looks whether a load of this generation, into tables of these shapes, may
/// be committed.
///
/// # Errors
/// `NotMigrated` where the summaries have other columns than the load's; `OlderGeneration` where a newer meaning of
/// the feed has changed them.
pub async fn lock(session: &mut Session, feed: &FeedName, generation: i64, tables: &[TableShape]) -> Result<(), Fault> {
    lock_schema(session, LockMode::Shared).await?;
    lock_feed(session, feed).await?;
    require_schema(session, feed).await?;
    let latest = latest_generation(session, feed.as_str()).await?;
    let Some((latest, _)) = latest.filter(|(latest, _)| *latest >= generation) else {
        return Err(WarehouseError::NotMigrated { feed: feed.clone() }.into());
    };
    let known = stored_shapes(session).await?;
    let fits = |wanted: &TableShape| known.iter().any(|shape| shape.table == wanted.table && shape.agrees_with(wanted));
    if tables.iter().all(fits) {
        return Ok(());
    }
    if latest > generation {
        return Err(WarehouseError::OlderGeneration { feed: feed.clone(), committed: latest, ours: generation }.into());
    }
    Err(WarehouseError::NotMigrated { feed: feed.clone() }.into())
}

/// Takes the locks of the load's tables, and of those that have old parts of the unit. Every table that ever had parts is
/// looked at, not just the load's: a unit whose newer meaning no longer counts into a table leaves it.
///
/// Returns the tables with old parts. Under the feed's lock nobody else brings this unit any.
pub async fn lock_summaries(
    session: &mut Session,
    unit: &Sha256,
    tables: &[TableShape],
) -> Result<Vec<TableShape>, Fault> {
    let with_old_parts = with_parts_of(session, unit).await?;
    let mut names: Vec<&str> = tables.iter().chain(&with_old_parts).map(|shape| shape.table.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        lock_summary(session, name, LockMode::Exclusive).await?;
    }
    Ok(with_old_parts)
}

/// The tables that a unit counts into, by the bytes of their names.
pub async fn with_parts_of(session: &mut Session, unit: &Sha256) -> Result<Vec<TableShape>, Fault> {
    let operation = "looking for old parts";
    let known = stored_shapes(session).await?;
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let template = include_str!("sql/has_parts.sql").trim_end();
    let questions = known
        .iter()
        .enumerate()
        .map(|(number, shape)| TableSql::new(shape.clone()).fill_with(template, vec![("number", number.to_string())]));
    let sql = questions.collect::<Vec<_>>().join("\nUNION ALL\n");
    let rows = session.rows(&sql, vec![unit_id(unit)], operation).await?;
    let numbers = rows.iter().map(|row| Fields::of(row).count()).collect::<Result<Vec<_>, _>>();
    let numbers = numbers.map_err(errors::failed(operation))?;
    let has_parts = |position: usize| numbers.iter().any(|number| usize::try_from(*number) == Ok(position));
    let found = known.into_iter().enumerate().filter(|(position, _)| has_parts(*position));
    Ok(found.map(|(_, shape)| shape).collect())
}

/// Writes the ledger, the parts and the summary rows, under all locks. The caller commits.
pub async fn replace(
    session: &mut Session,
    record: &UnitRecord,
    displaced: Option<&UnitRecord>,
    tables: &[TableShape],
    with_old_parts: &[TableShape],
) -> Result<(), Fault> {
    write_unit(session, record).await?;
    write_history(session, &record.unit, &committed(record, displaced)).await?;
    let unit = record.unit.id();
    for shape in tables {
        let table = TableSql::new(shape.clone());
        let replaced = if with_old_parts.iter().any(|old| old.table == shape.table) {
            replace_parts(session, &table, &unit).await
        } else {
            add_parts(session, &table, &unit).await
        };
        replaced.map_err(|fault| fault.of_table(&shape.table))?;
    }
    for shape in with_old_parts.iter().filter(|old| tables.iter().all(|shape| shape.table != old.table)) {
        leave(session, shape, &unit).await?;
    }
    Ok(())
}

async fn add_parts(session: &mut Session, table: &TableSql, unit: &Sha256) -> Result<(), Fault> {
    insert_parts(session, table, unit).await?;
    write_summary(session, table, RowSource::Merge).await
}

async fn replace_parts(session: &mut Session, table: &TableSql, unit: &Sha256) -> Result<(), Fault> {
    empty_touched(session, table).await?;
    take_parts_out(session, table, unit_id(unit)).await?;
    touch_new_keys(session, table).await?;
    insert_parts(session, table, unit).await?;
    recompute_touched(session, table).await
}

/// Takes a unit out of a table.
pub async fn leave(session: &mut Session, shape: &TableShape, unit: &Sha256) -> Result<(), Fault> {
    let table = TableSql::new(shape.clone());
    incoming::make_work(session, shape).await?;
    take_parts_out(session, &table, unit_id(unit)).await?;
    recompute_touched(session, &table).await
}

async fn insert_parts(session: &mut Session, table: &TableSql, unit: &Sha256) -> Result<(), Fault> {
    let sql = table.fill(include_str!("sql/insert_parts.sql"));
    session.run(&sql, vec![unit_id(unit)], "inserting new parts").await
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
