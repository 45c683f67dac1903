//! A commit of events: temporary tables without a lock, then one transaction.
//!
//! **Why nothing counts twice.** The parts, the summary rows and `applied` move in one transaction, and every load but an
//! empty first one moves `applied` ([`StreamLoad::check`]). So the ledger tells of each number whether it counts, and a
//! load that comes again, or was overtaken by another handler's, finds the ledger elsewhere than it expects
//! ([`settled_by_ledger`], asked under the lock) and is `Moved`, which changes nothing.
//!
//! Where COMMIT itself fails, its outcome is unknown, and the load is tried again. If it had not counted, it counts now; if
//! it had, the ledger has moved on. Then a load with a file of bad events must not be called `Moved`, since its caller would
//! delete the file that the ledger names: whether it names it tells whose commit it was.

use millrace_frames::plan::SummaryPlan;

use super::SqlServerWarehouse;
use super::accumulate::accumulate;
use super::errors::Fault;
use super::incoming::fill;
use super::ledger::require_schema;
use super::locks::{begin, commit, roll_back};
use super::replace::{lock, lock_summaries};
use super::retry::Retries;
use super::stream_ledger::{has_quarantine, read_stream};
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::stream::settled_by_ledger;
use crate::stations::warehouse::{StreamLoad, StreamOutcome, WarehouseError};

/// How one run of the transaction ended.
enum Attempt {
    Settled(StreamOutcome),
    /// COMMIT itself failed: only the ledger knows whether it counts.
    Unknown(Fault),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing of this load can count yet.
    Nothing,
    /// A COMMIT of it was not answered.
    Unanswered,
}

impl SqlServerWarehouse {
    pub(super) async fn commit_events(&self, load: &StreamLoad) -> Result<StreamOutcome, WarehouseError> {
        load.check()?;
        let mut retries = Retries::new(&self.policy);
        let mut before = Before::Nothing;
        loop {
            match self.attempt_events(load, before).await {
                Ok(Attempt::Settled(outcome)) => return Ok(outcome),
                Ok(Attempt::Unknown(fault)) => {
                    before = Before::Unanswered;
                    retries.after(fault).await?;
                }
                Err(fault) => retries.after(fault).await?,
            }
        }
    }

    async fn attempt_events(&self, load: &StreamLoad, before: Before) -> Result<Attempt, Fault> {
        let feed = &load.unit.feed;
        let plans: Vec<SummaryPlan> = load.parts.iter().map(|part| part.plan.clone()).collect();
        let tables = TableShape::of_all(&plans)?;

        let mut lease = self.connections.lease().await?;
        let session = lease.session();
        require_schema(session, feed).await?;
        fill(session, &load.parts, &tables, &self.bulk_loads).await?;

        begin(session).await?;
        lock(session, feed, load.generation, &tables).await?;
        let ledger = read_stream(session, &load.unit).await?;
        if let Some(outcome) = settled_by_ledger(ledger.as_ref(), load)? {
            let is_ours = before == Before::Unanswered
                && match &load.quarantine {
                    Some(file) => has_quarantine(session, feed, &file.name).await?,
                    None => false,
                };
            roll_back(session).await?;
            lease.give_back();
            return Ok(Attempt::Settled(if is_ours { StreamOutcome::Committed } else { outcome }));
        }
        lock_summaries(session, &load.unit.id(), &tables).await?;
        accumulate(session, load, ledger.as_ref(), &tables).await?;
        if let Err(fault) = commit(session).await {
            return Ok(Attempt::Unknown(fault));
        }
        lease.give_back();
        Ok(Attempt::Settled(StreamOutcome::Committed))
    }
}
