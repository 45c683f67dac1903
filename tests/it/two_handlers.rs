//! Two handlers over the same containers, hub and warehouse, as two instances of an app are, with the same messages delivered
//! to both at the same time and in different cuts.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use futures::future::join_all;
use futures::{FutureExt, TryStreamExt};
use millrace::names::{BlobName, FeedName};
use millrace::records::landed::LandedFile;
use millrace::stations::containers::{Containers, StorageLocation};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::flights::{FILES, assert_same_summaries, text_of, truth};
use crate::serve::{batch, settings};
use crate::support::{PATIENCE, Place, Running, millrace, text, wait_for};

const PARTS: usize = 12;

/// A handler on an instance of its own.
struct Handler {
    process: Running,
    url: String,
    client: Client,
}

impl Handler {
    fn start(place: &Place, instance: &str, fault: Option<(&str, &Path)>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = millrace();
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .arg("serve")
            .envs(settings(place))
            .env("WEBSITE_INSTANCE_ID", instance)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((point, marker)) = fault {
            command.env("MILLRACE_FAULT_POINT", format!("{point}={}", marker.display()));
        }
        let process = Running(command.spawn().unwrap());
        wait_for("the handler's socket", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Handler { process, url: format!("http://127.0.0.1:{port}"), client: Client::new() }
    }

    /// Delivers a batch once; `None`: the handler died of it.
    async fn try_deliver(&self, messages: &[Vec<u8>]) -> Option<(StatusCode, Value)> {
        let events: Vec<String> = messages.iter().map(|message| STANDARD.encode(message)).collect();
        let body = batch(json!(json!(events).to_string())).to_string();
        let request = self.client.post(format!("{}/load", self.url)).header("Content-Type", "application/json");
        let answer = request.body(body).send().await.ok()?;
        Some((answer.status(), answer.json().await.ok()?))
    }

    /// Delivers a batch as often as it takes, as the host's retries and the sweep would. Returns what the last try came to.
    async fn deliver(&self, messages: &[Vec<u8>]) -> Value {
        for _ in 0..20 {
            let (status, answer) = self.try_deliver(messages).await.expect("the handler lives");
            if status == StatusCode::OK {
                return answer["ReturnValue"].clone();
            }
        }
        panic!("{} messages failed twenty times", messages.len());
    }
}

struct App {
    place: Place,
    containers: Containers,
}

impl App {
    async fn new() -> Self {
        let place = Place::new();
        let migrate = millrace()
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["migrate", "--workspace"])
            .arg(place.workspace())
            .envs(settings(&place))
            .output()
            .unwrap();
        assert!(migrate.status.success(), "{}", text(&migrate.stderr));
        let location = StorageLocation::Directory(place.workspace().join("storage"));
        App { containers: Containers::open(&location).await.unwrap(), place }
    }

    /// Lands a file, over whatever is there. Returns the message about it.
    async fn land(&self, part: usize, text: &str) -> Vec<u8> {
        let landing = &self.containers.landing;
        let blob = BlobName::new(format!("flights/part-{part:02}.csv")).unwrap();
        landing.put(&blob, text.to_owned().into()).await.unwrap();
        let facts = landing.head(&blob).await.unwrap().unwrap();
        let landed = LandedFile {
            feed: FeedName::new("flights").unwrap(),
            blob,
            etag: facts.etag,
            size_bytes: facts.size_bytes,
            sha256: None,
            format: "csv".to_owned(),
            compression: "none".to_owned(),
        };
        landed.encode(landing.url(), Utc::now())
    }

    async fn records(&self, kind: &str) -> Vec<String> {
        let records = self.containers.state.list(&format!("{kind}/"), None);
        records.map_ok(|record| record.name.to_string()).try_collect().await.unwrap()
    }

    /// Nobody was blamed, nothing is under way, and the summaries are those of these texts.
    async fn ends_well(&self, texts: &[String]) {
        assert_eq!(self.records("dead-letters").await, [""; 0]);
        assert_eq!(self.records("attempts").await, [""; 0]);
        assert_same_summaries(&self.place.once()["summaries"], &truth(texts));
    }
}

