//! Whether a consumer group can be read through, told without disturbing whoever reads there.
//!
//! A reader without an owner level takes nothing from anybody: beside one that has a level (the Functions host has) it is
//! refused, and where one with a level comes later, it is turned out itself
//! (<https://learn.microsoft.com/archive/blogs/gyan/event-hubs-receiver-epoch>).

use std::pin::pin;

use azure_messaging_eventhubs::{ConsumerClient, OpenReceiverOptions, StartLocation, StartPosition};
use futures::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::Failure;
use super::read::Wanted;
use super::{Inner, reading};
use crate::stations::hub::{GroupTrial, HubError, ReadLimit};

const ONE_EVENT: ReadLimit = ReadLimit { events: 1, bytes: 0 };

impl Inner {
    pub async fn try_group(&self, hub: &str, consumer_group: &str) -> Result<GroupTrial, HubError> {
        let partitions = self.properties(hub).await.map_err(|failure| reading(hub, failure))?.partitions;
        for partition in &partitions {
            let bounds = self.bounds(hub, partition).await?;
            let Some(last) = bounds.last_enqueued.filter(|last| *last >= bounds.begins) else { continue };
            let wanted = Wanted { partition, from: last, last, limit: ONE_EVENT };
            return judged(hub, self.read(hub, consumer_group, &wanted).await.map(|_| GroupTrial::Read));
        }
        let Some(partition) = partitions.first() else { return Ok(GroupTrial::NothingToRead) };
        judged(hub, self.listen(hub, consumer_group, partition).await)
    }

    /// A link attaches when it is first read from, and says only that it was refused.
    async fn listen(&self, hub: &str, consumer_group: &str, partition: &str) -> Result<GroupTrial, Failure> {
        let deadline = Instant::now() + self.patience.answer;
        let connecting = async {
            let reader = self.doorway.reader(hub, consumer_group).await?;
            // So that the silence below is none of the connection's.
            reader.get_eventhub_properties().await?;
            Ok::<_, Failure>(reader)
        };
        let late = Failure::Late { limit: self.patience.answer };
        let reader = timeout_at(deadline, connecting).await.map_err(|_| late)??;
        let heard = self.heard(&reader, partition).await;
        let _ = timeout(self.patience.silence, reader.close()).await;
        heard
    }

    async fn heard(&self, reader: &ConsumerClient, partition: &str) -> Result<GroupTrial, Failure> {
        let options = OpenReceiverOptions {
            owner_level: None,
            prefetch: Some(1),
            start_position: Some(StartPosition { location: StartLocation::Latest, inclusive: false }),
            receive_timeout: None,
        };
        let receiver = reader.open_receiver_on_partition(partition.to_owned(), Some(options)).await?;
        let mut events = pin!(receiver.stream_events());
        match timeout(self.patience.silence, events.next()).await {
            Ok(Some(Ok(_))) => Ok(GroupTrial::Read),
            Ok(Some(Err(error))) => Err(error.into()),
            Ok(None) | Err(_) => Ok(GroupTrial::NothingToRead),
        }
    }
}

fn judged(hub: &str, tried: Result<GroupTrial, Failure>) -> Result<GroupTrial, HubError> {
    match tried {
        Err(failure) if failure.is_occupied() => Ok(GroupTrial::Occupied),
        tried => tried.map_err(|failure| reading(hub, failure)),
    }
}
