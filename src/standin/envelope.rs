//! The requests that the host sends, byte for byte: which value is a JSON object, which is JSON text inside a string,
//! how .NET prints a time. The sources are `ScriptInvocationContextExtensions.cs` of azure-functions-host for the
//! encoding and the trigger extensions for the members. Knows nothing of when or whether a request is sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::stations::containers::BlobFacts;
use crate::stations::hub::journal::JournalEvent;

/// What every invocation carries in `Metadata.sys`.
pub struct SystemFacts<'a> {
    pub function: &'a str,
    pub now: DateTime<Utc>,
    pub guid: uuid::Uuid,
}

/// A timer's status as the host keeps it; `last` is `None` before the first run.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScheduleStatus {
    pub last: Option<DateTime<Utc>>,
    pub next: DateTime<Utc>,
    pub last_updated: DateTime<Utc>,
}

pub struct TimerFacts<'a> {
    pub adjust_for_dst: bool,
    pub status: Option<&'a ScheduleStatus>,
    pub is_past_due: bool,
}

/// `{"Data": {binding: TimerInfo}, "Metadata": {sys}}`.
pub fn timer(binding: &str, timer: &TimerFacts<'_>, system: &SystemFacts<'_>) -> Value {
    let status = timer.status.map(|status| {
        json!({
            "Last": status.last.map_or(YEAR_ONE.to_owned(), offset_time),
            "Next": offset_time(status.next),
            // Written with the status; year 1 until the first run, like `Last`.
            "LastUpdated": status.last.map_or(YEAR_ONE.to_owned(), |_| offset_time(status.last_updated)),
        })
    });
    json!({
        "Data": { binding: {
            "Schedule": { "AdjustForDST": timer.adjust_for_dst },
            "ScheduleStatus": status,
            "IsPastDue": timer.is_past_due,
        }},
        "Metadata": { "sys": sys(system) },
    })
}

pub struct BlobTriggerFacts<'a> {
    pub facts: &'a BlobFacts,
    pub container_url: &'a str,
    /// The `name` of `landing/{name}`.
    pub token: &'a str,
}

/// A blob trigger with deferred binding: the address, not the content. `Data` holds what is left of the reference when
/// it is written as JSON (`ParameterBindingData` without its bytes).
pub fn deferred_blob(binding: &str, blob: &BlobTriggerFacts<'_>, system: &SystemFacts<'_>) -> Value {
    let name = blob.facts.name.as_str();
    let mut metadata = Map::new();
    metadata.insert("Uri".into(), inside_string(json!(format!("{}/{}", blob.container_url, encoded_path(name)))));
    metadata.insert("Properties".into(), blob_properties(blob.facts));
    metadata.insert("Metadata".into(), json!({}));
    metadata.insert(blob.token.into(), inside_string(json!(name)));
    metadata.insert("sys".into(), sys(system));
    json!({
        "Data": { binding: {
            "Version": "1.0", "Source": "AzureStorageBlobs", "Content": {}, "ContentType": "application/json",
        }},
        "Metadata": metadata,
    })
}

/// Which consumer a batch is for, as its contexts name it.
pub struct PartitionContext<'a> {
    pub namespace: &'a str,
    pub hub: &'a str,
    pub consumer_group: &'a str,
    pub partition: u32,
}

