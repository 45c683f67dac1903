//! The stand-in for the Functions host: runs an app folder as `func start` would, for the kinds of function that millrace
//! has. The handler is a child process and is driven over the real protocol, with the real encodings, timers, retries,
//! receipts, queues, poison rules and restarts; it cannot tell the difference. Where a comment says [?], nobody has seen a
//! real host do what was read out of its source.
//!
//! It knows nothing of what the functions do. It stands on their ends, whatever they are: containers that can be listed, hubs
//! that can be read; storage queues, receipts and checkpoints are its own, so that it takes nothing away from a real host. When the host itself is killed, the handler must see for itself that its parent
//! is gone: the real host leaves it no other way either.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

mod answer;
mod blob_versions;
mod blobs;
mod console;
mod course;
mod dates;
mod definition;
mod envelope;
mod event_grid;
mod events;
mod front;
mod invoker;
mod metadata;
mod outputs;
mod process;
mod progress;
mod queues;
mod render;
mod retry;
mod schedule;
mod script_host;
pub mod sftp_server;
mod state;
mod storage_queue;
mod timers;
mod watcher;

pub use console::{LogLevel, LogStream};
pub use definition::{App, DefinitionError, Function, InPlaceOf, Settings, Trigger};
pub use process::{HandlerOptions, NamedProgram};
pub use render::render;
pub use retry::RetryPolicy;
pub use schedule::{BadSchedule, Schedule};
pub use state::StateError;
pub use storage_queue::{QueueError, QueueMessage, StorageQueue, StorageQueues};

use crate::stations::containers::Containers;
use crate::stations::hub::{HubError, HubReader, HubSender};
use course::Course;
use front::{Front, Order};
use progress::{Progress, Verdict};
use script_host::{Ends, ScriptHost, Shared};
use state::State;
use watcher::Watcher;

/// How often [`Until::Idle`] asks whether anything is left to do.
const IDLE_CHECK: Duration = Duration::from_millis(50);
/// With `true`, a host that is stopped drains: what runs is checkpointed.
const DRAIN_SETTING: &str = "FUNCTIONS_ENABLE_DRAIN_ON_APP_STOPPING";

/// What to run, and on what.
pub struct HostOptions {
    /// The folder with host.json; functions are its direct children, or those of its `functions/`.
    pub app: PathBuf,
    /// function.json documents that count in place of those in the folder.
    pub in_place: Vec<InPlaceOf>,
    pub handler: HandlerOptions,
    /// local.settings.json's `Values` and the environment over them: for `%NAME%`, and for the handler's environment.
    pub settings: Settings,
    /// Where `/api` and `/admin` are served; port 0 takes any.
    pub address: SocketAddr,
    /// How many handlers share the work, as the instances of a scaled-out app do. At least one.
    pub instances: usize,
    /// Receipts, tries, timer status and checkpoints.
    pub state: PathBuf,
    /// What the blob triggers watch: a container is found by its name.
    pub containers: Containers,
    /// Where event hub outputs go.
    pub hub: Arc<dyn HubSender>,
    /// What the event hub triggers read, through their own consumer groups.
    pub hub_reader: Arc<dyn HubReader>,
    /// What the queue triggers read, and where poison goes.
    pub queues: StorageQueues,
    /// Plays Event Grid.
    pub blob_events: Option<BlobEvents>,
    pub until: Until,
}

/// An Event Grid subscription: where `function` has a queue trigger, each blob that is created or overwritten in
/// `container` becomes a message in its queue.
#[derive(Clone, Debug)]
pub struct BlobEvents {
    pub function: String,
    pub container: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Runs until `stop` is ready.
    Stopped,
    /// Ends by itself when nothing is left to do. Timers take part by answering
    /// `"ReturnValue": {"pending": n, "failed": n}`: two runs in a row with nothing pending, and nothing delivered
    /// since the first of them began, are the end. An app whose timers never say so runs until it is stopped.
    Idle,
}

/// One function, as the list at the start shows it.
#[derive(Clone, Debug)]
pub struct ListedFunction {
    pub name: String,
    /// `timerTrigger`, …
    pub trigger: &'static str,
    /// For one that is called over HTTP.
    pub url: Option<String>,
    /// Empty: all.
    pub methods: Vec<String>,
}

