//! A range of one partition.
//!
//! A receiver tells what it has and never that it has no more: the end is a number that the hub named before. Without an
//! owner level, as several handlers may repair at once; a group in which somebody reads with one refuses us.

use std::pin::pin;
use std::time::Duration;

use azure_messaging_eventhubs::models::ReceivedEventData;
use azure_messaging_eventhubs::{ConsumerClient, OpenReceiverOptions, StartLocation, StartPosition};
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::Failure;
use super::{Inner, client, time};
use crate::stations::hub::{HubEvent, ReadLimit};

/// What one event takes at most in the standard and premium tiers: so many bytes may be on their way for each event that
/// is asked for ahead.
const LARGEST_EVENT_BYTES: usize = 1 << 20;
/// More ahead gains nothing.
const MOST_AHEAD: usize = 300;
/// How long a hub may take to close a link; it is closed by the end of the connection else.
const PARTING: Duration = Duration::from_secs(5);

/// Numbers of a partition that is known to have some of them.
pub struct Wanted<'w> {
    pub partition: &'w str,
    pub from: u64,
    /// The partition's last number; never waited for any longer once it has come.
    pub last: u64,
    pub limit: ReadLimit,
}

impl Wanted<'_> {
    fn ahead(&self) -> u32 {
        let most = (self.limit.bytes / LARGEST_EVENT_BYTES).min(self.limit.events).clamp(1, MOST_AHEAD);
        u32::try_from(most).unwrap_or(1)
    }
}

impl Inner {
    pub async fn read(&self, hub: &str, consumer_group: &str, wanted: &Wanted<'_>) -> Result<Vec<HubEvent>, Failure> {
        let mut tried = 0;
        loop {
            tried += 1;
            let failure = match self.read_once(hub, consumer_group, wanted).await {
                Ok(found) => return Ok(found),
                Err(failure) => failure,
            };
            // Silence may be a connection that hangs; a second one that is silent says enough.
            let tries =
                if let Failure::Silent { .. } = failure { self.patience.tries.min(2) } else { self.patience.tries };
            if tried >= tries || !failure.may_pass() {
                return Err(failure);
            }
            tokio::time::sleep(client::pause_after(tried)).await;
        }
    }

    /// Never empty: an error where nothing came. The reader is kept only after a read that ended well; else its link
    /// might go on where this one stopped.
    async fn read_once(&self, hub: &str, consumer_group: &str, wanted: &Wanted<'_>) -> Result<Vec<HubEvent>, Failure> {
        let deadline = Instant::now() + self.patience.answer;
        let late = Failure::Late { limit: self.patience.answer };
        let reader = match self.readers.take(hub, consumer_group) {
            Some(reader) => reader,
            None => match timeout_at(deadline, self.doorway.reader(hub, consumer_group)).await {
                Ok(opened) => opened?,
                Err(_) => return Err(late),
            },
        };
        let found = self.receive(&reader, wanted, deadline).await;
        match &found {
            Ok((_, Parting::Closed)) => self.readers.put_back(hub, consumer_group, reader),
            _ => {
                let closing = timeout(PARTING, reader.close());
                tokio::spawn(async move { drop(closing.await) });
            }
        }
        found.map(|(found, _)| found)
    }

    async fn receive(
        &self,
        reader: &ConsumerClient,
        wanted: &Wanted<'_>,
        deadline: Instant,
    ) -> Result<(Vec<HubEvent>, Parting), Failure> {
        let options = OpenReceiverOptions {
            owner_level: None,
            prefetch: Some(wanted.ahead()),
            start_position: Some(StartPosition {
                location: StartLocation::SequenceNumber(i64::try_from(wanted.from).unwrap_or(i64::MAX)),
                inclusive: true,
            }),
            receive_timeout: None,
        };
        let receiver = reader.open_receiver_on_partition(wanted.partition.to_owned(), Some(options)).await?;
        let mut found: Vec<HubEvent> = Vec::new();
        let mut bytes = 0;
        let mut failure = None;
        {
            let mut events = pin!(receiver.stream_events());
            while failure.is_none() {
                // The first event waits for connection and login, too.
                let patient =
                    if found.is_empty() { deadline } else { deadline.min(Instant::now() + self.patience.silence) };
                let event = match timeout_at(patient, events.next()).await {
                    Ok(Some(Ok(event))) => event_of(event, wanted)?,
                    Ok(Some(Err(error))) => {
                        failure = Some(Failure::from(error));
                        continue;
                    }
                    Ok(None) | Err(_) => {
                        failure = Some(self.silent(wanted));
                        continue;
                    }
                };
                // A link that was made anew begins at the first number again.
                let due = found.last().map_or(wanted.from, |event| event.sequence_number + 1);
                if event.sequence_number < due {
                    continue;
                }
                let is_first = found.is_empty();
                bytes += event.body.len();
                if bytes > wanted.limit.bytes && !is_first {
                    break;
                }
                let number = event.sequence_number;
                found.push(event);
                if number >= wanted.last || found.len() >= wanted.limit.events {
                    break;
                }
            }
        }
        match failure {
            Some(failure) if found.is_empty() => Err(failure),
            // What came stands; the next read begins behind it, over another connection.
            Some(_) => Ok((found, Parting::Broken)),
            None => match timeout(PARTING, receiver.close()).await {
                Ok(Ok(())) => Ok((found, Parting::Closed)),
                _ => Ok((found, Parting::Broken)),
            },
        }
    }

    fn silent(&self, wanted: &Wanted<'_>) -> Failure {
        let Wanted { partition, from, last, .. } = wanted;
        Failure::Silent { partition: (*partition).to_owned(), from: *from, last: *last, limit: self.patience.answer }
    }
}

/// How a receiver's link ended.
enum Parting {
    Closed,
    Broken,
}

fn event_of(event: ReceivedEventData, wanted: &Wanted<'_>) -> Result<HubEvent, Failure> {
    let number = event.sequence_number().and_then(|number| u64::try_from(number).ok());
    let (Some(sequence_number), Some(enqueued_at)) = (number, event.enqueued_time()) else {
        return Err(Failure::NoNumber { partition: wanted.partition.to_owned() });
    };
    Ok(HubEvent {
        sequence_number,
        enqueued_at: time(enqueued_at),
        offset: event.offset().clone(),
        partition_key: event.partition_key().clone(),
        body: event.event_data().body().map(Bytes::copy_from_slice).unwrap_or_default(),
    })
}