/// The example's first month in files of a few thousand rows.
fn parts() -> Vec<String> {
    let month = text_of(FILES[0]);
    let (header, rows) = month.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    rows.chunks(rows.len().div_ceil(PARTS)).map(|rows| format!("{header}\n{}\n", rows.join("\n"))).collect()
}

/// The messages in batches of these sizes.
fn cut<'a>(messages: &'a [Vec<u8>], sizes: &[usize]) -> Vec<&'a [Vec<u8>]> {
    let mut rest = messages;
    sizes.iter().map(|size| rest.split_off(..*size).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_deliveries_to_two_handlers_count_each_file_once() {
    let app = App::new().await;
    let (one, other) = (Handler::start(&app.place, "one", None), Handler::start(&app.place, "other", None));
    let texts = parts();
    let mut messages = Vec::new();
    for (part, text) in texts.iter().enumerate() {
        // The third file comes with half of its rows first.
        let half = text.lines().take(text.lines().count() / 2).map(|line| format!("{line}\n")).collect::<String>();
        messages.push(app.land(part, if part == 3 { &half } else { text }).await);
    }
    let batches = cut(&messages, &[5, 4, 3]).into_iter().map(|batch| one.deliver(batch).boxed());
    let other_batches = cut(&messages, &[3, 5, 4]).into_iter().map(|batch| other.deliver(batch).boxed());
    let correction = async {
        let message = [app.land(3, &texts[3]).await];
        let (first, second) = tokio::join!(one.deliver(&message), other.deliver(&message));
        messages_of([first, second])
    };
    let delivered = join_all(batches.chain(other_batches));
    let (delivered, corrected) = tokio::time::timeout(PATIENCE, async { tokio::join!(delivered, correction) })
        .await
        .expect("two handlers do not wait for each other for ever");
    let committed: u64 = delivered.iter().map(|report| report["committed"].as_u64().unwrap()).sum::<u64>() + corrected;
    // The half file counts for a moment, or never, as it happens.
    assert!(committed == PARTS as u64 || committed == PARTS as u64 + 1, "{committed} commits: {delivered:?}");

    let again = tokio::join!(one.deliver(&messages), other.deliver(&messages));
    for report in [again.0, again.1] {
        assert_eq!((&report["committed"], &report["superseded"]), (&json!(0), &json!(1)), "{report}");
        assert_eq!(report["already_applied"], json!(PARTS - 1));
    }
    drop((one, other));
    app.ends_well(&texts).await;
}

fn messages_of(reports: [Value; 2]) -> u64 {
    reports.iter().map(|report| report["committed"].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_is_killed_beside_a_live_one_costs_no_file_its_tries() {
    let app = App::new().await;
    let texts = parts();
    let mut messages = Vec::new();
    for (part, text) in texts.iter().enumerate() {
        messages.push(app.land(part, text).await);
    }
    let other = Handler::start(&app.place, "other", None);
    for (kill, point) in ["load.begun", "load.counted"].into_iter().enumerate() {
        let marker = app.place.path().join(format!("struck-{kill}"));
        let mut doomed = Handler::start(&app.place, "one", Some((point, &marker)));
        let (died, served) = tokio::join!(doomed.try_deliver(&messages[4 * kill..]), other.deliver(&messages[..4]));
        assert_eq!((died, marker.exists()), (None, true), "{point}");
        assert_eq!(served["dead_lettered"], json!(0));
        doomed.process.0.wait().unwrap();
    }
    let one = Handler::start(&app.place, "one", None);
    let (first, second) = tokio::join!(one.deliver(&messages), other.deliver(&messages));
    for report in [first, second] {
        assert_eq!(report["dead_lettered"], json!(0), "{report}");
    }
    drop((one, other));
    app.ends_well(&texts).await;
}
