//! A share that is a directory: a mounted Azure Files share, or any folder.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Share, ShareError, StagedFile, StagedName};
use crate::names::Sha256;

/// One file for each staged copy, named by its hash.
///
/// Its length is trusted: file systems in common use (ext4 in its ordered mode, XFS, SMB with Azure Files behind it)
/// extend a file after its data have been written, so that a power cut shortens it, and does not fill it with zeros.
#[derive(Clone, Debug)]
pub struct DirectoryShare {
    directory: PathBuf,
}

impl DirectoryShare {
    /// Creates the directory where it is missing.
    pub async fn open(directory: &Path) -> Result<DirectoryShare, ShareError> {
        match tokio::fs::create_dir_all(directory).await {
            Ok(()) => Ok(DirectoryShare { directory: directory.to_owned() }),
            Err(source) => Err(ShareError::Open { share: directory.display().to_string(), source: source.into() }),
        }
    }

    fn path(&self, name: &StagedName) -> PathBuf {
        self.directory.join(name.as_str())
    }

    /// Runs blocking work on one staged copy on a thread that may block.
    async fn on<T: Send + 'static>(
        &self,
        operation: &'static str,
        name: &StagedName,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, ShareError> {
        let path = self.path(name);
        let outcome = tokio::task::spawn_blocking(move || work(&path)).await.map_err(io::Error::other).flatten();
        outcome.map_err(|source| ShareError::Store {
            operation,
            share: self.directory.display().to_string(),
            name: name.as_str().to_owned(),
            source: source.into(),
        })
    }
}

/// Turns "there is no such file" into `None`.
fn if_there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Share for DirectoryShare {
    async fn length(&self, name: &StagedName) -> Result<Option<u64>, ShareError> {
        let metadata = self.on("length", name, |path| if_there(std::fs::metadata(path))).await?;
        Ok(metadata.map(|metadata| metadata.len()))
    }

    async fn write_at(&self, name: &StagedName, offset: u64, bytes: Bytes, whole_bytes: u64) -> Result<(), ShareError> {
        let write = move |path: &Path| {
            if offset + bytes.len() as u64 > whole_bytes {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the write would go beyond the file's end"));
            }
            let file = File::options().write(true).create(true).truncate(false).open(path)?;
            if offset > file.metadata()?.len() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the write would leave a hole"));
            }
            write_all_at(&file, &bytes, offset)
        };
        self.on("write", name, write).await
    }

    async fn read(&self, name: &StagedName, range: Range<u64>) -> Result<Bytes, ShareError> {
        let wanted = range.clone();
        let read = move |path: &Path| {
            let Some(file) = if_there(File::open(path))? else {
                return Ok(None);
            };
            let mut buffer = vec![0; (wanted.end - wanted.start) as usize];
            match read_exact_at(&file, &mut buffer, wanted.start) {
                Ok(()) => Ok(Some(Bytes::from(buffer))),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                Err(error) => Err(error),
            }
        };
        let bytes = self.on("read", name, read).await?;
        bytes.ok_or_else(|| ShareError::Gone { name: name.as_str().to_owned(), range })
    }

    async fn sync(&self, name: &StagedName) -> Result<(), ShareError> {
        self.on("sync", name, |path| File::open(path)?.sync_data()).await
    }

    async fn delete(&self, name: &StagedName) -> Result<(), ShareError> {
        self.on("delete", name, |path| if_there(std::fs::remove_file(path))).await.map(|_| ())
    }

    async fn list(&self) -> Result<Vec<StagedFile>, ShareError> {
        let directory = self.directory.clone();
        let listed = tokio::task::spawn_blocking(move || list(&directory)).await.map_err(io::Error::other).flatten();
        listed.map_err(|source| ShareError::Open { share: self.directory.display().to_string(), source: source.into() })
    }
}

/// Files that are not named by a hash are not ours: they are left alone.
fn list(directory: &Path) -> io::Result<Vec<StagedFile>> {
    let mut staged = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let Some(hash) = entry.file_name().into_string().ok().and_then(|name| Sha256::new(name).ok()) else {
            continue;
        };
        let Some(metadata) = if_there(entry.metadata())? else {
            continue;
        };
        let last_modified = metadata.modified()?.into();
        staged.push(StagedFile { name: StagedName(hash), size_bytes: metadata.len(), last_modified });
    }
    Ok(staged)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, Write};
    file.seek(io::SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek};
    file.seek(io::SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}
