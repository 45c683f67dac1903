//! One invocation from the trigger's side: wait for the handler, send the envelope, judge the answer, try again as the
//! function's policy says, kill the handler when the time is up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream;
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::answer::{self, Answer, InvocationResult};
use super::definition::{App, Function, Trigger};
use super::envelope;
use super::process::{HandlerEnd, Phase};
use super::progress::Progress;
use super::{HostError, HostEvent, Reporter};

/// The version of the host whose sources the stand-in follows.
pub(super) const HOST_VERSION: &str = "4.1037.0.0";

pub(super) struct Invoker {
    pub app: Arc<App>,
    pub handler: HandlerEnd,
    pub reporter: Reporter,
    pub progress: Arc<Progress>,
    /// Takes the error that ends the host.
    pub fatal: mpsc::Sender<HostError>,
}

impl Invoker {
    /// Invokes a function with an envelope, retries included. All tries share one invocation id.
    pub(super) async fn invoke(
        &self,
        function: &Function,
        reason: &str,
        mut request: Value,
    ) -> Result<InvocationResult, String> {
        let _in_flight = self.progress.invocation();
        let id = Uuid::new_v4();
        let mut last_failure: Option<String> = None;
        for retry in 0.. {
            if let Some(policy) = retry_policy(function) {
                envelope::set_retry_context(&mut request, retry, policy.limit(), last_failure.as_deref());
            }
            let started = self.started(function, id, reason).await;
            let outcome = self.within_the_timeout(function, id, self.post(function, id, &request)).await;
            self.ended(function, id, started, &outcome).await;
            let failure = match outcome {
                Ok(result) => return Ok(result),
                Err(failure) => failure,
            };
            match retry_policy(function).and_then(|policy| policy.pause_before(retry + 1)) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure),
            }
            last_failure = Some(failure);
        }
        unreachable!("a policy's count ends before 2^32 retries, or they go on for ever")
    }

    /// Forwards an HTTP request as it came; its response goes back as it is, whatever its status.
    pub(super) async fn forward(
        &self,
        function: &Function,
        request: ForwardedRequest,
    ) -> Result<reqwest::Response, String> {
        let _in_flight = self.progress.invocation();
        let id = Uuid::new_v4();
        let started = self.started(function, id, "This function was programmatically called via the host APIs.").await;
        let sending = async {
            let (client, generation) = self.ready_handler().await;
            let url = format!("http://127.0.0.1:{}{}", self.handler.port, request.path_and_query);
            let sent = client
                .request(request.method, url)
                .headers(request.headers)
                .header("X-Azure-Functions-HostVersion", HOST_VERSION)
                .header("X-Azure-Functions-InvocationId", id.to_string())
                .body(request.body)
                .send()
                .await;
            (generation, sent.map_err(|failure| chain(&failure)))
        };
        let outcome = self.within_the_timeout(function, id, sending).await;
        let summary = outcome.as_ref().map(|_| InvocationResult::default()).map_err(String::clone);
        self.ended(function, id, started, &summary).await;
        outcome
    }

    async fn post(&self, function: &Function, id: Uuid, request: &Value) -> (u64, Result<InvocationResult, String>) {
        let (client, generation) = self.ready_handler().await;
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
        let response = match sent {
            Ok(response) => response,
            Err(failure) => return (generation, Err(chain(&failure))),
        };
        let status = response.status().as_u16();
        let content_type =
            response.headers().get("Content-Type").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(failure) => return (generation, Err(chain(&failure))),
        };
        match answer::judge(status, content_type.as_deref(), &body) {
            Answer::Success(result) => (generation, Ok(result)),
            Answer::Failure(reason) => (generation, Err(reason)),
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

    /// A function that takes too long takes the whole handler with it, and every other invocation in it.
    async fn within_the_timeout<T>(
        &self,
        function: &Function,
        id: Uuid,
        work: impl Future<Output = (u64, Result<T, String>)>,
    ) -> Result<T, String> {
        let Some(limit) = self.app.function_timeout else {
            return work.await.1;
        };
        match tokio::time::timeout(limit, work).await {
            Ok((_, outcome)) => outcome,
            Err(_) => {
                if let Phase::Ready { generation, .. } = &*self.handler.phase.borrow() {
                    // A full queue means that the same generation is about to be killed anyway.
                    let _ = self.handler.restarts.try_send(*generation);
                }
                Err(format!(
                    "timeout value of {limit:?} exceeded by function `{}` (Id: {id}): the handler is restarted",
                    function.name
                ))
            }
        }
    }

    /// Waits for the handler as long as the real host does; after that the host ends.
    async fn ready_handler(&self) -> (reqwest::Client, u64) {
        let mut phase = self.handler.phase.clone();
        let patience = self.app.initialization_timeout.saturating_mul(4);
        let ready = tokio::time::timeout(patience, phase.wait_for(|phase| matches!(phase, Phase::Ready { .. }))).await;
        match ready.ok().and_then(Result::ok).map(|phase| phase.clone()) {
            Some(Phase::Ready { generation, client }) => (client, generation),
            _ => {
                // Where the channel is full or closed, the host is ending already.
                let _ = self.fatal.try_send(HostError::HandlerNotReady { waited: patience });
                std::future::pending().await
            }
        }
    }

    async fn started(&self, function: &Function, id: Uuid, reason: &str) -> Instant {
        let event = HostEvent::InvocationStarted { function: function.name.clone(), id, reason: reason.to_owned() };
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

/// Only these triggers obey a policy; on others the real host logs a warning and goes on without it.
fn retry_policy(function: &Function) -> Option<&super::retry::RetryPolicy> {
    let supports_retry = matches!(function.trigger, Trigger::Timer { .. } | Trigger::EventHub { .. });
    function.retry.as_ref().filter(|_| supports_retry)
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
