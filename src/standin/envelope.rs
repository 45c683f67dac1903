//! The requests that the host sends, byte for byte: which value is a JSON object, which is JSON text inside a string,
//! how .NET prints a time. The sources are `ScriptInvocationContextExtensions.cs` of azure-functions-host for the
//! encoding and the trigger extensions for the members. Knows nothing of when or whether a request is sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::metadata::Metadata;

mod blobs;
mod events;
mod http;
mod queues;

pub(super) use blobs::blob_url;
pub use blobs::{BlobTriggerFacts, blob_content, deferred_blob};
pub use events::{EventBatch, PartitionContext, event_batch, single_event};
pub use http::{HttpFacts, http_request};
pub use queues::{decode_message, queue_message};

/// What every invocation carries in `Metadata.sys`.
pub struct SystemFacts<'a> {
    pub function: &'a str,
    pub now: DateTime<Utc>,
    pub guid: uuid::Uuid,
}

impl<'a> SystemFacts<'a> {
    pub fn now(function: &'a str) -> Self {
        SystemFacts { function, now: Utc::now(), guid: uuid::Uuid::new_v4() }
    }
}

/// A timer's status as the host keeps it; `None` stands for .NET's year 1.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScheduleStatus {
    pub last: Option<DateTime<Utc>>,
    pub next: DateTime<Utc>,
    pub last_updated: Option<DateTime<Utc>>,
}

pub struct TimerFacts<'a> {
    pub adjust_for_dst: bool,
    pub status: Option<&'a ScheduleStatus>,
    pub is_past_due: bool,
    /// By whose clock the status is told.
    pub zone: Tz,
}

/// `{"Data": {binding: TimerInfo}, "Metadata": {sys}}`.
pub fn timer(binding: &str, timer: &TimerFacts<'_>, system: &SystemFacts<'_>) -> Value {
    let mut metadata = Metadata::default();
    metadata.set_system(system);
    json!({
        "Data": { binding: {
            "Schedule": { "AdjustForDST": timer.adjust_for_dst },
            "ScheduleStatus": timer.status.map(|status| schedule_status(status, timer.zone)),
            "IsPastDue": timer.is_past_due,
        }},
        "Metadata": metadata.finish(),
    })
}

/// `ScheduleStatus` as JSON.NET writes it, also for the log.
pub fn schedule_status(status: &ScheduleStatus, zone: Tz) -> Value {
    let told = |time: Option<DateTime<Utc>>| time.map_or(YEAR_ONE.to_owned(), |time| offset_time_in(zone, time));
    json!({
        "Last": told(status.last),
        "Next": told(Some(status.next)),
        "LastUpdated": told(status.last_updated),
    })
}

/// `Metadata.RetryContext`, which is there from the first attempt on where a retry policy is active.
pub fn set_retry_context(request: &mut Value, attempt: u32, limit: i64, last_failure: Option<&str>) {
    let exception = last_failure.map(|message| json!({ "ClassName": "System.Exception", "Message": message }));
    request["Metadata"]["RetryContext"] =
        json!({ "RetryCount": attempt, "MaxRetryCount": limit, "Exception": exception });
}

/// The rule for everything that is no object: its JSON text, as a JSON string.
pub(super) fn inside_string(value: Value) -> Value {
    Value::String(value.to_string())
}

pub(super) fn sys(system: &SystemFacts<'_>) -> Value {
    json!({
        "MethodName": system.function,
        "UtcNow": format!("{}.{:07}Z", system.now.format("%FT%T"), ticks(system.now)),
        "RandGuid": system.guid.to_string(),
    })
}

fn base64(bytes: &[u8]) -> Value {
    Value::String(BASE64.encode(bytes))
}

/// .NET's default `DateTime`, which has no offset.
const YEAR_ONE: &str = "0001-01-01T00:00:00";

/// Hundreds of nanoseconds within the second.
fn ticks<Z: TimeZone>(time: DateTime<Z>) -> u32 {
    // A leap second's nanoseconds exceed a second; .NET knows none.
    (time.timestamp_subsec_nanos() / 100).min(9_999_999)
}

/// A time without a zone and without trailing zeros, as JSON.NET writes it.
fn bare_time<Z: TimeZone>(time: DateTime<Z>) -> String
where
    Z::Offset: std::fmt::Display,
{
    let fraction = format!(".{:07}", ticks(time.clone()));
    let second = time.clone() - TimeDelta::nanoseconds(i64::from(time.timestamp_subsec_nanos()));
    format!("{}{}", second.format("%FT%T"), fraction.trim_end_matches('0').trim_end_matches('.'))
}

fn offset_time_in(zone: Tz, time: DateTime<Utc>) -> String {
    let here = time.with_timezone(&zone);
    format!("{}{}", bare_time(here), here.format("%:z"))
}

/// Whole seconds with an offset: what is left of a `DateTimeOffset` at top level.
fn offset_second(time: DateTime<Utc>) -> String {
    time.format("%FT%T+00:00").to_string()
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
