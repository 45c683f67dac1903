//! The chunks on their way from the reader to the workers, in the order of the file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use millrace_decode::columns::DecodedChunk;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::decoder::TextDecoder;
use super::{Budget, CountError};

/// A chunk on its way to a worker.
pub struct Job {
    /// Chunks are counted from 0, in the order of the file.
    pub index: u64,
    pub work: Work,
    pub memory: OwnedSemaphorePermit,
}

pub enum Work {
    /// Whole rows of text, to be decoded.
    Text(Bytes, Arc<TextDecoder>),
    /// Rows that reading the file has decoded.
    Decoded(DecodedChunk),
}

/// Where the reader puts chunks.
pub struct Jobs {
    budget: Budget,
    next_index: u64,
    queue: SyncSender<Job>,
}

impl Jobs {
    /// Waits until the budget has room for a chunk and a worker for a job. The calling thread may block.
    pub fn send(&mut self, work: Work) -> Result<(), CountError> {
        let memory = Handle::current().block_on(self.budget.chunk());
        let job = Job { index: self.next_index, work, memory };
        self.next_index += 1;
        // The workers end early only when one of them failed; it says why.
        self.queue.send(job).map_err(|_| CountError::Stopped)
    }
}

/// Where the workers find them.
pub struct JobQueue {
    queue: Mutex<Receiver<Job>>,
    /// A worker failed or panicked: nobody takes another chunk, and so the reader stops too.
    stopped: AtomicBool,
}

impl JobQueue {
    pub fn next(&self) -> Option<Job> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        self.queue.lock().expect("nothing panics under this lock").recv().ok()
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// A queue with a place for each worker.
pub fn queue(budget: &Budget) -> (Jobs, Arc<JobQueue>) {
    let (sender, receiver) = sync_channel(budget.workers());
    let jobs = Jobs { budget: budget.clone(), next_index: 0, queue: sender };
    (jobs, Arc::new(JobQueue { queue: Mutex::new(receiver), stopped: AtomicBool::new(false) }))
}
