//! The invocation request, in every form that hosts have sent.
//!
//! The host writes a value as JSON text inside a JSON string unless it is an object; the documentation shows plain values;
//! older hosts also put objects into strings. So every key is read in either form. Nothing that decides where data goes is
//! taken from metadata but the blob trigger's `Uri`: members of a string payload can overwrite metadata keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use thiserror::Error;

mod event_batch;

pub use event_batch::{BatchEvent, EventBatch};

/// One invocation as it came from the host.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// The name of the function's folder.
    pub function: String,
    /// `X-Azure-Functions-InvocationId`, or empty.
    pub invocation_id: String,
    data: Map<String, Value>,
    metadata: Map<String, Value>,
}

#[derive(Debug, Error)]
pub enum EnvelopeError {
    #[error("the body of function `{function}` is not an invocation: {reason}")]
    NotAnInvocation { function: String, reason: String },
    #[error("function `{function}`: binding `{binding}` is missing; the request has {present:?}")]
    MissingBinding { function: String, binding: String, present: Vec<String> },
    #[error("function `{function}`: metadata `{key}` is missing")]
    MissingMetadata { function: String, key: &'static str },
    #[error("function `{function}`: binding `{binding}` is not a list of events: {reason}")]
    NotEvents { function: String, binding: String, reason: String },
}

impl Invocation {
    pub fn parse(function: &str, invocation_id: &str, body: &[u8]) -> Result<Self, EnvelopeError> {
        let refuse = |reason: String| EnvelopeError::NotAnInvocation { function: function.to_owned(), reason };
        let mut envelope: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| refuse(error.to_string()))?;
        let mut member = |name: &str| match envelope.remove(name) {
            Some(Value::Object(object)) => Ok(object),
            None | Some(Value::Null) => Ok(Map::new()),
            Some(other) => Err(refuse(format!("its `{name}` is {}", kind(&other)))),
        };
        Ok(Invocation {
            function: function.to_owned(),
            invocation_id: invocation_id.to_owned(),
            data: member("Data")?,
            metadata: member("Metadata")?,
        })
    }

    /// A metadata value that is text, whether it came plain or as JSON inside a string.
    pub fn metadata_text(&self, key: &'static str) -> Result<String, EnvelopeError> {
        match self.metadata.get(key).map(decode) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(self.missing_metadata(key)),
        }
    }

    /// A metadata value as an object.
    pub fn metadata_object(&self, key: &str) -> Option<Map<String, Value>> {
        match decode(self.metadata.get(key)?) {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The decoded value of an input binding.
    pub fn binding(&self, binding: &str) -> Result<Value, EnvelopeError> {
        self.data.get(binding).map(decode).ok_or_else(|| self.missing_binding(binding))
    }

    fn missing_binding(&self, binding: &str) -> EnvelopeError {
        EnvelopeError::MissingBinding {
            function: self.function.clone(),
            binding: binding.to_owned(),
            present: self.data.keys().cloned().collect(),
        }
    }

    /// The bytes of a queue message; `None`: the function was not called for one. Right for `dataType` binary (base64), string
    /// and none, as long as messages are JSON.
    pub fn message(&self, binding: &str) -> Option<Vec<u8>> {
        self.data.get(binding).map(|value| event_body(&decode(value)))
    }

    fn missing_metadata(&self, key: &'static str) -> EnvelopeError {
        EnvelopeError::MissingMetadata { function: self.function.clone(), key }
    }

    /// The bodies of an Event Hubs batch of our own messages, in order. Right for `dataType` binary (base64), string and none, and for
    /// cardinality one.
    pub fn events(&self, binding: &str) -> Result<Vec<Vec<u8>>, EnvelopeError> {
        match self.binding(binding)? {
            Value::Array(elements) => Ok(elements.iter().map(event_body).collect()),
            single @ (Value::Object(_) | Value::String(_)) => Ok(vec![event_body(&single)]),
            other => Err(EnvelopeError::NotEvents {
                function: self.function.clone(),
                binding: binding.to_owned(),
                reason: format!("it is {}", kind(&other)),
            }),
        }
    }
}

/// Undoes the host's double encoding: a string that holds JSON is that JSON; any other value is itself.
fn decode(value: &Value) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        other => other.clone(),
    }
}

/// Our events are JSON objects. Base64 of one never parses as JSON itself, so the forms cannot be confused.
fn event_body(element: &Value) -> Vec<u8> {
    match element {
        Value::String(text) if text.trim_start().starts_with(['{', '[', '"']) => text.clone().into_bytes(),
        Value::String(text) => STANDARD.decode(text).unwrap_or_else(|_| text.clone().into_bytes()),
        other => other.to_string().into_bytes(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn invocation(body: Value) -> Invocation {
        Invocation::parse("load", "id", body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_text_is_read_plain_and_as_json_in_a_string() {
        for form in [json!("\"https://a/b\""), json!("https://a/b")] {
            let invocation = invocation(json!({"Data": {}, "Metadata": {"Uri": form}}));
            assert_eq!(invocation.metadata_text("Uri").unwrap(), "https://a/b");
        }
    }

    #[test]
    fn an_object_is_read_nested_and_as_json_in_a_string() {
        for form in [json!({"PartitionId": "3"}), json!("{\"PartitionId\":\"3\"}")] {
            let invocation = invocation(json!({"Data": {}, "Metadata": {"PartitionContext": form}}));
            assert_eq!(invocation.metadata_object("PartitionContext").unwrap()["PartitionId"], "3");
        }
    }

    #[test]
    fn a_queue_message_comes_out_of_every_data_type() {
        let text = r#"{"id":1}"#;
        let forms = [json!(STANDARD.encode(text)), json!(json!(text).to_string()), json!(text), json!({"id": 1})];
        for form in forms {
            let invocation = invocation(json!({"Data": {"message": form}, "Metadata": {}}));
            assert_eq!(invocation.message("message").unwrap(), text.as_bytes());
            assert_eq!(invocation.message("blob"), None);
        }
    }

    #[test]
    fn events_come_out_of_every_data_type() {
        let body = br#"{"id":1}"#;
        for form in [
            json!("[\"eyJpZCI6MX0=\"]"),
            json!(["eyJpZCI6MX0="]),
            json!("[\"{\\\"id\\\":1}\"]"),
            json!("[{\"id\":1}]"),
            json!([{"id": 1}]),
            json!("eyJpZCI6MX0="),
            json!("{\"id\":1}"),
        ] {
            let invocation = invocation(json!({"Data": {"events": form}, "Metadata": {}}));
            assert_eq!(invocation.events("events").unwrap(), vec![body.to_vec()], "{form}");
        }
    }

    #[test]
    fn a_missing_binding_says_what_there_is() {
        let error = invocation(json!({"Data": {"event": "[]"}})).events("events").unwrap_err();
        assert_eq!(error.to_string(), "function `load`: binding `events` is missing; the request has [\"event\"]");
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        assert!(Invocation::parse("load", "", b"[1]").is_err());
        assert!(Invocation::parse("load", "", b"").is_err());
    }
}