/// An Event Hubs batch with cardinality many and dataType binary.
pub fn event_batch(
    binding: &str,
    context: &PartitionContext<'_>,
    events: &[JournalEvent],
    system: &SystemFacts<'_>,
) -> Value {
    let each = |value: fn(&JournalEvent) -> Value| inside_string(events.iter().map(value).collect());
    let partition_context = json!({
        "IsCheckpointingAfterInvocation": true,
        "FullyQualifiedNamespace": context.namespace,
        "EventHubName": context.hub,
        "ConsumerGroup": context.consumer_group,
        "PartitionId": context.partition.to_string(),
    });
    json!({
        "Data": { binding: each(|event| json!(BASE64.encode(&event.body))) },
        "Metadata": {
            "TriggerPartitionContext": partition_context,
            "PartitionContext": partition_context,
            "PartitionKeyArray": each(partition_key),
            "OffsetArray": each(|event| json!(event.offset.to_string())),
            "OffsetStringArray": each(|event| json!(event.offset.to_string())),
            "SequenceNumberArray": each(|event| json!(event.sequence_number)),
            "EnqueuedTimeUtcArray": each(|event| json!(bare_time(event.enqueued_at))),
            "PropertiesArray": each(|_| json!({})),
            "SystemPropertiesArray": each(system_properties),
            "sys": sys(system),
        },
    })
}

/// `Metadata.RetryContext`, which is there from the first attempt on where a retry policy is active.
pub fn set_retry_context(request: &mut Value, attempt: u32, limit: i64, last_failure: Option<&str>) {
    let exception = last_failure.map(|message| json!({ "ClassName": "System.Exception", "Message": message }));
    request["Metadata"]["RetryContext"] =
        json!({ "RetryCount": attempt, "MaxRetryCount": limit, "Exception": exception });
}

/// The rule for everything that is no object: its JSON text, as a JSON string.
fn inside_string(value: Value) -> Value {
    Value::String(value.to_string())
}

fn partition_key(event: &JournalEvent) -> Value {
    if event.partition_key.is_empty() { Value::Null } else { json!(event.partition_key) }
}

fn system_properties(event: &JournalEvent) -> Value {
    json!({
        "x-opt-sequence-number": event.sequence_number,
        "x-opt-offset": event.offset,
        "x-opt-enqueued-time": format!("{}+00:00", bare_time(event.enqueued_at)),
        "SequenceNumber": event.sequence_number,
        "Offset": event.offset,
        "OffsetString": event.offset.to_string(),
        "PartitionKey": partition_key(event),
        "EnqueuedTimeUtc": bare_time(event.enqueued_at),
    })
}

fn sys(system: &SystemFacts<'_>) -> Value {
    json!({
        "MethodName": system.function,
        "UtcNow": format!("{}.{:07}Z", system.now.format("%FT%T"), ticks(system.now)),
        "RandGuid": system.guid.to_string(),
    })
}

/// `BlobProperties` as JSON: enums as numbers, an ETag that shows nothing.
fn blob_properties(facts: &BlobFacts) -> Value {
    let text = include_str!("blob_properties.json");
    let mut properties: Value = serde_json::from_str(text).expect("the file is JSON, which a test reads too");
    let modified = facts.last_modified.to_rfc3339_opts(SecondsFormat::Secs, false);
    properties["LastModified"] = json!(modified);
    properties["CreatedOn"] = json!(modified);
    properties["ContentLength"] = json!(facts.size_bytes);
    properties
}

/// .NET's default `DateTime`, which has no offset.
const YEAR_ONE: &str = "0001-01-01T00:00:00";

/// Hundreds of nanoseconds within the second.
fn ticks(time: DateTime<Utc>) -> u32 {
    // A leap second's nanoseconds exceed a second; .NET knows none.
    (time.timestamp_subsec_nanos() / 100).min(9_999_999)
}

/// A time without a zone and without trailing zeros, as JSON.NET writes it.
fn bare_time(time: DateTime<Utc>) -> String {
    let second = time - TimeDelta::nanoseconds(i64::from(time.timestamp_subsec_nanos()));
    let fraction = format!(".{:07}", ticks(time));
    format!("{}{}", second.format("%FT%T"), fraction.trim_end_matches('0').trim_end_matches('.'))
}

fn offset_time(time: DateTime<Utc>) -> String {
    format!("{}+00:00", bare_time(time))
}

/// A blob's name in its address: what a path may hold stays, `/` included.
fn encoded_path(name: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
    utf8_percent_encode(name, PATH).to_string()
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
