//! A commit of events: temporary tables without a lock, then one transaction.
//!
//! **Why nothing counts twice.** The parts, the summary rows and `applied` move in one transaction, and every load but an
//! empty first one moves `applied` ([`StreamLoad::check`]). So the ledger tells of each number whether it counts, and a
//! load that comes again, or was overtaken by another handler's, finds the ledger elsewhere than it expects
//! ([`settled_by_ledger`], asked under the lock) and is `Moved`, which changes nothing. A second first load of a unit finds
//! its row. Where COMMIT itself fails, its outcome is unknown: the connection is closed, which ends its transaction one way
//! or the other, and the load is tried once more. If it had counted, it is `Moved` now; if not, it counts now. If that is
//! unknown too, or the process dies in between, or the caller goes away while the transaction runs on, the caller has no
//! answer, reads the ledger for its next batch, and drops what is counted: the same again.

use millrace_frames::plan::SummaryPlan;
use rusqlite::Connection;

use super::commit::{end_transaction, fill_temporary_tables, run_all};
use super::connection::Access;
use super::{SqliteWarehouse, accumulate, replace, stream_ledger};
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::stream::settled_by_ledger;
use crate::stations::warehouse::{StreamLoad, StreamOutcome, SummaryPart, WarehouseError};

/// How one run of the transaction ended.
enum Attempt {
    Settled(StreamOutcome),
    /// COMMIT itself failed: only the ledger knows whether it counts.
    Unknown(WarehouseError),
}

impl SqliteWarehouse {
    pub(super) async fn commit_events(&self, load: &StreamLoad) -> Result<StreamOutcome, WarehouseError> {
        load.check()?;
        if let Attempt::Settled(outcome) = self.attempt_events(load).await? {
            return Ok(outcome);
        }
        match self.attempt_events(load).await? {
            Attempt::Settled(outcome) => Ok(outcome),
            Attempt::Unknown(error) => Err(error),
        }
    }

    async fn attempt_events(&self, load: &StreamLoad) -> Result<Attempt, WarehouseError> {
        let feed = &load.unit.feed;
        let plans: Vec<SummaryPlan> = load.parts.iter().map(|part| part.plan.clone()).collect();
        let tables = TableShape::of_all(&plans)?;

        let mut lease = self.connections.lease(Access::Existing { feed: feed.clone() }).await;
        let last_pieces = fill_temporary_tables(&mut lease, feed, &load.parts, &tables).await?;
        let ours = without_rows(load);
        let work = move |connection: &mut Connection| {
            run_all(connection, last_pieces)?;
            commit(connection, &ours, &tables)
        };
        let attempt = lease.run("committing events", work).await?;
        if let Attempt::Settled(_) = attempt {
            lease.give_back();
        }
        Ok(attempt)
    }
}

/// What the transaction needs of a load whose rows are in the temporary tables.
fn without_rows(load: &StreamLoad) -> StreamLoad {
    StreamLoad {
        unit: load.unit.clone(),
        parts: load.parts.iter().map(|part| SummaryPart { plan: part.plan.clone(), rows: Vec::new() }).collect(),
        gaps: load.gaps.clone(),
        quarantine: load.quarantine.clone(),
        ..*load
    }
}

fn commit(connection: &Connection, load: &StreamLoad, tables: &[TableShape]) -> Result<Attempt, WarehouseError> {
    replace::lock(connection, &load.unit.feed, load.generation, tables)?;
    let ledger = stream_ledger::read_stream(connection, &load.unit)?;
    if let Some(outcome) = settled_by_ledger(ledger.as_ref(), load)? {
        end_transaction(connection, "ROLLBACK")?;
        return Ok(Attempt::Settled(outcome));
    }
    accumulate::accumulate(connection, load, ledger.as_ref(), tables)?;
    Ok(match end_transaction(connection, "COMMIT") {
        Ok(()) => Attempt::Settled(StreamOutcome::Committed),
        Err(error) => Attempt::Unknown(error),
    })
}
