//! A small SFTP server for `millrace dev` and for tests: it plays the partner. One user, one directory, this machine
//! only. It knows nothing of feeds.
//!
//! [`session`] speaks SSH, [`requests`] answers the SFTP requests, [`root`] keeps every path inside the directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};
use russh::server::Server as _;
use russh::{MethodKind, MethodSet};
use thiserror::Error;
use tokio::net::TcpListener;

mod requests;
mod root;
mod session;

use crate::secret::Secret;
use root::Root;
use session::{Accounts, Login};

/// What a session may have under way before the client must wait for answers: a few of the 4 MiB that a fast client
/// asks for at once.
const WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// Messages that a channel may hold unread. While the server writes an answer it reads nothing, and a full channel stops
/// russh from sending that very answer: with its default of 100 a client that has many requests under way (OpenSSH: 64,
/// with a window adjustment for every 32 KiB in between) stops for ever in the middle of a file.
const UNREAD_MESSAGES: usize = 64 * 1024;

pub struct SftpServerOptions {
    /// What the client sees as `/`; created where it is missing.
    pub root: PathBuf,
    /// Must be a loopback address; port 0 takes any.
    pub address: SocketAddr,
    pub user: String,
    pub password: Secret,
    /// A key in OpenSSH's one-line form that may log in as well.
    pub public_key: Option<String>,
    /// The host's ed25519 key; created where it is missing, so that clients can pin it.
    pub host_key: PathBuf,
}

#[derive(Debug, Error)]
pub enum SftpServerError {
    #[error("address {address} is not this machine alone: the embedded SFTP server takes 127.0.0.1 or ::1")]
    NotLoopback { address: SocketAddr },
    #[error("address {address} cannot be listened on: stop what uses it, or choose another port")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("host key `{}` cannot be read or created", path.display())]
    HostKeyFile { path: PathBuf, source: io::Error },
    #[error("host key `{}` is no OpenSSH private key: delete it to have a new one made", path.display())]
    HostKey { path: PathBuf, source: russh::keys::ssh_key::Error },
    #[error("the client's public key is not in OpenSSH's form (`ssh-ed25519 AAAA…`)")]
    PublicKey { source: russh::keys::ssh_key::Error },
    #[error("directory `{}` cannot be served", path.display())]
    Root { path: PathBuf, source: io::Error },
}

/// A running server. Dropping it closes the socket and its connections.
pub struct SftpServer {
    address: SocketAddr,
    fingerprint: String,
    connections: tokio::task::JoinHandle<()>,
}

impl SftpServer {
    /// Opens the socket. Connections are served on the runtime that calls this.
    pub async fn start(options: SftpServerOptions) -> Result<SftpServer, SftpServerError> {
        let address = options.address;
        if !address.ip().is_loopback() {
            return Err(SftpServerError::NotLoopback { address });
        }
        let root =
            Root::open(&options.root).map_err(|source| SftpServerError::Root { path: options.root.clone(), source })?;
        let public_key = options.public_key.as_deref().map(PublicKey::from_openssh).transpose();
        let login = Login {
            user: options.user,
            password: options.password,
            public_key: public_key.map_err(|source| SftpServerError::PublicKey { source })?,
        };
        let key = host_key(&options.host_key)?;
        let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
        let listener =
            TcpListener::bind(address).await.map_err(|source| SftpServerError::Listen { address, source })?;
        let bound = listener.local_addr().map_err(|source| SftpServerError::Listen { address, source })?;
        let config = Arc::new(ssh_config(key));
        let mut accounts = Accounts::new(login, root);
        let connections = tokio::spawn(async move {
            if let Err(failure) = accounts.run_on_socket(config, &listener).await {
                tracing::error!(error = %failure, "the embedded SFTP server cannot accept connections any more");
            }
        });
        Ok(SftpServer { address: bound, fingerprint, connections })
    }

    /// With the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host key as clients pin it: `SHA256:…`, base64 without padding.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl Drop for SftpServer {
    fn drop(&mut self) {
        self.connections.abort();
    }
}

fn ssh_config(key: PrivateKey) -> russh::server::Config {
    russh::server::Config {
        methods: MethodSet::from(&[MethodKind::PublicKey, MethodKind::Password][..]),
        keys: vec![key],
        auth_rejection_time: Duration::from_secs(1),
        // Clients ask with "none" first, to learn the methods.
        auth_rejection_time_initial: Some(Duration::ZERO),
        window_size: WINDOW_BYTES,
        channel_buffer_size: UNREAD_MESSAGES,
        nodelay: true,
        ..russh::server::Config::default()
    }
}

fn host_key(path: &Path) -> Result<PrivateKey, SftpServerError> {
    let file_failed = |source| SftpServerError::HostKeyFile { path: path.to_owned(), source };
    let not_a_key = |source| SftpServerError::HostKey { path: path.to_owned(), source };
    match fs::read_to_string(path) {
        Ok(text) => PrivateKey::from_openssh(text).map_err(not_a_key),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).map_err(not_a_key)?;
            let text = key.to_openssh(LineEnding::LF).map_err(not_a_key)?;
            write_private(path, text.as_bytes()).map_err(file_failed)?;
            Ok(key)
        }
        Err(other) => Err(file_failed(other)),
    }
}

fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
