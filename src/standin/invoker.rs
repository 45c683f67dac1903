//! One invocation from the trigger's side: wait for the handler, send the envelope, judge the answer, deliver its outputs,
//! try again as the function's policy says, kill the handler when the time is up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::answer::{self, Answer, InvocationResult};
use super::course::CourseSwitch;
use super::definition::{App, Function, OutputKind};
use super::outputs;
use super::process::{HandlerEnd, Phase};
use super::progress::Progress;
use super::storage_queue::StorageQueues;
use super::{HostError, HostEvent, Reporter, envelope};
use crate::stations::hub::{HubSender, NewEvent};

/// The version of the host whose sources the stand-in follows.
pub(super) const HOST_VERSION: &str = "4.1037.0.0";

/// What the host says of an HTTP trigger, and of a run by hand.
pub(super) const CALLED: &str = "This function was programmatically called via the host APIs.";

/// The way of all invocations of one instance.
pub(super) struct Invoker {
    pub app: Arc<App>,
    pub handler: HandlerEnd,
    pub reporter: Reporter,
    pub progress: Arc<Progress>,
    pub course: CourseSwitch,
    /// Takes the error that ends the host.
    pub fatal: mpsc::Sender<HostError>,
    pub hub: Arc<dyn HubSender>,
    pub queues: StorageQueues,
}

/// Why an invocation is made, for the log.
pub(super) struct Occasion {
    pub reason: String,
    /// `Trigger Details`.
    pub details: Option<String>,
}

