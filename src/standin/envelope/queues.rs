//! The queue trigger's requests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use thiserror::Error;

use super::{SystemFacts, base64, inside_string, offset_second};
use crate::standin::definition::{DataType, MessageEncoding};
use crate::standin::metadata::Metadata;
use crate::standin::storage_queue::QueueMessage;

/// A message whose text is no base64 though it must be.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "the message with id '{id}' could not be decoded as base64: send it encoded, or set extensions.queues.messageEncoding to none"
)]
pub struct UndecodableMessage {
    id: uuid::Uuid,
}

/// The bytes that a message stands for.
pub fn decode_message(message: &QueueMessage, encoding: MessageEncoding) -> Result<Vec<u8>, UndecodableMessage> {
    match encoding {
        MessageEncoding::None => Ok(message.text.clone().into_bytes()),
        MessageEncoding::Base64 => {
            BASE64.decode(message.text.trim()).map_err(|_| UndecodableMessage { id: message.id })
        }
    }
}

/// `body` is the message, decoded.
pub fn queue_message(
    binding: &str,
    message: &QueueMessage,
    body: &[u8],
    data_type: DataType,
    system: &SystemFacts<'_>,
) -> Value {
    let mut metadata = Metadata::default();
    metadata.set_inside_string("DequeueCount", json!(message.dequeue_count));
    metadata.set("ExpirationTime", json!(offset_second(message.expires_at)));
    metadata.set_inside_string("Id", json!(message.id.to_string()));
    metadata.set("InsertionTime", json!(offset_second(message.inserted_at)));
    metadata.set("NextVisibleTime", json!(offset_second(message.next_visible_at)));
    metadata.set_inside_string("PopReceipt", json!(BASE64.encode(message.pop_receipt.as_bytes())));
    metadata.set_system(system);
    let value = match data_type {
        DataType::Binary => base64(body),
        DataType::String | DataType::Missing => {
            let text = String::from_utf8_lossy(body);
            metadata.merge_payload(&text);
            inside_string(json!(text))
        }
    };
    json!({ "Data": { binding: value }, "Metadata": metadata.finish() })
}
