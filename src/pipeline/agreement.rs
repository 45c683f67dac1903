//! What several entries of the file say together: tables that several summaries write, directories and hubs that several
//! feeds read.

use std::collections::{BTreeSet, HashMap};

use millrace_frames::plan::{KeyType, Merge, SummaryColumn, SummaryPlan, SummaryRole};

use super::faults::Report;
use super::feed::DeclaredFeed;
use super::meaning::key_type_text;
use super::stream::same_name;
use super::summary::DeclaredSummary;
use super::{After, Folders, SftpSource, StreamSource};

/// SQL Server's longest key of a nonclustered index is 1,700 bytes
/// (<https://learn.microsoft.com/sql/sql-server/maximum-capacity-specifications-for-sql-server>).
const KEY_BYTES_LIMIT: usize = 1_700;

pub(super) fn check_tables(report: &Report<'_>, summaries: &[DeclaredSummary]) {
    let mut first_of_table: HashMap<String, &DeclaredSummary> = HashMap::new();
    let mut ids: HashMap<&str, usize> = HashMap::new();
    for summary in summaries {
        check_key_bytes(report, summary);
        if let Some(first_line) = ids.insert(&summary.plan.id, summary.line) {
            let problem = format!("the summary on line {first_line} is the same: each row would count twice");
            report.fault(summary.line, &summary.place, problem, "take one of them out");
            continue;
        }
        match first_of_table.get(&summary.plan.table.to_lowercase()) {
            Some(first) => check_agreement(report, first, summary),
            None => {
                first_of_table.insert(summary.plan.table.to_lowercase(), summary);
            }
        }
    }
}

fn check_key_bytes(report: &Report<'_>, summary: &DeclaredSummary) {
    let bytes: usize = summary.plan.columns.iter().map(key_bytes).sum();
    if bytes >= KEY_BYTES_LIMIT {
        report.fault(
            summary.line,
            &summary.place,
            format!("its keys take {bytes} bytes together, and SQL Server allows fewer than {KEY_BYTES_LIMIT}"),
            "give text keys a shorter `key_length` (two bytes for each unit; 256 units if it is not given)",
        );
    }
}

fn key_bytes(column: &SummaryColumn) -> usize {
    match column.role {
        SummaryRole::Key { key_type, .. } => match key_type {
            KeyType::Text { max_utf16 } => 2 * usize::from(max_utf16),
            KeyType::Int64 | KeyType::Timestamp => 8,
            KeyType::Date => 4,
            KeyType::Bool => 1,
        },
        SummaryRole::Measure { .. } => 0,
    }
}

fn check_agreement(report: &Report<'_>, first: &DeclaredSummary, second: &DeclaredSummary) {
    let fault = |problem: String, remedy: &str| report.fault(second.line, &second.place, problem, remedy);
    if first.plan.table != second.plan.table {
        let problem = format!("table `{}` on line {} differs only in case", first.plan.table, first.line);
        return fault(problem, "write both the same way, or choose another name");
    }
    if let Some(difference) = difference(&first.plan, &second.plan) {
        let problem = format!("the summary on line {} writes the same table, but {difference}", first.line);
        fault(problem, "give both the same columns in the same order, or another `table`");
    }
}

fn difference(first: &SummaryPlan, second: &SummaryPlan) -> Option<String> {
    if first.columns.len() != second.columns.len() {
        return Some(format!("has {} columns and not {}", first.columns.len(), second.columns.len()));
    }
    first.columns.iter().zip(&second.columns).enumerate().find_map(|(position, (theirs, ours))| {
        let (theirs, ours) = (column_words(theirs), column_words(ours));
        (theirs != ours).then(|| format!("has {theirs} as column {} and not {ours}", position + 1))
    })
}

