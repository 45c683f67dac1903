//! Retractions: a unit's counts go exactly, stay away for its version, and come back when they are asked for.

use millrace::names::{BlobName, ETag};
use millrace::stations::warehouse::{
    Contribution, FileUnit, LedgerEvent, Outcome, RetractionOrder, RetractionOutcome, Warehouse,
};

use super::fixture::{Stage, day, days, time, unique};

const AT: &str = "2026-11-25T10:00:00.000001Z";

impl Stage<'_> {
    pub fn unit(&self, file: &str) -> FileUnit {
        FileUnit { feed: self.feed.clone(), blob: BlobName::new(self.blob(file)).unwrap() }
    }

    pub fn order(&self, file: &str, counted: Option<&str>, version: &str) -> RetractionOrder {
        RetractionOrder {
            unit: self.unit(file),
            counted: counted.map(|etag| ETag::new(etag).unwrap()),
            version: ETag::new(version).unwrap(),
            id: unique("retraction"),
            at: time(AT),
        }
    }

    /// Retracts what is counted.
    pub async fn retract(&self, file: &str) -> RetractionOutcome {
        let counted = self.recorded(file).await.unwrap().etag;
        self.warehouse.retract(&self.order(file, Some(counted.as_str()), counted.as_str())).await.unwrap()
    }
}

fn taken_back(table: &str, keys: u64, own_keys: u64) -> RetractionOutcome {
    RetractionOutcome::Retracted { taken_back: vec![Contribution { table: table.to_owned(), keys, own_keys }] }
}

pub async fn a_retraction_takes_back_exactly_what_the_file_counted(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "AA", 5, 500, 9.0), day(1, "UA", 1, 100, 7.5)]).await;
    stage.count("2.csv", "a", vec![day(1, "UA", 10, 1_000, 1.0)]).await;
    let unit = stage.unit("1.csv");
    let (table, before) = (stage.plans[0].table.clone(), stage.recorded("1.csv").await.unwrap());
    let contribution = Contribution { table: table.clone(), keys: 2, own_keys: 1 };
    assert_eq!(warehouse.contributions(&unit).await.unwrap(), [contribution]);

    assert_eq!(stage.retract("1.csv").await, taken_back(&table, 2, 1));
    assert_eq!(stage.rows().await, [day(1, "UA", 10, 1_000, 1.0)]);
    let after = stage.recorded("1.csv").await.unwrap();
    assert_eq!(after.retracted_at, Some(time(AT)));
    assert_eq!((after.etag, after.committed_at), (before.etag, before.committed_at));
    assert_eq!(warehouse.contributions(&unit).await.unwrap(), []);
}

pub async fn a_retracted_version_does_not_count_again_by_itself(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    stage.count("1.csv", "a", rows.clone()).await;
    stage.retract("1.csv").await;
    assert_eq!(stage.count("1.csv", "a", rows.clone()).await, Outcome::Retracted);
    stage.migrate("second").await;
    assert_eq!(stage.count("1.csv", "a", rows.clone()).await, Outcome::Retracted, "whatever the generation");
    stage.landing.delete(&stage.blob("1.csv"));
    assert_eq!(stage.commit(&stage.load("1.csv", "a", vec![rows])).await.unwrap(), Outcome::Retracted);
    assert_eq!(stage.rows().await, Vec::<Vec<_>>::new());
}

pub async fn a_new_version_of_a_retracted_file_counts(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "AA", 5, 500, 9.0)]).await;
    stage.retract("1.csv").await;
    let corrected = vec![day(1, "UA", 2, 150, 3.0)];
    let outcome = stage.count("1.csv", "b", corrected.clone()).await;
    assert!(matches!(outcome, Outcome::Committed { displaced: Some(old) } if old.retracted_at.is_some()));
    assert_eq!(stage.rows().await, corrected);
    assert_eq!(stage.recorded("1.csv").await.unwrap().retracted_at, None);
}

pub async fn a_retraction_again_changes_nothing(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "AA", 5, 500, 9.0)]).await;
    stage.retract("1.csv").await;
    let first = stage.recorded("1.csv").await;
    assert_eq!(stage.retract("1.csv").await, RetractionOutcome::Retracted { taken_back: Vec::new() });
    assert_eq!(stage.recorded("1.csv").await, first);
    assert_eq!(warehouse.history(&stage.unit("1.csv"), 10).await.unwrap().len(), 2);
}

pub async fn a_restored_file_counts_with_its_next_message(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    stage.count("1.csv", "a", rows.clone()).await;
    let unit = stage.unit("1.csv");
    assert_eq!(warehouse.restore(&unit, time(AT)).await.unwrap(), None, "it is not retracted");
    assert_eq!(stage.rows().await, rows);
    stage.retract("1.csv").await;
    let restored = warehouse.restore(&unit, time(AT)).await.unwrap();
    assert_eq!(restored.map(|record| record.etag), Some(ETag::new("a").unwrap()));
    assert_eq!(stage.recorded("1.csv").await, None);
    assert_eq!(stage.count("1.csv", "a", rows.clone()).await, Outcome::Committed { displaced: None });
    assert_eq!(stage.rows().await, rows);
}

