//! The workers of the process, one for each core, and the chunks on their way to them: of all loads together, in the order
//! in which they come, which the budget makes fair.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use millrace_frames::part::Part;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;

use super::decoder::Work;
use super::memory::Memory;
use super::tally::ChunkTally;
use super::worker::count_chunk;
use super::{CountError, FeedCounter};

/// Threads that count chunks until the pool is dropped.
pub struct Pool {
    jobs: Sender<Job>,
}

/// A chunk on its way to a worker.
pub struct Job {
    /// Chunks are counted from 0, in the order of the file.
    pub index: u64,
    pub work: Work,
    pub memory: Memory,
    pub load: Arc<Load>,
    /// Where the tally goes. What waits there has its memory still, so no more wait than the budget allows; a worker never
    /// waits for one load and keeps the others waiting.
    pub tallies: UnboundedSender<ChunkTally>,
}

/// What the workers know of one load.
pub struct Load {
    pub counter: FeedCounter,
    /// What its chunks came to so far, for each worker one part for each plan.
    totals: Vec<Mutex<Option<Vec<Part>>>>,
    failure: Mutex<Option<Failure>>,
    stopped: AtomicBool,
    /// Given back when the last of its threads and chunks is gone.
    _turn: OwnedSemaphorePermit,
}

/// Why a chunk could not be counted.
enum Failure {
    Error(CountError),
    Panic(Box<dyn Any + Send>),
}

impl Pool {
    /// # Panics
    /// If the system gives no threads.
    pub fn start(workers: usize) -> Self {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for worker in 0..workers.max(1) {
            let queue = queue.clone();
            thread::Builder::new()
                .name(format!("count-{worker}"))
                .spawn(move || work(&queue, worker))
                .expect("the system has a thread for each of its cores");
        }
        Pool { jobs }
    }

    pub fn send(&self, job: Job) {
        self.jobs.send(job).unwrap_or_else(|_| unreachable!("the workers wait as long as there is a pool"));
    }
}

fn work(queue: &Mutex<Receiver<Job>>, worker: usize) {
    loop {
        let next = locked(queue).recv();
        let Ok(job) = next else { return };
        let Job { index, work, memory, load, tallies } = job;
        if load.is_stopped() {
            continue;
        }
        let counted = catch_unwind(AssertUnwindSafe(|| {
            let mut totals = locked(load.totals_of(worker)).take().unwrap_or_else(|| load.counter.empty_parts());
            let tally = count_chunk(index, work, memory, &load.counter, &mut totals)?;
            *locked(load.totals_of(worker)) = Some(totals);
            Ok(tally)
        }));
        match counted {
            Ok(Ok(tally)) => {
                if tallies.send(tally).is_err() {
                    // Nobody listens: the load was given up.
                    load.stop();
                }
            }
            Ok(Err(error)) => load.fail(Failure::Error(error)),
            Err(panic) => load.fail(Failure::Panic(panic)),
        }
    }
}

impl Load {
    pub fn new(counter: FeedCounter, workers: usize, turn: OwnedSemaphorePermit) -> Self {
        Load {
            counter,
            totals: (0..workers).map(|_| Mutex::new(None)).collect(),
            failure: Mutex::new(None),
            stopped: AtomicBool::new(false),
            _turn: turn,
        }
    }

    fn totals_of(&self, worker: usize) -> &Mutex<Option<Vec<Part>>> {
        &self.totals[worker]
    }

    /// Nobody counts another chunk of it, and its reader stops too.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// The first failure is the one that is told.
    fn fail(&self, failure: Failure) {
        locked(&self.failure).get_or_insert(failure);
        self.stop();
    }

    /// What all chunks came to, once the last was counted.
    ///
    /// # Panics
    /// If a worker panicked over a chunk, as it did, so that the file at fault gets a dead letter.
    pub fn totals(&self) -> Result<Vec<Part>, CountError> {
        match locked(&self.failure).take() {
            Some(Failure::Panic(panic)) => std::panic::resume_unwind(panic),
            Some(Failure::Error(error)) => return Err(error),
            None => {}
        }
        let mut totals = self.counter.empty_parts();
        for of_worker in &self.totals {
            for (total, part) in totals.iter_mut().zip(locked(of_worker).take().unwrap_or_default()) {
                total.merge(part)?;
            }
        }
        Ok(totals)
    }
}

/// What panics under these locks leaves nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
