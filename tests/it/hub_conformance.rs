//! What every hub must do: run on a journal here, and on whatever other hub a test can reach. A hub that exists already may
//! hold events; what only a new one shows, and what only an end that can be told to let go shows, stands apart.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use futures::future::join_all;

use millrace::clock::Clock;
use millrace::stations::hub::journal::JournalHub;
use millrace::stations::hub::{HubError, HubEvent, HubReader, HubSender, NewEvent, ReadLimit};

/// A hub, and who sends to it and reads from it.
pub struct Hub<'h> {
    pub sender: &'h dyn HubSender,
    pub reader: &'h dyn HubReader,
    pub name: &'h str,
    /// Nobody else reads through it.
    pub group: &'h str,
}

/// An end that lets go of events when it is told. Event Hubs does so by itself only, and nobody can wait for it.
#[async_trait]
pub trait LetsGo: Sync {
    fn last_numbers_that_are_gone(&self) -> LastNumbers;
    async fn forget_before(&self, hub: &str, partition: &str, number: u64);
    async fn compact(&self, hub: &str, partition: &str, first: u64, last: u64);
    /// The hub is deleted and made again.
    async fn make_anew(&self, hub: &str);
}

/// What a read finds where a partition's last numbers are gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastNumbers {
    AreKnownToBeGone,
    LookLate,
}

#[async_trait]
impl LetsGo for JournalHub {
    fn last_numbers_that_are_gone(&self) -> LastNumbers {
        LastNumbers::AreKnownToBeGone
    }

    async fn forget_before(&self, hub: &str, partition: &str, number: u64) {
        JournalHub::forget_before(self, hub, partition.parse().unwrap(), number).await.unwrap();
    }

    async fn compact(&self, hub: &str, partition: &str, first: u64, last: u64) {
        let holes = [first..=last];
        JournalHub::compact(self, hub, partition.parse().unwrap(), &holes).await.unwrap();
    }

    async fn make_anew(&self, hub: &str) {
        self.delete(hub).await.unwrap();
        self.make(hub, 4).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let journal = JournalHub::new(directory.path(), Clock::System);
    let hub = Hub { sender: &journal, reader: &journal, name: "conformance", group: "millrace" };
    a_new_partition_is_empty(&hub).await;
    suite(&hub).await;
    // Other processes hold the hub open, too.
    let elsewhere = JournalHub::new(directory.path(), Clock::System);
    suite_of_letting_go(&hub, &elsewhere).await;
}

/// What any hub does, whatever is in it already.
///
/// # Panics
/// Where the hub does not conform.
pub async fn suite(hub: &Hub<'_>) {
    a_hub_says_what_it_is(hub).await;
    an_event_is_read_as_it_was_sent(hub).await;
    a_read_begins_anywhere(hub).await;
    a_read_keeps_its_limits(hub).await;
    events_of_one_key_share_a_partition_and_keep_their_order(hub).await;
    events_without_a_key_are_spread(hub).await;
    senders_at_the_same_time_lose_nothing(hub).await;
    one_event_that_is_too_large_sends_none(hub).await;
    a_partition_that_is_not_there_is_refused(hub).await;
}

/// What an end does that can be told to let go.
///
/// # Panics
/// Where the hub does not conform.
pub async fn suite_of_letting_go(hub: &Hub<'_>, end: &dyn LetsGo) {
    numbers_that_are_gone_are_passed_over(hub, end).await;
    what_is_no_longer_retained_moves_the_beginning(hub, end).await;
    a_partition_of_which_all_is_gone_goes_on(hub, end).await;
    a_hub_that_is_made_anew_is_another(hub, end).await;
}

const WIDE: ReadLimit = ReadLimit { events: 10_000, bytes: 64 << 20 };

impl Hub<'_> {
    async fn read(&self, partition: &str, from: u64, limit: ReadLimit) -> Vec<HubEvent> {
        self.reader.read(self.name, self.group, partition, from, limit).await.unwrap()
    }

    async fn numbers(&self, partition: &str, from: u64) -> Vec<u64> {
        self.read(partition, from, WIDE).await.iter().map(|event| event.sequence_number).collect()
    }

