//! The hubs of a namespace: what was sent, what is left of it, and who reads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use fe2o3_amqp::types::primitives::{OrderedMap, SimpleValue};
use futures::FutureExt;
use tokio::sync::Notify;

use super::now;

/// As many as Event Hubs lets read without an owner level.
const MOST_READERS: usize = 5;

pub struct Hubs {
    hubs: BTreeMap<String, Hub>,
}

pub struct Hub {
    pub created_at: i64,
    pub partitions: Vec<Partition>,
    /// Where the next batch without a key goes.
    turn: usize,
}

#[derive(Default)]
pub struct Partition {
    pub events: VecDeque<Event>,
    pub begins: u64,
    /// The number that the next event gets.
    pub next: u64,
    pub last_offset: Option<u64>,
    pub last_at: i64,
    next_offset: u64,
    readers: BTreeMap<String, Vec<Reader>>,
}

#[derive(Clone)]
pub struct Event {
    pub number: u64,
    pub offset: u64,
    pub at: i64,
    pub content: Arc<Content>,
}

/// What a producer sent.
#[derive(Debug, Default, PartialEq)]
pub struct Content {
    pub key: Option<String>,
    pub application_properties: OrderedMap<String, SimpleValue>,
    pub body: Vec<u8>,
}

/// Somebody who reads a partition through a consumer group.
#[derive(Clone)]
pub struct Reader {
    pub level: Option<i64>,
    /// Told when somebody takes the group away.
    pub evicted: Arc<Notify>,
}

/// Why a reader is not let in.
pub enum Refusal {
    Stolen(String),
    TooMany,
}

impl Reader {
    pub fn was_turned_out(&self) -> bool {
        self.evicted.notified().now_or_never().is_some()
    }
}

impl Hubs {
    pub fn of(hubs: &[(&str, usize)]) -> Self {
        let hubs = hubs.iter().map(|(name, partitions)| ((*name).to_owned(), Hub::new(now(), *partitions)));
        Hubs { hubs: hubs.collect() }
    }

    pub fn hub(&self, hub: &str) -> Option<&Hub> {
        self.hubs.get(hub)
    }

    pub fn partition(&self, hub: &str, partition: &str) -> Option<&Partition> {
        let place = place(partition)?;
        self.hubs.get(hub)?.partitions.get(place)
    }

    pub fn partition_mut(&mut self, hub: &str, partition: &str) -> Option<&mut Partition> {
        let place = place(partition)?;
        self.hubs.get_mut(hub)?.partitions.get_mut(place)
    }

    pub fn make_anew(&mut self, hub: &str) {
        let old = &self.hubs[hub];
        let new = Hub::new(now().max(old.created_at + 1), old.partitions.len());
        for reader in old.partitions.iter().flat_map(|partition| partition.readers.values().flatten()) {
            reader.evicted.notify_one();
        }
        self.hubs.insert(hub.to_owned(), new);
    }

    /// Where a batch goes that names no partition.
    pub fn place(&mut self, hub: &str, key: Option<&str>) -> Option<String> {
        let hub = self.hubs.get_mut(hub)?;
        let place = match key {
            Some(key) => key.bytes().fold(7, |hash: usize, byte| hash.wrapping_mul(31).wrapping_add(byte.into())),
            None => {
                hub.turn += 1;
                hub.turn
            }
        };
        Some((place % hub.partitions.len()).to_string())
    }
}

/// `7`, and never `07`.
fn place(partition: &str) -> Option<usize> {
    partition.parse().ok().filter(|place: &usize| place.to_string() == partition)
}

impl Hub {
    fn new(created_at: i64, partitions: usize) -> Self {
        Hub { created_at, partitions: (0..partitions).map(|_| Partition::default()).collect(), turn: 0 }
    }
}

impl Partition {
    pub fn append(&mut self, content: Content) {
        self.last_at = now().max(self.last_at);
        let event = Event { number: self.next, offset: self.next_offset, at: self.last_at, content: Arc::new(content) };
        self.next += 1;
        self.last_offset = Some(event.offset);
        self.next_offset += event.content.body.len() as u64 + 64;
        self.events.push_back(event);
    }

    pub fn forget_before(&mut self, number: u64) {
        self.begins = self.begins.max(number.min(self.next));
        self.events.retain(|event| event.number >= self.begins);
    }

    pub fn first_from(&self, number: u64) -> Option<&Event> {
        let place = self.events.partition_point(|event| event.number < number);
        self.events.get(place)
    }

    /// Lets somebody read, by the rules of owner levels: who has none shares with others who have none; who has one throws
    /// out all who have none or a lower one, or an equal one.
    pub fn let_in(&mut self, group: &str, level: Option<i64>) -> Result<Reader, Refusal> {
        let readers = self.readers.entry(group.to_owned()).or_default();
        let highest = readers.iter().filter_map(|reader| reader.level).max();
        match (level, highest) {
            (None, Some(highest)) => {
                return Err(Refusal::Stolen(format!(
                    "New receiver without epoch is not allowed: there is one with epoch {highest}"
                )));
            }
            (Some(level), Some(highest)) if level < highest => {
                return Err(Refusal::Stolen(format!(
                    "Receiver with higher epoch {highest} exists; {level} is refused"
                )));
            }
            (None, None) if readers.len() >= MOST_READERS => return Err(Refusal::TooMany),
            (None, None) => {}
            (Some(_), _) => readers.drain(..).for_each(|reader| reader.evicted.notify_one()),
        }
        let reader = Reader { level, evicted: Arc::new(Notify::new()) };
        readers.push(reader.clone());
        Ok(reader)
    }

    pub fn leave(&mut self, group: &str, reader: &Reader) {
        if let Some(readers) = self.readers.get_mut(group) {
            readers.retain(|other| !Arc::ptr_eq(&other.evicted, &reader.evicted));
        }
    }
}
