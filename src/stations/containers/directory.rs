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
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

use self::draft::{Draft, Durability};
use self::place::{Place, etag_of};
use super::listed::shown;
use super::walk::{Found, Walk, is_temporary};
use super::{Backend, BlobFacts, BlobWriter, Condition, ContainerError, Listed, OddBlob};
use crate::names::{BlobName, ETag};

/// Linux, macOS and Windows allow this many bytes or more in one segment of a path.
const SEGMENT_LIMIT_BYTES: usize = 255;
const LIST_BATCH: usize = 1000;

pub(super) struct Directory {
    place: Arc<Place>,
    url: String,
}

impl Directory {
    pub async fn open(parent: &Path, container: &'static str) -> Result<(Directory, LocalFileSystem), ContainerError> {
        let parent = parent.to_owned();
        let directory = parent.clone();
        blocking(move || {
            let place = Place::create(&parent, container)?;
            place.remove_orphans()?;
            let store =
                LocalFileSystem::new_with_prefix(&place.root).map_err(io::Error::other)?.with_automatic_cleanup(true);
            Ok((Directory { url: place.url()?, place: Arc::new(place) }, store))
        })
        .await
        .map_err(|source| ContainerError::Open { container, directory, source: source.into() })
    }

    /// Creates nothing and removes nothing. What is not there is empty.
    pub async fn look_at(
        parent: &Path,
        container: &'static str,
    ) -> Result<(Directory, Arc<dyn ObjectStore>), ContainerError> {
        let parent = parent.to_owned();
        let directory = parent.clone();
        blocking(move || {
            let place = Place::at(std::path::absolute(parent.join(container))?, &parent, container);
            let store: Arc<dyn ObjectStore> = match place.root.is_dir() {
                true => Arc::new(LocalFileSystem::new_with_prefix(&place.root).map_err(io::Error::other)?),
                false => Arc::new(InMemory::new()),
            };
            Ok((Directory { url: place.url()?, place: Arc::new(place) }, store))
        })
        .await
        .map_err(|source| ContainerError::Open { container, directory, source: source.into() })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    fn failure(&self, operation: &'static str, blob: &BlobName, source: io::Error) -> ContainerError {
        self.place.failure(operation, blob, source)
    }
}

#[async_trait]
impl Backend for Directory {
    fn objection(&self, blob: &BlobName) -> Option<&'static str> {
        if is_temporary(blob.as_str()) {
            return Some("in a directory, names that end in `#` and digits are kept for unfinished files");
        }
        if blob.as_str().strip_suffix(':').is_some_and(|rest| rest.ends_with(|last: char| last.is_ascii_alphabetic())) {
            return Some("in a directory, names that end in a letter and `:` are taken for a Windows drive");
        }
        let is_too_long = blob.as_str().split('/').any(|segment| segment.len() > SEGMENT_LIMIT_BYTES);
        is_too_long.then_some("in a directory, no part of a name between two `/` may have more than 255 bytes")
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
pub(super) async fn read_range(mut file: File, range: Range<u64>) -> io::Result<Bytes> {
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
