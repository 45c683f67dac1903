//! The example's events: counted by a plain loop that shares no code with the program, and by the program.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use chrono::DateTime;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::flights::{assert_same_summaries, examples};
use crate::support::Place;

pub const FILES: [&str; 3] = ["2026-11-01.ndjson", "2026-11-02.ndjson", "2026-11-03.ndjson.gz"];

pub fn text_of(file: &str) -> String {
    let bytes = fs::read(examples().join("events").join(file)).unwrap();
    if !file.ends_with(".gz") {
        return String::from_utf8(bytes).unwrap();
    }
    let mut text = String::new();
    GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    text
}

/// Day and type of a line, if it is an event.
pub fn event(line: &str) -> Option<(String, String)> {
    let event: Value = serde_json::from_str(line).ok()?;
    let time = DateTime::parse_from_rfc3339(event["eventTime"].as_str()?).ok()?;
    Some((time.to_utc().date_naive().to_string(), event["eventType"].as_str()?.to_owned()))
}

/// What lines come to: how many there are, how many of them are no events, and the summary table.
pub fn truth(lines: impl IntoIterator<Item = String>) -> (u64, u64, Value) {
    let (mut rows, mut bad, mut days) = (0, 0, BTreeMap::new());
    for line in lines {
        rows += 1;
        match event(&line) {
            Some(day_and_type) => *days.entry(day_and_type).or_insert(0) += 1,
            None => bad += 1,
        }
    }
    let table: Vec<Value> = days
        .into_iter()
        .map(|((day, kind), count)| json!({"event_date": day, "eventType": kind, "event_count": count}))
        .collect();
    (rows, bad, json!({ "event_summary": table }))
}

/// The lines of all example files.
pub fn all_lines() -> Vec<String> {
    FILES.iter().flat_map(|file| text_of(file).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn the_examples_events_count_exactly_late_and_bad_ones_too() {
    let place = Place::new();
    fs::create_dir_all(place.inbox().join("events")).unwrap();
    for file in FILES {
        place.put(&format!("events/{file}"), fs::read(examples().join("events").join(file)).unwrap());
    }
    let (rows, bad, summary) = truth(all_lines());
    assert_eq!(bad, 6, "the examples hold a handful of bad rows");

    let output = place.once();
    assert_eq!(output["files"], json!({"pulled": 3, "loaded": 3, "unchanged": 0, "dead_lettered": 0}));
    assert_eq!(output["rows"], json!({"read": rows, "rejected": bad}));
    assert_same_summaries(&output["summaries"], &summary);
}
