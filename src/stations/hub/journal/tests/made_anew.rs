//! Hubs that are deleted and made again, while somebody holds them open.

use std::collections::HashMap;

use super::*;

async fn created_on(hub: &JournalHub) -> DateTime<Utc> {
    hub.properties("files").await.unwrap().created_on
}

#[tokio::test]
async fn two_hubs_of_one_name_never_have_the_same_time_whatever_the_clock_says() {
    let directory = tempfile::tempdir().unwrap();
    let hub = hub_in(&directory);
    let mut times = vec![created_on(&hub).await];
    for attempt in 0..6 {
        if attempt % 2 == 0 {
            hub.delete("files").await.unwrap();
        } else {
            fs::remove_dir_all(directory.path().join("files")).unwrap();
        }
        if attempt == 4 {
            hub.clock.advance(chrono::Duration::days(-1));
        }
        times.push(created_on(&hub).await);
        assert_eq!(created_on(&hub_in(&directory)).await, *times.last().unwrap());
    }
    assert!(times.is_sorted_by(|earlier, later| earlier < later), "{times:?}");
}

#[tokio::test]
async fn whoever_holds_a_deleted_hub_open_goes_on_with_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    only_partition(&directory);
    let (handler, host) = (hub_in(&directory), hub_in(&directory));
    for body in ["a", "b"] {
        handler.send("files", "k", Bytes::from(body)).await.unwrap();
    }
    host.compact("files", 0, &[0..=0]).await.unwrap();
    assert_eq!(all(&host, 0).await[0].body, "b");
    let before = created_on(&handler).await;

    fs::remove_dir_all(directory.path().join("files")).unwrap();
    only_partition_made_on(&directory, "2026-01-02T00:00:00Z");
    host.send("files", "k", Bytes::from_static(b"c")).await.unwrap();
    handler.send("files", "k", Bytes::from_static(b"d")).await.unwrap();

    assert_ne!(created_on(&handler).await, before);
    for hub in [&handler, &host] {
        let events = all(hub, 0).await;
        let as_read: Vec<_> = events.iter().map(|event| (event.sequence_number, event.body.as_ref())).collect();
        assert_eq!(as_read, [(0, b"c".as_ref()), (1, b"d".as_ref())]);
    }
}

fn only_partition_made_on(directory: &tempfile::TempDir, time: &str) {
    fs::create_dir_all(directory.path().join("files")).unwrap();
    let text = format!(r#"{{"partitions":1,"created_on":"{time}"}}"#);
    fs::write(directory.path().join("files/hub.json"), text).unwrap();
}

#[tokio::test]
async fn a_hub_that_somebody_is_deleting_by_hand_is_not_made_again_over_its_events() {
    let directory = tempfile::tempdir().unwrap();
    let hub = hub_in(&directory);
    hub.send("files", "k", Bytes::from_static(b"a")).await.unwrap();
    fs::remove_file(directory.path().join("files/hub.json")).unwrap();
    for opening in [&hub, &hub_in(&directory)] {
        let refused = opening.partition_count("files").await;
        assert!(matches!(refused, Err(JournalError::HalfDeleted { .. })), "{refused:?}");
    }
    fs::remove_dir_all(directory.path().join("files")).unwrap();
    assert_eq!(hub.partition_count("files").await.unwrap(), DEFAULT_PARTITIONS);
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_deleted_without_complaint_and_a_name_that_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let hub = hub_in(&directory);
    hub.delete("files").await.unwrap();
    assert!(matches!(hub.delete("..").await, Err(JournalError::HubName { .. })));
    hub.make("files", 7).await.unwrap();
    hub.make("files", 3).await.unwrap();
    assert_eq!(hub.partition_count("files").await.unwrap(), 7);
}

/// Whatever the moment at which the hub is deleted, an event is in one incarnation once or in none, and what was sent after
/// the last deletion is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn senders_and_readers_survive_a_hub_that_is_made_anew_under_them() {
    let directory = tempfile::tempdir().unwrap();
    let openings = [hub_in(&directory), hub_in(&directory)];
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..4_usize {
        let hub = openings[sender % 2].clone();
        senders.spawn(async move {
            for number in 0..100 {
                hub.send("files", &number.to_string(), Bytes::from(format!("{sender} {number}"))).await.unwrap();
            }
        });
    }
    let reader = openings[0].clone();
    senders.spawn(async move {
        for _ in 0..100 {
            for partition in 0..DEFAULT_PARTITIONS {
                let events = reader.read("files", partition, 0, usize::MAX, usize::MAX).await.unwrap();
                assert!(events.iter().map(|event| event.sequence_number).eq(0..events.len() as u64));
            }
        }
    });
    for _ in 0..10 {
        openings[1].delete("files").await.unwrap();
        tokio::task::yield_now().await;
    }
    openings[1].send("files", "last", Bytes::from_static(b"last")).await.unwrap();
    senders.join_all().await;

    let mut seen: HashMap<Bytes, usize> = HashMap::new();
    for partition in 0..DEFAULT_PARTITIONS {
        let events = all(&hub_in(&directory), partition).await;
        assert!(events.iter().map(|event| event.sequence_number).eq(0..events.len() as u64));
        for event in events {
            *seen.entry(event.body).or_default() += 1;
        }
    }
    assert_eq!(seen.get(b"last".as_slice()), Some(&1));
    assert!(seen.values().all(|count| *count == 1), "{seen:?}");
}
