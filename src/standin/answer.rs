//! What the host makes of a handler's response to an envelope: the rules of `DefaultHttpWorkerService` in
//! azure-functions-host, the empty body that hangs an invocation included.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A successful invocation's members. Names match in any case, others are ignored
/// (`HttpScriptInvocationResult.cs`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InvocationResult {
    pub outputs: Map<String, Value>,
    pub logs: Vec<String>,
    pub return_value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Success(InvocationResult),
    Failure(String),
    /// The real host reads `null` here and never completes the invocation: it ends with the function's timeout.
    Hangs,
}

/// `content_type` is the header as sent, with its parameters.
pub fn judge(status: u16, content_type: Option<&str>, body: &[u8]) -> Answer {
    if !(200..300).contains(&status) {
        return Answer::Failure(format!("response status code does not indicate success: {status}"));
    }
    if body.is_empty() {
        return Answer::Hangs;
    }
    let media_type = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if !["application/json", "text/json"].iter().any(|json| media_type.eq_ignore_ascii_case(json)) {
        return invalid(body, &format!("its content type is `{media_type}` and not application/json"));
    }
    if matches!(body.trim_ascii(), b"" | b"null") {
        return Answer::Hangs;
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(members)) => match read_members(members) {
            Ok(result) => Answer::Success(result),
            Err(reason) => invalid(body, &reason.to_string()),
        },
        Ok(_) => invalid(body, "it is not a JSON object"),
        Err(reason) => invalid(body, &reason.to_string()),
    }
}

fn read_members(members: Map<String, Value>) -> Result<InvocationResult, serde_json::Error> {
    let mut result = InvocationResult::default();
    for (name, value) in members {
        if name.eq_ignore_ascii_case("Outputs") {
            result.outputs = Option::deserialize(value)?.unwrap_or_default();
        } else if name.eq_ignore_ascii_case("Logs") {
            result.logs = Option::deserialize(value)?.unwrap_or_default();
        } else if name.eq_ignore_ascii_case("ReturnValue") {
            result.return_value = value;
        }
    }
    Ok(result)
}

fn invalid(body: &[u8], reason: &str) -> Answer {
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    Answer::Failure(format!("invalid HttpResponseMessage: {reason}: {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const JSON: Option<&str> = Some("application/json; charset=utf-8");

    #[test]
    fn an_object_is_a_success_whatever_the_case_of_its_members() {
        let answer = judge(200, JSON, br#"{"outputs":{"a":1},"LOGS":["x"],"ReturnValue":{"pending":2},"other":1}"#);
        let Answer::Success(result) = answer else { panic!("{answer:?}") };
        assert_eq!(result.outputs["a"], 1);
        assert_eq!(result.logs, ["x"]);
        assert_eq!(result.return_value, json!({"pending": 2}));
        assert_eq!(judge(201, Some("text/json"), b"{}"), Answer::Success(InvocationResult::default()));
        let nulls = judge(200, JSON, br#"{"Outputs":null,"Logs":null}"#);
        assert_eq!(nulls, Answer::Success(InvocationResult::default()));
    }

    #[test]
    fn an_empty_body_hangs_whatever_its_type() {
        assert_eq!(judge(200, JSON, b""), Answer::Hangs);
        assert_eq!(judge(204, None, b""), Answer::Hangs);
        assert_eq!(judge(200, Some("text/plain"), b""), Answer::Hangs);
        assert_eq!(judge(200, JSON, b" null "), Answer::Hangs);
        assert_eq!(judge(200, JSON, b"\n"), Answer::Hangs);
        assert!(matches!(judge(200, Some("text/plain"), b"null"), Answer::Failure(_)));
    }

    #[test]
    fn any_other_status_is_a_failure_and_its_body_is_not_read() {
        for status in [199, 301, 400, 429, 500] {
            assert!(matches!(judge(status, JSON, b"{}"), Answer::Failure(_)), "{status}");
        }
    }

    #[test]
    fn another_type_and_broken_json_are_failures() {
        assert!(matches!(judge(200, Some("text/plain"), b"{}"), Answer::Failure(_)));
        assert!(matches!(judge(200, None, b"{}"), Answer::Failure(_)));
        assert!(matches!(judge(200, JSON, b"{"), Answer::Failure(_)));
        assert!(matches!(judge(200, JSON, b"[]"), Answer::Failure(_)));
        assert!(matches!(judge(200, JSON, br#"{"Logs":"text"}"#), Answer::Failure(_)));
    }
}
