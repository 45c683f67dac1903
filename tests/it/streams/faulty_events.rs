//! Events that do not count: each is in quarantine with its number and its reason, and stops none of the others.

use millrace::names::BlobName;
use millrace::records::{new_columns, quarantined_events};
use millrace::stations::warehouse::Warehouse;

use super::{PIPELINE, Stage, event, truth};

/// Numbers and reasons of everything that the ledger's quarantine files hold.
async fn quarantined(stage: &Stage) -> Vec<(u64, String)> {
    let mut events = Vec::new();
    for (_, file) in stage.warehouse.stream_quarantine(stage.feed.name(), None, 100).await.unwrap() {
        let name = BlobName::new(file.name).unwrap();
        let bad = quarantined_events::read(&stage.containers.quarantine, &name).await.unwrap().unwrap();
        assert_eq!(bad.len() as u64, file.events);
        events.extend(bad.into_iter().map(|bad| (bad.sequence_number, bad.reason)));
    }
    events.sort();
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_being_bad_is_said_and_the_others_count() {
    let stage = Stage::new().await;
    let bodies = [
        event(0),
        "no JSON".to_owned(),
        r#"{"day": "2026-11-31", "kind": "view", "amount": 1}"#.to_owned(),
        r#"{"day": "2026-11-01", "amount": 1}"#.to_owned(),
        String::new(),
        format!("{}\n{}", event(1), event(2)),
        "[1, 2]".to_owned(),
        "{\n  \"day\": \"2026-11-02\",\n  \"kind\": \"click\",\n  \"amount\": 7\n}\n".to_owned(),
        "{\"day\": \"2026-11-01\", \"kind\": \"a\nb\"}".to_owned(),
    ];
    stage.send_bodies(bodies).await;
    let report = stage.deliver(0..9).await;
    assert_eq!((report.counted, report.rejected), (9, 7));
    assert_eq!(stage.counts().await, truth([0, 7]));
    let bad = quarantined(&stage).await;
    assert_eq!(bad.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 8]);
    let expected = ["", "2026-11-31", "kind", "one JSON object", "", "", "inside a string"];
    for ((number, reason), words) in bad.iter().zip(expected) {
        assert!(reason.contains(words), "event {number}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_again_are_not_quarantined_again() {
    let stage = Stage::new().await;
    stage.send_bodies([event(0), "rubbish".to_owned(), event(2)]).await;
    stage.deliver(0..3).await;
    stage.deliver(0..3).await;
    stage.deliver(1..3).await;
    assert_eq!(quarantined(&stage).await.len(), 1);
    assert_eq!(stage.record().await.events_rejected, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_that_no_table_takes_is_found_by_halves() {
    let stage = Stage::new().await;
    let large = |amount: i64| format!(r#"{{"day": "2026-12-01", "kind": "view", "amount": {amount}}}"#);
    let mut bodies: Vec<String> = (0..50).map(event).collect();
    bodies[20] = large(i64::MAX);
    bodies[33] = large(1);
    stage.send_bodies(bodies).await;
    let report = stage.deliver(0..50).await;
    assert_eq!((report.counted, report.rejected), (50, 1));
    let bad = quarantined(&stage).await;
    assert_eq!(bad[0].0, 33, "the one that brought the sum beyond 64 bits");
    let mut counts = stage.counts().await;
    assert_eq!(counts.remove(&("2026-12-01".to_owned(), "view".to_owned())), Some((1, i64::MAX)));
    assert_eq!(counts, truth((0..50).filter(|amount| ![20, 33].contains(amount))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_that_overflows_against_what_was_counted_before_is_found_too() {
    let stage = Stage::new().await;
    let large = |amount: i64| format!(r#"{{"day": "2026-12-01", "kind": "view", "amount": {amount}}}"#);
    stage.send_bodies([large(i64::MAX)]).await;
    stage.deliver(0..1).await;
    stage.send_bodies([event(1), large(5), event(3)]).await;
    assert_eq!(stage.deliver(1..4).await.rejected, 1);
    let bad = quarantined(&stage).await;
    assert_eq!(bad[0].0, 2);
    assert!(bad[0].1.contains("does not fit"), "{}", bad[0].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_bad_where_the_feed_says_so_and_shown_where_not() {
    let odd = r#"{"day": "2026-11-01", "kind": "view", "amount": 0, "colour": "red"}"#;
    let stage = Stage::new().await;
    stage.send_bodies([event(1), odd.to_owned()]).await;
    assert_eq!(stage.deliver(0..2).await.rejected, 0);
    let seen = new_columns::read(&stage.containers.state, stage.feed.name()).await.unwrap().unwrap();
    assert_eq!(seen.columns, ["colour"]);

    let stage =
        Stage::of(&PIPELINE.replace("max_reject_ratio", "unknown_columns = \"reject\"\nmax_reject_ratio")).await;
    stage.send_bodies([event(1), odd.to_owned(), event(2)]).await;
    assert_eq!(stage.deliver(0..3).await.rejected, 1);
    assert!(quarantined(&stage).await[0].1.contains("colour"));
    assert_eq!(stage.counts().await, truth([1, 2]));
}
