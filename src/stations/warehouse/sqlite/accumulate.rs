//! A batch's parts into its unit's, and into the summaries. It runs under the lock; what it reads and writes of a table are
//! the keys of the batch.

use rusqlite::Connection;

use super::replace::{empty_touched, recompute_touched, touch_new_keys, write_merged, write_summary};
use super::stream_ledger;
use super::table_sql::{RowSource, TableSql};
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::{StreamLoad, StreamRecord, SummarySince, WarehouseError};

/// Writes the ledger, the parts and the summary rows. The caller commits.
pub fn accumulate(
    connection: &Connection,
    load: &StreamLoad,
    ledger: Option<&StreamRecord>,
    tables: &[TableShape],
) -> Result<(), WarehouseError> {
    match ledger {
        None => stream_ledger::insert_stream(connection, load)?,
        Some(_) => stream_ledger::advance_stream(connection, load)?,
    }
    stream_ledger::insert_gaps(connection, load)?;
    stream_ledger::insert_quarantine(connection, load)?;
    write_down_summaries(connection, load)?;
    let unit_id = load.unit.id();
    tables.iter().try_for_each(|shape| add(connection, &TableSql::new(shape.clone()), unit_id.as_str()))
}

fn add(connection: &Connection, table: &TableSql, unit_id: &str) -> Result<(), WarehouseError> {
    let operation = "adding to the parts of a stream";
    write_merged(connection, table, &table.accumulate_parts(), RowSource::Accumulate, &[unit_id], operation)?;
    if !table.has_float_sum() {
        return write_summary(connection, table, RowSource::Merge);
    }
    // A file's part never changes, so that adding it to a sum of floats comes as near to the sum of all parts as floats
    // can. What is added to a stream's part is no part itself: after many batches that cancel each other out the row would
    // be as far from its parts as the batches were large, and a recount would take it for wrong.
    empty_touched(connection, table)?;
    touch_new_keys(connection, table)?;
    recompute_touched(connection, table)
}

/// Which summaries count from this load on, and which no longer do.
fn write_down_summaries(connection: &Connection, load: &StreamLoad) -> Result<(), WarehouseError> {
    let (unit_id, first) = (load.unit.id(), load.first());
    let counting: Vec<SummarySince> = stream_ledger::read_summaries(connection, &load.unit)?
        .into_iter()
        .filter(|summary| summary.until.is_none())
        .collect();
    for ended in counting.iter().filter(|known| !load.parts.iter().any(|part| part.plan.id == known.summary_id)) {
        stream_ledger::end_summary(connection, &unit_id, ended, first)?;
    }
    for new in load.parts.iter().filter(|part| !counting.iter().any(|known| part.plan.id == known.summary_id)) {
        let since = SummarySince {
            summary_id: new.plan.id.clone(),
            table: new.plan.table.clone(),
            since: first,
            until: None,
            generation: load.generation,
        };
        stream_ledger::insert_summary(connection, &unit_id, &since)?;
    }
    Ok(())
}
