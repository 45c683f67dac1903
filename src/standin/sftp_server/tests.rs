//! The server against OpenSSH's own client, where there is one, over a real socket.

use std::process::{Output, Stdio};

use super::*;

struct Partner {
    folder: tempfile::TempDir,
    server: SftpServer,
}

async fn partner() -> Partner {
    let folder = tempfile::tempdir().unwrap();
    let server = SftpServer::start(options(&folder)).await.unwrap();
    Partner { folder, server }
}

fn options(folder: &tempfile::TempDir) -> SftpServerOptions {
    SftpServerOptions {
        root: folder.path().join("served"),
        address: ([127, 0, 0, 1], 0).into(),
        user: "partner".into(),
        password: Secret::new("correct horse"),
        public_key: None,
        host_key: folder.path().join("host_key"),
    }
}

impl Partner {
    fn served(&self, name: &str) -> PathBuf {
        self.folder.path().join("served").join(name)
    }

    fn local(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a batch of the `sftp` command, with the password given by an askpass program.
    async fn sftp(&self, password: &str, batch: &str) -> Option<Output> {
        let askpass = self.local("askpass");
        fs::write(&askpass, format!("#!/bin/sh\necho '{password}'\n")).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&askpass, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let mut client = tokio::process::Command::new("sftp");
        client
            // Of an option that is given twice the first counts, and `-b` gives BatchMode=yes.
            .args(["-q", "-o", "BatchMode=no", "-b", "-"])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "NumberOfPasswordPrompts=1"])
            .args(["-o", "PreferredAuthentications=password", "-o", "UserKnownHostsFile=/dev/null", "-F", "/dev/null"])
            .args(["-P", &self.server.address().port().to_string(), "partner@127.0.0.1"])
            .env("SSH_ASKPASS", &askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut running = match client.spawn() {
            Ok(running) => running,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                eprintln!("skipped: there is no `sftp` command here; install OpenSSH's client to run this test");
                return None;
            }
            Err(failure) => panic!("{failure}"),
        };
        let mut stdin = running.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stdin, batch.as_bytes()).await.unwrap();
        drop(stdin);
        let ended = tokio::time::timeout(Duration::from_secs(120), running.wait_with_output()).await;
        Some(ended.expect("the transfer ends within the bound").unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssh_puts_lists_renames_gets_and_removes() {
    let partner = partner().await;
    // Large enough to have many answers under way while requests come in (see `UNREAD_MESSAGES`).
    let content: Vec<u8> = (0..16_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(partner.local("sent"), &content).unwrap();
    let batch = "mkdir outbox\nput sent outbox/a.part\nrename outbox/a.part outbox/a.csv\nls -l outbox\n\
                 get outbox/a.csv got\nchmod 600 outbox/a.csv\nput sent outbox/b.csv\nrm outbox/b.csv\n\
                 mkdir outbox/empty\nrmdir outbox/empty\npwd\n";
    let Some(output) = partner.sftp("correct horse", batch).await else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("64000000") && shown.contains("a.csv"), "{shown}");
    assert!(fs::read(partner.served("outbox/a.csv")).unwrap() == content);
    assert!(fs::read(partner.local("got")).unwrap() == content);
    assert_eq!(fs::read_dir(partner.served("outbox")).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_kept_and_files_continued() {
    let partner = partner().await;
    fs::write(partner.local("sent"), "first line\nsecond line\n").unwrap();
    let then = std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    fs::File::options().append(true).open(partner.local("sent")).unwrap().set_modified(then).unwrap();
    fs::write(partner.served("half.csv"), "first line\n").unwrap();
    let Some(output) = partner.sftp("correct horse", "put -p sent kept.csv\nreput sent half.csv\n").await else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::metadata(partner.served("kept.csv")).unwrap().modified().unwrap(), then);
    assert_eq!(fs::read_to_string(partner.served("half.csv")).unwrap(), "first line\nsecond line\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_a_way_out_are_refused() {
    let partner = partner().await;
    fs::write(partner.local("secret"), "x").unwrap();
    let Some(output) = partner.sftp("wrong", "ls\n").await else {
        return;
    };
    assert!(!output.status.success());
    let output = partner.sftp("correct horse", "get ../secret got\n").await.unwrap();
    assert!(!output.status.success());
    assert!(!partner.local("got").exists());
}

#[tokio::test]
async fn the_host_key_stays_the_same_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let first = SftpServer::start(options(&folder)).await.unwrap().fingerprint().to_owned();
    let second = SftpServer::start(options(&folder)).await.unwrap().fingerprint().to_owned();
    assert_eq!(first, second);
    assert!(first.starts_with("SHA256:"));
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(folder.path().join("host_key")).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn only_this_machine_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let open = SftpServerOptions { address: ([0, 0, 0, 0], 0).into(), ..options(&folder) };
    assert!(matches!(SftpServer::start(open).await, Err(SftpServerError::NotLoopback { .. })));
}
