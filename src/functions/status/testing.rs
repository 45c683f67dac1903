//! Reports as they may be, for the tests of what is made of them.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    CountedFiles, FeedStatus, FileCounts, GenerationStatus, LetterOnPage, SourceStatus, StatusReport, StreamGap,
    StreamStatus, WaitingFile,
};
use crate::names::{BlobName, ETag, FeedName, SourceName};
use crate::records::dead_letters::DeadLetter;
use crate::records::sources::SourceFailure;

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn before(minutes: i64) -> DateTime<Utc> {
    now() - TimeDelta::minutes(minutes)
}

fn letter(blob: &str, reason: &str) -> LetterOnPage {
    let letter = DeadLetter {
        blob: BlobName::new(blob).unwrap(),
        etag: ETag::new("0x1").unwrap(),
        stage: "load".to_owned(),
        reason: reason.to_owned(),
        remedy: "correct the file, or the contract; then retry the dead letter".to_owned(),
        row: Some(7),
        quarantine: None,
        tries: 1,
        first_at: before(600),
        last_at: before(300),
    };
    LetterOnPage { id: letter.id(), letter }
}

pub fn empty_report() -> StatusReport {
    StatusReport {
        at: now(),
        feeds: vec![feed("flights", Vec::new())],
        streams: Vec::new(),
        dead_letter_count: 0,
        dead_letters: Vec::new(),
    }
}

fn feed(name: &str, sources: Vec<SourceStatus>) -> FeedStatus {
    FeedStatus {
        feed: FeedName::new(name).unwrap(),
        files: FileCounts::default(),
        last_landed: None,
        loading: 0,
        counted: CountedFiles::default(),
        quarantine_files: 0,
        quarantine_bytes: 0,
        dead_letters: 0,
        new_columns: Vec::new(),
        sources,
    }
}

fn source(name: Option<&str>) -> SourceStatus {
    SourceStatus {
        source: name.map(|name| SourceName::new(name).unwrap()),
        files: FileCounts::default(),
        oldest_at_source: None,
        last_looked_at: None,
        failing: false,
        last_failure: None,
        files_failed: 0,
        file_failure: None,
    }
}

/// One of everything.
pub fn report() -> StatusReport {
    let acme = SourceStatus {
        files: FileCounts {
            at_source: 3,
            staged: 1,
            staged_bytes: 4 << 20,
            landed: 1_200,
            landed_bytes: 3 << 30,
            loaded: 1_197,
            dead: 1,
            waiting: 2,
            ..FileCounts::default()
        },
        oldest_at_source: Some(before(9)),
        last_looked_at: Some(before(1)),
        last_failure: Some(SourceFailure {
            since: before(3_000),
            at: before(2_900),
            message: "connecting to sftp.example.com:22 failed: timed out".to_owned(),
        }),
        files_failed: 1,
        file_failure: Some("`a#1` cannot be landed".to_owned()),
        ..source(Some("acme"))
    };
    let beta = SourceStatus {
        failing: true,
        last_failure: Some(SourceFailure {
            since: before(240),
            at: before(2),
            message: "setting BETA_KEY is not set".to_owned(),
        }),
        ..source(Some("beta"))
    };
    let generation =
        |generation, files, rows_read, rows_rejected| GenerationStatus { generation, files, rows_read, rows_rejected };
    let flights = FeedStatus {
        files: FileCounts {
            landed: 1_201,
            retracted: 1,
            oldest_waiting: Some(WaitingFile {
                blob: BlobName::new("flights/acme/2013-01.csv").unwrap(),
                landed_at: before(75),
            }),
            ..acme.files.clone()
        },
        last_landed: Some(before(4)),
        loading: 1,
        counted: CountedFiles {
            rows_read: 12_345_678,
            rows_rejected: 42,
            generations: vec![generation(1, 197, 2_345_678, 40), generation(2, 1_000, 10_000_000, 2)],
            as_of: Some(before(3)),
            not_added_up: 1,
        },
        quarantine_files: 2,
        quarantine_bytes: 5_432,
        dead_letters: 1,
        new_columns: vec!["gate".to_owned(), "tail number".to_owned()],
        ..feed("flights", vec![acme, beta])
    };
    let events = feed("events", vec![source(None)]);
    let stream = StreamStatus {
        feed: FeedName::new("events").unwrap(),
        hub: "events".to_owned(),
        partition: "0".to_owned(),
        applied: Some(41_000),
        last_enqueued: Some(41_250),
        lag: Some(250),
        rows_rejected: 3,
        gaps: vec![StreamGap { first: 100, last: 199, reason: "no longer retained".to_owned() }],
        last_applied_at: Some(before(0)),
        notes: vec!["summary `event_days` counts since event 2,000".to_owned()],
    };
    let unknown = StreamStatus {
        partition: "1".to_owned(),
        applied: None,
        last_enqueued: None,
        lag: None,
        rows_rejected: 0,
        gaps: Vec::new(),
        last_applied_at: None,
        notes: Vec::new(),
        ..stream.clone()
    };
    StatusReport {
        at: now(),
        feeds: vec![flights, events],
        streams: vec![stream, unknown],
        dead_letter_count: 3,
        dead_letters: vec![letter("flights/acme/bad.csv", "row 7: column `dep_delay`: `abc` is not a float64")],
    }
}

/// The same where partners chose their words to do harm.
pub fn hostile_report() -> StatusReport {
    let script = "<script>alert(1)</script>";
    let image = "\"><img src=x onerror=x>'\u{1b}[2J\" onmouseover=\"x";
    let mut report = report();
    for feed in &mut report.feeds {
        feed.new_columns = vec![script.to_owned(), image.to_owned()];
        feed.files.oldest_waiting =
            Some(WaitingFile { blob: BlobName::new(format!("flights/{image}")).unwrap(), landed_at: before(1) });
        for source in &mut feed.sources {
            source.failing = true;
            source.last_failure = Some(SourceFailure { since: before(2), at: before(1), message: script.to_owned() });
            (source.files_failed, source.file_failure) = (1, Some(image.to_owned()));
        }
    }
    for stream in &mut report.streams {
        (stream.hub, stream.partition) = (script.to_owned(), image.to_owned());
        stream.gaps.push(StreamGap { first: 1, last: 2, reason: image.to_owned() });
        stream.notes.push(script.to_owned());
    }
    report.dead_letters = vec![letter(&format!("flights/{image}"), script)];
    report.dead_letters[0].id = image.to_owned();
    report
}

/// Compares what was made of a report with what is kept beside this file. With MILLRACE_BLESS=1 it is kept instead: read the
/// difference over.
pub fn as_kept(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/functions/status/testing").join(name);
    if std::env::var_os("MILLRACE_BLESS").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(made, kept, "run with MILLRACE_BLESS=1 and read the difference over\n{made}");
}
