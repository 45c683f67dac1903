//! What a tick looks at and announces, counted and never timed.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt;

use super::super::testing::Place;
use super::*;
use crate::clock::Clock;
use crate::names::FeedName;
use crate::records::retracted::{self, RetractionMarker};
use crate::records::sweep_check::{self, CheckPosition, CheckStage};
use crate::records::tally::{self, Tally};
use crate::stations::containers::{Containers, StorageLocation};

const MANY: usize = 100_000;

fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

fn name(number: usize) -> String {
    format!("flights/{number:06}.csv")
}

#[tokio::test]
async fn a_hundred_thousand_files_that_were_never_loaded_are_announced_once_a_round_and_no_tick_does_much() {
    let place = Place::new().await;
    (0..MANY).for_each(|number| place.stores.landing.add(&name(number), "carrier\n"));
    place.after(TimeDelta::hours(1));
    place.stores.state.calls();
    let mut announced = Vec::new();
    let mut ticks = 0;
    while announced.len() < MANY {
        let report = place.tick().await;
        ticks += 1;
        assert!(report.looked_at <= BLOBS_A_TICK && report.announced_again <= ANNOUNCEMENTS_A_TICK, "{report:?}");
        assert!(report.announced_again > 0, "tick {ticks} went on");
        let (landing, state) = (place.stores.landing.calls(), place.stores.state.calls());
        assert!(landing.lists <= 6 && landing.reads == 0, "tick {ticks}: {landing:?}");
        // Three markers for each file that is announced, and for those that were on their way when it was enough.
        assert!(state.reads <= 3 * (ANNOUNCEMENTS_A_TICK + LOOKUPS_AT_A_TIME) + 10, "tick {ticks}: {state:?}");
        assert!(state.writes <= 20, "tick {ticks}: {state:?}");
        announced.extend(place.hub.sent());
        place.after(TimeDelta::seconds(1));
    }
    assert_eq!(ticks, MANY.div_ceil(ANNOUNCEMENTS_A_TICK), "each tick sends what it may");
    announced.sort_unstable();
    announced.dedup();
    assert_eq!(announced.len(), MANY, "none was announced twice");
}

#[tokio::test]
async fn a_hundred_thousand_loaded_files_cost_a_list_a_tick_and_nothing_else() {
    let place = Place::new().await;
    for number in 0..MANY {
        let name = name(number);
        place.stores.landing.add(&name, "carrier\n");
        place.stores.state.add(&format!("loaded/{name}/=v{}", number + 1), "{}");
    }
    // No ledger has counted them: the daily check, which would find that out, is put off; so is adding them up.
    let began = place.clock.now() + TimeDelta::days(365);
    let check = CheckPosition { began, stage: CheckStage::Over, digest: None, digest_of_last: None };
    sweep_check::write(&place.containers.state, &check).await.unwrap();
    let tally = Tally { as_of: began, generations: BTreeMap::new(), unread: 1 };
    tally::write(&place.containers.state, &FeedName::new("flights").unwrap(), &tally).await.unwrap();
    let mut reads = Vec::new();
    for _ in 0..2 * MANY.div_ceil(BLOBS_A_TICK) + 2 {
        let report = place.after(minutes(5)).tick().await;
        assert_eq!((report.announced_again, report.failed), (0, 0));
        assert!(place.stores.landing.calls().lists <= 6);
        reads.push(place.stores.state.calls().reads);
    }
    assert!(reads.iter().all(|reads| *reads <= BLOBS_A_TICK + 10), "one marker for each file that is due: {reads:?}");
    assert_eq!(place.hub.sent(), Vec::<String>::new());
    // A week later, none of them has reached a new age since the round before.
    place.after(TimeDelta::days(7));
    for _ in 0..MANY.div_ceil(BLOBS_A_TICK) + 1 {
        place.after(minutes(5)).tick().await;
    }
    place.stores.state.calls();
    place.after(minutes(5)).tick().await;
    let state = place.stores.state.calls();
    assert!(state.reads <= 10 && state.writes <= 12, "{state:?}");
}

#[tokio::test]
async fn a_lost_file_is_announced_at_doubling_ages_and_no_more() {
    let place = Place::new().await;
    place.land("flights/lost.csv").await;
    let mut ages = Vec::new();
    for tick in 1..=12 * 24 * 2 {
        place.after(minutes(5)).tick().await;
        ages.extend(place.hub.sent().iter().map(|_| tick * 5));
    }
    assert_eq!(ages, [10, 20, 40, 80, 160, 320, 640, 1280, 2560]);
}

