//! The handler as a child process: started, polled until it answers, started again after a crash, killed. The rules are
//! those of `HttpFunctionInvocationDispatcher.cs`, `HttpWorkerProcess.cs`, `WorkerProcess.cs` and
//! `DefaultHttpWorkerService.cs` in azure-functions-host. Knows nothing of functions.
//!
//! | it ends with | what follows |
//! |---|---|
//! | exit code 0 | nothing: it is not started again |
//! | exit code 200 | it is started again, and nobody counts |
//! | any other code, a signal, or not ready in time | it is started again, and counted; the third one ends the host |
//! | a function's timeout | it is killed and started again, and nobody counts |

use std::collections::{BTreeMap, VecDeque};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use super::console::{self, LogStream};
use super::definition::{App, HttpMode, Settings};
use super::{HostError, HostEvent, Reporter};

/// How often readiness is asked for (`WorkerConstants.cs`).
const POLL: Duration = Duration::from_millis(25);
/// Errors further apart than this are not counted together.
const ERROR_WINDOW: Duration = Duration::from_secs(30 * 60);
/// The error that ends the host.
const ERRORS_ALLOWED: u32 = 3;
/// How long a killed handler may take to be gone (`WorkerProcess.cs`).
const EXIT_PATIENCE: Duration = Duration::from_secs(1);
/// "Start me again": not counted as an error.
const RESTART_EXIT_CODE: i32 = 200;

/// What the handler's process gets besides what host.json and the host's own environment say.
#[derive(Clone, Debug, Default)]
pub struct HandlerOptions {
    pub environment: BTreeMap<String, String>,
    /// Runs where host.json names a program of this name that is not in the app's folder.
    pub stand_in: Option<NamedProgram>,
}

/// A program under a name that an app may know it by.
#[derive(Clone, Debug)]
pub struct NamedProgram {
    pub name: String,
    pub path: PathBuf,
}

/// What invocations need to know of the handler.
#[derive(Clone)]
pub(super) enum Phase {
    Starting,
    /// Also after an exit with code 0, which the host does not act on: calls are then refused by the closed port.
    Ready {
        generation: u64,
        client: reqwest::Client,
    },
}

pub(super) struct Supervisor {
    options: HandlerOptions,
    settings: Settings,
    app: Arc<App>,
    port: u16,
    reporter: Reporter,
    phase: watch::Sender<Phase>,
    /// Generations that a timed-out invocation wants killed.
    restarts: mpsc::Receiver<u64>,
    /// `true`: the handler is to be killed for good.
    kill: watch::Receiver<bool>,
    errors: Errors,
    /// What was last written to stderr, for the message about an exit.
    last_words: Arc<Mutex<VecDeque<String>>>,
}

/// The other end of a [`Supervisor`].
#[derive(Clone)]
pub(super) struct HandlerEnd {
    pub port: u16,
    pub phase: watch::Receiver<Phase>,
    pub restarts: mpsc::Sender<u64>,
}

enum End {
    Exited(ExitStatus),
    NotReady,
    TimedOutInvocation,
}

impl Supervisor {
    /// Picks the handler's port, which it keeps over all its restarts.
    pub(super) fn prepare(
        options: HandlerOptions,
        settings: Settings,
        app: Arc<App>,
        reporter: Reporter,
        kill: watch::Receiver<bool>,
    ) -> Result<(Supervisor, HandlerEnd), HostError> {
        let port = match app.handler.port {
            Some(port) => {
                let free = TcpListener::bind(("127.0.0.1", port)).map(drop);
                free.map_err(|source| HostError::PortTaken { port, source })?;
                port
            }
            None => free_port().map_err(|source| HostError::NoFreePort { source })?,
        };
        let (phase, phase_seen) = watch::channel(Phase::Starting);
        let (restart, restarts) = mpsc::channel(16);
        let end = HandlerEnd { port, phase: phase_seen, restarts: restart };
        let supervisor = Supervisor {
            options,
            settings,
            app,
            port,
            reporter,
            phase,
            restarts,
            kill,
            errors: Errors::default(),
            last_words: Arc::default(),
        };
        Ok((supervisor, end))
    }

