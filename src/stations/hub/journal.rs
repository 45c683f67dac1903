//! The embedded hub: append-only partitions on disk, with contiguous sequence numbers from 0 as Event Hubs has them.
//!
//! A hub is a directory `<root>/<hub>/` with `hub.json` (how many partitions, made when) and, for each partition, the
//! files of [`partition`] and [`gone`]. Several processes may send to it and read from it at once. It knows nothing of
//! consumers: checkpoints belong to them.
//!
//! What Event Hubs lets go of, a journal does only when it is told: by [`JournalHub::forget_before`] and
//! [`JournalHub::compact`]. Both only say what is gone. The bytes stay in the partition's file until the hub is deleted,
//! by [`JournalHub::delete`] or by hand; whoever holds a deleted hub open goes on with the next one of its name.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{NewEvent, ReadLimit};
use crate::clock::Clock;

mod gone;
mod incarnation;
mod lane;
mod partition;
mod port;
#[cfg(test)]
mod tests;

use incarnation::Incarnation;
use lane::Lane;
use partition::{NewRecord, PartitionFiles};

/// What stands where Azure has `<namespace>.servicebus.windows.net`. The same for every root: each workspace has a
/// database of its own, and may be moved.
pub const NAMESPACE: &str = "journal";

/// Partitions of a hub that is created here: as many as a small Event Hubs namespace usually has.
pub const DEFAULT_PARTITIONS: u32 = 4;

/// The largest body that Event Hubs takes in its standard tier
/// (<https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas>).
pub const BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// How often somebody may make a hub anew while one call works on it.
const INCARNATIONS_TRIED: usize = 16;

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
    #[error("journal directory `{}` has events and no hub.json, as if somebody were deleting it: delete all of it", directory.display())]
    HalfDeleted { directory: PathBuf },
    #[error("the hub was deleted meanwhile")]
    Recreated,
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

/// A namespace of journals below one directory.
#[derive(Clone)]
pub struct JournalHub {
    root: PathBuf,
    clock: Clock,
    hubs: Arc<Mutex<HashMap<String, Arc<Hub>>>>,
    /// Where events without a key go next.
    next_lane: Arc<AtomicU32>,
}

impl JournalHub {
    /// Names the directory; a hub in it is created when it is first used.
    pub fn new(root: impl Into<PathBuf>, clock: Clock) -> Self {
        JournalHub { root: root.into(), clock, hubs: Arc::default(), next_lane: Arc::default() }
    }

    /// Makes a hub with so many partitions; one that is there already stays as it is.
    pub async fn make(&self, hub: &str, partitions: u32) -> Result<(), JournalError> {
        let (this, hub) = (self.clone(), hub.to_owned());
        blocking(move || this.open(&hub, partitions).map(|_| ())).await
    }

    /// Deletes a hub and everything in it. The next use of its name makes another incarnation, with other numbers.
    pub async fn delete(&self, hub: &str) -> Result<(), JournalError> {
        check_hub_name(hub)?;
        let (root, hub) = (self.root.clone(), hub.to_owned());
        blocking(move || incarnation::delete(&root, &hub)).await
    }

    /// How many partitions `hub` has.
    pub async fn partition_count(&self, hub: &str) -> Result<u32, JournalError> {
        self.on_hub(hub, |hub| Ok(hub.incarnation.description.partitions)).await
    }

    /// When `hub` was created: its incarnation. To the microsecond, and never the same for two hubs of this name.
    pub async fn created_on(&self, hub: &str) -> Result<DateTime<Utc>, JournalError> {
        self.on_hub(hub, |hub| Ok(hub.incarnation.created_on())).await
    }

    /// Events of one partition from `from_sequence` on: at most `max_count`, and at most `max_bytes` of bodies unless
    /// the first alone is larger. Numbers that are gone are passed over. Empty at the end. Takes the same time wherever
    /// it begins.
    pub async fn read(
        &self,
        hub: &str,
        partition: u32,
        from_sequence: u64,
        max_count: usize,
        max_bytes: usize,
    ) -> Result<Vec<JournalEvent>, JournalError> {
        let limit = ReadLimit { events: max_count, bytes: max_bytes };
        self.on_hub(hub, move |hub| hub.lane(partition)?.files.read(from_sequence, limit)).await
    }

    /// Retention: events with numbers below `number` are gone, for all processes and for ever. What was not sent yet is
    /// not forgotten.
    pub async fn forget_before(&self, hub: &str, partition: u32, number: u64) -> Result<(), JournalError> {
        self.on_hub(hub, move |hub| hub.lane(partition)?.files.let_go(number, &[])).await
    }

    /// Compaction: these numbers are gone, for all processes and for ever, though the partition begins before them. What
    /// was not sent yet stays out of it.
    pub async fn compact(&self, hub: &str, partition: u32, holes: &[RangeInclusive<u64>]) -> Result<(), JournalError> {
        let holes = holes.to_vec();
        self.on_hub(hub, move |hub| hub.lane(partition)?.files.let_go(0, &holes)).await
    }

