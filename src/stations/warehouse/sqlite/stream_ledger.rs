//! The ledger's rows about streams: how far each partition was counted, by which summaries, and without what.

use rusqlite::types::Type;
use rusqlite::{Connection, Error, Row, params};

use super::connection::failed;
use super::ledger::query_one;
use super::values::{NotOurs, time_of, time_text};
use crate::names::{FeedName, Sha256};
use crate::stations::warehouse::{
    QuarantinedEvents, RecordedGap, StreamGap, StreamLoad, StreamRecord, StreamUnit, SummarySince, WarehouseError,
};
use chrono::{DateTime, Utc};

/// Columns that [`stream_unit`] reads.
const UNIT_COLUMNS: usize = 5;

pub fn read_stream(connection: &Connection, unit: &StreamUnit) -> Result<Option<StreamRecord>, WarehouseError> {
    let sql = include_str!("sql/read_stream.sql");
    Ok(read_all(connection, sql, [unit.id().as_str()], "reading the ledger", stream_record)?.pop())
}

pub fn read_streams(connection: &Connection, feed: &FeedName) -> Result<Vec<StreamRecord>, WarehouseError> {
    let sql = include_str!("sql/read_streams.sql");
    read_all(connection, sql, [feed.as_str()], "listing streams", stream_record)
}

pub fn read_gaps(connection: &Connection, feed: &FeedName, limit: usize) -> Result<Vec<RecordedGap>, WarehouseError> {
    let sql = include_str!("sql/read_stream_gaps.sql");
    read_all(connection, sql, params![feed.as_str(), row_limit(limit)], "listing gaps", |row| {
        let gap = StreamGap {
            first: number(row, UNIT_COLUMNS)?,
            last: number(row, UNIT_COLUMNS + 1)?,
            reason: row.get(UNIT_COLUMNS + 2)?,
        };
        Ok(RecordedGap { unit: stream_unit(row)?, gap, recorded_at: time(row, UNIT_COLUMNS + 3)? })
    })
}

pub fn read_quarantine(
    connection: &Connection,
    feed: &FeedName,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(StreamUnit, QuarantinedEvents)>, WarehouseError> {
    let sql = include_str!("sql/read_stream_quarantine.sql");
    let page = params![feed.as_str(), after.unwrap_or(""), row_limit(limit)];
    read_all(connection, sql, page, "listing files of bad events", |row| {
        let file = QuarantinedEvents {
            name: row.get(UNIT_COLUMNS)?,
            first: number(row, UNIT_COLUMNS + 1)?,
            last: number(row, UNIT_COLUMNS + 2)?,
            events: number(row, UNIT_COLUMNS + 3)?,
        };
        Ok((stream_unit(row)?, file))
    })
}

pub fn read_summaries(connection: &Connection, unit: &StreamUnit) -> Result<Vec<SummarySince>, WarehouseError> {
    let sql = include_str!("sql/read_stream_summaries.sql");
    read_all(connection, sql, [unit.id().as_str()], "listing what counts a stream", |row| {
        Ok(SummarySince {
            summary_id: row.get(0)?,
            table: row.get(1)?,
            since: number(row, 2)?,
            until: optional_number(row, 3)?,
            generation: row.get(4)?,
        })
    })
}

/// The unit's first rows.
pub fn insert_stream(connection: &Connection, load: &StreamLoad) -> Result<(), WarehouseError> {
    let (unit, unit_id) = (&load.unit, load.unit.id());
    let (read, rejected) = (stored(load.events_read)?, stored(load.events_rejected)?);
    let ledger = params![
        unit_id.as_str(),
        unit.feed.as_str(),
        unit.name(),
        version(load),
        load.generation,
        read,
        rejected,
        time_text(load.committed_at),
    ];
    run(connection, include_str!("sql/insert_stream_unit.sql"), ledger)?;
    let stream = params![
        unit_id.as_str(),
        unit.feed.as_str(),
        unit.namespace,
        unit.hub,
        time_text(unit.incarnation),
        unit.partition,
        stored(load.begins)?,
        load.applied.map(stored).transpose()?,
        load.applied_enqueued_at.map(time_text),
    ];
    run(connection, include_str!("sql/insert_stream.sql"), stream)
}

/// Moves a unit on to the end of a load.
pub fn advance_stream(connection: &Connection, load: &StreamLoad) -> Result<(), WarehouseError> {
    let unit_id = load.unit.id();
    let (read, rejected) = (stored(load.events_read)?, stored(load.events_rejected)?);
    let ledger =
        params![unit_id.as_str(), version(load), load.generation, read, rejected, time_text(load.committed_at)];
    run(connection, include_str!("sql/advance_stream_unit.sql"), ledger)?;
    let applied = load.applied.map(stored).transpose()?;
    let stream = params![unit_id.as_str(), applied, load.applied_enqueued_at.map(time_text)];
    run(connection, include_str!("sql/advance_stream.sql"), stream)
}

pub fn insert_gaps(connection: &Connection, load: &StreamLoad) -> Result<(), WarehouseError> {
    let (unit_id, recorded_at) = (load.unit.id(), time_text(load.committed_at));
    for gap in &load.gaps {
        let row = params![unit_id.as_str(), stored(gap.first)?, stored(gap.last)?, gap.reason, recorded_at];
        run(connection, include_str!("sql/insert_stream_gap.sql"), row)?;
    }
    Ok(())
}

/// # Errors
/// `Data`, where another commit made a file of this name valid.
pub fn insert_quarantine(connection: &Connection, load: &StreamLoad) -> Result<(), WarehouseError> {
    let Some(file) = &load.quarantine else { return Ok(()) };
    if has_quarantine(connection, &load.unit.feed, &file.name)? {
        let reason = format!("the file `{}` of bad events belongs to another commit: a fault of millrace", file.name);
        return Err(WarehouseError::Data { table: "millrace_stream_quarantine".to_owned(), reason });
    }
    let (first, last, events) = (stored(file.first)?, stored(file.last)?, stored(file.events)?);
    let unit_id = load.unit.id();
    let row = params![load.unit.feed.as_str(), file.name, unit_id.as_str(), first, last, events];
    run(connection, include_str!("sql/insert_stream_quarantine.sql"), row)
}

/// Whether a commit made this file of bad events valid.
pub fn has_quarantine(connection: &Connection, feed: &FeedName, name: &str) -> Result<bool, WarehouseError> {
    let sql = include_str!("sql/has_stream_quarantine.sql");
    query_one(connection, sql, [feed.as_str(), name], "looking for a file of bad events")
}

pub fn insert_summary(connection: &Connection, unit_id: &Sha256, summary: &SummarySince) -> Result<(), WarehouseError> {
    let row = params![unit_id.as_str(), summary.summary_id, stored(summary.since)?, summary.table, summary.generation];
    run(connection, include_str!("sql/insert_stream_summary.sql"), row)
}

/// A summary that no longer counts from `next` on. If it never counted a number, nothing is kept of it.
pub fn end_summary(
    connection: &Connection,
    unit_id: &Sha256,
    summary: &SummarySince,
    next: u64,
) -> Result<(), WarehouseError> {
    let since = stored(summary.since)?;
    match next.checked_sub(1).filter(|until| *until >= summary.since) {
        None => {
            let row = params![unit_id.as_str(), summary.summary_id, since];
            run(connection, include_str!("sql/delete_stream_summary.sql"), row)
        }
        Some(until) => {
            let row = params![unit_id.as_str(), summary.summary_id, since, stored(until)?];
            run(connection, include_str!("sql/end_stream_summary.sql"), row)
        }
    }
}

/// The version of a stream is the last number that counts.
fn version(load: &StreamLoad) -> String {
    load.applied.map_or_else(|| "none".to_owned(), |applied| applied.to_string())
}

fn stored(number: u64) -> Result<i64, WarehouseError> {
    i64::try_from(number).map_err(|_| WarehouseError::Data {
        table: "millrace_stream".to_owned(),
        reason: format!("the number {number} is larger than any hub gives"),
    })
}

fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn run(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<(), WarehouseError> {
    super::replace::execute(connection, sql, parameters, "writing the ledger of streams")
}

fn read_all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    operation: &'static str,
    understand: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, WarehouseError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed(operation))?;
    let rows = statement.query_map(parameters, |row| understand(row)).map_err(failed(operation))?;
    rows.collect::<Result<_, _>>().map_err(failed(operation))
}

