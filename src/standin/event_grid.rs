//! Plays Event Grid: each version of each blob in a container becomes a message in a storage queue, as a subscription with
//! a queue as its endpoint sends it. At least once, in no order that anybody promises.
//! <https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage>

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::HostError;
use super::blob_versions::BlobVersions;
use super::definition::MessageEncoding;
use super::envelope::blob_url;
use super::queues::encoded;
use super::script_host::Shared;
use crate::stations::containers::BlobFacts;

/// The topic of a storage account, by which nobody goes here.
const TOPIC: &str =
    "/subscriptions/embedded/resourceGroups/embedded/providers/Microsoft.Storage/storageAccounts/embedded";

/// Sends until the script host ends.
pub(super) async fn publish(shared: Arc<Shared>, container: String, queue: String) -> Result<(), HostError> {
    let source = source_name(&queue);
    let versions = BlobVersions::new(shared.clone(), shared.ends.container(&container, &queue)?, &source);
    let messages = shared.ends.queues.open(&queue)?;
    loop {
        let began = Instant::now();
        let mut look = versions.look();
        while let Some(version) = look.next().await? {
            shared.ends.progress.moved(&source);
            let event = blob_created(&version.facts, versions.container.url(), versions.container.name(), Utc::now());
            messages.send(&encoded(event.to_string().as_bytes(), MessageEncoding::Base64))?;
            versions.finish(&version).await?;
            versions.release(&version);
        }
        if look.found == 0 {
            shared.ends.progress.quiet(&source, began);
        }
        if !shared.course.sleep(BlobVersions::pause_after(began.elapsed())).await {
            return Ok(());
        }
    }
}

/// Also the name under which receipts are kept.
pub(super) fn source_name(queue: &str) -> String {
    format!("event-grid-{queue}")
}

fn blob_created(facts: &BlobFacts, container_url: &str, container: &str, now: DateTime<Utc>) -> Value {
    let name = facts.name.as_str();
    json!({
        "topic": TOPIC,
        "subject": format!("/blobServices/default/containers/{container}/blobs/{name}"),
        "eventType": "Microsoft.Storage.BlobCreated",
        "id": Uuid::new_v4().to_string(),
        "data": {
            "api": "PutBlockList",
            "requestId": Uuid::new_v4().to_string(),
            "eTag": facts.etag,
            "contentType": "application/octet-stream",
            "contentLength": facts.size_bytes,
            "blobType": "BlockBlob",
            "url": blob_url(container_url, name),
            "sequencer": format!("{:048x}", facts.last_modified.timestamp_micros()),
            "storageDiagnostics": { "batchId": Uuid::new_v4().to_string() },
        },
        "dataVersion": "",
        "metadataVersion": "1",
        "eventTime": now.format("%FT%T%.6f0Z").to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{BlobName, ETag};

    #[test]
    fn an_event_names_the_blob_its_version_and_its_address() {
        let facts = BlobFacts {
            name: BlobName::new("flights/a b.csv").unwrap(),
            etag: ETag::new("0x8D").unwrap(),
            size_bytes: 14,
            last_modified: "2026-08-22T06:01:02Z".parse().unwrap(),
        };
        let event = blob_created(&facts, "file:///x/landing", "landing", "2026-08-22T06:01:03.5Z".parse().unwrap());
        assert_eq!(event["subject"], "/blobServices/default/containers/landing/blobs/flights/a b.csv");
        assert_eq!(event["eventTime"], "2026-08-22T06:01:03.5000000Z");
        assert_eq!(event["data"]["url"], "file:///x/landing/flights/a%20b.csv");
        assert_eq!((&event["data"]["eTag"], &event["data"]["contentLength"]), (&json!("0x8D"), &json!(14)));
    }
}
