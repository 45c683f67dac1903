//! The response that an `http` output stands for: `GetHttpOutputBindingResponse` and `HttpBinding.CreateResult` of
//! azure-functions-host.

use serde_json::{Map, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOutput {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// `Err`: the answer's value is no response, which fails the invocation.
///
/// `status` is read by the host and then never looked at, since `statusCode` is there too, if only as null: only that one
/// counts. [?] Read from source, never run.
pub fn http_output(name: &str, outputs: &Map<String, Value>) -> Result<HttpOutput, String> {
    let Some(value) = outputs.get(name) else {
        // An object without members, written as JSON.
        return Ok(HttpOutput { status: 200, headers: plain_text(), body: "{}".to_owned() });
    };
    let members = match value {
        Value::Object(members) => Some(members.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    };
    let members = members
        .ok_or("Failed while trying to Deserialize to httpOutputBindingResponse. Output is not in expected format")?;
    let member =
        |wanted: &str| members.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
    let status = match member("statusCode") {
        Some(Value::Number(number)) => number.as_u64().and_then(|status| u16::try_from(status).ok()),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let mut headers = plain_text();
    for (name, value) in member("headers").and_then(Value::as_object).into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(known) => known.1 = text,
            None => headers.push((name.clone(), text)),
        }
    }
    let body = match member("body") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(value)) => if *value { "True" } else { "False" }.to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(nested) => format!("{:#}", crate::standin::dates::normalised(nested)),
    };
    Ok(HttpOutput { status: status.unwrap_or(200), headers, body })
}

fn plain_text() -> Vec<(String, String)> {
    vec![("Content-Type".to_owned(), "text/plain; charset=utf-8".to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn response(value: Value) -> Result<HttpOutput, String> {
        http_output("response", &Map::from_iter([("response".to_owned(), value)]))
    }

    #[test]
    fn status_headers_and_body_come_from_the_object() {
        let output = response(json!({
            "statusCode": 418, "headers": {"content-type": "application/json", "X-A": 1}, "body": "{\"tea\":\"pot\"}",
        }))
        .unwrap();
        assert_eq!((output.status, output.body.as_str()), (418, r#"{"tea":"pot"}"#));
        assert_eq!(output.headers[0].1, "application/json");
        assert_eq!(output.headers[1], ("X-A".to_owned(), "1".to_owned()));
    }

    #[test]
    fn a_status_may_be_text_and_its_other_name_does_not_count() {
        assert_eq!(response(json!({"StatusCode": "201"})).unwrap().status, 201);
        assert_eq!(response(json!({"status": 201, "body": {"a": 1}})).unwrap().status, 200);
        assert_eq!(response(json!({"body": {"a": 1}})).unwrap().body, "{\n  \"a\": 1\n}");
    }

    #[test]
    fn what_is_no_response_fails_and_what_is_missing_does_not() {
        assert!(response(json!("hello")).is_err());
        assert!(response(json!(null)).is_err());
        assert!(response(json!([1])).is_err());
        assert_eq!(http_output("response", &Map::new()).unwrap().body, "{}");
    }
}
