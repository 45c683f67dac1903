//! A route for each function: decode the envelope, call the story with its stations, encode the answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::error;

use super::answer::{HttpAnswer, InvocationAnswer};
use super::envelope::Invocation;
use super::limits::{ADDRESS_BODY, BATCH_BODY, Limits, SMALL_BODY, STREAM_BODY};
use super::{ForwardedRequest, Functions};
use crate::app::{EVENTS_BINDING, STREAM_PREFIX};
use crate::clock::Clock;
use crate::functions::announce::{AnnounceStations, Announced, announce};
use crate::functions::load::{LoadStations, load_batch};
use crate::functions::pull::{PullSource, PullStations, pull};
use crate::functions::status::{StatusReport, StatusStations, status};
use crate::functions::stream::{PositionsWritten, StreamBatch, StreamStations, StreamedFeeds, stream};
use crate::functions::sweep::{SweepStations, sweep};
use crate::names::FeedName;
use crate::pipeline::Pipeline;
use crate::stations::Disposition;
use crate::stations::hub::{HubEvent, HubReader, HubSender};
use crate::stations::share::Share;
use crate::telemetry::chain;

/// Everything that the functions work with.
pub struct Routes {
    pub pipeline: Arc<Pipeline>,
    pub pull_sources: Vec<PullSource>,
    pub pull: PullStations,
    pub hub: Arc<dyn HubSender>,
    pub hub_reader: Arc<dyn HubReader>,
    pub streams: StreamedFeeds,
    pub positions_written: PositionsWritten,
    pub share: Arc<dyn Share>,
    pub load: LoadStations,
    pub clock: Clock,
    /// The host's `functionTimeout`.
    pub function_timeout: Duration,
}

#[async_trait]
impl Functions for Routes {
    fn limits(&self, function: &str) -> Option<Limits> {
        let deadline = self.function_timeout.mul_f64(0.9);
        let limits = |body, concurrency| Some(Limits { body, concurrency, deadline });
        match function {
            "pull" | "sweep" => limits(SMALL_BODY, 1),
            "announce" => limits(ADDRESS_BODY, 8),
            "load" => limits(BATCH_BODY, 4),
            "status" => limits(SMALL_BODY, 2),
            // A function for each streamed feed, and for each of its partitions an invocation at a time.
            function if function.starts_with(STREAM_PREFIX) => limits(STREAM_BODY, 32),
            _ => None,
        }
    }

    async fn invoke(&self, invocation: Invocation) -> InvocationAnswer {
        match invocation.function.as_str() {
            "pull" => self.pull().await,
            "announce" => self.announce(&invocation).await,
            "load" => self.load(&invocation).await,
            "sweep" => self.sweep().await,
            "status" => self.status_in_envelope().await,
            function if function.starts_with(STREAM_PREFIX) => self.stream(&invocation).await,
            other => InvocationAnswer::failed(format!("this handler has no function `{other}`")),
        }
    }

    async fn answer_http(&self, request: ForwardedRequest) -> Option<HttpAnswer> {
        if request.route != "status" {
            return None;
        }
        if request.method != "GET" && request.method != "HEAD" {
            let body = "this page is for GET\n".to_owned();
            return Some(HttpAnswer { status: 405, content_type: "text/plain; charset=utf-8", body });
        }
        Some(match self.status().await {
            Ok(report) if wants_json(&request) => as_json(&report),
            Ok(report) => HttpAnswer { status: 200, content_type: "text/plain; charset=utf-8", body: report.to_text() },
            Err(answer) => answer,
        })
    }
}

impl Routes {
    /// The last tenth of the time is for what a transfer still has to finish once it was told to stop.
    async fn pull(&self) -> InvocationAnswer {
        let deadline = Instant::now() + self.function_timeout.mul_f64(0.8);
        let report = pull(&self.pull_sources, &self.pull, &self.clock, deadline).boxed().await;
        for source in &report.sources {
            for failure in &source.failures {
                error!("{}: {}", source.place(), failure.message);
            }
        }
        // `pending` and `failed` tell the stand-in host whether there is anything left to wait for.
        InvocationAnswer::done(json!({
            "pending": report.unfinished(),
            "failed": report.failed(),
            "report": serde_json::to_value(&report).unwrap_or(Value::Null),
        }))
    }

    async fn announce(&self, invocation: &Invocation) -> InvocationAnswer {
        let uri = match invocation.metadata_text("Uri") {
            Ok(uri) => uri,
            Err(fault) => return InvocationAnswer::failed(fault.to_string()),
        };
        match announce(&uri, &self.announce_stations()).await {
            Ok(Announced::Sent(landed)) => InvocationAnswer::done(json!({ "announced": landed.blob })),
            Ok(Announced::DeadLettered) => InvocationAnswer::done(json!({ "dead_lettered": uri })),
            Ok(Announced::Gone) => InvocationAnswer::done(json!({ "gone": uri })),
            Err(fault) => match fault.disposition() {
                Disposition::Retry => InvocationAnswer::failed(chain(&fault)),
                Disposition::Reject => {
                    // The trigger would only bring it again: say it and let go. Sweep finds the blob if there is one.
                    error!("announce refuses {uri}: {}", chain(&fault));
                    InvocationAnswer::done(json!({ "refused": chain(&fault) }))
                }
            },
        }
    }