#[tokio::test]
async fn many_files_of_one_feed_hold_up_no_other_and_nothing_of_no_feed() {
    let place = Place::new().await;
    (0..10_000).for_each(|number| place.stores.landing.add(&name(number), "carrier\n"));
    place.stores.landing.add("hotels/lost.csv", "city\n");
    place.stores.landing.add("zebras/nobodys.csv", "stripes\n");
    place.stores.landing.add("loose.csv", "x\n");
    let report = place.after(minutes(10)).tick().await;
    assert!(place.hub.sent().contains(&"hotels/lost.csv".to_owned()));
    assert_eq!(report.dead_lettered, 2, "of no feed: {report:?}");
    assert_eq!(place.after(minutes(10)).tick().await.dead_lettered, 0, "they have their letters");
}

#[tokio::test]
async fn a_tick_that_is_killed_leaves_the_next_one_to_go_on() {
    let place = Place::new().await;
    (0..3_000).for_each(|number| place.stores.landing.add(&name(number), "carrier\n"));
    place.after(TimeDelta::hours(1));
    place.hub.hangs_after(1_200);
    let killed = tokio::time::timeout(Duration::from_secs(600), async {
        let tick = place.try_tick(Duration::from_secs(600));
        tokio::pin!(tick);
        loop {
            if (&mut tick).now_or_never().is_some() {
                panic!("the hub answered");
            }
            if place.hub.count() == 1_200 {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    killed.await.unwrap();
    let mut announced = place.hub.sent();
    assert_eq!(announced.len(), 1_200);
    place.hub.is_back();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..2 {
        place.after(TimeDelta::seconds(1)).tick().await;
        announced.extend(place.hub.sent());
    }
    for blob in announced {
        *times.entry(blob).or_default() += 1;
    }
    assert_eq!(times.len(), 3_000);
    let twice = times.values().filter(|times| **times > 1).count();
    assert!(twice <= BATCH, "only what came after the last position is repeated: {twice}");
}

#[tokio::test]
async fn while_the_hub_is_away_the_tick_fails_and_no_file_loses_its_age() {
    let place = Place::new().await;
    for number in 0..50 {
        place.stores.landing.add(&name(number), "carrier\n");
    }
    place.hub.fails_after(20);
    place.after(minutes(10));
    assert!(matches!(place.try_tick(Duration::from_secs(600)).await, Err(SweepError::Announce(_))));
    assert!(place.try_tick(Duration::from_secs(600)).await.is_err());
    place.hub.is_back();
    place.after(minutes(1)).tick().await;
    let mut announced = place.hub.sent();
    announced.sort_unstable();
    assert_eq!(announced, (0..50).map(name).collect::<Vec<_>>(), "each once");
}

#[tokio::test]
async fn a_blob_that_cannot_be_looked_at_stops_nothing_and_is_tried_once_more() {
    let place = Place::new().await;
    for number in 0..3 {
        place.stores.landing.add(&name(number), "carrier\n");
    }
    place.stores.state.fail_for("loaded/flights/000001.csv/=v2");
    let report = place.after(minutes(10)).tick().await;
    assert_eq!((report.announced_again, report.failed), (2, 1));
    let report = place.after(minutes(5)).tick().await;
    assert_eq!((report.announced_again, report.failed), (0, 1), "it still fails");
    let report = place.after(minutes(1)).tick().await;
    assert_eq!(report.failed, 0, "now it waits for its next age");
    place.hub.sent();
    place.stores.state.mend();
    place.after(minutes(4)).tick().await;
    assert!(place.hub.sent().contains(&name(1)));
}

#[tokio::test]
async fn a_state_store_that_is_away_ends_the_tick_before_it_has_asked_for_everything() {
    let place = Place::new().await;
    for number in 0..1_000 {
        place.stores.landing.add(&name(number), "carrier\n");
        place.stores.state.fail_for(&format!("loaded/{}/=v{}", name(number), number + 1));
    }
    let report = place.after(minutes(10)).tick().await;
    assert_eq!(report.failed, FAILURES_A_LANE + 1);
    place.stores.state.mend();
    place.after(minutes(1)).tick().await;
    let mut announced = place.hub.sent();
    announced.sort_unstable();
    assert_eq!(announced, (0..1_000).map(name).collect::<Vec<_>>(), "none is forgotten");
}

#[tokio::test]
async fn loaded_dead_and_retracted_files_are_left_alone() {
    let place = Place::new().await;
    let record = place.load("flights/loaded.csv").await;
    let dead = place.land("flights/dead.csv").await;
    let retracted = place.land("flights/retracted.csv").await;
    let etag = async |blob: &BlobName| place.containers.landing.head(blob).await.unwrap().unwrap().etag;
    let now = place.clock.now();
    let letter = DeadLetter {
        blob: dead.clone(),
        etag: etag(&dead).await,
        stage: "load".to_owned(),
        reason: "bad".to_owned(),
        remedy: "mend".to_owned(),
        row: None,
        quarantine: None,
        tries: 1,
        first_at: now,
        last_at: now,
    };
    dead_letters::write(&place.containers.state, letter).await.unwrap();
    let marker = RetractionMarker { etag: etag(&retracted).await, blob: retracted, retracted_at: now, erased: false };
    retracted::write(&place.containers.state, &marker).await.unwrap();
    place.after(minutes(10)).tick().await;
    assert_eq!(place.hub.sent(), Vec::<String>::new(), "{}", record.unit.blob);
}

#[tokio::test]
async fn a_tick_whose_time_is_up_looks_at_one_batch_and_the_next_begins_with_those_that_waited() {
    let place = Place::new().await;
    for number in 0..2 * BATCH {
        place.stores.landing.add(&name(number), "carrier\n");
        place.stores.landing.add(&format!("hotels/{number}.csv"), "city\n");
    }
    place.after(minutes(10));
    let first = place.short_tick().await;
    let second = place.after(TimeDelta::seconds(1)).short_tick().await;
    let third = place.after(TimeDelta::seconds(1)).short_tick().await;
    assert_eq!([first, second, third].map(|report| report.looked_at), [BATCH, BATCH, 0], "nothing is of no feed");
    let sent = place.hub.sent();
    let of = |feed: &str| sent.iter().filter(|blob| blob.starts_with(feed)).count();
    assert_eq!((of("flights/"), of("hotels/")), (BATCH, BATCH));
}

#[tokio::test]
async fn a_name_that_the_store_lists_and_cannot_read_becomes_one_letter() {
    let place = Place::new().await;
    place.stores.landing.add("flights/a//b.csv", "carrier\n");
    place.stores.landing.add("flights/plain.csv", "carrier\n");
    let report = place.after(minutes(10)).tick().await;
    assert_eq!((report.announced_again, report.dead_lettered, report.failed), (1, 1, 0));
    for _ in 0..10 {
        assert_eq!(place.after(minutes(10)).tick().await.dead_lettered, 0);
    }
    let letters = dead_letters::list(&place.containers.state, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].blob.as_str(), letters[0].tries), ("flights/a//b.csv", 1));
    assert!(letters[0].reason.contains("empty segment"), "{}", letters[0].reason);
}

#[cfg(unix)]
#[tokio::test]
async fn names_that_no_blob_can_have_become_letters_that_go_when_the_files_are_renamed() {
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().unwrap();
    let containers = Containers::open(&StorageLocation::Directory(directory.path().to_owned())).await.unwrap();
    let place = Place::over(containers, Clock::set_to(Utc::now())).await;
    let folder = directory.path().join("landing/flights");
    std::fs::create_dir_all(folder.join(std::ffi::OsStr::from_bytes(b"folder\xff"))).unwrap();
    let not_utf_8 = folder.join(std::ffi::OsStr::from_bytes(b"caf\xe9.csv"));
    std::fs::write(&not_utf_8, "carrier\n").unwrap();
    std::fs::write(folder.join("caf%E9.csv"), "carrier\n").unwrap();
    std::fs::write(folder.join("x#1"), "carrier\n").unwrap();
    std::fs::write(folder.join("line\nfeed.csv"), "carrier\n").unwrap();

    let report = place.after(minutes(11)).tick().await;
    assert_eq!((report.announced_again, report.dead_lettered, report.failed), (1, 4, 0), "{report:?}");
    assert_eq!(place.hub.sent(), ["flights/caf%E9.csv"], "that name can be had");
    assert_eq!(place.after(minutes(11)).tick().await.dead_lettered, 0, "once");
    let letters = dead_letters::list(&place.containers.state, 10).await.unwrap();
    let shown: Vec<&str> = letters.iter().map(|letter| letter.blob.as_str()).collect();
    let expected = ["flights/caf%E9.csv", "flights/folder%FF", "flights/line%0Afeed.csv", "flights/x#1"];
    assert!(shown.iter().all(|name| expected.contains(name)) && shown.len() == 4, "{shown:?}");

    std::fs::rename(&not_utf_8, folder.join("cafe.csv")).unwrap();
    let report = place.after(TimeDelta::days(2)).tick().await;
    assert_eq!(report.letters_removed, 1, "{report:?}");
    assert_eq!(dead_letters::count(&place.containers.state).await.unwrap(), 3);
}
