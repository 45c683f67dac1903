//! The containers landing, quarantine, curated and millrace-state: blobs with versions.
//!
//! The port is `object_store`'s trait. Two things that it lacks are ours, behind [`Backend`]: the conditional commit of
//! a large blob, and a list that an odd name does not stop. A [`Container`] knows names and versions; it does not know
//! what a blob means.

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
use object_store::path::Path;
use object_store::{GetOptions, GetResultPayload, ObjectStore, ObjectStoreExt};

use crate::names::{BlobName, ETag};
use crate::stations::azure_storage::StorageAccount;

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
    /// Opens the containers and creates those that are missing. Temporary files that an upload left behind more than a
    /// week ago are removed on the way.
    pub async fn open(location: &StorageLocation) -> Result<Containers, ContainerError> {
        Ok(Containers {
            landing: Container::open(location, "landing").await?,
            quarantine: Container::open(location, "quarantine").await?,
            curated: Container::open(location, "curated").await?,
            state: Container::open(location, "millrace-state").await?,
        })
    }
}

impl Containers {
    /// For a command that only looks: nothing is created and nothing cleaned up. Containers that are not there are empty.
    pub async fn look_at(location: &StorageLocation) -> Result<Containers, ContainerError> {
        Ok(Containers {
            landing: Container::look_at(location, "landing").await?,
            quarantine: Container::look_at(location, "quarantine").await?,
            curated: Container::look_at(location, "curated").await?,
            state: Container::look_at(location, "millrace-state").await?,
        })
    }
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

/// What `object_store`'s trait lacks. One implementation for each kind of store.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    /// Says why the store cannot hold a blob of this name, if it cannot.
    fn objection(&self, blob: &BlobName) -> Option<&'static str>;

    /// Writes a small blob whole, whatever is there; or, with a condition, only where it holds.
    async fn put(&self, blob: &BlobName, body: Bytes, condition: Option<Condition>) -> Result<ETag, ContainerError>;

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
    inner: Arc<ContainerParts>,
}

struct ContainerParts {
    name: &'static str,
    url: String,
    store: Arc<dyn ObjectStore>,
    backend: Arc<dyn Backend>,
}

impl Container {
    async fn open(location: &StorageLocation, name: &'static str) -> Result<Container, ContainerError> {
        let root = directory_of(location, name)?;
        let (directory, store) = Directory::open(root, name).await?;
        let url = directory.url().to_owned();
        let parts = ContainerParts { name, url, store: Arc::new(store), backend: Arc::new(directory) };
        Ok(Container { inner: Arc::new(parts) })
    }

    async fn look_at(location: &StorageLocation, name: &'static str) -> Result<Container, ContainerError> {
        let root = directory_of(location, name)?;
        let (directory, store) = Directory::look_at(root, name).await?;
        let url = directory.url().to_owned();
        let parts = ContainerParts { name, url, store, backend: Arc::new(directory) };
        Ok(Container { inner: Arc::new(parts) })
    }

