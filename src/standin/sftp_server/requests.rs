//! The SFTP requests of one session (version 3, draft-ietf-secsh-filexfer-02), answered one after the other from files
//! below the root. Links can be seen, but not made.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes, ReadDir};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::{Buf, BufMut};
use russh_sftp::protocol::{
    Attrs, Data, ExtendedReply, File as Entry, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode,
    Version,
};
use russh_sftp::server::{Handler, StatusReply};

use super::root::Root;

/// The largest read or write: a packet with it stays below the 256 KiB that every client takes.
const TRANSFER_LIMIT_BYTES: u32 = 255 * 1024;
const OPEN_LIMIT: usize = 1024;
/// Names in one answer to a `readdir`.
const NAMES_PER_ANSWER: usize = 100;

const POSIX_RENAME: &str = "posix-rename@openssh.com";
const LIMITS: &str = "limits@openssh.com";

pub(super) struct Requests {
    root: Root,
    open: HashMap<String, Open>,
    handles_given: u64,
}

enum Open {
    File(Arc<File>),
    Directory(Option<ReadDir>),
}

impl Requests {
    pub(super) fn new(root: Root) -> Self {
        Requests { root, open: HashMap::new(), handles_given: 0 }
    }

    fn keep(&mut self, id: u32, open: Open) -> Result<Handle, StatusReply> {
        if self.open.len() >= OPEN_LIMIT {
            return Err(StatusCode::Failure.with_message("too many open handles: close some"));
        }
        self.handles_given += 1;
        let handle = self.handles_given.to_string();
        self.open.insert(handle.clone(), open);
        Ok(Handle { id, handle })
    }

    fn file(&self, handle: &str) -> Result<Arc<File>, StatusReply> {
        match self.open.get(handle) {
            Some(Open::File(file)) => Ok(file.clone()),
            _ => Err(StatusCode::Failure.with_message("no file is open under this handle")),
        }
    }

    /// Runs blocking work with the root.
    async fn with_root<T: Send + 'static>(
        &self,
        work: impl FnOnce(Root) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StatusReply> {
        let root = self.root.clone();
        blocking(move || work(root)).await
    }
}

impl Handler for Requests {
    type Error = StatusReply;

    fn unimplemented(&self) -> StatusReply {
        StatusCode::OpUnsupported.into()
    }

