//! The stand-in host against a handler that misbehaves on demand: `handler.py`, a child process like the real one.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace::clock::Clock;
use millrace::names::BlobName;
use millrace::standin::{
    BlobEvents, HandlerOptions, HostError, HostEvent, HostOptions, Settings, StorageQueues, Until, run_host,
};
use millrace::stations::containers::{Containers, StorageLocation};
use millrace::stations::hub::HubSender;
use millrace::stations::hub::journal::JournalHub;
use serde_json::{Value, json};
use tokio::sync::mpsc;

mod crashes;
mod deliveries;
mod endings;
mod http;
mod hubs;
mod instances;
mod outputs;
mod queues;
mod timers;

/// A generous bound for what takes milliseconds.
const BOUND: Duration = Duration::from_secs(60);

/// An app folder, its ends and the handler's log, all below one temporary folder.
struct Bench {
    folder: tempfile::TempDir,
    containers: Containers,
    hub: JournalHub,
    queues: StorageQueues,
    behaviour: Value,
    /// Beside `PullSchedule`.
    settings: Settings,
    instances: usize,
}

/// One request that the handler has got.
#[derive(Debug, Clone)]
struct Seen {
    path: String,
    headers: Value,
    body: Value,
    /// Everything that the handler wrote down.
    entry: Value,
}

impl Bench {
    /// `functions`: name and function.json. The handler answers every call with `{}` unless `behaviour` says otherwise.
    async fn new(host: Value, functions: &[(&str, Value)], behaviour: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = folder.path().join("app");
        for (name, function) in functions {
            fs::create_dir_all(app.join("functions").join(name)).unwrap();
            fs::write(app.join("functions").join(name).join("function.json"), function.to_string()).unwrap();
        }
        write_host(&app, host);
        let containers = Containers::open(&StorageLocation::Directory(folder.path().join("storage"))).await.unwrap();
        let hub = JournalHub::new(folder.path().join("hubs"), Clock::System);
        let queues = StorageQueues::new(folder.path().join("storage/queues"), Clock::System);
        Bench { folder, containers, hub, queues, behaviour, settings: Settings::default(), instances: 1 }
    }

    /// Another host.json.
    fn configure(&self, host: Value) {
        write_host(&self.folder.path().join("app"), host);
    }

    fn options(&self, until: Until) -> HostOptions {
        let mut settings = Settings::from([("PullSchedule".to_owned(), "* * * * * *".to_owned())]);
        settings.extend(self.settings.clone());
        let environment = BTreeMap::from([
            ("BEHAVIOUR".to_owned(), self.behaviour.to_string()),
            ("LOG".to_owned(), self.log().to_string_lossy().into_owned()),
        ]);
        HostOptions {
            app: self.folder.path().join("app"),
            in_place: Vec::new(),
            handler: HandlerOptions { environment, stand_in: None },
            settings,
            instances: self.instances,
            address: ([127, 0, 0, 1], 0).into(),
            state: self.folder.path().join("state"),
            containers: self.containers.clone(),
            hub: Arc::new(self.hub.clone()),
            hub_reader: Arc::new(self.hub.clone()),
            queues: self.queues.clone(),
            blob_events: Some(BlobEvents { function: "announce".to_owned(), container: "landing".to_owned() }),
            until,
        }
    }

    /// Runs a host in the background.
    fn start(&self, until: Until) -> Running {
        let (sender, events) = mpsc::channel(64);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let options = self.options(until);
        let host = tokio::spawn(run_host(options, sender, async move {
            // A dropped sender stops the host as well.
            let _ = stopped.await;
        }));
        Running { host, events, stop }
    }

    async fn run_until_idle(&self) -> Result<(), HostError> {
        let running = self.start(Until::Idle);
        let (outcome, _) = running.outcome().await;
        outcome
    }

    async fn land(&self, name: &str, content: &'static str) {
        self.containers.landing.put(&BlobName::new(name).unwrap(), Bytes::from(content)).await.unwrap();
    }

    async fn send(&self, body: &'static str) {
        self.send_keyed("one key", body).await;
    }

    /// Events of one key are in one partition.
    async fn send_keyed(&self, key: &str, body: &'static str) {
        self.hub.send("files", key, Bytes::from(body)).await.unwrap();
    }

