//! Where a partition stands in the ledger, and what is due of a batch. The decision is pure: numbers against a number.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::SubsecRound;

use super::{StreamError, StreamStations, StreamedFeed};
use crate::counting::events::MOST_EVENTS;
use crate::names::FeedName;
use crate::pipeline::StreamStart;
use crate::stations::hub::{HubEvent, HubProperties};
use crate::stations::warehouse::{StreamGap, StreamLoad, StreamRecord, StreamUnit};

/// Bodies that are counted and committed at a time.
pub const STEP_BYTES: usize = 4 << 20;

/// A partition's state in the ledger, moved on with each commit.
pub struct Cursor<'f> {
    pub feed: &'f StreamedFeed,
    pub unit: StreamUnit,
    pub generation: i64,
    /// What the ledger said; `None`: no row of this unit.
    pub record: Option<StreamRecord>,
    /// Where the unit begins if it has no row yet.
    begins: u64,
    /// Gaps that this invocation wrote down.
    pub gaps: Vec<StreamGap>,
    /// Keys of the events that the contract does not name.
    pub unknown_columns: BTreeSet<String>,
}

/// What is to be done about the events of a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// All of them count already.
    Nothing,
    /// Numbers up to this one come before the next event, and are not in the batch.
    Missing { through: u64 },
    /// These are consecutive, and due.
    Events(Range<usize>),
}

/// The unit of a batch. The hub is asked after the events came: they cannot be of a later incarnation than the one it
/// names.
pub async fn unit_of(
    hub: &str,
    partition: &str,
    first: &HubEvent,
    feed: &StreamedFeed,
    at: &StreamStations<'_>,
) -> Result<StreamUnit, StreamError> {
    let unit = unit_in(hub, &at.hub.properties(hub).await?, partition, feed.name());
    if first.enqueued_at >= unit.incarnation {
        return Ok(unit);
    }
    // The hub was deleted and made again while these events were on their way here: they are of the one before, by the same
    // clock that dated both.
    let known = at.warehouse.streams(feed.name()).await?.into_iter().map(|record| record.unit);
    let earlier = known.filter(|known| {
        known.namespace == unit.namespace
            && known.hub == unit.hub
            && known.partition == unit.partition
            && known.incarnation <= first.enqueued_at
    });
    earlier.max_by_key(|known| known.incarnation).ok_or_else(|| StreamError::OfNoHub {
        hub: hub.to_owned(),
        partition: partition.to_owned(),
        created_on: unit.incarnation.to_rfc3339(),
    })
}

/// A partition of the hub that says this of itself. The ledger keeps times to the microsecond.
pub fn unit_in(hub: &str, properties: &HubProperties, partition: &str, feed: &FeedName) -> StreamUnit {
    StreamUnit {
        feed: feed.clone(),
        namespace: properties.namespace.clone(),
        hub: hub.to_owned(),
        incarnation: properties.created_on.trunc_subsecs(6),
        partition: partition.to_owned(),
    }
}

impl<'f> Cursor<'f> {
    /// `delivered` is the first number that the host brought, if it brought any.
    pub async fn open(
        feed: &'f StreamedFeed,
        unit: StreamUnit,
        delivered: Option<u64>,
        at: &StreamStations<'_>,
    ) -> Result<Self, StreamError> {
        let generation = at.warehouse.generation(&feed.meaning).await?;
        let record = at.warehouse.stream(&unit).await?;
        let begins = match &record {
            Some(record) => record.begins,
            None => beginning(feed, &unit, delivered, at).await?,
        };
        Ok(Cursor { feed, unit, generation, record, begins, gaps: Vec::new(), unknown_columns: BTreeSet::new() })
    }

    /// Whether its unit is of the hub that says this of itself, and not of one that was deleted.
    pub fn is_of(&self, properties: &HubProperties) -> bool {
        self.unit.incarnation == properties.created_on.trunc_subsecs(6)
    }

    /// Another handler moved the ledger on.
    pub async fn look_again(&mut self, at: &StreamStations<'_>) -> Result<(), StreamError> {
        self.record = at.warehouse.stream(&self.unit).await?;
        Ok(())
    }

    /// The number that is due.
    pub fn next(&self) -> u64 {
        self.record.as_ref().map_or(self.begins, StreamRecord::next)
    }

    /// What is due of these events, which are in the order of their numbers.
    pub fn due(&self, events: &[HubEvent]) -> Due {
        due(self.next(), events)
    }

