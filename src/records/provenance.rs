//! Where a landed blob came from, `provenance/<blob>/=<etag>`: written by `pull` after the landing, so that the message and
//! the ledger know its hash. Blobs that others uploaded have none.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::key;
use crate::names::{BlobName, ETag, Sha256};
use crate::stations::containers::{Container, ContainerError};

const KIND: &str = "provenance";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Of the bytes as they came.
    pub sha256: Sha256,
    /// `sftp://host:port/path`, without the user.
    pub source: String,
    pub landed_at: DateTime<Utc>,
}

pub async fn write(
    state: &Container,
    blob: &BlobName,
    etag: &ETag,
    provenance: &Provenance,
) -> Result<(), ContainerError> {
    super::write(state, &key::of_version(KIND, blob, etag), provenance).await
}

pub async fn read(state: &Container, blob: &BlobName, etag: &ETag) -> Result<Option<Provenance>, ContainerError> {
    super::read(state, &key::of_version(KIND, blob, etag)).await
}
