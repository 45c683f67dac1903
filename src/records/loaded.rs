//! Loaded markers, `loaded/<blob>/=<etag>`: written after the commit. The sweep's and the status page's short cut, never
//! the truth: that is the ledger.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::{Versions, key};
use crate::names::{BlobName, ETag, FeedName};
use crate::stations::containers::{BlobFacts, Container, ContainerError};

pub(super) const KIND: &str = "loaded";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedMarker {
    pub blob: BlobName,
    pub etag: ETag,
    pub generation: i64,
    /// The load that counts, whose files in `quarantine` and `curated` are to be kept. Markers of before had none.
    #[serde(default)]
    pub load_id: Option<String>,
    pub rows_read: i64,
    pub rows_rejected: i64,
    pub committed_at: DateTime<Utc>,
}

pub async fn write(state: &Container, marker: &LoadedMarker) -> Result<(), ContainerError> {
    super::write(state, &key::of_version(KIND, &marker.blob, &marker.etag), marker).await
}

pub async fn read(state: &Container, blob: &BlobName, etag: &ETag) -> Result<Option<LoadedMarker>, ContainerError> {
    super::read(state, &key::of_version(KIND, blob, etag)).await
}

/// Whether this version has a marker, without reading it.
pub async fn exists(state: &Container, blob: &BlobName, etag: &ETag) -> Result<bool, ContainerError> {
    Ok(state.head(&key::of_version(KIND, blob, etag)).await?.is_some())
}

/// Takes a marker away, so that the sweep and the status page see the version as not loaded.
pub async fn remove(state: &Container, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError> {
    state.delete(&key::of_version(KIND, blob, etag)).await
}

/// The versions of a feed's blobs that have one, in no order. Names are listed, nothing is read.
pub fn versions(state: &Container, feed: &FeedName) -> Versions {
    super::versions_below(state, KIND, format!("{KIND}/{feed}/"))
}

/// The records of a feed's markers, unread.
pub fn records(state: &Container, feed: &FeedName) -> BoxStream<'static, Result<BlobFacts, ContainerError>> {
    state.list(&format!("{KIND}/{feed}/"), None)
}

/// What a record of [`records`] says; `None`: it is gone, or no marker.
pub async fn read_record(state: &Container, name: &BlobName) -> Result<Option<LoadedMarker>, ContainerError> {
    super::read(state, name).await
}

/// The versions of one blob that have one.
pub fn versions_of(state: &Container, blob: &BlobName) -> Versions {
    super::versions_below(state, KIND, key::prefix_of_blob(KIND, blob))
}

/// How many there are, over all feeds.
pub async fn count(state: &Container) -> Result<u64, ContainerError> {
    state.list(&format!("{KIND}/"), None).try_fold(0, |count, _| async move { Ok(count + 1) }).await
}
