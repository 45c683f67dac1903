//! Servers as partners have them: logins of every kind, algorithms that do not meet, lines that break, servers that say nothing,
//! files that may be seen and not read.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use millrace::pipeline::After;
use millrace::stations::sftp::{Connector, EndpointLogin, SftpEndpoint, SftpError, SshConnector};

use super::account::Account;
use super::wire::{Fate, Wire};
use super::{Place, bytes_of_length, remote, write_with_time};
use crate::sshd::{PASSPHRASE, Sshd, credential};

const PASSWORD_ONLY: &str = "PasswordAuthentication yes\nPubkeyAuthentication no";
const QUESTIONS_ONLY: &str =
    "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\nPubkeyAuthentication no";
const MIB: usize = 1 << 20;

/// Gives up soon, and not before a busy machine has answered.
const IMPATIENT: SshConnector =
    SshConnector { connect_timeout: Duration::from_secs(15), call_timeout: Duration::from_secs(4) };

fn by_password(sshd: &Sshd, account: &Account, password: &str) -> SftpEndpoint {
    let login = EndpointLogin::Password(credential("PARTNER_PASSWORD", password));
    SftpEndpoint { user: account.name.clone(), login, ..sshd.endpoint() }
}

async fn fault(connector: SshConnector, endpoint: &SftpEndpoint) -> SftpError {
    connector.connect(endpoint).await.err().expect("no session")
}

#[tokio::test]
async fn a_password_opens_servers_that_ask_for_it_and_servers_that_ask_questions() {
    for (lines, method) in [(PASSWORD_ONLY, "password"), (QUESTIONS_ONLY, "keyboard-interactive")] {
        let (Some(account), Some(sshd)) = (Account::make(), Sshd::start_configured(lines)) else { return };
        std::fs::write(sshd.out().join("a.csv"), "a").unwrap();
        let opened = SshConnector::default().connect(&by_password(&sshd, &account, &account.password)).await;
        let session = opened.unwrap_or_else(|error| panic!("{method}: {error}"));
        let pages: Vec<_> = session.list(&remote(&sshd.out())).await.unwrap().try_collect().await.unwrap();
        assert_eq!(pages.concat().len(), 1, "{method}");

        let refused = fault(SshConnector::default(), &by_password(&sshd, &account, "another one")).await.to_string();
        for part in ["refused the login of", &account.name, &format!("it takes: {method}"), "`PARTNER_PASSWORD`"] {
            assert!(refused.contains(part), "{refused}");
        }
        assert!(!refused.contains("another one"), "{refused}");
    }
}

#[tokio::test]
async fn keys_of_every_kind_open_with_their_passphrase() {
    let Some(sshd) = Sshd::start() else { return };
    for kind in ["rsa", "ecdsa"] {
        let key = sshd.another_user_key(kind);
        assert!(key.contains("PRIVATE KEY"));
        let login = EndpointLogin::PrivateKey {
            key: credential("PARTNER_KEY", &key.replace('\n', "\\n")),
            passphrase: Some(credential("PARTNER_PASSPHRASE", PASSPHRASE)),
        };
        let opened = SshConnector::default().connect(&SftpEndpoint { login, ..sshd.endpoint() }).await;
        assert!(opened.is_ok(), "{kind}: {:?}", opened.err());
    }
}

