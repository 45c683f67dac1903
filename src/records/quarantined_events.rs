//! Bad events, `stream-events/<feed>/<hub>/<incarnation>/<partition>/<first>-<last>.<load id>.ndjson` in container
//! `quarantine`: one JSON object an event, with its number, the event as it came, and what is wrong. A file is written
//! before its commit and counts only if the ledger names it.
//!
//! No feed is named `stream-events`, so these names are nobody else's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::names::{BlobName, FeedName, Sha256};
use crate::stations::containers::{Container, ContainerError};
use crate::stations::hub::HubEvent;
use crate::stations::warehouse::{QuarantinedEvents, StreamUnit};

const FOLDER: &str = "stream-events";

/// What a partition's path keeps as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// A bad event as its file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedEvent {
    pub sequence_number: u64,
    pub body: Bytes,
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    sequence_number: u64,
    enqueued_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    /// In place of `raw` where the event is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    reason: String,
}

/// A partition's place, the same in `quarantine` and in `landing`: `<hub>/<incarnation>/<partition>`.
pub fn place_of(unit: &StreamUnit) -> String {
    let segment = |text: &str| utf8_percent_encode(text, KEPT).to_string();
    let incarnation = unit.incarnation.format("%Y%m%dT%H%M%S%6fZ");
    format!("{}/{incarnation}/{}", segment(&unit.hub), segment(&unit.partition))
}

/// Below its feed, the folder in landing in which mended events lie. They are NDJSON, whatever the feed's files are.
const LANDED_FOLDER: &str = "replayed-events";

/// Where the mended events of one file of bad ones land. Its numbers are those of the file, not of the mended events.
pub fn landed_name(unit: &StreamUnit, first: u64, last: u64) -> BlobName {
    BlobName::new(format!("{}/{LANDED_FOLDER}/{}/{first:020}-{last:020}.ndjson", unit.feed, place_of(unit)))
        .expect("names of hubs and partitions are short")
}

/// Whether a landed blob holds mended events.
pub fn is_landed(blob: &BlobName) -> bool {
    let mut segments = blob.as_str().split('/');
    segments.nth(1) == Some(LANDED_FOLDER) && segments.count() == 4
}

/// The feed of a file of bad events; `None` for other files.
pub fn feed_of(file: &BlobName) -> Option<FeedName> {
    let (feed, _) = file.as_str().strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
    FeedName::new(feed).ok()
}

/// What the names of a feed's files of bad events begin with.
pub fn prefix_of(feed: &FeedName) -> String {
    format!("{FOLDER}/{feed}/")
}

/// Writes the bad events of one commit. `bad` must not be empty.
pub async fn write(
    quarantine: &Container,
    unit: &StreamUnit,
    load_id: &str,
    bad: &[(&HubEvent, &str)],
) -> Result<QuarantinedEvents, ContainerError> {
    let mut text = Vec::new();
    for (event, reason) in bad {
        let raw = std::str::from_utf8(&event.body).ok().map(str::to_owned);
        let raw_base64 = if raw.is_none() { Some(STANDARD.encode(&event.body)) } else { None };
        let line = Line {
            sequence_number: event.sequence_number,
            enqueued_at: event.enqueued_at,
            raw,
            raw_base64,
            reason: (*reason).to_owned(),
        };
        serde_json::to_writer(&mut text, &line).expect("a line holds text and numbers, and a Vec takes every byte");
        text.push(b'\n');
    }
    let (first, last) = (bad[0].0.sequence_number, bad[bad.len() - 1].0.sequence_number);
    let name = format!("{FOLDER}/{}/{}/{first:020}-{last:020}.{load_id}.ndjson", unit.feed, place_of(unit));
    let blob = BlobName::new(&*name).expect("names of hubs and partitions are short");
    quarantine.put(&blob, Bytes::from(text)).await?;
    Ok(QuarantinedEvents { name, first, last, events: bad.len() as u64 })
}

/// Says that a commit made a file valid, `quarantined-events/<hash of its name>`: the sweep need not ask the ledger.
pub async fn note(state: &Container, file: &BlobName) -> Result<(), ContainerError> {
    state.put(&note_name(file), Bytes::copy_from_slice(file.as_str().as_bytes())).await.map(|_| ())
}

pub async fn is_noted(state: &Container, file: &BlobName) -> Result<bool, ContainerError> {
    Ok(state.head(&note_name(file)).await?.is_some())
}

fn note_name(file: &BlobName) -> BlobName {
    BlobName::new(format!("quarantined-events/{}", Sha256::of(file.as_str()))).expect("a hash has 64 characters")
}

/// Reads a file of bad events; `None`: it is gone. Lines that are not ours are passed over.
pub async fn read(quarantine: &Container, name: &BlobName) -> Result<Option<Vec<QuarantinedEvent>>, ContainerError> {
    let Some(bytes) = quarantine.get(name).await? else { return Ok(None) };
    let events = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let line: Line = serde_json::from_slice(line).ok()?;
        let body = match (line.raw, line.raw_base64) {
            (Some(raw), _) => Bytes::from(raw),
            (None, Some(encoded)) => Bytes::from(STANDARD.decode(encoded).ok()?),
            (None, None) => return None,
        };
        Some(QuarantinedEvent { sequence_number: line.sequence_number, body, reason: line.reason })
    });
    Ok(Some(events.collect()))
}
