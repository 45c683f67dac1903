//! Files: counted once, replaced by corrections, never by what came before.

use async_trait::async_trait;
use millrace::names::{BlobName, ETag, Sha256};
use millrace::stations::Disposition;
use millrace::stations::warehouse::{LandedVersion, Outcome, Source, Warehouse, WarehouseError};
use millrace_frames::part::Value;
use millrace_frames::plan::{AggregateCall, KeyType, MeasureType};
use tokio::sync::Notify;

use super::fixture::{Stage, day, days, key, measure, plan, time, unique};

pub async fn a_first_load_is_counted(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "AA", 2, 200, 7.5), day(1, "UA", 1, 100, None)];
    assert_eq!(stage.recorded("1.csv").await, None);
    assert_eq!(stage.count("1.csv", "a", rows.clone()).await, Outcome::Committed { displaced: None });
    assert_eq!(stage.rows().await, rows);
    assert_eq!(stage.recorded("1.csv").await.unwrap().etag.as_str(), "a");
}

pub async fn a_replayed_message_changes_nothing(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    stage.count("1.csv", "a", rows.clone()).await;
    let first = stage.recorded("1.csv").await;
    assert_eq!(stage.count("1.csv", "a", rows.clone()).await, Outcome::AlreadyApplied);
    assert_eq!(stage.rows().await, rows);
    assert_eq!(stage.recorded("1.csv").await, first);
}

pub async fn a_corrected_file_replaces_exactly_its_own_counts(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "AA", 5, 500, 9.0), day(1, "UA", 1, 100, 7.5)]).await;
    stage.count("2.csv", "a", vec![day(1, "UA", 10, 1_000, 1.0)]).await;
    let before = stage.recorded("1.csv").await;
    let outcome = stage.count("1.csv", "b", vec![day(1, "UA", 2, 150, 3.0), day(2, "DL", 1, 10, 0.0)]).await;
    assert_eq!(outcome, Outcome::Committed { displaced: before });
    assert_eq!(stage.rows().await, [day(1, "UA", 12, 1_150, 3.0), day(2, "DL", 1, 10, 0.0)]);
}

pub async fn a_file_that_returns_to_its_first_version_counts_as_that_version(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let first = vec![day(1, "UA", 1, 100, 7.5)];
    stage.count("1.csv", "a", first.clone()).await;
    stage.count("1.csv", "b", vec![day(2, "AA", 9, 900, 9.0)]).await;
    let outcome = stage.count("1.csv", "a", first.clone()).await;
    assert!(matches!(outcome, Outcome::Committed { displaced: Some(old) } if old.etag.as_str() == "b"));
    assert_eq!(stage.rows().await, first);
}

pub async fn a_moved_etag_is_superseded(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let (old, new) = (vec![day(1, "UA", 1, 100, 7.5)], vec![day(1, "UA", 2, 200, 8.0)]);
    stage.landing.upload(&stage.blob("1.csv"), "b");
    let stale = stage.load("1.csv", "a", vec![old.clone()]);
    assert_eq!(stage.commit(&stale).await.unwrap(), Outcome::Superseded);
    assert_eq!((stage.rows().await, stage.recorded("1.csv").await), (vec![], None));
    stage.count("1.csv", "b", new.clone()).await;
    assert_eq!(stage.commit(&stale).await.unwrap(), Outcome::Superseded);
    assert_eq!(stage.rows().await, new);
}

pub async fn a_file_that_is_gone_is_never_committed(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    let never_landed = stage.load("1.csv", "a", vec![rows.clone()]);
    assert_eq!(stage.commit(&never_landed).await.unwrap(), Outcome::Gone);
    assert_eq!((stage.rows().await, stage.recorded("1.csv").await), (vec![], None));

    stage.count("1.csv", "a", rows.clone()).await;
    stage.landing.delete(&stage.blob("1.csv"));
    let other_version = stage.load("1.csv", "b", vec![vec![day(9, "ZZ", 9, 9, 9.0)]]);
    assert_eq!(stage.commit(&other_version).await.unwrap(), Outcome::Superseded);
    stage.migrate("second").await;
    let same_version = stage.load("1.csv", "a", vec![vec![day(9, "ZZ", 9, 9, 9.0)]]);
    assert_eq!(stage.commit(&same_version).await.unwrap(), Outcome::AlreadyApplied);
    assert_eq!(stage.rows().await, rows);
}

pub async fn two_files_that_share_keys_add_up(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "AA", 1, 10, -5.0), day(1, "UA", 1, 100, 7.5)]).await;
    stage.count("2.csv", "a", vec![day(1, "UA", 2, 200, 7.0), day(2, "UA", 1, 1, 1.0)]).await;
    let expected = [day(1, "AA", 1, 10, -5.0), day(1, "UA", 3, 300, 7.5), day(2, "UA", 1, 1, 1.0)];
    assert_eq!(stage.rows().await, expected);
}

pub async fn a_file_may_count_into_two_tables(warehouse: &dyn Warehouse) {
    let stage = Stage::with(warehouse, |feed| {
        let carriers = vec![
            key("carrier", KeyType::Text { max_utf16: 8 }),
            measure("flights", AggregateCall::CountRows, MeasureType::Int64),
        ];
        vec![days(feed, &unique("flight_days")), plan(feed, &unique("carriers"), carriers)]
    })
    .await;
    let carrier = |name: &str, flights: i64| vec![Value::Text(name.to_owned()), Value::Int64(flights)];
    for (etag, flights) in [("a", 3), ("b", 4)] {
        stage.landing.upload(&stage.blob("1.csv"), etag);
        let parts = vec![vec![day(1, "UA", flights, 1, 1.0)], vec![carrier("UA", flights)]];
        stage.commit(&stage.load("1.csv", etag, parts)).await.unwrap();
        assert_eq!(stage.rows_of(0).await, [day(1, "UA", flights, 1, 1.0)]);
        assert_eq!(stage.rows_of(1).await, [carrier("UA", flights)]);
    }
}