fn column_words(column: &SummaryColumn) -> String {
    match &column.role {
        SummaryRole::Key { key_type, .. } => format!("key `{}` ({})", column.name, key_type_text(*key_type)),
        SummaryRole::Measure { call, measure_type } => {
            let merge = match call.merge() {
                Merge::Sum => "sum",
                Merge::Min => "minimum",
                Merge::Max => "maximum",
            };
            format!("{merge} `{}` ({measure_type})", column.name)
        }
    }
}

/// What two sources must not share, if one of them takes files away.
#[derive(PartialEq, Eq, Hash)]
struct SameServer<'p> {
    host: String,
    port: u16,
    include: BTreeSet<&'p str>,
}

struct Reader<'p> {
    feed: &'p str,
    source: &'p SftpSource,
}

/// Sources that read the same files must all leave them where they are.
pub(super) fn check_sources(report: &Report<'_>, feeds: &[DeclaredFeed]) {
    let mut readers: HashMap<SameServer<'_>, Vec<Reader<'_>>> = HashMap::new();
    for feed in feeds {
        for source in feed.feed.iter().flat_map(|valid| &valid.sources) {
            let earlier = readers.entry(same_server(source)).or_default();
            let takes_away = |other: &SftpSource| source.after != After::Keep || other.after != After::Keep;
            let rival = earlier.iter().find(|other| share_files(source, other.source) && takes_away(other.source));
            if let Some(rival) = rival {
                let problem = format!(
                    "it reads the same files of `{}` as feed `{}`, and one of them takes files away after landing",
                    source.url.directory, rival.feed
                );
                let remedy = "write `after = \"keep\"` for both, or another `include`";
                report.fault(feed.line, &format!("feed `{}`", feed.name), problem, remedy);
            }
            earlier.push(Reader { feed: &feed.name, source });
        }
    }
}

fn same_server(source: &SftpSource) -> SameServer<'_> {
    SameServer {
        host: source.url.host.to_lowercase(),
        port: source.url.port,
        include: source.include.iter().map(String::as_str).collect(),
    }
}

fn share_files(one: &SftpSource, other: &SftpSource) -> bool {
    one.url.directory == other.url.directory || reads_below(one, other) || reads_below(other, one)
}

/// Whether the upper source reads the lower one's directory as one of its folders.
fn reads_below(upper: &SftpSource, lower: &SftpSource) -> bool {
    let top = upper.url.directory.trim_end_matches('/');
    let is_below = lower.url.directory.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    upper.folders == Folders::Read && is_below
}

/// Several feeds may stream one hub, each through groups of its own: of two readers in one group, each would have the
/// other's partitions taken away.
pub(super) fn check_streams(report: &Report<'_>, feeds: &[DeclaredFeed]) {
    let mut earlier: Vec<(&DeclaredFeed, &StreamSource)> = Vec::new();
    for feed in feeds {
        let Some(declared) = &feed.stream else { continue };
        let stream = &declared.stream;
        for (rival, other) in earlier.iter().filter(|(_, other)| same_name(&other.hub, &stream.hub)) {
            for (key, group) in shared_groups(stream, other) {
                let problem = format!(
                    "it reads hub `{}` through the consumer group `{group}`, and so does feed `{}`: each would take the \
                     other's partitions",
                    stream.hub, rival.name
                );
                let remedy = format!("give the hub another consumer group, and write its name as `{key}`");
                report.fault(declared.line, &format!("feed `{}`, stream", feed.name), problem, remedy);
            }
        }
        earlier.push((feed, stream));
    }
}

/// The groups through which both read, and under which key the first has them.
fn shared_groups<'s>(one: &'s StreamSource, other: &StreamSource) -> Vec<(&'static str, &'s str)> {
    let groups = [("consumer_group", one.consumer_group.as_str()), ("repair_group", one.repair_group.as_str())];
    let is_shared = |group: &str| same_name(group, &other.consumer_group) || same_name(group, &other.repair_group);
    groups.into_iter().filter(|(_, group)| is_shared(group)).collect()
}
