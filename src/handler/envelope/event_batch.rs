//! Raw events as the Event Hubs trigger brings them, with their numbers and times.
//!
//! Our function.json asks for `dataType` binary and `cardinality` many: every body is base64, byte for byte what was sent,
//! and no payload can overwrite metadata. The other forms are read as well as they can be: the host has damaged their bytes
//! before we see them, and a text that happens to be base64 is taken for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{EnvelopeError, Invocation, decode, kind};

/// Events of one partition, in the order in which the hub has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventBatch {
    pub hub: String,
    pub consumer_group: String,
    pub partition: String,
    pub events: Vec<BatchEvent>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchEvent {
    pub sequence_number: u64,
    pub enqueued_at: DateTime<Utc>,
    pub body: Bytes,
}

const NUMBERS: &str = "SequenceNumberArray";
const NUMBER: &str = "SequenceNumber";
const TIMES: &str = "EnqueuedTimeUtcArray";
const TIME: &str = "EnqueuedTimeUtc";

impl Invocation {
    /// The batch of an Event Hubs trigger. For cardinality one it is a batch of one event.
    ///
    /// # Errors
    /// The binding or some metadata is missing or not what the host writes, or there is not one number and one time for
    /// each event.
    pub fn event_batch(&self, binding: &str) -> Result<EventBatch, EnvelopeError> {
        let refuse = |reason: String| EnvelopeError::NotEvents {
            function: self.function.clone(),
            binding: binding.to_owned(),
            reason,
        };
        let value = self.data.get(binding).ok_or_else(|| self.missing_binding(binding))?;
        let (bodies, numbers, times) = if self.metadata.contains_key(NUMBERS) {
            let bodies = bodies_of_many(value).map_err(refuse)?;
            (bodies, self.metadata_array(NUMBERS)?, self.metadata_array(TIMES)?)
        } else {
            let body = body_of_one(value).map_err(refuse)?;
            (vec![body], vec![self.metadata_value(NUMBER)?], vec![self.metadata_value(TIME)?])
        };
        for (what, count) in [(NUMBERS, numbers.len()), (TIMES, times.len())] {
            if count != bodies.len() {
                return Err(refuse(format!("it has {}, and `{what}` has {count}", events(bodies.len()))));
            }
        }
        let mut batch = self.partition_context()?;
        for ((body, number), time) in bodies.into_iter().zip(&numbers).zip(&times) {
            let sequence_number =
                number_of(number).ok_or_else(|| refuse(format!("`{number}` is no sequence number")))?;
            let enqueued_at = time_of(time).ok_or_else(|| refuse(format!("`{time}` is no time of an event")))?;
            batch.events.push(BatchEvent { sequence_number, enqueued_at, body });
        }
        Ok(batch)
    }

    /// Where the events are from, without any yet.
    fn partition_context(&self) -> Result<EventBatch, EnvelopeError> {
        let context =
            self.metadata_object("PartitionContext").or_else(|| self.metadata_object("TriggerPartitionContext"));
        let context = context.ok_or_else(|| self.missing_metadata("PartitionContext"))?;
        let member = |name: &'static str| match context.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(self.missing_metadata(name)),
        };
        Ok(EventBatch {
            hub: member("EventHubName")?,
            consumer_group: member("ConsumerGroup")?,
            partition: member("PartitionId")?,
            events: Vec::new(),
        })
    }

    fn metadata_value(&self, key: &'static str) -> Result<Value, EnvelopeError> {
        self.metadata.get(key).map(decode).ok_or_else(|| self.missing_metadata(key))
    }

    fn metadata_array(&self, key: &'static str) -> Result<Vec<Value>, EnvelopeError> {
        match self.metadata_value(key)? {
            Value::Array(values) => Ok(values),
            _ => Err(self.missing_metadata(key)),
        }
    }
}

/// An array, mostly inside a string.
fn bodies_of_many(value: &Value) -> Result<Vec<Bytes>, String> {
    match value {
        Value::String(text) => {
            // Events that the host has parsed keep their text: numbers of any size and form.
            let elements: Vec<&RawValue> =
                serde_json::from_str(text).map_err(|error| format!("it is no array: {error}"))?;
            Ok(elements.into_iter().map(|element| body_of_element(element.get())).collect())
        }
        Value::Array(elements) => Ok(elements.iter().map(|element| body_of_element(&element.to_string())).collect()),
        other => Err(format!("it is {}", kind(other))),
    }
}

