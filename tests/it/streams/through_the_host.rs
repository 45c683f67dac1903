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
