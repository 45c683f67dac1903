//! A commit of events: temporary tables without a lock, then one transaction.
//!
//! **Why nothing counts twice.** The parts, the summary rows and `applied` move in one transaction, and every load but an
//! empty first one moves `applied` ([`StreamLoad::check`]). So the ledger tells of each number whether it counts, and a
//! load that comes again, or was overtaken by another handler's, finds the ledger elsewhere than it expects
//! ([`settled_by_ledger`], asked under the lock) and is `Moved`, which changes nothing. A second first load of a unit finds
//! its row.
//!
//! Where COMMIT itself fails, its outcome is unknown: the connection is closed, which ends its transaction one way or the
//! other, and the load is tried once more. If it had not counted, it counts now; if it had, the ledger has moved on. Then a
//! load with a file of bad events must not be called `Moved`, since its caller would delete the file that the ledger names:
//! whether it names it tells whose commit it was. If that is unknown too, or the process dies in between, or the caller
//! goes away while the transaction runs on, the caller has no answer, reads the ledger for its next batch, and drops what
//! is counted: the same again.

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
        match self.attempt_events(load).await? {
            Attempt::Settled(outcome) => Ok(outcome),
            Attempt::Unknown(_) => self.commit_again(load).await,
        }
    }

    /// For a load of which nobody knows whether it counts.
    async fn commit_again(&self, load: &StreamLoad) -> Result<StreamOutcome, WarehouseError> {
        match self.attempt_events(load).await? {
            Attempt::Settled(StreamOutcome::Moved) if self.names_file_of(load).await? => Ok(StreamOutcome::Committed),
            Attempt::Settled(outcome) => Ok(outcome),
            Attempt::Unknown(error) => Err(error),
        }
    }

    async fn names_file_of(&self, load: &StreamLoad) -> Result<bool, WarehouseError> {
        let Some(file) = load.quarantine.clone() else { return Ok(false) };
        let feed = load.unit.feed.clone();
        let work = move |connection: &Connection| stream_ledger::has_quarantine(connection, &feed, &file.name);
        self.on_schema(load.unit.feed.clone(), "looking for a file of bad events", work).await
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::names::{FeedName, Sha256};
    use crate::stations::warehouse::{FeedMeaning, QuarantinedEvents, Schema, StreamUnit, Warehouse};

    /// A load of the events 0 to 9 with a file of bad ones.
    fn load(file: &str) -> StreamLoad {
        StreamLoad {
            unit: StreamUnit {
                feed: FeedName::new("clicks").unwrap(),
                namespace: "journal".to_owned(),
                hub: "clicks".to_owned(),
                incarnation: DateTime::UNIX_EPOCH,
                partition: "0".to_owned(),
            },
            generation: 1,
            expected_next: None,
            begins: 0,
            applied: Some(9),
            applied_enqueued_at: None,
            events_read: 10,
            events_rejected: 1,
            quarantine: Some(QuarantinedEvents { name: file.to_owned(), first: 4, last: 4, events: 1 }),
            parts: Vec::new(),
            gaps: Vec::new(),
            committed_at: DateTime::UNIX_EPOCH,
        }
    }

    async fn migrated(folder: &tempfile::TempDir) -> SqliteWarehouse {
        let warehouse = SqliteWarehouse::new(folder.path().join("warehouse.db"));
        let meaning = FeedMeaning { feed: load("").unit.feed, fingerprint: Sha256::of("first") };
        warehouse.migrate(&Schema { meanings: vec![meaning], summaries: Vec::new() }).await.unwrap();
        warehouse
    }

    #[tokio::test]
    async fn a_load_whose_commit_was_not_answered_is_committed_if_the_ledger_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = migrated(&folder).await;
        let (ours, other) = (load("ours.ndjson"), load("other.ndjson"));
        assert_eq!(warehouse.commit_stream(&ours).await.unwrap(), StreamOutcome::Committed);
        assert_eq!(warehouse.commit_again(&ours).await.unwrap(), StreamOutcome::Committed, "its file must stay");
        assert_eq!(warehouse.commit_again(&other).await.unwrap(), StreamOutcome::Moved, "its file is nobody's");
        assert_eq!(warehouse.stream(&ours.unit).await.unwrap().unwrap().events_read, 10);
    }

    #[tokio::test]
    async fn a_load_whose_commit_was_not_answered_and_did_not_happen_counts_now() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = migrated(&folder).await;
        let ours = load("ours.ndjson");
        assert_eq!(warehouse.commit_again(&ours).await.unwrap(), StreamOutcome::Committed);
        let files = warehouse.stream_quarantine(&ours.unit.feed, None, 10).await.unwrap();
        assert_eq!(files, [(ours.unit.clone(), ours.quarantine.unwrap())]);
    }
}
