//! Event Hubs triggers over a journal: batches from one partition, one at a time, in order. The checkpoint moves on
//! whether the invocation succeeded or not, as in `EventHubListener.PartitionProcessor.cs` of azure-sdk-for-net: a batch
//! is delivered again only when the host dies before it has written the checkpoint.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::definition::{Function, Trigger};
use super::envelope::{self, PartitionContext, SystemFacts};
use super::{HostError, HostEvent, Shared};
use crate::stations::hub::journal::JournalError;

/// How often an empty partition is looked at.
const PAUSE: Duration = Duration::from_millis(50);
/// The pause after a journal that could not be read.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);
/// Bytes of one batch, above which it is cut.
const BATCH_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// What stands where Azure has `<namespace>.servicebus.windows.net`.
const NAMESPACE: &str = "journal";

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    next_sequence_number: u64,
}

/// Runs one function on one partition for ever.
pub(super) async fn listen(shared: Arc<Shared>, function: Function, partition: u32) -> Result<(), HostError> {
    let Trigger::EventHub { hub, consumer_group } = &function.trigger else {
        return Ok(());
    };
    let checkpoint_name = format!("checkpoints/{hub}/{consumer_group}/{partition}");
    let source = source_name(&function, partition);
    let stored: Option<Checkpoint> = shared.state.get(&checkpoint_name).await?;
    let mut next = stored.map_or(0, |checkpoint| checkpoint.next_sequence_number);
    loop {
        let began = Instant::now();
        let limit = shared.app.max_event_batch_size;
        let events = match shared.hub.read(hub, partition, next, limit, BATCH_LIMIT_BYTES).await {
            Ok(events) => events,
            Err(failure) => {
                let message = super::invoker::chain(&journal_failed(&function, failure));
                shared.reporter.report(HostEvent::Warning { message }).await;
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                continue;
            }
        };
        let Some(last) = events.last() else {
            shared.progress.quiet(&source, began);
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let after = last.sequence_number + 1;
        shared.progress.moved(&source);
        let context = PartitionContext { namespace: NAMESPACE, hub, consumer_group, partition };
        let system = SystemFacts { function: &function.name, now: Utc::now(), guid: Uuid::new_v4() };
        let request = envelope::event_batch(&function.binding, &context, &events, &system);
        let count = events.len();
        drop(events);
        let reason = format!("(null): {count} events from partition {partition} of `{hub}`, {next} to {}", after - 1);
        // A failure has been reported by the invoker; the checkpoint passes it all the same.
        let _ = shared.invoker.invoke(&function, &reason, request).await;
        shared.state.put(&checkpoint_name, &Checkpoint { next_sequence_number: after }).await?;
        next = after;
        shared.progress.moved(&source);
    }
}

/// What the progress calls this partition.
pub(super) fn source_name(function: &Function, partition: u32) -> String {
    format!("{}/{partition}", function.name)
}

pub(super) fn journal_failed(function: &Function, source: JournalError) -> HostError {
    HostError::Hub { function: function.name.clone(), source }
}
