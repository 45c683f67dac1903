//! Where the reader of a file puts its chunks, in the order of the file. It waits here until there is room for one.

use std::sync::Arc;

use millrace_decode::columns::{ColumnValues, DecodedChunk, Values};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use super::CountError;
use super::budget::Budget;
use super::decoder::Work;
use super::memory::{Cost, Memory};
use super::pool::{Job, Load};
use super::tally::ChunkTally;

pub struct Jobs {
    budget: Budget,
    load: Arc<Load>,
    tallies: UnboundedSender<ChunkTally>,
    /// Chunks of this load under way: so many keep every worker busy, and more would only take memory.
    places: Arc<Semaphore>,
    next_index: u64,
    /// What the last chunk took.
    last: Option<Cost>,
    reserved: Option<Memory>,
}

impl Jobs {
    pub fn new(budget: &Budget, load: Arc<Load>, tallies: UnboundedSender<ChunkTally>) -> Self {
        let places = Arc::new(Semaphore::new(budget.workers() * 2 + 2));
        Jobs { budget: budget.clone(), load, tallies, places, next_index: 0, last: None, reserved: None }
    }

    /// Waits for the room that the next chunk will take if it is like the last one: for a reader that makes chunks larger
    /// than what it read. The calling thread may block.
    pub fn reserve(&mut self) -> Result<(), CountError> {
        // What was reserved and not used, at the end of a row group, is for the next chunk.
        if let (None, Some(cost)) = (&self.reserved, self.last) {
            self.reserved = Some(self.room(cost)?);
        }
        Ok(())
    }

    /// Waits until there is room for a chunk. The calling thread may block.
    pub fn send(&mut self, work: Work) -> Result<(), CountError> {
        let cost = cost(&work);
        let memory = match self.reserved.take() {
            Some(mut reserved) if reserved.is_enough_for(cost) => {
                reserved.shrink_to(cost);
                reserved
            }
            // One who held what it has and waited for more could wait for another who does the same.
            reserved => {
                drop(reserved);
                self.room(cost)?
            }
        };
        self.last = Some(cost);
        let job = Job { index: self.next_index, work, memory, load: self.load.clone(), tallies: self.tallies.clone() };
        self.next_index += 1;
        self.budget.pool().send(job);
        Ok(())
    }

    fn room(&self, cost: Cost) -> Result<Memory, CountError> {
        let memory = Handle::current().block_on(async {
            let place = self.places.clone().acquire_owned().await.expect("nobody closes the places");
            self.budget.room(cost).await.at(place)
        });
        // The workers stop early only when one of them failed; it says why.
        if self.load.is_stopped() { Err(CountError::Stopped) } else { Ok(memory) }
    }
}

fn cost(work: &Work) -> Cost {
    match work {
        Work::Text(text, _) => Cost::of_text(text.len()),
        Work::Decoded(chunk) => Cost::of_decoded(decoded_bytes(chunk)),
    }
}

fn decoded_bytes(chunk: &DecodedChunk) -> usize {
    let of_columns: usize = chunk.columns.iter().map(column_bytes).sum();
    let of_bad: usize = chunk.bad.iter().map(|bad| bad.raw.len() + bad.reason.len()).sum();
    chunk.bytes.len() + of_columns + of_bad
}

fn column_bytes(column: &ColumnValues) -> usize {
    let of_values = match &column.values {
        Values::String { views, unescaped } => size_of_val(views.as_slice()) + unescaped.len(),
        Values::Int64(values) | Values::Timestamp(values) => size_of_val(values.as_slice()),
        Values::Float64(values) => size_of_val(values.as_slice()),
        Values::Decimal(values) => size_of_val(values.as_slice()),
        Values::Bool(values) => size_of_val(values.as_slice()),
        Values::Date(values) => size_of_val(values.as_slice()),
    };
    of_values + column.validity.as_ref().map_or(0, Vec::len)
}
