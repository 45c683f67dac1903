//! What is told of a file in each state of its life.

use chrono::TimeDelta;

use super::{Place, blob, feed};
use crate::names::Sha256;
use crate::operations::whereabouts::{Event, FileStory, Question, Standing, WhereStations, find};
use crate::records::attempts;
use crate::records::pulled::{self, FileVersion, PulledKey};
use crate::stations::share::{Share, StagedName};
use crate::stations::warehouse::{FeedMeaning, Schema, Warehouse};

const SEEN_AS: FileVersion = FileVersion { size_bytes: 100, modified: 1_700_000_000 };

impl Place {
    async fn story(&self, file: &str) -> FileStory {
        let stations = WhereStations {
            pipeline: &self.pipeline,
            containers: &self.containers,
            share: &self.share,
            warehouse: &self.warehouse,
            clock: &self.clock,
        };
        let question = Question::new(file.as_ref(), &self.pipeline);
        let mut found = find(&question, 10, &stations).await.unwrap();
        assert_eq!(found.files.len(), 1, "{found:?}");
        found.files.remove(0)
    }

    async fn look(&self, file: &str) {
        let key = PulledKey::of_blob(&blob(file)).unwrap();
        pulled::write_look(&self.containers.state, &key, SEEN_AS, self.clock.now()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_waits_for_its_second_look_and_then_for_a_pull() {
    let place = Place::new().await;
    place.look("flights/new.csv").await;
    let told = place.story("new.csv").await;
    assert_eq!(told.standing, Standing::Seen);
    assert_eq!(told.source.as_deref(), Some("sftp.example.com:/outbox/new.csv"));
    assert_eq!(told.next, "waits for its second look, 2 s after 2026-11-25T10:00:00Z");
    assert!(matches!(told.versions[0].events[0].event, Event::Seen { size_bytes: 100, .. }));

    place.clock.advance(TimeDelta::seconds(2));
    let told = place.story("new.csv").await;
    assert_eq!(told.next, "has settled (2 s are over): the next pull takes it if it still looks the same");

    let staged = StagedName::of(&feed(), b"new.csv", SEEN_AS.size_bytes, SEEN_AS.modified);
    place.share.write_at(&staged, 0, bytes::Bytes::from_static(b"twelve bytes"), SEEN_AS.size_bytes).await.unwrap();
    let told = place.story("new.csv").await;
    assert_eq!(told.next, "a pull has brought 12 of 100 bytes; it is under way, or the next one goes on with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_too_long_for_a_record_is_found_all_the_same() {
    let place = Place::new().await;
    let long = format!("{}.csv", "ü".repeat(120));
    place.look(&format!("flights/{long}")).await;
    assert_eq!(place.story(&long).await.standing, Standing::Seen);
    assert_eq!(place.story("ü*ü.csv").await.blob, blob(&format!("flights/{long}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_has_not_ended_is_named() {
    let place = Place::new().await;
    let etag = place.land(&blob("flights/slow.csv"), "one").await;
    let state = &place.containers.state;
    let worker = |process: &str| attempts::Worker::new(process, "here", TimeDelta::hours(1));
    drop(attempts::begin(state, &blob("flights/slow.csv"), &etag, &worker("first"), place.clock.now()).await.unwrap());
    let told = place.story("slow.csv").await;
    assert_eq!(told.standing, Standing::Loading);
    assert!(told.next.starts_with("the load is under way, or its handler was killed"), "{}", told.next);
    assert_eq!(told.source, None, "nobody saw it at a source");
    drop(attempts::begin(state, &blob("flights/slow.csv"), &etag, &worker("second"), place.clock.now()).await.unwrap());
    let told = place.story("slow.csv").await;
    assert!(told.next.starts_with("2 loads have begun and not ended"), "{}", told.next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_that_waits_leaves_the_counts_of_before() {
    let place = Place::new().await;
    let file = blob("flights/1.csv");
    let first = place.land(&file, "one").await;
    place.count(&file, &first, "AA").await;
    place.land(&file, "two").await;
    let told = place.story("1.csv").await;
    assert_eq!((told.standing, told.versions.len()), (Standing::Waiting, 2));
    assert!(told.next.ends_with(&format!("; until then the counts of version {first} stand")), "{}", told.next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_counted_by_an_older_meaning_says_how_it_is_counted_anew() {
    let place = Place::new().await;
    let file = blob("flights/it's.csv");
    let etag = place.land(&file, "one").await;
    place.count(&file, &etag, "AA").await;
    let other = FeedMeaning { feed: feed(), fingerprint: Sha256::of("another meaning") };
    for meaning in [other, place.meaning()] {
        let schema = Schema { meanings: vec![meaning], summaries: place.pipeline.summaries.clone() };
        place.warehouse.migrate(&schema).await.unwrap();
    }
    let told = place.story("it's.csv").await;
    assert_eq!(told.standing, Standing::Counted);
    assert_eq!(
        told.next,
        "was counted by generation 1, and pipeline.toml means generation 3 now: \
         `millrace replay flights --blob 'flights/it'\\''s.csv'` counts it anew"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_record_stops_no_story() {
    let place = Place::new().await;
    let file = blob("flights/1.csv");
    let etag = place.land(&file, "one").await;
    place.record_pull(&file, &etag, SEEN_AS).await;
    let key = PulledKey::of_blob(&file).unwrap();
    let name = pulled::RecordName::new(&key, SEEN_AS, pulled::RecordState::Landed);
    place.containers.state.put(&name.blob(), bytes::Bytes::from_static(b"{")).await.unwrap();
    assert_eq!(place.story("1.csv").await.standing, Standing::Waiting);
}
