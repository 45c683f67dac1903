//! `millrace send`: what arrives in the hub, what is said of it, and what a stream makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Stdio;

use millrace::clock::Clock;
use millrace::stations::hub::journal::JournalHub;
use serde_json::{Value, json};

use crate::dev::gzipped;
use crate::flights::{assert_same_summaries, examples};
use crate::support::{Place, millrace, text};

const HUB: &str = "events";

fn place() -> Place {
    let place = Place::new();
    fs::create_dir_all(place.workspace()).unwrap();
    place
}

/// Every event of the hub, by partition.
async fn events_in(place: &Place) -> Vec<Vec<String>> {
    let hub = JournalHub::new(place.workspace().join("hub"), Clock::System);
    let mut partitions = Vec::new();
    for partition in 0..hub.partition_count(HUB).await.unwrap() {
        let events = hub.read(HUB, partition, 0, usize::MAX, usize::MAX).await.unwrap();
        partitions.push(events.iter().map(|event| text(&event.body)).collect());
    }
    partitions
}

fn send(place: &Place, file: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let file = place.path().join(file);
    let output = place.command(&[&["send", HUB, file.to_str().unwrap()], more].concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn each_row_is_an_event_and_stays_as_it_is() {
    let place = place();
    let rows = ["{\"a\": 1}", "{\"a\":2", "no JSON at all", " {\"a\":\"é\"} "];
    fs::write(place.path().join("rows.ndjson"), rows.join("\r\n\n")).unwrap();
    let (code, said, complaint) = send(&place, "rows.ndjson", &[]);
    let partitions: String = (0..4).map(|partition| format!("  partition {partition}: 1\n")).collect();
    assert_eq!(
        (code, said.as_str(), complaint.as_str()),
        (Some(0), &*format!("4 events sent to hub `events`\n{partitions}"), "")
    );
    let mut arrived = events_in(&place).await.concat();
    arrived.sort();
    let mut expected = rows.to_vec();
    expected.sort_unstable();
    assert_eq!(arrived, expected);
}

#[tokio::test]
async fn rows_of_one_key_go_to_one_partition_in_their_order() {
    let place = place();
    let rows: Vec<String> = (0..1000).map(|n| format!("{{\"n\":{n},\"device\":\"d{}\"}}", n % 50)).collect();
    fs::write(place.path().join("rows.ndjson.gz"), gzipped(&(rows.join("\n") + "\n{\"n\":1000}\n"))).unwrap();
    let (code, said, _) = send(&place, "rows.ndjson.gz", &["--key", "device"]);
    assert_eq!(code, Some(0));
    assert!(said.starts_with("1,001 events sent to hub `events`\n  partition 0: "), "{said}");
    assert!(said.ends_with("1 row has no `device`, and went to all partitions in turn\n"), "{said}");
    let mut last: BTreeMap<String, (usize, i64)> = BTreeMap::new();
    for (partition, events) in events_in(&place).await.into_iter().enumerate() {
        assert!(said.contains(&format!("  partition {partition}: {}\n", events.len())), "{said}");
        for event in events {
            let event: Value = serde_json::from_str(&event).unwrap();
            let (device, number) = (event["device"].to_string(), event["n"].as_i64().unwrap());
            let earlier = last.insert(device, (partition, number));
            assert!(earlier.is_none_or(|(same, earlier)| same == partition && earlier < number), "{event}");
        }
    }
    assert_eq!(last.len(), 51);
}

#[tokio::test]
async fn stdin_is_read_to_its_end_compressed_or_not() {
    let place = place();
    for bytes in [gzipped("{\"a\":1}\n{\"a\":2}\n"), b"{\"a\":3}".to_vec()] {
        let mut command = millrace();
        command.args(["send", HUB, "-", "--workspace"]).arg(place.workspace()).current_dir(env!("CARGO_MANIFEST_DIR"));
        let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        running.stdin.take().unwrap().write_all(&bytes).unwrap();
        assert!(running.wait_with_output().unwrap().status.success());
    }
    let mut arrived = events_in(&place).await.concat();
    arrived.sort();
    assert_eq!(arrived, ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"]);
}

#[tokio::test]
async fn a_row_that_no_hub_takes_is_named_and_what_stands_before_it_is_sent() {
    for (length, said) in [
        (
            2 << 20,
            "millrace: line 5: 2,097,152 bytes are more than the 1,048,576 that hub `events` takes; 3 events were sent before it\n",
        ),
        (30 << 20, "millrace: after line 4; 3 events were sent before it: "),
    ] {
        let place = place();
        fs::write(place.path().join("rows.ndjson"), format!("1\n2\n\n3\n{}\n4\n", "x".repeat(length))).unwrap();
        let (code, _, complaint) = send(&place, "rows.ndjson", &[]);
        assert_eq!(code, Some(1));
        assert!(complaint.starts_with(said), "{complaint}");
        assert_eq!(events_in(&place).await.concat().len(), 3);
    }
}

#[test]
fn what_cannot_be_sent_is_said_in_words() {
    let place = place();
    fs::write(place.path().join("rows.ndjson"), "{}\n").unwrap();
    fs::write(place.path().join("rows.ndjson.gz"), "{}\n").unwrap();
    let long = format!("{{\"a\":\"{}\"}}\n", "k".repeat(129));
    fs::write(place.path().join("long.ndjson"), long).unwrap();
    let complaint = |arguments: &[&str]| {
        let output = place.command(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        text(&output.stderr)
    };
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let own = complaint(&["send", "files", &path("rows.ndjson")]);
    assert_eq!(own, "millrace: hub `files` is millrace's own: name the hub of a [feed.stream]\n");
    let missing = complaint(&["send", HUB, &path("none.ndjson")]);
    assert!(missing.contains("none.ndjson cannot be read: No such file"), "{missing}");
    let plain = complaint(&["send", HUB, &path("rows.ndjson.gz")]);
    assert!(plain.contains("after line 0; nothing was sent before it: "), "{plain}");
    let key = complaint(&["send", HUB, &path("long.ndjson"), "--key", "a"]);
    let said = "millrace: line 1: its key has 129 characters, more than the 128 that Event Hubs takes; nothing was sent before it\n";
    assert_eq!(key, said);
    let other = place.command(&["send", "evnets", &path("rows.ndjson")]);
    assert!(other.status.success());
    assert!(
        text(&other.stderr).contains("note: no feed of ./pipeline.toml streams hub `evnets`"),
        "{}",
        text(&other.stderr)
    );
}

/// The examples' events count alike, whichever way they come.
#[test]
fn the_examples_events_count_as_a_stream_what_they_count_as_files() {
    let place = place();
    let mut days: BTreeMap<(String, String), u64> = BTreeMap::new();
    for file in ["2026-11-01.ndjson", "2026-11-02.ndjson", "2026-11-03.ndjson.gz"] {
        let path = examples().join("events").join(file);
        let output = place.command(&["send", HUB, path.to_str().unwrap(), "--key", "eventType"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        for line in crate::events::text_of(file).lines() {
            if let Some(day_and_type) = crate::events::event(line) {
                *days.entry(day_and_type).or_default() += 1;
            }
        }
    }
    let truth: Vec<Value> = days
        .into_iter()
        .map(|((day, kind), count)| json!({"event_date": day, "eventType": kind, "event_count": count}))
        .collect();
    let output = place.once();
    assert_same_summaries(&output["summaries"], &json!({ "event_summary": truth }));
}
