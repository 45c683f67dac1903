//! One partition within this process. Whoever comes first writes for all who wait: many senders share one fsync.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use super::JournalError;
use super::incarnation::Incarnation;
use super::partition::{NewRecord, PartitionFiles, PartitionWriter};

pub(super) struct Lane {
    pub files: PartitionFiles,
    incarnation: Arc<Incarnation>,
    waiting: Mutex<Vec<Waiting>>,
    writer: Mutex<Option<PartitionWriter>>,
}

struct Waiting {
    records: Vec<NewRecord>,
    written: Sender<Result<(), Arc<JournalError>>>,
}

impl Lane {
    pub fn new(files: PartitionFiles, incarnation: Arc<Incarnation>) -> Self {
        Lane { files, incarnation, waiting: Mutex::default(), writer: Mutex::default() }
    }

    /// Returns when the records are safe on the disk, in this order.
    pub fn send(&self, records: Vec<NewRecord>) -> Result<(), Arc<JournalError>> {
        let (written, answer) = channel();
        self.waiting.lock().expect("nothing panics while it holds the queue").push(Waiting { records, written });
        self.write_what_waits();
        answer.recv().expect("records are answered by the call that took them from the queue, and ours came after it")
    }

    fn write_what_waits(&self) {
        let mut writer = self.writer.lock().expect("writing a partition does not panic");
        let batch = std::mem::take(&mut *self.waiting.lock().expect("nothing panics while it holds the queue"));
        if batch.is_empty() {
            return;
        }
        let mut records = Vec::new();
        let mut answers = Vec::new();
        for waiting in batch {
            records.extend(waiting.records);
            answers.push(waiting.written);
        }
        let outcome = self.write(&mut writer, &records).map_err(Arc::new);
        if outcome.is_err() {
            // The next sender opens the files again and repairs what a half-written batch left.
            *writer = None;
        }
        for answer in answers {
            // Every sender waits for its answer.
            let _ = answer.send(outcome.clone());
        }
    }

    fn write(&self, writer: &mut Option<PartitionWriter>, records: &[NewRecord]) -> Result<(), JournalError> {
        // Files that were deleted take records without complaint. Once this is looked at, a deletion comes after the
        // records, whichever of the two is done first.
        if !self.incarnation.is_current()? {
            return Err(JournalError::Recreated);
        }
        match self.append(writer, records) {
            Err(_) if !self.incarnation.is_current()? => Err(JournalError::Recreated),
            outcome => outcome,
        }
    }

    fn append(&self, writer: &mut Option<PartitionWriter>, records: &[NewRecord]) -> Result<(), JournalError> {
        if writer.is_none() {
            *writer = Some(self.files.open_writer()?);
        }
        writer.as_mut().expect("it was opened just now").append(records)
    }
}