    async fn load(&self, invocation: &Invocation) -> InvocationAnswer {
        let messages = match invocation.events(EVENTS_BINDING) {
            Ok(messages) => messages,
            Err(fault) => return InvocationAnswer::failed(fault.to_string()),
        };
        match load_batch(&messages, &self.load).await {
            Ok(report) => InvocationAnswer::done(serde_json::to_value(report).unwrap_or(Value::Null)),
            Err(fault) => InvocationAnswer::failed(chain(&fault)),
        }
    }

    async fn stream(&self, invocation: &Invocation) -> InvocationAnswer {
        let named = invocation.function.strip_prefix(STREAM_PREFIX).and_then(|feed| FeedName::new(feed).ok());
        let Some(feed) = named.and_then(|feed| self.streams.get(&feed)) else {
            let reason = "pipeline.toml has no [feed.stream] for it: `millrace check` says what fits together";
            return InvocationAnswer::failed(format!("function `{}` cannot run: {reason}", invocation.function));
        };
        let batch = match invocation.event_batch(EVENTS_BINDING) {
            Ok(batch) => batch,
            Err(fault) => return InvocationAnswer::failed(fault.to_string()),
        };
        let events = batch.events.into_iter().map(|event| HubEvent {
            sequence_number: event.sequence_number,
            enqueued_at: event.enqueued_at,
            body: event.body,
        });
        let batch = StreamBatch { hub: batch.hub, partition: batch.partition, events: events.collect() };
        let stations = StreamStations {
            feed,
            hub: self.hub_reader.as_ref(),
            warehouse: self.load.warehouse.as_ref(),
            quarantine: &self.load.containers.quarantine,
            state: &self.load.containers.state,
            budget: &self.load.budget,
            clock: &self.clock,
            written: &self.positions_written,
        };
        match stream(batch, &stations).boxed().await {
            Ok(report) => InvocationAnswer::done(serde_json::to_value(report).unwrap_or(Value::Null)),
            Err(fault) => InvocationAnswer::failed(chain(&fault)),
        }
    }

    async fn sweep(&self) -> InvocationAnswer {
        let stations = SweepStations {
            announce: self.announce_stations(),
            share: self.share.as_ref(),
            quarantine: &self.load.containers.quarantine,
            curated: &self.load.containers.curated,
            warehouse: self.load.warehouse.as_ref(),
        };
        match sweep(&stations).boxed().await {
            Ok(report) => InvocationAnswer::done(serde_json::to_value(report).unwrap_or(Value::Null)),
            Err(fault) => InvocationAnswer::failed(chain(&fault)),
        }
    }

    /// Where the host does not forward HTTP requests, the page goes out through the output binding `response`.
    async fn status_in_envelope(&self) -> InvocationAnswer {
        let answer = match self.status().await {
            Ok(report) => as_json(&report),
            Err(answer) => answer,
        };
        InvocationAnswer::Done {
            outputs: json!({ "response": {
                "statusCode": answer.status,
                "headers": { "Content-Type": answer.content_type },
                "body": answer.body,
            }}),
            return_value: Value::Null,
        }
    }

    async fn status(&self) -> Result<StatusReport, HttpAnswer> {
        let containers = &self.load.containers;
        let stations = StatusStations {
            pipeline: &self.pipeline,
            landing: &containers.landing,
            state: &containers.state,
            clock: &self.clock,
        };
        status(&stations).await.map_err(|fault| {
            let reason = chain(&fault);
            error!("status: {reason}");
            HttpAnswer { status: 503, content_type: "application/json", body: json!({ "error": reason }).to_string() }
        })
    }

    fn announce_stations(&self) -> AnnounceStations<'_> {
        AnnounceStations {
            pipeline: &self.pipeline,
            landing: &self.load.containers.landing,
            state: &self.load.containers.state,
            hub: self.hub.as_ref(),
            clock: &self.clock,
        }
    }
}

fn as_json(report: &StatusReport) -> HttpAnswer {
    let body = serde_json::to_string_pretty(report).expect("a report holds text, numbers and times");
    HttpAnswer { status: 200, content_type: "application/json", body }
}

/// `?format=json` or `Accept: application/json`.
fn wants_json(request: &ForwardedRequest) -> bool {
    match request.query.iter().find(|(name, _)| name == "format") {
        Some((_, format)) => format == "json",
        None => request.accept.as_deref().is_some_and(|accept| accept.contains("application/json")),
    }
}
