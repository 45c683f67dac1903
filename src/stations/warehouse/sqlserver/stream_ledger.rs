//! The ledger's rows about streams: how far each partition was counted, by which summaries, and without what.

use tiberius::{ColumnData, Row};

use super::errors::{Fault, SqlError, failed};
use super::ledger::{order_of, row_limit};
use super::session::Session;
use super::values::{Fields, bytes, number, optional_number, optional_time, text, text_of, time, unit_id};
use crate::names::{FeedName, Sha256};
use crate::stations::warehouse::{
    QuarantinedEvents, RecordedGap, StreamGap, StreamLoad, StreamRecord, StreamUnit, SummarySince, WarehouseError,
};

pub async fn read_stream(session: &mut Session, unit: &StreamUnit) -> Result<Option<StreamRecord>, Fault> {
    let sql = include_str!("sql/read_stream.sql");
    Ok(read_all(session, sql, vec![unit_id(&unit.id())], "reading the ledger", stream_record).await?.pop())
}

pub async fn read_streams(session: &mut Session, feed: &FeedName) -> Result<Vec<StreamRecord>, Fault> {
    let sql = include_str!("sql/read_streams.sql");
    read_all(session, sql, vec![text(feed.as_str())], "listing streams", stream_record).await
}

pub async fn read_gaps(session: &mut Session, feed: &FeedName, limit: usize) -> Result<Vec<RecordedGap>, Fault> {
    let sql = include_str!("sql/read_stream_gaps.sql");
    let page = vec![text(feed.as_str()), number(row_limit(limit))];
    read_all(session, sql, page, "listing gaps", |fields| {
        let unit = stream_unit(fields)?;
        let gap = StreamGap { first: fields.count()?, last: fields.count()?, reason: fields.text()? };
        Ok(RecordedGap { unit, gap, recorded_at: fields.time()? })
    })
    .await
}

