//! What a status page finds, and how little it asks for it.

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use tempfile::TempDir;

use super::super::{StatusReport, status};
use crate::clock::Clock;
use crate::names::{ETag, FeedName, SourceName};
use crate::pipeline::Pipeline;
use crate::records::attempts::{self, Worker};
use crate::records::dead_letters::DeadLetter;
use crate::records::loaded::LoadedMarker;
use crate::records::pulled::{self, FileVersion, PulledKey};
use crate::records::sources::{self, Look};
use crate::records::tally::Tally;
use crate::stations::containers::Containers;
use crate::stations::containers::memory::Stores;
use crate::stations::hub::journal::JournalHub;
use crate::stations::share::{DirectoryShare, Share, StagedName};

use super::*;

const PIPELINE: &str = r#"
[[feed]]
name = "flights"
format = "csv"
[feed.columns]
carrier = "string"
[[feed.sftp]]
name = "acme"
url = "sftp://partner@sftp.example.com/outbox"
host_key = ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
password = "env:ACME"
[[feed.sftp]]
name = "beta"
url = "sftp://partner@sftp.example.com/outbox"
host_key = ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
password = "env:BETA"

[[feed]]
name = "hotels"
format = "csv"
[feed.columns]
city = "string"
"#;

struct Place {
    directory: TempDir,
    pipeline: Pipeline,
    share: DirectoryShare,
    containers: Containers,
    stores: Stores,
    clock: Clock,
}

impl Place {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::set_to("2026-03-01T12:00:00Z".parse().unwrap());
        let (containers, stores) = Containers::in_memory(&clock);
        let share = DirectoryShare::open(&directory.path().join("share")).await.unwrap();
        let pipeline = Pipeline::parse("pipeline.toml", PIPELINE).unwrap();
        Place { directory, pipeline, share, containers, stores, clock }
    }

    async fn look(&self) -> StatusReport {
        let hub = JournalHub::new(self.directory.path().join("hub"), self.clock.clone());
        let at = StatusStations {
            pipeline: &self.pipeline,
            share: &self.share,
            landing: &self.containers.landing,
            quarantine: &self.containers.quarantine,
            state: &self.containers.state,
            hub: &hub,
            clock: &self.clock,
        };
        status(&at).await.unwrap()
    }

    async fn land(&self, name: &str) -> (BlobName, ETag) {
        let blob = BlobName::new(name).unwrap();
        let etag = self.containers.landing.put(&blob, Bytes::from_static(b"carrier\n")).await.unwrap();
        self.clock.advance(TimeDelta::seconds(1));
        (blob, etag)
    }

    async fn mark(&self, name: &str, generation: i64, rows_rejected: i64) {
        let (blob, etag) = self.land(name).await;
        let marker = LoadedMarker {
            blob,
            etag,
            generation,
            load_id: None,
            rows_read: 10,
            rows_rejected,
            committed_at: self.clock.now(),
        };
        loaded::write(&self.containers.state, &marker).await.unwrap();
    }
}

fn flights() -> FeedName {
    FeedName::new("flights").unwrap()
}

#[tokio::test]
async fn files_are_counted_where_they_stand_by_feed_and_by_source() {
    let place = Place::new().await;
    let state = &place.containers.state;
    place.mark("flights/acme/loaded.csv", 1, 0).await;
    place.mark("flights/beta/loaded.csv", 2, 3).await;
    place.land("flights/uploaded.csv").await;
    let (waiting, etag) = place.land("flights/acme/waiting.csv").await;
    let worker = Worker::new("1", "here", TimeDelta::hours(1));
    drop(attempts::begin(state, &waiting, &etag, &worker, place.clock.now()).await.unwrap());
    let (dead, etag) = place.land("flights/acme/dead.csv").await;
    let now = place.clock.now();
    let letter = DeadLetter {
        blob: dead,
        etag,
        stage: "load".to_owned(),
        reason: "bad".to_owned(),
        remedy: "mend".to_owned(),
        row: None,
        quarantine: None,
        tries: 1,
        first_at: now,
        last_at: now,
    };
    dead_letters::write(state, letter.clone()).await.unwrap();
    let older = DeadLetter { etag: ETag::new("older").unwrap(), ..letter };
    dead_letters::write(state, older).await.unwrap();
    let bad_rows = BlobName::new("flights/beta/loaded.csv/v1.5f.ndjson").unwrap();
    place.containers.quarantine.put(&bad_rows, Bytes::from_static(b"{}\n")).await.unwrap();

    let report = place.look().await;
    let flights = &report.feeds[0];
    let files = &flights.files;
    assert_eq!((files.landed, files.loaded, files.dead, files.waiting, files.retracted), (5, 2, 1, 2, 0));
    assert_eq!(files.oldest_waiting.as_ref().unwrap().blob.as_str(), "flights/uploaded.csv");
    assert_eq!((flights.loading, flights.dead_letters, report.dead_letter_count), (1, 2, 2));
    assert_eq!((flights.quarantine_files, flights.quarantine_bytes), (1, 3));
    let acme = &flights.sources[0].files;
    assert_eq!((acme.landed, acme.loaded, acme.dead, acme.waiting), (3, 1, 1, 1));
    assert_eq!(acme.oldest_waiting.as_ref().unwrap().blob, waiting);
    assert_eq!(flights.sources[1].files.loaded, 1);
    let counted = &flights.counted;
    assert_eq!((counted.rows_read, counted.rows_rejected, counted.as_of, counted.not_added_up), (20, 3, None, 0));
    assert_eq!(counted.generations.iter().map(|of| (of.generation, of.files)).collect::<Vec<_>>(), [(1, 1), (2, 1)]);
    assert_eq!(report.feeds[1].files, FileCounts::default());
}

