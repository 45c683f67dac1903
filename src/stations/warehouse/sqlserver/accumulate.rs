//! A batch's parts into its unit's, and into the summaries. It runs under the locks; what it reads and writes of a table are
//! the keys of the batch.

use super::errors::Fault;
use super::merging::{empty_touched, merge, recompute_touched, touch_new_keys, write_summary};
use super::session::Session;
use super::stream_ledger;
use super::table_sql::{RowSource, TableSql};
use super::values::unit_id;
use crate::names::Sha256;
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::{StreamLoad, StreamRecord, SummarySince};

/// Writes the ledger, the parts and the summary rows. The caller commits.
pub async fn accumulate(
    session: &mut Session,
    load: &StreamLoad,
    ledger: Option<&StreamRecord>,
    tables: &[TableShape],
) -> Result<(), Fault> {
    match ledger {
        None => stream_ledger::insert_stream(session, load).await?,
        Some(_) => stream_ledger::advance_stream(session, load).await?,
    }
    stream_ledger::insert_gaps(session, load).await?;
    stream_ledger::insert_quarantine(session, load).await?;
    write_down_summaries(session, load).await?;
    let unit = load.unit.id();
    for shape in tables {
        let added = add(session, &TableSql::new(shape.clone()), &unit).await;
        added.map_err(|fault| fault.of_table(&shape.table))?;
    }
    Ok(())
}

async fn add(session: &mut Session, table: &TableSql, unit: &Sha256) -> Result<(), Fault> {
    merge(session, table, RowSource::Accumulate, vec![unit_id(unit)]).await?;
    session.run(&table.write_parts(), vec![unit_id(unit)], "adding to the parts of a stream").await?;
    if !table.has_float_sum() {
        return write_summary(session, table, RowSource::Merge).await;
    }
    // A file's part never changes, so that adding it to a sum of floats comes as near to the sum of all parts as floats
    // can. What is added to a stream's part is no part itself: after many batches that cancel each other out the row would
    // be as far from its parts as the batches were large, and a recount would take it for wrong.
    empty_touched(session, table).await?;
    touch_new_keys(session, table).await?;
    recompute_touched(session, table).await
}

/// Which summaries count from this load on, and which no longer do.
async fn write_down_summaries(session: &mut Session, load: &StreamLoad) -> Result<(), Fault> {
    let (unit, first) = (load.unit.id(), load.first());
    let known = stream_ledger::read_summaries(session, &load.unit).await?;
    let counting: Vec<SummarySince> = known.into_iter().filter(|summary| summary.until.is_none()).collect();
    for ended in counting.iter().filter(|known| !load.parts.iter().any(|part| part.plan.id == known.summary_id)) {
        stream_ledger::end_summary(session, &unit, ended, first).await?;
    }
    for new in load.parts.iter().filter(|part| !counting.iter().any(|known| part.plan.id == known.summary_id)) {
        let since = SummarySince {
            summary_id: new.plan.id.clone(),
            table: new.plan.table.clone(),
            since: first,
            until: None,
            generation: load.generation,
        };
        stream_ledger::insert_summary(session, &unit, &since).await?;
    }
    Ok(())
}
