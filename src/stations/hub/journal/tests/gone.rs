//! What a journal lets go of.

use super::*;

async fn ten_events(hub: &JournalHub) {
    for number in 0..10_u8 {
        hub.send("files", "k", Bytes::from(vec![number])).await.unwrap();
    }
}

async fn numbers(hub: &JournalHub) -> Vec<u64> {
    all(hub, 0).await.iter().map(|event| event.sequence_number).collect()
}

#[tokio::test]
async fn what_is_gone_is_gone_for_every_process_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let (hub, other) = (hub_in(&directory), hub_in(&directory));
    ten_events(&hub).await;
    hub.forget_before("files", 0, 3).await.unwrap();
    other.compact("files", 0, &[5..=6, 9..=9]).await.unwrap();
    for opening in [&hub, &other, &hub_in(&directory)] {
        assert_eq!(numbers(opening).await, [3, 4, 7, 8]);
        assert_eq!(opening.bounds("files", "0").await.unwrap().begins, 3);
    }
}

#[tokio::test]
async fn what_was_not_sent_yet_is_not_gone() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let hub = hub_in(&directory);
    hub.forget_before("files", 0, 7).await.unwrap();
    hub.compact("files", 0, &[0..=u64::MAX]).await.unwrap();
    ten_events(&hub).await;
    assert!(numbers(&hub).await.into_iter().eq(0..10));
    hub.forget_before("files", 0, 99).await.unwrap();
    hub.compact("files", 0, &[8..=99]).await.unwrap();
    assert_eq!(hub.bounds("files", "0").await.unwrap().begins, 10);
    ten_events(&hub).await;
    assert!(numbers(&hub).await.into_iter().eq(10..20));
}

#[tokio::test]
async fn a_partition_whose_last_event_is_gone_is_opened_as_ever() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    ten_events(&hub_in(&directory)).await;
    hub_in(&directory).compact("files", 0, &[9..=9]).await.unwrap();
    let reopened = hub_in(&directory);
    let bounds = reopened.bounds("files", "0").await.unwrap();
    assert_eq!((bounds.last_enqueued, bounds.last_enqueued_at), (Some(9), Some(reopened.clock.now())));
    reopened.send("files", "k", Bytes::from_static(b"next")).await.unwrap();
    assert!(numbers(&reopened).await.into_iter().eq((0..9).chain([10])));
}

#[tokio::test]
async fn many_holes_are_read_in_steps() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let hub = hub_in(&directory);
    let event = |number: u64| NewEvent { partition_key: None, body: Bytes::from(number.to_string()) };
    hub.send_many("files", (0..20_000).map(event).collect()).await.unwrap();
    let every_third: Vec<_> = (0..20_000).step_by(3).map(|number| number..=number).collect();
    hub.compact("files", 0, &every_third).await.unwrap();
    assert!(numbers(&hub).await.into_iter().eq((0..20_000).filter(|number| number % 3 != 0)));
    let few = hub.read("files", 0, 15_000, 3, usize::MAX).await.unwrap();
    assert!(few.iter().map(|event| event.sequence_number).eq([15_001, 15_002, 15_004]));
}

#[tokio::test]
async fn a_damaged_list_of_holes_is_named() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let hub = hub_in(&directory);
    ten_events(&hub).await;
    fs::write(directory.path().join("files/0.gone"), b"short").unwrap();
    let refused = hub.read("files", 0, 0, 1, 1).await.unwrap_err();
    assert!(refused.to_string().contains("0.gone"), "{refused}");
}
