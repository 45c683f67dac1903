//! The main job with its containers on Azurite: SFTP, pull, blob trigger, load, counts.

use millrace::secret::Secret;
use millrace::settings::EmbeddedSftp;
use millrace::standin::sftp_server::{SftpServer, SftpServerOptions};
use serde_json::{Value, json};

use super::{names, open};
use crate::azurite::azurite;
use crate::flights::{FILES, all_texts, assert_same_summaries, examples, row_count, truth};
use crate::support::{millrace, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_months_of_flights_are_counted_from_azurite_exactly_once() {
    let Some(azurite) = azurite() else { return };
    let account = azurite.account();
    let place = tempfile::tempdir().unwrap();
    let inbox = place.path().join("inbox");
    std::fs::create_dir_all(inbox.join("flights")).unwrap();
    std::fs::create_dir_all(inbox.join("events")).unwrap();
    for file in FILES {
        let file = format!("flights/{file}.gz");
        std::fs::copy(examples().join(&file), inbox.join(&file)).unwrap();
    }
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

    let end = |kind: &str, file: &str| format!("{kind}:{}", place.path().join(file).display());
    let host = || {
        let mut command = millrace();
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(["host", "--until-idle", "--json", "--port", "0", "--state"]).arg(place.path().join("host"));
        command
            .env("LandingStorage", account.by_key())
            .env("StagingShare", end("file", "share"))
            .env("EventHubConnection", end("file", "hub"))
            .env("Warehouse", end("sqlite", "warehouse.db"))
            .env("PullSchedule", "*/2 * * * * *")
            .env("MILLRACE_EMBEDDED_SFTP", serde_json::to_string(&at).unwrap());
        command
    };
    let migrated = millrace()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("migrate")
        .env("LandingStorage", account.by_key())
        .env("StagingShare", end("file", "share"))
        .env("EventHubConnection", end("file", "hub"))
        .env("Warehouse", end("sqlite", "warehouse.db"))
        .output()
        .unwrap();
    assert!(migrated.status.success(), "{}", text(&migrated.stderr));

    let texts = all_texts();
    for (pulled, read) in [(3, row_count(&texts)), (0, 0)] {
        let output = tokio::task::spawn_blocking({
            let mut command = host();
            move || command.output().unwrap()
        })
        .await
        .unwrap();
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{printed}");
        assert!(!printed.contains("AccountKey") && !printed.contains("only for this run"), "{printed}");
        let came_to: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(came_to["files"]["pulled"], json!(pulled), "{printed}");
        assert_eq!(came_to["files"]["loaded"], json!(pulled), "{printed}");
        assert_eq!(came_to["files"]["dead_lettered"], json!(0), "{printed}");
        assert_eq!(came_to["rows"]["read"], json!(read), "{printed}");
        assert_same_summaries(&came_to["summaries"], &truth(&texts));
    }
    let containers = open(&account.by_key()).await;
    let landed: Vec<String> = FILES.iter().map(|file| format!("flights/{file}.gz")).collect();
    assert_eq!(names(&containers.landing, "", None).await, landed);
    assert_eq!(names(&containers.curated, "flights/", None).await.len(), 3);
}
