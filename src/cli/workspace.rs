//! The folder in which `millrace dev` keeps everything.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(feature = "dev")]
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::settings::{EVENT_HUB_CONNECTION, EmbeddedSftp, LANDING_STORAGE, STAGING_SHARE, WAREHOUSE};

/// Where `dev` keeps its workspace, unless it is told otherwise.
pub const DEFAULT: &str = ".millrace";

/// How long a server on this machine may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// `dev`'s folder: storage, share, hub, warehouse, and what the stand-in host remembers.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Workspace { root: root.into() }
    }

    pub fn exists(&self) -> bool {
        self.root.is_dir()
    }

    /// The settings that name the four embedded ends.
    pub fn settings(&self) -> Vec<(String, String)> {
        vec![
            (LANDING_STORAGE.to_owned(), self.landing_storage()),
            (STAGING_SHARE.to_owned(), self.end("file:", "share")),
            (EVENT_HUB_CONNECTION.to_owned(), self.end("file:", "hub")),
            (WAREHOUSE.to_owned(), self.end("sqlite:", "warehouse.db")),
        ]
    }

    pub fn landing_storage(&self) -> String {
        self.end("file:", "storage")
    }

    fn end(&self, scheme: &str, name: &str) -> String {
        format!("{scheme}{}", self.root.join(name).display())
    }

    /// Where the embedded SFTP server keeps its host key.
    pub fn sftp_state(&self) -> PathBuf {
        self.root.join("sftp")
    }

    /// Where `dev` says how to reach its SFTP server while it runs.
    pub fn sftp_connection(&self) -> PathBuf {
        self.sftp_state().join("connection.json")
    }

    /// The connection as `dev` wrote it; `None` if nobody listens there: a `dev` that was killed leaves it behind.
    pub fn running_sftp(&self) -> Option<String> {
        let written = fs::read_to_string(self.sftp_connection()).ok()?;
        let EmbeddedSftp { host, port, .. } = serde_json::from_str(&written).ok()?;
        let mut addresses = (host.as_str(), port).to_socket_addrs().ok()?;
        addresses.any(|address| TcpStream::connect_timeout(&address, ANSWER_LIMIT).is_ok()).then_some(written)
    }
}

#[cfg(feature = "dev")]
impl Workspace {
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the stand-in host remembers: receipts, checkpoints, timers.
    pub fn host_state(&self) -> PathBuf {
        self.root.join("host")
    }
}
