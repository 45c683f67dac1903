//! Event Hubs triggers: batches from one partition, one at a time, in order, as in
//! `EventHubListener.PartitionProcessor.cs` of azure-sdk-for-net. The checkpoint moves on whether the invocation succeeded
//! or not; a batch is delivered again only when the host ends before it has written the checkpoint.
//!
//! A checkpoint knows offsets and no incarnation: after a hub was made anew, the old checkpoint is taken for one of the new
//! hub. [?] What a real hub makes of an offset that it does not have is not written anywhere. Here the checkpoint's number
//! decides, which is the worst for a handler: what the new hub holds below it is never delivered, without a word.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::HostError;
use super::course::Course;
use super::definition::{Cardinality, DataType, Function, InitialOffset, Trigger};
use super::envelope::{self, EventBatch, PartitionContext, SystemFacts};
use super::invoker::{Occasion, chain};
use super::script_host::Shared;
use crate::stations::hub::{HubError, HubEvent, ReadLimit};

/// How often an empty partition is looked at. A look at a journal is a system call; at Event Hubs it is a request.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The pause after a hub that could not be read.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);
/// Bytes of one batch, above which it is cut.
const BATCH_LIMIT_BYTES: usize = 4 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    next_sequence_number: u64,
    /// When it was written; absent in records of older versions.
    #[serde(default)]
    at: Option<DateTime<Utc>>,
}

/// One partition of a hub, of those that the hub had when the listeners started.
pub(super) struct TriggerPartition {
    pub namespace: String,
    pub name: String,
    /// Which one of them it is: instances share partitions by it.
    pub position: usize,
}

struct Listener {
    shared: Arc<Shared>,
    function: Function,
    hub: String,
    consumer_group: String,
    cardinality: Cardinality,
    data_type: DataType,
    partition: TriggerPartition,
    /// The number of the next event to deliver.
    next: u64,
    batches_since_checkpoint: u32,
    last_checkpoint: Option<DateTime<Utc>>,
    has_invoked: bool,
}

/// Runs one function on one partition until the script host ends.
pub(super) async fn listen(
    shared: Arc<Shared>,
    function: Function,
    partition: TriggerPartition,
) -> Result<(), HostError> {
    let Trigger::EventHub { hub, consumer_group, cardinality, data_type } = function.trigger.clone() else {
        return Ok(());
    };
    let name = checkpoint_name(&hub, &consumer_group, &partition.name);
    let stored: Option<Checkpoint> = shared.ends.state.get(&name).await?;
    let mut listener = Listener {
        next: 0,
        batches_since_checkpoint: 0,
        last_checkpoint: stored.as_ref().and_then(|checkpoint| checkpoint.at),
        has_invoked: false,
        shared,
        function,
        hub,
        consumer_group,
        cardinality,
        data_type,
        partition,
    };
    let Some(next) = listener.beginning(stored).await else { return Ok(()) };
    listener.next = next;
    while let Some(events) = listener.gather().await {
        listener.deliver(&events).await?;
    }
    Ok(())
}

impl Listener {
    /// Where to begin; `None`: the script host ended before that was known.
    async fn beginning(&self, stored: Option<Checkpoint>) -> Option<u64> {
        if let Some(checkpoint) = stored {
            return Some(checkpoint.next_sequence_number);
        }
        loop {
            match self.initial_offset().await {
                Ok(next) => return Some(next),
                Err(failure) => {
                    if !self.pause_after(failure).await {
                        return None;
                    }
                }
            }
        }
    }

