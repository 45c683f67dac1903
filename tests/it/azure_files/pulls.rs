//! Whole pulls whose staging share is on Azure Files.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millrace::pipeline::After;
use millrace::secret::Secret;
use millrace::settings::EmbeddedSftp;
use millrace::standin::sftp_server::{SftpServer, SftpServerOptions};
use millrace::stations::sftp::{READ_BYTES, SshConnector};
use serde_json::{Value, json};

use crate::azure_blobs::proxy::{Act, Proxy, Seen};
use crate::files_server::{FilesServer, SHARE, TOKEN};
use crate::flights::{FILES, examples};
use crate::landing::{Place, bytes_of_length, write_with_time};
use crate::sshd::Sshd;
use crate::support::{millrace, text};

fn busy() -> Act {
    let headers = "x-ms-error-code: ServerBusy\r\nretry-after: 0\r\n";
    Act::Answer { status: 503, headers, body: String::new() }
}

/// The third block of a file.
fn is_third_block(seen: &Seen) -> bool {
    seen.header("x-ms-range").is_some_and(|range| range.starts_with(&format!("bytes={}-", 2 * READ_BYTES)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_lands_files_over_a_share_in_trouble_and_resumes_where_it_was_cut_off() {
    let Some(sshd) = Sshd::start() else { return };
    let bodies = [("large.csv", bytes_of_length(3 * READ_BYTES + 7)), ("small.csv", bytes_of_length(5000))];
    for (file, body) in &bodies {
        write_with_time(&sshd.out().join(file), body, 60);
    }
    let server = FilesServer::start();
    let is_refused = Arc::new(AtomicBool::new(true));
    let refuses = Arc::clone(&is_refused);
    let proxy = Proxy::start(server.port, move |seen, before| match before.len() {
        _ if refuses.load(Ordering::SeqCst) && is_third_block(seen) => {
            Act::Answer { status: 403, headers: "x-ms-error-code: ShareSizeLimitReached\r\n", body: String::new() }
        }
        number if number % 5 == 2 => busy(),
        number if number % 7 == 3 => Act::LoseAnswer,
        _ => Act::PassOn,
    });
    let mut place = Place::new(&sshd, After::Keep, Arc::new(SshConnector::default())).await;
    place.stations.share = server.share_at(proxy.port);

    let cut_off = place.tick().await;
    assert_eq!((cut_off.sources[0].pulled, cut_off.failed()), (1, 1), "{cut_off:?}");
    let message = &cut_off.sources[0].failures[0].message;
    assert!(message.contains("the share is full: raise its quota"), "{message}");
    assert_eq!(server.file_names().len(), 1, "what was staged waits");

    is_refused.store(false, Ordering::SeqCst);
    let resumed = place.tick().await;
    assert_eq!((resumed.sources[0].pulled, resumed.failed()), (1, 0), "{resumed:?}");
    assert_eq!(resumed.sources[0].resumed_bytes, 2 * READ_BYTES as u64);
    assert_eq!(resumed.sources[0].pulled_bytes, READ_BYTES as u64 + 7);
    for (file, body) in &bodies {
        assert!(place.body(&format!("flights/{file}")).await == *body, "{file}");
    }
    assert_eq!(server.file_names(), [""; 0]);
    let again = place.tick().await;
    assert_eq!((again.sources[0].known, again.sources[0].pulled, again.failed()), (2, 0, 0));
    let seen = proxy.seen();
    assert!(seen.iter().all(|seen| seen.header("x-ms-version") == Some("2025-11-05")), "{seen:?}");
}

/// The program itself, by the app's identity. Its other ends are on this machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_stages_as_the_apps_identity() {
    let place = tempfile::tempdir().unwrap();
    let inbox = place.path().join("inbox");
    std::fs::create_dir_all(inbox.join("flights")).unwrap();
    std::fs::create_dir_all(inbox.join("events")).unwrap();
    let file = format!("flights/{}.gz", FILES[0]);
    std::fs::copy(examples().join(&file), inbox.join(&file)).unwrap();
    let partner = SftpServer::start(SftpServerOptions {
        root: inbox,
        address: ([127, 0, 0, 1], 0).into(),
        user: "partner".to_owned(),
        password: Secret::new("only for this run"),
        public_key: None,
        host_key: place.path().join("host_key"),
    })
    .await
    .unwrap();
    let at = EmbeddedSftp {
        host: "127.0.0.1".to_owned(),
        port: partner.address().port(),
        user: "partner".to_owned(),
        password: "only for this run".to_owned(),
        host_key: partner.fingerprint().to_owned(),
    };
    let server = FilesServer::start();
    let end = |kind: &str, file: &str| format!("{kind}:{}", place.path().join(file).display());
    let run = async |arguments: &[&str]| {
        let mut command: Command = millrace();
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
        command
            .env("LandingStorage", end("file", "storage"))
            .env("StagingShare", format!("http://127.0.0.1:{}/{SHARE}/of millrace", server.port))
            .env("EventHubConnection", end("file", "hub"))
            .env("Warehouse", end("sqlite", "warehouse.db"))
            .env("PullSchedule", "*/2 * * * * *")
            .env("MILLRACE_EMBEDDED_SFTP", serde_json::to_string(&at).unwrap())
            .env("IDENTITY_ENDPOINT", format!("http://127.0.0.1:{}/msi/token", server.port))
            .env("IDENTITY_HEADER", "the-platforms-secret");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {printed}");
        assert!(!printed.contains(TOKEN) && !printed.contains("the-platforms-secret"), "{printed}");
        text(&output.stdout)
    };
    assert!(run(&["check"]).await.contains("settings and functions agree"));
    run(&["migrate"]).await;
    assert_eq!(server.served(), [], "neither needs the share");

    let state = place.path().join("host").display().to_string();
    let printed = run(&["host", "--until-idle", "--json", "--port", "0", "--state", &state]).await;
    let came_to: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(came_to["files"], json!({"pulled": 1, "loaded": 1, "unchanged": 0, "dead_lettered": 0}));
    let served = server.served();
    let count = |what: &str| served.iter().filter(|(line, status)| line.contains(what) && *status < 300).count();
    assert_eq!((count("comp=range"), count("DELETE ")), (1, 1), "{served:?}");
    assert!(served.iter().all(|(_, status)| *status < 400 || *status == 404), "{served:?}");
    assert_eq!(server.file_names(), [""; 0]);
}
