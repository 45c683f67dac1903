//! The links of a session: each attaches to `$cbs`, `$management`, a hub or one of its partitions to send, or a partition
//! through a consumer group to receive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fe2o3_amqp::acceptor::{LinkAcceptor, LinkEndpoint, ListenerSessionHandle, SupportedReceiverSettleModes};
use fe2o3_amqp::link::delivery::Sendable;
use fe2o3_amqp::types::definitions::{AmqpError, Error, ErrorCondition, LinkError, Role};
use fe2o3_amqp::types::messaging::annotations::OwnedKey;
use fe2o3_amqp::types::messaging::{
    ApplicationProperties, Body, Data, Message, MessageAnnotations, SerializableBody, TargetArchetype,
};
use fe2o3_amqp::types::performatives::Attach;
use fe2o3_amqp::types::primitives::{OrderedMap, Symbol, Timestamp, Value};
use fe2o3_amqp::{Receiver, Sender};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::faults::strikes;
use super::hubs::{Event, Reader, Refusal};
use super::nodes::{self, Answer, CBS, Login, MANAGEMENT};
use super::{LINK_LIMIT_BYTES, Shared, codec, said_in_full};

type Answers = Arc<Mutex<HashMap<String, UnboundedSender<Answer>>>>;

/// Where a link goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Node(String),
    Hub { hub: String, partition: Option<String> },
    Group { hub: String, group: String, partition: String },
}

pub async fn serve(mut session: ListenerSessionHandle, shared: Arc<Shared>, login: Arc<Login>) {
    // The Python client asks for a second round of settling, in which Event Hubs takes no part.
    let links = LinkAcceptor::builder()
        .supported_receiver_settle_modes(SupportedReceiverSettleModes::First)
        .max_message_size(LINK_LIMIT_BYTES)
        .properties(said_in_full())
        .build();
    let answers = Answers::default();
    while let Some(attach) = session.next_incoming_attach().await {
        let place = place_of(&attach);
        let consumer = match (&place, &attach.role) {
            (Some(Place::Group { hub, group, partition }), Role::Receiver) => {
                Some(Consumer::new(hub, group, partition, &attach, &shared, &login))
            }
            _ => None,
        };
        let mut attach = attach;
        if let Some(Err(_)) = &consumer {
            // By the protocol, who is refused is answered without a source first.
            attach.source = None;
        }
        let Ok(endpoint) = links.accept_incoming_attach(attach, &mut session).await else { continue };
        match (place, consumer, endpoint) {
            (Some(Place::Node(node)), _, LinkEndpoint::Receiver(requests)) => {
                tokio::spawn(ask(node, requests, answers.clone(), shared.clone(), login.clone()));
            }
            (Some(Place::Node(node)), _, LinkEndpoint::Sender(sender)) => {
                let (answers_in, answers_out) = mpsc::unbounded_channel();
                answers.lock().unwrap().insert(node, answers_in);
                tokio::spawn(give_answers(sender, answers_out));
            }
            (Some(Place::Hub { hub, partition }), _, LinkEndpoint::Receiver(batches)) => {
                tokio::spawn(take_batches(hub, partition, batches, shared.clone(), login.clone()));
            }
            (_, Some(Ok(consumer)), LinkEndpoint::Sender(sender)) => {
                tokio::spawn(consumer.give_events(sender));
            }
            (_, Some(Err(error)), LinkEndpoint::Sender(sender)) => {
                tokio::spawn(async move { drop(sender.close_with_error(error).await) });
            }
            (_, _, LinkEndpoint::Sender(sender)) => {
                tokio::spawn(async move { drop(sender.close_with_error(not_found()).await) });
            }
            (_, _, LinkEndpoint::Receiver(receiver)) => {
                tokio::spawn(async move { drop(receiver.close_with_error(not_found()).await) });
            }
        }
    }
}

fn place_of(attach: &Attach) -> Option<Place> {
    let address = match attach.role {
        Role::Receiver => attach.source.as_ref()?.address.clone()?,
        Role::Sender => match attach.target.as_deref()? {
            TargetArchetype::Target(target) => target.address.clone()?,
            #[allow(unreachable_patterns, reason = "another feature of the library adds coordinators")]
            _ => return None,
        },
    };
    // Addresses are `amqps://<host>/<path>`, or the path alone.
    let path =
        address.split_once("://").map_or(address.as_str(), |(_, rest)| rest.split_once('/').unwrap_or_default().1);
    let parts: Vec<&str> = path.split('/').collect();
    let owned = |part: &str| part.to_owned();
    match parts[..] {
        [.., node @ (CBS | MANAGEMENT)] => Some(Place::Node(owned(node))),
        [hub] => Some(Place::Hub { hub: owned(hub), partition: None }),
        [hub, "Partitions", partition] => Some(Place::Hub { hub: owned(hub), partition: Some(owned(partition)) }),
        [hub, "ConsumerGroups", group, "Partitions", partition] => {
            Some(Place::Group { hub: owned(hub), group: owned(group), partition: owned(partition) })
        }
        _ => None,
    }
}

