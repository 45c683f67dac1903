//! From an endpoint to a session by libssh2: reach the server, check its host key, and only then log in.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};
use ssh2::{ErrorCode, KeyboardInteractivePrompt, MethodType, Prompt, Session};

use super::endpoint::{Credential, EndpointLogin, SftpEndpoint};
use super::error::SftpError;
use super::offer::{NothingInCommon, nothing_in_common};
use super::session::SshSession;
use super::{Connector, Sftp};

const KEEPALIVE: Duration = Duration::from_secs(10);

/// Host keys by family. A server has one of several families and shows the first that we ask for, so a pinned key of
/// another family is found by asking again without the family that was shown.
const HOST_KEY_FAMILIES: [&str; 3] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521", "rsa-sha2-512,rsa-sha2-256,ssh-rsa"];

/// `LIBSSH2_ERROR_KEX_FAILURE`, `_KEY_EXCHANGE_FAILURE` and `_METHOD_NONE`: the two have nothing in common, as libssh2 says it
/// at one place or another.
const DISAGREEMENTS: [i32; 3] = [-5, -8, -17];

/// `LIBSSH2_ERROR_FILE`: what libssh2 answers to a private key that it cannot read.
const UNREADABLE_KEY: i32 = -16;

/// Opens real sessions.
#[derive(Clone, Copy, Debug)]
pub struct SshConnector {
    /// Until a server takes the connection.
    pub connect_timeout: Duration,
    /// For every single call, and for the wait for the next bytes of a file.
    pub call_timeout: Duration,
}

impl Default for SshConnector {
    fn default() -> Self {
        SshConnector { connect_timeout: Duration::from_secs(15), call_timeout: Duration::from_secs(30) }
    }
}

#[async_trait]
impl Connector for SshConnector {
    async fn connect(&self, endpoint: &SftpEndpoint) -> Result<Arc<dyn Sftp>, SftpError> {
        let (limits, endpoint) = (*self, endpoint.clone());
        let server = endpoint.server();
        match tokio::task::spawn_blocking(move || open(&endpoint, limits)).await {
            Ok(outcome) => outcome.map(|session| Arc::new(session) as Arc<dyn Sftp>),
            Err(source) => Err(SftpError::Connect { server, source: io::Error::other(source) }),
        }
    }
}

fn open(endpoint: &SftpEndpoint, limits: SshConnector) -> Result<SshSession, SftpError> {
    let (session, stream) = reach(endpoint, limits)?;
    log_in(&session, endpoint)?;
    // Not earlier: libssh2 would send one in the middle of the key exchange, which ends it.
    session.set_keepalive(true, KEEPALIVE.as_secs() as u32);
    let sftp = session.sftp().map_err(|source| SftpError::NoSftp {
        server: endpoint.server(),
        user: endpoint.user.clone(),
        source,
    })?;
    Ok(SshSession::new(endpoint.server(), sftp, stream))
}

/// A session with a server that has proved to hold one of the pinned keys.
fn reach(endpoint: &SftpEndpoint, limits: SshConnector) -> Result<(Session, TcpStream), SftpError> {
    let mut families = HOST_KEY_FAMILIES.to_vec();
    let mut first_mismatch = None;
    while !families.is_empty() {
        let stream = connect(endpoint, limits)?;
        let session = match shake_hands(endpoint, &stream, &families.join(","), limits) {
            Ok(session) => session,
            // The server has no key of the families that are left.
            Err(error) => return Err(first_mismatch.unwrap_or_else(|| explained(error, endpoint, limits))),
        };
        let offered = fingerprint(&session);
        if endpoint.host_keys.iter().any(|pinned| pinned.trim_end_matches('=') == offered) {
            return Ok((session, stream));
        }
        let shown = session.methods(MethodType::HostKey).unwrap_or_default().to_owned();
        first_mismatch.get_or_insert(SftpError::HostKey {
            server: endpoint.server(),
            feed: endpoint.feed.clone(),
            offered,
            pinned: endpoint.host_keys.clone(),
        });
        let families_before = families.len();
        families.retain(|family| !family.split(',').any(|method| method == shown));
        if families.len() == families_before {
            break;
        }
    }
    Err(first_mismatch.expect("the loop ends by itself only after a mismatch"))
}

/// A handshake that failed for want of a common algorithm is told with the server's offer.
fn explained(error: SftpError, endpoint: &SftpEndpoint, limits: SshConnector) -> SftpError {
    let is_disagreement = match &error {
        SftpError::Handshake { source, .. } => {
            DISAGREEMENTS.iter().any(|code| source.code() == ErrorCode::Session(*code))
        }
        _ => false,
    };
    if !is_disagreement {
        return error;
    }
    let asked = connect(endpoint, limits).ok().and_then(|stream| {
        stream.set_read_timeout(Some(limits.call_timeout)).ok()?;
        nothing_in_common(stream)
    });
    match asked {
        Some(NothingInCommon { kind, offered, ours }) => {
            SftpError::Algorithms { server: endpoint.server(), kind, offered, ours }
        }
        None => error,
    }
}

fn connect(endpoint: &SftpEndpoint, limits: SshConnector) -> Result<TcpStream, SftpError> {
    let failure = |source| SftpError::Connect { server: endpoint.server(), source };
    let addresses = (endpoint.host.as_str(), endpoint.port).to_socket_addrs().map_err(failure)?;
    let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, limits.connect_timeout) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(failure)?;
                return Ok(stream);
            }
            Err(error) => last_error = error,
        }
    }
    Err(failure(last_error))
}

