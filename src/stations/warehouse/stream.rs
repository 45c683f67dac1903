//! What the ledger holds of streams: one unit for each partition of a hub's incarnation, and how far it was counted. It
//! knows no SQL.
//!
//! A file's unit is replaced; a stream's accumulates. The parts of a batch are merged into the unit's parts, and the number
//! of the last event that counts, `applied`, moves with them in the same transaction.

use chrono::{DateTime, SecondsFormat, Utc};

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
    /// When the hub was created, by its own word, kept to the microsecond. A hub that was deleted and made again begins
    /// its numbers anew.
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

    /// `stream:ns.servicebus.windows.net/clicks/2026-11-25T10:00:00.000000Z/0`, for people. No file has such a name, as a
    /// blob's begins with its feed's.
    pub fn name(&self) -> String {
        let incarnation = self.incarnation.to_rfc3339_opts(SecondsFormat::Micros, true);
        let [namespace, hub, partition] =
            [&self.namespace, &self.hub, &self.partition].map(|part| part.replace('%', "%25").replace('/', "%2F"));
        format!("stream:{namespace}/{hub}/{incarnation}/{partition}")
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
    /// When the hub took the last event that was there, kept to the microsecond.
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

/// Since when a summary counts a unit's events. One that was taken out of pipeline.toml and came back has a second entry:
/// what passed meanwhile it never counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummarySince {
    /// The plan's id, which changes with its SQL.
    pub summary_id: String,
    pub table: String,
    /// The first number that it counts.
    pub since: u64,
    /// The last number that it counted; `None` while it counts. What it counted stays in the table.
    pub until: Option<u64>,
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

impl StreamLoad {
    /// The first number that this settles.
    pub fn first(&self) -> u64 {
        self.expected_next.unwrap_or(self.begins)
    }

    /// Every load but the first of a unit moves the ledger on: that is why a load that comes twice is seen.
    ///
    /// # Errors
    /// `Data`, for a load that does not, or that says something of numbers that it does not settle.
    pub fn check(&self) -> Result<(), WarehouseError> {
        let refuse = |reason: String| {
            Err(WarehouseError::Data {
                table: "millrace_stream".to_owned(),
                reason: format!("{reason}: a fault of millrace"),
            })
        };
        let first = self.first();
        let Some(applied) = self.applied else {
            let is_empty = self.gaps.is_empty()
                && self.quarantine.is_none()
                && self.events_read == 0
                && self.parts.iter().all(|part| part.rows.is_empty());
            return match self.expected_next {
                None if is_empty => Ok(()),
                None => refuse(format!("a load counts something of `{}` and settles no number", self.unit.name())),
                Some(next) => refuse(format!("a load of `{}` from {next} on settles no number", self.unit.name())),
            };
        };
        if applied < first || i64::try_from(applied).is_err() {
            return refuse(format!("a load of `{}` goes from {first} to {applied}", self.unit.name()));
        }
        let within = |from: u64, to: u64| first <= from && from <= to && to <= applied;
        if let Some(gap) = self.gaps.iter().find(|gap| !within(gap.first, gap.last)) {
            let (from, to) = (gap.first, gap.last);
            return refuse(format!(
                "a load of {first} to {applied} of `{}` has a gap {from} to {to}",
                self.unit.name()
            ));
        }
        let mut gaps: Vec<&StreamGap> = self.gaps.iter().collect();
        gaps.sort_by_key(|gap| gap.first);
        let mut neighbours = gaps.iter().zip(gaps.iter().skip(1));
        if let Some((one, other)) = neighbours.find(|(one, other)| one.last >= other.first) {
            let (from, to) = (other.first, one.last);
            return refuse(format!("a load of `{}` has {from} to {to} in two gaps", self.unit.name()));
        }
        if let Some(bad) = self.quarantine.as_ref().filter(|bad| !within(bad.first, bad.last)) {
            let (from, to) = (bad.first, bad.last);
            return refuse(format!(
                "a load of {first} to {applied} of `{}` has bad events {from} to {to}",
                self.unit.name()
            ));
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> StreamUnit {
        StreamUnit {
            feed: FeedName::new("clicks").unwrap(),
            namespace: "journal".to_owned(),
            hub: "clicks".to_owned(),
            incarnation: DateTime::UNIX_EPOCH,
            partition: "0".to_owned(),
        }
    }

    fn record(applied: Option<u64>, generation: i64) -> StreamRecord {
        StreamRecord {
            unit: unit(),
            begins: 3,
            applied,
            applied_enqueued_at: None,
            generation,
            events_read: 0,
            events_rejected: 0,
            committed_at: DateTime::UNIX_EPOCH,
        }
    }

    fn load(expected_next: Option<u64>, generation: i64) -> StreamLoad {
        StreamLoad {
            unit: unit(),
            generation,
            expected_next,
            begins: 3,
            applied: Some(99),
            applied_enqueued_at: None,
            events_read: 0,
            events_rejected: 0,
            quarantine: None,
            parts: Vec::new(),
            gaps: Vec::new(),
            committed_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_load_counts_only_where_the_ledger_is_as_it_expects() {
        let moved = Some(StreamOutcome::Moved);
        let cases = [
            (None, None, None),
            (None, Some(3), moved.clone()),
            (Some(record(None, 1)), None, moved.clone()),
            (Some(record(None, 1)), Some(3), None),
            (Some(record(Some(7), 1)), Some(8), None),
            (Some(record(Some(7), 1)), Some(7), moved.clone()),
            (Some(record(Some(7), 1)), Some(9), moved.clone()),
            (Some(record(Some(7), 1)), None, moved),
        ];
        for (ledger, expected_next, settled) in cases {
            let said = settled_by_ledger(ledger.as_ref(), &load(expected_next, 1)).unwrap();
            assert_eq!(said, settled, "{ledger:?} {expected_next:?}");
        }
    }

    #[test]
    fn a_newer_generation_in_the_ledger_refuses_an_older_handler_wherever_the_ledger_is() {
        for expected_next in [None, Some(8), Some(9)] {
            let refused = settled_by_ledger(Some(&record(Some(7), 2)), &load(expected_next, 1));
            assert!(matches!(refused, Err(WarehouseError::OlderGeneration { committed: 2, ours: 1, .. })));
        }
        assert_eq!(settled_by_ledger(Some(&record(Some(7), 1)), &load(Some(8), 2)).unwrap(), None);
    }

    #[test]
    fn units_that_differ_have_other_ids_and_other_names() {
        let mut others = vec![unit()];
        let mut other = |change: fn(&mut StreamUnit)| {
            let mut changed = unit();
            change(&mut changed);
            others.push(changed);
        };
        other(|unit| unit.namespace = "journal/clicks".to_owned());
        other(|unit| unit.hub = "clicks/0".to_owned());
        other(|unit| unit.hub = "clicks%2F0".to_owned());
        other(|unit| unit.partition = "00".to_owned());
        other(|unit| unit.incarnation += chrono::Duration::microseconds(1));
        let mut names: Vec<String> = others.iter().map(StreamUnit::name).collect();
        let mut ids: Vec<String> = others.iter().map(|unit| unit.id().to_string()).collect();
        for list in [&mut names, &mut ids] {
            list.sort();
            list.dedup();
            assert_eq!(list.len(), others.len());
        }
        assert_eq!(unit().name(), "stream:journal/clicks/1970-01-01T00:00:00.000000Z/0");
    }
}
