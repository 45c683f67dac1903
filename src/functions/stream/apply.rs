//! Some events to one commit; and where the events at fault are not known, by halves to the one that is.

use bytes::Bytes;
use tracing::warn;

use super::cursor::Cursor;
use super::{StreamError, StreamReport, StreamStations, StreamedFeed};
use crate::counting::CountError;
use crate::counting::events::{BadEvent, CountedEvents};
use crate::faults;
use crate::names::BlobName;
use crate::pipeline::UnknownColumns;
use crate::records::quarantined_events;
use crate::stations::Disposition;
use crate::stations::hub::HubEvent;
use crate::stations::warehouse::{StreamGap, StreamOutcome, WarehouseError};
use crate::telemetry::chain;

/// How far the commits of some events came.
#[derive(Debug, PartialEq, Eq)]
pub enum Applied {
    All {
        counted: u64,
    },
    /// Another handler moved the ledger on after `counted` of them.
    Moved {
        counted: u64,
    },
}

impl Applied {
    pub fn counted(&self) -> u64 {
        match self {
            Applied::All { counted } | Applied::Moved { counted } => *counted,
        }
    }
}

/// Events to be committed together.
struct Piece<'e> {
    events: &'e [HubEvent],
    /// The last number that their commit settles.
    through: u64,
    gaps: Vec<StreamGap>,
    /// Known to be at fault, as the only one of its piece.
    fault: Option<String>,
}

/// How the commit of a piece ended.
enum Ended {
    Committed,
    Moved,
    /// Some event is at fault for good.
    AtFault(String),
}

/// Counts events that are due, and commits them with the gaps before them; `through` is settled with the last.
///
/// A sum that overflows, or an expression that fails, names no event. Then halves are tried, each committed on its own,
/// until one event stands alone: it goes to quarantine, and all others count.
pub async fn apply(
    cursor: &mut Cursor<'_>,
    events: &[HubEvent],
    through: u64,
    gaps: Vec<StreamGap>,
    report: &mut StreamReport,
    at: &StreamStations<'_>,
) -> Result<Applied, StreamError> {
    let mut counted = 0;
    let mut pieces = vec![Piece { events, through, gaps, fault: None }];
    while let Some(piece) = pieces.pop() {
        match commit(cursor, &piece, report, at).await? {
            Ended::Committed => counted += piece.events.len() as u64,
            Ended::Moved => return Ok(Applied::Moved { counted }),
            Ended::AtFault(reason) => pieces.extend(halves(piece, reason)),
        }
    }
    Ok(Applied::All { counted })
}

/// The later half first, as the last one is taken first.
fn halves(piece: Piece<'_>, reason: String) -> Vec<Piece<'_>> {
    if piece.events.len() == 1 {
        return vec![Piece { fault: Some(reason), ..piece }];
    }
    let (first, second) = piece.events.split_at(piece.events.len() / 2);
    let middle = first[first.len() - 1].sequence_number;
    vec![
        Piece { events: second, through: piece.through, gaps: Vec::new(), fault: None },
        Piece { events: first, through: middle, gaps: piece.gaps, fault: None },
    ]
}

async fn commit(
    cursor: &mut Cursor<'_>,
    piece: &Piece<'_>,
    report: &mut StreamReport,
    at: &StreamStations<'_>,
) -> Result<Ended, StreamError> {
    let counted = match count(cursor.feed, piece, at).await {
        Ok(counted) => counted,
        Err(error) if error.disposition() == Disposition::Reject => return Ok(Ended::AtFault(chain(&error))),
        Err(source) => return Err(StreamError::Count { feed: cursor.unit.feed.clone(), source }),
    };
    let bad: Vec<(&HubEvent, &str)> =
        counted.bad.iter().map(|bad| (&piece.events[bad.position], bad.reason.as_str())).collect();
    let mut load = cursor.load(at);
    load.applied = Some(piece.through);
    load.applied_enqueued_at = piece.events.last().map(|event| event.enqueued_at).or(load.applied_enqueued_at);
    load.events_read = piece.events.len() as u64;
    load.events_rejected = bad.len() as u64;
    load.gaps = piece.gaps.clone();
    load.parts = counted.parts;
    if !bad.is_empty() {
        let load_id = uuid::Uuid::new_v4().simple().to_string();
        load.quarantine = Some(quarantined_events::write(at.quarantine, &cursor.unit, &load_id, &bad).await?);
    }
    faults::point("stream.counted");
    let outcome = at.warehouse.commit_stream(&load).await;
    let own_file = load.quarantine.as_ref().map(|file| file.name.clone());
    match outcome {
        Ok(StreamOutcome::Committed) => {}
        Ok(StreamOutcome::Moved) => {
            drop_file(own_file, at).await?;
            return Ok(Ended::Moved);
        }
        Err(error @ WarehouseError::Data { .. }) if !piece.events.is_empty() && piece.fault.is_none() => {
            drop_file(own_file, at).await?;
            return Ok(Ended::AtFault(chain(&error)));
        }
        // It may have been committed all the same: the next look at the ledger tells, and sweep finds the file.
        Err(error) => return Err(error.into()),
    }
    faults::point("stream.committed");
    if let Some(file) = own_file.and_then(|name| BlobName::new(name).ok()) {
        quarantined_events::note(at.state, &file).await?;
    }
    if let Some((event, reason)) = bad.first() {
        warn!(
            "feed `{}`, hub `{}`, partition {}: {} of {} events are in quarantine; the first is {}: {reason}",
            cursor.unit.feed,
            cursor.unit.hub,
            cursor.unit.partition,
            bad.len(),
            piece.events.len(),
            event.sequence_number
        );
    }
    report.counted += load.events_read;
    report.rejected += load.events_rejected;
    report.lost += load.gaps.iter().map(|gap| gap.last - gap.first + 1).sum::<u64>();
    cursor.unknown_columns.extend(counted.unknown_columns);
    cursor.committed(load);
    Ok(Ended::Committed)
}

async fn count(feed: &StreamedFeed, piece: &Piece<'_>, at: &StreamStations<'_>) -> Result<CountedEvents, CountError> {
    let counter = &feed.counter;
    if let Some(reason) = &piece.fault {
        let bad = vec![BadEvent { position: 0, reason: reason.clone() }];
        return Ok(CountedEvents { bad, ..counter.nothing() });
    }
    if piece.events.is_empty() {
        return Ok(counter.nothing());
    }
    let bodies: Vec<Bytes> = piece.events.iter().map(|event| event.body.clone()).collect();
    let counted = counter.count(bodies, at.budget).await?;
    if counter.feed().unknown_columns == UnknownColumns::Reject && !counted.unknown_columns.is_empty() {
        return Err(CountError::UnknownEventKeys { keys: counted.unknown_columns });
    }
    Ok(counted)
}

/// What was written for a commit that did not happen is nobody's.
async fn drop_file(file: Option<String>, at: &StreamStations<'_>) -> Result<(), StreamError> {
    if let Some(name) = file.and_then(|name| BlobName::new(name).ok()) {
        at.quarantine.delete(&name).await?;
    }
    Ok(())
}
