//! When the ledger is asked, and what is mended then.

use chrono::TimeDelta;

use super::super::testing::Place;
use super::*;
use crate::functions::load::marker_of;
use crate::names::{BlobName, ETag};
use crate::records::dead_letters::{self, DeadLetter};
use crate::records::loaded;
use crate::records::retracted::{self, RetractionMarker};

/// A day in ticks of five minutes.
async fn day(place: &Place) -> SweepReport {
    let mut sum = SweepReport::default();
    for _ in 0..24 * 12 {
        let report = place.after(TimeDelta::minutes(5)).tick().await;
        sum.announced_again += report.announced_again;
        sum.checked += report.checked;
        sum.markers_mended += report.markers_mended;
        sum.letters_removed += report.letters_removed;
        sum.dead_lettered += report.dead_lettered;
        sum.failed += report.failed;
    }
    sum
}

fn letter(blob: &BlobName, etag: &ETag, place: &Place) -> DeadLetter {
    let now = place.clock.now();
    DeadLetter {
        blob: blob.clone(),
        etag: etag.clone(),
        stage: "load".to_owned(),
        reason: "bad".to_owned(),
        remedy: "mend".to_owned(),
        row: None,
        quarantine: None,
        tries: 1,
        first_at: now,
        last_at: now,
    }
}

#[tokio::test]
async fn an_idle_system_never_opens_its_database() {
    let place = Place::new().await;
    day(&place).await;
    assert_eq!(place.warehouse.calls(), 0, "nothing was ever loaded");

    place.load("flights/a.csv").await;
    place.load("hotels/b.csv").await;
    let report = day(&place).await;
    assert_eq!(report.checked, 2);
    assert!(place.warehouse.calls() > 0, "something was loaded");

    for quiet_day in 1..=5 {
        let report = day(&place).await;
        assert_eq!((place.warehouse.calls(), report.checked), (0, 0), "quiet day {quiet_day}");
    }

    // A file that waits is none of the ledger's business either.
    place.land("flights/waits.csv").await;
    assert!(day(&place).await.announced_again > 0);
    assert_eq!(place.warehouse.calls(), 0);

    place.load("flights/c.csv").await;
    assert_eq!(day(&place).await.checked, 4);
    assert!(place.warehouse.calls() > 0);
    day(&place).await;
    assert_eq!(place.warehouse.calls(), 0);
}

#[tokio::test]
async fn a_check_comes_once_a_day() {
    let place = Place::new().await;
    place.load("flights/a.csv").await;
    place.tick().await;
    place.warehouse.calls();
    place.load("flights/b.csv").await;
    place.after(TimeDelta::hours(23)).tick().await;
    assert_eq!(place.warehouse.calls(), 0);
    assert_eq!(place.after(TimeDelta::hours(1)).tick().await.checked, 2);
}

#[tokio::test]
async fn a_marker_that_was_lost_is_written_anew() {
    let place = Place::new().await;
    let record = place.load("flights/a.csv").await;
    place.load("flights/b.csv").await;
    let state = &place.containers.state;
    loaded::remove(state, &record.unit.blob, &record.etag).await.unwrap();
    let report = place.tick().await;
    assert_eq!((report.markers_mended, report.announced_again), (1, 0));
    let marker = loaded::read(state, &record.unit.blob, &record.etag).await.unwrap();
    assert_eq!(marker, Some(marker_of(&record)));
}

#[tokio::test]
async fn a_database_that_was_restored_has_its_lost_files_announced_again() {
    let place = Place::new().await;
    let kept = place.load("flights/kept.csv").await;
    let corrected = place.load("flights/corrected.csv").await;
    let backup = place.backup();
    day(&place).await;
    let correction = place.load("flights/corrected.csv").await;
    let lost = place.load("hotels/lost.csv").await;
    let retracted = place.load("flights/retracted.csv").await;
    let state = place.containers.state.clone();
    loaded::remove(&state, &corrected.unit.blob, &corrected.etag).await.unwrap();
    let marker = RetractionMarker {
        blob: retracted.unit.blob.clone(),
        etag: retracted.etag.clone(),
        retracted_at: place.clock.now(),
        erased: false,
    };
    retracted::write(&state, &marker).await.unwrap();

    let place = place.restored(backup);
    let report = place.after(TimeDelta::days(1)).tick().await;
    let mut announced = place.hub.sent();
    announced.sort_unstable();
    assert_eq!(announced, ["flights/corrected.csv", "hotels/lost.csv"], "what was retracted stays away");
    assert_eq!((report.announced_again, report.markers_mended), (2, 3));
    assert!(loaded::exists(&state, &kept.unit.blob, &kept.etag).await.unwrap());
    for forgotten in [&correction, &lost, &retracted] {
        assert!(!loaded::exists(&state, &forgotten.unit.blob, &forgotten.etag).await.unwrap());
    }
}