pub async fn read_quarantine(
    session: &mut Session,
    feed: &FeedName,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(StreamUnit, QuarantinedEvents)>, Fault> {
    let sql = include_str!("sql/read_stream_quarantine.sql");
    let page = vec![text(feed.as_str()), bytes(after.unwrap_or("").as_bytes()), number(row_limit(limit))];
    read_all(session, sql, page, "listing files of bad events", |fields| {
        let unit = stream_unit(fields)?;
        let name = fields.text()?;
        let (first, last) = (fields.count()?, fields.count()?);
        Ok((unit, QuarantinedEvents { name, first, last, events: fields.count()? }))
    })
    .await
}

pub async fn read_summaries(session: &mut Session, unit: &StreamUnit) -> Result<Vec<SummarySince>, Fault> {
    let sql = include_str!("sql/read_stream_summaries.sql");
    read_all(session, sql, vec![unit_id(&unit.id())], "listing what counts a stream", |fields| {
        Ok(SummarySince {
            summary_id: fields.text()?,
            table: fields.text()?,
            since: fields.count()?,
            until: fields.optional_count()?,
            generation: fields.number()?,
        })
    })
    .await
}

/// The unit's first rows.
pub async fn insert_stream(session: &mut Session, load: &StreamLoad) -> Result<(), Fault> {
    let (unit, id, name) = (&load.unit, load.unit.id(), load.unit.name());
    let ledger = vec![
        unit_id(&id),
        text(unit.feed.as_str()),
        text(&name),
        bytes(order_of(&name, "unit")?),
        text_of(version(load)),
        number(load.generation),
        number(stored(load.events_read)?),
        number(stored(load.events_rejected)?),
        time(load.committed_at),
    ];
    run(session, include_str!("sql/insert_stream_unit.sql"), ledger).await?;
    let stream = vec![
        unit_id(&id),
        text(unit.feed.as_str()),
        text(&unit.namespace),
        text(&unit.hub),
        time(unit.incarnation),
        text(&unit.partition),
        number(stored(load.begins)?),
        optional_number(load.applied.map(stored).transpose()?),
        optional_time(load.applied_enqueued_at),
    ];
    run(session, include_str!("sql/insert_stream.sql"), stream).await
}

/// Moves a unit on to the end of a load.
pub async fn advance_stream(session: &mut Session, load: &StreamLoad) -> Result<(), Fault> {
    let id = load.unit.id();
    let ledger = vec![
        unit_id(&id),
        text_of(version(load)),
        number(load.generation),
        number(stored(load.events_read)?),
        number(stored(load.events_rejected)?),
        time(load.committed_at),
    ];
    run(session, include_str!("sql/advance_stream_unit.sql"), ledger).await?;
    let applied = load.applied.map(stored).transpose()?;
    let stream = vec![unit_id(&id), optional_number(applied), optional_time(load.applied_enqueued_at)];
    run(session, include_str!("sql/advance_stream.sql"), stream).await
}

pub async fn insert_gaps(session: &mut Session, load: &StreamLoad) -> Result<(), Fault> {
    let id = load.unit.id();
    for gap in &load.gaps {
        let (first, last) = (number(stored(gap.first)?), number(stored(gap.last)?));
        let row = vec![unit_id(&id), first, last, text(&gap.reason), time(load.committed_at)];
        run(session, include_str!("sql/insert_stream_gap.sql"), row).await?;
    }
    Ok(())
}

/// # Errors
/// `Data`, where another commit made a file of this name valid.
pub async fn insert_quarantine(session: &mut Session, load: &StreamLoad) -> Result<(), Fault> {
    let Some(file) = &load.quarantine else { return Ok(()) };
    if has_quarantine(session, &load.unit.feed, &file.name).await? {
        let reason = format!("the file `{}` of bad events belongs to another commit: a fault of millrace", file.name);
        return Err(WarehouseError::Data { table: "millrace.stream_quarantine".to_owned(), reason }.into());
    }
    let row = vec![
        text(load.unit.feed.as_str()),
        text(&file.name),
        bytes(order_of(&file.name, "stream_quarantine")?),
        unit_id(&load.unit.id()),
        number(stored(file.first)?),
        number(stored(file.last)?),
        number(stored(file.events)?),
    ];
    run(session, include_str!("sql/insert_stream_quarantine.sql"), row).await
}

/// Whether a commit made this file of bad events valid.
pub async fn has_quarantine(session: &mut Session, feed: &FeedName, name: &str) -> Result<bool, Fault> {
    let sql = include_str!("sql/has_stream_quarantine.sql");
    let key = vec![text(feed.as_str()), bytes(name.as_bytes())];
    Ok(session.number(sql, key, "looking for a file of bad events").await? != 0)
}

pub async fn insert_summary(session: &mut Session, id: &Sha256, summary: &SummarySince) -> Result<(), Fault> {
    let row = vec![
        unit_id(id),
        text(&summary.summary_id),
        number(stored(summary.since)?),
        text(&summary.table),
        number(summary.generation),
    ];
    run(session, include_str!("sql/insert_stream_summary.sql"), row).await
}

/// Has a summary have counted until the number before `next`; one that never counted any leaves no entry.
pub async fn end_summary(session: &mut Session, id: &Sha256, summary: &SummarySince, next: u64) -> Result<(), Fault> {
    let since = number(stored(summary.since)?);
    match next.checked_sub(1).filter(|until| *until >= summary.since) {
        None => {
            let key = vec![unit_id(id), text(&summary.summary_id), since];
            run(session, include_str!("sql/delete_stream_summary.sql"), key).await
        }
        Some(until) => {
            let row = vec![unit_id(id), text(&summary.summary_id), since, number(stored(until)?)];
            run(session, include_str!("sql/end_stream_summary.sql"), row).await
        }
    }
}

/// The version of a stream is the last number that counts.
fn version(load: &StreamLoad) -> String {
    load.applied.map_or_else(|| "none".to_owned(), |applied| applied.to_string())
}

fn stored(number: u64) -> Result<i64, WarehouseError> {
    i64::try_from(number).map_err(|_| WarehouseError::Data {
        table: "millrace.stream".to_owned(),
        reason: format!("the number {number} is larger than any hub gives"),
    })
}

async fn run(session: &mut Session, sql: &str, parameters: Vec<ColumnData<'_>>) -> Result<(), Fault> {
    let written = session.run(sql, parameters, "writing the ledger of streams").await;
    written.map_err(|fault| fault.of_table("millrace.stream"))
}

async fn read_all<T>(
    session: &mut Session,
    sql: &str,
    parameters: Vec<ColumnData<'_>>,
    operation: &'static str,
    understand: impl Fn(&mut Fields<'_>) -> Result<T, SqlError>,
) -> Result<Vec<T>, Fault> {
    let rows: Vec<Row> = session.rows(sql, parameters, operation).await?;
    let understood = rows.iter().map(|row| understand(&mut Fields::of(row)));
    understood.collect::<Result<_, _>>().map_err(failed(operation))
}

fn stream_record(fields: &mut Fields<'_>) -> Result<StreamRecord, SqlError> {
    Ok(StreamRecord {
        unit: stream_unit(fields)?,
        begins: fields.count()?,
        applied: fields.optional_count()?,
        applied_enqueued_at: fields.optional_time()?,
        generation: fields.number()?,
        events_read: fields.count()?,
        events_rejected: fields.count()?,
        committed_at: fields.time()?,
    })
}

fn stream_unit(fields: &mut Fields<'_>) -> Result<StreamUnit, SqlError> {
    Ok(StreamUnit {
        feed: fields.named(FeedName::new)?,
        namespace: fields.text()?,
        hub: fields.text()?,
        incarnation: fields.time()?,
        partition: fields.text()?,
    })
}