    /// A path that a step may wait for.
    fn gate(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until the handler has got so many requests for one function.
    async fn until_seen(&self, path: &str, count: usize) -> Vec<Seen> {
        wait_until(&format!("{count} requests for {path}"), || Some(self.seen(path)).filter(|seen| seen.len() >= count))
            .await
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("requests.ndjson")
    }

    /// The requests for one function so far, oldest first.
    fn seen(&self, path: &str) -> Vec<Seen> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let requests = entries.map(|entry| Seen {
            path: entry["path"].as_str().unwrap().to_owned(),
            headers: entry["headers"].clone(),
            body: serde_json::from_str(entry["body"].as_str().unwrap()).unwrap_or(Value::Null),
            entry,
        });
        requests.filter(|request| request.path.starts_with(path)).collect()
    }
}

/// host.json with the misbehaving handler as its program, where it names no other.
fn write_host(app: &std::path::Path, mut host: Value) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/standin/handler.py");
    let description = &mut host["customHandler"]["description"];
    if description["defaultExecutablePath"].is_null() {
        description["defaultExecutablePath"] = json!("python3");
        description["arguments"] = json!([script]);
    }
    fs::write(app.join("host.json"), host.to_string()).unwrap();
}

impl Seen {
    fn header(&self, name: &str) -> Option<String> {
        let headers = self.headers.as_object()?;
        let (_, value) = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        value.as_str().map(str::to_owned)
    }
}

/// Waits, with a bound, until `look` finds something.
async fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(BOUND, search).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

fn is_gone(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

struct Running {
    host: tokio::task::JoinHandle<Result<(), HostError>>,
    events: mpsc::Receiver<HostEvent>,
    stop: tokio::sync::oneshot::Sender<()>,
}

/// A host whose events are read in the background.
struct Quiet {
    address: std::net::SocketAddr,
    client: reqwest::Client,
    host: tokio::task::JoinHandle<Result<(), HostError>>,
    events: tokio::task::JoinHandle<Vec<HostEvent>>,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Quiet {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    async fn post(&self, path: &str) -> reqwest::Response {
        self.client.post(self.url(path)).send().await.unwrap()
    }

    /// Asks the host to stop, lets `meanwhile` happen, and waits for the end.
    async fn stopped(self, meanwhile: impl FnOnce()) -> Vec<HostEvent> {
        drop(self.stop);
        meanwhile();
        let ended = tokio::time::timeout(BOUND, self.host).await.expect("the host ends within the bound");
        ended.unwrap().unwrap();
        self.events.await.unwrap()
    }
}

impl Running {
    /// Waits for the address, and reads what happens from then on in the background.
    async fn quiet(mut self) -> Quiet {
        let address = self
            .until(|event| match event {
                HostEvent::Listening { address, .. } => Some(address),
                _ => None,
            })
            .await;
        let Running { host, mut events, stop } = self;
        let events = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(event) = events.recv().await {
                seen.push(event);
            }
            seen
        });
        Quiet { address, client: reqwest::Client::builder().no_proxy().build().unwrap(), host, events, stop }
    }

    /// Waits until an event answers `wanted`.
    async fn until<T>(&mut self, mut wanted: impl FnMut(HostEvent) -> Option<T>) -> T {
        let search = async {
            while let Some(event) = self.events.recv().await {
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
            panic!("the host ended before the event came: {:?}", (&mut self.host).await)
        };
        tokio::time::timeout(BOUND, search).await.expect("the event comes within the bound")
    }

    /// Waits for the end of the host, with all events on the way.
    async fn outcome(mut self) -> (Result<(), HostError>, Vec<HostEvent>) {
        let mut events = Vec::new();
        let all = async {
            while let Some(event) = self.events.recv().await {
                events.push(event);
            }
            self.host.await.unwrap()
        };
        let outcome = tokio::time::timeout(BOUND, all).await.expect("the host ends within the bound");
        (outcome, events)
    }
}

fn timer() -> Value {
    json!({"bindings": [{"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "%PullSchedule%"}]})
}

fn blob() -> Value {
    json!({"bindings": [{
        "type": "blobTrigger", "direction": "in", "name": "blob", "path": "landing/{name}", "connection": "LandingStorage",
        "dataType": "binary", "properties": {"supportsDeferredBinding": true},
    }]})
}

fn hub(retries: u32) -> Value {
    json!({
        "bindings": [{
            "type": "eventHubTrigger", "direction": "in", "name": "events", "eventHubName": "files",
            "connection": "EventHubConnection", "cardinality": "many", "dataType": "binary",
        }],
        "retry": {"strategy": "fixedDelay", "maxRetryCount": retries, "delayInterval": "00:00:01"},
    })
}

fn queue() -> Value {
    json!({"bindings": [{"type": "queueTrigger", "direction": "in", "name": "message", "queueName": "landed", "connection": "C"}]})
}

fn nothing_pending() -> Value {
    json!([{"body": {"Outputs": {}, "Logs": [], "ReturnValue": {"pending": 0, "failed": 0}}}])
}
