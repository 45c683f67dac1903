//! The embedded hub: append-only partitions on disk, with contiguous sequence numbers from 0 as Event Hubs has them.
//!
//! A hub is a directory `<root>/<hub>/` with `hub.json` (how many partitions, made when) and, for each partition, the
//! two files of [`partition`]. Several processes may send to it and read from it at once. What is kept is kept for
//! ever: retention is the business of whoever deletes the directory. It knows nothing of consumers: checkpoints belong
//! to them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{HubError, HubSender};
use crate::clock::Clock;

mod partition;
#[cfg(test)]
mod tests;

use partition::{NewRecord, PartitionFiles, PartitionWriter};

/// Partitions of a hub that is created here: as many as a small Event Hubs namespace usually has.
pub const DEFAULT_PARTITIONS: u32 = 4;

/// The largest body that Event Hubs takes in its standard tier
/// (<https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas>).
pub const BODY_LIMIT_BYTES: usize = 1024 * 1024;

#[derive(Debug, Error)]
pub enum JournalError {
    #[error("journal file `{}` cannot be used: check that the directory exists and is writable", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("journal file `{}` is damaged at sequence number {sequence_number}: delete its .index to have it rebuilt", path.display())]
    Damaged { path: PathBuf, sequence_number: u64 },
    #[error("journal description `{}` is not what this version writes: move the hub's directory away", path.display())]
    Description { path: PathBuf, source: serde_json::Error },
    #[error("hub name `{name}` must have 1 to 256 letters, digits, `.`, `-` or `_` and begin with a letter or digit")]
    HubName { name: String },
    #[error("hub `{hub}` has {partitions} partitions and no partition {partition}")]
    NoPartition { hub: String, partitions: u32, partition: u32 },
}

/// One event as a consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEvent {
    pub sequence_number: u64,
    /// Bytes from the start of the partition's file.
    pub offset: u64,
    pub enqueued_at: DateTime<Utc>,
    pub partition_key: String,
    pub body: Bytes,
}

/// Where a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionProperties {
    /// The number that the next event will get; 0 while the partition is empty.
    pub next_sequence_number: u64,
    /// Bytes of all its events.
    pub size_bytes: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    partitions: u32,
    created_on: DateTime<Utc>,
}

/// A namespace of journals below one directory.
#[derive(Clone)]
pub struct JournalHub {
    root: PathBuf,
    clock: Clock,
    hubs: Arc<Mutex<HashMap<String, Arc<Hub>>>>,
}

impl JournalHub {
    /// Names the directory; a hub in it is created when it is first used.
    pub fn new(root: impl Into<PathBuf>, clock: Clock) -> Self {
        JournalHub { root: root.into(), clock, hubs: Arc::default() }
    }

    /// How many partitions `hub` has.
    pub async fn partition_count(&self, hub: &str) -> Result<u32, JournalError> {
        let opened = self.hub(hub).await?;
        Ok(opened.description.partitions)
    }

    /// When `hub` was created: its incarnation.
    pub async fn created_on(&self, hub: &str) -> Result<DateTime<Utc>, JournalError> {
        let opened = self.hub(hub).await?;
        Ok(opened.description.created_on)
    }

    /// Events of one partition from `from_sequence` on: at most `max_count`, and at most `max_bytes` of records unless
    /// the first alone is larger. Empty at the end. Takes the same time wherever it begins.
    pub async fn read(
        &self,
        hub: &str,
        partition: u32,
        from_sequence: u64,
        max_count: usize,
        max_bytes: usize,
    ) -> Result<Vec<JournalEvent>, JournalError> {
        let files = self.hub(hub).await?.lane(partition)?.files.clone();
        blocking(move || files.read(from_sequence, max_count, max_bytes)).await
    }

    /// Where one partition stands now.
    pub async fn partition_properties(&self, hub: &str, partition: u32) -> Result<PartitionProperties, JournalError> {
        let files = self.hub(hub).await?.lane(partition)?.files.clone();
        blocking(move || files.properties()).await
    }

    async fn hub(&self, name: &str) -> Result<Arc<Hub>, JournalError> {
        if let Some(hub) = self.known_hubs().get(name) {
            return Ok(hub.clone());
        }
        check_hub_name(name)?;
        let directory = self.root.join(name);
        let owned_name = name.to_owned();
        let now = self.clock.now();
        let opened = blocking(move || Hub::open(owned_name, &directory, now)).await?;
        Ok(self.known_hubs().entry(name.to_owned()).or_insert(Arc::new(opened)).clone())
    }

