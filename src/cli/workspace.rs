//! The folder in which `millrace dev` keeps everything.

#[cfg(feature = "dev")]
use std::path::Path;
use std::path::PathBuf;

use crate::settings::{EVENT_HUB_CONNECTION, LANDING_STORAGE, STAGING_SHARE, WAREHOUSE};

/// Where `dev` keeps its workspace, unless it is told otherwise.
pub const DEFAULT: &str = ".millrace";

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
        let end = |scheme: &str, name: &str| format!("{scheme}{}", self.root.join(name).display());
        vec![
            (LANDING_STORAGE.to_owned(), end("file:", "storage")),
            (STAGING_SHARE.to_owned(), end("file:", "share")),
            (EVENT_HUB_CONNECTION.to_owned(), end("file:", "hub")),
            (WAREHOUSE.to_owned(), end("sqlite:", "warehouse.db")),
        ]
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

    /// Where the embedded SFTP server keeps its host key.
    pub fn sftp_state(&self) -> PathBuf {
        self.root.join("sftp")
    }
}
