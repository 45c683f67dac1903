//! What the host passed over: found by the next event, or by the sweep where none comes.

use async_trait::async_trait;
use chrono::TimeDelta;
use millrace::functions::stream::{StreamReport, stream};
use millrace::records::streams;
use millrace::stations::hub::{GroupTrial, HubError, HubEvent, HubProperties, HubReader, PartitionBounds, ReadLimit};
use millrace::stations::warehouse::Warehouse;
use millrace::stations::warehouse::sqlite::SqliteWarehouse;

use super::{HUB, PARTITION, Stage, truth};

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_in_other_cuts_counts_once() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    assert_eq!(stage.deliver(0..5).await, StreamReport { counted: 5, ..StreamReport::default() });
    assert_eq!(stage.deliver(3..8).await, StreamReport { counted: 3, dropped: 2, ..StreamReport::default() });
    assert_eq!(stage.deliver(0..8).await, StreamReport { dropped: 8, ..StreamReport::default() });
    assert_eq!(stage.deliver(8..10).await.counted, 2);
    assert_eq!(stage.counts().await, truth(0..10));
    let record = stage.record().await;
    assert_eq!((record.applied, record.events_read, record.events_rejected), (Some(9), 10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_batch_is_counted_before_the_next_one() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    stage.deliver(0..3).await;
    let report = stage.deliver(7..10).await;
    assert_eq!(report, StreamReport { counted: 7, repaired: 4, ..StreamReport::default() });
    assert_eq!(stage.counts().await, truth(0..10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_within_a_batch_is_seen_too() {
    let stage = Stage::new().await;
    stage.send(0..12).await;
    let mut batch = stage.batch(0..12).await;
    batch.events.retain(|event| ![2, 3, 7].contains(&event.sequence_number));
    let report = stage.try_deliver(batch).await.unwrap();
    assert_eq!(report, StreamReport { counted: 12, repaired: 3, ..StreamReport::default() });
    assert_eq!(stage.counts().await, truth(0..12));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_first_batch_is_found_by_the_next_one() {
    let stage = Stage::new().await;
    stage.send(0..6).await;
    assert_eq!(stage.deliver(4..6).await.repaired, 4);
    assert_eq!(stage.counts().await, truth(0..6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_first_batch_after_which_nothing_comes_is_found_by_the_sweep() {
    let stage = Stage::new().await;
    stage.send(0..6).await;
    assert_eq!(stage.sweep_after(1).await.repaired, 0, "the host is given time first");
    assert_eq!(stage.sweep_after(10).await.repaired, 6);
    assert_eq!(stage.counts().await, truth(0..6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_last_batch_is_found_by_the_sweep() {
    let stage = Stage::new().await;
    stage.send(0..6).await;
    stage.deliver(0..4).await;
    assert_eq!(stage.sweep_after(10).await.repaired, 2);
    assert_eq!(stage.counts().await, truth(0..6));
    assert_eq!(stage.deliver(4..6).await.dropped, 2, "the host may come with it all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_checkpoint_brings_everything_again_and_changes_nothing() {
    let stage = Stage::new().await;
    stage.send(0..300).await;
    stage.deliver(0..300).await;
    for start in [0, 100, 200] {
        assert_eq!(stage.deliver(start..start + 100).await.dropped, 100);
    }
    assert_eq!(stage.counts().await, truth(0..300));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_ran_ahead_loses_nothing() {
    let stage = Stage::new().await;
    stage.send(0..300).await;
    stage.deliver(0..10).await;
    assert_eq!(stage.deliver(290..300).await.repaired, 280);
    assert_eq!(stage.counts().await, truth(0..300));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_hole_is_no_gap() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    stage.deliver(0..2).await;
    stage.journal.compact(HUB, 0, &[3..=4, 7..=8]).await.unwrap();
    // The host brings what is there, and loses one of them.
    let report = stage.deliver(6..10).await;
    assert_eq!((report.counted, report.repaired, report.lost), (4, 2, 0));
    assert_eq!(stage.counts().await, truth([0, 1, 2, 5, 6, 9]));
    assert_eq!(stage.record().await.applied, Some(9));
    assert!(stage.warehouse.stream_gaps(stage.feed.name(), 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_at_the_end_is_settled_by_the_sweep_once_something_follows() {
    let stage = Stage::new().await;
    stage.send(0..6).await;
    stage.journal.compact(HUB, 0, &[4..=5]).await.unwrap();
    stage.deliver(0..4).await;
    stage.send(6..7).await;
    stage.sweep_after(10).await;
    assert_eq!(stage.record().await.applied, Some(6));
    assert_eq!(stage.counts().await, truth([0, 1, 2, 3, 6]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_no_longer_has_is_written_down_and_the_rest_counts() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    stage.deliver(0..2).await;
    stage.journal.forget_before(HUB, 0, 5).await.unwrap();
    let report = stage.deliver(8..10).await;
    assert_eq!(report, StreamReport { counted: 5, repaired: 3, lost: 3, ..StreamReport::default() });
    assert_eq!(stage.counts().await, truth([0, 1, 5, 6, 7, 8, 9]));
    let gaps = stage.warehouse.stream_gaps(stage.feed.name(), 10).await.unwrap();
    assert_eq!(gaps.iter().map(|gap| (gap.gap.first, gap.gap.last)).collect::<Vec<_>>(), [(2, 4)]);
    assert!(gaps[0].gap.reason.contains("begins with 5"), "{}", gaps[0].gap.reason);

    let position = streams::read(&stage.containers.state, stage.feed.name(), HUB, PARTITION).await.unwrap().unwrap();
    assert_eq!((position.next, position.gaps.len()), (10, 1), "the status page need not ask the database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recreated_hub_begins_anew_beside_what_was_counted() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    stage.deliver(0..10).await;
    stage.clock.advance(TimeDelta::hours(1));
    stage.journal.delete(HUB).await.unwrap();
    stage.journal.make(HUB, 1).await.unwrap();
    stage.send(10..16).await;
    // The numbers are those of before, and the events are others.
    assert_eq!(stage.deliver(2..6).await.counted, 6);
    assert_eq!(stage.counts().await, truth(0..16));
    assert_eq!(stage.warehouse.streams(stage.feed.name()).await.unwrap().len(), 2);
    assert_eq!(stage.sweep_after(60).await, Default::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_hub_that_was_deleted_on_their_way_count_as_that_hubs() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    stage.deliver(0..4).await;
    let on_its_way = stage.batch(6..8).await;
    stage.clock.advance(TimeDelta::hours(1));
    stage.journal.delete(HUB).await.unwrap();
    stage.journal.make(HUB, 1).await.unwrap();
    stage.send(10..12).await;

    let report = stage.try_deliver(on_its_way).await.unwrap();
    assert_eq!((report.counted, report.lost), (2, 2), "4 and 5 went with the hub");
    stage.deliver(0..2).await;
    assert_eq!(stage.counts().await, truth([0, 1, 2, 3, 6, 7, 10, 11]));
    let gaps = stage.warehouse.stream_gaps(stage.feed.name(), 10).await.unwrap();
    assert!(gaps[0].gap.reason.contains("deleted"), "{}", gaps[0].gap.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_hub_that_nobody_knows_any_more_are_kept_for_a_person() {
    let stage = Stage::new().await;
    stage.send(0..4).await;
    let on_its_way = stage.batch(0..4).await;
    stage.clock.advance(TimeDelta::hours(1));
    stage.journal.delete(HUB).await.unwrap();
    stage.journal.make(HUB, 1).await.unwrap();

    stage.try_deliver(on_its_way).await.unwrap();
    let letters = millrace::records::dead_letters::list(&stage.containers.state, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    let file = letters[0].quarantine.clone().unwrap();
    let kept = stage.containers.quarantine.get(&millrace::names::BlobName::new(file).unwrap()).await.unwrap().unwrap();
    assert_eq!(kept.iter().filter(|byte| **byte == b'\n').count(), 4);
    assert!(stage.counts().await.is_empty());
}

/// A hub that cannot be read, while everything else of it can.
struct Unreadable<'a>(&'a dyn HubReader);

#[async_trait]
impl HubReader for Unreadable<'_> {
    async fn properties(&self, hub: &str) -> Result<HubProperties, HubError> {
        self.0.properties(hub).await
    }

    async fn bounds(&self, hub: &str, partition: &str) -> Result<PartitionBounds, HubError> {
        self.0.bounds(hub, partition).await
    }

    async fn read(&self, hub: &str, _: &str, _: &str, _: u64, _: ReadLimit) -> Result<Vec<HubEvent>, HubError> {
        Err(HubError::Read { hub: hub.to_owned(), source: "the repair group has a reader already".into() })
    }

    async fn try_group(&self, _: &str, _: &str) -> Result<GroupTrial, HubError> {
        Ok(GroupTrial::Occupied)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_is_tried_again_and_never_a_loss() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    stage.deliver(0..2).await;
    let unreadable = Unreadable(&stage.journal);
    stream(stage.batch(5..10).await, &stage.feed, &stage.stations(&unreadable)).await.unwrap_err();
    assert_eq!(stage.record().await.applied, Some(1));
    stage.clock.advance(TimeDelta::minutes(10));
    assert_eq!(stage.sweep_with(&unreadable, &stage.warehouse).await.failed, 1);
    assert_eq!(stage.deliver(5..10).await.repaired, 3);
    assert_eq!(stage.counts().await, truth(0..10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_of_streams_at_rest_asks_no_database() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    stage.deliver(0..10).await;
    stage.clock.advance(TimeDelta::days(3));
    let nowhere = SqliteWarehouse::new("/nowhere/at/all.sqlite");
    let report = stage.sweep_with(&stage.journal, &nowhere).await;
    assert_eq!(report, Default::default(), "an answer could only have been an error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_behind_is_corrected_by_the_sweep() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    // The second batch comes so soon that its position is not written.
    stage.deliver(0..5).await;
    stage.deliver(5..10).await;
    let position = || async {
        streams::read(&stage.containers.state, stage.feed.name(), HUB, PARTITION).await.unwrap().unwrap().next
    };
    assert_eq!(position().await, 5);
    assert_eq!(stage.sweep_after(10).await.repaired, 0);
    assert_eq!(position().await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_position_after_a_burst_is_written_soon_without_a_sweep() {
    let stage = Stage::new().await;
    stage.send(0..10).await;
    stage.deliver(0..5).await;
    stage.deliver(5..8).await;
    stage.deliver(8..10).await;
    let begun = std::time::Instant::now();
    loop {
        let position =
            streams::read(&stage.containers.state, stage.feed.name(), HUB, PARTITION).await.unwrap().unwrap();
        if position.next == 10 {
            return;
        }
        assert!(begun.elapsed() < crate::support::PATIENCE, "the position stays at {}", position.next);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
