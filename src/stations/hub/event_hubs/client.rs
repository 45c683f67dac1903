//! Connections: opened when they are first used, kept, and thrown away after any failure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_messaging_eventhubs::{ConsumerClient, ProducerClient, RetryOptions};
use tokio::sync::OnceCell;

use super::failure::Failure;
use super::location::SharedAccess;
use crate::secret::Secret;

/// What Event Hubs calls us in its metrics.
const APPLICATION: &str = "millrace";

/// Idle readers of one hub and group that are kept: a sweep reads one partition at a time.
const IDLE_READERS: usize = 2;

/// The way into a namespace.
pub struct Doorway {
    pub namespace: String,
    address: Option<String>,
    credential: Credential,
}

enum Credential {
    /// In the form that the client parses, without a hub's name.
    ConnectionString {
        text: Secret,
        only_hub: Option<String>,
    },
    Tokens(Arc<dyn TokenCredential>),
}

impl Doorway {
    pub fn by_shared_access(
        namespace: String,
        address: Option<String>,
        access: &SharedAccess,
        only_hub: Option<String>,
    ) -> Self {
        let access = match access {
            SharedAccess::Key { name, key } => format!("SharedAccessKeyName={name};SharedAccessKey={}", key.reveal()),
            SharedAccess::Signature(signature) => format!("SharedAccessSignature={}", signature.reveal()),
        };
        let text = Secret::new(format!("Endpoint=sb://{namespace}/;{access}"));
        Doorway { namespace, address, credential: Credential::ConnectionString { text, only_hub } }
    }

    pub fn by_identity(namespace: String, address: Option<String>, tokens: Arc<dyn TokenCredential>) -> Self {
        Doorway { namespace, address, credential: Credential::Tokens(tokens) }
    }

    pub async fn producer(&self, hub: &str) -> Result<Arc<ProducerClient>, Failure> {
        let builder =
            ProducerClient::builder().with_application_id(APPLICATION.to_owned()).with_retry_options(retries());
        let builder = match &self.address {
            Some(address) => builder.with_custom_endpoint(address.clone()),
            None => builder,
        };
        let producer = match &self.credential {
            Credential::ConnectionString { text, only_hub } => {
                check_hub(hub, only_hub.as_deref())?;
                builder.open_with_connection_string(text.reveal(), Some(hub)).await?
            }
            Credential::Tokens(tokens) => builder.open(&self.namespace, hub, tokens.clone()).await?,
        };
        Ok(Arc::new(producer))
    }

    pub async fn reader(&self, hub: &str, consumer_group: &str) -> Result<ConsumerClient, Failure> {
        let builder = ConsumerClient::builder()
            .with_application_id(APPLICATION.to_owned())
            .with_consumer_group(consumer_group.to_owned())
            .with_retry_options(retries());
        let builder = match &self.address {
            Some(address) => builder.with_custom_endpoint(address.clone()),
            None => builder,
        };
        match &self.credential {
            Credential::ConnectionString { text, only_hub } => {
                check_hub(hub, only_hub.as_deref())?;
                Ok(builder.open_with_connection_string(text.reveal(), Some(hub)).await?)
            }
            Credential::Tokens(tokens) => Ok(builder.open(&self.namespace, hub.to_owned(), tokens.clone()).await?),
        }
    }
}

fn check_hub(hub: &str, only_hub: Option<&str>) -> Result<(), Failure> {
    match only_hub {
        Some(only) if only != hub => Err(Failure::OtherHub { only: only.to_owned() }),
        _ => Ok(()),
    }
}

/// The client's own tries, over the same connection: enough for a hub that is busy for a moment. The limit around them is
/// ours.
fn retries() -> RetryOptions {
    RetryOptions { max_retries: 2, ..RetryOptions::default() }
}

pub fn pause_after(tries: u32) -> Duration {
    Duration::from_millis(100) * 2_u32.saturating_pow(tries.min(6))
}

pub type ProducerSlot = OnceCell<Arc<ProducerClient>>;

/// One producer for each hub.
#[derive(Default)]
pub struct Producers {
    slots: Mutex<HashMap<String, Arc<ProducerSlot>>>,
}

impl Producers {
    pub fn slot(&self, hub: &str) -> Arc<ProducerSlot> {
        self.slots().entry(hub.to_owned()).or_default().clone()
    }

    /// Others who use it go on with it as far as they come.
    pub fn discard(&self, hub: &str, slot: &Arc<ProducerSlot>) {
        let mut slots = self.slots();
        if slots.get(hub).is_some_and(|current| Arc::ptr_eq(current, slot)) {
            slots.remove(hub);
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Arc<ProducerSlot>>> {
        self.slots.lock().expect("nothing panics while it holds producers")
    }
}

/// Readers that nobody uses now, by hub and consumer group. Each is lent to one read: the client keeps one link for each
/// partition, wherever that began.
#[derive(Default)]
pub struct Readers {
    idle: Mutex<HashMap<(String, String), Vec<ConsumerClient>>>,
}

impl Readers {
    pub fn take(&self, hub: &str, consumer_group: &str) -> Option<ConsumerClient> {
        self.idle().get_mut(&(hub.to_owned(), consumer_group.to_owned()))?.pop()
    }

    pub fn put_back(&self, hub: &str, consumer_group: &str, reader: ConsumerClient) {
        let mut idle = self.idle();
        let readers = idle.entry((hub.to_owned(), consumer_group.to_owned())).or_default();
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<(String, String), Vec<ConsumerClient>>> {
        self.idle.lock().expect("nothing panics while it holds readers")
    }
}
