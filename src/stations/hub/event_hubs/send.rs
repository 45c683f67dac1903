//! Sending: batches as large as the link takes, each until the hub has it.

use std::sync::Arc;

use azure_messaging_eventhubs::error::ErrorKind;
use azure_messaging_eventhubs::models::EventData;
use azure_messaging_eventhubs::{EventDataBatchOptions, EventHubsError, ProducerClient};
use bytes::Bytes;

use super::failure::Failure;
use super::{Inner, sending};
use crate::stations::hub::{HubError, NewEvent};

/// What a batch adds to a body at most, but for the partition key.
const ENVELOPE_BYTES: usize = 1024;

/// Whose place in the hub a batch takes.
#[derive(Clone, Debug)]
pub enum To {
    /// The partition that the hub picks for this key.
    Key(String),
    Partition(String),
}

impl To {
    fn options(&self) -> EventDataBatchOptions {
        match self.clone() {
            To::Key(key) => EventDataBatchOptions { partition_key: Some(key), ..Default::default() },
            To::Partition(partition) => EventDataBatchOptions { partition_id: Some(partition), ..Default::default() },
        }
    }
}

impl Inner {
    /// Sends what fits into one batch, from the first body on, and says how many those were. After a failure the same
    /// batch goes again, and may be there twice.
    pub async fn send_batch(&self, hub: &str, to: To, bodies: impl Into<Arc<[Bytes]>>) -> Result<usize, HubError> {
        let bodies: Arc<[Bytes]> = bodies.into();
        let work = |_, producer: Arc<ProducerClient>| {
            let (to, bodies) = (to.clone(), bodies.clone());
            async move { batch(&producer, &to, &bodies).await }
        };
        let sent = self.with_producer(hub, work).await.map_err(|failure| sending(hub, failure))?;
        match (sent, bodies.first()) {
            (0, Some(body)) => Err(self.too_large(hub, body.len()).await),
            _ => Ok(sent),
        }
    }

    /// Sends all bodies to one partition, in their order.
    pub async fn send_all(&self, hub: &str, partition: &str, bodies: Vec<Bytes>) -> Result<u64, HubError> {
        let all = bodies.len() as u64;
        let mut rest = bodies.as_slice();
        while !rest.is_empty() {
            let sent = self.send_batch(hub, To::Partition(partition.to_owned()), rest).await?;
            rest = &rest[sent..];
        }
        Ok(all)
    }

    /// Fails if one of these events fits into no batch.
    pub async fn refuse_what_is_too_large(&self, hub: &str, events: &[NewEvent]) -> Result<(), HubError> {
        let limit = self.limit(hub).await.map_err(|failure| sending(hub, failure))?;
        for event in events {
            // The key stands in the batch and again in its event.
            let key = event.partition_key.as_ref().map_or(0, String::len);
            if event.body.len() + 2 * key + ENVELOPE_BYTES <= limit {
                continue;
            }
            let fits = |_, producer: Arc<ProducerClient>| {
                let event = event.clone();
                async move {
                    let to = EventDataBatchOptions { partition_key: event.partition_key, ..Default::default() };
                    producer.create_batch(Some(to)).await?.try_add_event_data(data(&event.body), None)
                }
            };
            if !self.with_producer(hub, fits).await.map_err(|failure| sending(hub, failure))? {
                return Err(self.too_large(hub, event.body.len()).await);
            }
        }
        Ok(())
    }

    async fn too_large(&self, hub: &str, size_bytes: usize) -> HubError {
        match self.limit(hub).await {
            Ok(limit_bytes) => HubError::TooLarge { hub: hub.to_owned(), size_bytes, limit_bytes },
            Err(failure) => sending(hub, failure),
        }
    }

    /// Opens a link to send over, which a hub refuses to who may not.
    pub async fn try_sending(&self, hub: &str) -> Result<(), HubError> {
        self.limit(hub).await.map(|_| ()).map_err(|failure| sending(hub, failure))
    }

    /// Bytes of a batch that the hub takes. The client says it only to one who asks for too much.
    async fn limit(&self, hub: &str) -> Result<usize, Failure> {
        let ask = |_, producer: Arc<ProducerClient>| async move {
            let options = EventDataBatchOptions { max_size_in_bytes: Some(u64::MAX), ..Default::default() };
            match producer.create_batch(Some(options)).await.map(|_| ()) {
                Err(EventHubsError { kind: ErrorKind::InvalidBatchSize { max_allowed, .. } }) => Ok(max_allowed),
                Err(error) => Err(error),
                Ok(()) => Ok(u64::MAX),
            }
        };
        let limit = self.with_producer(hub, ask).await?;
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }
}

async fn batch(producer: &ProducerClient, to: &To, bodies: &[Bytes]) -> Result<usize, EventHubsError> {
    let batch = producer.create_batch(Some(to.options())).await?;
    let mut count = 0;
    for body in bodies {
        if !batch.try_add_event_data(data(body), None)? {
            break;
        }
        count += 1;
    }
    if count > 0 {
        producer.send_batch(batch, None).await?;
    }
    Ok(count)
}

fn data(body: &Bytes) -> EventData {
    EventData::builder().with_body(body.to_vec()).build()
}