    async fn next(&self, partition: &str) -> u64 {
        let bounds = self.reader.bounds(self.name, partition).await.unwrap();
        bounds.last_enqueued.map_or(bounds.begins, |last| last + 1)
    }

    async fn next_of_all(&self) -> BTreeMap<String, u64> {
        let mut next = BTreeMap::new();
        for partition in self.reader.properties(self.name).await.unwrap().partitions {
            let number = self.next(&partition).await;
            next.insert(partition, number);
        }
        next
    }

    /// Sends bodies that share a key. Returns their partition, and the number that the first of them has.
    async fn send_together(&self, bodies: &[impl AsRef<[u8]>]) -> (String, u64) {
        let before = self.next_of_all().await;
        let keyed = bodies.iter().map(|body| NewEvent {
            partition_key: Some("conformance".to_owned()),
            body: Bytes::copy_from_slice(body.as_ref()),
        });
        let sent = self.sender.send_many(self.name, keyed.collect()).await.unwrap();
        let (partition, count) = sent.into_iter().next().unwrap();
        assert_eq!(count, bodies.len() as u64, "all of one key are in one partition");
        let first = before[&partition];
        (partition, first)
    }
}

async fn a_new_partition_is_empty(hub: &Hub<'_>) {
    for partition in hub.reader.properties(hub.name).await.unwrap().partitions {
        let bounds = hub.reader.bounds(hub.name, &partition).await.unwrap();
        assert_eq!((bounds.begins, bounds.last_enqueued, bounds.last_enqueued_at), (0, None, None));
        assert_eq!(hub.read(&partition, 0, WIDE).await, []);
        assert_eq!(hub.read(&partition, 7, WIDE).await, []);
    }
}

async fn a_hub_says_what_it_is(hub: &Hub<'_>) {
    let properties = hub.reader.properties(hub.name).await.unwrap();
    assert!(!properties.namespace.is_empty());
    assert!(properties.created_on < Utc::now() + TimeDelta::minutes(5));
    let distinct: HashSet<&String> = properties.partitions.iter().collect();
    assert!(!distinct.is_empty() && distinct.len() == properties.partitions.len(), "{properties:?}");
    assert_eq!(hub.reader.properties(hub.name).await.unwrap(), properties, "it is the same until it is made anew");
}

async fn an_event_is_read_as_it_was_sent(hub: &Hub<'_>) {
    let bodies: [&[u8]; 3] = [b"{\"a\":1}", b"\x00\xff half a line", "é".as_bytes()];
    let before = Utc::now() - TimeDelta::minutes(5);
    let (partition, first) = hub.send_together(&bodies).await;
    let events = hub.read(&partition, first, WIDE).await;
    assert!(events.iter().map(|event| &event.body[..]).eq(bodies), "{events:?}");
    assert!(events.iter().map(|event| event.sequence_number).eq(first..first + 3));
    assert!(events.is_sorted_by_key(|event| event.enqueued_at) && events[0].enqueued_at > before);
    let bounds = hub.reader.bounds(hub.name, &partition).await.unwrap();
    assert_eq!(bounds.last_enqueued, Some(first + 2));
    assert_eq!(bounds.last_enqueued_at, Some(events[2].enqueued_at));
}

async fn a_read_begins_anywhere(hub: &Hub<'_>) {
    let (partition, first) = hub.send_together(&[b"0", b"1", b"2", b"3"]).await;
    assert_eq!(hub.numbers(&partition, first).await, [first, first + 1, first + 2, first + 3]);
    assert_eq!(hub.numbers(&partition, first + 2).await, [first + 2, first + 3]);
    assert_eq!(hub.numbers(&partition, first + 3).await, [first + 3]);
    assert_eq!(hub.read(&partition, first + 4, WIDE).await, []);
    assert_eq!(hub.read(&partition, first + 1_000_000, WIDE).await, []);
    let begins = hub.reader.bounds(hub.name, &partition).await.unwrap().begins;
    let from_the_start = hub.read(&partition, begins, ReadLimit { events: 1, ..WIDE }).await;
    assert!(from_the_start[0].sequence_number >= begins);
}

