//! One session by libssh2, which blocks: every call runs on a thread that may block, and each has a timeout.

use std::ffi::OsStr;
use std::io::{Read, Seek, SeekFrom};
use std::net::{Shutdown, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::stream::{self, BoxStream, StreamExt};
use ssh2::{ErrorCode, FileStat};
use tokio::sync::mpsc;

use super::error::SftpError;
use super::path::{RemotePath, printable};
use super::{PAGE_ENTRIES, READ_BYTES, RefusedName, RemoteBytes, RemoteEntry, RemoteFile, RemotePages, Sftp};

/// `LIBSSH2_ERROR_FILE`: how the crate says that a directory has no more entries.
const END_OF_DIRECTORY: i32 = -16;
// Status codes of SFTP version 3 (draft-ietf-secsh-filexfer-02, section 7), and two of later versions.
const NO_SUCH_FILE: i32 = 2;
const PERMISSION_DENIED: i32 = 3;
const NO_SUCH_PATH: i32 = 10;
const ALREADY_EXISTS: i32 = 11;
const CONNECTION_CODES: [i32; 2] = [6, 7];

/// New directories are for us and for whoever shares the account's group; the server's umask may take away more.
const DIRECTORY_MODE: i32 = 0o775;

pub(super) struct SshSession {
    connection: Arc<Connection>,
}

struct Connection {
    server: String,
    /// Taken when the session is dropped: closing it talks to the server and must not block a thread of the runtime.
    sftp: Option<ssh2::Sftp>,
    stream: TcpStream,
    is_lost: AtomicBool,
}

impl SshSession {
    pub fn new(server: String, sftp: ssh2::Sftp, stream: TcpStream) -> Self {
        let connection = Connection { server, sftp: Some(sftp), stream, is_lost: AtomicBool::new(false) };
        SshSession { connection: Arc::new(connection) }
    }

    async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        path: &RemotePath,
        work: impl FnOnce(&Connection, &RemotePath) -> Result<T, SftpError> + Send + 'static,
    ) -> Result<T, SftpError> {
        let connection = Arc::clone(&self.connection);
        let subject = path.clone();
        let outcome = tokio::task::spawn_blocking(move || work(&connection, &subject)).await;
        outcome.unwrap_or_else(|panic| Err(self.connection.lost(operation, path, panic.into())))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_lost.load(Ordering::Relaxed) {
            // Nobody waits for an answer that will not come.
            let _ = self.stream.shutdown(Shutdown::Both);
        }
        let sftp = self.sftp.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(sftp));
        }
    }
}

impl Connection {
    fn sftp(&self) -> &ssh2::Sftp {
        self.sftp.as_ref().expect("only `drop` takes it")
    }