    async fn initial_offset(&self) -> Result<u64, HubError> {
        let bounds = async || self.shared.ends.hub_reader.bounds(&self.hub, &self.partition.name).await;
        let wanted = match self.shared.app.event_hubs.initial_offset {
            InitialOffset::Start => return Ok(0),
            InitialOffset::End => return Ok(bounds().await?.last_enqueued.map_or(0, |last| last + 1)),
            InitialOffset::EnqueuedTime(wanted) => wanted,
        };
        let bounds = bounds().await?;
        let (mut low, mut high) = (bounds.begins, bounds.last_enqueued.map_or(0, |last| last + 1));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.read(middle, 1).await?.first() {
                Some(event) if event.enqueued_at < wanted => low = event.sequence_number + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    async fn read(&self, from: u64, events: usize) -> Result<Vec<HubEvent>, HubError> {
        let limit = ReadLimit { events, bytes: BATCH_LIMIT_BYTES };
        self.shared.ends.hub_reader.read(&self.hub, &self.consumer_group, &self.partition.name, from, limit).await
    }

    /// The next batch, when there is one that is large enough or has waited long enough; `None`: the script host ends.
    async fn gather(&mut self) -> Option<Vec<HubEvent>> {
        let options = &self.shared.app.event_hubs;
        let source = source_name(&self.function, &self.partition.name);
        // Only batches have a least size.
        let wanted = if self.cardinality == Cardinality::Many { options.min_batch_size } else { 1 };
        let mut waiting: Option<(Instant, Duration)> = None;
        loop {
            if self.shared.course.now() != Course::Running {
                return None;
            }
            let began = Instant::now();
            let events = match self.read(self.next, options.max_batch_size).await {
                Ok(events) => events,
                Err(failure) => {
                    if !self.pause_after(failure).await {
                        return None;
                    }
                    continue;
                }
            };
            if events.is_empty() {
                self.shared.ends.progress.quiet(&source, began);
            } else {
                let (since, limit) = *waiting.get_or_insert_with(|| (began, self.wait_for_company()));
                if events.len() >= wanted || since.elapsed() >= limit {
                    return Some(events);
                }
            }
            // A look that takes long is not taken all the time.
            if !self.shared.course.sleep(began.elapsed().clamp(PAUSE, LONGEST_PAUSE)).await {
                return None;
            }
        }
    }

    /// How long a batch that is too small waits. The first one of a listener waits no longer than since the last checkpoint,
    /// and not at all where there is none: the partition may have come from another instance.
    fn wait_for_company(&self) -> Duration {
        let limit = self.shared.app.event_hubs.max_wait;
        if self.has_invoked {
            return limit;
        }
        let since = self.last_checkpoint.and_then(|at| (Utc::now() - at).to_std().ok());
        since.map_or(Duration::ZERO, |since| limit.saturating_sub(since))
    }

    async fn deliver(&mut self, events: &[HubEvent]) -> Result<(), HostError> {
        let Some(last) = events.last() else { return Ok(()) };
        let progress = &self.shared.ends.progress;
        let source = source_name(&self.function, &self.partition.name);
        progress.moved(&source);
        self.batches_since_checkpoint += 1;
        let is_checkpointing = self.batches_since_checkpoint >= self.shared.app.event_hubs.batches_per_checkpoint;
        let context = PartitionContext {
            namespace: &self.partition.namespace,
            hub: &self.hub,
            consumer_group: &self.consumer_group,
            partition: &self.partition.name,
            is_checkpointing_after_invocation: is_checkpointing,
        };
        match self.cardinality {
            Cardinality::Many => self.invoke_batch(context, events).await,
            Cardinality::One => self.invoke_each(&context, events).await,
        }
        self.has_invoked = true;
        self.next = last.sequence_number + 1;
        // A host that stops leaves the batch to the next one, whatever became of it; one that drains does not.
        if is_checkpointing && self.shared.course.now() != Course::Stopping {
            let now = Utc::now();
            let checkpoint = Checkpoint { next_sequence_number: self.next, at: Some(now) };
            let name = checkpoint_name(&self.hub, &self.consumer_group, &self.partition.name);
            self.shared.ends.state.put(&name, &checkpoint).await?;
            self.batches_since_checkpoint = 0;
            self.last_checkpoint = Some(now);
        }
        progress.moved(&source);
        Ok(())
    }

    async fn invoke_batch(&self, context: PartitionContext<'_>, events: &[HubEvent]) {
        let batch = EventBatch { context, events, data_type: self.data_type };
        let request = envelope::event_batch(&self.function.binding, &batch, &SystemFacts::now(&self.function.name));
        self.invoke(events, request.map_err(|fault| fault.to_string())).await;
    }

    async fn invoke_each(&self, context: &PartitionContext<'_>, events: &[HubEvent]) {
        for event in events {
            if self.shared.course.now() == Course::Stopping {
                return;
            }
            let system = SystemFacts::now(&self.function.name);
            let request = envelope::single_event(&self.function.binding, context, event, self.data_type, &system);
            self.invoke(events, Ok(request)).await;
        }
    }

    async fn invoke(&self, events: &[HubEvent], request: Result<serde_json::Value, String>) {
        let occasion =
            Occasion { reason: "(null)".to_owned(), details: details(&self.partition.name, self.cardinality, events) };
        // A failure has been reported by the invoker; the checkpoint passes it all the same.
        let _ = self.shared.instance(self.partition.position).invoke(&self.function, &occasion, request).await;
    }

    /// `false`: the script host ends.
    async fn pause_after(&self, failure: HubError) -> bool {
        self.shared.warn(chain(&hub_failed(&self.function, failure))).await;
        self.shared.course.sleep(PAUSE_AFTER_FAILURE).await
    }
}

/// `EventHubTriggerInput.GetTriggerDetails`, its slip of the pen included: of events that come one by one, each is told with
/// the details of its batch's first.
fn details(partition: &str, cardinality: Cardinality, events: &[HubEvent]) -> Option<String> {
    let (first, last) = (events.first()?, events.last()?);
    let span = |of: &dyn Fn(&HubEvent) -> String| match cardinality {
        Cardinality::One => of(first),
        Cardinality::Many => format!("{}-{}", of(first), of(last)),
    };
    let offset = span(&|event| event.offset.clone().unwrap_or_default());
    let enqueued = span(&|event| event.enqueued_at.format("%FT%T%.6f0+00:00").to_string());
    let number = span(&|event| event.sequence_number.to_string());
    Some(format!(
        "PartitionId: {partition}, OffsetString: {offset}, EnqueueTimeUtc: {enqueued}, SequenceNumber: {number}, \
         Count: {}, Offset: {offset}, PartionId: {partition}",
        events.len()
    ))
}

fn checkpoint_name(hub: &str, consumer_group: &str, partition: &str) -> String {
    format!("checkpoints/{hub}/{consumer_group}/{partition}")
}

/// What the progress calls this partition.
pub(super) fn source_name(function: &Function, partition: &str) -> String {
    format!("{}/{partition}", function.name)
}

pub(super) fn hub_failed(function: &Function, source: HubError) -> HostError {
    HostError::Hub { function: function.name.clone(), source }
}