#[tokio::test]
async fn algorithms_that_do_not_meet_are_told_with_what_the_server_offers() {
    for (lines, kind, offered, ours) in [
        (
            "KexAlgorithms sntrup761x25519-sha512@openssh.com",
            "key exchange",
            "sntrup761x25519-sha512@openssh.com",
            "curve25519-sha256",
        ),
        (
            "Ciphers aes128-ctr\nMACs umac-64@openssh.com,umac-128@openssh.com",
            "MAC",
            "umac-64@openssh.com, umac-128@openssh.com",
            "hmac-sha2-256",
        ),
    ] {
        let Some(sshd) = Sshd::start_configured(lines) else { return };
        let said = fault(SshConnector::default(), &sshd.endpoint()).await.to_string();
        let begins = format!("server 127.0.0.1:{} offers no {kind} that we know; it offers: {offered}; ask", sshd.port);
        assert!(said.starts_with(&begins) && said.contains(ours), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_breaks_in_the_middle_of_a_file_goes_on_where_it_broke() {
    let Some(sshd) = Sshd::start() else { return };
    let body = bytes_of_length(48 * MIB);
    write_with_time(&sshd.out().join("large.csv"), &body, 60);
    let wire = Wire::to(sshd.port);
    wire.decide(Fate::CutAt(40 * MIB as u64));
    let mut place = Place::new(&sshd, After::Keep, Arc::new(SshConnector::default())).await;
    place.sources[0].endpoint = Ok(SftpEndpoint { port: wire.port, ..sshd.endpoint() });

    let broken = place.tick().await;
    let failures = &broken.sources[0].failures;
    assert_eq!((broken.sources[0].pulled, failures.len()), (0, 1), "{broken:?}");
    assert!(failures[0].message.contains("was lost during read of"), "{}", failures[0].message);

    let whole = place.tick().await;
    assert_eq!((whole.sources[0].pulled, whole.failed()), (1, 0), "{whole:?}");
    assert_eq!(place.body("flights/large.csv").await, body);
    // What was under way when the line broke comes twice. From the beginning, it would have been 88 MiB.
    let came = wire.bytes_from_server() / MIB as u64;
    assert!(came < 48 + 20, "{came} MiB");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    // It listens and accepts; then it says nothing, or its name alone.
    for greeting in ["", "SSH-2.0-Silent\r\n"] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for mut client in listener.incoming().map_while(Result::ok) {
                let _ = client.write_all(greeting.as_bytes());
                kept.push(client);
            }
        });
        let Some(sshd) = Sshd::start() else { return };
        let error = fault(IMPATIENT, &SftpEndpoint { port, ..sshd.endpoint() }).await;
        assert!(matches!(error, SftpError::Handshake { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{port} was reached")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_is_given_up_whatever_it_was_at() {
    let Some(sshd) = Sshd::start() else { return };
    let large = sshd.out().join("large.csv");
    write_with_time(&large, &bytes_of_length(12 * MIB), 60);
    for number in 0..3000 {
        std::fs::write(sshd.out().join(format!("a file with a longer name, number {number}.csv")), "").unwrap();
    }
    let wire = Wire::to(sshd.port);
    let endpoint = SftpEndpoint { port: wire.port, ..sshd.endpoint() };
    for (operation, more) in [("list", 100_000), ("read", 6 * MIB as u64), ("stat", 0)] {
        let session = IMPATIENT.connect(&endpoint).await.unwrap();
        let file = session.stat(&remote(&large)).await.unwrap().unwrap();
        wire.decide(Fate::SilentAt(wire.bytes_from_server() + more));
        let error = match operation {
            "list" => session.list(&remote(&sshd.out())).await.unwrap().try_collect::<Vec<_>>().await.unwrap_err(),
            "read" => session.read(&file, 0).await.unwrap().try_collect::<Vec<_>>().await.unwrap_err(),
            _ => session.stat(&remote(&large)).await.unwrap_err(),
        };
        assert!(matches!(error, SftpError::Lost { .. }), "{operation}: {error:?}");
        assert!(error.to_string().contains(&format!("was lost during {operation} of")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lists_and_opens_nothing_is_told_so_for_each_file() {
    let Some(sshd) = Sshd::start_that_opens_nothing() else { return };
    for number in 0..3 {
        write_with_time(&sshd.out().join(format!("{number}.csv")), b"x", 60);
    }
    let place = Place::new(&sshd, After::Keep, Arc::new(SshConnector::default())).await;
    let report = place.tick().await;
    assert_eq!((report.sources[0].seen, report.sources[0].pulled, report.failed()), (3, 0, 3), "{report:?}");
    for failure in &report.sources[0].failures {
        assert!(failure.message.contains("does not let this account do that: read of"), "{}", failure.message);
        assert!(failure.message.ends_with("ask the partner for the right to it"), "{}", failure.message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_be_read_holds_up_no_other() {
    let (Some(account), Some(sshd)) = (Account::make(), Sshd::start_configured(PASSWORD_ONLY)) else { return };
    for name in ["a.csv", "secret.csv", "z.csv"] {
        write_with_time(&sshd.out().join(name), name.as_bytes(), 60);
    }
    std::fs::set_permissions(sshd.out().join("secret.csv"), PermissionsExt::from_mode(0o600)).unwrap();
    let mut place = Place::new(&sshd, After::Keep, Arc::new(SshConnector::default())).await;
    place.sources[0].endpoint = Ok(by_password(&sshd, &account, &account.password));
    for (pulled, known) in [(2, 0), (0, 2)] {
        let report = place.tick().await;
        let source = &report.sources[0];
        assert_eq!((source.pulled, source.known, source.failures.len()), (pulled, known, 1), "{report:?}");
        assert!(source.failures[0].message.contains("secret.csv`; ask the partner"), "{:?}", source.failures);
    }
    std::fs::set_permissions(sshd.out().join("secret.csv"), PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(place.tick().await.sources[0].pulled, 1, "the remedy works");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_files_in_a_directory_are_looked_through_and_the_new_ones_pulled() {
    let Some(sshd) = Sshd::start() else { return };
    for number in 0..10_000 {
        std::fs::write(sshd.out().join(format!("{number:05}.csv.old")), "").unwrap();
    }
    for number in 0..20 {
        write_with_time(&sshd.out().join(format!("{:05}.csv", number * 499)), b"x", 60);
    }
    let place = Place::new(&sshd, After::Keep, Arc::new(SshConnector::default())).await;
    let report = place.tick().await;
    assert_eq!((report.sources[0].pulled, report.failed()), (20, 0), "{report:?}");
    assert_eq!(place.tick().await.sources[0].known, 20);
}
