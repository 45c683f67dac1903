//! A share of Azure Files over REST: what serves where a share cannot be mounted, as on the Flex Consumption plan.
//!
//! A file there has its whole size from the first moment on, so its size does not tell how much of it was written. Its name
//! does: a staged copy is called `<hash>.<incarnation>.<staged bytes>`, and after each block a rename says so many bytes more.
//!
//! The name never says too much. A copy is created once, under a new incarnation, a random number, and is only ever added
//! to, in the same places with the same bytes, whoever does it; the name that says `n` bytes is given only after they were
//! acknowledged. So two pulls of one file, a request that was given up and is carried out late, and a kill between any two
//! requests leave a name that is true, or one that says too little.
//!
//! [`files`] knows the requests; this file knows what they mean. The real service was never met by our tests; see
//! `tests/it/files_server`.

mod error;
mod files;
mod list;
mod name;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use self::error::AzureFilesError;
use self::files::{Done, Files, Found};
use self::name::CopyName;
use super::{Share, ShareError, StagedFile, StagedName};
use crate::stations::azure_storage::StorageAccount;

/// Copies that are remembered; only so that it is bounded, as no pull stages so many files at once.
const REMEMBERED_COPIES: usize = 4096;
/// How often a write begins anew because somebody else has renamed or removed the copy.
const WRITE_ATTEMPTS: usize = 4;

/// A directory of a share of Azure Files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureFilesLocation {
    /// Its endpoint is `https://acme.file.core.windows.net/`.
    pub account: StorageAccount,
    pub share: String,
    /// Below the share's root, from the outermost on; none: the root itself. Created where they are missing.
    pub directories: Vec<String>,
}

/// Staged copies on a share of Azure Files.
pub struct AzureFilesShare {
    files: Files,
    /// What this process has seen last of the copies that it works on. Somebody else may have changed it since, which the
    /// answers tell.
    seen: Mutex<HashMap<StagedName, CopyName>>,
}

impl AzureFilesShare {
    /// Asks for nothing.
    pub fn new(location: &AzureFilesLocation) -> Result<Self, ShareError> {
        match Files::new(location) {
            Ok(files) => Ok(AzureFilesShare { files, seen: Mutex::default() }),
            Err(source) => {
                let share = location.account.endpoint.join(&location.share);
                let share = share.map_or_else(|_| location.share.clone(), |url| url.to_string());
                Err(ShareError::AzureFiles { share, source: source.into() })
            }
        }
    }

    fn failure(&self, operation: &'static str, name: &StagedName, source: AzureFilesError) -> ShareError {
        ShareError::Store {
            operation,
            share: self.files.url().to_owned(),
            name: name.as_str().to_owned(),
            source: source.into(),
        }
    }

    /// Asks for the copy of which most is staged.
    async fn look(&self, name: &StagedName) -> Result<Option<CopyName>, AzureFilesError> {
        let found = self.files.list(Some(name)).await?;
        let best = found.into_iter().filter(Found::is_sound).map(|found| found.copy).max_by_key(|copy| copy.staged);
        self.remember(name, best.clone());
        Ok(best)
    }

    async fn seen_or_look(&self, name: &StagedName) -> Result<Option<CopyName>, AzureFilesError> {
        let seen = self.seen.lock().expect("no holder of the copies panics").get(name).cloned();
        match seen {
            Some(copy) => Ok(Some(copy)),
            None => self.look(name).await,
        }
    }

    fn remember(&self, name: &StagedName, copy: Option<CopyName>) {
        let mut seen = self.seen.lock().expect("no holder of the copies panics");
        match copy {
            Some(copy) => {
                if seen.len() >= REMEMBERED_COPIES {
                    seen.clear();
                }
                seen.insert(name.clone(), copy);
            }
            None => {
                seen.remove(name);
            }
        }
    }

    /// A copy of which nothing is staged, at its whole size.
    ///
    /// A try that was given up may yet be carried out, and make an empty file where something is staged by then. So the
    /// copy is called otherwise until one request on the way from its creation to its name was answered at once: then no
    /// late request leads there.
    async fn create(&self, name: &StagedName, whole_bytes: u64) -> Result<CopyName, AzureFilesError> {
        let mut copy = CopyName::new(name, Uuid::new_v4());
        let mut done = self.files.create(&copy, whole_bytes).await?;
        for _ in 0..WRITE_ATTEMPTS {
            if done == Done::Once {
                return Ok(copy);
            }
            let renamed = CopyName::new(name, Uuid::new_v4());
            done = self.files.rename(&copy, &renamed).await?.ok_or(AzureFilesError::Contended)?;
            copy = renamed;
        }
        Err(AzureFilesError::Unsettled)
    }

