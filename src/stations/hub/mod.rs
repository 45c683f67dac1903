//! Event Hubs, or a journal on disk: where one small message for each landed file waits for `load`.

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

use super::Disposition;

pub mod journal;

/// Sends messages to a hub.
#[async_trait]
pub trait HubSender: Send + Sync {
    /// Sends one message to the partition that `partition_key` picks. Returns when the hub has it for good; an error
    /// means that it may or may not be there.
    async fn send(&self, hub: &str, partition_key: &str, body: Bytes) -> Result<(), HubError>;
}

#[derive(Debug, Error)]
pub enum HubError {
    #[error("send to hub `{hub}` failed")]
    Send { hub: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("message of {size_bytes} bytes is above the {limit_bytes} that hub `{hub}` takes")]
    TooLarge { hub: String, size_bytes: usize, limit_bytes: usize },
}

impl HubError {
    pub fn disposition(&self) -> Disposition {
        match self {
            HubError::Send { .. } => Disposition::Retry,
            HubError::TooLarge { .. } => Disposition::Reject,
        }
    }
}
