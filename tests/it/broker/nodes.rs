//! `$cbs`, where tokens are put, and `$management`, where hubs and partitions are asked for their properties: a request
//! comes by one link, and its answer goes by the other of the same session.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use fe2o3_amqp::types::messaging::{AmqpValue, ApplicationProperties, Body, Message, Properties};
use fe2o3_amqp::types::primitives::{Array, OrderedMap, SimpleValue, Timestamp, Value};

use super::faults::strikes;
use super::hubs::{Hub, Partition};
use super::{BEARER, KEY_NAME, Shared, Token};

pub const CBS: &str = "$cbs";
pub const MANAGEMENT: &str = "$management";

pub type Answer = Message<AmqpValue<Value>>;

/// What a connection's tokens open.
#[derive(Default)]
pub struct Login {
    audiences: Mutex<HashSet<String>>,
}

impl Login {
    /// Whether some token is for this hub or what is above it.
    pub fn opens(&self, hub: &str) -> bool {
        let audiences = self.audiences.lock().unwrap_or_else(PoisonError::into_inner);
        audiences.iter().any(|audience| audience.split('/').any(|part| part == hub))
    }
}

/// The answer to a request; `None` where a fault keeps it back.
pub fn answer(node: &str, request: &Message<Body<Value>>, shared: &Shared, login: &Login) -> Option<Answer> {
    let (status, description, value) = match node {
        CBS => {
            let (status, description) = put_token(request, shared, login);
            (status, description, Value::Null)
        }
        _ if strikes(&mut shared.faults.lock().unwrap().unanswered_questions) => return None,
        _ => match properties(request, shared) {
            Some(properties) => (200, "OK", Value::Map(properties)),
            None => (404, "The messaging entity could not be found.", Value::Null),
        },
    };
    let correlation_id = request.properties.as_ref().and_then(|properties| properties.message_id.clone());
    let mut facts = OrderedMap::new();
    facts.insert("status-code".to_owned(), SimpleValue::Int(status));
    facts.insert("status-description".to_owned(), SimpleValue::String(description.to_owned()));
    let message = Message::builder()
        .properties(Properties { correlation_id, ..Default::default() })
        .application_properties(ApplicationProperties(facts))
        .value(value)
        .build();
    Some(message)
}

fn put_token(request: &Message<Body<Value>>, shared: &Shared, login: &Login) -> (i32, &'static str) {
    let (Some(audience), Some(kind)) = (text(request, "name"), text(request, "type")) else {
        return (400, "a token needs a name and a type");
    };
    let Body::Value(AmqpValue(Value::String(token))) = &request.body else {
        return (400, "a token is a string");
    };
    shared.tokens.lock().unwrap().push(Token { kind: kind.clone(), audience: audience.clone() });
    let is_good = match kind.as_str() {
        "jwt" => token == BEARER,
        "servicebus.windows.net:sastoken" => token.contains("sig=") && token.ends_with(&format!("skn={KEY_NAME}")),
        _ => false,
    };
    if !is_good || shared.faults.lock().unwrap().refuses_tokens {
        return (401, "the token is not good for this namespace");
    }
    login.audiences.lock().unwrap().insert(audience);
    // The clients take 202 for success, and nothing else.
    (202, "Accepted")
}

fn properties(request: &Message<Body<Value>>, shared: &Shared) -> Option<OrderedMap<Value, Value>> {
    let hubs = shared.hubs.lock().unwrap();
    let name = text(request, "name")?;
    let hub = hubs.hub(&name)?;
    let is_geo_replicated = shared.faults.lock().unwrap().is_geo_replicated;
    match text(request, "type")?.as_str() {
        "com.microsoft:eventhub" => Some(of_hub(&name, hub)),
        "com.microsoft:partition" => {
            let partition = text(request, "partition")?;
            Some(of_partition(&name, &partition, hubs.partition(&name, &partition)?, is_geo_replicated))
        }
        _ => None,
    }
}

fn of_hub(name: &str, hub: &Hub) -> OrderedMap<Value, Value> {
    let partitions = (0..hub.partitions.len()).map(|number| Value::String(number.to_string())).collect();
    map([
        ("type", Value::String("com.microsoft:eventhub".to_owned())),
        ("name", Value::String(name.to_owned())),
        ("created_at", Value::Timestamp(Timestamp::from_milliseconds(hub.created_at))),
        ("partition_count", Value::Int(hub.partitions.len() as i32)),
        ("partition_ids", Value::Array(Array(partitions))),
    ])
}

fn of_partition(hub: &str, name: &str, partition: &Partition, is_geo_replicated: bool) -> OrderedMap<Value, Value> {
    let last = partition.next as i64 - 1;
    let offset = match partition.last_offset {
        Some(offset) if is_geo_replicated => format!("1:0:{offset}"),
        Some(offset) => offset.to_string(),
        None => "-1".to_owned(),
    };
    map([
        ("type", Value::String("com.microsoft:partition".to_owned())),
        ("name", Value::String(hub.to_owned())),
        ("partition", Value::String(name.to_owned())),
        ("begin_sequence_number", Value::Long(partition.begins as i64)),
        ("last_enqueued_sequence_number", Value::Long(last)),
        ("last_enqueued_offset", Value::String(offset)),
        ("last_enqueued_time_utc", Value::Timestamp(Timestamp::from_milliseconds(partition.last_at))),
        ("is_partition_empty", Value::Bool(partition.events.is_empty() && partition.begins == partition.next)),
        ("last_enqueued_sequence_number_epoch", Value::Int(-1)),
    ])
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> OrderedMap<Value, Value> {
    entries.into_iter().map(|(key, value)| (Value::String(key.to_owned()), value)).collect()
}

fn text(request: &Message<Body<Value>>, name: &str) -> Option<String> {
    match request.application_properties.as_ref()?.0.get(name)? {
        SimpleValue::String(text) => Some(text.clone()),
        SimpleValue::Binary(text) => String::from_utf8(text.to_vec()).ok(),
        SimpleValue::Symbol(text) => Some(text.0.clone()),
        _ => None,
    }
}
