//! What the cases about streams say of a stage: partitions, loads, and what the ledger says of them.

use chrono::{DateTime, Utc};
use millrace::stations::warehouse::{
    StreamGap, StreamLoad, StreamOutcome, StreamRecord, StreamUnit, SummaryPart, Warehouse, WarehouseError,
};
use millrace_frames::part::Row;

use super::fixture::{Stage, time};

impl<'a> Stage<'a> {
    /// The same feed in the hands of another warehouse on the same database.
    pub fn on(&self, warehouse: &'a dyn Warehouse) -> Stage<'a> {
        Stage {
            warehouse,
            landing: Default::default(),
            feed: self.feed.clone(),
            plans: self.plans.clone(),
            generation: self.generation,
        }
    }
}

impl Stage<'_> {
    /// A partition of the hub's first incarnation.
    pub fn partition(&self, partition: &str) -> StreamUnit {
        StreamUnit {
            feed: self.feed.clone(),
            namespace: "ns.servicebus.windows.net".to_owned(),
            hub: "clicks".to_owned(),
            incarnation: time("2026-11-01T08:00:00.000001Z"),
            partition: partition.to_owned(),
        }
    }

    pub async fn recorded_stream(&self, unit: &StreamUnit) -> Option<StreamRecord> {
        self.warehouse.stream(unit).await.unwrap()
    }

    /// What the handler computes of the events from `next` to `applied` for each plan, in order. `next` is `None` for the
    /// first load of a unit, which begins at 0.
    pub fn events(&self, unit: &StreamUnit, next: Option<u64>, applied: u64, parts: Vec<Vec<Row>>) -> StreamLoad {
        let parts = self.plans.iter().cloned().zip(parts).map(|(plan, rows)| SummaryPart { plan, rows }).collect();
        StreamLoad {
            unit: unit.clone(),
            generation: self.generation,
            expected_next: next,
            begins: 0,
            applied: Some(applied),
            applied_enqueued_at: Some(enqueued(applied)),
            events_read: applied + 1 - next.unwrap_or(0),
            events_rejected: 0,
            quarantine: None,
            parts,
            gaps: Vec::new(),
            committed_at: time("2026-11-25T10:00:00.123456Z"),
        }
    }

    /// Counts the events up to `applied` from where the ledger is, into the first plan.
    pub async fn add(&self, unit: &StreamUnit, applied: u64, rows: Vec<Row>) {
        self.add_parts(unit, applied, vec![rows]).await;
    }

    pub async fn add_parts(&self, unit: &StreamUnit, applied: u64, parts: Vec<Vec<Row>>) {
        let next = self.recorded_stream(unit).await.map(|record| record.next());
        let load = self.events(unit, next, applied, parts);
        assert_eq!(self.commit_stream(&load).await.unwrap(), StreamOutcome::Committed);
    }

    pub async fn commit_stream(&self, load: &StreamLoad) -> Result<StreamOutcome, WarehouseError> {
        self.warehouse.commit_stream(load).await
    }
}

/// Each event comes a second after the one before it.
pub fn enqueued(number: u64) -> DateTime<Utc> {
    time("2026-11-25T09:00:00.000001Z") + chrono::Duration::seconds(i64::try_from(number).unwrap())
}

pub fn gap(first: u64, last: u64) -> StreamGap {
    StreamGap { first, last, reason: "no longer retained".to_owned() }
}