/// What happens, in order. A renderer prints it; nothing depends on who listens.
#[derive(Clone, Debug)]
pub enum HostEvent {
    Listening {
        address: SocketAddr,
        functions: Vec<ListedFunction>,
    },
    HandlerStarted {
        process_id: Option<u32>,
        port: u16,
    },
    HandlerReady {
        after: Duration,
    },
    HandlerExited {
        reason: String,
    },
    HandlerLog {
        stream: LogStream,
        level: LogLevel,
        line: String,
    },
    InvocationStarted {
        function: String,
        id: Uuid,
        reason: String,
        /// The trigger's details, as the host's log has them.
        details: Option<String>,
    },
    /// One try of an invocation; a retry starts again under the same id.
    InvocationEnded {
        function: String,
        id: Uuid,
        /// `None`: succeeded.
        failure: Option<String>,
        /// The answer's `Logs`.
        logs: Vec<String>,
        took: Duration,
    },
    BlobPoisoned {
        function: String,
        blob: String,
        tries: u32,
    },
    MessagePoisoned {
        function: String,
        /// The queue that it was moved to.
        queue: String,
        tries: u32,
    },
    /// The app changed, and another script host takes over.
    Restarting,
    Information {
        message: String,
    },
    Warning {
        message: String,
    },
    Stopped,
}

#[derive(Debug, Error)]
pub enum HostError {
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("address {address} cannot be listened on: stop what uses it, or choose another port")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("no free port for the handler on 127.0.0.1")]
    NoFreePort { source: std::io::Error },
    #[error("port {port}, which customHandler.port names, is taken: stop what uses it, or remove the key")]
    PortTaken { port: u16, source: std::io::Error },
    #[error(
        "customHandler.port is {port}, and {instances} handlers cannot share it: remove the key, or run one instance"
    )]
    PortForSeveral { port: u16, instances: usize },
    #[error("handler `{}` cannot be started", program.display())]
    Start { program: PathBuf, source: std::io::Error },
    #[error("the HTTP client cannot be set up")]
    Client { source: reqwest::Error },
    #[error("the handler failed three times and is not started again: {reason}")]
    HandlerGaveUp { reason: String },
    #[error("the handler was not ready within {waited:?}")]
    HandlerNotReady { waited: Duration },
    #[error(
        "function `{function}` watches container `{container}`, which is not one of landing, quarantine, curated, millrace-state"
    )]
    NoContainer { function: String, container: String },
    #[error("function `{function}` cannot read its hub")]
    Hub { function: String, source: HubError },
    #[error("nothing moves any more and runs keep failing: {}", messages.join(" | "))]
    Stuck { messages: Vec<String> },
}

