//! The whole way with a real part at each end: OpenSSH's server, a share, Azurite, an AMQP broker and a database, driven by the
//! stand-in host, selected by settings alone. And none of the secrets is shown on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use millrace::stations::warehouse::sqlserver::location::SqlLogin;
use serde_json::{Value, json};

use crate::azurite::{Account, azurite};
use crate::broker::{self, Broker};
use crate::events;
use crate::flights::{self, all_texts, assert_same_summaries, examples, row_count};
use crate::secrets::{Planted, assert_keeps};
use crate::sshd::{PASSPHRASE, Sshd};
use crate::support::{millrace, text};
use crate::warehouse_conformance::sqlserver;

/// Everything that anybody logs, libraries included.
const EVERYTHING: &str = "trace";

struct RealEnds {
    partner: Sshd,
    account: Account,
    hubs: Broker,
    warehouse: String,
    place: tempfile::TempDir,
    secrets: Vec<Planted>,
}

impl RealEnds {
    /// `None`, said loudly, where a part is not installed.
    async fn start(warehouse: &dyn Fn(&Path) -> String) -> Option<Self> {
        let (partner, account) = (Sshd::start()?, azurite()?.account());
        let hubs = Broker::start(&[("files", 2), ("events", 2)]).await;
        let place = tempfile::tempdir().unwrap();
        for feed in ["flights", "events"] {
            fs::create_dir_all(partner.out().join(feed)).unwrap();
        }
        fs::write(place.path().join("pipeline.toml"), pipeline_at(&partner)).unwrap();
        let secrets = vec![
            Planted::new("the partner's private key", &partner.encrypted_user_key),
            Planted::new("its passphrase", PASSPHRASE),
            Planted::new("the account's key", account.key()),
            Planted::new("the hubs' key", broker::KEY),
        ];
        let warehouse = warehouse(place.path());
        Some(RealEnds { partner, account, hubs, warehouse, place, secrets })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// `millrace …` with settings for these ends.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = millrace();
        command
            .current_dir(self.place.path())
            .args(arguments)
            .env("LandingStorage", self.account.by_key())
            .env("StagingShare", format!("file:{}", self.file("share").display()))
            .env("EventHubConnection", self.hubs.connection_string())
            .env("Warehouse", &self.warehouse)
            .env("PullSchedule", "*/2 * * * * *")
            .env("MILLRACE_PIPELINE", self.file("pipeline.toml"))
            .env("MILLRACE_LOG", EVERYTHING)
            .env("FLIGHTS_SFTP_KEY", self.partner.encrypted_user_key.replace('\n', "\\n"))
            .env("EVENTS_SFTP_KEY", &self.partner.encrypted_user_key)
            .env("SFTP_PASSPHRASE", PASSPHRASE);
        command
    }

    /// Runs a command to its end, and looks through all that it said.
    async fn run(&self, mut command: Command) -> Output {
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert_keeps("standard output", &output.stdout, &self.secrets);
        assert_keeps("the log", &output.stderr, &self.secrets);
        assert!(output.status.success(), "{}{}", text(&output.stdout), end_of(&output.stderr));
        output
    }

    async fn run_to_its_end(&self, arguments: &[&str]) -> String {
        text(&self.run(self.command(arguments)).await.stdout)
    }

