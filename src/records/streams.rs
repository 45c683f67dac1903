//! How far each partition of a stream was counted, `streams/<feed>/<hub>/<partition>`: written after commits, so that the
//! sweep and the status page need not ask the database. Never the truth: that is the ledger.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::names::{BlobName, FeedName};
use crate::stations::containers::{Container, ContainerError};
use crate::stations::warehouse::{StreamGap, StreamRecord, StreamUnit};

/// Gaps that a position lists, the newest; the ledger has them all.
const GAPS_LISTED: usize = 10;

/// What the ledger said of a partition's present incarnation when this was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPosition {
    pub feed: FeedName,
    pub namespace: String,
    pub hub: String,
    pub incarnation: DateTime<Utc>,
    pub partition: String,
    pub generation: i64,
    /// The number that is due next.
    pub next: u64,
    /// When the hub took the last event that counts.
    pub applied_enqueued_at: Option<DateTime<Utc>>,
    pub events_read: u64,
    pub events_rejected: u64,
    /// The newest, oldest first.
    #[serde(default)]
    pub gaps: Vec<GapOnPage>,
    /// The latest batch in which more events were bad than the feed allows.
    #[serde(default)]
    pub too_many_bad: Option<TooManyBad>,
    /// Since when each summary counts, where that is not the beginning.
    #[serde(default)]
    pub since: Vec<String>,
    pub committed_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapOnPage {
    pub first: u64,
    pub last: u64,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TooManyBad {
    pub read: u64,
    pub rejected: u64,
    pub at: DateTime<Utc>,
}

impl StreamPosition {
    pub fn of(record: &StreamRecord) -> Self {
        let StreamUnit { feed, namespace, hub, incarnation, partition } = record.unit.clone();
        StreamPosition {
            feed,
            namespace,
            hub,
            incarnation,
            partition,
            generation: record.generation,
            next: record.next(),
            applied_enqueued_at: record.applied_enqueued_at,
            events_read: record.events_read,
            events_rejected: record.events_rejected,
            gaps: Vec::new(),
            too_many_bad: None,
            since: Vec::new(),
            committed_at: record.committed_at,
        }
    }

    /// Whether it is about this unit, and not about one of an earlier incarnation.
    pub fn is_of(&self, unit: &StreamUnit) -> bool {
        self.incarnation == unit.incarnation && self.namespace == unit.namespace
    }

    pub fn add_gaps(&mut self, gaps: impl IntoIterator<Item = StreamGap>) {
        self.gaps.extend(gaps.into_iter().map(|StreamGap { first, last, reason }| GapOnPage { first, last, reason }));
        let too_many = self.gaps.len().saturating_sub(GAPS_LISTED);
        self.gaps.drain(..too_many);
    }
}

fn name(feed: &FeedName, hub: &str, partition: &str) -> BlobName {
    let segment = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    BlobName::new(format!("{}{}/{}", prefix(feed), segment(hub), segment(partition)))
        .expect("names of hubs and partitions are short")
}

fn prefix(feed: &FeedName) -> String {
    format!("streams/{feed}/")
}

pub async fn read(
    state: &Container,
    feed: &FeedName,
    hub: &str,
    partition: &str,
) -> Result<Option<StreamPosition>, ContainerError> {
    super::read(state, &name(feed, hub, partition)).await
}

pub async fn write(state: &Container, position: &StreamPosition) -> Result<(), ContainerError> {
    super::write(state, &name(&position.feed, &position.hub, &position.partition), position).await
}

/// Of all partitions of a feed, by hub and partition.
pub async fn of_feed(state: &Container, feed: &FeedName) -> Result<Vec<StreamPosition>, ContainerError> {
    let names: Vec<_> = state.list(&prefix(feed), None).try_collect().await?;
    let mut positions = Vec::with_capacity(names.len());
    for facts in names {
        positions.extend(super::read::<StreamPosition>(state, &facts.name).await?);
    }
    Ok(positions)
}
