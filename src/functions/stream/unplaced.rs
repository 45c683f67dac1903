//! Events of a hub that was deleted while they were on their way, and of which the ledger knows nothing: no unit can count
//! them, since nobody knows any more which hub gave them their numbers. They are kept for a person.

use tracing::error;

use super::{StreamBatch, StreamError, StreamReport, StreamStations, StreamedFeed};
use crate::names::{BlobName, ETag, Sha256};
use crate::records::dead_letters::{self, DeadLetter};
use crate::stations::hub::HubEvent;

/// Writes the bodies to quarantine, a line each, and a dead letter that names the file.
pub async fn keep(
    batch: &StreamBatch,
    events: &[HubEvent],
    why: &StreamError,
    feed: &StreamedFeed,
    at: &StreamStations<'_>,
) -> Result<StreamReport, StreamError> {
    let mut text = Vec::new();
    for event in events {
        text.extend_from_slice(&event.body);
        text.push(b'\n');
    }
    let numbers = format!("{}-{}", events[0].sequence_number, events[events.len() - 1].sequence_number);
    let feed = feed.name();
    let place = format!("unplaced-events/{feed}/{}/{}", batch.hub, batch.partition);
    let file = format!("{place}/{numbers}.{}.ndjson", Sha256::of(&text));
    let name = |text: &str| BlobName::new(text).expect("names of hubs and partitions are short");
    at.quarantine.put(&name(&file), text.into()).await?;
    let now = at.clock.now();
    let letter = DeadLetter {
        blob: name(&place),
        etag: ETag::new(numbers).expect("two numbers are not empty"),
        stage: "stream".to_owned(),
        reason: why.to_string(),
        remedy: format!("look whether their sender sent them again; if not, upload the file as one of feed `{feed}`"),
        row: None,
        quarantine: Some(file),
        tries: 1,
        first_at: now,
        last_at: now,
    };
    error!("{} events of feed `{feed}` are a dead letter: {}; {}", events.len(), letter.reason, letter.remedy);
    dead_letters::write(at.state, letter).await?;
    let count = events.len() as u64;
    Ok(StreamReport { counted: count, rejected: count, ..StreamReport::default() })
}
