//! Event Hubs, or a journal on disk: where one small message for each landed file waits for `load`, and raw events for
//! `stream`.
//!
//! The host reads hubs for the functions; what they read here themselves is only what the host passed over. The stand-in for
//! the host reads here, too.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use thiserror::Error;

use super::Disposition;

pub mod event_hubs;
pub mod journal;

use event_hubs::EventHubsLocation;

/// Where the hubs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubLocation {
    /// Journals below this directory.
    Journal(PathBuf),
    EventHubs(EventHubsLocation),
}

/// Sends messages to a hub.
#[async_trait]
pub trait HubSender: Send + Sync {
    /// Sends one message to the partition that `partition_key` picks. Returns when the hub has it for good; an error
    /// means that it may or may not be there.
    async fn send(&self, hub: &str, partition_key: &str, body: Bytes) -> Result<(), HubError>;

    /// Sends events in as few requests as the hub allows: those of one key to one partition and in their order, the others
    /// spread over all. Returns how many each partition took. If one is too large, none is sent; after another error some
    /// may have been.
    async fn send_many(&self, hub: &str, events: Vec<NewEvent>) -> Result<BTreeMap<String, u64>, HubError>;

    /// Goes as far as one can without sending, so that a person learns whether this login may send.
    async fn try_sending(&self, hub: &str) -> Result<(), HubError>;
}

/// An event to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub partition_key: Option<String>,
    pub body: Bytes,
}

/// What a hub says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubProperties {
    /// `ns.servicebus.windows.net`; of a journal, `journal`.
    pub namespace: String,
    /// The hub's incarnation: its numbers begin anew with it.
    pub created_on: DateTime<Utc>,
    pub partitions: Vec<String>,
}

/// Where a partition begins and ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionBounds {
    /// The first number that is retained; the next that will be given, while it is empty.
    pub begins: u64,
    /// The last number that was given; `None` if none ever was.
    pub last_enqueued: Option<u64>,
    pub last_enqueued_at: Option<DateTime<Utc>>,
}

/// One event of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubEvent {
    pub sequence_number: u64,
    pub enqueued_at: DateTime<Utc>,
    /// Its place in the partition, as the hub calls it. `None` where nobody asked: only the host passes it on.
    pub offset: Option<String>,
    /// Likewise; `None` too where the event has none.
    pub partition_key: Option<String>,
    pub body: Bytes,
}

/// How much of a partition to read at a time.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimit {
    pub events: usize,
    /// Of their bodies; one event comes however large it is.
    pub bytes: usize,
}

/// Reads from a hub by numbers. A handler reads what the host's own processor did not bring, through a consumer group of its
/// own, as a second reader in the host's group would be refused or evict it; the stand-in host reads in place of that processor.
#[async_trait]
pub trait HubReader: Send + Sync {
    /// Asked anew each time: a hub may have been deleted and made again.
    async fn properties(&self, hub: &str) -> Result<HubProperties, HubError>;

    async fn bounds(&self, hub: &str, partition: &str) -> Result<PartitionBounds, HubError>;

    /// The events with numbers from `from` on, in order. Numbers that do not exist (compaction, transaction markers) and
    /// those before [`PartitionBounds::begins`] are passed over; empty where nothing of these numbers is there. A hub that
    /// cannot tell numbers that do not exist from events that are late fails where nothing else follows.
    async fn read(
        &self,
        hub: &str,
        consumer_group: &str,
        partition: &str,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Vec<HubEvent>, HubError>;

    /// Reads one event through a consumer group, if there is any, so that a person learns whether the group is there and
    /// this login may read. Whoever reads there is not disturbed.
    async fn try_group(&self, hub: &str, consumer_group: &str) -> Result<GroupTrial, HubError>;
}

/// What became of a second reader in a consumer group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupTrial {
    /// It was given an event.
    Read,
    /// It was let in, as far as can be told: the hub has no event, and a reader hears of nothing else.
    NothingToRead,
    /// Somebody reads with an owner level, who comes first: the group is there.
    Occupied,
}

#[derive(Debug, Error)]
pub enum HubError {
    #[error("send to hub `{hub}` failed")]
    Send { hub: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("read of hub `{hub}` failed")]
    Read { hub: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("hub `{hub}` has no partition `{partition}`")]
    NoPartition { hub: String, partition: String },
    #[error("message of {size_bytes} bytes is above the {limit_bytes} that hub `{hub}` takes")]
    TooLarge { hub: String, size_bytes: usize, limit_bytes: usize },
    #[error(
        "hub `{hub}` is in a geo-replicated namespace, where numbers may come again after a failover: its events cannot be \
         counted exactly once yet; stream through a namespace without geo-replication"
    )]
    GeoReplicated { hub: String },
}

impl HubError {
    pub fn disposition(&self) -> Disposition {
        match self {
            HubError::Send { .. }
            | HubError::Read { .. }
            | HubError::NoPartition { .. }
            | HubError::GeoReplicated { .. } => Disposition::Retry,
            HubError::TooLarge { .. } => Disposition::Reject,
        }
    }
}