    /// The container's address without a trailing `/`: `file:///…/landing`.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// `landing`, `quarantine`, `curated` or `millrace-state`.
    pub fn name(&self) -> &'static str {
        self.inner.name
    }

    /// What is known of a blob; `None`: gone.
    pub async fn head(&self, blob: &BlobName) -> Result<Option<BlobFacts>, ContainerError> {
        let path = self.path(blob)?;
        match self.inner.store.head(&path).await {
            Ok(meta) => Ok(Some(BlobFacts {
                name: blob.clone(),
                etag: self.version("head", blob, meta.e_tag)?,
                size_bytes: meta.size,
                last_modified: meta.last_modified,
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.failure("head", blob, source)),
        }
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
        let path = self.path(blob)?;
        let options =
            GetOptions { if_match: Some(quoted(if_match)), range: Some(range.clone().into()), ..GetOptions::default() };
        let answer = self.inner.store.get_opts(&path, options).await.map_err(|e| self.failure("read", blob, e))?;
        let bytes = match answer.payload {
            GetResultPayload::File(file, _) => directory::read_range(file, range.clone())
                .await
                .map_err(|source| self.io_failure("read", blob, source))?,
            GetResultPayload::Stream(_) => answer.bytes().await.map_err(|e| self.failure("read", blob, e))?,
        };
        if bytes.len() as u64 != range.end - range.start {
            return Err(ContainerError::OutOfRange { container: self.inner.name, blob: blob.clone(), range });
        }
        Ok(bytes)
    }

    /// A small record, whole; `None`: there is none.
    pub async fn get(&self, blob: &BlobName) -> Result<Option<Bytes>, ContainerError> {
        Ok(self.get_version(blob).await?.map(|(bytes, _)| bytes))
    }

    /// A small record, whole, with its version; `None`: there is none.
    pub async fn get_version(&self, blob: &BlobName) -> Result<Option<(Bytes, ETag)>, ContainerError> {
        let path = self.path(blob)?;
        let answer = match self.inner.store.get(&path).await {
            Ok(answer) => answer,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(self.failure("get", blob, source)),
        };
        let etag = self.version("get", blob, answer.meta.e_tag.clone())?;
        let bytes = answer.bytes().await.map_err(|e| self.failure("get", blob, e))?;
        Ok(Some((bytes, etag)))
    }

    /// Writes a small record whole, over whatever is there.
    pub async fn put(&self, blob: &BlobName, body: Bytes) -> Result<ETag, ContainerError> {
        self.path(blob)?;
        self.inner.backend.put(blob, body, None).await
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
        self.path(blob)?;
        match self.inner.backend.put(blob, body, Some(condition)).await {
            Ok(etag) => Ok(Some(etag)),
            Err(ContainerError::Superseded { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a blob. That it is gone already is fine.
    pub async fn delete(&self, blob: &BlobName) -> Result<(), ContainerError> {
        let path = self.path(blob)?;
        match self.inner.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.failure("delete", blob, source)),
        }
    }

    /// Removes one version of a blob. That it is gone already is fine.
    ///
    /// # Errors
    /// `Superseded` where the blob has another version by now: that one stays.
    pub async fn delete_version(&self, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError> {
        self.path(blob)?;
        self.inner.backend.delete_version(blob, etag).await
    }

    /// Blobs whose names begin with `prefix` and come after `after`, sorted by the bytes of their names. `prefix` need
    /// not end at a `/`. What no [`BlobName`] can name (a file in the directory whose name is not UTF-8) is passed over.
    pub fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'static, Result<BlobFacts, ContainerError>> {
        self.inner.backend.list(prefix, after).try_filter_map(|listed| async { Ok(listed.blob()) }).boxed()
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
        self.inner.backend.list(prefix, after).map_ok(judged).boxed()
    }

    /// Begins a blob of any size. Nobody sees it before its commit, and a crash leaves nothing in any list.
    pub async fn upload(&self, blob: &BlobName) -> Result<Upload, ContainerError> {
        self.path(blob)?;
        Ok(Upload::new(self.inner.backend.begin(blob).await?))
    }

    /// Why this container cannot hold a blob of this name, if it cannot.
    pub fn objection(&self, blob: &BlobName) -> Option<&'static str> {
        self.path_or_objection(blob).err()
    }

    /// A blob's name as `object_store` writes it. `Path::from` would percent-encode `%`, `#` and `~` and come back as
    /// another name; `Path::parse` keeps every character, but drops a `/` at either end without a word.
    fn path(&self, blob: &BlobName) -> Result<Path, ContainerError> {
        let refuse =
            |reason: &'static str| ContainerError::Name { container: self.inner.name, blob: blob.clone(), reason };
        self.path_or_objection(blob).map_err(refuse)
    }

    fn path_or_objection(&self, blob: &BlobName) -> Result<Path, &'static str> {
        if let Some(reason) = self.inner.backend.objection(blob) {
            return Err(reason);
        }
        let path = Path::parse(blob.as_str())
            .map_err(|_| "it has an empty segment, a segment `.` or `..`, or a control character")?;
        if path.as_ref() == blob.as_str() { Ok(path) } else { Err("it begins or ends with `/`") }
    }

    fn version(&self, operation: &'static str, blob: &BlobName, tag: Option<String>) -> Result<ETag, ContainerError> {
        tag.and_then(|text| ETag::new(text).ok()).ok_or_else(|| ContainerError::Store {
            operation,
            container: self.inner.name,
            blob: blob.clone(),
            source: "the store answered without an ETag".into(),
        })
    }

    fn io_failure(&self, operation: &'static str, blob: &BlobName, source: std::io::Error) -> ContainerError {
        ContainerError::Store { operation, container: self.inner.name, blob: blob.clone(), source: source.into() }
    }

    fn failure(&self, operation: &'static str, blob: &BlobName, source: object_store::Error) -> ContainerError {
        let container = self.inner.name;
        let blob = blob.clone();
        match source {
            object_store::Error::NotFound { .. } => ContainerError::Gone { container, blob },
            object_store::Error::Precondition { .. } => ContainerError::Superseded { container, blob },
            other => ContainerError::Store { operation, container, blob, source: other.into() },
        }
    }
}

fn directory_of<'a>(location: &'a StorageLocation, container: &'static str) -> Result<&'a PathBuf, ContainerError> {
    match location {
        StorageLocation::Directory(root) => Ok(root),
        StorageLocation::Azure(account) => Err(ContainerError::Open {
            container,
            directory: PathBuf::from(account.endpoint.as_str()),
            source: "this commit knows directories only".into(),
        }),
    }
}

fn quoted(etag: &ETag) -> String {
    format!("\"{etag}\"")
}