pub async fn two_summaries_may_share_one_table(warehouse: &dyn Warehouse) {
    let stage = Stage::with(warehouse, |feed| {
        let table = unique("flight_days");
        let mut reordered = days(feed, &table);
        reordered.columns.reverse();
        vec![days(feed, &table), reordered]
    })
    .await;
    let reversed = |mut row: Vec<Value>| {
        row.reverse();
        row
    };
    stage.landing.upload(&stage.blob("1.csv"), "a");
    let parts = vec![vec![day(1, "UA", 1, 10, 1.0)], vec![reversed(day(1, "UA", 2, 20, 2.0))]];
    stage.commit(&stage.load("1.csv", "a", parts)).await.unwrap();
    assert_eq!(stage.rows_of(0).await, [day(1, "UA", 3, 30, 2.0)]);
    assert_eq!(stage.rows_of(1).await, [reversed(day(1, "UA", 3, 30, 2.0))]);

    stage.landing.upload(&stage.blob("1.csv"), "b");
    let parts = vec![vec![], vec![reversed(day(1, "UA", 2, 20, 2.0))]];
    stage.commit(&stage.load("1.csv", "b", parts)).await.unwrap();
    assert_eq!(stage.rows_of(0).await, [day(1, "UA", 2, 20, 2.0)]);
}

pub async fn a_corrected_file_may_be_empty(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "UA", 1, 100, 7.5)]).await;
    stage.count("1.csv", "b", vec![]).await;
    assert_eq!(stage.rows().await, Vec::<Vec<Value>>::new());
    assert_eq!(stage.recorded("1.csv").await.unwrap().etag.as_str(), "b");
    let back = vec![day(1, "UA", 1, 100, 7.5)];
    stage.count("1.csv", "c", back.clone()).await;
    assert_eq!(stage.rows().await, back);
}

pub async fn a_unit_is_read_back_as_it_was_written(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.landing.upload(&stage.blob("ünit ' \" ;.csv"), "W/\"0x8D\"");
    let mut load = stage.load("ünit ' \" ;.csv", "W/\"0x8D\"", vec![vec![]]);
    load.record.sha256 = Some(Sha256::of("content"));
    load.record.quarantine = Some("flights/1.csv/0x8D.1.ndjson".to_owned());
    load.record.curated = Some("flights/1.csv/0x8D.1.parquet".to_owned());
    load.record.rows_rejected = 3;
    load.record.committed_at = time("2013-01-01T10:00:00.000001Z");
    stage.commit(&load).await.unwrap();
    assert_eq!(stage.recorded("ünit ' \" ;.csv").await, Some(load.record));
}

pub async fn units_come_in_pages_by_the_bytes_of_their_names(warehouse: &dyn Warehouse) {
    let (stage, other) = (Stage::new(warehouse).await, Stage::new(warehouse).await);
    other.count("0.csv", "a", vec![]).await;
    for file in ["b.csv", "B.csv", "ä.csv", "a.csv "] {
        stage.count(file, "a", vec![]).await;
    }
    let mut names = Vec::new();
    let mut after: Option<BlobName> = None;
    loop {
        let page = stage.warehouse.units(&stage.feed, after.as_ref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.unit.blob.clone());
        names.extend(page.into_iter().map(|record| String::from(record.unit.blob)));
    }
    assert_eq!(names, ["B.csv", "a.csv ", "b.csv", "ä.csv"].map(|file| stage.blob(file)));
}

struct Unreachable;

#[async_trait]
impl LandedVersion for Unreachable {
    async fn current(&self, _: &BlobName) -> Result<Option<ETag>, Source> {
        Err("the storage account is away".into())
    }
}

pub async fn a_landing_that_does_not_answer_leaves_nothing_behind(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    let error = warehouse.commit_file(&stage.load("1.csv", "a", vec![rows.clone()]), &Unreachable).await.unwrap_err();
    assert!(matches!(error, WarehouseError::LandedVersion { .. }));
    assert_eq!(error.disposition(), Disposition::Retry);
    assert_eq!((stage.rows().await, stage.recorded("1.csv").await), (vec![], None));
    stage.count("1.csv", "a", rows.clone()).await;
    assert_eq!(stage.rows().await, rows);
}

/// Tells that it was asked, and never answers.
#[derive(Default)]
struct Silent(Notify);

#[async_trait]
impl LandedVersion for Silent {
    async fn current(&self, _: &BlobName) -> Result<Option<ETag>, Source> {
        self.0.notify_one();
        std::future::pending().await
    }
}

pub async fn a_caller_that_goes_away_leaves_nothing_behind(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    let load = stage.load("1.csv", "a", vec![rows.clone()]);
    let silent = Silent::default();
    tokio::select! {
        _ = warehouse.commit_file(&load, &silent) => unreachable!("the landing never answers"),
        () = silent.0.notified() => {}
    }
    assert_eq!((stage.rows().await, stage.recorded("1.csv").await), (vec![], None));
    stage.count("1.csv", "a", rows.clone()).await;
    assert_eq!(stage.rows().await, rows);
}
