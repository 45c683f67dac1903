use std::fs;
use std::io::Write;

use super::*;
use crate::stations::hub::{HubError, HubReader, HubSender};

mod gone;
mod made_anew;

fn hub_in(directory: &tempfile::TempDir) -> JournalHub {
    JournalHub::new(directory.path(), Clock::set_to(DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap()))
}

async fn all(hub: &JournalHub, partition: u32) -> Vec<JournalEvent> {
    hub.read("files", partition, 0, usize::MAX, usize::MAX).await.unwrap()
}

fn only_partition(directory: &tempfile::TempDir) {
    fs::create_dir_all(directory.path().join("files")).unwrap();
    let text = r#"{"partitions":1,"created_on":"2026-01-01T00:00:00Z"}"#;
    fs::write(directory.path().join("files/hub.json"), text).unwrap();
}

#[tokio::test]
async fn an_event_is_read_as_it_was_sent() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let hub = hub_in(&directory);
    hub.send("files", "flights/é.csv", Bytes::from_static(b"\x00\xff")).await.unwrap();
    let events = all(&hub, 0).await;
    assert_eq!(
        events,
        vec![JournalEvent {
            sequence_number: 0,
            offset: 0,
            enqueued_at: DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
            partition_key: "flights/é.csv".into(),
            body: Bytes::from_static(b"\x00\xff"),
        }]
    );
}

#[tokio::test]
async fn events_of_one_key_share_a_partition_and_others_spread() {
    let directory = tempfile::tempdir().unwrap();
    let hub = hub_in(&directory);
    for number in 0..40 {
        hub.send("files", &format!("key {}", number % 20), Bytes::from(vec![number])).await.unwrap();
    }
    let mut used = 0;
    for partition in 0..hub.partition_count("files").await.unwrap() {
        let events = all(&hub, partition).await;
        used += usize::from(!events.is_empty());
        for key in events.iter().map(|event| &event.partition_key) {
            assert_eq!(events.iter().filter(|event| &event.partition_key == key).count(), 2);
        }
    }
    assert!(used > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_senders_through_several_openings_get_contiguous_numbers() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let openings = [hub_in(&directory), hub_in(&directory), hub_in(&directory)];
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..300_usize {
        let hub = openings[number % openings.len()].clone();
        senders.spawn(async move { hub.send("files", "k", Bytes::from(number.to_string())).await.unwrap() });
    }
    senders.join_all().await;
    let events = all(&openings[0], 0).await;
    assert!(events.iter().map(|event| event.sequence_number).eq(0..300));
    let mut bodies: Vec<_> = events.iter().map(|event| event.body.clone()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 300);
}

#[tokio::test]
async fn a_read_stops_at_its_limits_but_always_moves() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let hub = hub_in(&directory);
    for _ in 0..10 {
        hub.send("files", "k", Bytes::from(vec![7; 1000])).await.unwrap();
    }
    let numbers = |events: Vec<JournalEvent>| events.iter().map(|event| event.sequence_number).collect::<Vec<_>>();
    assert_eq!(numbers(hub.read("files", 0, 4, 3, usize::MAX).await.unwrap()), [4, 5, 6]);
    assert_eq!(numbers(hub.read("files", 0, 8, 100, 1).await.unwrap()), [8]);
    assert_eq!(numbers(hub.read("files", 0, 0, 100, 2100).await.unwrap()), [0, 1]);
    assert!(hub.read("files", 0, 10, 100, usize::MAX).await.unwrap().is_empty());
    assert!(hub.read("files", 0, 99, 100, usize::MAX).await.unwrap().is_empty());
    assert_eq!(hub.bounds("files", "0").await.unwrap().last_enqueued, Some(9));
    assert!(matches!(
        hub.read("files", 1, 0, 1, 1).await,
        Err(JournalError::NoPartition { partition: 1, partitions: 1, .. })
    ));
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_wherever_it_was_torn() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    hub_in(&directory).send("files", "k", Bytes::from_static(b"whole")).await.unwrap();
    let path = directory.path().join("files/0.events");
    let whole = fs::read(&path).unwrap();
    for torn_at in 1..whole.len() {
        let mut torn = whole.clone();
        torn.extend(&whole[..torn_at]);
        fs::write(&path, &torn).unwrap();
        let reopened = hub_in(&directory);
        assert_eq!(all(&reopened, 0).await.len(), 1, "torn at {torn_at}");
        assert_eq!(fs::metadata(&path).unwrap().len(), whole.len() as u64);
    }
    let reopened = hub_in(&directory);
    reopened.send("files", "k", Bytes::from_static(b"next")).await.unwrap();
    assert_eq!(all(&reopened, 0).await[1].body, "next");
}

#[tokio::test]
async fn an_index_that_lags_leads_or_is_gone_is_made_to_fit() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let hub = hub_in(&directory);
    for body in ["a", "b", "c"] {
        hub.send("files", "k", Bytes::from(body)).await.unwrap();
    }
    let path = directory.path().join("files/0.index");
    let good = fs::read(&path).unwrap();
    let zeros = vec![0; good.len()];
    let ahead = [good.clone(), 9999_u64.to_le_bytes().to_vec()].concat();
    for index in [&good[..8], &good[..11], &[], &zeros, &ahead] {
        fs::write(&path, index).unwrap();
        let reopened = hub_in(&directory);
        assert_eq!(all(&reopened, 0).await.len(), 3, "{index:?}");
        assert_eq!(fs::read(&path).unwrap(), good);
    }
}

#[tokio::test]
async fn a_running_sender_goes_on_after_another_process_was_cut_off_while_writing() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let hub = hub_in(&directory);
    hub.send("files", "k", Bytes::from_static(b"a")).await.unwrap();
    let mut other = fs::OpenOptions::new().append(true).open(directory.path().join("files/0.events")).unwrap();
    other.write_all(&[9; 30]).unwrap();
    assert_eq!(all(&hub, 0).await.len(), 1);
    hub.send("files", "k", Bytes::from_static(b"b")).await.unwrap();
    assert_eq!(all(&hub, 0).await[1].body, "b");
}

#[tokio::test]
async fn a_flipped_bit_is_found_when_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let hub = hub_in(&directory);
    for body in ["a", "b"] {
        hub.send("files", "k", Bytes::from(body)).await.unwrap();
    }
    let path = directory.path().join("files/0.events");
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    let damaged = hub.read("files", 0, 0, 1, 1).await;
    assert!(matches!(damaged, Err(JournalError::Damaged { sequence_number: 0, .. })), "{damaged:?}");
}

#[tokio::test]
async fn what_a_hub_cannot_take_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let hub = hub_in(&directory);
    let too_large = hub.send("files", "k", Bytes::from(vec![0; BODY_LIMIT_BYTES + 1])).await;
    assert!(matches!(too_large, Err(HubError::TooLarge { .. })));
    for name in ["", "../up", "a/b", ".hidden"] {
        assert!(matches!(hub.partition_count(name).await, Err(JournalError::HubName { .. })), "{name}");
    }
}