    /// A load against the state that this cursor knows.
    pub fn load(&self, at: &StreamStations<'_>) -> StreamLoad {
        StreamLoad {
            unit: self.unit.clone(),
            generation: self.generation,
            expected_next: self.record.as_ref().map(StreamRecord::next),
            begins: self.begins,
            applied: self.record.as_ref().and_then(|record| record.applied),
            applied_enqueued_at: self.record.as_ref().and_then(|record| record.applied_enqueued_at),
            events_read: 0,
            events_rejected: 0,
            quarantine: None,
            parts: Vec::new(),
            gaps: Vec::new(),
            committed_at: at.clock.now(),
        }
    }

    /// The ledger took the load.
    pub fn committed(&mut self, load: StreamLoad) {
        let before = self.record.take();
        self.gaps.extend(load.gaps);
        self.record = Some(StreamRecord {
            unit: load.unit,
            begins: self.begins,
            applied: load.applied,
            applied_enqueued_at: load.applied_enqueued_at,
            generation: load.generation,
            events_read: before.as_ref().map_or(0, |record| record.events_read) + load.events_read,
            events_rejected: before.as_ref().map_or(0, |record| record.events_rejected) + load.events_rejected,
            committed_at: load.committed_at,
        });
    }
}

/// `next` is the number that is due.
fn due(next: u64, events: &[HubEvent]) -> Due {
    let start = events.partition_point(|event| event.sequence_number < next);
    let Some(first) = events.get(start) else { return Due::Nothing };
    if first.sequence_number > next {
        return Due::Missing { through: first.sequence_number - 1 };
    }
    Due::Events(start..start + run_length(&events[start..]))
}

/// How many events from the first on are consecutive and small enough together.
fn run_length(events: &[HubEvent]) -> usize {
    let mut bytes = 0;
    let mut due = events[0].sequence_number;
    let fits = |event: &&HubEvent| {
        let is_next = event.sequence_number == due;
        due += 1;
        bytes += event.body.len();
        // The first one comes however large it is.
        is_next && (bytes <= STEP_BYTES || bytes == event.body.len())
    };
    events.iter().take(MOST_EVENTS).take_while(fits).count()
}

/// Where a partition begins of which the ledger knows nothing.
async fn beginning(
    feed: &StreamedFeed,
    unit: &StreamUnit,
    delivered: Option<u64>,
    at: &StreamStations<'_>,
) -> Result<u64, StreamError> {
    if feed.source.start == StreamStart::Latest {
        // `migrate` wrote down where each partition ended. One that was made later, or a hub that was, begins with its
        // first event.
        let known = at.warehouse.streams(&unit.feed).await?;
        let is_known = |record: &StreamRecord| record.unit.namespace == unit.namespace && record.unit.hub == unit.hub;
        if !known.iter().any(is_known) {
            return Err(StreamError::NoStart { feed: unit.feed.clone(), hub: unit.hub.clone() });
        }
    }
    let retained = at.hub.bounds(&unit.hub, &unit.partition).await?.begins;
    // What the host brought is at hand, even if the hub has just let go of it.
    Ok(delivered.map_or(retained, |delivered| delivered.min(retained)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::DateTime;

    use super::*;

    fn events(numbers: &[u64]) -> Vec<HubEvent> {
        let event = |number: &u64| HubEvent {
            sequence_number: *number,
            enqueued_at: DateTime::UNIX_EPOCH,
            offset: None,
            partition_key: None,
            body: Bytes::from_static(b"{}"),
        };
        numbers.iter().map(event).collect()
    }

    #[test]
    fn what_counts_already_is_dropped() {
        assert_eq!(due(10, &events(&[7, 8, 9])), Due::Nothing);
        assert_eq!(due(10, &events(&[8, 9, 10, 11])), Due::Events(2..4));
    }

    #[test]
    fn every_jump_is_seen_and_not_only_the_first() {
        assert_eq!(due(5, &events(&[7, 8])), Due::Missing { through: 6 });
        assert_eq!(due(7, &events(&[7, 8, 10, 11])), Due::Events(0..2));
        assert_eq!(due(9, &events(&[7, 8, 10, 11])), Due::Missing { through: 9 });
    }

    #[test]
    fn a_run_is_bounded_in_bytes_and_one_large_event_comes_all_the_same() {
        let mut large = events(&[1, 2, 3]);
        large[0].body = Bytes::from(vec![b' '; STEP_BYTES + 1]);
        assert_eq!(due(1, &large), Due::Events(0..1));
        large[0].body = Bytes::from(vec![b' '; STEP_BYTES - 2]);
        assert_eq!(due(1, &large), Due::Events(0..2));
    }
}