    fn known_hubs(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Hub>>> {
        self.hubs.lock().expect("nothing panics while it holds the list of hubs")
    }

    async fn append(&self, hub: &str, partition_key: &str, body: Bytes) -> Result<(), Arc<JournalError>> {
        let opened = self.hub(hub).await?;
        let lane = opened.lane(partition_of(partition_key, opened.description.partitions))?.clone();
        let (written, answer) = tokio::sync::oneshot::channel();
        let record = NewRecord { enqueued_at: self.clock.now(), partition_key: partition_key.to_owned(), body };
        lane.waiting.lock().expect("nothing panics while it holds the queue").push(Waiting { record, written });
        blocking(move || lane.write_what_waits()).await;
        answer.await.expect("a record is answered by the call that took it from the queue, and ours came after it")
    }
}

#[async_trait]
impl HubSender for JournalHub {
    async fn send(&self, hub: &str, partition_key: &str, body: Bytes) -> Result<(), HubError> {
        let size_bytes = body.len();
        if size_bytes > BODY_LIMIT_BYTES {
            return Err(HubError::TooLarge { hub: hub.to_owned(), size_bytes, limit_bytes: BODY_LIMIT_BYTES });
        }
        let sent = self.append(hub, partition_key, body).await;
        sent.map_err(|source| HubError::Send { hub: hub.to_owned(), source: Box::new(source) })
    }
}

struct Hub {
    name: String,
    description: Description,
    lanes: Vec<Arc<Lane>>,
}

impl Hub {
    fn open(name: String, directory: &Path, now: DateTime<Utc>) -> Result<Self, JournalError> {
        let description = describe(directory, now)?;
        let mut lanes = Vec::new();
        for partition in 0..description.partitions {
            let files = PartitionFiles::in_directory(directory, partition);
            files.open_writer()?;
            lanes.push(Arc::new(Lane { files, waiting: Mutex::default(), writer: Mutex::default() }));
        }
        Ok(Hub { name, description, lanes })
    }

    fn lane(&self, partition: u32) -> Result<&Arc<Lane>, JournalError> {
        self.lanes.get(partition as usize).ok_or_else(|| JournalError::NoPartition {
            hub: self.name.clone(),
            partitions: self.description.partitions,
            partition,
        })
    }
}

/// One partition within this process. Whoever comes first writes for all who wait: many senders share one fsync.
struct Lane {
    files: PartitionFiles,
    waiting: Mutex<Vec<Waiting>>,
    writer: Mutex<Option<PartitionWriter>>,
}

struct Waiting {
    record: NewRecord,
    written: tokio::sync::oneshot::Sender<Result<(), Arc<JournalError>>>,
}

impl Lane {
    fn write_what_waits(&self) {
        let mut writer = self.writer.lock().expect("writing a partition does not panic");
        let batch = std::mem::take(&mut *self.waiting.lock().expect("nothing panics while it holds the queue"));
        if batch.is_empty() {
            return;
        }
        let (records, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.record, w.written)).unzip();
        let outcome = self.write(&mut writer, &records).map_err(Arc::new);
        if outcome.is_err() {
            // The next sender opens the files again and repairs what a half-written batch left.
            *writer = None;
        }
        for answer in answers {
            // A sender that no longer waits has been cancelled: its record may or may not be there.
            let _ = answer.send(outcome.clone());
        }
    }

    fn write(&self, writer: &mut Option<PartitionWriter>, records: &[NewRecord]) -> Result<(), JournalError> {
        if writer.is_none() {
            *writer = Some(self.files.open_writer()?);
        }
        writer.as_mut().expect("it was opened just now").append(records)
    }
}

/// Reads the hub's description, or writes it where there is none yet. Processes that come at once agree on one.
fn describe(directory: &Path, now: DateTime<Utc>) -> Result<Description, JournalError> {
    let path = directory.join("hub.json");
    let failed = |source| JournalError::File { path: path.clone(), source };
    fs::create_dir_all(directory).map_err(failed)?;
    let lock = File::create(directory.join("hub.lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    match fs::read(&path) {
        Ok(text) => {
            serde_json::from_slice(&text).map_err(|source| JournalError::Description { path: path.clone(), source })
        }
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            let description = Description { partitions: DEFAULT_PARTITIONS, created_on: now };
            let text = serde_json::to_vec(&description).expect("two plain fields can be written as JSON");
            let unfinished = directory.join("hub.json.new");
            fs::write(&unfinished, text).map_err(failed)?;
            File::open(&unfinished).and_then(|file| file.sync_all()).map_err(failed)?;
            fs::rename(&unfinished, &path).map_err(failed)?;
            Ok(description)
        }
        Err(other) => Err(failed(other)),
    }
}

fn check_hub_name(name: &str) -> Result<(), JournalError> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let begins_well = name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if plain && begins_well && name.len() <= 256 {
        Ok(())
    } else {
        Err(JournalError::HubName { name: name.to_owned() })
    }
}

fn partition_of(partition_key: &str, partitions: u32) -> u32 {
    let digest = Sha256::digest(partition_key.as_bytes());
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    number % partitions.max(1)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}
