//! The stand-in for the Functions host: runs an app folder as `func start` would, for the five kinds of function that
//! millrace has. The handler is a child process and is driven over the real protocol, with the real encodings, timers,
//! retries, receipts, poison rules and restarts; it cannot tell the difference.
//!
//! It knows nothing of what the functions do. It stands on the embedded ends only: a container that can be listed and a
//! journal. A change of host.json or function.json is not watched. When the host itself is killed, the handler must see
//! for itself that its parent is gone: the real host leaves it no other way either.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

mod answer;
mod blobs;
mod console;
mod definition;
mod envelope;
mod events;
mod front;
mod invoker;
mod process;
mod progress;
mod render;
mod retry;
mod schedule;
pub mod sftp_server;
mod state;
mod timers;

pub use console::{LogLevel, LogStream};
pub use definition::{App, DefinitionError, Function, Settings, Trigger};
pub use process::HandlerCommand;
pub use render::render;
pub use retry::RetryPolicy;
pub use schedule::{BadSchedule, Schedule};
pub use state::StateError;

use crate::stations::containers::{Container, Containers};
use crate::stations::hub::journal::{JournalError, JournalHub};
use invoker::Invoker;
use process::Supervisor;
use progress::{Progress, Verdict};
use state::State;

/// How often [`Until::Idle`] asks whether anything is left to do.
const IDLE_CHECK: Duration = Duration::from_millis(50);

/// What to run, and on what.
pub struct HostOptions {
    /// The folder with host.json; functions are its direct children, or those of its `functions/`.
    pub app: PathBuf,
    pub handler: HandlerCommand,
    /// local.settings.json's `Values` and the environment over them: for `%NAME%`, and for the handler's environment.
    pub settings: Settings,
    /// Where `/api` and `/admin` are served; port 0 takes any.
    pub address: SocketAddr,
    /// Receipts, tries, poison list, timer status and checkpoints.
    pub state: PathBuf,
    /// What the blob triggers watch: a container is found by its name.
    pub containers: Containers,
    /// What the event hub triggers read.
    pub hub: JournalHub,
    pub until: Until,
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

/// What happens, in order. A renderer prints it; nothing depends on who listens.
#[derive(Clone, Debug)]
pub enum HostEvent {
    Listening {
        address: SocketAddr,
        /// Each function called over HTTP, with its address.
        routes: Vec<(String, String)>,
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
    #[error("address {address} cannot be listened on: stop what uses it, or choose another port")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("no free port for the handler on 127.0.0.1")]
    NoFreePort { source: std::io::Error },
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
    Hub { function: String, source: JournalError },
    #[error("nothing moves any more and runs keep failing: {}", messages.join(" | "))]
    Stuck { messages: Vec<String> },
}

/// Runs the app until `stop` is ready, nothing is left to do ([`Until::Idle`]), or an error ends the host as it would
/// end the real one. `events` must be read all the time: the host waits for it. The handler is killed before this
/// returns, and when the future is dropped; invocations that were in flight are delivered again by the next host.
///
/// Starts one thread for HTTP.
pub async fn run_host(
    options: HostOptions,
    events: mpsc::Sender<HostEvent>,
    stop: impl Future<Output = ()>,
) -> Result<(), HostError> {
    let reporter = Reporter::new(events);
    let app = Arc::new(App::read(&options.app, &options.settings)?);
    let (state, _state_is_ours) = State::open(&options.state)?;
    let progress = Arc::new(Progress::default());
    let reporter = reporter.noting(progress.clone());
    let (supervisor, handler) = Supervisor::prepare(options.handler, options.settings, app.clone(), reporter.clone())?;
    let (fatal, mut fatal_errors) = mpsc::channel(1);
    let invoker = Invoker { app: app.clone(), handler, reporter: reporter.clone(), progress: progress.clone(), fatal };
    let shared = Arc::new(Shared {
        app,
        state,
        invoker,
        reporter: reporter.clone(),
        progress,
        containers: options.containers,
        hub: options.hub,
    });

    let mut tasks = JoinSet::new();
    let front = front::serve(shared.clone(), options.address).await?;
    let mut handler_process = tokio::spawn(supervisor.run());
    let _kill_with_us = AbortOnDrop(handler_process.abort_handle());
    start_listeners(&shared, &mut tasks).await?;

    let outcome = tokio::select! {
        () = stop => Ok(()),
        idle = becomes_idle(&shared.progress), if options.until == Until::Idle => idle,
        gave_up = &mut handler_process => Err(gave_up.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))),
        Some(error) = fatal_errors.recv() => Err(error),
        error = first_error(&mut tasks) => Err(error),
    };
    tasks.shutdown().await;
    front.stop().await;
    if !handler_process.is_finished() {
        handler_process.abort();
        // It ends as cancelled, and its child has been killed by then.
        let _ = handler_process.await;
    }
    reporter.report(HostEvent::Stopped).await;
    outcome
}

async fn start_listeners(shared: &Arc<Shared>, tasks: &mut JoinSet<Result<(), HostError>>) -> Result<(), HostError> {
    for function in &shared.app.functions {
        match &function.trigger {
            Trigger::Timer { .. } => {
                shared.progress.add_timer(&function.name);
                tasks.spawn(timers::listen(shared.clone(), function.clone()));
            }
            Trigger::Blob { .. } => {
                shared.progress.add_source(&function.name);
                tasks.spawn(blobs::listen(shared.clone(), function.clone()));
            }
            Trigger::EventHub { hub, .. } => {
                let counted = shared.hub.partition_count(hub).await;
                for partition in 0..counted.map_err(|source| events::journal_failed(function, source))? {
                    shared.progress.add_source(&events::source_name(function, partition));
                    tasks.spawn(events::listen(shared.clone(), function.clone(), partition));
                }
            }
            Trigger::Http { .. } => {}
        }
    }
    Ok(())
}

async fn first_error(tasks: &mut JoinSet<Result<(), HostError>>) -> HostError {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic())) {
            return error;
        }
    }
    std::future::pending().await
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

/// What all listeners work with.
struct Shared {
    app: Arc<App>,
    state: State,
    invoker: Invoker,
    reporter: Reporter,
    progress: Arc<Progress>,
    containers: Containers,
    hub: JournalHub,
}

impl Shared {
    fn container(&self, name: &str, function: &str) -> Result<Container, HostError> {
        let known =
            [&self.containers.landing, &self.containers.quarantine, &self.containers.curated, &self.containers.state];
        let found = known.into_iter().find(|container| container.name() == name);
        found
            .cloned()
            .ok_or_else(|| HostError::NoContainer { function: function.to_owned(), container: name.to_owned() })
    }
}

/// Tells the caller what happens.
#[derive(Clone)]
struct Reporter {
    events: mpsc::Sender<HostEvent>,
    progress: Option<Arc<Progress>>,
}

impl Reporter {
    fn new(events: mpsc::Sender<HostEvent>) -> Self {
        Reporter { events, progress: None }
    }

    /// Keeps the handler's error lines for the message of a host that is stuck.
    fn noting(self, progress: Arc<Progress>) -> Self {
        Reporter { progress: Some(progress), ..self }
    }

    async fn report(&self, event: HostEvent) {
        if let (Some(progress), HostEvent::HandlerLog { level: LogLevel::Error, line, .. }) = (&self.progress, &event) {
            progress.note(line.clone());
        }
        // A caller that does not listen any more misses nothing it wants.
        let _ = self.events.send(event).await;
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
