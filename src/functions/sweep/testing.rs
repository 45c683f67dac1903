//! A place for tests of the sweep: containers in memory, a hub that remembers or fails, and a warehouse whose calls are counted.

mod counting_warehouse;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use tempfile::TempDir;
use tokio::time::Instant;

use super::{SweepError, SweepReport, SweepStations, sweep};
use crate::clock::Clock;
use crate::counting::Budget;
use crate::functions::announce::AnnounceStations;
use crate::functions::load::marker_of;
use crate::functions::stream::{PositionsWritten, StreamStations, StreamedFeeds};
use crate::names::{BlobName, ETag, FeedName};
use crate::pipeline::Pipeline;
use crate::records::landed::LandedFile;
use crate::records::loaded;
use crate::stations::containers::memory::Stores;
use crate::stations::containers::{Container, Containers};
use crate::stations::hub::journal::JournalHub;
use crate::stations::hub::{HubError, HubSender, NewEvent};
use crate::stations::share::DirectoryShare;
use crate::stations::warehouse::sqlite::SqliteWarehouse;
use crate::stations::warehouse::{
    FeedMeaning, FileLoad, FileUnit, LandedVersion, Outcome, RetractionOrder, Schema, Source, UnitRecord, Warehouse,
};

pub use counting_warehouse::CountingWarehouse;

const PIPELINE: &str = r#"
[[feed]]
name = "flights"
format = "csv"
[feed.columns]
carrier = "string"

[[feed]]
name = "hotels"
format = "csv"
[feed.columns]
city = "string"
"#;

/// An app without streams, for the part of the sweep that looks after them.
pub struct Streams {
    pub feeds: StreamedFeeds,
    hub: JournalHub,
    budget: Budget,
    written: PositionsWritten,
}

impl Streams {
    pub fn none(root: PathBuf, clock: &Clock) -> Self {
        let pipeline = Pipeline::parse("pipeline.toml", PIPELINE).unwrap();
        Streams {
            feeds: StreamedFeeds::new(&pipeline).unwrap(),
            hub: JournalHub::new(root, clock.clone()),
            budget: Budget::for_this_machine(),
            written: PositionsWritten::default(),
        }
    }

    pub fn stations<'a>(
        &'a self,
        containers: &'a Containers,
        warehouse: &'a dyn Warehouse,
        clock: &'a Clock,
    ) -> StreamStations<'a> {
        StreamStations {
            hub: &self.hub,
            warehouse,
            quarantine: &containers.quarantine,
            state: &containers.state,
            budget: &self.budget,
            clock,
            written: &self.written,
        }
    }
}

pub struct Place {
    directory: TempDir,
    pub containers: Containers,
    pub stores: Stores,
    pub clock: Clock,
    pub hub: Arc<RememberingHub>,
    pub warehouse: CountingWarehouse,
    pipeline: Pipeline,
}

