//! The containers landing, quarantine, curated and millrace-state: blobs with versions.
//!
//! [`Backend`] is the port: directories (through `object_store`, writes ours) and Azure Blob Storage stand behind it. A
//! [`Container`] knows names and versions; it does not know what a blob means.

mod azure;
mod directory;
mod error;
mod listed;
#[cfg(test)]
pub(crate) mod memory;
mod upload;
mod walk;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use futures::stream::{BoxStream, StreamExt};

use crate::names::{BlobName, ETag};
use crate::stations::azure_storage::{StorageAccount, StorageClient};

use azure::AzureContainer;
use directory::Directory;
pub use error::ContainerError;
pub use listed::{Listed, OddBlob};
pub use upload::Upload;

/// Where the containers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageLocation {
    /// One folder for each container, below this directory.
    Directory(PathBuf),
    /// Azure Blob Storage, or Azurite.
    Azure(StorageAccount),
}

/// All containers of one storage account.
#[derive(Clone)]
pub struct Containers {
    /// Files as they came, one blob each.
    pub landing: Container,
    /// Rows that were rejected.
    pub quarantine: Container,
    /// Typed rows as Parquet.
    pub curated: Container,
    /// The records of `crate::records`.
    pub state: Container,
}

impl Containers {
    /// Opens the containers and creates those that are missing. Temporary files that an upload left behind in a directory
    /// more than a week ago are removed on the way.
    pub async fn open(location: &StorageLocation) -> Result<Containers, ContainerError> {
        let open = match location {
            StorageLocation::Directory(root) => {
                let open = |name| Directory::open(root, name);
                let (landing, quarantine) = (open(LANDING).await?, open(QUARANTINE).await?);
                let (curated, state) = (open(CURATED).await?, open(STATE).await?);
                Containers::over(landing, quarantine, curated, state)
            }
            StorageLocation::Azure(account) => {
                let client = azure_client(account)?;
                let open = |name| AzureContainer::open(&client, name);
                let all = futures::future::try_join4(open(LANDING), open(QUARANTINE), open(CURATED), open(STATE));
                let (landing, quarantine, curated, state) = all.await?;
                Containers::over(landing, quarantine, curated, state)
            }
        };
        Ok(open)
    }

    /// For a command that only looks: nothing is created and nothing cleaned up. Containers that are not there are empty.
    pub async fn look_at(location: &StorageLocation) -> Result<Containers, ContainerError> {
        let seen = match location {
            StorageLocation::Directory(root) => {
                let look_at = |name| Directory::look_at(root, name);
                let (landing, quarantine) = (look_at(LANDING).await?, look_at(QUARANTINE).await?);
                let (curated, state) = (look_at(CURATED).await?, look_at(STATE).await?);
                Containers::over(landing, quarantine, curated, state)
            }
            StorageLocation::Azure(account) => {
                let client = azure_client(account)?;
                let look_at = |name| AzureContainer::look_at(&client, name);
                Containers::over(look_at(LANDING)?, look_at(QUARANTINE)?, look_at(CURATED)?, look_at(STATE)?)
            }
        };
        Ok(seen)
    }

    fn over<B: Backend + 'static>(landing: B, quarantine: B, curated: B, state: B) -> Containers {
        Containers {
            landing: Container::over(LANDING, landing),
            quarantine: Container::over(QUARANTINE, quarantine),
            curated: Container::over(CURATED, curated),
            state: Container::over(STATE, state),
        }
    }
}

const LANDING: &str = "landing";
const QUARANTINE: &str = "quarantine";
const CURATED: &str = "curated";
const STATE: &str = "millrace-state";

fn azure_client(account: &StorageAccount) -> Result<Arc<StorageClient>, ContainerError> {
    azure::client(account).map_err(|source| ContainerError::OpenAzure {
        container: LANDING,
        url: account.endpoint.to_string(),
        source: source.into(),
    })
}

