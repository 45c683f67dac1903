//! Containers as folders of one directory: reads go through `object_store`'s `LocalFileSystem`, writes are ours.
//!
//! Every write goes to a file of its own below `.uploads/`, which no list sees, and is renamed into place under a lock
//! on the container, held for the comparison of versions and the rename only. A crash leaves at most such a file.
//!
//! A version is `object_store`'s ETag of a file: inode, mtime in microseconds, size. An inode may be used again within
//! one tick of the kernel's clock, so under the lock each write is given an mtime that no earlier one had: two commits
//! never share an ETag.

mod draft;
mod place;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as StorePath;
use object_store::{GetOptions, GetResultPayload, ObjectStore, ObjectStoreExt};

use self::draft::{Draft, Durability};
use self::place::{Place, etag_of};
use super::listed::shown;
use super::walk::{Found, Walk, is_temporary};
use super::{Backend, BlobFacts, BlobWriter, Condition, ContainerError, Listed, OddBlob, quoted};
use crate::names::{BlobName, ETag};

/// Linux, macOS and Windows allow this many bytes or more in one segment of a path.
const SEGMENT_LIMIT_BYTES: usize = 255;
const LIST_BATCH: usize = 1000;

pub(super) struct Directory {
    place: Arc<Place>,
    url: String,
    store: Arc<dyn ObjectStore>,
}

impl Directory {
    pub async fn open(parent: &Path, container: &'static str) -> Result<Directory, ContainerError> {
        let parent = parent.to_owned();
        let directory = parent.clone();
        blocking(move || {
            let place = Place::create(&parent, container)?;
            place.remove_orphans()?;
            let store =
                LocalFileSystem::new_with_prefix(&place.root).map_err(io::Error::other)?.with_automatic_cleanup(true);
            Ok(Directory { url: place.url()?, place: Arc::new(place), store: Arc::new(store) })
        })
        .await
        .map_err(|source| ContainerError::Open { container, directory, source: source.into() })
    }

    /// Creates nothing and removes nothing. What is not there is empty.
    pub async fn look_at(parent: &Path, container: &'static str) -> Result<Directory, ContainerError> {
        let parent = parent.to_owned();
        let directory = parent.clone();
        blocking(move || {
            let place = Place::at(std::path::absolute(parent.join(container))?, &parent, container);
            let store: Arc<dyn ObjectStore> = match place.root.is_dir() {
                true => Arc::new(LocalFileSystem::new_with_prefix(&place.root).map_err(io::Error::other)?),
                false => Arc::new(InMemory::new()),
            };
            Ok(Directory { url: place.url()?, place: Arc::new(place), store })
        })
        .await
        .map_err(|source| ContainerError::Open { container, directory, source: source.into() })
    }

    fn path(&self, blob: &BlobName) -> Result<StorePath, ContainerError> {
        let container = self.place.container;
        store_path(blob).map_err(|reason| ContainerError::Name { container, blob: blob.clone(), reason })
    }

    fn version(&self, operation: &'static str, blob: &BlobName, tag: Option<String>) -> Result<ETag, ContainerError> {
        tag.and_then(|text| ETag::new(text).ok()).ok_or_else(|| ContainerError::Store {
            operation,
            container: self.place.container,
            blob: blob.clone(),
            source: "the store answered without an ETag".into(),
        })
    }

    fn store_failure(&self, operation: &'static str, blob: &BlobName, source: object_store::Error) -> ContainerError {
        let container = self.place.container;
        let blob = blob.clone();
        match source {
            object_store::Error::NotFound { .. } => ContainerError::Gone { container, blob },
            object_store::Error::Precondition { .. } => ContainerError::Superseded { container, blob },
            other => ContainerError::Store { operation, container, blob, source: other.into() },
        }
    }

    fn failure(&self, operation: &'static str, blob: &BlobName, source: io::Error) -> ContainerError {
        self.place.failure(operation, blob, source)
    }
}

#[async_trait]
impl Backend for Directory {
    fn url(&self) -> &str {
        &self.url
    }