pub async fn a_ledger_that_moved_meanwhile_is_left_alone(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let corrected = vec![day(1, "UA", 2, 150, 3.0)];
    stage.count("1.csv", "a", vec![day(1, "AA", 5, 500, 9.0)]).await;
    stage.count("1.csv", "b", corrected.clone()).await;
    for counted in [Some("a"), None] {
        let stale = stage.order("1.csv", counted, "a");
        assert_eq!(warehouse.retract(&stale).await.unwrap(), RetractionOutcome::Moved);
    }
    assert_eq!(warehouse.retract(&stage.order("2.csv", Some("a"), "a")).await.unwrap(), RetractionOutcome::Moved);
    assert_eq!(stage.rows().await, corrected);
}

/// An erased file may have a landed version that was never counted: its message must not count, nor be a dead letter.
pub async fn a_version_that_never_counted_can_be_retracted(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    let never = stage.order("1.csv", None, "a");
    let nothing = RetractionOutcome::Retracted { taken_back: Vec::new() };
    assert_eq!(warehouse.retract(&never).await.unwrap(), nothing);
    assert_eq!(stage.count("1.csv", "a", rows.clone()).await, Outcome::Retracted);
    assert_eq!(stage.recorded("1.csv").await.unwrap().generation, stage.generation);

    stage.count("2.csv", "a", rows.clone()).await;
    let newer = stage.order("2.csv", Some("a"), "b");
    assert_eq!(warehouse.retract(&newer).await.unwrap(), taken_back(&stage.plans[0].table, 1, 1));
    assert_eq!(stage.count("2.csv", "b", rows.clone()).await, Outcome::Retracted);
    assert!(matches!(stage.count("2.csv", "c", rows.clone()).await, Outcome::Committed { .. }));
    assert_eq!(stage.rows().await, rows);
}

pub async fn a_retraction_reaches_every_table_of_the_feed(warehouse: &dyn Warehouse) {
    let stage = Stage::with(warehouse, |feed| {
        let (shared, own) = (unique("shared"), unique("own"));
        vec![days(feed, &shared), days(feed, &shared), days(feed, &own)]
    })
    .await;
    stage.landing.upload(&stage.blob("1.csv"), "a");
    let parts = || vec![vec![day(1, "UA", 1, 10, 1.0)], vec![day(1, "UA", 2, 20, 2.0)], vec![day(2, "UA", 3, 30, 3.0)]];
    stage.commit(&stage.load("1.csv", "a", parts())).await.unwrap();
    let RetractionOutcome::Retracted { taken_back } = stage.retract("1.csv").await else { panic!("it moved") };
    let counts: Vec<(u64, u64)> = taken_back.iter().map(|part| (part.keys, part.own_keys)).collect();
    assert_eq!(counts, [(1, 1), (1, 1)], "two summaries of one table are one row");
    for plan in 0..3 {
        assert_eq!(stage.rows_of(plan).await, Vec::<Vec<_>>::new());
    }
}

pub async fn the_history_tells_what_took_whose_place(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    let unit = stage.unit("1.csv");
    assert_eq!(warehouse.history(&unit, 10).await.unwrap(), []);
    stage.count("1.csv", "a", rows.clone()).await;
    stage.count("1.csv", "b", rows.clone()).await;
    stage.retract("1.csv").await;
    warehouse.restore(&unit, time(AT)).await.unwrap();
    let told: Vec<(LedgerEvent, String, Option<String>)> = warehouse
        .history(&unit, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| (entry.event, entry.etag.to_string(), entry.displaced.map(|old| old.etag.to_string())))
        .collect();
    let entry = |event, etag: &str, displaced: Option<&str>| (event, etag.to_owned(), displaced.map(str::to_owned));
    let expected = [
        entry(LedgerEvent::Restored, "b", None),
        entry(LedgerEvent::Retracted, "b", Some("b")),
        entry(LedgerEvent::Committed, "b", Some("a")),
        entry(LedgerEvent::Committed, "a", None),
    ];
    assert_eq!(told, expected);
    assert_eq!(warehouse.history(&unit, 2).await.unwrap().len(), 2, "the newest");
}

/// A retracted unit of an older meaning need not be replayed.
pub async fn a_retracted_file_asks_for_no_replay(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "UA", 1, 100, 7.5)]).await;
    stage.retract("1.csv").await;
    let report = warehouse.migrate(&stage.schema("second")).await.unwrap();
    assert_eq!(report.feeds_to_replay, []);
}
