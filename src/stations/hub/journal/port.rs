//! The journal behind the ports of [`crate::stations::hub`].

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;

use super::{BODY_LIMIT_BYTES, JournalError, JournalHub, NAMESPACE, blocking};
use crate::stations::hub::{
    GroupTrial, HubError, HubEvent, HubProperties, HubReader, HubSender, NewEvent, PartitionBounds, ReadLimit,
};

#[async_trait]
impl HubSender for JournalHub {
    async fn send(&self, hub: &str, partition_key: &str, body: Bytes) -> Result<(), HubError> {
        let event = NewEvent { partition_key: Some(partition_key.to_owned()), body };
        self.send_many(hub, vec![event]).await.map(|_| ())
    }

    async fn send_many(&self, hub: &str, events: Vec<NewEvent>) -> Result<BTreeMap<String, u64>, HubError> {
        let largest = events.iter().map(|event| event.body.len()).max().unwrap_or(0);
        if largest > BODY_LIMIT_BYTES {
            let limit_bytes = BODY_LIMIT_BYTES;
            return Err(HubError::TooLarge { hub: hub.to_owned(), size_bytes: largest, limit_bytes });
        }
        let (this, name) = (self.clone(), hub.to_owned());
        let sent = blocking(move || this.append(&name, events)).await;
        let sent = sent.map_err(|source| HubError::Send { hub: hub.to_owned(), source: Box::new(source) })?;
        Ok(sent.into_iter().map(|(partition, count)| (partition.to_string(), count)).collect())
    }

    /// Whoever opens a journal has opened its files for writing.
    async fn try_sending(&self, hub: &str) -> Result<(), HubError> {
        self.properties(hub).await.map(|_| ())
    }
}

#[async_trait]
impl HubReader for JournalHub {
    async fn properties(&self, hub: &str) -> Result<HubProperties, HubError> {
        let properties = self.on_hub(hub, |hub| {
            let partitions = hub.incarnation.description.partitions;
            Ok(HubProperties {
                namespace: NAMESPACE.to_owned(),
                created_on: hub.incarnation.created_on(),
                partitions: (0..partitions).map(|partition| partition.to_string()).collect(),
            })
        });
        properties.await.map_err(|failure| read_failed(hub, failure))
    }

    async fn bounds(&self, hub: &str, partition: &str) -> Result<PartitionBounds, HubError> {
        let number = number_of(hub, partition)?;
        let bounds = self.on_hub(hub, move |hub| hub.lane(number)?.files.bounds());
        bounds.await.map_err(|failure| read_failed(hub, failure))
    }

    /// A journal has no readers that could be in one another's way: every consumer group is there.
    async fn read(
        &self,
        hub: &str,
        _consumer_group: &str,
        partition: &str,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Vec<HubEvent>, HubError> {
        let number = number_of(hub, partition)?;
        let events = self.on_hub(hub, move |hub| hub.lane(number)?.files.read(from, limit));
        let events = events.await.map_err(|failure| read_failed(hub, failure))?;
        let as_read = events.into_iter().map(|event| HubEvent {
            sequence_number: event.sequence_number,
            enqueued_at: event.enqueued_at,
            offset: Some(event.offset.to_string()),
            partition_key: Some(event.partition_key).filter(|key| !key.is_empty()),
            body: event.body,
        });
        Ok(as_read.collect())
    }

    async fn try_group(&self, hub: &str, consumer_group: &str) -> Result<GroupTrial, HubError> {
        for partition in self.properties(hub).await?.partitions {
            let begins = self.bounds(hub, &partition).await?.begins;
            let limit = ReadLimit { events: 1, bytes: 0 };
            if !HubReader::read(self, hub, consumer_group, &partition, begins, limit).await?.is_empty() {
                return Ok(GroupTrial::Read);
            }
        }
        Ok(GroupTrial::NothingToRead)
    }
}

/// Partitions are named by their numbers.
fn number_of(hub: &str, partition: &str) -> Result<u32, HubError> {
    let number = partition.parse::<u32>().ok().filter(|number| number.to_string() == partition);
    number.ok_or_else(|| HubError::NoPartition { hub: hub.to_owned(), partition: partition.to_owned() })
}

fn read_failed(hub: &str, failure: JournalError) -> HubError {
    match failure {
        JournalError::NoPartition { partition, .. } => {
            HubError::NoPartition { hub: hub.to_owned(), partition: partition.to_string() }
        }
        other => HubError::Read { hub: hub.to_owned(), source: Box::new(other) },
    }
}