    async fn init(&mut self, _version: u32, _extensions: HashMap<String, String>) -> Result<Version, StatusReply> {
        let mut version = Version::new();
        for extension in [POSIX_RENAME, LIMITS] {
            version.extensions.insert(extension.to_owned(), "1".to_owned());
        }
        Ok(version)
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        Ok(Name { id, files: vec![Entry::dummy(Root::normalised(&path))] })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        let metadata = self.with_root(move |root| fs::metadata(root.followed(&path)?)).await?;
        Ok(Attrs { id, attrs: FileAttributes::from(&metadata) })
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        let metadata = self.with_root(move |root| fs::symlink_metadata(root.entry(&path)?)).await?;
        Ok(Attrs { id, attrs: FileAttributes::from(&metadata) })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusReply> {
        let file = self.file(&handle)?;
        let metadata = blocking(move || file.metadata()).await?;
        Ok(Attrs { id, attrs: FileAttributes::from(&metadata) })
    }

    async fn setstat(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, StatusReply> {
        self.with_root(move |root| {
            let target = root.followed(&path)?;
            let must_write = attrs.size.is_some();
            set_attributes(&File::options().read(true).write(must_write).open(target)?, &attrs)
        })
        .await?;
        Ok(done(id))
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attrs: FileAttributes) -> Result<Status, StatusReply> {
        let file = self.file(&handle)?;
        blocking(move || set_attributes(&file, &attrs)).await?;
        Ok(done(id))
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusReply> {
        let entries = self.with_root(move |root| fs::read_dir(root.followed(&path)?)).await?;
        self.keep(id, Open::Directory(Some(entries)))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusReply> {
        let Some(Open::Directory(entries)) = self.open.get_mut(&handle) else {
            return Err(StatusCode::Failure.with_message("no directory is open under this handle"));
        };
        let Some(entries) = entries.take() else {
            return Err(StatusCode::Eof.into());
        };
        let (files, rest) = blocking(move || next_names(entries)).await?;
        self.open.insert(handle, Open::Directory(rest));
        if files.is_empty() { Err(StatusCode::Eof.into()) } else { Ok(Name { id, files }) }
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        flags: OpenFlags,
        _attributes: FileAttributes,
    ) -> Result<Handle, StatusReply> {
        let file = self
            .with_root(move |root| {
                let file = fs::OpenOptions::from(flags).open(root.followed(&filename)?)?;
                // Opening a directory to read succeeds on Unix, and only the reads would fail.
                if file.metadata()?.is_dir() { Err(ErrorKind::IsADirectory.into()) } else { Ok(file) }
            })
            .await?;
        self.keep(id, Open::File(Arc::new(file)))
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, StatusReply> {
        let file = self.file(&handle)?;
        let data = blocking(move || {
            let limit = len.min(TRANSFER_LIMIT_BYTES);
            let mut data = Vec::with_capacity(limit as usize);
            (&*file).seek(SeekFrom::Start(offset))?;
            (&*file).take(u64::from(limit)).read_to_end(&mut data)?;
            Ok(data)
        })
        .await?;
        if data.is_empty() && len > 0 { Err(StatusCode::Eof.into()) } else { Ok(Data { id, data }) }
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, StatusReply> {
        let file = self.file(&handle)?;
        blocking(move || {
            (&*file).seek(SeekFrom::Start(offset))?;
            (&*file).write_all(&data)
        })
        .await?;
        Ok(done(id))
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusReply> {
        match self.open.remove(&handle) {
            Some(_) => Ok(done(id)),
            None => Err(StatusCode::Failure.with_message("nothing is open under this handle")),
        }
    }

    /// Fails where the new name is taken, as version 3 wants it.
    async fn rename(&mut self, id: u32, oldpath: String, newpath: String) -> Result<Status, StatusReply> {
        self.with_root(move |root| {
            let (from, to) = (root.entry_below_top(&oldpath)?, root.entry_below_top(&newpath)?);
            if to.symlink_metadata().is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        })
        .await?;
        Ok(done(id))
    }

    async fn remove(&mut self, id: u32, filename: String) -> Result<Status, StatusReply> {
        self.with_root(move |root| fs::remove_file(root.entry_below_top(&filename)?)).await?;
        Ok(done(id))
    }

    async fn mkdir(&mut self, id: u32, path: String, _attributes: FileAttributes) -> Result<Status, StatusReply> {
        self.with_root(move |root| fs::create_dir(root.entry_below_top(&path)?)).await?;
        Ok(done(id))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, StatusReply> {
        self.with_root(move |root| fs::remove_dir(root.entry_below_top(&path)?)).await?;
        Ok(done(id))
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet, StatusReply> {
        match request.as_str() {
            LIMITS => Ok(Packet::ExtendedReply(ExtendedReply { id, data: limits() })),
            POSIX_RENAME => {
                let paths = two_texts(&data).ok_or(StatusCode::BadMessage)?;
                self.with_root(move |root| {
                    fs::rename(root.entry_below_top(&paths.0)?, root.entry_below_top(&paths.1)?)
                })
                .await?;
                Ok(Packet::Status(done(id)))
            }
            _ => Err(self.unimplemented()),
        }
    }
}

fn done(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: "Ok".to_owned(), language_tag: "en-US".to_owned() }
}

/// The answer to `limits@openssh.com`: packet, read, write, handles.
fn limits() -> Vec<u8> {
    let mut data = Vec::new();
    data.put_u64(256 * 1024);
    data.put_u64(u64::from(TRANSFER_LIMIT_BYTES));
    data.put_u64(u64::from(TRANSFER_LIMIT_BYTES));
    data.put_u64(OPEN_LIMIT as u64);
    data
}

fn two_texts(mut data: &[u8]) -> Option<(String, String)> {
    let mut next = || {
        let length = data.try_get_u32().ok()? as usize;
        let (text, rest) = data.split_at_checked(length)?;
        data = rest;
        String::from_utf8(text.to_vec()).ok()
    };
    Some((next()?, next()?))
}

/// Some names, and what is left to read; `None`: that was all.
fn next_names(mut entries: ReadDir) -> io::Result<(Vec<Entry>, Option<ReadDir>)> {
    let mut names = Vec::new();
    while names.len() < NAMES_PER_ANSWER {
        let Some(entry) = entries.next() else {
            return Ok((names, None));
        };
        let entry = entry?;
        match (entry.file_name().into_string(), entry.metadata()) {
            (Ok(name), Ok(metadata)) => names.push(Entry::new(name, FileAttributes::from(&metadata))),
            // Removed between the list and the look.
            (Ok(_), Err(_)) => {}
            (Err(name), _) => tracing::warn!(?name, "name is not UTF-8 and is not shown to SFTP clients"),
        }
    }
    Ok((names, Some(entries)))
}

fn set_attributes(file: &File, attributes: &FileAttributes) -> io::Result<()> {
    if let Some(size) = attributes.size {
        file.set_len(size)?;
    }
    #[cfg(unix)]
    if let Some(mode) = attributes.permissions {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode & 0o777);
        file.set_permissions(permissions)?;
    }
    if let (Some(accessed), Some(modified)) = (attributes.atime, attributes.mtime) {
        let at = |seconds: u32| UNIX_EPOCH + Duration::from_secs(u64::from(seconds));
        file.set_times(FileTimes::new().set_accessed(at(accessed)).set_modified(at(modified)))?;
    }
    Ok(())
}

fn status_of(failure: &io::Error) -> StatusReply {
    let code = match failure.kind() {
        ErrorKind::NotFound => StatusCode::NoSuchFile,
        ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        _ => StatusCode::Failure,
    };
    code.with_message(failure.to_string())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, StatusReply> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(|failure| status_of(&failure)),
        Err(_) => Err(StatusCode::Failure.with_message("the request ended in a fault of the server")),
    }
}