#[tokio::test]
async fn what_waits_at_a_source_is_told_with_what_is_staged_of_it_and_how_the_source_is() {
    let place = Place::new().await;
    let state = &place.containers.state;
    let acme = SourceName::new("acme").unwrap();
    let first_seen = place.clock.now() - TimeDelta::hours(2);
    for (path, seen) in [("new.csv", place.clock.now()), ("slow.csv", first_seen)] {
        let key = PulledKey::new(&flights(), Some(&acme), path.as_bytes());
        let version = FileVersion { size_bytes: 100, modified: 1_700_000_000 };
        pulled::write_look(state, &key, version, seen).await.unwrap();
        if path == "slow.csv" {
            let name = StagedName::of(&flights(), key.path(), version.size_bytes, version.modified);
            place.share.write_at(&name, 0, Bytes::from_static(b"a part"), version.size_bytes).await.unwrap();
        }
    }
    let went = Look::Went { waiting: 2, files_failed: 1, file_failure: Some("`x` is odd".to_owned()) };
    sources::note(state, &flights(), Some(&acme), went, place.clock.now()).await.unwrap();
    let beta = SourceName::new("beta").unwrap();
    let failed = Look::Failed { message: "no route".to_owned() };
    sources::note(state, &flights(), Some(&beta), failed, place.clock.now()).await.unwrap();

    let report = place.look().await;
    let flights = &report.feeds[0];
    assert_eq!((flights.files.at_source, flights.files.staged, flights.files.staged_bytes), (2, 1, 6));
    let [acme, beta] = flights.sources.as_slice() else { panic!("two sources") };
    assert_eq!((acme.files.at_source, acme.oldest_at_source), (2, Some(first_seen)));
    assert_eq!((acme.last_looked_at, acme.failing, acme.files_failed), (Some(place.clock.now()), false, 1));
    assert_eq!((beta.last_looked_at, beta.failing), (None, true));
    assert_eq!(beta.last_failure.as_ref().unwrap().message, "no route");
}

#[tokio::test]
async fn a_page_over_a_hundred_thousand_files_lists_and_reads_next_to_nothing() {
    const MANY: usize = 100_000;
    let place = Place::new().await;
    for number in 0..MANY {
        let name = format!("flights/acme/{number:06}.csv");
        place.stores.landing.add(&name, "carrier\n");
        if number % 100 != 0 {
            place.stores.state.add(&format!("loaded/{name}/=v{}", number + 1), "not read");
        }
    }
    let sums = [(1, Counted { files: 98_000, rows_read: 5, rows_rejected: 1 })].into_iter().collect();
    let as_of = Utc::now();
    tally::write(&place.containers.state, &flights(), &Tally { as_of, generations: sums, unread: 999 }).await.unwrap();
    place.stores.landing.calls();
    place.stores.state.calls();

    let flights = &place.look().await.feeds[0];
    assert_eq!((flights.files.landed, flights.files.loaded, flights.files.waiting), (MANY, 99_000, 1_000));
    assert_eq!((flights.counted.not_added_up, flights.counted.as_of), (1_000, Some(as_of)));
    let (landing, state) = (place.stores.landing.calls(), place.stores.state.calls());
    assert!(landing.lists <= 25 && landing.reads == 0 && landing.writes == 0, "{landing:?}");
    assert!(state.lists <= 40 && state.reads <= 10 && state.writes == 0, "{state:?}");
}