impl Invoker {
    /// Invokes a function with an envelope, retries included. All tries share one invocation id. An envelope that the host
    /// itself could not make fails each of them before the handler is called.
    pub(super) async fn invoke(
        &self,
        function: &Function,
        occasion: &Occasion,
        mut request: Result<Value, String>,
    ) -> Result<InvocationResult, String> {
        let _in_flight = self.progress.invocation();
        let mut retrying = None;
        let id = Uuid::new_v4();
        let mut last_failure: Option<String> = None;
        for retry in 0.. {
            if let (Some(policy), Ok(request)) = (&function.retry, &mut request) {
                envelope::set_retry_context(request, retry, policy.limit(), last_failure.as_deref());
            }
            let started = self.started(function, id, occasion).await;
            let outcome = match &request {
                Ok(request) => self.within_the_timeout(function, id, self.post(function, id, request)).await,
                Err(failure) => Err(failure.clone()),
            };
            self.ended(function, id, started, &outcome).await;
            let failure = match outcome {
                Ok(result) => return Ok(result),
                Err(failure) => failure,
            };
            let Some(pause) = function.retry.as_ref().and_then(|policy| policy.pause_before(retry + 1)) else {
                return Err(failure);
            };
            retrying.get_or_insert_with(|| self.progress.retrying());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.course.stops() => {
                    let message = "Invocation cancelled - exiting retry loop.".to_owned();
                    self.reporter.report(HostEvent::Warning { message }).await;
                    return Err(failure);
                }
            }
            last_failure = Some(failure);
        }
        unreachable!("a policy's count ends before 2^32 retries, or they go on for ever")
    }

    /// Forwards an HTTP request as it came; its response goes back as it is, whatever its status.
    pub(super) async fn forward(
        &self,
        function: &Function,
        mut request: ForwardedRequest,
    ) -> Result<reqwest::Response, String> {
        let callers = request.headers.get("User-Agent").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let agents = format!("{callers} Azure-Functions-Host/{HOST_VERSION}");
        if let Ok(agents) = agents.trim_start().parse() {
            request.headers.insert("User-Agent", agents);
        }
        let _in_flight = self.progress.invocation();
        let id = Uuid::new_v4();
        let started = self.started(function, id, &Occasion { reason: CALLED.to_owned(), details: None }).await;
        let sending = async {
            let client = self.ready_handler().await?;
            let url = format!("http://127.0.0.1:{}{}", self.handler.port, request.path_and_query);
            let sent = client
                .request(request.method, url)
                .headers(request.headers)
                .header("X-Azure-Functions-HostVersion", HOST_VERSION)
                .header("X-Azure-Functions-InvocationId", id.to_string())
                .body(request.body)
                .send()
                .await;
            sent.map_err(|failure| chain(&failure))
        };
        let outcome = self.within_the_timeout(function, id, sending).await;
        let summary = outcome.as_ref().map(|_| InvocationResult::default()).map_err(String::clone);
        self.ended(function, id, started, &summary).await;
        outcome
    }

    async fn post(&self, function: &Function, id: Uuid, request: &Value) -> Result<InvocationResult, String> {
        let client = self.ready_handler().await?;
        match self.send(&client, function, id, request).await? {
            Answer::Success(result) => self.deliver(function, &result).await.map(|()| result),
            Answer::Failure(reason) => Err(reason),
            Answer::Hangs => {
                let message = format!(
                    "function `{}` answered with an empty body: the host waits for its timeout now; answer {{}} instead",
                    function.name
                );
                self.reporter.report(HostEvent::Warning { message }).await;
                std::future::pending().await
            }
        }
    }

    async fn send(
        &self,
        client: &reqwest::Client,
        function: &Function,
        id: Uuid,
        request: &Value,
    ) -> Result<Answer, String> {
        // A body of unknown length, as the real host sends it in Azure.
        let body = stream::once(std::future::ready(Ok::<_, std::convert::Infallible>(request.to_string())));
        let sent = client
            .post(format!("http://127.0.0.1:{}/{}", self.handler.port, function.name))
            .header("X-Azure-Functions-HostVersion", HOST_VERSION)
            .header("X-Azure-Functions-InvocationId", id.to_string())
            .header("User-Agent", format!("Azure-Functions-Host/{HOST_VERSION}"))
            .header("Content-Type", "application/json; charset=utf-8")
            .body(reqwest::Body::wrap_stream(body))
            .send()
            .await;
        let response = sent.map_err(|failure| chain(&failure))?;
        let status = response.status().as_u16();
        let content_type =
            response.headers().get("Content-Type").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.map_err(|failure| chain(&failure))?;
        Ok(answer::judge(status, content_type.as_deref(), &body))
    }

    /// A failed output fails the invocation after the handler has reported success. Names that the function does not
    /// declare are passed over.
    async fn deliver(&self, function: &Function, result: &InvocationResult) -> Result<(), String> {
        let outputs = with_return_value(result);
        for output in &function.outputs {
            match &output.kind {
                // It is the front's to send it; that it is one is the invocation's.
                OutputKind::Http => drop(outputs::http_output(&output.name, &outputs)?),
                OutputKind::EventHub { hub } => {
                    let bodies = outputs::messages(output, &outputs).into_iter();
                    let events: Vec<_> =
                        bodies.map(|body| NewEvent { partition_key: None, body: body.into() }).collect();
                    if !events.is_empty() {
                        self.hub.send_many(hub, events).await.map_err(|failure| chain(&failure))?;
                    }
                }
                OutputKind::Queue { queue } => {
                    let messages = outputs::messages(output, &outputs);
                    if messages.is_empty() {
                        continue;
                    }
                    let queue = self.queues.open(queue).map_err(|failure| chain(&failure))?;
                    for message in messages {
                        queue
                            .send(&super::queues::encoded(&message, self.app.queues.encoding))
                            .map_err(|failure| chain(&failure))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A function that takes too long takes the whole handler with it, and every other invocation in it.
    async fn within_the_timeout<T>(
        &self,
        function: &Function,
        id: Uuid,
        work: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        let Some(limit) = self.app.function_timeout else {
            return work.await;
        };
        match tokio::time::timeout(limit, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                if let Phase::Ready { generation, .. } = &*self.handler.phase.borrow() {
                    // A full queue means that the same generation is about to be killed anyway.
                    let _ = self.handler.restarts.try_send(*generation);
                }
                Err(format!(
                    "Timeout value of {} exceeded by function 'Functions.{}' (Id: '{id}'). Initiating cancellation.",
                    span(limit),
                    function.name
                ))
            }
        }
    }

    /// Waits for the handler as long as the real host does; after that the host ends.
    async fn ready_handler(&self) -> Result<reqwest::Client, String> {
        let mut phase = self.handler.phase.clone();
        let patience = self.app.handler.initialization_timeout.saturating_mul(4);
        let ready = tokio::time::timeout(patience, phase.wait_for(|phase| matches!(phase, Phase::Ready { .. }))).await;
        match ready {
            Ok(Ok(phase)) => match &*phase {
                Phase::Ready { client, .. } => Ok(client.clone()),
                Phase::Starting => Err("the handler is starting".to_owned()),
            },
            Ok(Err(_)) => Err("the handler is gone".to_owned()),
            Err(_) => {
                // Where the channel is full or closed, the host is ending already.
                let _ = self.fatal.try_send(HostError::HandlerNotReady { waited: patience });
                Err(format!("the handler was not ready within {patience:?}"))
            }
        }
    }

    async fn started(&self, function: &Function, id: Uuid, occasion: &Occasion) -> Instant {
        let event = HostEvent::InvocationStarted {
            function: function.name.clone(),
            id,
            reason: occasion.reason.clone(),
            details: occasion.details.clone(),
        };
        self.reporter.report(event).await;
        Instant::now()
    }

    async fn ended(&self, function: &Function, id: Uuid, started: Instant, outcome: &Result<InvocationResult, String>) {
        let took: Duration = started.elapsed();
        let (logs, failure) = match outcome {
            Ok(result) => (result.logs.clone(), None),
            Err(failure) => {
                self.progress.note(format!("{}: {failure}", function.name));
                (Vec::new(), Some(failure.clone()))
            }
        };
        let event = HostEvent::InvocationEnded { function: function.name.clone(), id, failure, logs, took };
        self.reporter.report(event).await;
    }
}

/// An HTTP request on its way to a function's own path.
pub(super) struct ForwardedRequest {
    pub method: reqwest::Method,
    pub path_and_query: String,
    pub headers: reqwest::header::HeaderMap,
    pub body: bytes::Bytes,
}

/// The outputs, with the answer's `ReturnValue` under the name that a binding for it has.
pub(super) fn with_return_value(result: &InvocationResult) -> Map<String, Value> {
    let mut outputs = result.outputs.clone();
    if !result.return_value.is_null() {
        outputs.insert("$return".to_owned(), result.return_value.clone());
    }
    outputs
}

/// `TimeSpan.ToString()`.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
