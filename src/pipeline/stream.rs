//! `[feed.stream]`: the hub that brings a feed's rows as raw JSON events.

use super::faults::did_you_mean;
use super::section::{Keys, Section};
use super::{StreamSource, StreamStart};

const STREAM_KEYS: Keys = &["hub", "consumer_group", "repair_group", "start"];

const HUB_EXAMPLE: &str = "hub = \"events\"";
const DEFAULT_CONSUMER_GROUP: &str = "$Default";
const DEFAULT_REPAIR_GROUP: &str = "millrace";

/// Where `announce` says what landed.
const FILES_HUB: &str = "files";

// Azure's rules (https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules, under
// Microsoft.EventHub).
const LONGEST_HUB: usize = 256;
const LONGEST_GROUP: usize = 50;

/// A stream, and where it stands in the file.
#[derive(Clone)]
pub(super) struct DeclaredStream {
    pub line: usize,
    pub stream: StreamSource,
}

/// `None` if there is none, or anything is wrong with it.
pub(super) fn stream(feed: &Section<'_>) -> Option<DeclaredStream> {
    let faults_before = feed.report.count();
    let table = feed.subtable("stream", "[feed.stream]")?;
    let section = Section::open(feed.report, table, format!("{}, stream", feed.place), STREAM_KEYS);
    let hub = hub(&section);
    let consumer_group = group(&section, "consumer_group", DEFAULT_CONSUMER_GROUP);
    let repair_group = group(&section, "repair_group", DEFAULT_REPAIR_GROUP);
    check_groups(&section, consumer_group, repair_group);
    let start = start(&section);
    if feed.report.count() > faults_before {
        return None;
    }
    let stream = StreamSource {
        hub: hub?.to_owned(),
        consumer_group: consumer_group.to_owned(),
        repair_group: repair_group.to_owned(),
        start,
    };
    Some(DeclaredStream { line: table.line, stream })
}

fn hub<'a>(section: &Section<'a>) -> Option<&'a str> {
    let written = section.required_text("hub", HUB_EXAMPLE)?;
    if written.value.eq_ignore_ascii_case(FILES_HUB) {
        let problem = "`hub` is `files`, through which millrace says to itself which files have landed";
        section.fault(written.line, problem, format!("name the hub to which the events are sent: `{HUB_EXAMPLE}`"));
        return None;
    }
    if written.value.contains(['/', ';', '=', '%']) {
        // A connection string holds a key.
        section.fault(
            written.line,
            "`hub` is the hub's own name, and not an address, a connection string or a setting (not shown here)",
            format!("write `{HUB_EXAMPLE}`; where the hub is, the setting EventHubConnection says"),
        );
        return None;
    }
    if let Some(fault) = fault_of_name(written.value, LONGEST_HUB) {
        let problem = format!("`hub` is `{}`, and {fault}", written.value);
        section.fault(written.line, problem, format!("write the hub's name as Azure has it: `{HUB_EXAMPLE}`"));
        return None;
    }
    Some(written.value)
}

fn group<'a>(section: &Section<'a>, key: &str, default: &'static str) -> &'a str {
    let Some(written) = section.text(key, &format!("{key} = \"{default}\"")) else {
        return default;
    };
    let is_default_group = written.value.eq_ignore_ascii_case(DEFAULT_CONSUMER_GROUP);
    if let Some(fault) = fault_of_name(written.value, LONGEST_GROUP).filter(|_| !is_default_group) {
        let problem = format!("`{key}` is `{}`, and {fault}", written.value);
        section.fault(
            written.line,
            problem,
            format!("write a consumer group of the hub, such as `{key} = \"{default}\"`"),
        );
    }
    written.value
}

fn check_groups(section: &Section<'_>, consumer_group: &str, repair_group: &str) {
    if !same_name(consumer_group, repair_group) {
        return;
    }
    let key = if section.has("repair_group") { "repair_group" } else { "consumer_group" };
    section.fault(
        section.line_of(key),
        format!(
            "`consumer_group` and `repair_group` are both `{repair_group}`: the two readers would turn each other out"
        ),
        "give the hub a consumer group for repairs alone, and write its name as `repair_group`",
    );
}

fn start(section: &Section<'_>) -> StreamStart {
    let Some(written) = section.text("start", "start = \"earliest\"") else {
        return StreamStart::Earliest;
    };
    match written.value {
        "earliest" => StreamStart::Earliest,
        "latest" => StreamStart::Latest,
        other => {
            let problem = format!("`start` cannot be `{other}`");
            let otherwise =
                || "write `earliest`, for all that the hub still has, or `latest`, for what comes".to_owned();
            section.fault(written.line, problem, did_you_mean(other, ["earliest", "latest"], otherwise));
            StreamStart::Earliest
        }
    }
}

/// What is wrong with the name of a hub or a group.
fn fault_of_name(name: &str, longest: usize) -> Option<String> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let ends = [name.bytes().next(), name.bytes().last()];
    if name.len() > longest {
        Some(format!("Azure takes at most {longest} characters"))
    } else if name.is_empty() || !name.as_bytes().iter().all(is_plain) {
        Some("Azure takes letters, digits, `.`, `-` and `_`".to_owned())
    } else if !ends.iter().flatten().all(u8::is_ascii_alphanumeric) {
        Some("Azure wants a letter or a digit at both ends".to_owned())
    } else {
        None
    }
}

/// Azure does not look at case in names.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
