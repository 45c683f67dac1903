//! One script host: an app as it was read, a handler for each instance, and a listener for each trigger. A change of the
//! app makes another one; the two overlap, so that for a moment there are two handlers of one instance.
//!
//! The instances of a real app run on machines of their own and share work through storage: partitions are spread over
//! them, a lease leaves a timer to one of them, queues give a message to whoever asks first. Here they share a process,
//! which deals the same work out in the same way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::course::{Course, CourseSwitch};
use super::definition::{App, Function, Settings, Trigger};
use super::events::TriggerPartition;
use super::invoker::Invoker;
use super::process::{HandlerOptions, Phase, Supervisor};
use super::progress::Progress;
use super::state::State;
use super::storage_queue::StorageQueues;
use super::{BlobEvents, HostError, HostEvent, Reporter, blobs, event_grid, events, queues, timers};
use crate::stations::containers::{Container, Containers};
use crate::stations::hub::{HubReader, HubSender};

/// How long a host that stops waits for what runs (`WebJobsScriptHostService.cs`).
const PATIENCE: Duration = Duration::from_secs(10);

/// What outlives every script host.
pub(super) struct Ends {
    pub state: State,
    pub containers: Containers,
    pub hub: Arc<dyn HubSender>,
    pub hub_reader: Arc<dyn HubReader>,
    pub queues: StorageQueues,
    pub progress: Arc<Progress>,
    pub reporter: Reporter,
    pub fatal: mpsc::Sender<HostError>,
    pub settings: Settings,
    pub handler: HandlerOptions,
    pub instances: usize,
    pub blob_events: Option<BlobEvents>,
}

impl Ends {
    pub(super) fn container(&self, name: &str, function: &str) -> Result<Container, HostError> {
        let known =
            [&self.containers.landing, &self.containers.quarantine, &self.containers.curated, &self.containers.state];
        let found = known.into_iter().find(|container| container.name() == name);
        found
            .cloned()
            .ok_or_else(|| HostError::NoContainer { function: function.to_owned(), container: name.to_owned() })
    }
}

/// What all listeners of one script host work with.
pub(super) struct Shared {
    pub ends: Arc<Ends>,
    pub app: Arc<App>,
    pub course: CourseSwitch,
    invokers: Vec<Invoker>,
    next: AtomicUsize,
}

impl Shared {
    /// The way to one instance's handler.
    pub(super) fn instance(&self, number: usize) -> &Invoker {
        &self.invokers[number % self.invokers.len()]
    }

    /// Any instance: they take turns.
    pub(super) fn any_instance(&self) -> &Invoker {
        self.instance(self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) async fn report(&self, event: HostEvent) {
        self.ends.reporter.report(event).await;
    }

    pub(super) async fn warn(&self, message: String) {
        self.report(HostEvent::Warning { message }).await;
    }
}

pub(super) struct ScriptHost {
    pub shared: Arc<Shared>,
    waiting: Vec<Supervisor>,
    handlers: Vec<JoinHandle<Option<HostError>>>,
    /// `true` kills the handlers.
    kill: watch::Sender<bool>,
    /// Kill the handlers when this is dropped.
    guards: Vec<AbortOnDrop>,
    listeners: JoinSet<Result<(), HostError>>,
}

impl ScriptHost {
    /// Chooses ports and starts nothing.
    pub(super) fn prepare(ends: Arc<Ends>, app: Arc<App>) -> Result<ScriptHost, HostError> {
        if let Some(port) = app.handler.port.filter(|_| ends.instances > 1) {
            return Err(HostError::PortForSeveral { port, instances: ends.instances });
        }
        let course = CourseSwitch::running();
        let (kill, killed) = watch::channel(false);
        let mut invokers = Vec::new();
        let mut waiting = Vec::new();
        for _ in 0..ends.instances.max(1) {
            let (options, settings, reporter) = (ends.handler.clone(), ends.settings.clone(), ends.reporter.clone());
            let (supervisor, handler) = Supervisor::prepare(options, settings, app.clone(), reporter, killed.clone())?;
            invokers.push(Invoker {
                app: app.clone(),
                handler,
                reporter: ends.reporter.clone(),
                progress: ends.progress.clone(),
                course: course.clone(),
                fatal: ends.fatal.clone(),
                hub: ends.hub.clone(),
                queues: ends.queues.clone(),
            });
            waiting.push(supervisor);
        }
        let shared = Arc::new(Shared { ends, app, course, invokers, next: AtomicUsize::new(0) });
        Ok(ScriptHost { shared, waiting, handlers: Vec::new(), kill, guards: Vec::new(), listeners: JoinSet::new() })
    }

    pub(super) fn start_handlers(&mut self) {
        for supervisor in self.waiting.drain(..) {
            let handler = tokio::spawn(supervisor.run());
            self.guards.push(AbortOnDrop(handler.abort_handle()));
            self.handlers.push(handler);
        }
    }

