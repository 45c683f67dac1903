//! `Metadata` as it grows in the host: the trigger's own entries, then `sys`, then what a string payload smuggles in.
//! Names are the same in any case, as in the host's dictionaries.

use serde_json::{Map, Value, json};

use super::dates;
use super::envelope::{SystemFacts, inside_string, sys};

/// Puts one request's metadata together.
#[derive(Default)]
pub(super) struct Metadata {
    entries: Map<String, Value>,
}

impl Metadata {
    /// An object or a time, which goes as it is.
    pub(super) fn set(&mut self, key: &str, value: Value) {
        let known = self.entries.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned();
        self.entries.insert(known.unwrap_or_else(|| key.to_owned()), value);
    }

    /// Anything else: its JSON text in a string. What is null does not arrive at all.
    pub(super) fn set_inside_string(&mut self, key: &str, value: Value) {
        if !value.is_null() {
            self.set(key, inside_string(value));
        }
    }

    /// `SystemBindingData.AddToBindingData`: under `$sys` where the trigger has a `sys` of its own.
    pub(super) fn set_system(&mut self, system: &SystemFacts<'_>) {
        let is_taken = self.entries.keys().any(|key| key.eq_ignore_ascii_case("sys"));
        self.set(if is_taken { "$sys" } else { "sys" }, sys(system));
    }

    /// `Utility.ApplyBindingData`: the members of a payload that is a JSON object in a string, but for arrays, over
    /// whatever stands there. Whoever can send a message can forge any entry in this way.
    pub(super) fn merge_payload(&mut self, payload: &str) {
        let Ok(Value::Object(members)) = serde_json::from_str(payload) else {
            return;
        };
        for (key, member) in members {
            match member {
                Value::Array(_) | Value::Null => {}
                object @ Value::Object(_) => self.set(&key, dates::normalised(&object)),
                // .NET reads a scalar as text: `7` becomes `"7"`, `true` becomes `"True"`, a time loses its form.
                Value::Bool(value) => self.set_inside_string(&key, json!(if value { "True" } else { "False" })),
                Value::Number(value) => self.set_inside_string(&key, json!(value.to_string())),
                Value::String(value) => {
                    let text = dates::general(&value).unwrap_or(value);
                    self.set_inside_string(&key, json!(text));
                }
            }
        }
    }

    /// Without what never arrives: keys that end in `trigger`.
    pub(super) fn finish(mut self) -> Value {
        self.entries.retain(|key, _| !key.to_ascii_lowercase().ends_with("trigger"));
        Value::Object(self.entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system() -> SystemFacts<'static> {
        SystemFacts { function: "OnOrder", now: chrono::DateTime::UNIX_EPOCH, guid: uuid::Uuid::nil() }
    }

    #[test]
    fn members_of_a_payload_overwrite_what_is_there_in_any_case() {
        let mut metadata = Metadata::default();
        metadata.set_inside_string("DequeueCount", json!(1));
        metadata.set_system(&system());
        metadata.merge_payload(
            r#"{"dequeuecount": 99, "orderId": 7, "paid": true, "sys": "mine", "Properties": {"a": 1}}"#,
        );
        assert_eq!(
            metadata.finish(),
            json!({
                "DequeueCount": "\"99\"", "sys": "\"mine\"", "orderId": "\"7\"", "paid": "\"True\"",
                "Properties": {"a": 1},
            })
        );
    }

    #[test]
    fn a_time_loses_its_form_on_the_way() {
        let mut metadata = Metadata::default();
        metadata
            .merge_payload(r#"{"eventTime": "2026-08-22T06:00:00.5Z", "data": {"at": "2026-08-22T06:00:00.500Z"}}"#);
        assert_eq!(
            metadata.finish(),
            json!({"eventTime": "\"08/22/2026 06:00:00\"", "data": {"at": "2026-08-22T06:00:00.5Z"}})
        );
    }

    #[test]
    fn arrays_nulls_and_triggers_do_not_arrive() {
        let mut metadata = Metadata::default();
        metadata.merge_payload(r#"{"list": [1], "nothing": null, "myTrigger": "x", "kept": "y"}"#);
        assert_eq!(metadata.finish(), json!({"kept": "\"y\""}));
    }

    #[test]
    fn a_payload_that_is_no_object_changes_nothing() {
        for payload in ["", "text", "[{\"a\":1}]", "{\"a\":", "\"{}\""] {
            let mut metadata = Metadata::default();
            metadata.merge_payload(payload);
            assert_eq!(metadata.finish(), json!({}), "{payload}");
        }
    }

    #[test]
    fn a_trigger_with_a_sys_of_its_own_keeps_it() {
        let mut metadata = Metadata::default();
        metadata.set_inside_string("SYS", json!("a path token"));
        metadata.set_system(&system());
        let finished = metadata.finish();
        assert_eq!(finished["SYS"], "\"a path token\"");
        assert_eq!(finished["$sys"]["MethodName"], "OnOrder");
    }
}
