//! Blob triggers by polling: each version of each blob once, five tries, then the poison queue. The real host puts an
//! internal queue between its receipts and the function; the outcome for a handler is the same.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::blob_versions::{BlobVersions, NewVersion};
use super::definition::{BlobContent, Function, MessageEncoding, Trigger};
use super::envelope::{self, BlobTriggerFacts, SystemFacts};
use super::invoker::{Occasion, chain};
use super::script_host::Shared;
use super::{HostError, HostEvent};
use crate::stations::containers::ContainerError;

/// Where blobs go that failed too often (`SharedBlobQueueListenerFactory.cs`).
const POISON_QUEUE: &str = "webjobs-blobtrigger-poison";
/// Beyond it the real host cannot build the request any more. [?] A hard stop near 800 MB, read from source.
const CONTENT_LIMIT_BYTES: u64 = 800_000_000;

struct Listener {
    shared: Arc<Shared>,
    function: Function,
    versions: BlobVersions,
    token: String,
    content: BlobContent,
}

/// Runs one blob trigger until the script host ends.
pub(super) async fn listen(shared: Arc<Shared>, function: Function) -> Result<(), HostError> {
    let Trigger::Blob { container, token, content } = &function.trigger else {
        return Ok(());
    };
    let container = shared.ends.container(container, &function.name)?;
    let listener = Arc::new(Listener {
        token: token.clone(),
        content: *content,
        versions: BlobVersions::new(shared.clone(), container, &function.name),
        shared,
        function,
    });
    let permits = Arc::new(Semaphore::new(listener.shared.app.max_blobs_at_once));
    let mut deliveries = JoinSet::new();
    loop {
        let began = Instant::now();
        let found = look(&listener, &permits, &mut deliveries).await?;
        join_ended(&mut deliveries)?;
        if found == 0 && deliveries.is_empty() {
            listener.shared.ends.progress.quiet(&listener.function.name, began);
        }
        if !listener.shared.course.sleep(BlobVersions::pause_after(began.elapsed())).await {
            break;
        }
    }
    while let Some(ended) = deliveries.join_next().await {
        ended.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))?;
    }
    Ok(())
}

/// Goes through the container once and begins a delivery for each version without a receipt.
async fn look(
    listener: &Arc<Listener>,
    permits: &Arc<Semaphore>,
    deliveries: &mut JoinSet<Result<(), HostError>>,
) -> Result<usize, HostError> {
    let mut look = listener.versions.look();
    while let Some(version) = look.next().await? {
        let permit = tokio::select! {
            permit = permits.clone().acquire_owned() => permit.expect("nobody closes the semaphore"),
            () = listener.shared.course.ends() => return Ok(look.found),
        };
        listener.shared.ends.progress.moved(&listener.function.name);
        let delivery = listener.clone();
        deliveries.spawn(async move {
            let outcome = delivery.deliver(&version).await;
            delivery.versions.release(&version);
            delivery.shared.ends.progress.moved(&delivery.function.name);
            drop(permit);
            outcome
        });
        join_ended(deliveries)?;
    }
    Ok(look.found)
}

fn join_ended(deliveries: &mut JoinSet<Result<(), HostError>>) -> Result<(), HostError> {
    while let Some(ended) = deliveries.try_join_next() {
        ended.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))?;
    }
    Ok(())
}

impl Listener {
    /// Gives one version to the function.
    async fn deliver(&self, version: &NewVersion) -> Result<(), HostError> {
        let tries = self.versions.count_try(version).await?;
        let request = match self.request(version).await {
            Ok(request) => request,
            // The next look finds what is there now.
            Err(ContainerError::Superseded { .. } | ContainerError::Gone { .. }) => {
                return Ok(self.versions.finish(version).await?);
            }
            Err(failure) => Err(chain(&failure)),
        };
        if self.shared.any_instance().invoke(&self.function, &self.occasion(version, tries), request).await.is_err() {
            if tries < self.shared.app.poison_blob_threshold {
                return Ok(());
            }
            self.poison(version, tries).await?;
        }
        Ok(self.versions.finish(version).await?)
    }

    async fn request(&self, version: &NewVersion) -> Result<Result<serde_json::Value, String>, ContainerError> {
        let facts = &version.facts;
        let container = &self.versions.container;
        let blob = BlobTriggerFacts { facts, container_url: container.url(), token: &self.token };
        let system = SystemFacts::now(&self.function.name);
        if self.content == BlobContent::Deferred {
            return Ok(Ok(envelope::deferred_blob(&self.function.binding, &blob, &system)));
        }
        if facts.size_bytes > CONTENT_LIMIT_BYTES {
            return Ok(Err(format!(
                "Exception binding parameter '{}': the blob has {} bytes, which do not fit into a request: set \
                 properties.supportsDeferredBinding",
                self.function.binding, facts.size_bytes
            )));
        }
        let content = container.read(&facts.name, 0..facts.size_bytes, &facts.etag).await?;
        Ok(Ok(envelope::blob_content(&self.function.binding, &blob, &content, &system)))
    }

    fn occasion(&self, version: &NewVersion, tries: u32) -> Occasion {
        let (name, modified) = (&version.facts.name, version.facts.last_modified.format("%FT%T%.3f+00:00"));
        let now = chrono::Utc::now().format("%FT%T%.3f+00:00");
        Occasion {
            reason: format!("New blob detected(LogsAndContainerScan): {}/{name}", self.versions.container.name()),
            details: Some(format!(
                "MessageId: {}, DequeueCount: {tries}, InsertedOn: {now}, BlobCreated: {modified}, BlobLastModified: {modified}",
                Uuid::new_v4()
            )),
        }
    }

    /// `BlobTriggerMessage.cs`.
    async fn poison(&self, version: &NewVersion, tries: u32) -> Result<(), HostError> {
        let message = json!({
            "Type": "BlobTrigger",
            "FunctionId": format!("Host.Functions.{}", self.function.name),
            "BlobType": "BlockBlob",
            "ContainerName": self.versions.container.name(),
            "BlobName": version.facts.name,
            "ETag": format!("\"{}\"", version.facts.etag),
        });
        // The host's own queues are written as it reads them, whatever host.json says of encodings.
        let text = super::queues::encoded(message.to_string().as_bytes(), MessageEncoding::Base64);
        self.shared.ends.queues.open(POISON_QUEUE)?.send(&text)?;
        let event = HostEvent::BlobPoisoned {
            function: self.function.name.clone(),
            blob: version.facts.name.to_string(),
            tries,
        };
        self.shared.report(event).await;
        Ok(())
    }
}
