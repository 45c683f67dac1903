//! Retractions and erasures that something else comes across.

use futures::TryStreamExt;

use super::{Place, blob, feed, unit};
use crate::names::{BlobName, ETag};
use crate::operations::blob_glob::BlobGlob;
use crate::operations::retract::{Extent, FileRetraction, Intent, RetractStations, restore, retract};
use crate::records::attempts;
use crate::records::pulled::{self, FileVersion, PulledKey};
use crate::records::retracted;
use crate::stations::share::{Share, StagedName};
use crate::stations::warehouse::{Outcome, Warehouse};

impl Place {
    fn retract_stations(&self) -> RetractStations<'_> {
        RetractStations {
            containers: &self.containers,
            share: &self.share,
            warehouse: &self.warehouse,
            clock: &self.clock,
        }
    }

    async fn retract(&self, glob: &str, extent: Extent) -> Vec<FileRetraction> {
        let glob = BlobGlob::new(&feed(), glob).unwrap();
        let mut told = Vec::new();
        let tell = |file: &FileRetraction| told.push(file.clone());
        retract(&feed(), &glob, extent, Intent::Do, &self.retract_stations(), tell).await.unwrap();
        told
    }

    async fn names(&self) -> Vec<String> {
        self.containers.landing.list("", None).map_ok(|facts| facts.name.to_string()).try_collect().await.unwrap()
    }

    async fn is_marked_retracted(&self, blob: &BlobName, etag: &ETag) -> bool {
        retracted::exists(&self.containers.state, blob, etag).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_that_is_not_counted_yet_counts_after_a_retraction() {
    let place = Place::new().await;
    let file = blob("flights/1.csv");
    let first = place.land(&file, "one").await;
    place.count(&file, &first, "AA").await;
    let second = place.land(&file, "two").await;
    let told = place.retract("*", Extent::Counts).await;
    assert_eq!((told[0].counted().map(|record| &record.etag), told[0].landed.as_ref()), (Some(&first), Some(&second)));
    assert_eq!(place.carriers().await, Vec::<String>::new());
    assert!(matches!(place.count(&file, &second, "UA").await, Outcome::Committed { .. }));
    assert_eq!(place.carriers().await, ["UA"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_correction_does_not_count_though_its_message_is_on_its_way() {
    let place = Place::new().await;
    let file = blob("flights/1.csv");
    let first = place.land(&file, "one").await;
    place.count(&file, &first, "AA").await;
    let second = place.land(&file, "two").await;
    place.retract("1.csv", Extent::Everything).await;
    assert_eq!(place.count(&file, &second, "UA").await, Outcome::Retracted);
    assert_eq!(place.count(&file, &first, "AA").await, Outcome::Superseded);
    assert_eq!((place.carriers().await, place.names().await), (Vec::new(), Vec::new()));

    let third = place.land(&file, "one").await;
    assert!(matches!(place.count(&file, &third, "DL").await, Outcome::Committed { .. }), "sent again, it counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_files_that_are_meant_go() {
    let place = Place::new().await;
    for name in ["flights/1.csv", "flights/1.csv.gz", "flights/2.csv"] {
        let etag = place.land(&blob(name), name).await;
        place.count(&blob(name), &etag, &name[8..]).await;
    }
    let told = place.retract("1.csv", Extent::Everything).await;
    assert_eq!(told.len(), 1);
    assert_eq!(place.carriers().await, ["1.csv.gz", "2.csv"]);
    assert_eq!(place.names().await, ["flights/1.csv.gz", "flights/2.csv"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_finds_staged_copies_and_says_what_is_still_coming() {
    let place = Place::new().await;
    let file = blob("flights/1.csv");
    let etag = place.land(&file, "one").await;
    let (landed, coming) = (
        FileVersion { size_bytes: 3, modified: 1_700_000_000 },
        FileVersion { size_bytes: 9, modified: 1_700_000_500 },
    );
    place.record_pull(&file, &etag, landed).await;
    let key = PulledKey::of_blob(&file).unwrap();
    pulled::write_look(&place.containers.state, &key, coming, place.clock.now()).await.unwrap();
    let staged = StagedName::of(&feed(), key.path(), coming.size_bytes, coming.modified);
    let half = bytes::Bytes::from_static(b"half");
    place.share.write_at(&staged, 0, half, coming.size_bytes).await.unwrap();
    let killed = attempts::Worker::new("killed", "here", chrono::TimeDelta::hours(1));
    drop(attempts::begin(&place.containers.state, &file, &etag, &killed, place.clock.now()).await.unwrap());

    let told = place.retract("1.csv", Extent::Everything).await;
    let erased = told[0].erased.as_ref().unwrap();
    assert_eq!((erased.landed_bytes, erased.staged_copies, erased.records), (Some(3), 1, 1));
    assert!(erased.is_known_at_source && erased.load_has_begun && !erased.newer_landed);
    assert_eq!(erased.coming, [coming]);
    assert_eq!(place.share.list().await.unwrap(), []);
    let records: Vec<_> = pulled::list_of_file(&place.containers.state, &key).try_collect().await.unwrap();
    assert_eq!(records.len(), 2, "without them the file would be pulled again, or looked at anew");
    assert!(place.is_marked_retracted(&file, &etag).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_file_is_marked_no_more_and_counts_with_its_next_message() {
    let place = Place::new().await;
    let file = blob("flights/1.csv");
    let etag = place.land(&file, "one").await;
    place.count(&file, &etag, "AA").await;
    assert!(!restore(&unit(&file), &etag, &place.retract_stations()).await.unwrap(), "it is not retracted");
    place.retract("1.csv", Extent::Counts).await;
    assert!(place.is_marked_retracted(&file, &etag).await);
    assert!(restore(&unit(&file), &etag, &place.retract_stations()).await.unwrap());
    assert!(!place.is_marked_retracted(&file, &etag).await);
    assert!(matches!(place.count(&file, &etag, "AA").await, Outcome::Committed { .. }));
    assert_eq!(place.warehouse.history(&unit(&file), 10).await.unwrap().len(), 4);
}
