//! Containers as folders of one directory: reads go through `object_store`'s `LocalFileSystem`, writes are ours.
//!
//! Every write goes to a file of its own below `.uploads/`, which no list sees, and is renamed into place under a lock
//! on the container, held for the comparison of versions and the rename only. A crash leaves at most such a file.
//!
//! A version is `object_store`'s ETag of a file: inode, mtime in microseconds, size. An inode may be used again within
//! one tick of the kernel's clock, so under the lock each write is given an mtime that no earlier one had: two commits
//! never share an ETag.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use url::Url;

use super::walk::{Found, Walk, is_temporary};
use super::{Backend, BlobFacts, BlobWriter, Condition, ContainerError};
use crate::names::{BlobName, ETag};

/// An unfinished upload of this age belongs to no process that still runs.
const ORPHAN_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
const UPLOADS: &str = ".uploads";
/// Linux, macOS and Windows allow this many bytes or more in one segment of a path.
const SEGMENT_LIMIT_BYTES: usize = 255;
const LIST_BATCH: usize = 1000;

pub(super) struct Directory {
    place: Arc<Place>,
    url: String,
}

struct Place {
    container: &'static str,
    root: PathBuf,
    uploads: PathBuf,
    lock_file: PathBuf,
    /// Lets one task of this process at a time wait for the lock file, so that waiting never takes all threads.
    queue: tokio::sync::Mutex<()>,
}

