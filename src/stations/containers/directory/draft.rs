//! A blob in the making: a file of its own that one rename under the container's lock makes a blob.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::blocking;
use super::place::{Place, etag_of, next_stamp, version_at};
use crate::names::{BlobName, ETag};
use crate::stations::containers::{Condition, ContainerError};

/// Whether a write must outlive a power cut, or only the death of the process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    PowerCut,
    Process,
}

/// A file below `.uploads/` that goes when it is dropped unpublished.
pub struct Draft {
    pub place: Arc<Place>,
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
    pub async fn begin(place: &Arc<Place>) -> io::Result<Draft> {
        let place = Arc::clone(place);
        blocking(move || {
            let path = place.uploads.join(uuid::Uuid::new_v4().to_string());
            let file = File::create_new(&path)?;
            Ok(Draft { place, path, file: Arc::new(file) })
        })
        .await
    }

    pub async fn append(&mut self, block: Bytes) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        blocking(move || (&*file).write_all(&block)).await
    }

    pub async fn publish(
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
        if condition.is_some_and(|condition| !condition.holds(present.as_ref())) {
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