/// What is known of a blob without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobFacts {
    pub name: BlobName,
    pub etag: ETag,
    pub size_bytes: u64,
    pub last_modified: DateTime<Utc>,
}

/// What must be true of the blob at the moment of the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is no blob of this name.
    Absent,
    /// The blob has this version.
    Is(ETag),
}

impl Condition {
    /// Whether it is true of what is there.
    fn holds(&self, present: Option<&ETag>) -> bool {
        match self {
            Condition::Absent => present.is_none(),
            Condition::Is(etag) => present == Some(etag),
        }
    }
}

/// What a container can do. One implementation for each kind of store; [`Container`] has asked for objections to the name
/// before it calls anything else, and never asks for an empty range.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    /// The container's address, percent-encoded, without a trailing `/`.
    fn url(&self) -> &str;

    /// Says why the store cannot hold a blob of this name, if it cannot.
    fn objection(&self, blob: &BlobName) -> Option<&'static str>;

    async fn head(&self, blob: &BlobName) -> Result<Option<BlobFacts>, ContainerError>;

    /// Reads what there is of a range of one version.
    async fn read(&self, blob: &BlobName, range: Range<u64>, if_match: &ETag) -> Result<Bytes, ContainerError>;

    /// A small blob, whole, with its version.
    async fn get(&self, blob: &BlobName) -> Result<Option<(Bytes, ETag)>, ContainerError>;

    /// Writes a small blob whole, whatever is there; or, with a condition, only where it holds.
    async fn put(&self, blob: &BlobName, body: Bytes, condition: Option<Condition>) -> Result<ETag, ContainerError>;

    /// Removes a blob. That it is gone already is fine.
    async fn delete(&self, blob: &BlobName) -> Result<(), ContainerError>;

    /// Removes a blob if it has this version at that moment. That it is gone already is fine.
    async fn delete_version(&self, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError>;

    /// Begins a blob of any size that nobody sees before its commit.
    async fn begin(&self, blob: &BlobName) -> Result<Box<dyn BlobWriter>, ContainerError>;

    /// What has a name that begins with `prefix` and comes after `after`, by the bytes of the names: a store that lists in
    /// another order is sorted here, as positions in this order are kept.
    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'static, Result<Listed, ContainerError>>;
}

/// An upload in progress. Dropping it discards what was written.
#[async_trait]
pub(crate) trait BlobWriter: Send {
    async fn append(&mut self, block: Bytes) -> Result<(), ContainerError>;
    /// Makes the blob from all blocks at once, durably, if the condition holds at that moment.
    async fn commit(self: Box<Self>, condition: Condition) -> Result<ETag, ContainerError>;
    async fn abort(self: Box<Self>) -> Result<(), ContainerError>;
}

/// One container. Cheap to clone.
#[derive(Clone)]
pub struct Container {
    name: &'static str,
    backend: Arc<dyn Backend>,
}

impl Container {
    fn over(name: &'static str, backend: impl Backend + 'static) -> Container {
        Container { name, backend: Arc::new(backend) }
    }

    /// The container's address without a trailing `/`: `file:///…/landing`.
    pub fn url(&self) -> &str {
        self.backend.url()
    }

    /// `landing`, `quarantine`, `curated` or `millrace-state`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What is known of a blob; `None`: gone.
    pub async fn head(&self, blob: &BlobName) -> Result<Option<BlobFacts>, ContainerError> {
        self.check(blob)?;
        self.backend.head(blob).await
    }

