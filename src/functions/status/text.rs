//! The status page for a terminal.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::{FeedStatus, FileCounts, LetterOnPage, SourceStatus, StatusReport, StreamStatus};
use crate::words::{ago, counted, moment, number, shown, size};

impl StatusReport {
    pub fn to_text(&self) -> String {
        let mut text = format!("millrace at {}\n\n", moment(self.at));
        write_files(self, &mut text);
        for feed in &self.feeds {
            write_notes(&mut text, feed.feed.as_str(), &notes(feed, self.at));
        }
        write_streams(self, &mut text);
        write_letters(self, &mut text);
        text
    }
}

fn write_files(report: &StatusReport, text: &mut String) {
    let heads = ["at source", "staged", "landed", "loaded", "waiting", "dead", "retracted"];
    let _ = write!(text, "{:<24}", "feed");
    for head in heads {
        let _ = write!(text, " {head:>9}");
    }
    let _ = writeln!(text, "  last landed");
    for feed in &report.feeds {
        let last = feed.last_landed.map_or_else(|| "never".to_owned(), |last| at(last, report.at));
        write_counts(text, feed.feed.as_str(), &feed.files, &last);
        for source in feed.sources.iter().filter(|source| source.source.is_some()) {
            let last = source
                .last_looked_at
                .map_or_else(|| "never looked at".to_owned(), |last| format!("looked at {}", at(last, report.at)));
            write_counts(text, &format!("  {}", source.shown_name()), &source.files, &last);
        }
    }
}

fn write_streams(report: &StatusReport, text: &mut String) {
    if report.streams.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:<24} {:<9} {:>12} {:>12} {:>9} {:>9}  last applied",
        "stream", "partition", "applied", "enqueued", "lag", "rejected"
    );
    for stream in &report.streams {
        let last = stream.last_applied_at.map_or_else(|| "never".to_owned(), |last| at(last, report.at));
        let _ = writeln!(
            text,
            "{:<24} {:<9} {:>12} {:>12} {:>9} {:>9}  {last}",
            format!("{} from {}", stream.feed, shown(&stream.hub)),
            shown(&stream.partition),
            maybe(stream.applied),
            maybe(stream.last_enqueued),
            maybe(stream.lag),
            number(stream.rows_rejected),
        );
    }
    for stream in &report.streams {
        let place = format!("{}, partition {}", stream.feed, shown(&stream.partition));
        write_notes(text, &place, &stream_notes(stream));
    }
}

fn write_letters(report: &StatusReport, text: &mut String) {
    if report.dead_letter_count == 0 {
        return;
    }
    let _ = writeln!(text, "\n{}:", counted(report.dead_letter_count as u64, "dead letter", "dead letters"));
    for LetterOnPage { id, letter } in &report.dead_letters {
        let blob = shown(letter.blob.as_str());
        let _ = writeln!(text, "  {id}  {blob}\n    {}\n    {}", shown(&letter.reason), shown(&letter.remedy));
    }
    if let Some(more) = report.dead_letter_count.checked_sub(report.dead_letters.len()).filter(|more| *more > 0) {
        let _ = writeln!(text, "  … and {} more: `millrace dead-letters`", number(more as u64));
    }
}

fn write_notes(text: &mut String, place: &str, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{place}");
    for note in notes {
        let _ = writeln!(text, "  {note}");
    }
}

fn write_counts(text: &mut String, name: &str, files: &FileCounts, last: &str) {
    let counts =
        [files.at_source, files.staged, files.landed, files.loaded, files.waiting, files.dead, files.retracted];
    let _ = write!(text, "{name:<24}");
    for count in counts {
        let _ = write!(text, " {:>9}", number(count as u64));
    }
    let _ = writeln!(text, "  {last}");
}

