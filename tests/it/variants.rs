//! The same files by other ways: announced by queue, and shared by two instances.

use std::fs;

use serde_json::json;

use crate::flights::{self, FILES, all_texts, assert_same_summaries, truth};
use crate::support::{Place, text};

fn place_with_flights() -> Place {
    let place = Place::new();
    for file in FILES {
        let name = format!("flights/{file}.gz");
        place.put(&name, fs::read(flights::examples().join(&name)).unwrap());
    }
    place
}

#[track_caller]
fn once(place: &Place, arguments: &[&str]) -> serde_json::Value {
    let output = place.dev().args(["--once", "--json"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn files_announced_by_queue_count_exactly() {
    let place = place_with_flights();
    let output = once(&place, &["--announce", "queue"]);
    assert_eq!(output["files"], json!({"pulled": 3, "loaded": 3, "unchanged": 0, "dead_lettered": 0}));
    assert_same_summaries(&output["summaries"], &truth(&all_texts()));
    let queue = place.workspace().join("storage/queues/landed");
    assert_eq!(fs::read_dir(queue).unwrap().count(), 0, "every message was handled");

    // A file that comes later is an event of its own; the others are not announced again.
    place.put("flights/again.csv.gz", fs::read(flights::examples().join(format!("flights/{}.gz", FILES[0]))).unwrap());
    let output = once(&place, &["--announce", "queue"]);
    assert_eq!(output["files"], json!({"pulled": 1, "loaded": 1, "unchanged": 3, "dead_lettered": 0}));
}

#[test]
fn a_message_that_kills_the_handler_comes_again() {
    for point in ["announce.found", "announce.sent"] {
        let place = place_with_flights();
        let marker = place.path().join("struck");
        let mut command = place.dev();
        command.args(["--once", "--json", "--announce", "queue"]);
        command.env("MILLRACE_FAULT_POINT", format!("{point}={}", marker.display()));
        let output = command.output().unwrap();
        assert!(marker.exists(), "{point} was never reached: {}", text(&output.stderr));
        assert!(output.status.success(), "{point}: {}", text(&output.stderr));
        let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_same_summaries(&printed["summaries"], &truth(&all_texts()));
    }
}

#[test]
fn two_instances_count_exactly() {
    let place = place_with_flights();
    let output = once(&place, &["--instances", "2"]);
    assert_eq!(output["files"], json!({"pulled": 3, "loaded": 3, "unchanged": 0, "dead_lettered": 0}));
    assert_same_summaries(&output["summaries"], &truth(&all_texts()));
}
