//! What the host remembers between runs, as the real one does in its storage account: receipts, tries, the poison list,
//! timer status and checkpoints, each a small JSON file. Losing one means that something is delivered again, which every
//! handler must bear: nothing here is synced, and a file that cannot be read counts as missing.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum StateError {
    #[error("host state `{}` cannot be used: check that the directory is writable", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("host state `{}` is in use by another host: stop it, or name another directory", path.display())]
    InUse { path: PathBuf },
}

pub(super) struct State {
    root: PathBuf,
}

/// Held as long as the host lives: its directory serves no other.
pub(super) struct StateLock {
    _file: File,
}

impl State {
    pub(super) fn open(root: &Path) -> Result<(State, StateLock), StateError> {
        let failed = |source| StateError::File { path: root.to_owned(), source };
        fs::create_dir_all(root).map_err(failed)?;
        let lock = File::create(root.join("host.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok((State { root: root.to_owned() }, StateLock { _file: lock })),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse { path: root.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let path = self.path(name);
        match tokio::fs::read(&path).await {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::File { path, source }),
        }
    }

    pub(super) async fn has(&self, name: &str) -> Result<bool, StateError> {
        let path = self.path(name);
        tokio::fs::try_exists(&path).await.map_err(|source| StateError::File { path, source })
    }

    /// Replaces a record as a whole. One record has one writer at a time.
    pub(super) async fn put<T: Serialize>(&self, name: &str, record: &T) -> Result<(), StateError> {
        let path = self.path(name);
        let text = serde_json::to_vec(record).expect("records are plain data, which can always be written as JSON");
        let written = tokio::task::spawn_blocking(move || {
            let outcome = replace(&path, &text);
            outcome.map_err(|source| StateError::File { path, source })
        });
        written.await.expect("writing a file does not panic")
    }

    pub(super) async fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.path(name);
        match tokio::fs::remove_file(&path).await {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(StateError::File { path, source }),
            _ => Ok(()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.json"))
    }
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    match fs::write(&unfinished, text) {
        Err(missing) if missing.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            fs::write(&unfinished, text)?;
        }
        written => written?,
    }
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_record_is_there_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (state, _lock) = State::open(folder.path()).unwrap();
        assert_eq!(state.get::<u32>("tries/a/b").await.unwrap(), None);
        state.put("tries/a/b", &3).await.unwrap();
        assert_eq!(state.get::<u32>("tries/a/b").await.unwrap(), Some(3));
        assert!(state.has("tries/a/b").await.unwrap());
        state.remove("tries/a/b").await.unwrap();
        state.remove("tries/a/b").await.unwrap();
        assert!(!state.has("tries/a/b").await.unwrap());
    }

    #[tokio::test]
    async fn a_record_cut_short_counts_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let (state, _lock) = State::open(folder.path()).unwrap();
        fs::write(folder.path().join("checkpoint.json"), "").unwrap();
        assert_eq!(state.get::<u32>("checkpoint").await.unwrap(), None);
    }

    #[test]
    fn one_directory_serves_one_host() {
        let folder = tempfile::tempdir().unwrap();
        let _first = State::open(folder.path()).unwrap();
        assert!(matches!(State::open(folder.path()), Err(StateError::InUse { .. })));
    }
}