/// What is to be said of a feed beside its counts, a line each; the page says it too.
pub(super) fn notes(feed: &FeedStatus, now: DateTime<Utc>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(oldest) = &feed.files.oldest_waiting {
        notes.push(format!(
            "{} waits longest to be loaded, since {}",
            shown(oldest.blob.as_str()),
            at(oldest.landed_at, now)
        ));
    }
    if feed.loading > 0 {
        let loads = counted(feed.loading as u64, "load is", "loads are");
        notes.push(format!("{loads} under way, or broken off"));
    }
    notes.extend(rows(feed, now));
    if feed.counted.generations.len() > 1 {
        let by = |of: &super::GenerationStatus| {
            format!("{} by generation {}", counted(of.files as u64, "file", "files"), of.generation)
        };
        let generations: Vec<String> = feed.counted.generations.iter().map(by).collect();
        notes.push(format!(
            "counted are {}; `millrace replay {}` counts the older ones anew",
            generations.join(", "),
            feed.feed
        ));
    }
    if feed.files.retracted > 0 {
        let files = counted(feed.files.retracted as u64, "file is", "files are");
        notes.push(format!("{files} retracted; `millrace replay {} --blob NAME` counts one again", feed.feed));
    }
    if !feed.new_columns.is_empty() {
        notes.push(format!("not in the contract: {}", shown(&feed.new_columns.join(", "))));
    }
    notes.extend(feed.sources.iter().flat_map(|source| source_notes(source, now)));
    notes
}

fn rows(feed: &FeedStatus, now: DateTime<Utc>) -> Option<String> {
    let of = &feed.counted;
    if of.generations.is_empty() && of.not_added_up == 0 {
        return None;
    }
    let rows = |count: i64| counted(u64::try_from(count).unwrap_or(0), "row", "rows");
    let mut said = format!("{} counted, {} rejected", rows(of.rows_read - of.rows_rejected), rows(of.rows_rejected));
    if feed.quarantine_files > 0 {
        let files = counted(feed.quarantine_files as u64, "file", "files");
        let _ = write!(said, " ({files} in quarantine, {})", size(feed.quarantine_bytes));
    }
    if let Some(as_of) = of.as_of {
        let _ = write!(said, ", as of {}", at(as_of, now));
    }
    if of.not_added_up > 0 {
        let files = counted(of.not_added_up as u64, "file", "files");
        let _ = write!(said, "; the sweep has yet to add up {files}");
    }
    Some(said)
}

fn source_notes(source: &SourceStatus, now: DateTime<Utc>) -> Vec<String> {
    let place = match &source.source {
        Some(name) => format!("source {name}"),
        None => "its source".to_owned(),
    };
    let mut notes = Vec::new();
    match (&source.last_failure, source.last_looked_at) {
        (Some(failure), _) if source.failing => {
            notes.push(format!("{place} fails since {}: {}", at(failure.since, now), shown(&failure.message)));
        }
        (Some(failure), Some(looked_at)) => notes.push(format!(
            "{place} was looked at {}; it failed last {}: {}",
            at(looked_at, now),
            at(failure.at, now),
            shown(&failure.message)
        )),
        (_, Some(looked_at)) => notes.push(format!("{place} was looked at {}", at(looked_at, now))),
        (_, None) => notes.push(format!("{place} was never looked at")),
    }
    if let Some(since) = source.oldest_at_source {
        let files = counted(source.files.at_source as u64, "file waits", "files wait");
        notes.push(format!("{files} at {place}, the oldest since {}", at(since, now)));
    }
    if source.files.staged > 0 {
        let files = counted(source.files.staged as u64, "file", "files");
        notes.push(format!("{files} of {place} on the way: {} staged", size(source.files.staged_bytes)));
    }
    if source.files_failed > 0 {
        let files = counted(source.files_failed as u64, "file", "files");
        let first = source.file_failure.as_deref().unwrap_or("the log says why");
        notes.push(format!("{files} of {place} could not be brought further; the first: {}", shown(first)));
    }
    notes
}

/// What is to be said of a stream beside its numbers, a line each; the page says it too.
pub(super) fn stream_notes(stream: &StreamStatus) -> Vec<String> {
    let gap = |gap: &super::StreamGap| {
        format!("events {} to {} are lost: {}", number(gap.first), number(gap.last), shown(&gap.reason))
    };
    stream.gaps.iter().map(gap).chain(stream.notes.iter().map(|note| shown(note))).collect()
}

pub(super) fn maybe(value: Option<u64>) -> String {
    value.map_or_else(|| "?".to_owned(), number)
}

/// `2026-01-31T08:00:00Z (4 min ago)`
fn at(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ({})", moment(time), ago(time, now))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{as_kept, empty_report, report};

    #[test]
    fn everything_stands_in_the_text() {
        as_kept("status.txt", &report().to_text());
    }

    #[test]
    fn an_empty_app_has_a_short_page() {
        let text = empty_report().to_text();
        assert!(text.starts_with("millrace at 2026-03-01T12:00:00Z\n\nfeed "), "{text}");
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
