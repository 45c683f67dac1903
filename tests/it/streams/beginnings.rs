//! Where a stream begins to count, and since when a summary does.

use millrace::functions::stream::{StreamError, stream};
use millrace::operations::stream_start::note_starts;
use millrace::stations::warehouse::Warehouse;

use super::{HUB, PIPELINE, Stage, truth};

fn latest() -> String {
    PIPELINE.replace("hub = \"events\"", "hub = \"events\"\nstart = \"latest\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_the_earliest_event_that_the_hub_has() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    stage.journal.forget_before(HUB, 0, 4).await.unwrap();
    let report = stage.deliver(6..10).await;
    assert_eq!((report.counted, report.repaired, report.lost), (6, 2, 0), "what was gone before is no gap");
    assert_eq!(stage.counts().await, truth(4..10));
    assert_eq!(stage.record().await.begins, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_begins_where_migrate_saw_the_end() {
    let mut stage = Stage::before_migrate(&latest()).await;
    stage.send(0..4).await;
    stage.migrate(&latest()).await;
    let refused = stage.try_deliver(stage.batch(0..4).await).await.unwrap_err();
    assert!(matches!(refused, StreamError::NoStart { .. }), "{refused}");
    assert_eq!(stage.note_starts().await, 1);
    assert_eq!(stage.note_starts().await, 0, "it is written down once");
    stage.send(4..8).await;
    // The host's own beginning is the start of the hub, whatever ours is.
    assert_eq!(stage.deliver(0..8).await.dropped, 4);
    assert_eq!(stage.counts().await, truth(4..8));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_made_anew_begins_with_its_first_event_though_the_start_is_latest() {
    let mut stage = Stage::before_migrate(&latest()).await;
    stage.migrate(&latest()).await;
    stage.note_starts().await;
    stage.clock.advance(chrono::TimeDelta::hours(1));
    stage.journal.delete(HUB).await.unwrap();
    stage.journal.make(HUB, 1).await.unwrap();
    stage.send(0..4).await;
    assert_eq!(stage.note_starts().await, 0);
    stage.deliver(2..4).await;
    assert_eq!(stage.counts().await, truth(0..4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_summary_counts_from_where_it_was_declared() {
    let mut stage = Stage::new().await;
    stage.send(0..10).await;
    stage.deliver(0..6).await;
    let second = r#"
[[summary]]
table = "clicks"
feed = "events"
sql = "SELECT day, kind, COUNT(*) AS events, SUM(amount) AS total FROM events WHERE kind = 'click' GROUP BY day, kind"
"#;
    stage.migrate(&format!("{PIPELINE}{second}")).await;
    stage.deliver(6..10).await;
    assert_eq!(stage.counts().await, truth(0..10), "the one of before goes on");
    assert_eq!(stage.table("clicks").await, truth([7, 9]));
    let record = stage.record().await;
    let since = stage.warehouse.stream_summaries(&record.unit).await.unwrap();
    let of = |table: &str| since.iter().find(|summary| summary.table == table).map(|summary| summary.since);
    assert_eq!((of("event_days"), of("clicks")), (Some(0), Some(6)));
    assert_eq!(record.generation, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_of_before_a_migration_counts_nothing_any_more() {
    let mut stage = Stage::new().await;
    stage.send(0..10).await;
    let old = stage.feed.clone();
    stage
        .migrate(
            &PIPELINE.replace("kind = \"string\"", "kind = \"string\"\nnote = { type = \"string\", required = false }"),
        )
        .await;
    stage.deliver(0..4).await;
    let batch = stage.batch(4..8).await;
    let refused = stream(batch, &old, &stage.stations(&stage.journal)).await.unwrap_err();
    assert!(refused.to_string().contains("deploy the newer version"), "{refused}");
    assert_eq!(stage.counts().await, truth(0..4));
}

impl Stage {
    async fn note_starts(&self) -> usize {
        note_starts(&self.feeds, &self.journal, &self.warehouse, &self.clock).await.unwrap()
    }
}
