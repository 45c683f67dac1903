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
use super::status_page::StatusRequest;
use super::{ForwardedRequest, Functions};
use crate::app::{EVENTS_BINDING, MESSAGE_BINDING, STREAM_PREFIX};
use crate::clock::Clock;
use crate::functions::announce::{AnnounceStations, Announced, announce, announce_message};
use crate::functions::load::{LoadStations, load_batch};
use crate::functions::pull::{PullSource, PullStations, pull};
use crate::functions::status::{StatusStations, status};
use crate::functions::stream::{PositionsWritten, StreamBatch, StreamStations, StreamedFeeds, stream};
use crate::functions::sweep::{SweepStations, sweep};
use crate::names::FeedName;
use crate::pipeline::Pipeline;
use crate::stations::Disposition;
use crate::stations::hub::{HubEvent, HubReader, HubSender};
use crate::stations::share::Share;
use crate::telemetry::chain;

/// Batches of events in memory at a time, of all partitions; more wait their turn.
const STREAMS_AT_A_TIME: usize = 8;

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
            function if function.starts_with(STREAM_PREFIX) => limits(STREAM_BODY, STREAMS_AT_A_TIME),
            _ => None,
        }
    }

    async fn invoke(&self, invocation: Invocation) -> InvocationAnswer {
        match invocation.function.as_str() {
            "pull" => self.pull().await,
            "announce" => self.announce(&invocation).await,
            "load" => self.load(&invocation).await,
            "sweep" => self.sweep().await,
            function if function.starts_with(STREAM_PREFIX) => self.stream(&invocation).await,
            "status" => self.status_in_envelope(&invocation).await,
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
        Some(self.status(StatusRequest::new(&request.query, request.accept.as_deref())).await)
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

    /// By a blob trigger, whose metadata hold the address, or by Event Grid's message in a queue, of whose invocation nothing
    /// but the message counts.
    async fn announce(&self, invocation: &Invocation) -> InvocationAnswer {
        let stations = self.announce_stations();
        let (subject, announced) = match invocation.message(MESSAGE_BINDING) {
            Some(message) => ("the queue message".to_owned(), announce_message(&message, &stations).await),
            None => match invocation.metadata_text("Uri") {
                Ok(uri) => {
                    let announced = announce(&uri, &stations).await.map(|announced| vec![announced]);
                    (uri, announced)
                }
                Err(fault) => return InvocationAnswer::failed(fault.to_string()),
            },
        };
        match announced {
            Ok(announced) => InvocationAnswer::done(match &announced[..] {
                [one] => what_became(one, &subject),
                several => several.iter().map(|one| what_became(one, &subject)).collect(),
            }),
            Err(fault) => match fault.disposition() {
                Disposition::Retry => InvocationAnswer::failed(chain(&fault)),
                Disposition::Reject => {
                    // The trigger would only bring it again: say it and let go. Sweep finds the blob if there is one.
                    error!("announce refuses {subject}: {}", chain(&fault));
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
            offset: None,
            partition_key: None,
            body: event.body,
        });
        let batch = StreamBatch { hub: batch.hub, partition: batch.partition, events: events.collect() };
        match stream(batch, feed, &self.stream_stations()).boxed().await {
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
            feeds: &self.streams,
            streams: self.stream_stations(),
        };
        // Every five minutes there is another tick: none needs the whole time.
        let deadline = Instant::now() + self.function_timeout.mul_f64(0.4);
        match sweep(&stations, deadline).boxed().await {
            Ok(report) => InvocationAnswer::done(serde_json::to_value(report).unwrap_or(Value::Null)),
            Err(fault) => InvocationAnswer::failed(chain(&fault)),
        }
    }

    /// Where the host does not forward HTTP requests, the page goes out through the output binding `response`.
    async fn status_in_envelope(&self, invocation: &Invocation) -> InvocationAnswer {
        let answer = self.status(StatusRequest::of(invocation)).await;
        InvocationAnswer::Done {
            outputs: json!({ "response": {
                "statusCode": answer.status,
                "headers": { "Content-Type": answer.content_type },
                "body": answer.body,
            }}),
            return_value: Value::Null,
        }
    }

    async fn status(&self, request: Result<StatusRequest, HttpAnswer>) -> HttpAnswer {
        let request = match request {
            Ok(request) => request,
            Err(answer) => return answer,
        };
        let containers = &self.load.containers;
        let stations = StatusStations {
            pipeline: &self.pipeline,
            share: self.share.as_ref(),
            landing: &containers.landing,
            quarantine: &containers.quarantine,
            state: &containers.state,
            hub: self.hub_reader.as_ref(),
            clock: &self.clock,
        };
        match status(&stations).boxed().await {
            Ok(report) => request.answer(&report),
            Err(fault) => {
                let reason = chain(&fault);
                error!("status: {reason}");
                let body = json!({ "error": reason }).to_string();
                HttpAnswer { status: 503, content_type: "application/json", body }
            }
        }
    }

    fn stream_stations(&self) -> StreamStations<'_> {
        StreamStations {
            hub: self.hub_reader.as_ref(),
            warehouse: self.load.warehouse.as_ref(),
            quarantine: &self.load.containers.quarantine,
            state: &self.load.containers.state,
            budget: &self.load.budget,
            clock: &self.clock,
            written: &self.positions_written,
        }
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

fn what_became(announced: &Announced, subject: &str) -> Value {
    match announced {
        Announced::Sent(landed) => json!({ "announced": landed.blob }),
        Announced::DeadLettered => json!({ "dead_lettered": subject }),
        Announced::Gone => json!({ "gone": subject }),
    }
}