    /// Keeps the handler running until it is to be killed (`None`) or the host must end. Returns when its process is gone.
    /// Dropping the future kills it too, without waiting for that.
    pub(super) async fn run(mut self) -> Option<HostError> {
        let mut kill = self.kill.clone();
        let mut child = None;
        let ended = tokio::select! {
            ended = self.keep_running(&mut child) => Some(ended),
            _ = kill.wait_for(|kill| *kill) => None,
        };
        if let Some(mut child) = child {
            // It fails only for a child that has ended already; one that does not end is left to the system.
            let _ = tokio::time::timeout(EXIT_PATIENCE, child.kill()).await;
        }
        ended
    }

    async fn keep_running(&mut self, child: &mut Option<Child>) -> HostError {
        for generation in 1.. {
            self.phase.send_replace(Phase::Starting);
            let end = match self.run_once(generation, child).await {
                Ok(end) => end,
                Err(fatal) => return fatal,
            };
            let reason = match end {
                End::TimedOutInvocation => continue,
                End::NotReady => {
                    format!("the handler did not answer within {:?}", self.app.handler.initialization_timeout)
                }
                End::Exited(status) => {
                    let reason = self.exit_reason(status);
                    self.reporter.report(HostEvent::HandlerExited { reason: reason.clone() }).await;
                    if status.code() == Some(RESTART_EXIT_CODE) {
                        continue;
                    }
                    reason
                }
            };
            if self.errors.are_too_many_with(Instant::now()) {
                return HostError::HandlerGaveUp { reason };
            }
        }
        unreachable!("a process does not start 2^64 times")
    }

    async fn run_once(&mut self, generation: u64, child: &mut Option<Child>) -> Result<End, HostError> {
        let started = Instant::now();
        let child = child.insert(self.spawn()?);
        // Redirects are followed by the client, but where requests are passed on as they came.
        let redirects = match self.app.handler.http {
            HttpMode::Envelope => reqwest::redirect::Policy::default(),
            HttpMode::Forwarding | HttpMode::Proxying => reqwest::redirect::Policy::none(),
        };
        let client = reqwest::Client::builder().no_proxy().redirect(redirects).build();
        let client = client.map_err(|source| HostError::Client { source })?;
        self.reporter.report(HostEvent::HandlerStarted { process_id: child.id(), port: self.port }).await;
        let ready = self.becomes_ready(&client);
        tokio::pin!(ready);
        let early_exit = tokio::select! {
            biased;
            status = child.wait() => Some(status.map_err(|source| self.wait_failed(source))?),
            is_ready = &mut ready => if is_ready { None } else { return Ok(killed(child, End::NotReady).await) },
        };
        match early_exit {
            // An exit with 0 is not acted on: the host goes on asking until its time is up.
            Some(status) if status.success() => {
                ready.await;
                return Ok(End::NotReady);
            }
            Some(status) => return Ok(End::Exited(status)),
            None => {}
        }
        self.phase.send_replace(Phase::Ready { generation, client });
        self.reporter.report(HostEvent::HandlerReady { after: started.elapsed() }).await;
        let mut has_exited = false;
        loop {
            tokio::select! {
                status = child.wait(), if !has_exited => {
                    let status = status.map_err(|source| self.wait_failed(source))?;
                    if !status.success() {
                        return Ok(End::Exited(status));
                    }
                    has_exited = true;
                    let reason = "exit code 0: it is not started again, and every invocation will fail".to_owned();
                    self.reporter.report(HostEvent::HandlerExited { reason }).await;
                }
                Some(timed_out) = self.restarts.recv() => if timed_out == generation {
                    return Ok(killed(child, End::TimedOutInvocation).await);
                }
            }
        }
    }

