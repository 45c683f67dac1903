//! Blob triggers by polling: each version of each blob once, five tries, then the poison list. The real host does it
//! with receipts in its storage account and an internal queue; the outcome for a handler is the same.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::definition::{Function, Trigger};
use super::envelope::{self, BlobTriggerFacts, SystemFacts};
use super::state::StateError;
use super::{HostError, HostEvent, Shared};
use crate::names::Sha256;
use crate::stations::containers::{BlobFacts, Container};

/// The shortest pause between two looks at the container.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
/// A look takes longer the more blobs there are: looking may take this share of one processor's time.
const PAUSE_PER_LOOK: u32 = 8;
/// Receipts remembered in memory, 16 bytes each, to spare a look at the disk.
const REMEMBERED_RECEIPTS: usize = 1_000_000;

/// A blob that a function will not be given again in this version: handled, or given up.
#[derive(Serialize, Deserialize)]
struct Receipt {
    blob: String,
    etag: String,
    at: DateTime<Utc>,
}

/// A blob that failed too often, as the message on `webjobs-blobtrigger-poison` tells it.
#[derive(Serialize, Deserialize)]
struct Poison {
    function: String,
    container: String,
    blob: String,
    etag: String,
    tries: u32,
    last_failure: String,
}

struct Listener {
    shared: Arc<Shared>,
    function: Function,
    container: Container,
    token: String,
    /// Versions with a receipt.
    done: Mutex<HashSet<u128>>,
    /// Versions being handled now.
    under_way: Mutex<HashSet<u128>>,
}

/// Runs one blob trigger for ever.
pub(super) async fn listen(shared: Arc<Shared>, function: Function) -> Result<(), HostError> {
    let Trigger::Blob { container, token } = &function.trigger else {
        return Ok(());
    };
    let container = shared.container(container, &function.name)?;
    let listener = Arc::new(Listener {
        token: token.clone(),
        container,
        done: Mutex::default(),
        under_way: Mutex::default(),
        shared,
        function,
    });
    let permits = Arc::new(Semaphore::new(listener.shared.app.max_blobs_at_once));
    let mut deliveries = JoinSet::new();
    loop {
        let began = Instant::now();
        let found = look(&listener, &permits, &mut deliveries).await?;
        while let Some(ended) = deliveries.try_join_next() {
            ended.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))?;
        }
        if found == 0 && deliveries.is_empty() {
            listener.shared.progress.quiet(&listener.function.name, began);
        }
        tokio::time::sleep(SHORTEST_PAUSE.max(began.elapsed() * PAUSE_PER_LOOK)).await;
    }
}

/// Goes through the container once and begins a delivery for each version without a receipt.
async fn look(
    listener: &Arc<Listener>,
    permits: &Arc<Semaphore>,
    deliveries: &mut JoinSet<Result<(), HostError>>,
) -> Result<usize, HostError> {
    let mut found = 0;
    let mut blobs = listener.container.list("", None);
    while let Some(blob) = blobs.next().await {
        let facts = match blob {
            Ok(facts) => facts,
            Err(failure) => {
                let message = format!("function `{}`: {}", listener.function.name, super::invoker::chain(&failure));
                listener.shared.reporter.report(HostEvent::Warning { message }).await;
                return Ok(found + 1);
            }
        };
        let version = version_of(&facts);
        if listener.is_done(version) || listener.has_receipt(version).await? {
            continue;
        }
        found += 1;
        if !listener.under_way.lock().expect(NO_PANIC).insert(version) {
            continue;
        }
        let permit = permits.clone().acquire_owned().await.expect("nobody closes the semaphore");
        listener.shared.progress.moved(&listener.function.name);
        let delivery = listener.clone();
        deliveries.spawn(async move {
            let outcome = delivery.deliver(&facts, version).await;
            delivery.under_way.lock().expect(NO_PANIC).remove(&version);
            delivery.shared.progress.moved(&delivery.function.name);
            drop(permit);
            outcome
        });
        while let Some(ended) = deliveries.try_join_next() {
            ended.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))?;
        }
    }
    Ok(found)
}

const NO_PANIC: &str = "nothing panics while it holds a set of versions";

impl Listener {
    /// Gives one version to the function. The try is counted before it, so that one that kills the host counts too.
    async fn deliver(&self, facts: &BlobFacts, version: u128) -> Result<(), HostError> {
        let tries_name = self.record("tries", version);
        let tries = self.shared.state.get::<u32>(&tries_name).await?.unwrap_or(0) + 1;
        self.shared.state.put(&tries_name, &tries).await?;

        let blob = BlobTriggerFacts { facts, container_url: self.container.url(), token: &self.token };
        let system = SystemFacts { function: &self.function.name, now: Utc::now(), guid: Uuid::new_v4() };
        let request = envelope::deferred_blob(&self.function.binding, &blob, &system);
        let reason = format!("New blob detected: {}/{}", self.container.name(), facts.name);
        if let Err(last_failure) = self.shared.invoker.invoke(&self.function, &reason, request).await {
            if tries < self.shared.app.poison_blob_threshold {
                return Ok(());
            }
            self.poison(facts, version, tries, last_failure).await?;
        }
        let receipt = Receipt { blob: facts.name.to_string(), etag: facts.etag.to_string(), at: Utc::now() };
        self.shared.state.put(&self.record("receipts", version), &receipt).await?;
        self.remember(version);
        self.shared.state.remove(&tries_name).await?;
        Ok(())
    }

    async fn poison(
        &self,
        facts: &BlobFacts,
        version: u128,
        tries: u32,
        last_failure: String,
    ) -> Result<(), StateError> {
        let poison = Poison {
            function: self.function.name.clone(),
            container: self.container.name().to_owned(),
            blob: facts.name.to_string(),
            etag: facts.etag.to_string(),
            tries,
            last_failure,
        };
        self.shared.state.put(&self.record("poison", version), &poison).await?;
        let event = HostEvent::BlobPoisoned { function: poison.function, blob: poison.blob, tries };
        self.shared.reporter.report(event).await;
        Ok(())
    }

    fn is_done(&self, version: u128) -> bool {
        self.done.lock().expect(NO_PANIC).contains(&version)
    }

    async fn has_receipt(&self, version: u128) -> Result<bool, StateError> {
        let is_there = self.shared.state.has(&self.record("receipts", version)).await?;
        if is_there {
            self.remember(version);
        }
        Ok(is_there)
    }

    fn remember(&self, version: u128) {
        let mut done = self.done.lock().expect(NO_PANIC);
        if done.len() >= REMEMBERED_RECEIPTS {
            done.clear();
        }
        done.insert(version);
    }

    /// Records lie in 256 folders, so that no folder grows without bound.
    fn record(&self, kind: &str, version: u128) -> String {
        let digits = format!("{version:032x}");
        format!("{kind}/{}/{}/{digits}", self.function.name, &digits[..2])
    }
}

/// Names one version of one blob.
fn version_of(facts: &BlobFacts) -> u128 {
    let hash = Sha256::of_fields(&[facts.name.as_str().as_bytes(), facts.etag.as_str().as_bytes()]);
    u128::from_str_radix(&hash.as_str()[..32], 16).expect("a hash is hex digits")
}
