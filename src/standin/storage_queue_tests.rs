use super::*;

const HIDDEN: Duration = Duration::from_secs(600);

struct Bench {
    _folder: tempfile::TempDir,
    queues: StorageQueues,
    clock: Clock,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::set_to("2026-08-22T06:00:00Z".parse().unwrap());
    Bench { queues: StorageQueues::new(folder.path(), clock.clone()), clock, _folder: folder }
}

fn texts(messages: &[QueueMessage]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}

#[test]
fn messages_come_in_the_order_in_which_they_were_sent() {
    let bench = bench();
    let mut queue = bench.queues.open("files").unwrap();
    for text in ["a", "b", "c"] {
        queue.send(text).unwrap();
        bench.clock.advance(TimeDelta::microseconds(1));
    }
    assert_eq!(texts(&queue.receive(2, HIDDEN).unwrap()), ["a", "b"]);
    assert_eq!(texts(&queue.receive(2, HIDDEN).unwrap()), ["c"]);
    assert!(queue.receive(2, HIDDEN).unwrap().is_empty());
}

#[test]
fn a_message_that_is_not_deleted_comes_back_and_says_how_often_it_came() {
    let bench = bench();
    let mut queue = bench.queues.open("files").unwrap();
    queue.send("a").unwrap();
    let first = queue.receive(1, HIDDEN).unwrap().remove(0);
    assert_eq!(first.dequeue_count, 1);
    bench.clock.advance(TimeDelta::seconds(599));
    assert!(queue.receive(1, HIDDEN).unwrap().is_empty());
    bench.clock.advance(TimeDelta::seconds(1));
    let second = queue.receive(1, HIDDEN).unwrap().remove(0);
    assert_eq!((second.id, second.dequeue_count), (first.id, 2));
    assert!(!queue.delete(&first).unwrap(), "an old receipt deletes nothing");
    assert!(queue.delete(&second).unwrap());
    assert_eq!(queue.count().unwrap(), 0);
}

#[test]
fn a_released_message_is_in_sight_at_once_and_a_hidden_one_later() {
    let bench = bench();
    let mut queue = bench.queues.open("files").unwrap();
    queue.send("a").unwrap();
    let mut message = queue.receive(1, HIDDEN).unwrap().remove(0);
    assert!(queue.hide(&mut message, HIDDEN * 2).unwrap());
    bench.clock.advance(TimeDelta::seconds(900));
    assert!(queue.receive(1, HIDDEN).unwrap().is_empty());
    assert!(queue.hide(&mut message, Duration::ZERO).unwrap());
    assert_eq!(queue.receive(1, HIDDEN).unwrap()[0].dequeue_count, 2);
    assert!(!queue.hide(&mut message, HIDDEN).unwrap(), "it is somebody else's now");
}

#[test]
fn of_two_who_receive_at_once_one_gets_the_message() {
    let bench = bench();
    let (mut here, mut there) = (bench.queues.open("files").unwrap(), bench.queues.open("files").unwrap());
    for text in ["a", "b"] {
        here.send(text).unwrap();
        bench.clock.advance(TimeDelta::microseconds(1));
    }
    assert_eq!(texts(&here.receive(1, HIDDEN).unwrap()), ["a"]);
    assert_eq!(texts(&there.receive(2, HIDDEN).unwrap()), ["b"]);
    assert!(here.receive(2, HIDDEN).unwrap().is_empty(), "what was seen before is gone");
}

#[test]
fn a_message_is_gone_after_seven_days() {
    let bench = bench();
    let mut queue = bench.queues.open("files").unwrap();
    queue.send("a").unwrap();
    bench.clock.advance(TimeDelta::days(7));
    assert!(queue.receive(1, HIDDEN).unwrap().is_empty());
    assert_eq!(queue.count().unwrap(), 0);
}

#[test]
fn a_queue_name_is_checked() {
    let bench = bench();
    assert!(bench.queues.open("a-1").is_ok());
    for name in ["", "ab", "Files", "-ab", "ab-", "a--b", "a_b", "a/b", &"a".repeat(64)] {
        assert!(bench.queues.open(name).is_err(), "{name}");
    }
}