    /// Reads a range of one version.
    ///
    /// # Errors
    /// `Superseded` where the blob has another version by now, `Gone` where there is none, `OutOfRange` where this
    /// version is shorter.
    pub async fn read(&self, blob: &BlobName, range: Range<u64>, if_match: &ETag) -> Result<Bytes, ContainerError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.check(blob)?;
        let bytes = self.backend.read(blob, range.clone(), if_match).await?;
        if bytes.len() as u64 != range.end - range.start {
            return Err(ContainerError::OutOfRange { container: self.name, blob: blob.clone(), range });
        }
        Ok(bytes)
    }

    /// A small record, whole; `None`: there is none.
    pub async fn get(&self, blob: &BlobName) -> Result<Option<Bytes>, ContainerError> {
        Ok(self.get_version(blob).await?.map(|(bytes, _)| bytes))
    }

    /// A small record, whole, with its version; `None`: there is none.
    pub async fn get_version(&self, blob: &BlobName) -> Result<Option<(Bytes, ETag)>, ContainerError> {
        self.check(blob)?;
        self.backend.get(blob).await
    }

    /// Writes a small record whole, over whatever is there.
    pub async fn put(&self, blob: &BlobName, body: Bytes) -> Result<ETag, ContainerError> {
        self.check(blob)?;
        self.backend.put(blob, body, None).await
    }

    /// Writes a small record whole where there is none; `false`: there is one already.
    pub async fn put_new(&self, blob: &BlobName, body: Bytes) -> Result<bool, ContainerError> {
        Ok(self.put_if(blob, body, Condition::Absent).await?.is_some())
    }

    /// Writes a small record whole where the condition holds, and returns its version; `None`: it does not hold.
    pub async fn put_if(
        &self,
        blob: &BlobName,
        body: Bytes,
        condition: Condition,
    ) -> Result<Option<ETag>, ContainerError> {
        self.check(blob)?;
        match self.backend.put(blob, body, Some(condition)).await {
            Ok(etag) => Ok(Some(etag)),
            Err(ContainerError::Superseded { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a blob. That it is gone already is fine.
    pub async fn delete(&self, blob: &BlobName) -> Result<(), ContainerError> {
        self.check(blob)?;
        self.backend.delete(blob).await
    }

    /// Removes one version of a blob. That it is gone already is fine.
    ///
    /// # Errors
    /// `Superseded` where the blob has another version by now: that one stays.
    pub async fn delete_version(&self, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError> {
        self.check(blob)?;
        self.backend.delete_version(blob, etag).await
    }

    /// Blobs whose names begin with `prefix` and come after `after`, sorted by the bytes of their names. `prefix` need
    /// not end at a `/`. What no [`BlobName`] can name (a file in the directory whose name is not UTF-8) is passed over.
    pub fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'static, Result<BlobFacts, ContainerError>> {
        self.backend.list(prefix, after).try_filter_map(|listed| async { Ok(listed.blob()) }).boxed()
    }

    /// The same list with everything in it: what this container cannot read by its name stands there as [`Listed::Odd`].
    pub fn list_everything(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> BoxStream<'static, Result<Listed, ContainerError>> {
        let container = self.clone();
        let judged = move |listed| match listed {
            Listed::Blob(facts) => match container.objection(&facts.name) {
                None => Listed::Blob(facts),
                Some(reason) => Listed::Odd(OddBlob {
                    position: facts.name.to_string(),
                    shown: facts.name,
                    etag: facts.etag,
                    last_modified: facts.last_modified,
                    reason,
                }),
            },
            odd @ Listed::Odd(_) => odd,
        };
        self.backend.list(prefix, after).map_ok(judged).boxed()
    }

    /// Begins a blob of any size. Nobody sees it before its commit, and a crash leaves nothing in any list.
    pub async fn upload(&self, blob: &BlobName) -> Result<Upload, ContainerError> {
        self.check(blob)?;
        Ok(Upload::new(self.backend.begin(blob).await?))
    }

    /// Why this container cannot hold a blob of this name, if it cannot.
    pub fn objection(&self, blob: &BlobName) -> Option<&'static str> {
        self.backend.objection(blob)
    }

    fn check(&self, blob: &BlobName) -> Result<(), ContainerError> {
        match self.objection(blob) {
            Some(reason) => Err(ContainerError::Name { container: self.name, blob: blob.clone(), reason }),
            None => Ok(()),
        }
    }
}

fn quoted(etag: &ETag) -> String {
    format!("\"{etag}\"")
}
