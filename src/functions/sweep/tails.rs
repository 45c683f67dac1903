//! The ends of streams: events after which none came that would have shown a gap. A partition whose stored position is at
//! its end costs two questions to the hub, and none to the database.

use chrono::TimeDelta;
use tokio::time::Instant;
use tracing::error;

use crate::functions::stream::{
    StreamError, StreamReport, StreamStations, StreamedFeed, StreamedFeeds, repair_tail, unit_in,
};
use crate::records::streams;
use crate::stations::hub::ReadLimit;
use crate::stations::warehouse::StreamUnit;
use crate::telemetry::chain;

/// The host is given this long to deliver an event.
const GRACE: TimeDelta = TimeDelta::minutes(5);

/// What the tails came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TailReport {
    pub repaired: u64,
    pub lost: u64,
    /// Partitions, and hubs, that could not be looked at; the log names them.
    pub failed: usize,
}

/// Looks at every partition of every streamed feed. One that fails stops no other. Begins none after the deadline: what is
/// not reached is reached by the next tick.
pub async fn repair_tails(feeds: &StreamedFeeds, at: &StreamStations<'_>, deadline: Instant) -> TailReport {
    let mut report = TailReport::default();
    for feed in feeds.iter() {
        let hub = &feed.source.hub;
        let properties = match at.hub.properties(hub).await {
            Ok(properties) => properties,
            Err(failure) => {
                error!("the end of feed `{}` in hub `{hub}` could not be looked at: {}", feed.name(), chain(&failure));
                report.failed += 1;
                continue;
            }
        };
        for partition in &properties.partitions {
            if Instant::now() >= deadline {
                return report;
            }
            let unit = unit_in(hub, &properties, partition, feed.name());
            match tail_of(&unit, feed, deadline, at).await {
                Ok(repaired) => {
                    report.repaired += repaired.repaired;
                    report.lost += repaired.lost;
                }
                Err(failure) => {
                    report.failed += 1;
                    error!(
                        "the end of feed `{}` in hub `{hub}`, partition {partition}, could not be repaired: {}",
                        feed.name(),
                        chain(&failure)
                    );
                }
            }
        }
    }
    report
}

async fn tail_of(
    unit: &StreamUnit,
    feed: &StreamedFeed,
    deadline: Instant,
    at: &StreamStations<'_>,
) -> Result<StreamReport, StreamError> {
    let nothing = StreamReport::default();
    let bounds = at.hub.bounds(&unit.hub, &unit.partition).await?;
    let Some(last) = bounds.last_enqueued else { return Ok(nothing) };
    let position = streams::read(at.state, &unit.feed, &unit.hub, &unit.partition).await?;
    let next = position.filter(|position| position.is_of(unit)).map_or(bounds.begins, |position| position.next);
    if next > last {
        return Ok(nothing);
    }
    let limit = ReadLimit { events: 1, bytes: 1 };
    let first = at.hub.read(&unit.hub, &feed.source.repair_group, &unit.partition, next, limit).await?;
    if first.first().is_some_and(|event| at.clock.now() - event.enqueued_at < GRACE) {
        return Ok(nothing);
    }
    repair_tail(feed, unit, &bounds, GRACE, deadline, at).await
}
