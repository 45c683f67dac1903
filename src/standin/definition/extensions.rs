//! host.json's section `extensions`: how the Event Hubs and queue triggers are to behave (`EventHubOptions.cs` and
//! `QueuesOptions.cs` of azure-sdk-for-net).

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::DefinitionError;
use super::document::{Document, parse_span};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHubOptions {
    pub max_batch_size: usize,
    /// Above 1, events wait for company.
    pub min_batch_size: usize,
    /// How long they wait.
    pub max_wait: Duration,
    /// The checkpoint is written after every so many batches.
    pub batches_per_checkpoint: u32,
    pub initial_offset: InitialOffset,
}

/// Where a partition without a checkpoint begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialOffset {
    Start,
    End,
    EnqueuedTime(DateTime<Utc>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    pub batch_size: usize,
    /// A new batch is fetched when no more than so many messages are under way.
    pub new_batch_threshold: usize,
    pub max_dequeue_count: u32,
    /// How long a message whose invocation failed stays out of sight.
    pub visibility_timeout: Duration,
    pub encoding: MessageEncoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageEncoding {
    Base64,
    None,
}

impl Document<'_> {
    pub(super) fn event_hubs(&self) -> Result<EventHubOptions, DefinitionError> {
        let member = |name: &str| format!("extensions.eventHubs.{name}");
        let options = EventHubOptions {
            max_batch_size: self.number(&member("maxEventBatchSize"), 100)? as usize,
            min_batch_size: self.number(&member("minEventBatchSize"), 1)? as usize,
            max_wait: self.span_or(&member("maxWaitTime"), Duration::from_secs(60))?,
            batches_per_checkpoint: self.number(&member("batchCheckpointFrequency"), 1)?,
            initial_offset: self.initial_offset()?,
        };
        if options.min_batch_size > options.max_batch_size {
            return Err(self.fault(format!(
                "{} is {}: it must not exceed maxEventBatchSize, which is {}",
                member("minEventBatchSize"),
                options.min_batch_size,
                options.max_batch_size
            )));
        }
        if options.max_wait > Duration::from_secs(600) {
            return Err(self.fault(format!("{} must not exceed 00:10:00", member("maxWaitTime"))));
        }
        Ok(options)
    }

    fn initial_offset(&self) -> Result<InitialOffset, DefinitionError> {
        let member = "extensions.eventHubs.initialOffsetOptions";
        let options = self.at(member);
        let kind = options["type"].as_str().unwrap_or("fromStart").to_ascii_lowercase();
        match kind.as_str() {
            "fromstart" => Ok(InitialOffset::Start),
            "fromend" => Ok(InitialOffset::End),
            "fromenqueuedtime" => {
                let text = options["enqueuedTimeUtc"].as_str().unwrap_or_default();
                let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
                time.map(InitialOffset::EnqueuedTime).map_err(|_| {
                    self.fault(format!(
                        "{member}.enqueuedTimeUtc is `{text}`: write a time such as 2026-08-22T06:00:00Z"
                    ))
                })
            }
            _ => Err(self.fault(format!("{member}.type must be fromStart, fromEnd or fromEnqueuedTime"))),
        }
    }

    pub(super) fn queues(&self) -> Result<QueueOptions, DefinitionError> {
        let member = |name: &str| format!("extensions.queues.{name}");
        let batch_size = self.number(&member("batchSize"), 16)?;
        if batch_size > 32 {
            return Err(
                self.fault(format!("{} is {batch_size}: a queue gives at most 32 at once", member("batchSize")))
            );
        }
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let threshold = self.count(&member("newBatchThreshold"), batch_size / 2 * cores)?;
        let encoding = match self.at(&member("messageEncoding")).as_str().unwrap_or("base64") {
            text if text.eq_ignore_ascii_case("base64") => MessageEncoding::Base64,
            text if text.eq_ignore_ascii_case("none") => MessageEncoding::None,
            text => return Err(self.fault(format!("{} is `{text}`: write base64 or none", member("messageEncoding")))),
        };
        Ok(QueueOptions {
            batch_size: batch_size as usize,
            new_batch_threshold: threshold as usize,
            max_dequeue_count: self.number(&member("maxDequeueCount"), 5)?,
            visibility_timeout: match self.at(&member("visibilityTimeout")).as_str() {
                None | Some("00:00:00") => Duration::ZERO,
                Some(text) => parse_span(text).ok_or_else(|| {
                    self.fault(format!("{} is `{text}`: write `hh:mm:ss`", member("visibilityTimeout")))
                })?,
            },
            encoding,
        })
    }
}
