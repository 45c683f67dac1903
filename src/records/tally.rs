//! What the loaded markers of a feed come to together, `tally/<feed>`: files, rows and bad rows by generation.
//!
//! To add up a hundred thousand markers, one would have to read each. So the sweep reads each once, when it is new, and keeps
//! what it said in `tally/<feed>.entries`, 32 bytes a marker; the status page reads the sums. Nothing is decided by them.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::loaded::LoadedMarker;
use crate::names::{BlobName, ETag, FeedName, Sha256};
use crate::stations::containers::{BlobFacts, Container, ContainerError};

/// The sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub as_of: DateTime<Utc>,
    pub generations: BTreeMap<i64, Counted>,
    /// Markers that have not been read yet.
    pub unread: usize,
}

/// What one generation has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub files: usize,
    pub rows_read: i64,
    pub rows_rejected: i64,
}

impl Counted {
    pub fn add(&mut self, marker: &MarkerFacts) {
        self.files += 1;
        self.rows_read = self.rows_read.saturating_add(marker.rows_read);
        self.rows_rejected = self.rows_rejected.saturating_add(marker.rows_rejected);
    }
}

/// What a marker says that is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkerFacts {
    pub generation: i64,
    pub rows_read: i64,
    pub rows_rejected: i64,
}

impl MarkerFacts {
    /// Of a marker that could not be understood, so that it is not read again and again. It is in no sum.
    pub const UNREADABLE: Self = MarkerFacts { generation: i64::MIN, rows_read: 0, rows_rejected: 0 };
}

impl From<&LoadedMarker> for MarkerFacts {
    fn from(marker: &LoadedMarker) -> Self {
        let &LoadedMarker { generation, rows_read, rows_rejected, .. } = marker;
        MarkerFacts { generation, rows_read, rows_rejected }
    }
}

/// Which marker, in which version: one that is written anew is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarkerId([u8; 8]);

impl MarkerId {
    pub fn of(record: &BlobFacts) -> Self {
        MarkerId::of_version(&record.name, &record.etag)
    }

    /// Two markers that share an id are one in a hundred million million: good enough to add up, not to decide.
    fn of_version(record: &BlobName, version: &ETag) -> Self {
        let hash = Sha256::of_fields(&[record.as_str().as_bytes(), version.as_str().as_bytes()]);
        let mut id = [0; 8];
        hex::decode_to_slice(&hash.as_str()[..16], &mut id).expect("a hash has 64 hex digits");
        MarkerId(id)
    }
}

/// What each marker said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries(pub HashMap<MarkerId, MarkerFacts>);

const ENTRY_BYTES: usize = 32;

impl Entries {
    pub fn sums(&self) -> BTreeMap<i64, Counted> {
        let mut sums: BTreeMap<i64, Counted> = BTreeMap::new();
        for marker in self.0.values().filter(|marker| **marker != MarkerFacts::UNREADABLE) {
            sums.entry(marker.generation).or_default().add(marker);
        }
        sums
    }

    fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.0.len() * ENTRY_BYTES);
        for (id, marker) in &self.0 {
            bytes.extend_from_slice(&id.0);
            for number in [marker.generation, marker.rows_read, marker.rows_rejected] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        Bytes::from(bytes)
    }

    /// What is not ours is passed over: the markers are read anew.
    fn decode(bytes: &[u8]) -> Self {
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return Entries::default();
        }
        let number = |entry: &[u8; ENTRY_BYTES], position: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&entry[position..position + 8]);
            number
        };
        let entries = entries.iter().map(|entry| {
            let of = |position| i64::from_le_bytes(number(entry, position));
            let facts = MarkerFacts { generation: of(8), rows_read: of(16), rows_rejected: of(24) };
            (MarkerId(number(entry, 0)), facts)
        });
        Entries(entries.collect())
    }
}

fn name(feed: &FeedName) -> BlobName {
    BlobName::new(format!("tally/{feed}")).expect("a feed's name is short")
}

fn name_of_entries(feed: &FeedName) -> BlobName {
    BlobName::new(format!("tally/{feed}.entries")).expect("a feed's name is short")
}

pub async fn read(state: &Container, feed: &FeedName) -> Result<Option<Tally>, ContainerError> {
    super::read(state, &name(feed)).await
}

pub async fn write(state: &Container, feed: &FeedName, tally: &Tally) -> Result<(), ContainerError> {
    super::write(state, &name(feed), tally).await
}

pub async fn read_entries(state: &Container, feed: &FeedName) -> Result<Entries, ContainerError> {
    Ok(state.get(&name_of_entries(feed)).await?.map(|bytes| Entries::decode(&bytes)).unwrap_or_default())
}

pub async fn write_entries(state: &Container, feed: &FeedName, entries: &Entries) -> Result<(), ContainerError> {
    state.put(&name_of_entries(feed), entries.encode()).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_and_what_is_cut_off_is_nothing() {
        let mut entries = Entries::default();
        for number in 0..100_i64 {
            let record = BlobName::new(format!("loaded/flights/{number}.csv/=v")).unwrap();
            let id = MarkerId::of_version(&record, &ETag::new(number.to_string()).unwrap());
            entries.0.insert(id, MarkerFacts { generation: number % 3, rows_read: number, rows_rejected: -number });
        }
        let bytes = entries.encode();
        assert_eq!(Entries::decode(&bytes), entries);
        assert_eq!(Entries::decode(&bytes[..bytes.len() - 1]), Entries::default());
        let sums = entries.sums();
        assert_eq!(sums[&0], Counted { files: 34, rows_read: 1_683, rows_rejected: -1_683 });
        assert_eq!(sums.len(), 3);
    }
}
