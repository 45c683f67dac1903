//! The share where a file is staged on its way from its server to the landing container, so that a transfer that was
//! interrupted goes on where it stopped.
//!
//! A share knows staged files by a hash; it does not know where they come from nor whether their bytes are right. What
//! is written stands from the first byte on without holes, so the length tells where to go on.

mod azure_files;
mod directory;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::Disposition;
use crate::names::{FeedName, Sha256};

pub use azure_files::{AzureFilesLocation, AzureFilesShare};
pub use directory::DirectoryShare;

/// A staged file of this age belongs to no transfer: its source has gone or changed.
const ORPHAN_AGE: TimeDelta = TimeDelta::days(7);

/// Where the share is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareLocation {
    /// A mounted share, or any folder.
    Directory(PathBuf),
    /// A share of Azure Files, over REST.
    AzureFiles(Box<AzureFilesLocation>),
}

/// A directory is created where it is missing. Azure Files is asked for nothing before something is staged: only a pull
/// needs the share, and whatever else the handler does should not wait for it.
pub async fn open(location: &ShareLocation) -> Result<Arc<dyn Share>, ShareError> {
    Ok(match location {
        ShareLocation::Directory(directory) => Arc::new(DirectoryShare::open(directory).await?),
        ShareLocation::AzureFiles(location) => Arc::new(AzureFilesShare::new(location)?),
    })
}

/// The name of one version of one remote file: two pullers of different versions never mix bytes, and names that differ
/// only in case do not collide on Azure Files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StagedName(Sha256);

impl StagedName {
    /// `path` is the raw path on the server. `modified` counts seconds since 1970.
    pub fn of(feed: &FeedName, path: &[u8], size_bytes: u64, modified: i64) -> Self {
        let fields = [feed.as_str().as_bytes(), path, &size_bytes.to_be_bytes(), &modified.to_be_bytes()];
        StagedName(Sha256::of_fields(&fields))
    }

    /// Of a few bytes that a trial stages, and of nothing that is ever pulled.
    pub fn of_trial(id: &str) -> Self {
        StagedName(Sha256::of_fields(&[b"a trial", id.as_bytes()]))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// What lies on the share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedFile {
    pub name: StagedName,
    pub size_bytes: u64,
    /// When bytes were last added.
    pub last_modified: DateTime<Utc>,
}

#[async_trait]
pub trait Share: Send + Sync {
    /// How many bytes are staged, counted from the file's start without a hole; `None`: nothing is.
    async fn length(&self, name: &StagedName) -> Result<Option<u64>, ShareError>;

    /// Writes at an offset that is at most the present length. Creates the file, which will have `whole_bytes` once all of
    /// it is staged.
    async fn write_at(&self, name: &StagedName, offset: u64, bytes: Bytes, whole_bytes: u64) -> Result<(), ShareError>;

    /// Reads a range that is staged whole; `Gone` where it is not, or not any more.
    async fn read(&self, name: &StagedName, range: Range<u64>) -> Result<Bytes, ShareError>;

    /// Makes what was written outlive a power cut.
    async fn sync(&self, name: &StagedName) -> Result<(), ShareError>;

    /// That it is gone already is fine.
    async fn delete(&self, name: &StagedName) -> Result<(), ShareError>;

    /// Everything that is staged, in no order.
    async fn list(&self) -> Result<Vec<StagedFile>, ShareError>;
}

/// Removes what nobody added to for seven days, and says how many files that were.
pub async fn remove_orphans(share: &dyn Share, now: DateTime<Utc>) -> Result<usize, ShareError> {
    let mut removed = 0;
    for file in share.list().await? {
        if now - file.last_modified > ORPHAN_AGE {
            share.delete(&file.name).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[derive(Debug, Error)]
pub enum ShareError {
    /// Another pull has landed the file and removed its staged copy, or somebody has cleaned up.
    #[error("staged copy `{name}` has no bytes {}..{}", range.start, range.end)]
    Gone { name: String, range: Range<u64> },
    #[error("{operation} of staged copy `{name}` on share `{share}` failed")]
    Store { operation: &'static str, share: String, name: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("share `{share}` cannot be used: is the directory mounted and writable?")]
    Open { share: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("share `{share}` of Azure Files cannot be used")]
    AzureFiles { share: String, source: Box<dyn std::error::Error + Send + Sync> },
}

impl ShareError {
    /// Nothing about a staged copy is final: the source still has the file.
    pub fn disposition(&self) -> Disposition {
        Disposition::Retry
    }
}
