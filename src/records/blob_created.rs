//! The message that Event Grid puts into a storage queue for a blob that was created or overwritten: where the blob is. In
//! Event Grid's own schema or as a CloudEvent, alone or in a list.
//! <https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage>

use serde_json::Value;
use thiserror::Error;

const BLOB_CREATED: &str = "Microsoft.Storage.BlobCreated";

#[derive(Debug, Error, PartialEq, Eq)]
pub enum BadEvent {
    #[error("the queue message is not JSON: point an Event Grid subscription at the queue, and nothing else")]
    NotJson,
    #[error("the queue message's event {BLOB_CREATED} has no `data.url`")]
    NoAddress,
}

/// The addresses of the blobs that a message says were created. Events of other kinds name none: a subscription without a
/// filter sends deletions too.
pub fn addresses(message: &[u8]) -> Result<Vec<String>, BadEvent> {
    let events = match serde_json::from_slice(message).map_err(|_| BadEvent::NotJson)? {
        Value::Array(events) => events,
        event => vec![event],
    };
    let kind = |event: &Value| event.get("eventType").or(event.get("type")).and_then(Value::as_str).map(str::to_owned);
    let created = events.iter().filter(|event| kind(event).as_deref() == Some(BLOB_CREATED));
    created.map(|event| event["data"]["url"].as_str().map(str::to_owned).ok_or(BadEvent::NoAddress)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemas_name_the_blob() {
        let own = r#"{"eventType":"Microsoft.Storage.BlobCreated","data":{"url":"https://a/landing/f/1.csv"}}"#;
        let cloud = r#"[{"type":"Microsoft.Storage.BlobCreated","data":{"url":"https://a/landing/f/2.csv"}}]"#;
        assert_eq!(addresses(own.as_bytes()).unwrap(), ["https://a/landing/f/1.csv"]);
        assert_eq!(addresses(cloud.as_bytes()).unwrap(), ["https://a/landing/f/2.csv"]);
    }

    #[test]
    fn an_event_of_another_kind_names_no_blob() {
        let deleted = r#"{"eventType":"Microsoft.Storage.BlobDeleted","data":{"url":"https://a/landing/f/1.csv"}}"#;
        assert_eq!(addresses(deleted.as_bytes()), Ok(vec![]));
        assert_eq!(addresses(b"{}"), Ok(vec![]));
    }

    #[test]
    fn a_message_that_is_none_is_refused() {
        assert_eq!(addresses(b"hello"), Err(BadEvent::NotJson));
        let bare = r#"{"eventType":"Microsoft.Storage.BlobCreated","url":"https://a/landing/f/1.csv"}"#;
        assert_eq!(addresses(bare.as_bytes()), Err(BadEvent::NoAddress));
    }
}
