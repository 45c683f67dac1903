//! Azure Event Hubs, or whatever speaks like it, through Azure's own AMQP client.
//!
//! Knows that this client may lose an acknowledgement and then wait for ever (so it works on one thread), keeps the first token it showed to a hub's
//! management for good, and begins a read anew when its link breaks: so every call has a limit, is made again over a new
//! connection, and passes over what came already. What was sent may therefore be there twice. It knows nothing of
//! checkpoints: those are the host's.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_messaging_eventhubs::{EventHubsError, ProducerClient};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use thiserror::Error;

use super::{
    GroupTrial, HubError, HubEvent, HubProperties, HubReader, HubSender, NewEvent, PartitionBounds, ReadLimit,
};
use crate::identity::{IdentityError, TokenSource};

mod client;
mod failure;
mod location;
mod own_thread;
mod partition_key;
mod read;
mod send;
mod trial;

pub use location::{EventHubsLocation, Login, SharedAccess};

use client::{Doorway, Producers, Readers};
use failure::Failure;
use own_thread::OwnThread;

/// How long to wait, and how often to try, before a call fails.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one try, from the connection to the answer.
    pub answer: Duration,
    /// For the next event of a read, where the hub's own figures say that there is one.
    pub silence: Duration,
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { answer: Duration::from_secs(20), silence: Duration::from_secs(5), tries: 3 }
    }
}

/// A namespace of hubs. Cheap to clone; the connections are shared.
#[derive(Clone)]
pub struct EventHubs {
    inner: Arc<Inner>,
    thread: Arc<OwnThread>,
}

#[derive(Debug, Error)]
pub enum OpenError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("there is no thread for the client of Event Hubs")]
    Thread(#[from] io::Error),
}

struct Inner {
    doorway: Doorway,
    patience: Patience,
    producers: Producers,
    readers: Readers,
    /// Partitions of the hubs that were asked, so that a name that is none is told at once.
    partitions: Mutex<HashMap<String, Vec<String>>>,
    /// Where events without a key go next.
    next_lane: AtomicUsize,
}

impl EventHubs {
    /// Connects to nothing yet.
    pub fn new(location: EventHubsLocation, patience: Patience) -> Result<Self, OpenError> {
        let EventHubsLocation { namespace, address, login } = location;
        let doorway = match login {
            Login::SharedAccess { access, hub } => Doorway::by_shared_access(namespace, address, &access, hub),
            Login::Identity(principal) => {
                Doorway::by_identity(namespace, address, Arc::new(TokenSource::new(principal)?))
            }
        };
        Ok(EventHubs::behind(doorway, patience)?)
    }

    /// For a source of tokens that the settings do not know.
    pub fn with_tokens(
        namespace: String,
        address: Option<String>,
        tokens: Arc<dyn TokenCredential>,
        patience: Patience,
    ) -> io::Result<Self> {
        EventHubs::behind(Doorway::by_identity(namespace, address, tokens), patience)
    }

    fn behind(doorway: Doorway, patience: Patience) -> io::Result<Self> {
        let inner = Inner {
            doorway,
            patience,
            producers: Producers::default(),
            readers: Readers::default(),
            partitions: Mutex::default(),
            next_lane: AtomicUsize::new(0),
        };
        Ok(EventHubs { inner: Arc::new(inner), thread: Arc::new(OwnThread::start()?) })
    }

    /// Work of the client, which is done on its own thread.
    async fn work<T, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.thread.run(work(Arc::clone(&self.inner))).await
    }
}

#[async_trait]
impl HubSender for EventHubs {
    async fn send(&self, hub: &str, partition_key: &str, body: Bytes) -> Result<(), HubError> {
        let (hub, to) = (hub.to_owned(), send::To::Key(partition_key.to_owned()));
        self.work(|inner| async move { inner.send_batch(&hub, to, vec![body]).await.map(|_| ()) }).await
    }

    async fn send_many(&self, hub: &str, events: Vec<NewEvent>) -> Result<BTreeMap<String, u64>, HubError> {
        let hub = hub.to_owned();
        self.work(|inner| async move { inner.send_many(&hub, events).await }).await
    }

    async fn try_sending(&self, hub: &str) -> Result<(), HubError> {
        let hub = hub.to_owned();
        self.work(|inner| async move { inner.try_sending(&hub).await }).await
    }
}

#[async_trait]
impl HubReader for EventHubs {
    async fn properties(&self, hub: &str) -> Result<HubProperties, HubError> {
        let hub = hub.to_owned();
        self.work(|inner| async move { inner.properties(&hub).await.map_err(|failure| reading(&hub, failure)) }).await
    }

    async fn bounds(&self, hub: &str, partition: &str) -> Result<PartitionBounds, HubError> {
        let (hub, partition) = (hub.to_owned(), partition.to_owned());
        self.work(|inner| async move { inner.bounds(&hub, &partition).await }).await
    }

    async fn read(
        &self,
        hub: &str,
        consumer_group: &str,
        partition: &str,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Vec<HubEvent>, HubError> {
        let (hub, consumer_group, partition) = (hub.to_owned(), consumer_group.to_owned(), partition.to_owned());
        self.work(|inner| async move { inner.read_from(&hub, &consumer_group, &partition, from, limit).await }).await
    }

    async fn try_group(&self, hub: &str, consumer_group: &str) -> Result<GroupTrial, HubError> {
        let (hub, consumer_group) = (hub.to_owned(), consumer_group.to_owned());
        self.work(|inner| async move { inner.try_group(&hub, &consumer_group).await }).await
    }
}

impl Inner {
    async fn send_many(&self, hub: &str, events: Vec<NewEvent>) -> Result<BTreeMap<String, u64>, HubError> {
        if events.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.refuse_what_is_too_large(hub, &events).await?;
        let partitions = self.properties(hub).await.map_err(|failure| sending(hub, failure))?.partitions;
        let lanes = self.by_partition(events, &partitions);
        let sending = lanes.into_iter().map(|(partition, bodies)| async move {
            let sent = self.send_all(hub, &partition, bodies).await?;
            Ok::<_, HubError>((partition, sent))
        });
        Ok(try_join_all(sending).await?.into_iter().collect())
    }

