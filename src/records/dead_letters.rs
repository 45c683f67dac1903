//! Dead letters, `dead-letters/<blob>/=<etag>`: what failed for good, why, and what to do. In storage, so that one can be
//! written while the database is away. The counts of the version that was accepted last stand.

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::{Versions, key};
use crate::names::{BlobName, ETag, FeedName};
use crate::stations::containers::{BlobFacts, Container, ContainerError};

pub(super) const KIND: &str = "dead-letters";

/// The stage of letters about what lies in landing and can neither be read nor announced.
pub const SWEEP: &str = "sweep";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub blob: BlobName,
    pub etag: ETag,
    /// `announce`, `load` or `sweep`
    pub stage: String,
    pub reason: String,
    /// What a person can do.
    pub remedy: String,
    /// Counted from 1, without the header, where one row is to blame.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub row: Option<u64>,
    /// The file in container `quarantine` that holds the bad rows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quarantine: Option<String>,
    pub tries: u32,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
}

impl DeadLetter {
    /// What `millrace dead-letters show` takes: 12 hex digits of the hash of blob and version.
    pub fn id(&self) -> String {
        let hash = crate::names::Sha256::of_fields(&[self.blob.as_str().as_bytes(), self.etag.as_str().as_bytes()]);
        hash.as_str()[..12].to_owned()
    }
}

/// Writes the letter; one that is there already keeps its first time and counts another try.
pub async fn write(state: &Container, mut letter: DeadLetter) -> Result<(), ContainerError> {
    let name = key::of_version(KIND, &letter.blob, &letter.etag);
    if let Some(earlier) = super::read::<DeadLetter>(state, &name).await? {
        letter.first_at = earlier.first_at;
        letter.tries = earlier.tries.saturating_add(1);
    }
    super::write(state, &name, &letter).await
}

pub async fn exists(state: &Container, blob: &BlobName, etag: &ETag) -> Result<bool, ContainerError> {
    Ok(state.head(&key::of_version(KIND, blob, etag)).await?.is_some())
}

pub async fn remove(state: &Container, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError> {
    state.delete(&key::of_version(KIND, blob, etag)).await
}

pub async fn read(state: &Container, blob: &BlobName, etag: &ETag) -> Result<Option<DeadLetter>, ContainerError> {
    super::read(state, &key::of_version(KIND, blob, etag)).await
}

/// All letters, by blob name, read as they are asked for.
pub fn all(state: &Container) -> impl Stream<Item = Result<DeadLetter, ContainerError>> + use<> {
    let read_from = state.clone();
    state.list(&format!("{KIND}/"), None).try_filter_map(move |facts| {
        let state = read_from.clone();
        async move { super::read::<DeadLetter>(&state, &facts.name).await }
    })
}

/// The letters about one blob, of all its versions.
pub fn versions_of(state: &Container, blob: &BlobName) -> Versions {
    super::versions_below(state, KIND, key::prefix_of_blob(KIND, blob))
}

/// The records of all letters after one of them, unread.
pub fn names(state: &Container, after: Option<&str>) -> BoxStream<'static, Result<BlobFacts, ContainerError>> {
    state.list(&format!("{KIND}/"), after)
}

/// What a record of [`names`] says; `None`: it is gone, or no letter.
pub async fn read_record(state: &Container, name: &BlobName) -> Result<Option<DeadLetter>, ContainerError> {
    super::read(state, name).await
}

/// Up to `limit` letters, by blob name.
pub async fn list(state: &Container, limit: usize) -> Result<Vec<DeadLetter>, ContainerError> {
    let names: Vec<BlobName> =
        state.list(&format!("{KIND}/"), None).map_ok(|facts| facts.name).take(limit).try_collect().await?;
    let mut letters = Vec::with_capacity(names.len());
    for name in names {
        letters.extend(super::read::<DeadLetter>(state, &name).await?);
    }
    Ok(letters)
}

/// How many there are.
pub async fn count(state: &Container) -> Result<usize, ContainerError> {
    state.list(&format!("{KIND}/"), None).try_fold(0, |count, _| async move { Ok(count + 1) }).await
}

/// The versions of a feed's blobs that have one, in no order. Names are listed, nothing is read.
pub fn versions(state: &Container, feed: &FeedName) -> Versions {
    super::versions_below(state, KIND, format!("{KIND}/{feed}/"))
}