    fn objection(&self, blob: &BlobName) -> Option<&'static str> {
        if is_temporary(blob.as_str()) {
            return Some("in a directory, names that end in `#` and digits are kept for unfinished files");
        }
        if blob.as_str().strip_suffix(':').is_some_and(|rest| rest.ends_with(|last: char| last.is_ascii_alphabetic())) {
            return Some("in a directory, names that end in a letter and `:` are taken for a Windows drive");
        }
        let is_too_long = blob.as_str().split('/').any(|segment| segment.len() > SEGMENT_LIMIT_BYTES);
        if is_too_long {
            return Some("in a directory, no part of a name between two `/` may have more than 255 bytes");
        }
        store_path(blob).err()
    }

    async fn head(&self, blob: &BlobName) -> Result<Option<BlobFacts>, ContainerError> {
        match self.store.head(&self.path(blob)?).await {
            Ok(meta) => Ok(Some(BlobFacts {
                name: blob.clone(),
                etag: self.version("head", blob, meta.e_tag)?,
                size_bytes: meta.size,
                last_modified: meta.last_modified,
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.store_failure("head", blob, source)),
        }
    }

    async fn read(&self, blob: &BlobName, range: Range<u64>, if_match: &ETag) -> Result<Bytes, ContainerError> {
        let options =
            GetOptions { if_match: Some(quoted(if_match)), range: Some(range.clone().into()), ..GetOptions::default() };
        let answer = self.store.get_opts(&self.path(blob)?, options).await;
        let answer = answer.map_err(|source| self.store_failure("read", blob, source))?;
        match answer.payload {
            GetResultPayload::File(file, _) => {
                read_range(file, range).await.map_err(|source| self.failure("read", blob, source))
            }
            GetResultPayload::Stream(_) => {
                answer.bytes().await.map_err(|source| self.store_failure("read", blob, source))
            }
        }
    }

    async fn get(&self, blob: &BlobName) -> Result<Option<(Bytes, ETag)>, ContainerError> {
        let answer = match self.store.get(&self.path(blob)?).await {
            Ok(answer) => answer,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(self.store_failure("get", blob, source)),
        };
        let etag = self.version("get", blob, answer.meta.e_tag.clone())?;
        let bytes = answer.bytes().await.map_err(|source| self.store_failure("get", blob, source))?;
        Ok(Some((bytes, etag)))
    }

    async fn delete(&self, blob: &BlobName) -> Result<(), ContainerError> {
        match self.store.delete(&self.path(blob)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.store_failure("delete", blob, source)),
        }
    }

    async fn put(&self, blob: &BlobName, body: Bytes, condition: Option<Condition>) -> Result<ETag, ContainerError> {
        let mut draft = Draft::begin(&self.place).await.map_err(|e| self.failure("put", blob, e))?;
        draft.append(body).await.map_err(|e| self.failure("put", blob, e))?;
        draft.publish(blob, condition, Durability::Process).await
    }

    async fn delete_version(&self, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError> {
        let (place, target, etag) = (Arc::clone(&self.place), self.place.root.join(blob.as_str()), etag.clone());
        let _turn = self.place.queue.lock().await;
        match blocking(move || place.remove_under_lock(&target, &etag)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ContainerError::Superseded { container: self.place.container, blob: blob.clone() }),
            Err(source) => Err(self.failure("delete", blob, source)),
        }
    }

    async fn begin(&self, blob: &BlobName) -> Result<Box<dyn BlobWriter>, ContainerError> {
        let draft = Draft::begin(&self.place).await.map_err(|e| self.failure("upload", blob, e))?;
        Ok(Box::new(DirectoryWriter { blob: blob.clone(), draft }))
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'static, Result<Listed, ContainerError>> {
        let place = Arc::clone(&self.place);
        let container = place.container;
        let prefix = prefix.to_owned();
        let begin = (prefix.clone(), after.map(str::to_owned));
        let batches = stream::try_unfold(Progress::Begin(begin), move |progress| {
            let place = Arc::clone(&place);
            blocking(move || {
                let mut walk = match progress {
                    Progress::Begin((prefix, after)) => Walk::begin(&place.root, &prefix, after.as_deref())?,
                    Progress::Within(walk) => walk,
                    Progress::Ended => return Ok(None),
                };
                let found = walk.next_batch(LIST_BATCH)?;
                let next = if found.len() < LIST_BATCH { Progress::Ended } else { Progress::Within(walk) };
                Ok(Some((found, next)))
            })
        });
        batches
            .map(move |batch| {
                let items = match batch {
                    Ok(found) => found.into_iter().map(listed).map(Ok).collect(),
                    Err(error) => {
                        let prefix = prefix.clone();
                        vec![Err(ContainerError::List { container, prefix, source: Box::new(error) })]
                    }
                };
                stream::iter(items)
            })
            .flatten()
            .boxed()
    }
}

/// A blob's name as `object_store` writes it. `Path::from` would percent-encode `%`, `#` and `~` and come back as another
/// name; `Path::parse` keeps every character, but drops a `/` at either end without a word.
fn store_path(blob: &BlobName) -> Result<StorePath, &'static str> {
    let path = StorePath::parse(blob.as_str())
        .map_err(|_| "it has an empty segment, a segment `.` or `..`, or a control character")?;
    if path.as_ref() == blob.as_str() { Ok(path) } else { Err("it begins or ends with `/`") }
}

enum Progress {
    Begin((String, Option<String>)),
    Within(Walk),
    Ended,
}

fn listed(file: Found) -> Listed {
    let etag = etag_of(&file.metadata);
    let last_modified = file.metadata.modified().unwrap_or(UNIX_EPOCH).into();
    let odd = |name: &str, position: String, reason| {
        Listed::Odd(OddBlob { shown: shown(name), etag: etag.clone(), last_modified, reason, position })
    };
    match (file.oddity, BlobName::new(file.name.as_str())) {
        (Some(oddity), _) => odd(&oddity.shown, file.name, oddity.reason),
        (None, Err(_)) => odd(&file.name, file.name.clone(), "its name has more than 1,024 characters"),
        (None, Ok(name)) => Listed::Blob(BlobFacts { name, etag, size_bytes: file.metadata.len(), last_modified }),
    }
}

struct DirectoryWriter {
    blob: BlobName,
    draft: Draft,
}

#[async_trait]
impl BlobWriter for DirectoryWriter {
    async fn append(&mut self, block: Bytes) -> Result<(), ContainerError> {
        let outcome = self.draft.append(block).await;
        outcome.map_err(|source| self.draft.place.failure("upload", &self.blob, source))
    }

    async fn commit(self: Box<Self>, condition: Condition) -> Result<ETag, ContainerError> {
        self.draft.publish(&self.blob, Some(condition), Durability::PowerCut).await
    }

    async fn abort(self: Box<Self>) -> Result<(), ContainerError> {
        // The draft's file goes when the draft is dropped.
        Ok(())
    }
}

/// Reads a range of a file that `object_store` opened, into memory that nobody zeroed first: that costs a load six per cent.
async fn read_range(mut file: File, range: Range<u64>) -> io::Result<Bytes> {
    let read = move || {
        let length = range.end - range.start;
        let mut bytes = Vec::with_capacity(length as usize);
        file.seek(SeekFrom::Start(range.start))?;
        file.take(length).read_to_end(&mut bytes)?;
        Ok(Bytes::from(bytes))
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
