//! A file's commit: temporary tables without a lock, then the transaction, which asks in its middle which version is landed.
//!
//! Where COMMIT itself fails, its outcome is unknown: a new connection asks the ledger, and where it does not name this very
//! load, all begins again.

use millrace_frames::plan::SummaryPlan;

use super::SqlServerWarehouse;
use super::errors::Fault;
use super::incoming::fill;
use super::ledger::{order_of, read_unit, require_schema};
use super::locks::{begin, commit, roll_back};
use super::replace::{lock, lock_summaries, replace};
use super::retry::Retries;
use crate::stations::warehouse::ledger::{settled_by_landing, settled_by_ledger};
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::{FileLoad, LandedVersion, Outcome, UnitRecord, Warehouse, WarehouseError};

/// How one run of the commit's transaction ended.
enum Attempt {
    Settled(Outcome),
    /// COMMIT itself failed: only the ledger knows whether it counts.
    Unknown {
        displaced: Option<UnitRecord>,
        fault: Fault,
    },
}

impl SqlServerWarehouse {
    pub(super) async fn commit_version(
        &self,
        load: &FileLoad,
        landed: &dyn LandedVersion,
    ) -> Result<Outcome, WarehouseError> {
        order_of(load.record.unit.blob.as_str(), "unit")?;
        let mut retries = Retries::new(&self.policy);
        let mut unanswered: Option<Option<UnitRecord>> = None;
        loop {
            match self.attempt(load, landed).await {
                Ok(Attempt::Settled(outcome)) => match unanswered {
                    // A COMMIT may end after its connection did, and after the ledger was asked.
                    Some(displaced) if self.is_counted(load).await? => return Ok(Outcome::Committed { displaced }),
                    _ => return Ok(outcome),
                },
                Ok(Attempt::Unknown { displaced, fault }) => {
                    // A second run would displace nothing and say less.
                    if self.is_counted(load).await? {
                        return Ok(Outcome::Committed { displaced });
                    }
                    unanswered = Some(displaced);
                    retries.after(fault).await?;
                }
                Err(fault) => retries.after(fault).await?,
            }
        }
    }

    /// Whether the ledger names this very load.
    async fn is_counted(&self, load: &FileLoad) -> Result<bool, WarehouseError> {
        let counted = self.unit(&load.record.unit).await?;
        Ok(counted.is_some_and(|counted| counted.load_id == load.record.load_id))
    }

    async fn attempt(&self, load: &FileLoad, landed: &dyn LandedVersion) -> Result<Attempt, Fault> {
        let record = &load.record;
        let plans: Vec<SummaryPlan> = load.parts.iter().map(|part| part.plan.clone()).collect();
        let tables = TableShape::of_all(&plans)?;

        let mut lease = self.connections.lease().await?;
        let session = lease.session();
        require_schema(session, &record.unit.feed).await?;
        fill(session, &load.parts, &tables, &self.bulk_loads).await?;

        begin(session).await?;
        lock(session, &record.unit.feed, record.generation, &tables).await?;
        let ledger = read_unit(session, &record.unit).await?;
        if let Some(outcome) = settled_by_ledger(ledger.as_ref(), record)? {
            roll_back(session).await?;
            lease.give_back();
            return Ok(Attempt::Settled(outcome));
        }
        let blob = &record.unit.blob;
        let current = landed.current(blob).await;
        let current = current.map_err(|source| WarehouseError::LandedVersion { blob: blob.clone(), source })?;
        if let Some(outcome) = settled_by_landing(ledger.as_ref(), record, current.as_ref()) {
            roll_back(session).await?;
            lease.give_back();
            return Ok(Attempt::Settled(outcome));
        }
        let with_old_parts = lock_summaries(session, &record.unit.id(), &tables).await?;
        replace(session, record, ledger.as_ref(), &tables, &with_old_parts).await?;
        if let Err(fault) = commit(session).await {
            return Ok(Attempt::Unknown { displaced: ledger, fault });
        }
        lease.give_back();
        Ok(Attempt::Settled(Outcome::Committed { displaced: ledger }))
    }
}
