//! What goes back to the host.

use serde_json::{Value, json};

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum InvocationAnswer {
    /// Status 200. `return_value` is for people and for the stand-in host: the real one ignores it, as no function has a
    /// `$return` binding. `outputs` are bindings of the function by name.
    Done { outputs: Value, return_value: Value },
    /// Status 500: the host tries again where the trigger or a retry policy says so. The reason goes to stderr.
    Failed { reason: String },
}

impl InvocationAnswer {
    pub fn done(return_value: Value) -> Self {
        InvocationAnswer::Done { outputs: json!({}), return_value }
    }

    pub fn failed(reason: impl Into<String>) -> Self {
        InvocationAnswer::Failed { reason: reason.into() }
    }

    /// Status and body. The body is a JSON object always: an empty one hangs the host.
    pub fn encode(&self) -> (u16, Value) {
        match self {
            InvocationAnswer::Done { outputs, return_value } => {
                (200, json!({ "Outputs": outputs, "Logs": [], "ReturnValue": return_value }))
            }
            InvocationAnswer::Failed { reason } => {
                (500, json!({ "Outputs": {}, "Logs": [reason], "ReturnValue": null, "error": reason }))
            }
        }
    }
}

/// An answer to a person's browser or to `curl`.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpAnswer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_a_json_object() {
        for answer in [InvocationAnswer::done(Value::Null), InvocationAnswer::failed("away")] {
            assert!(answer.encode().1.is_object());
        }
        assert_eq!(InvocationAnswer::failed("away").encode().0, 500);
    }
}