async fn a_read_keeps_its_limits(hub: &Hub<'_>) {
    let body = [b'x'; 100];
    let (partition, first) = hub.send_together(&[&body; 10]).await;
    let count = async |events, bytes| hub.read(&partition, first, ReadLimit { events, bytes }).await.len();
    assert_eq!(count(3, 1 << 20).await, 3);
    assert_eq!(count(100, 250).await, 2);
    assert_eq!(count(100, 300).await, 3);
    assert_eq!(count(100, 1).await, 1, "one event comes however large it is");
    assert_eq!(count(0, 1 << 20).await, 0);
}

async fn events_of_one_key_share_a_partition_and_keep_their_order(hub: &Hub<'_>) {
    let before = hub.next_of_all().await;
    let events = (0..200).map(|number| NewEvent {
        partition_key: Some(format!("key {}", number % 20)),
        body: Bytes::from(format!("{} {number}", number % 20)),
    });
    hub.sender.send_many(hub.name, events.collect()).await.unwrap();
    let mut partition_of_key: BTreeMap<String, &String> = BTreeMap::new();
    let mut last_of_key: BTreeMap<String, u64> = BTreeMap::new();
    for (partition, first) in &before {
        for event in hub.read(partition, *first, WIDE).await {
            let text = String::from_utf8(event.body.to_vec()).unwrap();
            let (key, number) = text.split_once(' ').unwrap();
            assert_eq!(*partition_of_key.entry(key.to_owned()).or_insert(partition), partition, "{text}");
            let number: u64 = number.parse().unwrap();
            assert!(last_of_key.insert(key.to_owned(), number).is_none_or(|earlier| earlier < number), "{text}");
        }
    }
    assert_eq!(last_of_key.len(), 20);
    assert_eq!(last_of_key.values().sum::<u64>(), (180..200).sum::<u64>());
}

async fn events_without_a_key_are_spread(hub: &Hub<'_>) {
    let before = hub.next_of_all().await;
    let events = (0..100).map(|number| NewEvent { partition_key: None, body: Bytes::from(number.to_string()) });
    let sent = hub.sender.send_many(hub.name, events.collect()).await.unwrap();
    assert_eq!(sent.values().sum::<u64>(), 100);
    assert!(sent.len() > 1 || before.len() == 1, "{sent:?}");
    let mut bodies = HashSet::new();
    for (partition, first) in &before {
        let events = hub.read(partition, *first, WIDE).await;
        assert_eq!(events.len() as u64, sent.get(partition).copied().unwrap_or(0), "partition {partition}");
        bodies.extend(events.into_iter().map(|event| event.body));
    }
    assert_eq!(bodies.len(), 100);
}

async fn senders_at_the_same_time_lose_nothing(hub: &Hub<'_>) {
    let before = hub.next_of_all().await;
    let senders = (0..40).map(|number| async move {
        let body = Bytes::from(format!("sender {number}"));
        hub.sender.send(hub.name, &format!("key {number}"), body).await.unwrap();
    });
    join_all(senders).await;
    let mut bodies = HashSet::new();
    let mut count = 0;
    for (partition, first) in &before {
        let events = hub.read(partition, *first, WIDE).await;
        assert!(events.iter().map(|event| event.sequence_number).eq(*first..first + events.len() as u64));
        count += events.len();
        bodies.extend(events.into_iter().map(|event| event.body));
    }
    assert_eq!((count, bodies.len()), (40, 40));
}

async fn one_event_that_is_too_large_sends_none(hub: &Hub<'_>) {
    let before = hub.next_of_all().await;
    let event = |size| NewEvent { partition_key: None, body: Bytes::from(vec![b'x'; size]) };
    let refused = hub.sender.send_many(hub.name, vec![event(1), event(32 << 20), event(1)]).await;
    let Err(HubError::TooLarge { size_bytes, limit_bytes, .. }) = refused else { panic!("{refused:?}") };
    assert!(size_bytes == 32 << 20 && limit_bytes < size_bytes);
    assert_eq!(hub.next_of_all().await, before);
}