    fn spawn(&self) -> Result<Child, HostError> {
        let port = self.port.to_string();
        let id = uuid::Uuid::new_v4().to_string();
        let root = std::path::absolute(&self.app.root).unwrap_or_else(|_| self.app.root.clone());
        let mut child = Command::new(self.program())
            .args(&self.app.handler.arguments)
            .current_dir(&self.app.handler.working_directory)
            .envs(&self.settings)
            .env("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
            .envs(&self.options.environment)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
            .env("FUNCTIONS_HTTPWORKER_PORT", &port)
            .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &id)
            .env("FUNCTIONS_HTTPWORKER_ID", &id)
            .env("FUNCTIONS_APP_ROOT_PATH", root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| HostError::Start { program: self.program().to_owned(), source })?;
        let errors_only = self.app.handler.stderr_is_for_errors_only;
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(console::read_lines(stdout, LogStream::Stdout, errors_only, self.reporter.clone(), None));
        }
        if let Some(stderr) = child.stderr.take() {
            let last_words = Some(self.last_words.clone());
            tokio::spawn(console::read_lines(
                stderr,
                LogStream::Stderr,
                errors_only,
                self.reporter.clone(),
                last_words,
            ));
        }
        Ok(child)
    }

    fn program(&self) -> &Path {
        let named = &self.app.handler.executable;
        match &self.options.stand_in {
            // A path that stayed relative is of no file in the app.
            Some(stand_in) if named.is_relative() && named.as_os_str() == stand_in.name.as_str() => &stand_in.path,
            _ => named,
        }
    }

    /// Any response means ready, whatever its status; so does any error but a refused connection. Only the pauses
    /// between the requests are counted, as in the host.
    fn becomes_ready(&self, client: &reqwest::Client) -> impl Future<Output = bool> + use<> {
        let request = client.get(format!("http://127.0.0.1:{}/", self.port));
        let tries = self.app.handler.initialization_timeout.as_millis() / POLL.as_millis();
        async move {
            for _ in 0..tries {
                let Some(request) = request.try_clone() else {
                    return false;
                };
                match request.send().await {
                    Err(refused) if refused.is_connect() => tokio::time::sleep(POLL).await,
                    _ => return true,
                }
            }
            false
        }
    }

    fn exit_reason(&self, status: ExitStatus) -> String {
        let last_words = self.last_words.lock().expect("nothing panics while it holds the last lines");
        let lines: Vec<&str> = last_words.iter().map(String::as_str).collect();
        if lines.is_empty() {
            format!("the handler ended: {status}")
        } else {
            format!("the handler ended: {status}: {}", lines.join(" | "))
        }
    }

    fn wait_failed(&self, source: std::io::Error) -> HostError {
        HostError::Start { program: self.program().to_owned(), source }
    }
}

async fn killed(child: &mut Child, end: End) -> End {
    // It fails only for a child that has ended already.
    let _ = child.kill().await;
    end
}

/// Errors that are counted together.
#[derive(Default)]
struct Errors {
    count: u32,
    last: Option<Instant>,
}

impl Errors {
    /// Counts one more.
    fn are_too_many_with(&mut self, now: Instant) -> bool {
        if self.last.is_some_and(|last| now.duration_since(last) > ERROR_WINDOW) {
            self.count = 0;
        }
        self.count += 1;
        self.last = Some(now);
        self.count >= ERRORS_ALLOWED
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_error_is_too_many_unless_half_an_hour_lies_between_two() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let begin = Instant::now();
        let verdicts = |times: [u64; 4]| {
            let mut errors = Errors::default();
            times.map(|time| errors.are_too_many_with(begin + minutes(time)))
        };
        assert_eq!(verdicts([0, 1, 2, 3]), [false, false, true, true]);
        assert_eq!(verdicts([0, 30, 60, 61]), [false, false, true, true]);
        assert_eq!(verdicts([0, 1, 32, 33]), [false, false, false, false]);
    }
}