async fn ask(node: String, mut requests: Receiver, answers: Answers, shared: Arc<Shared>, login: Arc<Login>) {
    while let Ok(delivery) = requests.recv::<Body<Value>>().await {
        if requests.accept(&delivery).await.is_err() {
            return;
        }
        if let Some(answer) = nodes::answer(&node, delivery.message(), &shared, &login)
            && let Some(to) = answers.lock().unwrap().get(&node)
        {
            let _ = to.send(answer);
        }
    }
}

async fn give_answers(mut sender: Sender, mut answers: UnboundedReceiver<Answer>) {
    loop {
        let answer = tokio::select! {
            answer = answers.recv() => answer,
            _ = sender.on_detach() => return,
        };
        let Some(answer) = answer else { return };
        if !send(&mut sender, answer).await {
            return;
        }
    }
}

/// Whether it went out. A batchable transfer has all fields, behind which the Python client looks for the message.
async fn send<T: SerializableBody>(sender: &mut Sender, message: Message<T>) -> bool {
    let settled = Sendable { message, message_format: 0, settled: Some(true) };
    sender.send_batchable(settled).await.is_ok()
}

async fn take_batches(
    hub: String,
    partition: Option<String>,
    mut batches: Receiver,
    shared: Arc<Shared>,
    login: Arc<Login>,
) {
    if !login.opens(&hub) {
        drop(batches.close_with_error(unauthorized()).await);
        return;
    }
    while let Ok(delivery) = batches.recv::<Body<Value>>().await {
        if strikes(&mut shared.faults.lock().unwrap().detached_producers) {
            drop(batches.detach().await);
            return;
        }
        let format = delivery.message_format().unwrap_or(0);
        let (info, message) = delivery.into_parts();
        if strikes(&mut shared.faults.lock().unwrap().busy) {
            let error =
                described(custom("com.microsoft:server-busy"), "The request was terminated because it is throttled.");
            drop(batches.reject(info, error).await);
            continue;
        }
        let is_stored = {
            let mut hubs = shared.hubs.lock().unwrap();
            let partition = match &partition {
                Some(partition) => Some(partition.clone()),
                None => hubs.place(&hub, codec::key_of(&message).as_deref()),
            };
            let events = codec::events_of(message, format);
            match (partition.and_then(|partition| hubs.partition_mut(&hub, &partition)), events) {
                (Some(partition), Some(events)) => {
                    events.into_iter().for_each(|event| partition.append(event));
                    true
                }
                _ => false,
            }
        };
        shared.changed();
        if strikes(&mut shared.faults.lock().unwrap().lost_acknowledgements) {
            continue;
        }
        let settled = match is_stored {
            true => batches.accept(info).await,
            false => batches.reject(info, not_found()).await,
        };
        if settled.is_err() {
            return;
        }
    }
}

/// Somebody who was let in to read a partition.
struct Consumer {
    hub: String,
    group: String,
    partition: String,
    created_at: i64,
    reader: Reader,
    next: u64,
    is_silent: bool,
    shared: Arc<Shared>,
}

impl Consumer {
    fn new(
        hub: &str,
        group: &str,
        partition: &str,
        attach: &Attach,
        shared: &Arc<Shared>,
        login: &Login,
    ) -> Result<Self, Error> {
        if !login.opens(hub) {
            return Err(unauthorized());
        }
        if shared.faults.lock().unwrap().missing_group.as_deref() == Some(group) {
            return Err(not_found());
        }
        let mut hubs = shared.hubs.lock().unwrap();
        let created_at = hubs.hub(hub).map(|hub| hub.created_at).ok_or_else(not_found)?;
        let found = hubs.partition_mut(hub, partition).ok_or_else(not_found)?;
        let property = |name: &str| attach.properties.as_ref().and_then(|properties| properties.get(name));
        let level = match property("com.microsoft:epoch") {
            Some(Value::Long(level)) => Some(*level),
            Some(Value::Int(level)) => Some(i64::from(*level)),
            _ => None,
        };
        let next =
            start(attach, found).ok_or_else(|| described(AmqpError::InvalidField, "the filter is not understood"))?;
        let reader = found.let_in(group, level).map_err(|refusal| match refusal {
            Refusal::Stolen(why) => described(LinkError::Stolen, &why),
            Refusal::TooMany => described(AmqpError::ResourceLimitExceeded, "Exceeded the maximum number of receivers"),
        })?;
        let is_silent = strikes(&mut shared.faults.lock().unwrap().silent_consumers);
        Ok(Consumer {
            hub: hub.to_owned(),
            group: group.to_owned(),
            partition: partition.to_owned(),
            created_at,
            reader,
            next,
            is_silent,
            shared: shared.clone(),
        })
    }

