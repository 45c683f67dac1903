//! Where a source's server is, how it proves itself, and how we log in: the declaration of a source with its secrets
//! filled in, or the embedded server in its place.

use std::fmt;

use crate::names::FeedName;
use crate::secret::Secret;

#[derive(Clone, Debug)]
pub struct SftpEndpoint {
    /// The feed that declares the source; error messages name it.
    pub feed: FeedName,
    pub host: String,
    pub port: u16,
    pub user: String,
    /// `SHA256:…` fingerprints, as OpenSSH prints them. One of them must be the server's.
    pub host_keys: Vec<String>,
    pub login: EndpointLogin,
    /// Absolute path of the directory to look in.
    pub directory: String,
}

#[derive(Clone, Debug)]
pub enum EndpointLogin {
    Password(Credential),
    /// An OpenSSH or PEM private key as text; `\n` in two characters may stand for its line ends.
    PrivateKey {
        key: Credential,
        passphrase: Option<Credential>,
    },
}

/// A secret, and the setting it comes from, for messages.
#[derive(Clone, Debug)]
pub struct Credential {
    pub setting: String,
    pub secret: Secret,
}

impl SftpEndpoint {
    /// `host:port`, as messages name the server.
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl EndpointLogin {
    /// By what it is: a password or a private key.
    pub fn kind(&self) -> &'static str {
        match self {
            EndpointLogin::Password(_) => "password",
            EndpointLogin::PrivateKey { .. } => "private key",
        }
    }

    /// The settings to look at when a login fails.
    pub fn settings(&self) -> String {
        match self {
            EndpointLogin::Password(password) => format!("`{}`", password.setting),
            EndpointLogin::PrivateKey { key, passphrase: None } => format!("`{}`", key.setting),
            EndpointLogin::PrivateKey { key, passphrase: Some(passphrase) } => {
                format!("`{}` (passphrase: `{}`)", key.setting, passphrase.setting)
            }
        }
    }
}

impl fmt::Display for SftpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sftp://{}@{}:{}{}", self.user, self.host, self.port, self.directory)
    }
}
