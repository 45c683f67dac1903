//! The message on hub `files`: a landed blob's address and facts, as a CloudEvent.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::names::{BlobName, ETag, FeedName, Sha256};

/// The hub that carries these messages; a literal in function.json.
pub const FILES_HUB: &str = "files";

const EVENT_TYPE: &str = "millrace.file.landed";

/// Event Hubs' Basic tier takes 256 KiB; a message of ours is far below this.
const LIMIT_BYTES: usize = 64 << 10;

/// "This version of this blob is in landing." It may be sent any number of times, in any order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandedFile {
    pub feed: FeedName,
    pub blob: BlobName,
    pub etag: ETag,
    pub size_bytes: u64,
    /// Of the bytes as they landed; unknown for blobs that others uploaded, and where the source's file is deleted or moved
    /// away after landing, as its record goes with it.
    pub sha256: Option<Sha256>,
    /// `csv`
    pub format: String,
    /// `none` or `gzip`
    pub compression: String,
}

#[derive(Serialize, Deserialize)]
struct CloudEvent {
    specversion: String,
    #[serde(rename = "type")]
    event_type: String,
    id: String,
    source: String,
    subject: String,
    time: DateTime<Utc>,
    data: LandedFile,
}

#[derive(Debug, Error)]
pub enum MessageError {
    #[error("message of {size_bytes} bytes is above {LIMIT_BYTES}: it is not one of ours")]
    TooLong { size_bytes: usize },
    #[error("message is not a `{EVENT_TYPE}` event: {reason}")]
    NotOurs { reason: String },
}

impl LandedFile {
    /// The message's body. `container_url` is where the blob lies.
    pub fn encode(&self, container_url: &str, now: DateTime<Utc>) -> Vec<u8> {
        let event = CloudEvent {
            specversion: "1.0".to_owned(),
            event_type: EVENT_TYPE.to_owned(),
            id: self.id(),
            source: container_url.to_owned(),
            subject: self.blob.to_string(),
            time: now,
            data: self.clone(),
        };
        let mut value = serde_json::to_value(event).expect("an event holds text, numbers and times");
        value["time"] = now.to_rfc3339_opts(SecondsFormat::Millis, true).into();
        value.to_string().into_bytes()
    }

    pub fn decode(body: &[u8]) -> Result<Self, MessageError> {
        if body.len() > LIMIT_BYTES {
            return Err(MessageError::TooLong { size_bytes: body.len() });
        }
        let event: CloudEvent =
            serde_json::from_slice(body).map_err(|error| MessageError::NotOurs { reason: error.to_string() })?;
        if event.event_type != EVENT_TYPE {
            return Err(MessageError::NotOurs { reason: format!("its type is `{}`", event.event_type) });
        }
        Ok(event.data)
    }

    /// Equal for every message about this version.
    pub fn id(&self) -> String {
        Sha256::of_fields(&[self.blob.as_str().as_bytes(), self.etag.as_str().as_bytes()]).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landed() -> LandedFile {
        LandedFile {
            feed: FeedName::new("flights").unwrap(),
            blob: BlobName::new("flights/2013-01.csv").unwrap(),
            etag: ETag::new("0x8D").unwrap(),
            size_bytes: 2_481_495,
            sha256: None,
            format: "csv".to_owned(),
            compression: "none".to_owned(),
        }
    }

    #[test]
    fn a_message_comes_back_and_looks_as_documented() {
        let body = landed().encode("file:///data/landing", DateTime::UNIX_EPOCH);
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["type"], "millrace.file.landed");
        assert_eq!(value["subject"], "flights/2013-01.csv");
        assert_eq!(value["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!(value["data"]["sha256"], serde_json::Value::Null);
        assert_eq!(LandedFile::decode(&body).unwrap(), landed());
    }

    #[test]
    fn another_events_message_is_refused_in_words() {
        let error = LandedFile::decode(br#"{"eventId":"1"}"#).unwrap_err();
        assert!(
            error.to_string().starts_with("message is not a `millrace.file.landed` event: missing field"),
            "{error}"
        );
    }
}
