//! Bad events that are good once the contract is mended: landed as ordinary files, once.

use millrace::counting::Budget;
use millrace::names::BlobName;
use millrace::operations::replay_quarantine::{Landed, ReplayStations, ReplayedFile, replay_quarantine};
use millrace::operations::retract::Intent;
use millrace::records::quarantined_events;
use millrace::stations::warehouse::Warehouse;

use super::{PIPELINE, Stage, event};

async fn replay(stage: &Stage, intent: Intent) -> Vec<ReplayedFile> {
    let mut files = Vec::new();
    let stations = ReplayStations {
        landing: &stage.containers.landing,
        quarantine: &stage.containers.quarantine,
        warehouse: &stage.warehouse,
        budget: &Budget::for_this_machine(),
    };
    replay_quarantine(&stage.feed, intent, &stations, &mut |file| files.push(file)).await.unwrap();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn mended_events_land_under_a_name_of_their_numbers_and_only_once() {
    let mut stage = Stage::new().await;
    let late = |amount: &str| format!(r#"{{"day": "2026-11-01", "kind": "view", "amount": {amount}}}"#);
    stage.send_bodies([event(0), late("1.5"), "rubbish".to_owned(), late("2.5"), event(4)]).await;
    stage.deliver(0..5).await;
    assert!(matches!(
        replay(&stage, Intent::Do).await[..],
        [ReplayedFile { mended: 0, bad: 3, landed: Landed::Nothing, .. }]
    ));

    let mended = PIPELINE
        .replace("type = \"int64\"", "type = \"float64\"")
        .replace("SUM(amount)", "CAST(SUM(amount) AS BIGINT)")
        .replace("CAST(SUM(amount) AS BIGINT) AS total", "COUNT(amount) AS total");
    stage.migrate(&mended).await;
    let told = replay(&stage, Intent::Tell).await;
    let Landed::New(name) = &told[0].landed else { panic!("{told:?}") };
    assert!(stage.containers.landing.get(name).await.unwrap().is_none(), "a dry run lands nothing");
    let done = replay(&stage, Intent::Do).await;
    assert_eq!((done[0].mended, done[0].bad), (2, 1));
    assert_eq!(done[0].first_bad.as_ref().unwrap().0, 2);
    assert!(name.as_str().starts_with("events/replayed-events/events/"), "{name}");
    assert!(name.as_str().ends_with("/0/00000000000000000001-00000000000000000003.ndjson"), "{name}");
    let landed = stage.containers.landing.get(name).await.unwrap().unwrap();
    assert_eq!(landed, format!("{}\n{}\n", late("1.5"), late("2.5")));
    let again = replay(&stage, Intent::Do).await;
    assert_eq!(again[0].landed, Landed::Already(name.clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_bad_events_is_noted_so_that_the_sweep_need_not_ask_the_ledger() {
    let stage = Stage::new().await;
    stage.send_bodies(["rubbish".to_owned()]).await;
    stage.deliver(0..1).await;
    let (_, file) = stage.warehouse.stream_quarantine(stage.feed.name(), None, 1).await.unwrap().pop().unwrap();
    let name = BlobName::new(file.name).unwrap();
    assert!(quarantined_events::is_noted(&stage.containers.state, &name).await.unwrap());
    assert_eq!(quarantined_events::feed_of(&name).as_ref(), Some(stage.feed.name()));
}
