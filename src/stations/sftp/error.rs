//! What can go wrong with a server, said so that the reader knows whom to call.

use thiserror::Error;

use super::path::RemotePath;
use crate::names::FeedName;
use crate::stations::Disposition;

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Error)]
pub enum SftpError {
    #[error("server {server} cannot be reached: check host and port in the feed's url, and the firewalls on the way")]
    Connect { server: String, source: std::io::Error },

    #[error("server {server} was reached, but the SSH handshake failed: does SSH answer at this port?")]
    Handshake { server: String, source: ssh2::Error },

    #[error(
        "server {server} offers no {kind} that we know; it offers: {offered}; ask the partner to allow one of: {ours}"
    )]
    Algorithms { server: String, kind: &'static str, offered: String, ours: String },

    #[error(
        "host key of {server} is {offered}, which feed `{feed}` does not pin; if the partner confirms the change, add \
         it: host_key = [{}]",
        to_pin(offered, pinned)
    )]
    HostKey { server: String, feed: FeedName, offered: String, pinned: Vec<String> },

    #[error("private key in setting {settings} cannot be used for {user}@{server}: {reason}")]
    PrivateKey { server: String, user: String, settings: String, reason: &'static str },

    #[error(
        "server {server} refused the login of `{user}` (it takes: {accepted}): check the user in the feed's url and \
         the secret in setting {settings}"
    )]
    Login { server: String, user: String, settings: String, accepted: String, source: Box<ssh2::Error> },

    #[error("server {server} let `{user}` in, but offers no SFTP")]
    NoSftp { server: String, user: String, source: ssh2::Error },

    #[error("{operation} of `{path}` on {server} failed")]
    Operation { server: String, operation: &'static str, path: RemotePath, source: Source },

    #[error("`{path}` on {server} is gone")]
    Gone { server: String, path: RemotePath },

    #[error("`{path}` on {server} exists already, and is not overwritten")]
    Occupied { server: String, path: RemotePath },

    #[error(
        "server {server} does not let this account do that: {operation} of `{path}`; ask the partner for the right to it"
    )]
    Denied { server: String, operation: &'static str, path: RemotePath },

    #[error("connection to {server} was lost during {operation} of `{path}`")]
    Lost { server: String, operation: &'static str, path: RemotePath, source: Source },
}

fn to_pin(offered: &str, pinned: &[String]) -> String {
    let keys: Vec<String> =
        std::iter::once(offered).chain(pinned.iter().map(String::as_str)).map(|key| format!("\"{key}\"")).collect();
    keys.join(", ")
}

impl SftpError {
    /// Always `Retry`: a pull writes no dead letters, since the file is still at its source. What a person must mend
    /// (a host key, a secret) works at the first tick after it is mended.
    pub fn disposition(&self) -> Disposition {
        Disposition::Retry
    }

    /// Whether the session is of no further use.
    pub fn is_of_the_connection(&self) -> bool {
        match self {
            SftpError::Connect { .. }
            | SftpError::Handshake { .. }
            | SftpError::Algorithms { .. }
            | SftpError::HostKey { .. }
            | SftpError::PrivateKey { .. }
            | SftpError::Login { .. }
            | SftpError::NoSftp { .. }
            | SftpError::Lost { .. } => true,
            SftpError::Operation { .. }
            | SftpError::Gone { .. }
            | SftpError::Occupied { .. }
            | SftpError::Denied { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_host_key_comes_with_the_line_to_pin() {
        let error = SftpError::HostKey {
            server: "sftp.example.com:22".into(),
            feed: FeedName::new("flights").unwrap(),
            offered: "SHA256:new".into(),
            pinned: vec!["SHA256:old".into()],
        };
        assert_eq!(
            error.to_string(),
            "host key of sftp.example.com:22 is SHA256:new, which feed `flights` does not pin; if the partner confirms \
             the change, add it: host_key = [\"SHA256:new\", \"SHA256:old\"]"
        );
    }
}