    /// The stand-in host until nothing is left to do; its handler is killed on the way, once, at a fault point.
    async fn host(&self, fault: &str) -> Value {
        let struck = self.file(fault);
        let mut command = self.command(&["host", "--until-idle", "--json", "--port", "0", "--state", "host", "--app"]);
        command.arg(env!("CARGO_MANIFEST_DIR")).env("MILLRACE_FAULT_POINT", format!("{fault}={}", struck.display()));
        let output = self.run(command).await;
        assert!(text(&output.stderr).contains("TRACE"), "the log does not hold everything");
        assert!(struck.exists(), "nothing was killed at {fault}: {}", end_of(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The partner sends a file, and sends it again when it has another content.
    fn send_file(&self, name: &str, bytes: &[u8]) {
        let directory = self.partner.out().join("flights");
        fs::write(directory.join("unfinished.part"), bytes).unwrap();
        fs::rename(directory.join("unfinished.part"), directory.join(name)).unwrap();
    }

    async fn send_events(&self, lines: &[String]) {
        fs::write(self.file("rows.ndjson"), lines.join("\n")).unwrap();
        let said = self.run_to_its_end(&["send", "events", "rows.ndjson"]).await;
        assert!(said.contains("events sent to hub `events`"), "{said}");
    }

    /// What is kept where people can look.
    fn assert_files_keep_the_secrets(&self) {
        for folder in ["share", "host"] {
            for file in files_below(&self.file(folder)) {
                assert_keeps(&file.display().to_string(), &fs::read(&file).unwrap(), &self.secrets);
            }
        }
    }
}

/// The repository's pipeline, but for the server and the passphrase.
fn pipeline_at(partner: &Sshd) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("pipeline.toml")).unwrap();
    let endpoint = partner.endpoint();
    let url = format!("sftp://{}@127.0.0.1:{}{}/", endpoint.user, partner.port, partner.out().display());
    let pinned = format!("host_key = {:?}\npassphrase = \"env:SFTP_PASSPHRASE\"", partner.host_keys);
    let lines = text.lines().map(|line| match line {
        line if line.starts_with("host_key = ") => pinned.clone(),
        line => line.replace("sftp://partner@sftp.example.com:22/outbox/", &url),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn end_of(log: &[u8]) -> String {
    let log = text(log);
    let interesting: Vec<&str> =
        log.lines().filter(|line| !line.contains("TRACE") && !line.contains("DEBUG")).collect();
    interesting[interesting.len().saturating_sub(200)..].join("\n")
}

fn joined(one: &Value, other: &Value) -> Value {
    let mut tables = one.as_object().unwrap().clone();
    tables.extend(other.as_object().unwrap().clone());
    Value::Object(tables)
}

/// Three months of flights by file and the events by stream; then a correction, and more events.
async fn files_and_events_are_counted_exactly(warehouse: &dyn Fn(&Path) -> String, more_secrets: Vec<Planted>) {
    let Some(mut ends) = RealEnds::start(warehouse).await else { return };
    ends.secrets.extend(more_secrets);
    ends.run_to_its_end(&["migrate"]).await;

    let mut texts = all_texts();
    for file in flights::FILES {
        let file = format!("{file}.gz");
        ends.send_file(&file, &fs::read(examples().join("flights").join(&file)).unwrap());
    }
    let lines = events::all_lines();
    let (first, rest) = lines.split_at(lines.len() / 2);
    ends.send_events(first).await;
    let came_to = ends.host("load.counted").await;
    assert_eq!(came_to["files"], json!({"pulled": 3, "loaded": 3, "unchanged": 0, "dead_lettered": 0}));
    let (events, bad, of_events) = events::truth(first.to_vec());
    assert_eq!(came_to["rows"], json!({"read": row_count(&texts) + events, "rejected": bad}));
    assert_same_summaries(&came_to["summaries"], &joined(&flights::truth(&texts), &of_events));

    // February is sent again without its last flight.
    texts[1] = without_last_line(&texts[1]);
    ends.send_file(&format!("{}.gz", flights::FILES[1]), &crate::dev::gzipped(&texts[1]));
    ends.send_events(rest).await;
    let came_to = ends.host("stream.counted").await;
    assert_eq!(came_to["files"], json!({"pulled": 1, "loaded": 1, "unchanged": 2, "dead_lettered": 0}));
    let (_, _, of_events) = events::truth(lines);
    assert_same_summaries(&came_to["summaries"], &joined(&flights::truth(&texts), &of_events));

    for arguments in [&["status"][..], &["status", "--json"], &["plan"], &["where", "2013-02.csv.gz"], &["verify"]] {
        ends.run_to_its_end(arguments).await;
    }
    ends.assert_files_keep_the_secrets();
}

fn without_last_line(text: &str) -> String {
    let end = text.trim_end().rfind('\n').unwrap();
    text[..=end].to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_events_are_counted_exactly_over_real_ends() {
    files_and_events_are_counted_exactly(
        &|place| format!("sqlite:{}", place.join("warehouse.db").display()),
        Vec::new(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_events_are_counted_exactly_into_an_sql_server() {
    let Some((_alone, location)) = sqlserver::empty().await else { return };
    let SqlLogin::Password { password, .. } = &location.login else { return };
    let password = Planted::new("the database's password", password.reveal());
    let connection = std::env::var(sqlserver::VARIABLE).unwrap();
    files_and_events_are_counted_exactly(&|_| connection.clone(), vec![password]).await;
}
