//! Raw events → the same summaries that files count into, exactly once.
//!
//! The host delivers a partition's events in batches: twice, in other cuts, or not at all, as its checkpoint moves on even
//! where the function failed. But every event has a number, and the ledger knows the last one that counts. So what comes
//! again is dropped, and what is missing before an event is read from the hub and counted first.
//!
//! | the next event's number | what happens |
//! |---|---|
//! | not above `applied` | it counts already: dropped |
//! | due | it is counted |
//! | beyond | the missing ones are read through the repair group and counted first; what the hub no longer has is a gap, written down |

mod aftermath;
mod apply;
mod cursor;
mod repair;
#[cfg(test)]
mod tests;
mod unplaced;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;
use tracing::{error, info};

use crate::clock::Clock;
use crate::counting::events::EventCounter;
use crate::counting::{Budget, CountError};
use crate::names::FeedName;
use crate::pipeline::{Pipeline, StreamSource};
use crate::stations::containers::{Container, ContainerError};
use crate::stations::hub::{HubError, HubEvent, HubReader};
use crate::stations::warehouse::{FeedMeaning, StreamUnit, Warehouse, WarehouseError};

pub use aftermath::PositionsWritten;
use apply::Applied;
pub use cursor::unit_in;
use cursor::{Cursor, Due};
pub use repair::repair_tail;

/// How often a batch looks at the ledger anew because another handler counts the same partition.
const MOST_LOOKS: usize = 20;

/// What every stream works with, and the sweep where it repairs their ends.
pub struct StreamStations<'a> {
    pub hub: &'a dyn HubReader,
    pub warehouse: &'a dyn Warehouse,
    pub quarantine: &'a Container,
    pub state: &'a Container,
    pub budget: &'a Budget,
    pub clock: &'a Clock,
    pub written: &'a PositionsWritten,
}

/// A feed whose rows come as events.
pub struct StreamedFeed {
    pub counter: EventCounter,
    pub meaning: FeedMeaning,
    pub source: StreamSource,
}

impl StreamedFeed {
    pub fn name(&self) -> &FeedName {
        &self.meaning.feed
    }

    fn max_reject_ratio(&self) -> f64 {
        self.counter.feed().max_reject_ratio
    }
}

/// All feeds that are streamed, by name.
pub struct StreamedFeeds {
    feeds: HashMap<FeedName, Arc<StreamedFeed>>,
}

impl StreamedFeeds {
    pub fn new(pipeline: &Pipeline) -> Result<Self, CountError> {
        let mut feeds = HashMap::new();
        for feed in &pipeline.feeds {
            let Some(source) = &feed.stream else { continue };
            let streamed = StreamedFeed {
                counter: EventCounter::new(pipeline, feed)?,
                meaning: FeedMeaning { feed: feed.name.clone(), fingerprint: pipeline.fingerprint(&feed.name) },
                source: source.clone(),
            };
            feeds.insert(feed.name.clone(), Arc::new(streamed));
        }
        Ok(StreamedFeeds { feeds })
    }

    pub fn get(&self, feed: &FeedName) -> Option<&Arc<StreamedFeed>> {
        self.feeds.get(feed)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<StreamedFeed>> {
        self.feeds.values()
    }
}

/// Events of one partition, as the host delivered them.
#[derive(Clone, Debug)]
pub struct StreamBatch {
    pub hub: String,
    pub partition: String,
    pub events: Vec<HubEvent>,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamReport {
    /// Events that this invocation counted, bad and repaired ones included.
    pub counted: u64,
    pub rejected: u64,
    /// Events of the batch that counted already.
    pub dropped: u64,
    /// Events that were missing before the batch, or at the end of the partition, and were read from the hub.
    pub repaired: u64,
    /// Numbers that the hub no longer has.
    pub lost: u64,
}

/// Why a batch must come again. Bad events are no error: they go to quarantine. Where the host gives up, the next batch or
/// the sweep finds what is missing.
#[derive(Debug, Error)]
pub enum StreamError {
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error("counting events of feed `{feed}` was interrupted")]
    Count { feed: FeedName, source: CountError },
    #[error(
        "feed `{feed}` has `start = \"latest\"`, and nobody has written down where hub `{hub}` stood: run `millrace migrate`"
    )]
    NoStart { feed: FeedName, hub: String },
    #[error(
        "partition {partition} of hub `{hub}` is being counted by another handler, {MOST_LOOKS} times in a row before this one"
    )]
    Contended { hub: String, partition: String },
    #[error(
        "hub `{hub}` was made anew at {created_on}, and partition {partition} brought events of before of which the ledger \
         knows nothing; the hub that had them is gone"
    )]
    OfNoHub { hub: String, partition: String, created_on: String },
}