    async fn give_events(mut self, mut sender: Sender) {
        let mut given = 0;
        let mut changes = self.shared.changes.subscribe();
        loop {
            let slowness = self.shared.faults.lock().unwrap().slowness;
            let event = tokio::select! {
                biased;
                () = self.reader.evicted.notified() => {
                    let why = "New receiver with higher epoch is created; this one is disconnected.";
                    drop(sender.close_with_error(described(LinkError::Stolen, why)).await);
                    return;
                }
                _ = sender.on_detach() => return,
                event = self.next_event(&mut changes, slowness) => event,
            };
            let message = message(&event, self.shared.faults.lock().unwrap().is_geo_replicated);
            if !send(&mut sender, message).await {
                return;
            }
            self.next = event.number + 1;
            given += 1;
            let detaches = {
                let mut faults = self.shared.faults.lock().unwrap();
                faults.detach_consumer_after.take_if(|after| *after == given).is_some()
            };
            if detaches {
                drop(sender.detach().await);
                return;
            }
        }
    }

    async fn next_event(&self, changes: &mut tokio::sync::watch::Receiver<u64>, slowness: Duration) -> Event {
        loop {
            changes.mark_unchanged();
            if let Some(event) = self.event_there() {
                tokio::time::sleep(slowness).await;
                return event;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn event_there(&self) -> Option<Event> {
        let hubs = self.shared.hubs.lock().unwrap();
        let is_same = hubs.hub(&self.hub).is_some_and(|hub| hub.created_at == self.created_at);
        if self.is_silent || !is_same {
            return None;
        }
        hubs.partition(&self.hub, &self.partition)?.first_from(self.next).cloned()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if let Ok(mut hubs) = self.shared.hubs.lock()
            && let Some(partition) = hubs.partition_mut(&self.hub, &self.partition)
        {
            partition.leave(&self.group, &self.reader);
        }
    }
}

fn message(event: &Event, is_geo_replicated: bool) -> Message<Data> {
    let offset = if is_geo_replicated { format!("1:0:{}", event.offset) } else { event.offset.to_string() };
    let mut annotations = OrderedMap::new();
    annotations.insert(OwnedKey::from("x-opt-sequence-number"), Value::Long(event.number as i64));
    annotations.insert(OwnedKey::from("x-opt-offset"), Value::String(offset));
    let at = Timestamp::from_milliseconds(event.at);
    annotations.insert(OwnedKey::from("x-opt-enqueued-time"), Value::Timestamp(at));
    if let Some(key) = &event.content.key {
        annotations.insert(OwnedKey::from(codec::PARTITION_KEY), Value::String(key.clone()));
    }
    Message::builder()
        .message_annotations(MessageAnnotations(annotations))
        .application_properties(ApplicationProperties(event.content.application_properties.clone()))
        .data(event.content.body.clone())
        .build()
}

/// The number from which a consumer's filter lets it read.
fn start(attach: &Attach, partition: &super::hubs::Partition) -> Option<u64> {
    let filters = attach.source.as_ref()?.filter.as_ref()?;
    let filter =
        filters.iter().find_map(|(name, filter)| (name.0 == "apache.org:selector-filter:string").then_some(filter));
    let text = match filter? {
        Value::Described(described) => match &described.value {
            Value::String(text) => text.clone(),
            _ => return None,
        },
        Value::String(text) => text.clone(),
        _ => return None,
    };
    // `amqp.annotation.x-opt-sequence-number >= '5'`
    let (name, rest) = text.strip_prefix("amqp.annotation.")?.split_once('>')?;
    let (is_inclusive, rest) = rest.strip_prefix('=').map_or((false, rest), |rest| (true, rest));
    let operand = rest.trim().trim_matches('\'');
    if operand == "@latest" {
        return Some(partition.next);
    }
    let operand: i64 = operand.parse().ok()?;
    let is_behind = |of_event: i64| if is_inclusive { of_event >= operand } else { of_event > operand };
    let found = partition.events.iter().find(|event| match name.trim() {
        "x-opt-sequence-number" => is_behind(event.number as i64),
        "x-opt-offset" => is_behind(event.offset as i64),
        _ => is_behind(event.at),
    });
    // What is not there yet begins where its number says; by offset and time nobody can know.
    let later = match (name.trim(), is_inclusive) {
        ("x-opt-sequence-number", true) => u64::try_from(operand).unwrap_or(0),
        ("x-opt-sequence-number", false) => u64::try_from(operand + 1).unwrap_or(0),
        ("x-opt-offset" | "x-opt-enqueued-time", _) => 0,
        _ => return None,
    };
    Some(found.map_or(partition.next.max(later), |event| event.number))
}

fn described(condition: impl Into<ErrorCondition>, description: &str) -> Error {
    Error::new(condition, description.to_owned(), None)
}

fn custom(condition: &str) -> ErrorCondition {
    ErrorCondition::Custom(Symbol::from(condition))
}

fn not_found() -> Error {
    described(AmqpError::NotFound, "The messaging entity could not be found.")
}

fn unauthorized() -> Error {
    described(AmqpError::UnauthorizedAccess, "Unauthorized access. 'Send' or 'Listen' claim(s) are required.")
}
