//! One `[[feed]]`.

use std::collections::HashMap;

use super::columns::{Contract, Naming, contract};
use super::faults::{Report, did_you_mean};
use super::format::{file_format, format};
use super::rule::rules;
use super::section::{Keys, Section, Unopened};
use super::sftp::sources;
use super::stream::{DeclaredStream, stream};
use super::values::value_rules;
use super::{Feed, UnknownColumns};
use crate::names::FeedName;

const FEED_KEYS: Keys = &[
    "name",
    "format",
    "encoding",
    "header",
    "skip_rows",
    "skip_footer",
    "delimiter",
    "quote",
    "decimal_separator",
    "null_values",
    "timezone",
    "max_reject_ratio",
    "unknown_columns",
    "curated",
    "columns",
    "rule",
    "sftp",
    "stream",
];

/// A feed as far as it could be read.
pub(super) struct DeclaredFeed {
    /// As it is written, valid or not; empty if it is missing.
    pub name: String,
    pub line: usize,
    pub contract: Contract,
    /// `None` if there is none, or anything is wrong with it.
    pub stream: Option<DeclaredStream>,
    /// `None` if anything is wrong with it.
    pub feed: Option<Feed>,
}

pub(super) fn feeds(root: &Section<'_>) -> Vec<DeclaredFeed> {
    let tables = root.tables("feed", "[[feed]]");
    if !root.has("feed") {
        root.fault(1, "no feed is declared", "write a `[[feed]]` with `name`, `format` and `[feed.columns]`");
    }
    let mut first_lines: HashMap<String, usize> = HashMap::new();
    let mut declared = Vec::new();
    for (position, table) in tables.into_iter().enumerate() {
        let feed = feed(root.report, table, position);
        if let Some(first_line) = first_lines.get(&feed.name) {
            let problem = format!("another feed has this name already, on line {first_line}");
            let place = format!("feed `{}`", feed.name);
            root.report.fault(table.line, &place, problem, "names of feeds are unique: rename one, or join the two");
        } else if !feed.name.is_empty() {
            first_lines.insert(feed.name.clone(), table.line);
        }
        declared.push(feed);
    }
    declared
}

fn feed(report: &Report<'_>, unopened: Unopened<'_>, position: usize) -> DeclaredFeed {
    let faults_before = report.count();
    let untitled = Section { report, table: unopened.table, line: unopened.line, place: feed_number(position) };
    let written_name = untitled.required_text("name", "name = \"flights\"");
    let place = written_name.map_or_else(|| feed_number(position), |name| format!("feed `{}`", name.value));
    let section = Section::open(report, unopened, place, FEED_KEYS);

    let name = written_name.and_then(|written| feed_name(&section, written.value, written.line));
    let file_format = file_format(&section);
    let format = file_format.and_then(|file_format| format(&section, file_format));
    let values = value_rules(&section, file_format, format.as_ref());
    let max_reject_ratio = max_reject_ratio(&section);
    let naming = Naming::of(format.as_ref());
    let unknown_columns = unknown_columns(&section, naming);
    let curated = section.flag("curated", "curated = true").unwrap_or(false);
    let contract = contract(&section, naming);
    let rules = rules(&section, written_name.map_or("", |name| name.value), &contract);
    let sources = sources(&section);
    let stream = stream(&section);

    let clean = report.count() == faults_before;
    let feed = match (name, format, &contract.columns) {
        (Some(name), Some(format), Some(columns)) if clean => Some(Feed {
            name,
            format,
            values,
            columns: columns.clone(),
            rules,
            max_reject_ratio,
            unknown_columns,
            curated,
            sources,
            stream: stream.as_ref().map(|declared| declared.stream.clone()),
        }),
        _ => None,
    };
    let name = written_name.map_or("", |name| name.value).to_owned();
    DeclaredFeed { name, line: unopened.line, contract, stream, feed }
}

fn feed_number(position: usize) -> String {
    format!("feed number {}", position + 1)
}

fn feed_name(section: &Section<'_>, written: &str, line: usize) -> Option<FeedName> {
    match FeedName::new(written) {
        Err(_) => {
            section.fault(
                line,
                "the name is not one that folders and SQL both take",
                "begin with a-z, go on with a-z, 0-9 or _, at most 63 characters",
            );
            None
        }
        Ok(_) if !super::summary::can_stand_in_from(written) => {
            let problem = format!("`{written}` is a word of SQL, so that `FROM {written}` would not mean the feed");
            section.fault(line, problem, format!("choose another name, such as `{written}_feed`"));
            None
        }
        Ok(name) => Some(name),
    }
}

fn max_reject_ratio(section: &Section<'_>) -> f64 {
    let Some(ratio) = section.number("max_reject_ratio", "max_reject_ratio = 0.01") else {
        return 0.0;
    };
    if !(0.0..=1.0).contains(&ratio.value) {
        section.fault(
            ratio.line,
            format!("`max_reject_ratio` is a share of the rows, from 0 to 1, and not {}", ratio.value),
            "write `max_reject_ratio = 0.01` for one row in a hundred",
        );
    }
    ratio.value
}

fn unknown_columns(section: &Section<'_>, naming: Naming) -> UnknownColumns {
    let Some(written) = section.text("unknown_columns", "unknown_columns = \"ignore\"") else {
        return UnknownColumns::Ignore;
    };
    if naming == Naming::Position {
        let problem = "`unknown_columns` is about a header's names, and `header = false` says that there are none";
        section.fault(written.line, problem, "leave it out: a row with another number of cells is bad");
    }
    match written.value {
        "ignore" => UnknownColumns::Ignore,
        "reject" => UnknownColumns::Reject,
        other => {
            let problem = format!("`unknown_columns` cannot be `{other}`");
            let remedy = did_you_mean(other, ["ignore", "reject"], || "write `ignore` or `reject`".to_owned());
            section.fault(written.line, problem, remedy);
            UnknownColumns::Ignore
        }
    }
}
