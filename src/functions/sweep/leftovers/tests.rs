//! Which files of loads are removed, and which stay.

use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::functions::announce::AnnounceStations;
use crate::functions::sweep::testing::Streams;
use crate::names::ETag;
use crate::pipeline::Pipeline;
use crate::records::dead_letters::DeadLetter;
use crate::records::loaded::LoadedMarker;
use crate::stations::containers::{Container, Containers, StorageLocation};
use crate::stations::hub::journal::JournalHub;
use crate::stations::share::DirectoryShare;
use crate::stations::warehouse::sqlite::SqliteWarehouse;
use crate::stations::warehouse::{Schema, Warehouse};

const PIPELINE: &str = "[[feed]]\nname = \"flights\"\nformat = \"csv\"\n[feed.columns]\ncarrier = \"string\"\n";

struct Place {
    directory: TempDir,
    containers: Containers,
    clock: Clock,
}

impl Place {
    /// Long after whatever is written now.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = StorageLocation::Directory(directory.path().join("storage"));
        let containers = Containers::open(&location).await.unwrap();
        Place { directory, containers, clock: Clock::set_to(Utc::now() + TimeDelta::days(2)) }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The database was never made: whoever asks it fails.
    async fn sweep(&self) -> Result<usize, SweepError> {
        let pipeline = Pipeline::parse("pipeline.toml", PIPELINE).unwrap();
        let hub = JournalHub::new(self.path().join("hub"), self.clock.clone());
        let share = DirectoryShare::open(&self.path().join("share")).await.unwrap();
        let warehouse = SqliteWarehouse::new(self.path().join("warehouse.db"));
        let streams = Streams::none(self.path().join("streams"), &self.clock);
        let at = SweepStations {
            announce: AnnounceStations {
                pipeline: &pipeline,
                landing: &self.containers.landing,
                state: &self.containers.state,
                hub: &hub,
                clock: &self.clock,
            },
            share: &share,
            quarantine: &self.containers.quarantine,
            curated: &self.containers.curated,
            warehouse: &warehouse,
            feeds: &streams.feeds,
            streams: streams.stations(&self.containers, &warehouse, &self.clock),
        };
        remove(&at, self.clock.now()).await
    }
}

fn blob() -> BlobName {
    BlobName::new("flights/a.csv").unwrap()
}

fn etag() -> ETag {
    ETag::new("0x1").unwrap()
}

async fn written(container: &Container, load_id: &str, extension: &str) -> BlobName {
    let name = load_files::name(&blob(), &etag(), load_id, extension);
    container.put(&name, Bytes::from_static(b"x")).await.unwrap();
    name
}

#[tokio::test]
async fn files_of_the_load_that_counts_stay_and_the_database_is_not_asked() {
    let place = Place::new().await;
    let curated = written(&place.containers.curated, "counts", "parquet").await;
    let marker = LoadedMarker {
        blob: blob(),
        etag: etag(),
        generation: 1,
        load_id: Some("counts".to_owned()),
        rows_read: 1,
        rows_rejected: 0,
        committed_at: Utc::now(),
    };
    loaded::write(&place.containers.state, &marker).await.unwrap();
    assert_eq!(place.sweep().await.unwrap(), 0);
    assert!(place.containers.curated.head(&curated).await.unwrap().is_some());
}

#[tokio::test]
async fn bad_rows_that_a_dead_letter_names_stay() {
    let place = Place::new().await;
    let quarantine = written(&place.containers.quarantine, "refused", "ndjson").await;
    let now = Utc::now();
    let letter = DeadLetter {
        blob: blob(),
        etag: etag(),
        stage: "load".to_owned(),
        reason: "too many".to_owned(),
        remedy: "ask".to_owned(),
        row: None,
        quarantine: Some(quarantine.to_string()),
        tries: 1,
        first_at: now,
        last_at: now,
    };
    dead_letters::write(&place.containers.state, letter).await.unwrap();
    assert_eq!(place.sweep().await.unwrap(), 0);
    assert!(place.containers.quarantine.head(&quarantine).await.unwrap().is_some());
}

#[tokio::test]
async fn about_a_file_that_nobody_seems_to_count_the_ledger_is_asked() {
    let place = Place::new().await;
    written(&place.containers.curated, "killed", "parquet").await;
    assert!(matches!(place.sweep().await, Err(SweepError::Warehouse(_))), "there is no ledger to ask");
}

#[tokio::test]
async fn what_the_ledger_does_not_know_is_removed_once_a_day() {
    let place = Place::new().await;
    let warehouse = SqliteWarehouse::new(place.path().join("warehouse.db"));
    let schema = Schema { meanings: Vec::new(), summaries: Vec::new() };
    warehouse.migrate(&schema).await.unwrap();
    let curated = written(&place.containers.curated, "killed", "parquet").await;
    let bad = written(&place.containers.quarantine, "killed", "ndjson").await;
    let foreign = BlobName::new("messages/5f00").unwrap();
    place.containers.quarantine.put(&foreign, Bytes::from_static(b"x")).await.unwrap();
    let bad_events = BlobName::new("stream-events/flights/events/20260101T000000000000Z/0/1-2.killed.ndjson").unwrap();
    place.containers.quarantine.put(&bad_events, Bytes::from_static(b"x")).await.unwrap();
    let noted = BlobName::new("stream-events/flights/events/20260101T000000000000Z/0/3-4.counts.ndjson").unwrap();
    place.containers.quarantine.put(&noted, Bytes::from_static(b"x")).await.unwrap();
    quarantined_events::note(&place.containers.state, &noted).await.unwrap();

    assert_eq!(place.sweep().await.unwrap(), 3);
    assert!(place.containers.curated.head(&curated).await.unwrap().is_none());
    assert!(place.containers.quarantine.head(&bad).await.unwrap().is_none());
    assert!(place.containers.quarantine.head(&foreign).await.unwrap().is_some(), "it is no load's");
    assert!(place.containers.quarantine.head(&bad_events).await.unwrap().is_none(), "no commit names it");
    assert!(place.containers.quarantine.head(&noted).await.unwrap().is_some(), "a commit made it valid");

    written(&place.containers.curated, "killed", "parquet").await;
    assert_eq!(place.sweep().await.unwrap(), 0, "the round is over for today");
    place.clock.advance(TimeDelta::days(1));
    assert_eq!(place.sweep().await.unwrap(), 1);
}