/// Whether a write must outlive a power cut, or only the death of the process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    PowerCut,
    Process,
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

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'static, Result<BlobFacts, ContainerError>> {
        let place = Arc::clone(&self.place);
        let container = place.container;
        let prefix = prefix.to_owned();
        let begin = (prefix.clone(), after.map(str::to_owned));
        let batches = stream::try_unfold(Progress::Begin(begin), move |progress| {
            let place = Arc::clone(&place);
            blocking(move || {
                let mut walk = match progress {
                    Progress::Begin((prefix, after)) => {
                        Walk::begin(place.container, &place.root, &prefix, after.as_deref())?
                    }
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
                    Ok(found) => found.into_iter().filter_map(|file| facts(container, file)).map(Ok).collect(),
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

fn facts(container: &'static str, file: Found) -> Option<BlobFacts> {
    let Ok(name) = BlobName::new(file.name.as_str()) else {
        tracing::warn!(container, file = file.name, "passed over a file whose name no blob can have");
        return None;
    };
    let last_modified = file.metadata.modified().unwrap_or(UNIX_EPOCH).into();
    Some(BlobFacts { name, etag: etag_of(&file.metadata), size_bytes: file.metadata.len(), last_modified })
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

/// A file below `.uploads/` that goes when it is dropped unpublished.
struct Draft {
    place: Arc<Place>,
    path: PathBuf,
    file: Arc<File>,
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a publication it has been renamed and is not there; a failure leaves an orphan for `remove_orphans`.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Draft {
    async fn begin(place: &Arc<Place>) -> io::Result<Draft> {
        let place = Arc::clone(place);
        blocking(move || {
            let path = place.uploads.join(uuid::Uuid::new_v4().to_string());
            let file = File::create_new(&path)?;
            Ok(Draft { place, path, file: Arc::new(file) })
        })
        .await
    }

    async fn append(&mut self, block: Bytes) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        blocking(move || (&*file).write_all(&block)).await
    }

    async fn publish(
        self,
        blob: &BlobName,
        condition: Option<Condition>,
        durability: Durability,
    ) -> Result<ETag, ContainerError> {
        let place = Arc::clone(&self.place);
        let target = place.root.join(blob.as_str());
        let outcome = async {
            let draft = self;
            let draft = blocking(move || {
                if durability == Durability::PowerCut {
                    // The long part of the work, before the lock is taken.
                    draft.file.sync_data()?;
                }
                Ok(draft)
            })
            .await?;
            let turn_taker = Arc::clone(&place);
            let _turn = turn_taker.queue.lock().await;
            blocking(move || draft.rename_under_lock(&target, condition, durability)).await
        }
        .await;
        match outcome {
            Ok(Some(etag)) => Ok(etag),
            Ok(None) => Err(ContainerError::Superseded { container: place.container, blob: blob.clone() }),
            Err(source) => Err(place.failure("commit", blob, source)),
        }
    }

    /// `None`: the condition does not hold.
    fn rename_under_lock(
        self,
        target: &Path,
        condition: Option<Condition>,
        durability: Durability,
    ) -> io::Result<Option<ETag>> {
        let mut lock =
            File::options().read(true).write(true).create(true).truncate(false).open(&self.place.lock_file)?;
        lock.lock()?;
        let present = version_at(target)?;
        let holds = match condition {
            None => true,
            Some(Condition::Absent) => present.is_none(),
            Some(Condition::Is(etag)) => present == Some(etag),
        };
        if !holds {
            return Ok(None);
        }
        self.file.set_modified(next_stamp(&mut lock)?)?;
        if durability == Durability::PowerCut {
            self.file.sync_all()?;
        }
        let etag = etag_of(&self.file.metadata()?);
        self.place.rename_into(&self.path, target)?;
        if durability == Durability::PowerCut {
            self.place.sync_folders(target)?;
        }
        Ok(Some(etag))
    }
}

impl Place {
    fn create(parent: &Path, container: &'static str) -> io::Result<Place> {
        std::fs::create_dir_all(parent.join(container))?;
        let place = Place::at(parent.join(container).canonicalize()?, parent, container);
        std::fs::create_dir_all(&place.uploads)?;
        Ok(place)
    }

    fn at(root: PathBuf, parent: &Path, container: &'static str) -> Place {
        let uploads = parent.join(UPLOADS).join(container);
        let lock_file = parent.join(UPLOADS).join(format!("{container}.lock"));
        Place { container, root, uploads, lock_file, queue: tokio::sync::Mutex::new(()) }
    }

    fn url(&self) -> io::Result<String> {
        let url = Url::from_file_path(&self.root);
        let url = url.map_err(|()| io::Error::new(io::ErrorKind::InvalidInput, "the path has no file: URL"))?;
        Ok(url.to_string())
    }

    fn remove_orphans(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.uploads)? {
            let entry = entry?;
            let age = match entry.metadata().and_then(|metadata| metadata.modified()) {
                Ok(modified) => SystemTime::now().duration_since(modified).unwrap_or_default(),
                // Another process has finished or removed it.
                Err(_) => continue,
            };
            if age > ORPHAN_AGE {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Creates the folders on the way. They may go again at any moment, when somebody removes the last blob in them.
    fn rename_into(&self, from: &Path, target: &Path) -> io::Result<()> {
        const TRIES: usize = 100;
        let mut outcome = std::fs::rename(from, target);
        for _ in 0..TRIES {
            match &outcome {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => break,
            }
            let folder = target.parent().unwrap_or(&self.root);
            match std::fs::create_dir_all(folder) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            outcome = std::fs::rename(from, target);
        }
        outcome
    }

    /// Removes a file if it has this version, and the folders that it leaves empty. `false`: it has another one.
    fn remove_under_lock(&self, target: &Path, etag: &ETag) -> io::Result<bool> {
        let lock = File::options().read(true).write(true).create(true).truncate(false).open(&self.lock_file)?;
        lock.lock()?;
        match version_at(target)? {
            None => return Ok(true),
            Some(present) if present != *etag => return Ok(false),
            Some(_) => std::fs::remove_file(target)?,
        }
        for folder in target.ancestors().skip(1).take_while(|folder| *folder != self.root) {
            // It is not empty, or somebody else was quicker: both end the way up.
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(true)
    }

    /// Makes the entries durable that lead from the root to the target.
    fn sync_folders(&self, target: &Path) -> io::Result<()> {
        for folder in target.ancestors().skip(1) {
            match sync_folder(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => outcome?,
            }
            if folder == self.root {
                break;
            }
        }
        Ok(())
    }

    fn failure(&self, operation: &'static str, blob: &BlobName, source: io::Error) -> ContainerError {
        let blob = blob.clone();
        match source.kind() {
            io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                let reason = "in a directory, one blob cannot be named like the folder of another";
                ContainerError::Name { container: self.container, blob, reason }
            }
            _ => ContainerError::Store { operation, container: self.container, blob, source: source.into() },
        }
    }
}

/// The version of the file that is there; `None`: there is none.
fn version_at(target: &Path) -> io::Result<Option<ETag>> {
    match std::fs::metadata(target) {
        Ok(metadata) => Ok(Some(etag_of(&metadata))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A time after every earlier stamp of this container. The lock file holds the last one, in microseconds since 1970.
fn next_stamp(lock: &mut File) -> io::Result<SystemTime> {
    let mut text = String::new();
    lock.read_to_string(&mut text)?;
    let last: u64 = text.trim().parse().unwrap_or(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
    let stamp = now.max(last.saturating_add(1));
    lock.rewind()?;
    // Sixteen digits until the year 2286, so that a stamp always covers the one before.
    lock.write_all(format!("{stamp:016}").as_bytes())?;
    Ok(UNIX_EPOCH + Duration::from_micros(stamp))
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

/// As `object_store` computes it (its `get_etag`); the conformance suite compares them.
fn etag_of(metadata: &Metadata) -> ETag {
    let since_epoch = metadata.modified().ok().and_then(|mtime| mtime.duration_since(UNIX_EPOCH).ok());
    let mtime = since_epoch.unwrap_or_default().as_micros();
    let text = format!("{:x}-{mtime:x}-{:x}", inode_of(metadata), metadata.len());
    ETag::new(text).expect("two hyphens make it a text that is not empty")
}

#[cfg(unix)]
fn inode_of(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode_of(_metadata: &Metadata) -> u64 {
    0
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows cannot open a folder to flush it.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
