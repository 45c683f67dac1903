//! Events, delivered as the host delivers them: twice, in other cuts, or not at all. The stations are the embedded ones;
//! who delivers is the test.

mod beginnings;
mod faulty_events;
mod gaps;
mod replays;
mod shown;
mod storm;
mod through_the_host;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use millrace::clock::Clock;
use millrace::counting::Budget;
use millrace::functions::stream::{
    PositionsWritten, StreamBatch, StreamError, StreamReport, StreamStations, StreamedFeed, StreamedFeeds, stream,
};
use millrace::functions::sweep::tails::{TailReport, repair_tails};
use millrace::names::FeedName;
use millrace::pipeline::Pipeline;
use millrace::stations::containers::{Containers, StorageLocation};
use millrace::stations::hub::journal::JournalHub;
use millrace::stations::hub::{HubReader, HubSender, NewEvent, ReadLimit};
use millrace::stations::warehouse::sqlite::SqliteWarehouse;
use millrace::stations::warehouse::{FeedMeaning, Schema, StreamRecord, Warehouse};
use millrace_frames::part::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::support::PATIENCE;

pub const HUB: &str = "events";
const PARTITION: &str = "0";

pub const PIPELINE: &str = r#"
[[feed]]
name = "events"
format = "ndjson"
max_reject_ratio = 0.5

[feed.columns]
day = "date"
kind = "string"
amount = { type = "int64", required = false }

[feed.stream]
hub = "events"

[[summary]]
table = "event_days"
feed = "events"
sql = "SELECT day, kind, COUNT(*) AS events, SUM(amount) AS total FROM events GROUP BY day, kind"
"#;

/// One partition of one hub, and everything that counts it.
pub struct Stage {
    _directory: TempDir,
    pub journal: JournalHub,
    pub containers: Containers,
    pub warehouse: SqliteWarehouse,
    pub pipeline: Pipeline,
    pub feed: Arc<StreamedFeed>,
    feeds: StreamedFeeds,
    budget: Budget,
    pub clock: Clock,
    written: PositionsWritten,
}

/// Days and kinds, with how many events and the sum of their amounts.
pub type Counts = BTreeMap<(String, String), (i64, i64)>;

impl Stage {
    pub async fn new() -> Self {
        Self::of(PIPELINE).await
    }

    pub async fn of(pipeline: &str) -> Self {
        let mut stage = Self::before_migrate(pipeline).await;
        stage.migrate(pipeline).await;
        stage
    }

    pub async fn before_migrate(pipeline: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::set_to("2026-11-26T08:00:00Z".parse().unwrap());
        let journal = JournalHub::new(directory.path().join("hub"), clock.clone());
        journal.make(HUB, 1).await.unwrap();
        let location = StorageLocation::Directory(directory.path().join("storage"));
        let pipeline = Pipeline::parse("pipeline.toml", pipeline).unwrap();
        let feeds = StreamedFeeds::new(&pipeline).unwrap();
        let feed = feeds.get(&FeedName::new("events").unwrap()).unwrap().clone();
        Stage {
            journal,
            containers: Containers::open(&location).await.unwrap(),
            warehouse: SqliteWarehouse::new(directory.path().join("warehouse.sqlite")),
            pipeline,
            feed,
            feeds,
            budget: Budget::for_this_machine(),
            clock,
            written: PositionsWritten::default(),
            _directory: directory,
        }
    }

    /// Another pipeline.toml is deployed, and `migrate` has run.
    pub async fn migrate(&mut self, pipeline: &str) {
        self.pipeline = Pipeline::parse("pipeline.toml", pipeline).unwrap();
        self.feeds = StreamedFeeds::new(&self.pipeline).unwrap();
        self.feed = self.feeds.get(&FeedName::new("events").unwrap()).unwrap().clone();
        let meaning =
            |feed: &FeedName| FeedMeaning { feed: feed.clone(), fingerprint: self.pipeline.fingerprint(feed) };
        let meanings = self.pipeline.feeds.iter().map(|feed| meaning(&feed.name)).collect();
        let schema = Schema { meanings, summaries: self.pipeline.summaries.clone() };
        self.warehouse.migrate(&schema).await.unwrap();
    }