impl Place {
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::set_to("2026-03-01T00:00:00Z".parse().unwrap());
        let (containers, stores) = Containers::in_memory(&clock);
        let pipeline = Pipeline::parse("pipeline.toml", PIPELINE).unwrap();
        let warehouse = CountingWarehouse::new(SqliteWarehouse::new(directory.path().join("warehouse.db")));
        let place = Place { directory, containers, stores, clock, hub: Arc::default(), warehouse, pipeline };
        place.warehouse.inner.migrate(&place.schema()).await.unwrap();
        place
    }

    /// The same over other containers.
    pub async fn over(containers: Containers, clock: Clock) -> Self {
        Place { containers, clock, ..Place::new().await }
    }

    pub async fn tick(&self) -> SweepReport {
        self.try_tick(Duration::from_secs(600)).await.unwrap()
    }

    /// One whose time is up before it begins.
    pub async fn short_tick(&self) -> SweepReport {
        self.try_tick(Duration::ZERO).await.unwrap()
    }

    pub async fn try_tick(&self, time: Duration) -> Result<SweepReport, SweepError> {
        let share = DirectoryShare::open(&self.directory.path().join("share")).await.unwrap();
        let streams = Streams::none(self.directory.path().join("streams"), &self.clock);
        let at = SweepStations {
            announce: AnnounceStations {
                pipeline: &self.pipeline,
                landing: &self.containers.landing,
                state: &self.containers.state,
                hub: self.hub.as_ref(),
                clock: &self.clock,
            },
            share: &share,
            quarantine: &self.containers.quarantine,
            curated: &self.containers.curated,
            warehouse: &self.warehouse,
            feeds: &streams.feeds,
            streams: streams.stations(&self.containers, &self.warehouse, &self.clock),
        };
        sweep(&at, Instant::now() + time).await
    }

    pub fn after(&self, time: TimeDelta) -> &Self {
        self.clock.advance(time);
        self
    }

    fn schema(&self) -> Schema {
        let meanings = self.pipeline.feeds.iter().map(|feed| self.meaning(&feed.name)).collect();
        Schema { meanings, summaries: Vec::new() }
    }

    fn meaning(&self, feed: &FeedName) -> FeedMeaning {
        FeedMeaning { feed: feed.clone(), fingerprint: self.pipeline.fingerprint(feed) }
    }

    /// Lands a file.
    pub async fn land(&self, name: &str) -> BlobName {
        let blob = BlobName::new(name).unwrap();
        self.containers.landing.put(&blob, Bytes::from_static(b"carrier\nUA\n")).await.unwrap();
        blob
    }

    /// Commits what is landed, as a load does, and writes no marker.
    pub async fn commit(&self, blob: &BlobName) -> UnitRecord {
        let feed = blob.feed().unwrap();
        let record = UnitRecord {
            etag: self.containers.landing.head(blob).await.unwrap().unwrap().etag,
            generation: self.warehouse.inner.generation(&self.meaning(&feed)).await.unwrap(),
            unit: FileUnit { feed, blob: blob.clone() },
            load_id: uuid::Uuid::new_v4().simple().to_string(),
            size_bytes: 11,
            sha256: None,
            rows_read: 1,
            rows_rejected: 0,
            quarantine: None,
            curated: None,
            committed_at: self.clock.now(),
            retracted_at: None,
        };
        let load = FileLoad { record: record.clone(), parts: Vec::new() };
        let landed = Landed(&self.containers.landing);
        let outcome = self.warehouse.inner.commit_file(&load, &landed).await.unwrap();
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
        record
    }

    /// Lands and loads a file.
    pub async fn load(&self, name: &str) -> UnitRecord {
        let blob = self.land(name).await;
        let record = self.commit(&blob).await;
        loaded::write(&self.containers.state, &marker_of(&record)).await.unwrap();
        record
    }

    pub async fn retract(&self, record: &UnitRecord) {
        let order = RetractionOrder {
            unit: record.unit.clone(),
            counted: Some(record.etag.clone()),
            version: record.etag.clone(),
            id: "r".to_owned(),
            at: self.clock.now(),
        };
        self.warehouse.inner.retract(&order).await.unwrap();
    }

    /// A copy of the database as it is now.
    pub fn backup(&self) -> PathBuf {
        let path = self.directory.path().join("backup.db");
        let database = rusqlite::Connection::open(self.directory.path().join("warehouse.db")).unwrap();
        database.execute("VACUUM INTO ?", [path.to_str().unwrap()]).unwrap();
        path
    }

    /// The same with the database of an earlier point in time.
    pub fn restored(mut self, backup: PathBuf) -> Self {
        self.warehouse = CountingWarehouse::new(SqliteWarehouse::new(backup));
        self
    }
}

struct Landed<'a>(&'a Container);

#[async_trait]
impl LandedVersion for Landed<'_> {
    async fn current(&self, blob: &BlobName) -> Result<Option<ETag>, Source> {
        Ok(self.0.head(blob).await?.map(|facts| facts.etag))
    }
}

/// Remembers the blobs of the messages that it was sent.
#[derive(Default)]
pub struct RememberingHub {
    sent: Mutex<Vec<String>>,
    /// How many messages it still takes before it is away; `None`: any number.
    room: Mutex<Option<usize>>,
    /// Whether it then answers nothing at all.
    hangs: Mutex<bool>,
}

impl RememberingHub {
    /// What was sent since this was asked last.
    pub fn sent(&self) -> Vec<String> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    /// How many messages there are that nobody asked for.
    pub fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    pub fn fails_after(&self, messages: usize) {
        *self.room.lock().unwrap() = Some(messages);
        *self.hangs.lock().unwrap() = false;
    }

    pub fn hangs_after(&self, messages: usize) {
        *self.room.lock().unwrap() = Some(messages);
        *self.hangs.lock().unwrap() = true;
    }

    pub fn is_back(&self) {
        *self.room.lock().unwrap() = None;
    }
}

#[async_trait]
impl HubSender for RememberingHub {
    async fn send(&self, hub: &str, _: &str, body: Bytes) -> Result<(), HubError> {
        let has_room = match self.room.lock().unwrap().as_mut() {
            Some(0) => false,
            Some(room) => {
                *room -= 1;
                true
            }
            None => true,
        };
        if !has_room && *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        if !has_room {
            return Err(HubError::Send { hub: hub.to_owned(), source: "the hub is away".into() });
        }
        let message = LandedFile::decode(&body).unwrap();
        self.sent.lock().unwrap().push(message.blob.to_string());
        Ok(())
    }

    async fn send_many(&self, hub: &str, events: Vec<NewEvent>) -> Result<BTreeMap<String, u64>, HubError> {
        let count = events.len() as u64;
        for event in events {
            self.send(hub, "", event.body).await?;
        }
        Ok(BTreeMap::from([("0".to_owned(), count)]))
    }

    async fn try_sending(&self, _: &str) -> Result<(), HubError> {
        Ok(())
    }
}
