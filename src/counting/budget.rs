//! What all loads of the process share: memory for the chunks that are under way, and turns.
//!
//! **Why no load waits for ever.** Whoever has memory gives it back without asking for more: a reader asks for one chunk at a
//! time, in the order of the file, before it makes it; what it was given travels with the chunk through the workers, the
//! tally and the curated file, none of which asks for any. Requests are served in their order, so that a large one is not
//! passed over for ever; one that is larger than the whole budget waits for all of it, and has it alone.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::CHUNK_BYTES;
use super::memory::{BYTES_FOR_A_BYTE_OF_TEXT, Cost, Memory, UNIT_BYTES};
use super::pool::Pool;

/// For each core: an ordinary chunk in work, and one that waits.
const BYTES_FOR_A_CORE: usize = 2 * BYTES_FOR_A_BYTE_OF_TEXT * CHUNK_BYTES;

/// Large chunks, as wide Parquet files have, need this to be worked on side by side, however few cores there are.
const LEAST_BYTES: usize = 64 << 20;

/// Files that are read at a time. Each takes up to three threads that mostly wait, and a few buffers, whatever its size.
const FILES_AT_A_TIME: usize = 8;

/// The budget of a process. Cheap to clone.
#[derive(Clone)]
pub struct Budget {
    memory: Arc<Semaphore>,
    units: usize,
    files: Arc<Semaphore>,
    pool: Arc<Pool>,
    workers: usize,
}

impl Budget {
    /// A worker for each core.
    pub fn for_this_machine() -> Self {
        let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get());
        Budget::of(workers, LEAST_BYTES.max((workers + 1) * BYTES_FOR_A_CORE))
    }

    pub(super) fn of(workers: usize, bytes: usize) -> Self {
        let units = (bytes / UNIT_BYTES).max(1);
        Budget {
            memory: Arc::new(Semaphore::new(units)),
            units,
            files: Arc::new(Semaphore::new(FILES_AT_A_TIME)),
            pool: Arc::new(Pool::start(workers)),
            workers,
        }
    }

    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// A file's turn, as soon as it comes.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        self.files.clone().acquire_owned().await.expect("nobody closes the budget")
    }

    /// Room for a chunk, as soon as there is some.
    pub(super) async fn room(&self, cost: Cost) -> Memory {
        let units = cost.units().min(self.units);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let permit = self.memory.clone().acquire_many_owned(units).await.expect("nobody closes the budget");
        Memory::new(permit)
    }

    #[cfg(test)]
    pub(super) fn free_turns(&self) -> usize {
        self.files.available_permits()
    }

    #[cfg(test)]
    pub(super) fn free_bytes(&self) -> usize {
        self.memory.available_permits() * UNIT_BYTES
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn room_is_counted_in_bytes_and_given_back() {
        let budget = Budget::of(1, 1 << 20);
        let mut first = budget.room(Cost::of_text(100_000)).await;
        assert_eq!(budget.free_bytes(), (1 << 20) - 400_384);
        first.shrink_to(Cost::of_text(50_000));
        assert_eq!(budget.free_bytes(), (1 << 20) - 200_704);
        first.shrink_to(Cost::of_text(100_000));
        assert_eq!(budget.free_bytes(), (1 << 20) - 200_704, "nothing is ever asked for in addition");
        drop(first);
        assert_eq!(budget.free_bytes(), 1 << 20);
    }

    #[tokio::test]
    async fn what_is_larger_than_the_budget_has_it_alone_and_is_not_passed_over() {
        let budget = Budget::of(1, 1 << 20);
        let small = budget.room(Cost::of_text(1)).await;
        let mut huge = Box::pin(budget.room(Cost::of_text(100 << 20)));
        assert!((&mut huge).now_or_never().is_none(), "somebody has a part of it");
        let mut late = Box::pin(budget.room(Cost::of_text(1)));
        assert!((&mut late).now_or_never().is_none(), "whoever comes later waits behind it");
        drop(small);
        let huge = huge.await;
        assert_eq!(budget.free_bytes(), 0);
        drop(huge);
        late.await;
    }
}
