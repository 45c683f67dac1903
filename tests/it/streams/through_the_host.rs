//! Events on their whole way: `millrace send`, the journal, the host's batches, the handler, the table.

use std::fs;

use serde_json::{Value, json};

use crate::events::{FILES, all_lines, truth};
use crate::flights::{assert_same_summaries, examples};
use crate::support::{Place, text};

/// Sends the example's files to the hub of a workspace in which `dev` has run.
fn place_with_events() -> Place {
    let place = Place::new();
    place.once();
    for file in FILES {
        let path = examples().join("events").join(file);
        let sent = place.command(&["send", "events", path.to_str().unwrap()]);
        assert!(sent.status.success(), "{}", text(&sent.stderr));
    }
    place
}

#[test]
fn the_same_events_by_file_and_as_a_stream_give_the_same_summary() {
    let by_file = Place::new();
    fs::create_dir_all(by_file.inbox().join("events")).unwrap();
    for file in FILES {
        by_file.put(&format!("events/{file}"), fs::read(examples().join("events").join(file)).unwrap());
    }
    let (events, bad, summary) = truth(all_lines());
    let (files, stream) = (by_file.once(), place_with_events());
    let streamed = stream.once();
    assert_eq!(files["summaries"], streamed["summaries"]);
    assert_same_summaries(&streamed["summaries"], &summary);
    assert_eq!(streamed["rows"], json!({"read": events, "rejected": bad}));
    assert_eq!(streamed["files"]["pulled"], 0);

    let again = stream.once();
    assert_eq!(again["rows"], json!({"read": 0, "rejected": 0}));
    assert_eq!(again["summaries"], streamed["summaries"]);
}

#[test]
fn a_kill_of_the_handler_while_it_counts_events_ends_with_the_right_summary() {
    for point in ["stream.counted", "stream.committed"] {
        let place = place_with_events();
        let marker = place.path().join("struck");
        let plan = format!("{point}={}", marker.display());
        let output = place.dev().args(["--once", "--json"]).env("MILLRACE_FAULT_POINT", plan).output().unwrap();
        assert!(marker.exists(), "{point} was never reached: {}", text(&output.stderr));
        assert!(output.status.success(), "{point}: {}", text(&output.stderr));
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_same_summaries(&printed["summaries"], &truth(all_lines()).2);
    }
}

#[test]
fn bad_events_come_back_as_a_file_once_the_contract_is_mended() {
    let place = place_with_events();
    place.once();
    let told = place.command(&["replay", "events", "--quarantine"]);
    let told = text(&told.stdout);
    assert!(
        told.contains("bad still") && told.contains("0 events of 0 files landed; 6 events stay in quarantine"),
        "{told}"
    );
}

#[test]
fn dev_begins_with_what_comes_after_its_first_start_where_a_stream_says_latest() {
    let place = Place::new();
    fs::create_dir_all(place.inbox().join("events")).unwrap();
    fs::create_dir_all(place.workspace()).unwrap();
    let pipeline = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/pipeline.toml")).unwrap();
    let latest = pipeline.replace("start = \"earliest\"", "start = \"latest\"");
    assert_ne!(latest, pipeline);
    let file = place.path().join("latest.toml");
    fs::write(&file, latest).unwrap();
    let send = |lines: &[String]| {
        let rows = place.path().join("rows.ndjson");
        fs::write(&rows, lines.join("\n")).unwrap();
        let sent = place.command(&["send", "events", rows.to_str().unwrap()]);
        assert!(sent.status.success(), "{}", text(&sent.stderr));
    };
    let counted = || {
        let output = place.dev().args(["--once", "--json", "--pipeline"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["summaries"].clone()
    };
    let lines = all_lines();
    let (before, after) = lines.split_at(100);
    send(before);
    assert_eq!(counted()["event_summary"], json!([]));
    send(&after[..100]);
    let (_, _, expected) = truth(after[..100].to_vec());
    assert_same_summaries(&counted(), &expected);
}
