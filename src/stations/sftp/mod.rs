//! The partner's server: what lies there, its bytes, and moving it out of the way once it has landed.
//!
//! Paths are raw bytes, since a server's file names need not be UTF-8. This module knows nothing of feeds' contents,
//! of landing or of records; it neither follows a link nor names a path with `..` in it, and it never overwrites.

mod client;
mod endpoint;
mod error;
mod offer;
mod path;
mod session;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;

pub use client::SshConnector;
pub use endpoint::{Credential, EndpointLogin, SftpEndpoint};
pub use error::SftpError;
pub use path::{BadRemotePath, RemotePath, printable};

/// libssh2 keeps as many reads under way as the caller's buffer has room for, so this size is what makes a transfer
/// fast over a long way: at 20 ms round trip 4 MiB read 30 times as fast as 32 KiB.
pub const READ_BYTES: usize = 4 * 1024 * 1024;

/// A regular file on a server, as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteFile {
    pub path: RemotePath,
    pub size_bytes: u64,
    /// In whole seconds: SFTP version 3 carries no fractions.
    pub modified: DateTime<Utc>,
}

impl RemoteFile {
    /// Whether the other look saw the same version of the same file.
    pub fn is_same_version(&self, other: &RemoteFile) -> bool {
        (self.size_bytes, self.modified) == (other.size_bytes, other.modified)
    }
}

/// What a server lists in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteEntry {
    File(RemoteFile),
    Directory(RemotePath),
    /// Never followed: it may lead anywhere, and in circles.
    Link(RemotePath),
    /// A device, a pipe, a socket.
    Special(RemotePath),
    /// The server gives it a name that leads out of the directory, or that no call can say.
    Refused(RefusedName),
}

/// A name that is shown and never used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedName {
    /// Fit to be printed.
    pub text: String,
    pub rule: &'static str,
}

/// A directory's entries, in pages of at most [`PAGE_ENTRIES`] and in no order. After an error nothing follows.
pub type RemotePages = BoxStream<'static, Result<Vec<RemoteEntry>, SftpError>>;

/// Entries of a directory that are in memory at a time.
pub const PAGE_ENTRIES: usize = 1_000;

/// The bytes of a file, in blocks of at most [`READ_BYTES`]. After an error nothing follows.
pub type RemoteBytes = BoxStream<'static, Result<Bytes, SftpError>>;

/// One session on a server. Calls on one session run one after the other. After an error of the connection
/// ([`SftpError::is_of_the_connection`]) the session is of no further use.
#[async_trait]
pub trait Sftp: Send + Sync {
    /// What lies directly in a directory, itself and its parent left out.
    async fn list(&self, directory: &RemotePath) -> Result<RemotePages, SftpError>;

    /// `None`: there is no regular file of this name (a link is none).
    async fn stat(&self, path: &RemotePath) -> Result<Option<RemoteFile>, SftpError>;

    /// Reads from `offset` to the end of the file as it is now, but at most one byte beyond `file.size_bytes`: that byte
    /// tells that the file has grown.
    async fn read(&self, file: &RemoteFile, offset: u64) -> Result<RemoteBytes, SftpError>;

    /// Gives a file another name, in the same directory or another; `Occupied` where the name is taken.
    async fn rename(&self, from: &RemotePath, to: &RemotePath) -> Result<(), SftpError>;

    async fn remove(&self, path: &RemotePath) -> Result<(), SftpError>;

    /// Creates a directory and those above it. That it is there already is fine.
    async fn create_directory(&self, path: &RemotePath) -> Result<(), SftpError>;
}

/// Opens sessions.
#[async_trait]
pub trait Connector: Send + Sync {
    async fn connect(&self, endpoint: &SftpEndpoint) -> Result<Arc<dyn Sftp>, SftpError>;
}
