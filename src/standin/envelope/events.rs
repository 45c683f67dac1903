//! The Event Hubs trigger's requests: cardinality many and one, each with three kinds of data.

use serde_json::{Value, json};
use thiserror::Error;

use super::{SystemFacts, bare_time, base64, inside_string};
use crate::standin::dates;
use crate::standin::definition::DataType;
use crate::standin::metadata::Metadata;
use crate::stations::hub::HubEvent;

/// Which consumer a batch is for, as its contexts name it, and whether the checkpoint follows.
pub struct PartitionContext<'a> {
    pub namespace: &'a str,
    pub hub: &'a str,
    pub consumer_group: &'a str,
    pub partition: &'a str,
    pub is_checkpointing_after_invocation: bool,
}

/// What an invocation is about.
pub struct EventBatch<'a> {
    pub context: PartitionContext<'a>,
    pub events: &'a [HubEvent],
    pub data_type: DataType,
}

/// Events that the host itself cannot turn into values: the invocation fails before the handler is called.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "Exception binding parameter '{binding}': event {sequence_number} is not JSON, and without a dataType every event must be"
)]
pub struct BadEvents {
    binding: String,
    sequence_number: u64,
}

/// Cardinality many: all events of the batch in one invocation.
pub fn event_batch(binding: &str, batch: &EventBatch<'_>, system: &SystemFacts<'_>) -> Result<Value, BadEvents> {
    let mut values = Vec::with_capacity(batch.events.len());
    for event in batch.events {
        values.push(match batch.data_type {
            DataType::Binary => base64(&event.body),
            // Bytes that are no UTF-8 are damaged.
            DataType::String => Value::String(String::from_utf8_lossy(&event.body).into_owned()),
            // Read and written again: times come out in another form.
            DataType::Missing => {
                let value: Result<Value, _> = serde_json::from_slice(&event.body);
                let bad = |_| BadEvents { binding: binding.to_owned(), sequence_number: event.sequence_number };
                dates::normalised(&value.map_err(bad)?)
            }
        });
    }
    let each = |value: fn(&HubEvent) -> Value| inside_string(batch.events.iter().map(value).collect());
    let mut metadata = contexts(&batch.context);
    metadata.set("PartitionKeyArray", each(partition_key));
    metadata.set("OffsetArray", each(|event| json!(event.offset)));
    metadata.set("OffsetStringArray", each(|event| json!(event.offset)));
    metadata.set("SequenceNumberArray", each(|event| json!(event.sequence_number)));
    metadata.set("EnqueuedTimeUtcArray", each(|event| json!(bare_time(event.enqueued_at))));
    metadata.set("PropertiesArray", each(|_| json!({})));
    metadata.set("SystemPropertiesArray", each(system_properties));
    metadata.set_system(system);
    Ok(json!({ "Data": { binding: inside_string(Value::Array(values)) }, "Metadata": metadata.finish() }))
}

/// Cardinality one: one event.
pub fn single_event(
    binding: &str,
    context: &PartitionContext<'_>,
    event: &HubEvent,
    data_type: DataType,
    system: &SystemFacts<'_>,
) -> Value {
    let mut metadata = contexts(context);
    metadata.set_inside_string("PartitionKey", partition_key(event));
    // [?] Some versions of the extension write the offset as a number here.
    metadata.set_inside_string("Offset", json!(event.offset));
    metadata.set_inside_string("OffsetString", json!(event.offset));
    metadata.set_inside_string("SequenceNumber", json!(event.sequence_number));
    metadata.set("EnqueuedTimeUtc", json!(event.enqueued_at.format("%FT%T").to_string()));
    metadata.set("Properties", json!({}));
    metadata.set("SystemProperties", system_properties(event));
    metadata.set_system(system);
    let value = match data_type {
        DataType::Binary => base64(&event.body),
        DataType::String | DataType::Missing => {
            let text = String::from_utf8_lossy(&event.body);
            metadata.merge_payload(&text);
            inside_string(json!(text))
        }
    };
    json!({ "Data": { binding: value }, "Metadata": metadata.finish() })
}

fn contexts(context: &PartitionContext<'_>) -> Metadata {
    let value = json!({
        "IsCheckpointingAfterInvocation": context.is_checkpointing_after_invocation,
        "FullyQualifiedNamespace": context.namespace,
        "EventHubName": context.hub,
        "ConsumerGroup": context.consumer_group,
        "PartitionId": context.partition,
    });
    let mut metadata = Metadata::default();
    metadata.set("TriggerPartitionContext", value.clone());
    metadata.set("PartitionContext", value);
    metadata
}

fn partition_key(event: &HubEvent) -> Value {
    json!(event.partition_key)
}

fn system_properties(event: &HubEvent) -> Value {
    // A number, but in a geo-replicated namespace.
    let offset =
        event.offset.as_ref().map(|text| text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)));
    json!({
        "x-opt-sequence-number": event.sequence_number,
        "x-opt-offset": offset,
        "x-opt-enqueued-time": format!("{}+00:00", bare_time(event.enqueued_at)),
        "SequenceNumber": event.sequence_number,
        "Offset": offset,
        "OffsetString": event.offset,
        "PartitionKey": partition_key(event),
        "EnqueuedTimeUtc": bare_time(event.enqueued_at),
    })
}
