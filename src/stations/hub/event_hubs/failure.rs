//! What went wrong with Event Hubs, and what to do about it.

use std::time::Duration;

use azure_messaging_eventhubs::EventHubsError;
use azure_messaging_eventhubs::error::ErrorKind;
use thiserror::Error;

/// The source of a [`super::HubError`].
#[derive(Debug, Error)]
pub enum Failure {
    #[error("{}{}", text(.0), remedy(.0))]
    Client(EventHubsError),
    #[error("no answer within {} seconds: is port 5671 (5672 of an emulator) of the namespace open from here?", .limit.as_secs_f32())]
    Late { limit: Duration },
    /// An empty answer would let what is late pass for what never was.
    #[error(
        "partition {partition} says that it has numbers {from} to {last}, and sent none of them within {} seconds: either \
         it is slow, or they are the hub's own marks (of transactions, or after compaction) and the next event ends the \
         matter",
        .limit.as_secs_f32()
    )]
    Silent { partition: String, from: u64, last: u64, limit: Duration },
    #[error("the connection string opens hub `{only}` alone (EntityPath): take one of the namespace instead")]
    OtherHub { only: String },
    #[error("the hub does not say when it was created: without that, its numbers cannot be told from another hub's")]
    NoCreationTime,
    #[error("partition {partition} sent an event without a number or a time")]
    NoNumber { partition: String },
}

impl Failure {
    /// Whether another reader has the consumer group for itself.
    pub fn is_occupied(&self) -> bool {
        matches!(self, Failure::Client(error) if cause(error) == Cause::Taken)
    }

    /// Whether another connection might do better at once.
    pub fn may_pass(&self) -> bool {
        match self {
            Failure::Client(error) => !matches!(cause(error), Cause::Forbidden | Cause::NotFound | Cause::Taken),
            Failure::Late { .. } | Failure::Silent { .. } => true,
            Failure::OtherHub { .. } | Failure::NoCreationTime | Failure::NoNumber { .. } => false,
        }
    }
}

impl From<EventHubsError> for Failure {
    fn from(error: EventHubsError) -> Self {
        Failure::Client(error)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Forbidden,
    NotFound,
    /// Another reader has the consumer group for itself.
    Taken,
    Unreached,
    Other,
}

/// The client names its AMQP errors by types of a crate that it does not pass on; their text has the condition.
fn cause(error: &EventHubsError) -> Cause {
    if matches!(error.kind, ErrorKind::ConsumerDisconnected(_)) {
        return Cause::Taken;
    }
    let text = text(error);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["LinkStolen"]) {
        Cause::Taken
    } else if has(&["UnauthorizedAccess", "status code: 401", "status code: 403"]) {
        Cause::Forbidden
    } else if has(&["condition: NotFound", "status code: 404"]) {
        Cause::NotFound
    } else if has(&["Connection refused", "failed to lookup address", "timed out", "unreachable"]) {
        Cause::Unreached
    } else {
        Cause::Other
    }
}

fn remedy(error: &EventHubsError) -> &'static str {
    match cause(error) {
        Cause::Forbidden => {
            "; check the key, or the roles of the identity: Azure Event Hubs Data Sender and Azure Event Hubs Data Receiver"
        }
        Cause::NotFound => "; does the namespace have this hub and this consumer group?",
        Cause::Taken => {
            "; another reader has this consumer group for itself: repair_group must be a group that nobody else reads through"
        }
        Cause::Unreached => {
            "; check the address in `EventHubConnection`, and that port 5671 (5672 of an emulator) is open from here"
        }
        Cause::Other => "",
    }
}

/// The error and its sources as one line, each said once: the client's wrappers repeat what they wrap.
fn text(error: &EventHubsError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let line = cause.to_string();
        if !text.contains(&line) {
            text = format!("{text}: {line}");
        }
        source = cause.source();
    }
    text
}
