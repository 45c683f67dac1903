//! What becomes of an answer's `Outputs`: the conversion of `HttpScriptInvocationResultExtensions.cs` in
//! azure-functions-host, which decodes any text that happens to be base64, and the events that the binding makes of a value
//! (`FunctionBinding.ReadAsEnumerable` and `BindAsyncCollectorAsync`). Delivers nothing.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::dates;
use super::definition::{DataType, Output};

mod http;

pub use http::http_output;

/// .NET's decoder demands padding and does not look at the bits behind the last byte.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The messages that a queue or an event hub gets from one output, as bytes. None: the answer does not name it.
pub fn messages(output: &Output, outputs: &Map<String, Value>) -> Vec<Vec<u8>> {
    match outputs.get(&output.name) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => messages_of_text(text, output.data_type),
        Some(Value::Array(elements)) => elements.iter().map(as_bytes).collect(),
        Some(other) => vec![as_bytes(other)],
    }
}

fn messages_of_text(text: &str, data_type: DataType) -> Vec<Vec<u8>> {
    // The JSON reader has made a time of it before anybody looks for base64.
    if let Some(date) = dates::general(text) {
        return vec![date.into_bytes()];
    }
    if data_type != DataType::Binary
        && let Some(bytes) = from_base64(text)
    {
        return vec![bytes];
    }
    let trimmed = text.trim();
    let looks_like_json =
        (trimmed.starts_with('{') && trimmed.ends_with('}')) || (trimmed.starts_with('[') && trimmed.ends_with(']'));
    match serde_json::from_str(text) {
        Ok(Value::Array(elements)) if looks_like_json => elements.iter().map(as_bytes).collect(),
        Ok(value) if looks_like_json => vec![as_bytes(&value)],
        // [?] A text in braces that is no JSON makes the host fail the invocation; here it goes as it is.
        _ => vec![text.as_bytes().to_vec()],
    }
}

/// `JToken.ToString()`: texts bare, objects indented, times in .NET's forms.
fn as_bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => dates::general(text).unwrap_or_else(|| text.clone()).into_bytes(),
        Value::Bool(true) => b"True".to_vec(),
        Value::Bool(false) => b"False".to_vec(),
        Value::Null => Vec::new(),
        Value::Number(number) => number.to_string().into_bytes(),
        nested => format!("{:#}", dates::normalised(nested)).into_bytes(),
    }
}

/// `Convert.FromBase64String`: blanks count for nothing, nothing else is passed over. An empty text is base64 too.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let dense: String = text.chars().filter(|character| !matches!(character, ' ' | '\t' | '\r' | '\n')).collect();
    BASE64.decode(dense).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::definition::OutputKind;
    use serde_json::json;

    fn sent(value: Value, data_type: DataType) -> Vec<String> {
        let output = Output { name: "out".into(), kind: OutputKind::EventHub { hub: "h".into() }, data_type };
        let outputs = Map::from_iter([("out".to_owned(), value)]);
        messages(&output, &outputs).into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    #[test]
    fn a_text_that_happens_to_be_base64_is_damaged() {
        assert_eq!(sent(json!("aGVsbG8="), DataType::Missing), ["hello"]);
        assert_eq!(sent(json!("aGVs\n bG8="), DataType::String), ["hello"]);
        assert_ne!(sent(json!("test"), DataType::Missing), ["test"]);
        assert_ne!(sent(json!("1234"), DataType::Missing), ["1234"]);
        assert_ne!(sent(json!("deadbeef"), DataType::Missing), ["deadbeef"]);
        assert_eq!(sent(json!(""), DataType::Missing), [""]);
        for safe in ["hello", "tes", "te-t", "a=bc", "dGVzdA", "żółw"] {
            assert_eq!(sent(json!(safe), DataType::Missing), [safe]);
        }
    }

    #[test]
    fn data_type_binary_keeps_it_from_being_decoded() {
        assert_eq!(sent(json!("aGVsbG8="), DataType::Binary), ["aGVsbG8="]);
    }

    #[test]
    fn an_array_is_an_event_for_each_element_and_no_element_is_decoded() {
        let value = json!(["aGVsbG8=", {"a": 1}, 7, true, null]);
        let expected = ["aGVsbG8=", "{\n  \"a\": 1\n}", "7", "True", ""];
        assert_eq!(sent(value.clone(), DataType::Missing), expected);
        assert_eq!(sent(json!(value.to_string()), DataType::Missing), expected);
    }

    #[test]
    fn an_object_is_one_event_with_its_times_rewritten() {
        let value = json!({"at": "2026-08-22T06:00:00.1200Z", "day": "2026-08-22", "note": "2026-08-22T06:00:00Z!"});
        let expected = "{\n  \"at\": \"2026-08-22T06:00:00.12Z\",\n  \"day\": \"2026-08-22\",\n  \"note\": \"2026-08-22T06:00:00Z!\"\n}";
        assert_eq!(sent(value.clone(), DataType::Missing), [expected]);
        assert_eq!(sent(json!(value.to_string()), DataType::Missing), [expected]);
    }

    #[test]
    fn a_bare_time_loses_its_form() {
        assert_eq!(sent(json!("2026-08-22T16:00:00Z"), DataType::Binary), ["08/22/2026 16:00:00"]);
        assert_eq!(sent(json!(["2026-08-22T16:00:00Z"]), DataType::Missing), ["08/22/2026 16:00:00"]);
    }

    #[test]
    fn what_is_absent_or_null_sends_nothing() {
        assert!(sent(Value::Null, DataType::Missing).is_empty());
        let output = Output { name: "other".into(), kind: OutputKind::Http, data_type: DataType::Missing };
        assert!(messages(&output, &Map::from_iter([("out".to_owned(), json!("x"))])).is_empty());
    }
}