    /// Waits until every handler is ready, or one is given up.
    pub(super) async fn becomes_ready(&mut self) -> Result<(), HostError> {
        let shared = self.shared.clone();
        let all_ready = async {
            for invoker in &shared.invokers {
                let mut phase = invoker.handler.phase.clone();
                if phase.wait_for(|phase| matches!(phase, Phase::Ready { .. })).await.is_err() {
                    // Its end says why.
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = all_ready => Ok(()),
            failure = self.failure() => Err(failure),
        }
    }

    pub(super) async fn start_listeners(&mut self) -> Result<(), HostError> {
        let Shared { ends, app, .. } = &*self.shared;
        for message in &app.warnings {
            self.shared.warn(message.clone()).await;
        }
        self.shared.ends.progress.forget_listeners();
        for function in &app.functions {
            match &function.trigger {
                Trigger::Timer { .. } => {
                    ends.progress.add_timer(&function.name);
                    self.listeners.spawn(timers::listen(self.shared.clone(), function.clone()));
                }
                Trigger::Blob { .. } => {
                    ends.progress.add_source(&function.name);
                    self.listeners.spawn(blobs::listen(self.shared.clone(), function.clone()));
                }
                Trigger::Queue { queue, .. } => {
                    for instance in 0..ends.instances.max(1) {
                        ends.progress.add_source(&queues::source_name(function, instance));
                        self.listeners.spawn(queues::listen(self.shared.clone(), function.clone(), instance));
                    }
                    if let Some(source) = ends.blob_events.as_ref().filter(|source| source.function == function.name) {
                        ends.progress.add_source(&event_grid::source_name(queue));
                        let (container, queue) = (source.container.clone(), queue.clone());
                        self.listeners.spawn(event_grid::publish(self.shared.clone(), container, queue));
                    }
                }
                Trigger::EventHub { hub, .. } => {
                    let properties = ends.hub_reader.properties(hub).await;
                    let properties = properties.map_err(|source| events::hub_failed(function, source))?;
                    let rivals = rivals(app, function);
                    for (position, name) in properties.partitions.into_iter().enumerate() {
                        // Who shares a consumer group shares its partitions: each event reaches one of them.
                        if rivals[position % rivals.len()] != function.name {
                            continue;
                        }
                        ends.progress.add_source(&events::source_name(function, &name));
                        let namespace = properties.namespace.clone();
                        let partition = TriggerPartition { namespace, name, position };
                        self.listeners.spawn(events::listen(self.shared.clone(), function.clone(), partition));
                    }
                }
                Trigger::Http { .. } => {}
            }
        }
        Ok(())
    }

    /// Waits for what ends the host: a listener that failed, or a handler that is given up.
    pub(super) async fn failure(&mut self) -> HostError {
        let given_up = async {
            if self.handlers.is_empty() {
                return std::future::pending().await;
            }
            let (ended, _, _) = futures::future::select_all(self.handlers.iter_mut()).await;
            match ended.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic())) {
                Some(failure) => failure,
                // It was killed, which only this host does.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            failure = given_up => failure,
            failure = first_error(&mut self.listeners) => failure,
        }
    }

    /// Listeners take nothing new; what runs has ten seconds to end.
    pub(super) async fn stop_listeners(&mut self, course: Course) {
        self.shared.course.advance_to(course);
        let all_ended = async { while self.listeners.join_next().await.is_some() {} };
        // What takes longer is cut off: its connection goes away with the handler.
        let _ = tokio::time::timeout(PATIENCE, all_ended).await;
        self.shared.course.advance_to(Course::Stopping);
        self.listeners.shutdown().await;
    }

    /// SIGKILL, at once, for each handler's own process; without a word before it.
    /// Returns when they are gone.
    pub(super) async fn kill(&mut self) {
        self.kill.send_replace(true);
        for handler in self.handlers.drain(..) {
            if !handler.is_finished() {
                // Why it ended does not matter any more.
                let _ = handler.await;
            }
        }
    }
}

/// All functions that read a function's hub through its consumer group, itself included.
fn rivals<'a>(app: &'a App, function: &Function) -> Vec<&'a str> {
    let reads = |other: &&Function| match (&other.trigger, &function.trigger) {
        (
            Trigger::EventHub { hub, consumer_group, .. },
            Trigger::EventHub { hub: same_hub, consumer_group: same_group, .. },
        ) => hub == same_hub && consumer_group == same_group,
        _ => false,
    };
    app.functions.iter().filter(reads).map(|function| function.name.as_str()).collect()
}

async fn first_error(tasks: &mut JoinSet<Result<(), HostError>>) -> HostError {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic())) {
            return error;
        }
    }
    std::future::pending().await
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
