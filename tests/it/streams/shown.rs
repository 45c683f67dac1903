//! What the status page says of streams, from storage and the hub, without the database.

use async_trait::async_trait;
use chrono::TimeDelta;
use millrace::functions::status::{StatusReport, StatusStations, StreamStatus, status};
use millrace::stations::hub::{GroupTrial, HubError, HubEvent, HubProperties, HubReader, PartitionBounds, ReadLimit};
use millrace::stations::share::DirectoryShare;

use super::{HUB, Stage, event};

async fn page(stage: &Stage, hub: &dyn HubReader) -> StatusReport {
    let directory = tempfile::tempdir().unwrap();
    let share = DirectoryShare::open(directory.path()).await.unwrap();
    let stations = StatusStations {
        pipeline: &stage.pipeline,
        share: &share,
        landing: &stage.containers.landing,
        quarantine: &stage.containers.quarantine,
        state: &stage.containers.state,
        hub,
        clock: &stage.clock,
    };
    status(&stations).await.unwrap()
}

async fn only_partition(stage: &Stage) -> StreamStatus {
    page(stage, &stage.journal).await.streams.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn applied_lag_gaps_and_bad_events_are_shown() {
    let stage = Stage::new().await;
    assert_eq!(only_partition(&stage).await.lag, None, "an empty hub has nothing to lag behind");
    stage.send(0..4).await;
    assert_eq!((only_partition(&stage).await.applied, only_partition(&stage).await.lag), (None, Some(4)));
    stage.deliver(0..2).await;
    stage.send(4..20).await;
    stage.journal.forget_before(HUB, 0, 5).await.unwrap();
    stage.clock.advance(TimeDelta::minutes(1));
    stage.deliver(8..12).await;

    let shown = only_partition(&stage).await;
    assert_eq!((shown.applied, shown.last_enqueued, shown.lag), (Some(11), Some(19), Some(8)));
    assert_eq!(shown.gaps.iter().map(|gap| (gap.first, gap.last)).collect::<Vec<_>>(), [(2, 4)]);

    let bad = ["x", "y", "z"].map(str::to_owned);
    stage.send_bodies([event(20)].into_iter().chain(bad)).await;
    stage.clock.advance(TimeDelta::minutes(1));
    stage.deliver(12..24).await;
    assert_eq!(only_partition(&stage).await.rows_rejected, 3);
    let text = page(&stage, &stage.journal).await.to_text();
    assert!(text.contains("events") && !text.contains("max_reject_ratio"), "3 of 12 are within the half: {text}");
    stage.send_bodies(["x", "y", "z"].map(str::to_owned)).await;
    stage.clock.advance(TimeDelta::minutes(1));
    stage.deliver(24..27).await;
    let text = page(&stage, &stage.journal).await.to_text();
    assert!(text.contains("3 of 3 events were bad"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_was_made_anew_is_said_to_be() {
    let stage = Stage::new().await;
    stage.send(0..4).await;
    stage.deliver(0..4).await;
    stage.clock.advance(TimeDelta::hours(1));
    stage.journal.delete(HUB).await.unwrap();
    stage.journal.make(HUB, 1).await.unwrap();
    stage.send(0..2).await;
    let shown = only_partition(&stage).await;
    assert_eq!((shown.applied, shown.lag), (None, Some(2)));
    assert!(shown.notes.iter().any(|note| note.contains("made anew")), "{:?}", shown.notes);
}

/// A hub that is away.
struct Away;

#[async_trait]
impl HubReader for Away {
    async fn properties(&self, hub: &str) -> Result<HubProperties, HubError> {
        Err(HubError::Read { hub: hub.to_owned(), source: "the connection was refused".into() })
    }

    async fn bounds(&self, hub: &str, _: &str) -> Result<PartitionBounds, HubError> {
        Err(HubError::Read { hub: hub.to_owned(), source: "the connection was refused".into() })
    }

    async fn read(&self, hub: &str, _: &str, _: &str, _: u64, _: ReadLimit) -> Result<Vec<HubEvent>, HubError> {
        Err(HubError::Read { hub: hub.to_owned(), source: "the connection was refused".into() })
    }

    async fn try_group(&self, hub: &str, _: &str) -> Result<GroupTrial, HubError> {
        Err(HubError::Read { hub: hub.to_owned(), source: "the connection was refused".into() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_does_without_a_hub_that_is_away_and_says_so() {
    let stage = Stage::new().await;
    stage.send(0..4).await;
    stage.deliver(0..4).await;
    let shown = page(&stage, &Away).await.streams.pop().unwrap();
    assert_eq!((shown.applied, shown.lag), (Some(3), None));
    assert!(shown.notes[0].contains("the connection was refused"), "{:?}", shown.notes);
}