    pub fn stations<'a>(&'a self, hub: &'a dyn HubReader) -> StreamStations<'a> {
        StreamStations {
            hub,
            warehouse: &self.warehouse,
            quarantine: &self.containers.quarantine,
            state: &self.containers.state,
            budget: &self.budget,
            clock: &self.clock,
            written: &self.written,
        }
    }

    /// Sends events of one kind on one day, numbered by their amount.
    pub async fn send(&self, amounts: Range<u64>) {
        self.send_bodies(amounts.map(event)).await;
    }

    pub async fn send_bodies(&self, bodies: impl IntoIterator<Item = String>) {
        let events = bodies.into_iter().map(|body| NewEvent { partition_key: None, body: Bytes::from(body) });
        self.journal.send_many(HUB, events.collect()).await.unwrap();
    }

    /// The events with these numbers, as far as the hub has them.
    pub async fn batch(&self, numbers: Range<u64>) -> StreamBatch {
        let limit = ReadLimit { events: (numbers.end - numbers.start) as usize, bytes: usize::MAX };
        let mut events = HubReader::read(&self.journal, HUB, "test", PARTITION, numbers.start, limit).await.unwrap();
        events.retain(|event| numbers.contains(&event.sequence_number));
        StreamBatch { hub: HUB.to_owned(), partition: PARTITION.to_owned(), events }
    }

    /// The host brings the events with these numbers.
    pub async fn deliver(&self, numbers: Range<u64>) -> StreamReport {
        self.try_deliver(self.batch(numbers).await).await.unwrap()
    }

    pub async fn try_deliver(&self, batch: StreamBatch) -> Result<StreamReport, StreamError> {
        stream(batch, &self.feed, &self.stations(&self.journal)).await
    }

    /// The sweep looks, so many minutes later.
    pub async fn sweep_after(&self, minutes: i64) -> TailReport {
        self.clock.advance(TimeDelta::minutes(minutes));
        self.sweep_with(&self.journal, &self.warehouse).await
    }

    pub async fn sweep_with(&self, hub: &dyn HubReader, warehouse: &dyn Warehouse) -> TailReport {
        let stations = StreamStations { warehouse, ..self.stations(hub) };
        repair_tails(&self.feeds, &stations, Instant::now() + PATIENCE).await
    }

    /// What the ledger says of the present hub's partition.
    pub async fn record(&self) -> StreamRecord {
        self.warehouse.streams(self.feed.name()).await.unwrap().pop().unwrap()
    }

    /// The summary's table.
    pub async fn counts(&self) -> Counts {
        self.table("event_days").await
    }

    pub async fn table(&self, table: &str) -> Counts {
        let plan = self.pipeline.summaries.iter().find(|plan| plan.table == table).unwrap();
        let rows = self.warehouse.summary(plan).await.unwrap().rows.into_iter();
        let whole = |value: &Value| match value {
            Value::Int64(number) => *number,
            Value::Null => 0,
            other => panic!("{other:?} is no whole number"),
        };
        let text = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            Value::Date(days) => (DateTime::UNIX_EPOCH + TimeDelta::days((*days).into())).date_naive().to_string(),
            other => panic!("{other:?} is no key here"),
        };
        rows.map(|row| ((text(&row[0]), text(&row[1])), (whole(&row[2]), whole(&row[3])))).collect()
    }
}

/// An event whose amount is its number.
pub fn event(amount: u64) -> String {
    format!(
        r#"{{"day": "2026-11-0{}", "kind": "{}", "amount": {amount}}}"#,
        1 + amount % 3,
        ["view", "click"][amount as usize % 2]
    )
}

/// What events with these amounts come to, by a plain loop that shares no code with the program.
pub fn truth(amounts: impl IntoIterator<Item = u64>) -> Counts {
    let mut counts = Counts::new();
    for amount in amounts {
        let body: serde_json::Value = serde_json::from_str(&event(amount)).unwrap();
        let key = (body["day"].as_str().unwrap().to_owned(), body["kind"].as_str().unwrap().to_owned());
        let (events, total) = counts.entry(key).or_default();
        *events += 1;
        *total += body["amount"].as_i64().unwrap();
    }
    counts
}