async fn a_partition_that_is_not_there_is_refused(hub: &Hub<'_>) {
    for name in ["4711", "", "none", "00"] {
        let bounds = hub.reader.bounds(hub.name, name).await;
        assert!(matches!(bounds, Err(HubError::NoPartition { .. })), "{name}: {bounds:?}");
        let read = hub.reader.read(hub.name, hub.group, name, 0, WIDE).await;
        assert!(matches!(read, Err(HubError::NoPartition { .. })), "{name}: {read:?}");
    }
}

async fn numbers_that_are_gone_are_passed_over(hub: &Hub<'_>, end: &dyn LetsGo) {
    let (partition, first) = hub.send_together(&[b"x"; 10]).await;
    let begins = hub.reader.bounds(hub.name, &partition).await.unwrap().begins;
    end.compact(hub.name, &partition, first + 2, first + 4).await;
    end.compact(hub.name, &partition, first + 6, first + 6).await;
    end.compact(hub.name, &partition, first + 9, first + 9).await;
    let kept = [0, 1, 5, 7, 8].map(|number| first + number);
    assert_eq!(hub.numbers(&partition, first).await, kept);
    assert_eq!(hub.numbers(&partition, first + 3).await, kept[2..]);
    let behind = hub.reader.read(hub.name, hub.group, &partition, first + 9, WIDE).await;
    match end.last_numbers_that_are_gone() {
        LastNumbers::AreKnownToBeGone => assert_eq!(behind.unwrap(), []),
        LastNumbers::LookLate => assert!(matches!(behind, Err(HubError::Read { .. })), "{behind:?}"),
    }
    let two = hub.read(&partition, first + 1, ReadLimit { events: 2, ..WIDE }).await;
    assert!(two.iter().map(|event| event.sequence_number).eq([first + 1, first + 5]));
    let bounds = hub.reader.bounds(hub.name, &partition).await.unwrap();
    assert_eq!((bounds.begins, bounds.last_enqueued), (begins, Some(first + 9)), "a hole is no loss");
}

async fn what_is_no_longer_retained_moves_the_beginning(hub: &Hub<'_>, end: &dyn LetsGo) {
    let (partition, first) = hub.send_together(&[b"x"; 10]).await;
    end.forget_before(hub.name, &partition, first + 4).await;
    let bounds = hub.reader.bounds(hub.name, &partition).await.unwrap();
    assert_eq!((bounds.begins, bounds.last_enqueued), (first + 4, Some(first + 9)));
    assert!(hub.numbers(&partition, 0).await.into_iter().eq(first + 4..first + 10));
    end.forget_before(hub.name, &partition, first + 2).await;
    assert_eq!(hub.reader.bounds(hub.name, &partition).await.unwrap().begins, first + 4, "nothing comes again");
}

async fn a_partition_of_which_all_is_gone_goes_on(hub: &Hub<'_>, end: &dyn LetsGo) {
    let (partition, first) = hub.send_together(&[b"x"; 3]).await;
    end.forget_before(hub.name, &partition, first + 3).await;
    let bounds = hub.reader.bounds(hub.name, &partition).await.unwrap();
    assert_eq!((bounds.begins, bounds.last_enqueued), (first + 3, Some(first + 2)));
    assert_eq!(hub.read(&partition, 0, WIDE).await, []);
    let (_, next) = hub.send_together(&[b"next"]).await;
    assert_eq!(next, first + 3);
    assert_eq!(hub.numbers(&partition, 0).await, [first + 3]);
}

async fn a_hub_that_is_made_anew_is_another(hub: &Hub<'_>, end: &dyn LetsGo) {
    for _ in 0..3 {
        let before = hub.reader.properties(hub.name).await.unwrap();
        hub.send_together(&[b"old"; 5]).await;
        end.make_anew(hub.name).await;
        let after = hub.reader.properties(hub.name).await.unwrap();
        assert_eq!(after.namespace, before.namespace);
        assert!(after.created_on > before.created_on, "{after:?} {before:?}");
        a_new_partition_is_empty(hub).await;
        let (partition, first) = hub.send_together(&[b"new", b"new"]).await;
        assert_eq!(first, 0);
        let events = hub.read(&partition, 0, WIDE).await;
        assert!(events.iter().map(|event| &event.body[..]).eq([b"new", b"new"]), "{events:?}");
    }
}
