//! The blob trigger's requests.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::{SystemFacts, base64};
use crate::standin::metadata::Metadata;
use crate::stations::containers::BlobFacts;

pub struct BlobTriggerFacts<'a> {
    pub facts: &'a BlobFacts,
    pub container_url: &'a str,
    /// The `name` of `landing/{name}`.
    pub token: &'a str,
}

/// A blob trigger with deferred binding: the address, not the content. `Data` holds what is left of the reference when
/// it is written as JSON (`ParameterBindingData` without its bytes).
pub fn deferred_blob(binding: &str, blob: &BlobTriggerFacts<'_>, system: &SystemFacts<'_>) -> Value {
    json!({
        "Data": { binding: {
            "Version": "1.0", "Source": "AzureStorageBlobs", "Content": {}, "ContentType": "application/json",
        }},
        "Metadata": metadata(blob, system),
    })
}

/// A blob trigger without it: the whole content, whatever the `dataType`.
pub fn blob_content(binding: &str, blob: &BlobTriggerFacts<'_>, content: &[u8], system: &SystemFacts<'_>) -> Value {
    json!({ "Data": { binding: base64(content) }, "Metadata": metadata(blob, system) })
}

fn metadata(blob: &BlobTriggerFacts<'_>, system: &SystemFacts<'_>) -> Value {
    let name = blob.facts.name.as_str();
    let mut metadata = Metadata::default();
    metadata.set_inside_string("Uri", json!(blob_url(blob.container_url, name)));
    metadata.set("Properties", blob_properties(blob.facts));
    metadata.set("Metadata", json!({}));
    metadata.set_inside_string(blob.token, json!(name));
    metadata.set_system(system);
    metadata.finish()
}

/// A blob's address: what a path may hold stays as it is, `/` included.
pub fn blob_url(container_url: &str, name: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
    format!("{container_url}/{}", utf8_percent_encode(name, PATH))
}

/// `BlobProperties` as JSON: enums as numbers, an ETag that shows nothing.
fn blob_properties(facts: &BlobFacts) -> Value {
    let text = include_str!("../blob_properties.json");
    let mut properties: Value = serde_json::from_str(text).expect("the file is JSON, which a test reads too");
    let modified = facts.last_modified.to_rfc3339_opts(SecondsFormat::Secs, false);
    properties["LastModified"] = json!(modified);
    properties["CreatedOn"] = json!(modified);
    properties["ContentLength"] = json!(facts.size_bytes);
    properties
}