fn shake_hands(
    endpoint: &SftpEndpoint,
    stream: &TcpStream,
    host_key_methods: &str,
    limits: SshConnector,
) -> Result<Session, SftpError> {
    let failure = |source| SftpError::Handshake { server: endpoint.server(), source };
    let mut session = Session::new().map_err(failure)?;
    session.set_timeout(limits.call_timeout.as_millis() as u32);
    session.method_pref(MethodType::HostKey, host_key_methods).map_err(failure)?;
    let stream = stream.try_clone().map_err(|source| SftpError::Connect { server: endpoint.server(), source })?;
    session.set_tcp_stream(stream);
    session.handshake().map_err(failure)?;
    Ok(session)
}

/// As OpenSSH prints it.
fn fingerprint(session: &Session) -> String {
    let key = session.host_key().map(|(key, _)| key).unwrap_or_default();
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

fn log_in(session: &Session, endpoint: &SftpEndpoint) -> Result<(), SftpError> {
    let user = endpoint.user.as_str();
    // Asking for the methods is itself a login attempt without a secret; a server that lets everybody in has no list.
    let accepted = session.auth_methods(user).unwrap_or_default().to_owned();
    if session.authenticated() {
        return Ok(());
    }
    let outcome = match &endpoint.login {
        EndpointLogin::Password(password) => log_in_by_password(session, user, password, &accepted),
        EndpointLogin::PrivateKey { key, passphrase } => {
            let text = key_text(key.secret.reveal());
            if let Some(reason) = objection_to_key(&text) {
                return Err(unusable_key(endpoint, reason));
            }
            session.userauth_pubkey_memory(user, None, &text, passphrase.as_ref().map(|secret| secret.secret.reveal()))
        }
    };
    outcome.map_err(|source| match (&endpoint.login, source.code()) {
        (EndpointLogin::PrivateKey { passphrase, .. }, ErrorCode::Session(UNREADABLE_KEY)) => {
            let reason = match passphrase {
                None => "it is damaged, or it is encrypted and the feed names no passphrase",
                Some(_) => "it is damaged, or the passphrase is not the right one",
            };
            unusable_key(endpoint, reason)
        }
        _ => SftpError::Login {
            server: endpoint.server(),
            user: endpoint.user.clone(),
            settings: endpoint.login.settings(),
            accepted: if accepted.is_empty() { "unknown".to_owned() } else { accepted.replace(',', ", ") },
            source: Box::new(source),
        },
    })
}

/// Many servers that take a password take it by keyboard-interactive only.
fn log_in_by_password(session: &Session, user: &str, password: &Credential, accepted: &str) -> Result<(), ssh2::Error> {
    let takes = |method: &str| accepted.is_empty() || accepted.split(',').any(|one| one == method);
    let mut outcome = None;
    if takes("password") {
        outcome = Some(session.userauth_password(user, password.secret.reveal()));
    }
    if !matches!(outcome, Some(Ok(()))) && takes("keyboard-interactive") {
        outcome = Some(session.userauth_keyboard_interactive(user, &mut SamePassword(password)));
    }
    outcome.unwrap_or_else(|| {
        let refused = ErrorCode::Session(LIBSSH2_ERROR_AUTHENTICATION_FAILED);
        Err(ssh2::Error::new(refused, "the server takes no passwords"))
    })
}

const LIBSSH2_ERROR_AUTHENTICATION_FAILED: i32 = -18;

/// Answers each hidden question with the password and each open one with nothing.
struct SamePassword<'a>(&'a Credential);

impl KeyboardInteractivePrompt for SamePassword<'_> {
    fn prompt(&mut self, _user: &str, _instructions: &str, prompts: &[Prompt<'_>]) -> Vec<String> {
        let answer = |prompt: &Prompt<'_>| {
            if prompt.echo { String::new() } else { self.0.secret.reveal().to_owned() }
        };
        prompts.iter().map(answer).collect()
    }
}

/// Settings often carry `\n` in two characters, and lose the last line end.
fn key_text(setting: &str) -> String {
    let mut text = setting.replace("\\n", "\n").replace("\r\n", "\n").trim().to_owned();
    text.push('\n');
    text
}

fn objection_to_key(text: &str) -> Option<&'static str> {
    if text.starts_with("PuTTY-User-Key-File") {
        return Some("it is a PuTTY key; convert it: puttygen key.ppk -O private-openssh");
    }
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") {
        return Some("it is a public key; the file without .pub holds the private one");
    }
    (!text.starts_with("-----BEGIN ")).then_some("it does not begin with `-----BEGIN`; paste the whole key file")
}

fn unusable_key(endpoint: &SftpEndpoint, reason: &'static str) -> SftpError {
    SftpError::PrivateKey {
        server: endpoint.server(),
        user: endpoint.user.clone(),
        settings: endpoint.login.settings(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_come_on_one_line() {
        let expected = "-----BEGIN X-----\nabc\n-----END X-----\n";
        for setting in
            ["-----BEGIN X-----\\nabc\\n-----END X-----", "\n-----BEGIN X-----\r\nabc\r\n-----END X-----\r\n"]
        {
            assert_eq!(key_text(setting), expected);
        }
    }

    #[test]
    fn what_is_no_private_key_is_named_for_what_it_is() {
        assert!(objection_to_key("PuTTY-User-Key-File-3: ssh-ed25519").unwrap().contains("puttygen"));
        assert!(objection_to_key("ssh-ed25519 AAAA").unwrap().contains("public key"));
        assert!(objection_to_key("/home/me/.ssh/id_rsa").unwrap().contains("-----BEGIN"));
        assert_eq!(objection_to_key("-----BEGIN OPENSSH PRIVATE KEY-----\n"), None);
    }
}