    /// Works on one incarnation of a hub: what came to be while it was deleted and made again is thrown away.
    async fn on_hub<T: Send + 'static>(
        &self,
        name: &str,
        work: impl Fn(&Hub) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (this, name) = (self.clone(), name.to_owned());
        blocking(move || {
            for _ in 0..INCARNATIONS_TRIED {
                let hub = this.open(&name, DEFAULT_PARTITIONS)?;
                let outcome = work(&hub);
                if hub.incarnation.is_current()? {
                    return outcome;
                }
            }
            Err(JournalError::Recreated)
        })
        .await
    }

    /// The hub that is there now; a new one where there is none.
    fn open(&self, name: &str, partitions: u32) -> Result<Arc<Hub>, JournalError> {
        let known = self.known_hubs().get(name).cloned();
        if let Some(hub) = known
            && hub.incarnation.is_current()?
        {
            return Ok(hub);
        }
        check_hub_name(name)?;
        let opened = Arc::new(self.open_files(name, partitions)?);
        let mut hubs = self.known_hubs();
        let known = hubs.entry(name.to_owned()).or_insert_with(|| opened.clone());
        if !known.incarnation.is_same(&opened.incarnation) {
            *known = opened;
        }
        Ok(known.clone())
    }

    fn open_files(&self, name: &str, partitions: u32) -> Result<Hub, JournalError> {
        let mut tried = 1;
        loop {
            let incarnation = Incarnation::open_or_make(&self.root, name, partitions, self.clock.now())?;
            let incarnation = Arc::new(incarnation);
            match Hub::open(name.to_owned(), &self.root.join(name), incarnation.clone()) {
                Err(_) if tried < INCARNATIONS_TRIED && !incarnation.is_current()? => tried += 1,
                opened => return opened,
            }
        }
    }

    fn known_hubs(&self) -> MutexGuard<'_, HashMap<String, Arc<Hub>>> {
        self.hubs.lock().expect("nothing panics while it holds the list of hubs")
    }

    /// Sends to each partition with one write and one sync. Returns how many events each took.
    fn append(&self, name: &str, mut events: Vec<NewEvent>) -> Result<BTreeMap<u32, u64>, Arc<JournalError>> {
        let mut sent = BTreeMap::new();
        for _ in 0..INCARNATIONS_TRIED {
            let hub = self.open(name, DEFAULT_PARTITIONS)?;
            let mut unsent = Vec::new();
            for (partition, events) in self.by_partition(events, hub.incarnation.description.partitions) {
                let count = events.len() as u64;
                match hub.lane(partition)?.send(self.records(&events)) {
                    Ok(()) => *sent.entry(partition).or_default() += count,
                    Err(failure) if matches!(*failure, JournalError::Recreated) => unsent.extend(events),
                    Err(failure) => return Err(failure),
                }
            }
            if unsent.is_empty() {
                return Ok(sent);
            }
            events = unsent;
        }
        Err(Arc::new(JournalError::Recreated))
    }

    /// Those of one key in their order; those without a key in turn.
    fn by_partition(&self, events: Vec<NewEvent>, partitions: u32) -> BTreeMap<u32, Vec<NewEvent>> {
        let mut by_partition: BTreeMap<u32, Vec<NewEvent>> = BTreeMap::new();
        for event in events {
            let partition = match &event.partition_key {
                Some(key) => partition_of(key, partitions),
                None => self.next_lane.fetch_add(1, Ordering::Relaxed) % partitions.max(1),
            };
            by_partition.entry(partition).or_default().push(event);
        }
        by_partition
    }

    fn records(&self, events: &[NewEvent]) -> Vec<NewRecord> {
        let enqueued_at = self.clock.now();
        let record = |event: &NewEvent| NewRecord {
            enqueued_at,
            partition_key: event.partition_key.clone().unwrap_or_default(),
            body: event.body.clone(),
        };
        events.iter().map(record).collect()
    }
}

struct Hub {
    name: String,
    incarnation: Arc<Incarnation>,
    lanes: Vec<Lane>,
}

impl Hub {
    fn open(name: String, directory: &Path, incarnation: Arc<Incarnation>) -> Result<Self, JournalError> {
        let mut lanes = Vec::new();
        for partition in 0..incarnation.description.partitions {
            let files = PartitionFiles::in_directory(directory, partition);
            files.open_writer()?;
            lanes.push(Lane::new(files, incarnation.clone()));
        }
        Ok(Hub { name, incarnation, lanes })
    }

    fn lane(&self, partition: u32) -> Result<&Lane, JournalError> {
        self.lanes.get(partition as usize).ok_or_else(|| JournalError::NoPartition {
            hub: self.name.clone(),
            partitions: self.incarnation.description.partitions,
            partition,
        })
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