/// Runs the app until `stop` is ready, nothing is left to do ([`Until::Idle`]), or an error ends the host as it would
/// end the real one. `events` must be read all the time: the host waits for it.
///
/// A host that stops takes no new work, waits up to ten seconds for what runs, and kills the handler before this returns;
/// when the future is dropped, it kills it at once. What was in flight is delivered again by the next host.
///
/// Starts one thread for HTTP.
pub async fn run_host(
    options: HostOptions,
    events: mpsc::Sender<HostEvent>,
    stop: impl Future<Output = ()>,
) -> Result<(), HostError> {
    let progress = Arc::new(Progress::default());
    let reporter = Reporter { events, progress: Some(progress.clone()) };
    let files = Files { app: options.app, settings: options.settings.clone(), in_place: options.in_place };
    let mut watcher = Watcher::new(&files.app);
    let app = files.read()?;
    let (state, _state_is_ours) = State::open(&options.state)?;
    let (fatal, mut fatal_errors) = mpsc::channel(1);
    let at_the_end = match options.settings.get(DRAIN_SETTING) {
        Some(value) if value.eq_ignore_ascii_case("true") || value == "1" => Course::Draining,
        _ => Course::Stopping,
    };
    let ends = Arc::new(Ends {
        state,
        containers: options.containers,
        hub: options.hub,
        hub_reader: options.hub_reader,
        queues: options.queues,
        progress: progress.clone(),
        reporter: reporter.clone(),
        fatal,
        settings: options.settings,
        handler: options.handler,
        instances: options.instances.max(1),
        blob_events: options.blob_events,
    });

    let mut script_host = ScriptHost::prepare(ends.clone(), app)?;
    let (current, current_seen) = watch::channel(script_host.shared.clone());
    let (orders_in, mut orders) = mpsc::channel(1);
    let front = Front::serve(options.address, current_seen, orders_in).await?;
    script_host.start_handlers();
    script_host.start_listeners().await?;

    tokio::pin!(stop);
    let outcome = loop {
        let changed = tokio::select! {
            () = &mut stop => break Ok(()),
            idle = becomes_idle(&progress), if options.until == Until::Idle => break idle,
            failure = script_host.failure() => break Err(failure),
            Some(failure) = fatal_errors.recv() => break Err(failure),
            () = watcher.changed() => files.read(),
            Some(Order::Resume) = orders.recv() => files.read(),
        };
        let app = match changed {
            Ok(app) => app,
            Err(fault) => {
                // The real host has no functions until the file is mended; here the app goes on as it was.
                let message = format!("the app changed and cannot be read: {}", invoker::chain(&fault));
                reporter.report(HostEvent::Warning { message }).await;
                continue;
            }
        };
        reporter.report(HostEvent::Restarting).await;
        let restarted = tokio::select! {
            () = &mut stop => break Ok(()),
            restarted = restart(&mut script_host, &ends, app, &current) => restarted,
        };
        if let Err(failure) = restarted {
            break Err(failure);
        }
    };
    script_host.stop_listeners(at_the_end).await;
    front.stop().await;
    script_host.kill().await;
    reporter.report(HostEvent::Stopped).await;
    outcome
}

/// Another script host takes over: its handler is ready before the old one is killed, so that for a moment there are two.
/// Where host.json names the handler's port, the old one must go first.
async fn restart(
    script_host: &mut ScriptHost,
    ends: &Arc<Ends>,
    app: Arc<App>,
    current: &watch::Sender<Arc<Shared>>,
) -> Result<(), HostError> {
    // A handler that took all three of its errors with it counts anew, as the dispatcher does.
    if app.handler.port.is_some() {
        script_host.stop_listeners(Course::Stopping).await;
        script_host.kill().await;
        *script_host = ScriptHost::prepare(ends.clone(), app)?;
        current.send_replace(script_host.shared.clone());
        script_host.start_handlers();
        return script_host.start_listeners().await;
    }
    let mut next = ScriptHost::prepare(ends.clone(), app)?;
    next.start_handlers();
    next.becomes_ready().await?;
    current.send_replace(next.shared.clone());
    script_host.stop_listeners(Course::Stopping).await;
    next.start_listeners().await?;
    std::mem::replace(script_host, next).kill().await;
    Ok(())
}

/// Where the app is read from, each time it changes.
struct Files {
    app: PathBuf,
    settings: Settings,
    in_place: Vec<InPlaceOf>,
}

impl Files {
    fn read(&self) -> Result<Arc<App>, DefinitionError> {
        App::read_with(&self.app, &self.settings, &self.in_place).map(Arc::new)
    }
}

async fn becomes_idle(progress: &Progress) -> Result<(), HostError> {
    loop {
        match progress.verdict() {
            Verdict::Idle => return Ok(()),
            Verdict::Stuck(messages) => return Err(HostError::Stuck { messages }),
            Verdict::Busy => tokio::time::sleep(IDLE_CHECK).await,
        }
    }
}

/// Tells the caller what happens.
#[derive(Clone)]
struct Reporter {
    events: mpsc::Sender<HostEvent>,
    /// Keeps the handler's error lines for the message of a host that is stuck.
    progress: Option<Arc<Progress>>,
}

impl Reporter {
    async fn report(&self, event: HostEvent) {
        if let (Some(progress), HostEvent::HandlerLog { level: LogLevel::Error, line, .. }) = (&self.progress, &event) {
            progress.note(line.clone());
        }
        // A caller that does not listen any more misses nothing it wants.
        let _ = self.events.send(event).await;
    }
}