    async fn read_from(
        &self,
        hub: &str,
        consumer_group: &str,
        partition: &str,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Vec<HubEvent>, HubError> {
        let bounds = self.bounds(hub, partition).await?;
        let (Some(last), true) = (bounds.last_enqueued, limit.events > 0) else { return Ok(Vec::new()) };
        let wanted = read::Wanted { partition, from: from.max(bounds.begins), last, limit };
        if wanted.from > last {
            return Ok(Vec::new());
        }
        let failure = match self.read(hub, consumer_group, &wanted).await {
            Ok(found) => return Ok(found),
            Err(failure) => failure,
        };
        // What was there a moment ago may have been let go of while we waited for it.
        match self.bounds(hub, partition).await?.begins > last {
            true => Ok(Vec::new()),
            false => Err(reading(hub, failure)),
        }
    }

    async fn properties(&self, hub: &str) -> Result<HubProperties, Failure> {
        let name = hub.to_owned();
        let found =
            self.with_producer(hub, |_, producer| async move { producer.get_eventhub_properties().await }).await?;
        let created_on = found.created_on.ok_or(Failure::NoCreationTime)?;
        self.partitions.lock().expect("nothing panics while it holds names").insert(name, found.partition_ids.clone());
        Ok(HubProperties {
            namespace: self.doorway.namespace.clone(),
            created_on: time(created_on),
            partitions: found.partition_ids,
        })
    }

    async fn bounds(&self, hub: &str, partition: &str) -> Result<PartitionBounds, HubError> {
        self.check_partition(hub, partition).await?;
        let name = partition.to_owned();
        let ask = move |_, producer: Arc<ProducerClient>| {
            let name = name.clone();
            async move { producer.get_partition_properties(&name).await }
        };
        let found = self.with_producer(hub, ask).await.map_err(|failure| reading(hub, failure))?;
        // Of a geo-replicated namespace it has the form `<epoch>:<segment>:<offset>`.
        if found.last_enqueued_offset.contains(':') {
            return Err(HubError::GeoReplicated { hub: hub.to_owned() });
        }
        // -1 while nothing was ever sent.
        let last_enqueued = u64::try_from(found.last_enqueued_sequence_number).ok();
        let next = last_enqueued.map_or(0, |last| last + 1);
        let begins = if found.is_empty { next } else { u64::try_from(found.beginning_sequence_number).unwrap_or(0) };
        Ok(PartitionBounds {
            begins,
            last_enqueued,
            last_enqueued_at: last_enqueued.and(found.last_enqueued_time_utc).map(time),
        })
    }

    async fn check_partition(&self, hub: &str, partition: &str) -> Result<(), HubError> {
        let knows = |names: &[String]| names.iter().any(|name| name == partition);
        let is_known = {
            let partitions = self.partitions.lock().expect("nothing panics while it holds names");
            partitions.get(hub).is_some_and(|names| knows(names))
        };
        if is_known || knows(&self.properties(hub).await.map_err(|failure| reading(hub, failure))?.partitions) {
            return Ok(());
        }
        Err(HubError::NoPartition { hub: hub.to_owned(), partition: partition.to_owned() })
    }

    /// Those of one key in their order; those without a key in turn.
    fn by_partition(&self, events: Vec<NewEvent>, partitions: &[String]) -> BTreeMap<String, Vec<Bytes>> {
        let mut lanes: BTreeMap<String, Vec<Bytes>> = BTreeMap::new();
        for event in events {
            let lane = match &event.partition_key {
                Some(key) => partition_key::index(key, partitions.len()),
                None => self.next_lane.fetch_add(1, Ordering::Relaxed) % partitions.len().max(1),
            };
            if let Some(partition) = partitions.get(lane) {
                lanes.entry(partition.clone()).or_default().push(event.body);
            }
        }
        lanes
    }

    /// One piece of work with a hub's producer, and again over a new connection where it failed. It is told how often it
    /// was tried.
    async fn with_producer<T, F>(
        &self,
        hub: &str,
        work: impl Fn(u32, Arc<ProducerClient>) -> F + Send,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, EventHubsError>> + Send,
    {
        let mut tried = 0;
        loop {
            tried += 1;
            let slot = self.producers.slot(hub);
            let once = async {
                let producer = slot.get_or_try_init(|| self.doorway.producer(hub)).await?;
                Ok(work(tried, producer.clone()).await?)
            };
            let failure = match tokio::time::timeout(self.patience.answer, once).await {
                Ok(Ok(outcome)) => return Ok(outcome),
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Late { limit: self.patience.answer },
            };
            self.producers.discard(hub, &slot);
            if tried >= self.patience.tries || !failure.may_pass() {
                return Err(failure);
            }
            tracing::debug!(
                hub,
                tried,
                error = &failure as &dyn std::error::Error,
                "trying again over a new connection"
            );
            tokio::time::sleep(client::pause_after(tried)).await;
        }
    }
}

fn time(time: SystemTime) -> DateTime<Utc> {
    DateTime::from(time)
}

fn sending(hub: &str, failure: Failure) -> HubError {
    HubError::Send { hub: hub.to_owned(), source: Box::new(failure) }
}

fn reading(hub: &str, failure: Failure) -> HubError {
    HubError::Read { hub: hub.to_owned(), source: Box::new(failure) }
}