    async fn write(
        &self,
        name: &StagedName,
        offset: u64,
        bytes: &Bytes,
        whole_bytes: u64,
    ) -> Result<(), AzureFilesError> {
        let end = offset + bytes.len() as u64;
        if end > whole_bytes {
            return Err(AzureFilesError::BeyondTheEnd);
        }
        let mut copy = self.seen_or_look(name).await?;
        for _ in 0..WRITE_ATTEMPTS {
            let present = match copy {
                Some(copy) if offset <= copy.staged => copy,
                None if offset == 0 => self.create(name, whole_bytes).await?,
                _ => return Err(AzureFilesError::Hole),
            };
            if let Some(written) = self.write_to(&present, offset, bytes).await? {
                self.remember(name, Some(written));
                return Ok(());
            }
            copy = self.look(name).await?;
            if copy.as_ref().is_some_and(|copy| copy.staged >= end) {
                // Another pull of the same file was quicker, with the same bytes.
                return Ok(());
            }
        }
        Err(AzureFilesError::Contended)
    }

    /// `None`: there is no copy of that name any more.
    async fn write_to(&self, copy: &CopyName, offset: u64, bytes: &Bytes) -> Result<Option<CopyName>, AzureFilesError> {
        if self.files.put(copy, offset, bytes).await?.is_none() {
            return Ok(None);
        }
        let end = offset + bytes.len() as u64;
        if end <= copy.staged {
            return Ok(Some(copy.clone()));
        }
        let longer = copy.with_staged(end);
        let renamed = self.files.rename(copy, &longer).await?;
        Ok(renamed.map(|_| longer))
    }

    async fn read_range(&self, name: &StagedName, range: &Range<u64>) -> Result<Option<Bytes>, AzureFilesError> {
        let mut copy = self.seen_or_look(name).await?;
        for attempt in 0..2 {
            if let Some(present) = copy.filter(|copy| copy.staged >= range.end)
                && let Some(bytes) = self.files.get(&present, range).await?
            {
                return Ok(Some(bytes));
            }
            // What was seen may be old.
            copy = if attempt == 0 { self.look(name).await? } else { None };
        }
        Ok(None)
    }

    async fn remove(&self, name: &StagedName) -> Result<(), AzureFilesError> {
        self.remember(name, None);
        for found in self.files.list(Some(name)).await? {
            self.files.delete(&found.copy).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Share for AzureFilesShare {
    async fn length(&self, name: &StagedName) -> Result<Option<u64>, ShareError> {
        let copy = self.look(name).await.map_err(|source| self.failure("length", name, source))?;
        Ok(copy.map(|copy| copy.staged))
    }

    async fn write_at(&self, name: &StagedName, offset: u64, bytes: Bytes, whole_bytes: u64) -> Result<(), ShareError> {
        let written = self.write(name, offset, &bytes, whole_bytes).await;
        written.map_err(|source| self.failure("write", name, source))
    }

    async fn read(&self, name: &StagedName, range: Range<u64>) -> Result<Bytes, ShareError> {
        let bytes = self.read_range(name, &range).await.map_err(|source| self.failure("read", name, source))?;
        bytes.ok_or_else(|| ShareError::Gone { name: name.as_str().to_owned(), range })
    }

    /// What the service has acknowledged is durable.
    async fn sync(&self, _name: &StagedName) -> Result<(), ShareError> {
        Ok(())
    }

    async fn delete(&self, name: &StagedName) -> Result<(), ShareError> {
        self.remove(name).await.map_err(|source| self.failure("delete", name, source))
    }

    async fn list(&self) -> Result<Vec<StagedFile>, ShareError> {
        let failure = |source: AzureFilesError| ShareError::AzureFiles {
            share: self.files.url().to_owned(),
            source: source.into(),
        };
        Ok(staged(self.files.list(None).await.map_err(failure)?))
    }
}

/// One entry for each staged name, whatever copies there are of it.
fn staged(found: Vec<Found>) -> Vec<StagedFile> {
    let mut staged: HashMap<StagedName, StagedFile> = HashMap::new();
    for found in found {
        let size_bytes = if found.is_sound() { found.copy.staged } else { 0 };
        let (name, last_modified) = (found.copy.of, found.last_modified);
        let file = staged.entry(name.clone()).or_insert(StagedFile { name, size_bytes, last_modified });
        file.size_bytes = file.size_bytes.max(size_bytes);
        file.last_modified = file.last_modified.max(last_modified);
    }
    staged.into_values().collect()
}
