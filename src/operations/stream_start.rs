//! Where streams with `start = "latest"` begin: written down once, by `migrate`, before any of their events counts.

use crate::clock::Clock;
use crate::functions::stream::{StreamError, StreamedFeed, StreamedFeeds, unit_in};
use crate::pipeline::StreamStart;
use crate::stations::hub::HubReader;
use crate::stations::warehouse::{StreamLoad, StreamOutcome, StreamUnit, Warehouse};

/// Writes down where each partition of such a stream ends now, and counts from there on. Returns how many partitions that
/// were; safe to do again.
///
/// A hub that was made anew since then begins with its first event, and so does a partition that is added: they are left
/// to `stream`.
pub async fn note_starts(
    feeds: &StreamedFeeds,
    hub: &dyn HubReader,
    warehouse: &dyn Warehouse,
    clock: &Clock,
) -> Result<usize, StreamError> {
    let mut noted = 0;
    for feed in feeds.iter().filter(|feed| feed.source.start == StreamStart::Latest) {
        noted += note_feed(feed, hub, warehouse, clock).await?;
    }
    Ok(noted)
}

async fn note_feed(
    feed: &StreamedFeed,
    hub: &dyn HubReader,
    warehouse: &dyn Warehouse,
    clock: &Clock,
) -> Result<usize, StreamError> {
    let name = &feed.source.hub;
    let properties = hub.properties(name).await?;
    let known = warehouse.streams(feed.name()).await?;
    let of_hub = |unit: &StreamUnit| unit.namespace == properties.namespace && unit.hub == *name;
    let is_earlier = |unit: &StreamUnit| unit.incarnation != unit_in(name, &properties, "", feed.name()).incarnation;
    if known.iter().any(|record| of_hub(&record.unit) && is_earlier(&record.unit)) {
        return Ok(0);
    }
    let generation = warehouse.generation(&feed.meaning).await?;
    let mut noted = 0;
    for partition in &properties.partitions {
        let unit = unit_in(name, &properties, partition, feed.name());
        if known.iter().any(|record| record.unit == unit) {
            continue;
        }
        let begins = hub.bounds(name, partition).await?.last_enqueued.map_or(0, |last| last + 1);
        let start = StreamLoad {
            unit,
            generation,
            expected_next: None,
            begins,
            applied: None,
            applied_enqueued_at: None,
            events_read: 0,
            events_rejected: 0,
            quarantine: None,
            parts: feed.counter.nothing().parts,
            gaps: Vec::new(),
            committed_at: clock.now(),
        };
        // Moved: somebody wrote it down just now.
        if warehouse.commit_stream(&start).await? == StreamOutcome::Committed {
            noted += 1;
        }
    }
    Ok(noted)
}
