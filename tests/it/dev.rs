//! `millrace dev`: real files from the embedded SFTP server to the summaries, through the real protocol.

use std::fs;

use serde_json::{Value, json};

use crate::flights::{self, FILES, all_texts, assert_same_summaries, row_count, text_of, truth};
use crate::support::{Place, text};

fn place_with_flights() -> Place {
    let place = Place::new();
    for file in FILES {
        let name = format!("flights/{file}.gz");
        place.put(&name, fs::read(flights::examples().join(&name)).unwrap());
    }
    place
}

#[test]
fn three_months_of_flights_count_exactly() {
    let place = place_with_flights();
    let output = place.once();
    assert_eq!(output["files"], json!({"pulled": 3, "loaded": 3, "unchanged": 0, "dead_lettered": 0}));
    assert_eq!(output["rows"], json!({"read": row_count(&all_texts()), "rejected": 0}));
    assert!(output["seconds"].as_f64().unwrap() > 0.0);
    assert_same_summaries(&output["summaries"], &truth(&all_texts()));

    let again = place.once();
    assert_eq!(again["files"], json!({"pulled": 0, "loaded": 0, "unchanged": 3, "dead_lettered": 0}));
    assert_eq!(again["summaries"], output["summaries"], "a second run changes nothing");
}

#[test]
fn a_corrected_file_replaces_exactly_its_own_counts() {
    let place = place_with_flights();
    place.once();
    let mut texts = all_texts();
    let february = text_of(FILES[1]);
    let corrected: Vec<&str> = february.lines().take(1).chain(february.lines().skip(500)).collect();
    texts[1] = corrected.join("\n") + "\n";
    place.put("flights/2013-02.csv.gz", gzipped(&texts[1]));

    let output = place.once();
    assert_eq!(output["files"], json!({"pulled": 1, "loaded": 1, "unchanged": 2, "dead_lettered": 0}));
    assert_same_summaries(&output["summaries"], &truth(&texts));
}

#[test]
fn a_file_above_the_ratio_is_a_dead_letter_and_its_retry_counts_it() {
    let place = place_with_flights();
    let mut lines: Vec<String> = text_of(FILES[0]).lines().take(101).map(str::to_owned).collect();
    lines[7] = lines[7].replacen("2013,", "20x13,", 1).replace(",UA,", ",,");
    lines[7] = "2013,1,1,1,1,soon,1,1,1,UA,1,N1,EWR,IAH,1,1,1,1,2013-01-01T10:00:00Z".to_owned();
    place.put("flights/bad.csv", lines.join("\n"));

    let failed = place.dev().args(["--once", "--json"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1), "dead letters fail the run");
    let printed: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(printed["files"]["dead_lettered"], 1);
    assert_same_summaries(&printed["summaries"], &truth(&all_texts()));

    let letters = text(&place.command(&["dead-letters"]).stdout);
    assert!(letters.contains("flights/bad.csv"), "{letters}");
    assert!(
        letters.contains("1 of 100 rows are bad, more than max_reject_ratio = 0.001 allows; the first is row 7: column `dep_delay`: `soon` is not a float64"),
        "{letters}"
    );
    let quarantine = walk(&place.workspace().join("storage/quarantine"));
    let row: Value = serde_json::from_str(fs::read_to_string(&quarantine[0]).unwrap().trim()).unwrap();
    assert_eq!((&row["row"], &row["raw"]), (&json!(7), &json!(lines[7])));

    // The cause is mended: the rule of the game allows more bad rows, and the letter gets another try.
    let pipeline = place.path().join("pipeline.toml");
    let declared = fs::read_to_string("pipeline.toml").unwrap();
    fs::write(&pipeline, declared.replace("max_reject_ratio = 0.001", "max_reject_ratio = 0.5")).unwrap();
    let id = letters.split_whitespace().next().unwrap().to_owned();
    let retried = place.command(&["dead-letters", "retry", &id]);
    assert!(retried.status.success(), "{}", text(&retried.stderr));
    let output = place.dev().args(["--once", "--json", "--pipeline"]).arg(&pipeline).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    lines.remove(7);
    let mut texts = all_texts();
    texts.push(lines.join("\n"));
    assert_same_summaries(&printed["summaries"], &truth(&texts));
}

pub fn gzipped(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
