//! Numbers that the host passed over, read from the hub through the repair group and counted, in steps that each commit.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tracing::{error, info};

use super::apply::{self, Applied};
use super::cursor::{Cursor, STEP_BYTES};
use super::{MOST_LOOKS, StreamError, StreamReport, StreamStations, StreamedFeed, aftermath};
use crate::counting::events::MOST_EVENTS;
use crate::stations::hub::{HubEvent, HubProperties, PartitionBounds, ReadLimit};
use crate::stations::warehouse::{StreamGap, StreamUnit};

/// Counts what is due up to and including `through`.
pub async fn fill(
    cursor: &mut Cursor<'_>,
    through: u64,
    report: &mut StreamReport,
    at: &StreamStations<'_>,
) -> Result<Applied, StreamError> {
    let mut counted = 0;
    while cursor.next() <= through {
        let (found, hub) = read(cursor, through, at).await?;
        let first = found.first().map_or(through + 1, |event| event.sequence_number);
        let settled = found.last().map_or(through, |event| event.sequence_number);
        let gaps = lost_before(cursor, first, &hub, at).await?;
        for gap in &gaps {
            error!(
                "feed `{}`, hub `{}`, partition {}: events {} to {} can never be counted: {}",
                cursor.unit.feed, cursor.unit.hub, cursor.unit.partition, gap.first, gap.last, gap.reason
            );
        }
        let applied = apply::apply(cursor, &found, settled, gaps, report, at).await?;
        report.repaired += applied.counted();
        counted += applied.counted();
        if let Applied::Moved { .. } = applied {
            return Ok(Applied::Moved { counted });
        }
    }
    if counted > 0 {
        info!(
            "feed `{}`, hub `{}`, partition {}: counted {counted} events that the host had passed over, up to {through}",
            cursor.unit.feed, cursor.unit.hub, cursor.unit.partition
        );
    }
    Ok(Applied::All { counted })
}

/// The next events that the hub has, none after `through`, and what the hub says of itself behind them. A failed read is an
/// error, and never a loss.
async fn read(
    cursor: &Cursor<'_>,
    through: u64,
    at: &StreamStations<'_>,
) -> Result<(Vec<HubEvent>, HubProperties), StreamError> {
    let next = cursor.next();
    let events = usize::try_from(through - next + 1).unwrap_or(MOST_EVENTS).min(MOST_EVENTS);
    let limit = ReadLimit { events, bytes: STEP_BYTES };
    let StreamUnit { hub, partition, .. } = &cursor.unit;
    let mut found = at.hub.read(hub, &cursor.feed.source.repair_group, partition, next, limit).await?;
    // The hub may have been made anew meanwhile: then these are another hub's events.
    let properties = at.hub.properties(hub).await?;
    if !cursor.is_of(&properties) {
        found.clear();
    }
    found.retain(|event| (next..=through).contains(&event.sequence_number));
    Ok((found, properties))
}

/// Which of the numbers before `first` are lost: those before the partition's beginning. Others that the hub passes over
/// never were (compaction, transaction markers).
async fn lost_before(
    cursor: &Cursor<'_>,
    first: u64,
    properties: &HubProperties,
    at: &StreamStations<'_>,
) -> Result<Vec<StreamGap>, StreamError> {
    let next = cursor.next();
    if first == next {
        return Ok(Vec::new());
    }
    let StreamUnit { hub, partition, .. } = &cursor.unit;
    if !cursor.is_of(properties) {
        let reason = format!(
            "the hub was deleted before they were counted; there is another one since {}",
            properties.created_on
        );
        return Ok(vec![StreamGap { first: next, last: first - 1, reason }]);
    }
    let begins = at.hub.bounds(hub, partition).await?.begins.min(first);
    if begins <= next {
        return Ok(Vec::new());
    }
    let reason =
        format!("the hub no longer has them: its partition begins with {begins}; its retention time is too short");
    Ok(vec![StreamGap { first: next, last: begins - 1, reason }])
}

/// What follows `applied` and nobody delivered: a lost last batch, or a lost first one, after which nothing came. What is
/// younger than `grace` is left to the host. Begins no step after the deadline.
///
/// Only where the stored position and the hub differ is the database asked.
pub async fn repair_tail(
    feed: &StreamedFeed,
    unit: &StreamUnit,
    bounds: &PartitionBounds,
    grace: TimeDelta,
    deadline: Instant,
    at: &StreamStations<'_>,
) -> Result<StreamReport, StreamError> {
    let mut report = StreamReport::default();
    let Some(last) = bounds.last_enqueued else { return Ok(report) };
    let mut cursor = Cursor::open(feed, unit.clone(), None, at).await?;
    let ripe_before = at.clock.now() - grace;
    let mut looks = 1;
    while cursor.next() <= last && Instant::now() < deadline && is_ripe(&cursor, ripe_before, at).await? {
        // One step at a time, so that what is young enough for the host is not taken from it.
        let step = last.min(cursor.next() + MOST_EVENTS as u64 - 1);
        if let Applied::Moved { .. } = fill(&mut cursor, step, &mut report, at).await? {
            looks += 1;
            if looks > MOST_LOOKS {
                return Err(StreamError::Contended { hub: unit.hub.clone(), partition: unit.partition.clone() });
            }
            cursor.look_again(at).await?;
        }
    }
    aftermath::refresh(&cursor, &report, at).await?;
    Ok(report)
}

/// Whether the next event has waited long enough to be given up by the host.
async fn is_ripe(cursor: &Cursor<'_>, before: DateTime<Utc>, at: &StreamStations<'_>) -> Result<bool, StreamError> {
    let StreamUnit { hub, partition, .. } = &cursor.unit;
    let limit = ReadLimit { events: 1, bytes: STEP_BYTES };
    let found = at.hub.read(hub, &cursor.feed.source.repair_group, partition, cursor.next(), limit).await?;
    // Where nothing is left to read, the numbers are gone, and that is to be written down.
    Ok(found.first().is_none_or(|event| event.enqueued_at < before))
}
