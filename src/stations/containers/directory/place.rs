//! Where a container's files are, and what the directory around them needs: folders, the lock, versions, durability.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use url::Url;

use crate::names::{BlobName, ETag};
use crate::stations::containers::ContainerError;

/// An unfinished upload of this age belongs to no process that still runs.
const ORPHAN_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
const UPLOADS: &str = ".uploads";

pub struct Place {
    pub container: &'static str,
    pub root: PathBuf,
    pub uploads: PathBuf,
    pub lock_file: PathBuf,
    /// Lets one task of this process at a time wait for the lock file, so that waiting never takes all threads.
    pub queue: tokio::sync::Mutex<()>,
}

impl Place {
    pub fn create(parent: &Path, container: &'static str) -> io::Result<Place> {
        std::fs::create_dir_all(parent.join(container))?;
        let place = Place::at(parent.join(container).canonicalize()?, parent, container);
        std::fs::create_dir_all(&place.uploads)?;
        Ok(place)
    }

    pub fn at(root: PathBuf, parent: &Path, container: &'static str) -> Place {
        let uploads = parent.join(UPLOADS).join(container);
        let lock_file = parent.join(UPLOADS).join(format!("{container}.lock"));
        Place { container, root, uploads, lock_file, queue: tokio::sync::Mutex::new(()) }
    }

    pub fn url(&self) -> io::Result<String> {
        let url = Url::from_file_path(&self.root);
        let url = url.map_err(|()| io::Error::new(io::ErrorKind::InvalidInput, "the path has no file: URL"))?;
        Ok(url.to_string())
    }

    pub fn remove_orphans(&self) -> io::Result<()> {
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
    pub fn rename_into(&self, from: &Path, target: &Path) -> io::Result<()> {
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
    pub fn remove_under_lock(&self, target: &Path, etag: &ETag) -> io::Result<bool> {
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
    pub fn sync_folders(&self, target: &Path) -> io::Result<()> {
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

    pub fn failure(&self, operation: &'static str, blob: &BlobName, source: io::Error) -> ContainerError {
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
pub fn version_at(target: &Path) -> io::Result<Option<ETag>> {
    match std::fs::metadata(target) {
        Ok(metadata) => Ok(Some(etag_of(&metadata))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A time after every earlier stamp of this container. The lock file holds the last one, in microseconds since 1970.
pub fn next_stamp(lock: &mut File) -> io::Result<SystemTime> {
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

/// As `object_store` computes it (its `get_etag`); the conformance suite compares them.
pub fn etag_of(metadata: &Metadata) -> ETag {
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