#[tokio::test]
async fn what_the_ledger_calls_retracted_has_that_marker_and_no_other() {
    let place = Place::new().await;
    let record = place.load("flights/a.csv").await;
    place.retract(&record).await;
    let report = place.tick().await;
    assert_eq!((report.markers_mended, report.announced_again), (2, 0));
    let state = &place.containers.state;
    assert!(retracted::exists(state, &record.unit.blob, &record.etag).await.unwrap());
    assert!(!loaded::exists(state, &record.unit.blob, &record.etag).await.unwrap());
}

#[tokio::test]
async fn a_counted_file_whose_retraction_was_restored_away_is_told_and_not_marked() {
    let place = Place::new().await;
    let record = place.load("flights/a.csv").await;
    let state = &place.containers.state;
    let (blob, etag) = (record.unit.blob.clone(), record.etag.clone());
    loaded::remove(state, &blob, &etag).await.unwrap();
    let marker = RetractionMarker { blob, etag, retracted_at: place.clock.now(), erased: false };
    retracted::write(state, &marker).await.unwrap();
    assert_eq!(place.tick().await.markers_mended, 0);
    assert!(!loaded::exists(state, &record.unit.blob, &record.etag).await.unwrap());
}

#[tokio::test]
async fn the_ledger_wins_over_a_letter_and_a_counted_correction_makes_it_stale() {
    let place = Place::new().await;
    let state = place.containers.state.clone();
    let counted = place.load("flights/counted.csv").await;
    dead_letters::write(&state, letter(&counted.unit.blob, &counted.etag, &place)).await.unwrap();
    let blob = place.land("flights/corrected.csv").await;
    let bad = place.containers.landing.head(&blob).await.unwrap().unwrap().etag;
    dead_letters::write(&state, letter(&blob, &bad, &place)).await.unwrap();
    place.load("flights/corrected.csv").await;
    let accepted = place.load("flights/rejected.csv").await;
    let rejected = place.land("flights/rejected.csv").await;
    let etag = place.containers.landing.head(&rejected).await.unwrap().unwrap().etag;
    dead_letters::write(&state, letter(&rejected, &etag, &place)).await.unwrap();
    let gone = BlobName::new("flights/gone.csv").unwrap();
    dead_letters::write(&state, letter(&gone, &accepted.etag, &place)).await.unwrap();

    let report = place.tick().await;
    assert_eq!((report.letters_removed, report.announced_again), (2, 0));
    let left: Vec<String> =
        dead_letters::list(&state, 10).await.unwrap().into_iter().map(|letter| letter.blob.into()).collect();
    assert_eq!(left, ["flights/gone.csv", "flights/rejected.csv"], "about these there is something to be done");
}

#[tokio::test]
async fn a_check_goes_page_by_page_over_the_ticks_and_on_where_one_was_cut_off() {
    let place = Place::new().await;
    for number in 0..1_200 {
        place.load(&format!("flights/{number:05}.csv")).await;
    }
    // Landed files that no longer are, and names between which the ledger's pages end elsewhere than landing's.
    for number in (0..1_200).step_by(3) {
        place.stores.landing.remove(&format!("flights/{number:05}.csv"));
    }
    let mut checked = Vec::new();
    for _ in 0..20 {
        checked.push(place.short_tick().await.checked);
        assert!(place.warehouse.calls() <= 1, "one page, one question");
    }
    assert_eq!(checked.iter().sum::<usize>(), 800, "{checked:?}");
    assert!(checked.iter().filter(|checked| **checked > 0).count() > 1, "{checked:?}");
}
