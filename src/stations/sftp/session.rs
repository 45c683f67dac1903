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
use futures::stream::{self, StreamExt};
use ssh2::{ErrorCode, FileStat};
use tokio::sync::mpsc;

use super::error::SftpError;
use super::path::RemotePath;
use super::{LIST_LIMIT, READ_BYTES, RemoteBytes, RemoteFile, Sftp};

/// `LIBSSH2_ERROR_FILE`: how the crate says that a directory has no more entries.
const END_OF_DIRECTORY: i32 = -16;
// Status codes of SFTP version 3 (draft-ietf-secsh-filexfer-02, section 7), and two of later versions.
const NO_SUCH_FILE: i32 = 2;
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
            ErrorCode::SFTP(code) if !CONNECTION_CODES.contains(&code) => {
                SftpError::Operation { server, operation, path, source: source.into() }
            }
            _ => self.lost(operation, &path, source.into()),
        }
    }

    fn list(&self, directory: &RemotePath) -> Result<Vec<RemoteFile>, SftpError> {
        let mut handle =
            self.sftp().opendir(native(directory)).map_err(|error| self.failure("list", directory, error))?;
        let mut files = Vec::new();
        loop {
            let (name, stat) = match handle.readdir() {
                Ok(entry) => entry,
                Err(error) if error.code() == ErrorCode::Session(END_OF_DIRECTORY) => return Ok(files),
                Err(error) => return Err(self.failure("list", directory, error)),
            };
            let name = name.as_os_str().as_bytes();
            // A server names entries as it likes; one with a `/` would lead out of the directory.
            if name.is_empty() || name.contains(&b'/') || name == b"." || name == b".." {
                continue;
            }
            let Ok(path) = directory.join(name) else { continue };
            let found = if is_complete(&stat) { remote_file(&path, &stat) } else { self.stat(&path)? };
            files.extend(found);
            if files.len() > LIST_LIMIT {
                let server = self.server.clone();
                return Err(SftpError::TooManyFiles { server, path: directory.clone(), limit: LIST_LIMIT });
            }
        }
    }

    fn stat(&self, path: &RemotePath) -> Result<Option<RemoteFile>, SftpError> {
        match self.sftp().lstat(native(path)) {
            Ok(stat) if is_complete(&stat) => Ok(remote_file(path, &stat)),
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
    async fn list(&self, directory: &RemotePath) -> Result<Vec<RemoteFile>, SftpError> {
        self.call("list", directory, |connection, path| connection.list(path)).await
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
        Ok(stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|item| (item, receiver)) })
            .boxed())
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

fn native(path: &RemotePath) -> &Path {
    Path::new(OsStr::from_bytes(path.as_bytes()))
}

fn is_complete(stat: &FileStat) -> bool {
    stat.perm.is_some() && stat.size.is_some() && stat.mtime.is_some()
}

/// `None` for what is no regular file.
fn remote_file(path: &RemotePath, stat: &FileStat) -> Option<RemoteFile> {
    if !stat.is_file() {
        return None;
    }
    let modified = DateTime::from_timestamp(i64::try_from(stat.mtime?).ok()?, 0)?;
    Some(RemoteFile { path: path.clone(), size_bytes: stat.size?, modified })
}