/// Base64 of binary data stands for itself, a text inside a string of its own.
fn body_of_one(value: &Value) -> Result<Bytes, String> {
    match value {
        Value::String(text) if text.starts_with('"') => Ok(body_of_element(text)),
        Value::String(text) => Ok(undo_base64(text.clone())),
        Value::Object(_) => Ok(value.to_string().into()),
        other => Err(format!("it is {}", kind(other))),
    }
}

/// The bytes of one event from its JSON.
fn body_of_element(json: &str) -> Bytes {
    match serde_json::from_str::<String>(json) {
        Ok(text) => undo_base64(text),
        Err(_) => Bytes::copy_from_slice(json.as_bytes()),
    }
}

fn undo_base64(text: String) -> Bytes {
    STANDARD.decode(&text).unwrap_or_else(|_| text.into_bytes()).into()
}

fn number_of(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// UTC without saying so, and with as many digits of a second as are not zero; other hosts may say it.
fn time_of(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    let bare = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    bare.map(|bare| bare.and_utc()).or_else(|| text.parse().ok())
}

fn events(count: usize) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context() -> Value {
        json!({
            "IsCheckpointingAfterInvocation": true, "FullyQualifiedNamespace": "ns.servicebus.windows.net",
            "EventHubName": "readings", "ConsumerGroup": "$Default", "PartitionId": "3",
        })
    }

    fn batch(data: Value, metadata: Value) -> Result<EventBatch, EnvelopeError> {
        let body = json!({ "Data": { "events": data }, "Metadata": metadata }).to_string();
        Invocation::parse("stream_readings", "id", body.as_bytes()).unwrap().event_batch("events")
    }

    fn many(data: Value) -> Vec<Bytes> {
        let metadata = json!({
            "PartitionContext": context(),
            "SequenceNumberArray": "[1041,1042]",
            "EnqueuedTimeUtcArray": "[\"2026-08-22T06:02:00.125\",\"2026-08-22T06:02:01.25\"]",
        });
        batch(data, metadata).unwrap().events.into_iter().map(|event| event.body).collect()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_batch_of_the_reference_is_read() {
        let metadata = json!({
            "TriggerPartitionContext": context(),
            "PartitionContext": context(),
            "PartitionKeyArray": "[null,null]",
            "SequenceNumberArray": "[1041,1042]",
            "EnqueuedTimeUtcArray": "[\"2026-08-22T06:02:00.125\",\"2026-08-22T06:02:01.25\"]",
            "sys": { "MethodName": "Ingest" },
        });
        let data = "[\"eyJpZCI6MSwidCI6IjIwMjYtMDgtMjJUMDY6MDI6MDBaIn0=\",\"eyJpZCI6MiwidCI6IjIwMjYtMDgtMjJUMDY6MDI6MDFaIn0=\"]";
        let event = |sequence_number, time, body: &'static str| BatchEvent {
            sequence_number,
            enqueued_at: utc(time),
            body: Bytes::from(body),
        };
        let expected = EventBatch {
            hub: "readings".to_owned(),
            consumer_group: "$Default".to_owned(),
            partition: "3".to_owned(),
            events: vec![
                event(1041, "2026-08-22T06:02:00.125Z", r#"{"id":1,"t":"2026-08-22T06:02:00Z"}"#),
                event(1042, "2026-08-22T06:02:01.25Z", r#"{"id":2,"t":"2026-08-22T06:02:01Z"}"#),
            ],
        };
        assert_eq!(batch(json!(data), metadata).unwrap(), expected);
    }

    #[test]
    fn the_other_data_types_give_the_same_events() {
        let text = r#"["{\"id\":1}","{\"id\":2}"]"#;
        let values = r#"[{"id":1},{"id":2}]"#;
        for form in [json!(text), json!(values), json!([{"id": 1}, {"id": 2}]), json!(["eyJpZCI6MX0=", "eyJpZCI6Mn0="])]
        {
            assert_eq!(many(form.clone()), [r#"{"id":1}"#, r#"{"id":2}"#], "{form}");
        }
        assert_eq!(many(json!("[12345678901234567890123, 1.50]")), ["12345678901234567890123", "1.50"]);
    }

    #[test]
    fn any_bytes_come_through_base64_as_they_were() {
        for body in [&b"1234"[..], b"", b"null", b"\"", b"[1]", b"\xff\xfe\x00", b"eyJpZCI6MX0=", b" {\"a\":1}\n"] {
            let element = STANDARD.encode(body);
            assert_eq!(many(json!(json!([element, element]).to_string())), [body, body]);
        }
    }

    #[test]
    fn one_event_is_a_batch_of_one() {
        let metadata = json!({
            "PartitionContext": context(), "SequenceNumber": "1041", "EnqueuedTimeUtc": "2026-08-22T06:02:00",
        });
        let bodies = [
            (json!(STANDARD.encode("null")), "null"),
            // Base64 that is JSON, too.
            (json!("1234"), "\u{d7}m\u{f8}"),
            (json!("\"{\\\"id\\\":1}\""), "{\"id\":1}"),
            (json!("half a line"), "half a line"),
        ];
        for (form, body) in bodies {
            let batch = batch(form.clone(), metadata.clone()).unwrap();
            let latin: Vec<u8> = body.chars().map(|c| c as u8).collect();
            let expected =
                BatchEvent { sequence_number: 1041, enqueued_at: utc("2026-08-22T06:02:00Z"), body: latin.into() };
            assert_eq!(batch.events, [expected], "{form}");
        }
    }

    #[test]
    fn a_time_has_any_digits_of_a_second_and_may_say_its_offset() {
        let times = [
            ("2026-08-22T06:02:00", "2026-08-22T06:02:00Z"),
            ("2026-08-22T06:02:00.1", "2026-08-22T06:02:00.1Z"),
            ("2026-08-22T06:02:00.1234567", "2026-08-22T06:02:00.1234567Z"),
            ("2026-08-22T06:02:00.1234567Z", "2026-08-22T06:02:00.1234567Z"),
            ("2026-08-22T08:02:00+02:00", "2026-08-22T06:02:00Z"),
        ];
        for (written, meant) in times {
            assert_eq!(time_of(&json!(written)), Some(utc(meant)), "{written}");
        }
        for written in ["", "yesterday", "2026-08-22"] {
            assert_eq!(time_of(&json!(written)), None, "{written}");
        }
    }

    #[test]
    fn the_context_is_read_in_every_form() {
        let inside_string = context().to_string();
        for (key, form) in [
            ("PartitionContext", json!(inside_string)),
            ("TriggerPartitionContext", context()),
            ("TriggerPartitionContext", json!(inside_string)),
        ] {
            let metadata =
                json!({ key: form, "SequenceNumberArray": ["7"], "EnqueuedTimeUtcArray": ["2026-08-22T06:02:00"] });
            let batch = batch(json!("[\"eyJpZCI6MX0=\"]"), metadata).unwrap();
            assert_eq!((batch.hub.as_str(), batch.partition.as_str()), ("readings", "3"));
            assert_eq!(batch.events[0].sequence_number, 7);
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused_in_words() {
        let whole = |numbers: &str, times: &str| json!({ "PartitionContext": context(), "SequenceNumberArray": numbers, "EnqueuedTimeUtcArray": times });
        let (two, two_times) = ("[1,2]", "[\"2026-08-22T06:02:00\",\"2026-08-22T06:02:01\"]");
        let without_context = json!({ "SequenceNumberArray": two, "EnqueuedTimeUtcArray": two_times });
        let prefix = "function `stream_readings`: ";
        for (data, metadata, said) in [
            (
                json!("[\"\"]"),
                whole(two, two_times),
                "binding `events` is not a list of events: it has 1 event, and `SequenceNumberArray` has 2",
            ),
            (
                json!("[\"\",\"\"]"),
                whole(two, "[]"),
                "binding `events` is not a list of events: it has 2 events, and `EnqueuedTimeUtcArray` has 0",
            ),
            (
                json!("[\"\",\"\"]"),
                whole("[1,-2]", two_times),
                "binding `events` is not a list of events: `-2` is no sequence number",
            ),
            (
                json!("[\"\",\"\"]"),
                whole(two, "[\"\",\"\"]"),
                "binding `events` is not a list of events: `\"\"` is no time of an event",
            ),
            (json!("[\"\",\"\"]"), without_context, "metadata `PartitionContext` is missing"),
            (json!("[\"\"]"), json!({ "PartitionContext": context() }), "metadata `SequenceNumber` is missing"),
            (json!(7), whole("[1]", "[]"), "binding `events` is not a list of events: it is a number"),
        ] {
            let refused = batch(data, metadata).unwrap_err().to_string();
            assert_eq!(refused, format!("{prefix}{said}"));
        }
        let cut_off = batch(json!("[\"eyJ"), whole(two, two_times)).unwrap_err().to_string();
        assert!(
            cut_off
                .starts_with("function `stream_readings`: binding `events` is not a list of events: it is no array: ")
        );
    }
}
