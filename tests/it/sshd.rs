//! OpenSSH's own server on a free port of this machine, with a host key, a user key and a directory of its own.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millrace::names::FeedName;
use millrace::secret::Secret;
use millrace::stations::sftp::{Credential, EndpointLogin, SftpEndpoint};

const SSHD: &str = "/usr/sbin/sshd";
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running server. It ends when this is dropped.
pub struct Sshd {
    process: Child,
    pub port: u16,
    /// `SHA256:…` of the host keys, by the names of [`HOST_KEY_TYPES`].
    pub host_keys: Vec<String>,
    /// The text of a private key that may log in.
    pub user_key: String,
    /// The same key, encrypted with [`PASSPHRASE`].
    pub encrypted_user_key: String,
    directory: tempfile::TempDir,
}

pub const HOST_KEY_TYPES: [&str; 3] = ["ed25519", "ecdsa", "rsa"];
pub const PASSPHRASE: &str = "open sesame";

impl Sshd {
    /// `None`, said loudly, where OpenSSH's server is not installed.
    pub fn start() -> Option<Sshd> {
        Sshd::start_with("internal-sftp", "")
    }

    /// One with lines of its own in its configuration.
    pub fn start_configured(lines: &str) -> Option<Sshd> {
        Sshd::start_with("internal-sftp", lines)
    }

    /// One whose account may read and do nothing else.
    pub fn start_read_only() -> Option<Sshd> {
        Sshd::start_with("internal-sftp -R", "")
    }

    /// One that lists its files and opens none.
    pub fn start_that_opens_nothing() -> Option<Sshd> {
        Sshd::start_with("internal-sftp -P open", "")
    }

    fn start_with(subsystem: &str, lines: &str) -> Option<Sshd> {
        if !Path::new(SSHD).exists() {
            eprintln!("SKIPPED: there is no {SSHD}. To run this test: apt-get install openssh-server");
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        // Other accounts than ours may log in, too.
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("permissions");
        let at = |name: &str| directory.path().join(name);
        let host_keys = HOST_KEY_TYPES.map(|kind| make_key(&at(&format!("host_{kind}")), kind)).to_vec();
        make_key(&at("user"), "ed25519");
        std::fs::copy(at("user.pub"), at("authorized_keys")).expect("authorized_keys");
        let user_key = std::fs::read_to_string(at("user")).expect("the user's key");
        run(Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f"]).arg(at("user")));
        let encrypted_user_key = std::fs::read_to_string(at("user")).expect("the user's key");
        std::fs::create_dir_all(at("out")).expect("the partner's directory");
        // As root, sshd wants its separation directory; an installed service makes it when it starts.
        let _ = std::fs::create_dir_all("/run/sshd");

        let mut failures = String::new();
        // A free port may be taken by another test before sshd binds it.
        for _ in 0..5 {
            let port = free_port();
            std::fs::write(at("config"), config(directory.path(), port, subsystem, lines)).expect("config");
            let log = std::fs::File::create(at("log")).expect("log");
            let mut process = Command::new(SSHD)
                .args(["-D", "-e", "-f"])
                .arg(at("config"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("sshd starts");
            let begun = Instant::now();
            while begun.elapsed() < START_LIMIT && process.try_wait().expect("sshd's state").is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(Sshd { process, port, host_keys, user_key, encrypted_user_key, directory });
                }
                std::thread::yield_now();
            }
            let _ = process.kill();
            let _ = process.wait();
            failures.push_str(&std::fs::read_to_string(at("log")).unwrap_or_default());
        }
        panic!("sshd does not start: {failures}");
    }

    /// The directory whose files are served, as a path on this machine and on the server alike.
    pub fn out(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    /// Another private key that may log in, encrypted with [`PASSPHRASE`].
    pub fn another_user_key(&self, kind: &str) -> String {
        let at = |name: &str| self.directory.path().join(name);
        make_key(&at(kind), kind);
        let allowed =
            ["authorized_keys", &format!("{kind}.pub")].map(|name| std::fs::read(at(name)).expect("public keys"));
        std::fs::write(at("authorized_keys"), allowed.concat()).expect("authorized_keys");
        run(Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f"]).arg(at(kind)));
        std::fs::read_to_string(at(kind)).expect("the key")
    }

    pub fn endpoint(&self) -> SftpEndpoint {
        SftpEndpoint {
            feed: FeedName::new("flights").expect("a feed's name"),
            host: "127.0.0.1".into(),
            port: self.port,
            user: user(),
            host_keys: self.host_keys.clone(),
            login: EndpointLogin::PrivateKey { key: credential("FLIGHTS_KEY", &self.user_key), passphrase: None },
            directory: self.out().to_str().expect("a temporary directory in UTF-8").to_owned(),
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn credential(setting: &str, secret: &str) -> Credential {
    Credential { setting: setting.into(), secret: Secret::new(secret) }
}

/// Who runs the test is who may log in.
fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("id");
    String::from_utf8(output.stdout).expect("a user's name in UTF-8").trim().to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Of two lines that set the same, the first one counts.
fn config(directory: &Path, port: u16, subsystem: &str, lines: &str) -> String {
    let directory = directory.display();
    let host_keys: String = HOST_KEY_TYPES.iter().map(|kind| format!("HostKey {directory}/host_{kind}\n")).collect();
    format!(
        "{lines}\nPort {port}\nListenAddress 127.0.0.1\n{host_keys}AuthorizedKeysFile {directory}/authorized_keys\n\
         PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nMaxStartups 100\nMaxSessions 100\nSubsystem sftp {subsystem}\n"
    )
}

/// Makes a key and returns its fingerprint.
fn make_key(path: &Path, kind: &str) -> String {
    let mut command = Command::new("ssh-keygen");
    let bits = match kind {
        "rsa" => "2048",
        _ => "256",
    };
    run(command.args(["-q", "-t", kind, "-b", bits, "-N", "", "-C", "test", "-f"]).arg(path));
    let printed = run(Command::new("ssh-keygen").arg("-lf").arg(path.with_extension("pub")));
    printed.split_whitespace().nth(1).expect("a fingerprint").to_owned()
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("ssh-keygen is installed with sshd");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
