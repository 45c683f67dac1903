//! What the ledger holds of streams: one unit for each partition of a hub's incarnation, and how far it was counted. It
//! knows no SQL.
//!
//! A file's unit is replaced; a stream's accumulates. The parts of a batch are merged into the unit's parts, and the number
//! of the last event that counts, `applied`, moves with them in the same transaction.

use chrono::{DateTime, Utc};

use super::{SummaryPart, WarehouseError};
use crate::names::{FeedName, Sha256};

/// What counts once: one partition of one incarnation of a hub. The consumer group is no part of it: whoever reads, the
/// events are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamUnit {
    pub feed: FeedName,
    /// `ns.servicebus.windows.net`, or the journal's own name.
    pub namespace: String,
    pub hub: String,
    /// When the hub was created, by its own word. A hub that was deleted and made again begins its numbers anew.
    pub incarnation: DateTime<Utc>,
    pub partition: String,
}

impl StreamUnit {
    pub fn id(&self) -> Sha256 {
        let incarnation = self.incarnation.timestamp_micros().to_be_bytes();
        Sha256::of_fields(&[
            b"stream",
            self.feed.as_str().as_bytes(),
            self.namespace.as_bytes(),
            self.hub.as_bytes(),
            &incarnation,
            self.partition.as_bytes(),
        ])
    }
}

/// What the ledger says of a stream's partition.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamRecord {
    pub unit: StreamUnit,
    /// The first number that this unit was to count: what its feed's `start` came to.
    pub begins: u64,
    /// The last number that counts, or is known to count nothing. `None`: nothing of it was there yet.
    pub applied: Option<u64>,
    /// When the hub took the event `applied`.
    pub applied_enqueued_at: Option<DateTime<Utc>>,
    /// Of the latest commit.
    pub generation: i64,
    /// Over all commits. Events that are gone are in neither.
    pub events_read: u64,
    pub events_rejected: u64,
    pub committed_at: DateTime<Utc>,
}

impl StreamRecord {
    /// The number that is due next.
    pub fn next(&self) -> u64 {
        self.applied.map_or(self.begins, |applied| applied + 1)
    }
}

/// Numbers that can never be counted, both inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamGap {
    pub first: u64,
    pub last: u64,
    /// Why, for people.
    pub reason: String,
}

/// A gap of the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedGap {
    pub unit: StreamUnit,
    pub gap: StreamGap,
    pub recorded_at: DateTime<Utc>,
}

/// Since when a summary counts a unit's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummarySince {
    /// The plan's id, which changes with its SQL.
    pub summary_id: String,
    pub table: String,
    /// The first number that it counts.
    pub since: u64,
    /// The feed's generation at that time.
    pub generation: i64,
}

/// A file of bad events, which a commit made valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedEvents {
    /// The file in container `quarantine`.
    pub name: String,
    /// The first and the last number of the bad events in it.
    pub first: u64,
    pub last: u64,
    pub events: u64,
}

/// Some consecutive events of one partition, counted and ready to commit.
#[derive(Clone, Debug)]
pub struct StreamLoad {
    pub unit: StreamUnit,
    pub generation: i64,
    /// The state of the ledger that this was computed against: the number due next; `None`: no row of the unit.
    pub expected_next: Option<u64>,
    /// Where the unit begins; written only with its first row.
    pub begins: u64,
    /// The last number that this settles: counted, rejected, gone, or known never to have been. `None` only with the first
    /// row of a unit of which there is nothing yet.
    pub applied: Option<u64>,
    pub applied_enqueued_at: Option<DateTime<Utc>>,
    pub events_read: u64,
    pub events_rejected: u64,
    pub quarantine: Option<QuarantinedEvents>,
    /// One entry for each summary of the feed, an empty one too.
    pub parts: Vec<SummaryPart>,
    pub gaps: Vec<StreamGap>,
    /// Kept to the microsecond.
    pub committed_at: DateTime<Utc>,
}

/// How a commit of events ended.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamOutcome {
    /// The events are in the summaries, once.
    Committed,
    /// The ledger is not where the load was computed against: look again, and count what is left.
    Moved,
}

/// What the ledger says of a load of events, read under the feed's lock.
///
/// | ledger | load | answer |
/// |---|---|---|
/// | a generation above the load's | any | [`WarehouseError::OlderGeneration`] |
/// | no row | `expected_next` is `None` | `None`: commit |
/// | the number due next | the same `expected_next` | `None`: commit |
/// | anything else | any | [`StreamOutcome::Moved`] |
pub fn settled_by_ledger(
    ledger: Option<&StreamRecord>,
    load: &StreamLoad,
) -> Result<Option<StreamOutcome>, WarehouseError> {
    if let Some(counted) = ledger.filter(|counted| counted.generation > load.generation) {
        return Err(WarehouseError::OlderGeneration {
            feed: load.unit.feed.clone(),
            committed: counted.generation,
            ours: load.generation,
        });
    }
    let is_expected = ledger.map(StreamRecord::next) == load.expected_next;
    Ok(if is_expected { None } else { Some(StreamOutcome::Moved) })
}
