//! Retraction markers, `retracted/<blob>/=<etag>`: a landed version whose counts were taken back. The sweep announces no such
//! version, and the status page counts it apart. Written before the ledger says so, so that there is none in the ledger
//! without one here; the truth is the ledger's.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Versions, key};
use crate::names::{BlobName, ETag, FeedName};
use crate::stations::containers::{Container, ContainerError};

pub(super) const KIND: &str = "retracted";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetractionMarker {
    pub blob: BlobName,
    pub etag: ETag,
    pub retracted_at: DateTime<Utc>,
    /// Whether the file itself was to go, from landing and everywhere else.
    pub erased: bool,
}

pub async fn write(state: &Container, marker: &RetractionMarker) -> Result<(), ContainerError> {
    super::write(state, &key::of_version(KIND, &marker.blob, &marker.etag), marker).await
}

pub async fn read(state: &Container, blob: &BlobName, etag: &ETag) -> Result<Option<RetractionMarker>, ContainerError> {
    super::read(state, &key::of_version(KIND, blob, etag)).await
}

/// Whether this version has a marker, without reading it.
pub async fn exists(state: &Container, blob: &BlobName, etag: &ETag) -> Result<bool, ContainerError> {
    Ok(state.head(&key::of_version(KIND, blob, etag)).await?.is_some())
}

/// The version may count again.
pub async fn remove(state: &Container, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError> {
    state.delete(&key::of_version(KIND, blob, etag)).await
}

/// The versions of a feed's blobs that have one, in no order.
pub fn versions(state: &Container, feed: &FeedName) -> Versions {
    super::versions_below(state, KIND, format!("{KIND}/{feed}/"))
}

/// The versions of one blob that have one.
pub fn versions_of(state: &Container, blob: &BlobName) -> Versions {
    super::versions_below(state, KIND, key::prefix_of_blob(KIND, blob))
}
