//! Queue triggers: `QueueListener.cs` and `QueueProcessor.cs` of the storage extension. Each instance fetches batches of its
//! own; a message whose invocation fails comes back until it was given out too often, and then goes to the poison queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::TimeDelta;
use tokio::task::JoinSet;

use super::definition::{DataType, Function, MessageEncoding, Trigger};
use super::envelope::{self, SystemFacts};
use super::invoker::Occasion;
use super::script_host::Shared;
use super::storage_queue::{QueueError, QueueMessage, StorageQueue};
use super::{HostError, HostEvent};

/// How often an empty queue is looked at. The real host looks less often the longer it is empty.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a message stays hidden while its function runs, renewed at half that time. The real host takes ten minutes,
/// which is what the handler is told; a shorter time brings the messages of a host that died back sooner.
const LEASE: Duration = Duration::from_secs(30);
const TOLD_LEASE: TimeDelta = TimeDelta::minutes(10);
/// How long a message of a poison queue, which has no poison queue of its own, rests after a failure.
const REST: Duration = Duration::from_secs(600);

struct Listener {
    shared: Arc<Shared>,
    function: Function,
    instance: usize,
    data_type: DataType,
    queue: StorageQueue,
    /// `None`: a poison queue has none.
    poison: Option<StorageQueue>,
}

/// Runs one queue trigger on one instance until the script host ends.
pub(super) async fn listen(shared: Arc<Shared>, function: Function, instance: usize) -> Result<(), HostError> {
    let Trigger::Queue { queue, data_type } = &function.trigger else {
        return Ok(());
    };
    let source = source_name(&function, instance);
    let mut incoming = shared.ends.queues.open(queue)?;
    let options = shared.app.queues.clone();
    let listener = Arc::new(Listener {
        data_type: *data_type,
        queue: shared.ends.queues.open(queue)?,
        poison: poison_queue(&shared, queue)?,
        instance,
        shared,
        function,
    });
    let shared = &listener.shared;
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() > options.new_batch_threshold {
            tokio::select! {
                ended = under_way.join_next() => join(ended)?,
                () = shared.course.ends() => break,
            }
        }
        join(under_way.try_join_next())?;
        if shared.course.now() != super::course::Course::Running {
            break;
        }
        let began = Instant::now();
        let received;
        (incoming, received) = blocking(move || {
            let received = incoming.receive(options.batch_size, LEASE);
            (incoming, received)
        })
        .await;
        let messages = received?;
        if messages.is_empty() {
            // A message that is hidden from us may come back.
            if under_way.is_empty() && incoming.count()? == 0 {
                shared.ends.progress.quiet(&source, began);
            }
            if !shared.course.sleep(PAUSE).await {
                break;
            }
        }
        for message in messages {
            shared.ends.progress.moved(&source);
            let (delivery, source) = (listener.clone(), source.clone());
            under_way.spawn(async move {
                let outcome = delivery.process(message).await;
                delivery.shared.ends.progress.moved(&source);
                outcome
            });
        }
    }
    while let Some(ended) = under_way.join_next().await {
        join(Some(ended))?;
    }
    Ok(())
}

fn join(ended: Option<Result<Result<(), HostError>, tokio::task::JoinError>>) -> Result<(), HostError> {
    match ended {
        None => Ok(()),
        Some(ended) => ended.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic())),
    }
}

/// `<queue>-poison`, which is made when something goes there.
fn poison_queue(shared: &Shared, queue: &str) -> Result<Option<StorageQueue>, QueueError> {
    if queue.ends_with("-poison") {
        return Ok(None);
    }
    shared.ends.queues.open(&format!("{queue}-poison")).map(Some)
}

/// What the progress calls this queue on one instance.
pub(super) fn source_name(function: &Function, instance: usize) -> String {
    format!("{}/{instance}", function.name)
}

pub(super) fn encoded(bytes: &[u8], encoding: MessageEncoding) -> String {
    match encoding {
        MessageEncoding::Base64 => BASE64.encode(bytes),
        MessageEncoding::None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

impl Listener {
    async fn process(&self, mut message: QueueMessage) -> Result<(), HostError> {
        let options = &self.shared.app.queues;
        if message.dequeue_count > options.max_dequeue_count {
            return self.poison(&message).await;
        }
        let body = match envelope::decode_message(&message, options.encoding) {
            Ok(body) => body,
            Err(fault) => {
                // [?] Moved at once, without a call, by the newer storage library; read from source, never run.
                self.shared.warn(format!("{fault}; it is moved to the poison queue of '{}'", self.queue.name())).await;
                return self.poison(&message).await;
            }
        };
        if self.invoke(&mut message, &body).await {
            self.queue.delete(&message)?;
            return Ok(());
        }
        if self.poison.is_none() {
            self.queue.hide(&mut message, REST)?;
        } else if message.dequeue_count >= options.max_dequeue_count {
            self.poison(&message).await?;
        } else {
            self.queue.hide(&mut message, options.visibility_timeout)?;
        }
        Ok(())
    }

    /// `true`: it succeeded. The message is kept hidden meanwhile.
    async fn invoke(&self, message: &mut QueueMessage, body: &[u8]) -> bool {
        let told = QueueMessage { next_visible_at: chrono::Utc::now() + TOLD_LEASE, ..message.clone() };
        let system = SystemFacts::now(&self.function.name);
        let request = envelope::queue_message(&self.function.binding, &told, body, self.data_type, &system);
        let occasion = Occasion {
            reason: format!("New queue message detected on '{}'.", self.queue.name()),
            details: Some(format!(
                "MessageId: {}, DequeueCount: {}, InsertedOn: {}",
                message.id,
                message.dequeue_count,
                message.inserted_at.format("%FT%T%.3f+00:00")
            )),
        };
        let invocation = self.shared.instance(self.instance).invoke(&self.function, &occasion, Ok(request));
        tokio::pin!(invocation);
        loop {
            tokio::select! {
                outcome = &mut invocation => return outcome.is_ok(),
                () = tokio::time::sleep(LEASE / 2) => {
                    // One that is not ours any more is somebody else's; the real host lets the run end too.
                    let _ = self.queue.hide(message, LEASE);
                }
            }
        }
    }

    async fn poison(&self, message: &QueueMessage) -> Result<(), HostError> {
        let Some(poison) = &self.poison else { return Ok(()) };
        poison.send(&message.text)?;
        self.queue.delete(message)?;
        let event = HostEvent::MessagePoisoned {
            function: self.function.name.clone(),
            queue: poison.name().to_owned(),
            tries: message.dequeue_count,
        };
        self.shared.report(event).await;
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}
