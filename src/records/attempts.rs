//! Attempts, `attempts/<blob>/=<etag>`: written before a load begins, removed after it.
//!
//! A file that kills its handler, or never fits the time, would be delivered for ever. So the record names each process
//! that began and did not finish: such a file runs alone at its second try, and at the third it is a dead letter.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Versions, key};
use crate::names::{BlobName, ETag};
use crate::stations::containers::{Container, ContainerError};

pub(super) const KIND: &str = "attempts";

/// Tries that a version has before it is a dead letter.
pub const TRIES: usize = 2;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// One entry for each process that began this version, in order.
    pub begun: Vec<Attempt>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Names a process: several tries by one process count once, as it is still alive.
    pub process: String,
    pub at: DateTime<Utc>,
}

/// What earlier attempts mean for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Nobody failed at it so far.
    Free,
    /// A process began it and did not finish: nothing else may run beside it, lest an innocent file be blamed.
    Alone,
    /// It had its tries.
    Exhausted,
}

/// What the record allows. Asked before waiting for a turn; [`begin`] follows when the turn has come, so that nobody who
/// only waited is blamed.
pub async fn permission(
    state: &Container,
    blob: &BlobName,
    etag: &ETag,
    process: &str,
) -> Result<Permission, ContainerError> {
    let record: AttemptRecord = super::read(state, &key::of_version(KIND, blob, etag)).await?.unwrap_or_default();
    Ok(match record.begun.iter().filter(|attempt| attempt.process != process).count() {
        0 => Permission::Free,
        others if others < TRIES => Permission::Alone,
        _ => Permission::Exhausted,
    })
}

/// Notes that `process` begins.
pub async fn begin(
    state: &Container,
    blob: &BlobName,
    etag: &ETag,
    process: &str,
    now: DateTime<Utc>,
) -> Result<(), ContainerError> {
    let name = key::of_version(KIND, blob, etag);
    let mut record: AttemptRecord = super::read(state, &name).await?.unwrap_or_default();
    if record.begun.iter().any(|attempt| attempt.process == process) {
        return Ok(());
    }
    record.begun.push(Attempt { process: process.to_owned(), at: now });
    super::write(state, &name, &record).await
}

/// What the record says; `None`: no load is under way, and none was killed.
pub async fn read(state: &Container, blob: &BlobName, etag: &ETag) -> Result<Option<AttemptRecord>, ContainerError> {
    super::read(state, &key::of_version(KIND, blob, etag)).await
}

/// The versions of one blob that were begun and have not ended.
pub fn versions_of(state: &Container, blob: &BlobName) -> Versions {
    super::versions_below(state, KIND, key::prefix_of_blob(KIND, blob))
}

/// The load ended, well or with an error that was reported.
pub async fn end(state: &Container, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError> {
    state.delete(&key::of_version(KIND, blob, etag)).await
}