    fn lost(
        &self,
        operation: &'static str,
        path: &RemotePath,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> SftpError {
        self.is_lost.store(true, Ordering::Relaxed);
        SftpError::Lost { server: self.server.clone(), operation, path: path.clone(), source }
    }

    /// What the server says about a file is an error of the operation; everything else is one of the connection.
    fn failure(&self, operation: &'static str, path: &RemotePath, source: ssh2::Error) -> SftpError {
        let server = self.server.clone();
        let path = path.clone();
        match source.code() {
            ErrorCode::SFTP(NO_SUCH_FILE | NO_SUCH_PATH) => SftpError::Gone { server, path },
            ErrorCode::SFTP(ALREADY_EXISTS) => SftpError::Occupied { server, path },
            ErrorCode::SFTP(PERMISSION_DENIED) => SftpError::Denied { server, operation, path },
            ErrorCode::SFTP(code) if !CONNECTION_CODES.contains(&code) => {
                SftpError::Operation { server, operation, path, source: source.into() }
            }
            _ => self.lost(operation, &path, source.into()),
        }
    }

    fn list(
        &self,
        directory: &RemotePath,
        sender: &mpsc::Sender<Result<Vec<RemoteEntry>, SftpError>>,
    ) -> Result<(), SftpError> {
        let mut handle =
            self.sftp().opendir(native(directory)).map_err(|error| self.failure("list", directory, error))?;
        loop {
            let page = self.next_page(directory, &mut handle)?;
            let is_last = page.len() < PAGE_ENTRIES;
            // Nobody listens any more: the list was given up.
            if sender.blocking_send(Ok(page)).is_err() || is_last {
                return Ok(());
            }
        }
    }

    /// The next entries; fewer than a page means that these were the last.
    fn next_page(&self, directory: &RemotePath, handle: &mut ssh2::File) -> Result<Vec<RemoteEntry>, SftpError> {
        let mut page = Vec::new();
        while page.len() < PAGE_ENTRIES {
            let (name, stat) = match handle.readdir() {
                Ok(entry) => entry,
                Err(error) if error.code() == ErrorCode::Session(END_OF_DIRECTORY) => break,
                Err(error) => return Err(self.failure("list", directory, error)),
            };
            let name = name.as_os_str().as_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            match directory.entry(name) {
                Ok(path) => page.extend(self.entry(path, stat)?),
                Err(rule) => {
                    page.push(RemoteEntry::Refused(RefusedName { text: printable(name), rule }));
                }
            }
        }
        Ok(page)
    }

    /// `None`: it went away while it was looked at.
    fn entry(&self, path: RemotePath, listed: FileStat) -> Result<Option<RemoteEntry>, SftpError> {
        // Some servers tell the rest only to those who ask.
        let stat = if tells_enough(&listed) { Some(listed) } else { self.attributes(&path)? };
        Ok(stat.map(|stat| remote_entry(path, &stat)))
    }

    fn stat(&self, path: &RemotePath) -> Result<Option<RemoteFile>, SftpError> {
        Ok(self.attributes(path)?.and_then(|attributes| remote_file(path, &attributes)))
    }

    /// Of the entry itself, where it is a link too; `None`: it is not there.
    fn attributes(&self, path: &RemotePath) -> Result<Option<FileStat>, SftpError> {
        match self.sftp().lstat(native(path)) {
            Ok(stat) if tells_enough(&stat) => Ok(Some(stat)),
            Ok(_) => Err(SftpError::Operation {
                server: self.server.clone(),
                operation: "stat",
                path: path.clone(),
                source: "the server tells no type, size or time of its files; without them no version can be told"
                    .into(),
            }),
            Err(error) => match self.failure("stat", path, error) {
                SftpError::Gone { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    fn read(
        &self,
        file: &RemoteFile,
        offset: u64,
        sender: &mpsc::Sender<Result<Bytes, SftpError>>,
    ) -> Result<(), SftpError> {
        let failure = |error| self.failure("read", &file.path, error);
        let mut handle = self.sftp().open(native(&file.path)).map_err(failure)?;
        if offset > 0 {
            handle.seek(SeekFrom::Start(offset)).map_err(|error| self.lost("read", &file.path, error.into()))?;
        }
        let mut left = (file.size_bytes + 1).saturating_sub(offset);
        while left > 0 {
            let wanted = left.min(READ_BYTES as u64) as usize;
            let mut block = vec![0; wanted];
            let mut filled = 0;
            while filled < wanted {
                match handle.read(&mut block[filled..]) {
                    Ok(0) => break,
                    Ok(read) => filled += read,
                    Err(error) => return Err(self.lost("read", &file.path, error.into())),
                }
            }
            block.truncate(filled);
            left -= filled as u64;
            let is_at_end = filled < wanted;
            // Nobody listens any more: the transfer was given up.
            if filled > 0 && sender.blocking_send(Ok(Bytes::from(block))).is_err() {
                return Ok(());
            }
            if is_at_end {
                break;
            }
        }
        Ok(())
    }

    fn rename(&self, from: &RemotePath, to: &RemotePath) -> Result<(), SftpError> {
        let occupied = || SftpError::Occupied { server: self.server.clone(), path: to.clone() };
        // Version 3 lets a server overwrite, and some do.
        if self.exists(to)? {
            return Err(occupied());
        }
        match self.sftp().rename(native(from), native(to), Some(ssh2::RenameFlags::empty())) {
            Ok(()) => Ok(()),
            Err(error) => match self.failure("rename", from, error) {
                // OpenSSH says "failure" to a name that was taken in the meantime.
                error @ SftpError::Operation { .. } => {
                    if self.exists(to)? {
                        Err(occupied())
                    } else {
                        Err(error)
                    }
                }
                error => Err(error),
            },
        }
    }

    fn remove(&self, path: &RemotePath) -> Result<(), SftpError> {
        self.sftp().unlink(native(path)).map_err(|error| self.failure("remove", path, error))
    }

    fn create_directory(&self, path: &RemotePath) -> Result<(), SftpError> {
        if self.exists(path)? {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.create_directory(&parent)?;
        }
        match self.sftp().mkdir(native(path), DIRECTORY_MODE) {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = self.failure("creation", path, error);
                if !error.is_of_the_connection() && self.exists(path)? { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Whether anything has this name, a directory or a link too.
    fn exists(&self, path: &RemotePath) -> Result<bool, SftpError> {
        match self.sftp().lstat(native(path)) {
            Ok(_) => Ok(true),
            Err(error) => match self.failure("stat", path, error) {
                SftpError::Gone { .. } => Ok(false),
                error => Err(error),
            },
        }
    }
}

#[async_trait]
impl Sftp for SshSession {
    async fn list(&self, directory: &RemotePath) -> Result<RemotePages, SftpError> {
        // One page is being filled, one waits here, one is with the caller.
        let (sender, receiver) = mpsc::channel(1);
        let connection = Arc::clone(&self.connection);
        let directory = directory.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = connection.list(&directory, &sender) {
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok(received(receiver))
    }

    async fn stat(&self, path: &RemotePath) -> Result<Option<RemoteFile>, SftpError> {
        self.call("stat", path, |connection, path| connection.stat(path)).await
    }

    async fn read(&self, file: &RemoteFile, offset: u64) -> Result<RemoteBytes, SftpError> {
        // One block is being filled, one waits here, one is with the caller.
        let (sender, receiver) = mpsc::channel(1);
        let connection = Arc::clone(&self.connection);
        let file = file.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = connection.read(&file, offset, &sender) {
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok(received(receiver))
    }

    async fn rename(&self, from: &RemotePath, to: &RemotePath) -> Result<(), SftpError> {
        let to = to.clone();
        self.call("rename", from, move |connection, from| connection.rename(from, &to)).await
    }

    async fn remove(&self, path: &RemotePath) -> Result<(), SftpError> {
        self.call("remove", path, |connection, path| connection.remove(path)).await
    }

    async fn create_directory(&self, path: &RemotePath) -> Result<(), SftpError> {
        self.call("creation", path, |connection, path| connection.create_directory(path)).await
    }
}

fn received<T: Send + 'static>(receiver: mpsc::Receiver<T>) -> BoxStream<'static, T> {
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|item| (item, receiver)) }).boxed()
}

fn native(path: &RemotePath) -> &Path {
    Path::new(OsStr::from_bytes(path.as_bytes()))
}

/// What it is; and of a file, which version.
fn tells_enough(stat: &FileStat) -> bool {
    stat.perm.is_some() && (!stat.is_file() || (stat.size.is_some() && stat.mtime.is_some()))
}

fn remote_entry(path: RemotePath, stat: &FileStat) -> RemoteEntry {
    match remote_file(&path, stat) {
        Some(file) => RemoteEntry::File(file),
        None if stat.is_dir() => RemoteEntry::Directory(path),
        None if stat.file_type().is_symlink() => RemoteEntry::Link(path),
        None => RemoteEntry::Special(path),
    }
}

/// `None` for what is no regular file.
fn remote_file(path: &RemotePath, stat: &FileStat) -> Option<RemoteFile> {
    if !stat.is_file() {
        return None;
    }
    let modified = DateTime::from_timestamp(i64::try_from(stat.mtime?).ok()?, 0)?;
    Some(RemoteFile { path: path.clone(), size_bytes: stat.size?, modified })
}