fn stream_record(row: &Row<'_>) -> Result<StreamRecord, Error> {
    let enqueued_at: Option<String> = row.get(UNIT_COLUMNS + 2)?;
    Ok(StreamRecord {
        unit: stream_unit(row)?,
        begins: number(row, UNIT_COLUMNS)?,
        applied: optional_number(row, UNIT_COLUMNS + 1)?,
        applied_enqueued_at: enqueued_at.map(|text| time_of(&text).map_err(not_ours(UNIT_COLUMNS + 2))).transpose()?,
        generation: row.get(UNIT_COLUMNS + 3)?,
        events_read: number(row, UNIT_COLUMNS + 4)?,
        events_rejected: number(row, UNIT_COLUMNS + 5)?,
        committed_at: time(row, UNIT_COLUMNS + 6)?,
    })
}

fn stream_unit(row: &Row<'_>) -> Result<StreamUnit, Error> {
    Ok(StreamUnit {
        feed: FeedName::new(row.get::<_, String>(0)?).map_err(not_ours(0))?,
        namespace: row.get(1)?,
        hub: row.get(2)?,
        incarnation: time(row, 3)?,
        partition: row.get(4)?,
    })
}

fn time(row: &Row<'_>, position: usize) -> Result<DateTime<Utc>, Error> {
    time_of(&row.get::<_, String>(position)?).map_err(not_ours(position))
}

fn number(row: &Row<'_>, position: usize) -> Result<u64, Error> {
    as_number(row.get(position)?, position)
}

fn optional_number(row: &Row<'_>, position: usize) -> Result<Option<u64>, Error> {
    row.get::<_, Option<i64>>(position)?.map(|found| as_number(found, position)).transpose()
}

fn as_number(found: i64, position: usize) -> Result<u64, Error> {
    let negative = |_| NotOurs { found: found.to_string(), expected: "a number of an event" };
    u64::try_from(found).map_err(negative).map_err(not_ours(position))
}

fn not_ours<E: std::error::Error + Send + Sync + 'static>(position: usize) -> impl FnOnce(E) -> Error {
    move |error| Error::FromSqlConversionFailure(position, Type::Text, Box::new(error))
}