/// Counts a batch, after what is missing before it.
pub async fn stream(
    mut batch: StreamBatch,
    feed: &StreamedFeed,
    at: &StreamStations<'_>,
) -> Result<StreamReport, StreamError> {
    let mut report = StreamReport::default();
    let mut events = std::mem::take(&mut batch.events);
    // The host keeps the order; nothing here depends on its word.
    events.sort_by_key(|event| event.sequence_number);
    events.dedup_by_key(|event| event.sequence_number);
    let Some(first) = events.first() else { return Ok(report) };

    let unit = match cursor::unit_of(&batch.hub, &batch.partition, first, feed, at).await {
        Ok(unit) => unit,
        Err(why @ StreamError::OfNoHub { .. }) => return unplaced::keep(&batch, &events, &why, feed, at).await,
        Err(error) => return Err(error),
    };
    let mut cursor = Cursor::open(feed, unit, Some(first.sequence_number), at).await?;
    let delivered = events.len() as u64;
    let mut from_batch = 0;
    let mut looks = 1;
    loop {
        let applied = match cursor.due(&events) {
            Due::Nothing => break,
            Due::Missing { through } => repair::fill(&mut cursor, through, &mut report, at).await?,
            Due::Events(range) => {
                let run = &events[range];
                let through = run[run.len() - 1].sequence_number;
                let applied = apply::apply(&mut cursor, run, through, Vec::new(), &mut report, at).await?;
                from_batch += applied.counted();
                applied
            }
        };
        if let Applied::Moved { .. } = applied {
            looks += 1;
            if looks > MOST_LOOKS {
                return Err(StreamError::Contended { hub: batch.hub, partition: batch.partition });
            }
            cursor.look_again(at).await?;
        }
    }
    report.dropped = delivered - from_batch;
    aftermath::finish(&cursor, &report, at).await?;
    tell(&cursor, &report);
    complain(&cursor, &report);
    Ok(report)
}

fn tell(cursor: &Cursor<'_>, report: &StreamReport) {
    if report.counted == 0 {
        return;
    }
    let StreamUnit { feed, hub, partition, .. } = &cursor.unit;
    let repaired = match report.repaired {
        0 => String::new(),
        repaired => format!(", {repaired} of them passed over before"),
    };
    info!(
        "feed `{feed}`, hub `{hub}`, partition {partition}: {} events counted{repaired}, {} rejected; next is {}",
        report.counted,
        report.rejected,
        cursor.next()
    );
}

/// More bad events than the feed allows are an error for people, and never stop a stream.
fn complain(cursor: &Cursor<'_>, report: &StreamReport) {
    let unit = &cursor.unit;
    let limit = cursor.feed.max_reject_ratio();
    if is_too_many(report, limit) {
        error!(
            "feed `{}`, hub `{}`, partition {}: {} of {} events are bad, more than max_reject_ratio = {limit} allows; they are \
             in quarantine with their reasons: mend what sends them, or the contract, then `millrace replay {} --quarantine`",
            unit.feed, unit.hub, unit.partition, report.rejected, report.counted, unit.feed
        );
    }
}

fn is_too_many(report: &StreamReport, limit: f64) -> bool {
    report.rejected as f64 > limit * report.counted as f64
}
