//! What follows the commits of a stream: the stored position, for the sweep and the status page. It decides nothing.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

use super::cursor::Cursor;
use super::{StreamReport, StreamStations, is_too_many};
use crate::names::Sha256;
use crate::records::new_columns;
use crate::records::streams::{self, StreamPosition, TooManyBad};
use crate::stations::containers::ContainerError;
use crate::stations::warehouse::WarehouseError;

/// A busy partition's position is written this often; the sweep corrects what is left out.
const WRITTEN_EVERY: TimeDelta = TimeDelta::seconds(2);

/// When this process last wrote each partition's position: a write for each batch would cost more than the batch. It is
/// about money only: without it everything is written.
#[derive(Debug, Default)]
pub struct PositionsWritten {
    at: Mutex<HashMap<Sha256, DateTime<Utc>>>,
}

impl PositionsWritten {
    fn is_recent(&self, unit: &Sha256, now: DateTime<Utc>) -> bool {
        let at = self.at.lock().expect("nothing panics while it holds the times");
        at.get(unit).is_some_and(|written| (TimeDelta::zero()..WRITTEN_EVERY).contains(&(now - *written)))
    }

    fn note(&self, unit: Sha256, now: DateTime<Utc>) {
        self.at.lock().expect("nothing panics while it holds the times").insert(unit, now);
    }
}

/// After a batch: writes the position, unless it was just written and there is no news for people.
pub async fn finish(cursor: &Cursor, report: &StreamReport, at: &StreamStations<'_>) -> Result<(), ContainerError> {
    let (id, now) = (cursor.unit.id(), at.clock.now());
    let is_news = report.rejected > 0 || !cursor.gaps.is_empty();
    if !is_news && at.written.is_recent(&id, now) {
        return Ok(());
    }
    let before = before(cursor, at).await?;
    write(cursor, report, before, at).await?;
    let columns: Vec<String> = cursor.unknown_columns.iter().cloned().collect();
    new_columns::add(at.state, &cursor.unit.feed, columns, now).await?;
    at.written.note(id, now);
    Ok(())
}

/// After a look by the sweep: everything anew, gaps and the summaries' beginnings from the ledger.
pub async fn refresh(
    cursor: &Cursor,
    report: &StreamReport,
    at: &StreamStations<'_>,
) -> Result<(), super::StreamError> {
    let mut position = before(cursor, at).await?;
    if let (Some(position), Some(record)) = (&mut position, &cursor.record) {
        position.since = since(cursor, record.begins, at).await?;
    }
    write(cursor, report, position, at).await?;
    Ok(())
}

/// The position as it was, if it is about this hub and not about one that is gone.
async fn before(cursor: &Cursor, at: &StreamStations<'_>) -> Result<Option<StreamPosition>, ContainerError> {
    let unit = &cursor.unit;
    let stored = streams::read(at.state, &unit.feed, &unit.hub, &unit.partition).await?;
    let stored = stored.filter(|position| position.is_of(unit));
    Ok(stored.or_else(|| cursor.record.as_ref().map(StreamPosition::of)))
}

async fn write(
    cursor: &Cursor,
    report: &StreamReport,
    before: Option<StreamPosition>,
    at: &StreamStations<'_>,
) -> Result<(), ContainerError> {
    let (Some(before), Some(record)) = (before, &cursor.record) else { return Ok(()) };
    let mut position = StreamPosition {
        gaps: before.gaps,
        too_many_bad: before.too_many_bad,
        since: before.since,
        ..StreamPosition::of(record)
    };
    position.add_gaps(cursor.gaps.iter().cloned());
    if is_too_many(report, at.feed.counter.feed().max_reject_ratio) {
        let (read, rejected) = (report.counted, report.rejected);
        position.too_many_bad = Some(TooManyBad { read, rejected, at: at.clock.now() });
    }
    streams::write(at.state, &position).await
}

/// In words, the summaries that count only since some number.
async fn since(cursor: &Cursor, begins: u64, at: &StreamStations<'_>) -> Result<Vec<String>, WarehouseError> {
    let summaries = at.warehouse.stream_summaries(&cursor.unit).await?;
    let later = summaries.into_iter().filter(|summary| summary.until.is_none() && summary.since > begins);
    Ok(later
        .map(|summary| {
            format!(
                "table `{}` counts as its summary says now since event {} (generation {})",
                summary.table, summary.since, summary.generation
            )
        })
        .collect())
}
