//! A warehouse that counts how often it is asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use millrace_frames::plan::SummaryPlan;

use crate::names::{BlobName, FeedName};
use crate::stations::warehouse::sqlite::SqliteWarehouse;
use crate::stations::warehouse::{
    Contribution, FeedMeaning, FileLoad, FileUnit, HistoryEntry, LandedVersion, MigrationReport, Outcome,
    QuarantinedEvents, RecordedGap, Remedy, RetractionOrder, RetractionOutcome, Schema, Standing, StreamLoad,
    StreamOutcome, StreamRecord, StreamUnit, SummaryRows, SummarySince, TableCheck, UnitRecord, Warehouse,
    WarehouseError,
};

/// Counts how often the database is opened.
pub struct CountingWarehouse {
    pub inner: SqliteWarehouse,
    calls: AtomicUsize,
}

impl CountingWarehouse {
    pub fn new(inner: SqliteWarehouse) -> Self {
        CountingWarehouse { inner, calls: AtomicUsize::new(0) }
    }

    /// How many calls there were since this was asked last.
    pub fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::Relaxed)
    }

    fn counted(&self) -> &SqliteWarehouse {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &self.inner
    }
}

#[async_trait]
impl Warehouse for CountingWarehouse {
    async fn migrate(&self, schema: &Schema) -> Result<MigrationReport, WarehouseError> {
        self.counted().migrate(schema).await
    }

    fn schema_sql(&self, schema: &Schema) -> String {
        self.inner.schema_sql(schema)
    }

    async fn generation(&self, meaning: &FeedMeaning) -> Result<i64, WarehouseError> {
        self.counted().generation(meaning).await
    }

    async fn unit(&self, unit: &FileUnit) -> Result<Option<UnitRecord>, WarehouseError> {
        self.counted().unit(unit).await
    }

    async fn commit_file(&self, load: &FileLoad, landed: &dyn LandedVersion) -> Result<Outcome, WarehouseError> {
        self.counted().commit_file(load, landed).await
    }

    async fn units(
        &self,
        feed: &FeedName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<UnitRecord>, WarehouseError> {
        self.counted().units(feed, after, limit).await
    }

    async fn history(&self, unit: &FileUnit, limit: usize) -> Result<Vec<HistoryEntry>, WarehouseError> {
        self.counted().history(unit, limit).await
    }

    async fn contributions(&self, unit: &FileUnit) -> Result<Vec<Contribution>, WarehouseError> {
        self.counted().contributions(unit).await
    }

    async fn retract(&self, order: &RetractionOrder) -> Result<RetractionOutcome, WarehouseError> {
        self.counted().retract(order).await
    }

    async fn restore(&self, unit: &FileUnit, at: DateTime<Utc>) -> Result<Option<UnitRecord>, WarehouseError> {
        self.counted().restore(unit, at).await
    }

    async fn stream(&self, unit: &StreamUnit) -> Result<Option<StreamRecord>, WarehouseError> {
        self.counted().stream(unit).await
    }

    async fn streams(&self, feed: &FeedName) -> Result<Vec<StreamRecord>, WarehouseError> {
        self.counted().streams(feed).await
    }

    async fn commit_stream(&self, load: &StreamLoad) -> Result<StreamOutcome, WarehouseError> {
        self.counted().commit_stream(load).await
    }

    async fn stream_gaps(&self, feed: &FeedName, limit: usize) -> Result<Vec<RecordedGap>, WarehouseError> {
        self.counted().stream_gaps(feed, limit).await
    }

    async fn stream_summaries(&self, unit: &StreamUnit) -> Result<Vec<SummarySince>, WarehouseError> {
        self.counted().stream_summaries(unit).await
    }

    async fn stream_quarantine(
        &self,
        feed: &FeedName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(StreamUnit, QuarantinedEvents)>, WarehouseError> {
        self.counted().stream_quarantine(feed, after, limit).await
    }

    async fn verify(&self, schema: &Schema, remedy: Remedy, limit: usize) -> Result<Vec<TableCheck>, WarehouseError> {
        self.counted().verify(schema, remedy, limit).await
    }

    async fn standing(&self, schema: &Schema) -> Result<Standing, WarehouseError> {
        self.counted().standing(schema).await
    }

    async fn summary(&self, plan: &SummaryPlan) -> Result<SummaryRows, WarehouseError> {
        self.counted().summary(plan).await
    }
}
