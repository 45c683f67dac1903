//! A hub's description, and how one incarnation of a hub is told from the next.
//!
//! The description is `hub.json`: it is written last when a hub is made, so that a hub is there once it is there, and its
//! words differ from those of every earlier hub of this name. Whoever holds a hub open looks at them again before it uses
//! the files. `<root>/.hubs/` holds what outlives a hub: a lock for making and deleting it, and the time at which the
//! latest one was made, above which the next one's is put whatever the clock says.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::JournalError;
use super::partition::PartitionFiles;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    pub partitions: u32,
    pub created_on: DateTime<Utc>,
}

/// One hub from its making to its deletion.
#[derive(Clone, Debug)]
pub(super) struct Incarnation {
    path: PathBuf,
    /// hub.json, byte for byte.
    text: Vec<u8>,
    pub description: Description,
}

impl Incarnation {
    /// The hub that is there now, or a new one with so many partitions. Processes that come at once agree on one.
    pub fn open_or_make(
        root: &Path,
        hub: &str,
        partitions: u32,
        now: DateTime<Utc>,
    ) -> Result<Incarnation, JournalError> {
        let directory = root.join(hub);
        let memory = Memory::locked(root, hub)?;
        if let Some(found) = Incarnation::read(&directory)? {
            memory.keep_at_least(found.description.created_on)?;
            found.make_missing_partitions(&directory)?;
            return Ok(found);
        }
        fs::create_dir_all(&directory).map_err(failed(&directory))?;
        if has_events(&directory)? {
            return Err(JournalError::HalfDeleted { directory });
        }
        let now = now.trunc_subsecs(6);
        let after_the_latest = memory.latest()?.map(|latest| latest + TimeDelta::microseconds(1));
        let created_on = after_the_latest.map_or(now, |earliest| earliest.max(now));
        memory.keep_at_least(created_on)?;
        let description = Description { partitions, created_on };
        let text = serde_json::to_vec(&description).expect("two plain fields can be written as JSON");
        let path = directory.join("hub.json");
        write_whole(&path, &text)?;
        let made = Incarnation { path, text, description };
        made.make_missing_partitions(&directory)?;
        Ok(made)
    }

    /// Under the lock, and nowhere else: who still holds a deleted hub open must not lay files into the next one.
    fn make_missing_partitions(&self, directory: &Path) -> Result<(), JournalError> {
        for partition in 0..self.description.partitions {
            PartitionFiles::in_directory(directory, partition).make_where_missing()?;
        }
        Ok(())
    }

    /// `None` where no hub is.
    pub fn read(directory: &Path) -> Result<Option<Incarnation>, JournalError> {
        let path = directory.join("hub.json");
        let Some(text) = read_if_there(&path)? else { return Ok(None) };
        match serde_json::from_slice::<Description>(&text) {
            Ok(description) => Ok(Some(Incarnation { path, text, description })),
            Err(source) => Err(JournalError::Description { path, source }),
        }
    }

    /// Whether the hub is still this one.
    pub fn is_current(&self) -> Result<bool, JournalError> {
        Ok(read_if_there(&self.path)?.is_some_and(|text| text == self.text))
    }

    /// Finer than a microsecond is nothing that anybody keeps.
    pub fn created_on(&self) -> DateTime<Utc> {
        self.description.created_on.trunc_subsecs(6)
    }

    pub fn is_same(&self, other: &Incarnation) -> bool {
        self.text == other.text
    }
}

/// Takes a hub away at once, then its bytes. Nothing happens where there is none.
pub(super) fn delete(root: &Path, hub: &str) -> Result<(), JournalError> {
    let directory = root.join(hub);
    let memory = Memory::locked(root, hub)?;
    if let Some(found) = Incarnation::read(&directory)? {
        memory.keep_at_least(found.description.created_on)?;
    }
    let doomed = root.join(HUBS).join(format!("{hub}.deleted-{}", Uuid::new_v4().simple()));
    match fs::rename(&directory, &doomed) {
        Ok(()) => remove(&doomed),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(JournalError::File { path: directory, source }),
    }
}

/// Whoever was opening a file in there may finish doing so, and the directory is not empty then.
fn remove(doomed: &Path) -> Result<(), JournalError> {
    const ATTEMPTS: usize = 5;
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        outcome = fs::remove_dir_all(doomed);
        match &outcome {
            Err(failure) if failure.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            _ => break,
        }
    }
    outcome.map_err(failed(doomed))
}

/// No hub's name begins with a point.
const HUBS: &str = ".hubs";

/// What is known of a hub's name beyond its hubs. Held by one process at a time.
struct Memory {
    path: PathBuf,
    _lock: File,
}

impl Memory {
    fn locked(root: &Path, hub: &str) -> Result<Memory, JournalError> {
        let folder = root.join(HUBS);
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let lock_path = folder.join(format!("{hub}.lock"));
        let lock = File::create(&lock_path).map_err(failed(&lock_path))?;
        lock.lock().map_err(failed(&lock_path))?;
        Ok(Memory { path: folder.join(format!("{hub}.created")), _lock: lock })
    }

    /// When the latest hub of this name was made.
    fn latest(&self) -> Result<Option<DateTime<Utc>>, JournalError> {
        let text = read_if_there(&self.path)?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    fn keep_at_least(&self, created_on: DateTime<Utc>) -> Result<(), JournalError> {
        if self.latest()?.is_some_and(|latest| latest >= created_on) {
            return Ok(());
        }
        let text = serde_json::to_vec(&created_on).expect("a time can be written as JSON");
        write_whole(&self.path, &text)
    }
}

/// Whoever deletes a directory by hand deletes file by file; a hub made in between would begin with events of the old one.
fn has_events(directory: &Path) -> Result<bool, JournalError> {
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let path = entry.map_err(failed(directory))?.path();
        if path.extension().is_some_and(|end| end == "events") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, JournalError> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(JournalError::File { path: path.to_owned(), source }),
    }
}

/// Readers see the old file or the new one, and so does who comes after a power cut. One writer at a time.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), JournalError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    fs::write(&unfinished, bytes).map_err(failed(&unfinished))?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(failed(&unfinished))?;
    fs::rename(&unfinished, path).map_err(failed(path))?;
    let directory = path.parent().expect("every file of a journal is in a directory");
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed(directory))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::File { path: path.clone(), source }
}
