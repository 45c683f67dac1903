//! `[[feed.sftp]]`: where a feed's files come from.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::durations::parse_duration;
use super::section::{Found, Keys, Section};
use super::sftp_globs::{exclude, include};
use super::sftp_login::{login, sftp_url};
use super::{After, Folders, SftpSource, SftpUrl};
use crate::names::SourceName;

const SFTP_KEYS: Keys = &[
    "name",
    "url",
    "host_key",
    "private_key",
    "password",
    "passphrase",
    "include",
    "exclude",
    "recursive",
    "newer_than",
    "settle",
    "done_marker",
    "after",
    "parallel",
];

const DEFAULT_SETTLE: Duration = Duration::from_secs(30);
const LONGEST_SETTLE: Duration = Duration::from_secs(24 * 60 * 60);
const DEFAULT_PARALLEL: usize = 4;

/// The sources without faults.
pub(super) fn sources(feed: &Section<'_>) -> Vec<SftpSource> {
    let tables = feed.tables("sftp", "[[feed.sftp]]");
    let alone = tables.len() == 1;
    let mut first_lines: HashMap<&str, usize> = HashMap::new();
    let mut sources = Vec::new();
    for (position, table) in tables.iter().enumerate() {
        let name = match table.table.get("name").map(|name| name.get_ref()) {
            Some(toml::de::DeValue::String(name)) => Some(name.as_ref()),
            _ => None,
        };
        let place = match name {
            Some(name) => format!("{}, sftp source `{name}`", feed.place),
            None if alone => format!("{}, sftp source", feed.place),
            None => format!("{}, sftp source number {}", feed.place, position + 1),
        };
        let section = Section::open(feed.report, *table, place, SFTP_KEYS);
        if !alone && !section.has("name") {
            section.fault(
                table.line,
                "one of several sources needs a name, since its files land in a folder of this name",
                "write `name = \"acme\"`",
            );
        }
        if let Some(first_line) = name.and_then(|name| first_lines.insert(name, table.line)) {
            section.fault(
                section.line_of("name"),
                format!("another source of this feed has this name already, on line {first_line}"),
                "give each source a name of its own, since its files land in a folder of this name",
            );
        }
        sources.extend(source(&section));
    }
    sources
}

fn source(section: &Section<'_>) -> Option<SftpSource> {
    let faults_before = section.report.count();
    let name = section.text("name", "name = \"acme\"").and_then(|written| source_name(section, written));
    let url = sftp_url(section);
    let host_keys = host_keys(section, url.as_ref());
    let login = login(section);
    let folders = folders(section);
    let include = include(section, folders);
    let exclude = exclude(section, folders);
    let newer_than = newer_than(section);
    let settle = settle(section);
    let done_marker = done_marker(section);
    let after = after(section, url.as_ref());
    let parallel = parallel(section);
    if section.report.count() > faults_before {
        return None;
    }
    Some(SftpSource {
        name,
        url: url?,
        host_keys,
        login: login?,
        include,
        exclude,
        folders,
        newer_than,
        done_marker,
        settle,
        after,
        parallel,
    })
}

fn source_name(section: &Section<'_>, written: Found<&str>) -> Option<SourceName> {
    let name = SourceName::new(written.value).ok();
    if name.is_none() {
        section.fault(
            written.line,
            "the name is not one that folders take everywhere",
            "begin with a-z, go on with a-z, 0-9 or _, at most 63 characters",
        );
    }
    name
}

fn host_keys(section: &Section<'_>, url: Option<&SftpUrl>) -> Vec<String> {
    let remedy = match url {
        Some(url) => format!(
            "run `ssh-keyscan -p {} {} | ssh-keygen -lf -`, compare with what the partner says, and write \
             `host_key = \"SHA256:…\"`",
            url.port, url.host
        ),
        None => "run `ssh-keyscan -p PORT HOST | ssh-keygen -lf -`, compare with what the partner says, and write \
                 `host_key = \"SHA256:…\"`"
            .to_owned(),
    };
    if !section.has("host_key") {
        section.fault(section.line, "`host_key` is missing: without it, anybody could answer for this server", remedy);
        return Vec::new();
    }
    let Some(written) = section.text_or_texts("host_key", "host_key = \"SHA256:…\"") else {
        return Vec::new();
    };
    if written.is_empty() {
        section.fault(section.line_of("host_key"), "`host_key` is empty", remedy);
        return Vec::new();
    }
    for key in &written {
        if !is_fingerprint(key.value) {
            let problem = "a host key is `SHA256:` and 43 letters, digits, + or /, and this is not";
            section.fault(key.line, problem, remedy.clone());
        }
    }
    written.iter().map(|key| key.value.to_owned()).collect()
}

fn is_fingerprint(text: &str) -> bool {
    text.strip_prefix("SHA256:").is_some_and(|digest| {
        digest.len() == 43 && digest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
    })
}

fn folders(section: &Section<'_>) -> Folders {
    match section.flag("recursive", "recursive = true") {
        Some(true) => Folders::Read,
        Some(false) | None => Folders::Left,
    }
}

fn newer_than(section: &Section<'_>) -> Option<DateTime<Utc>> {
    section.time("newer_than", "newer_than = \"2026-01-01\"").map(|time| time.value)
}

fn done_marker(section: &Section<'_>) -> Option<String> {
    const EXAMPLE: &str = "done_marker = \".done\"";
    let written = section.text("done_marker", EXAMPLE)?;
    let problem = if written.value.is_empty() {
        "`done_marker` is empty: every file would be its own marker".to_owned()
    } else if written.value.contains('/') {
        format!("`done_marker` is `{}`, but a marker lies beside its file", written.value)
    } else if written.value.contains(['*', '?']) {
        format!("`done_marker` is `{}`, which looks like a glob", written.value)
    } else if written.value.chars().any(char::is_control) {
        "`done_marker` holds a character that no name should have".to_owned()
    } else {
        return Some(written.value.to_owned());
    };
    let remedy = format!("write what is added to a file's name: with `{EXAMPLE}`, a.csv waits for a.csv.done");
    section.fault(written.line, problem, remedy);
    None
}

fn settle(section: &Section<'_>) -> Duration {
    let Some(written) = section.text("settle", "settle = \"30s\"") else {
        return DEFAULT_SETTLE;
    };
    match parse_duration(written.value) {
        Some(settle) if settle <= LONGEST_SETTLE => settle,
        Some(_) => {
            section.fault(written.line, "`settle` is longer than 24 hours", "write `settle = \"30s\"`");
            DEFAULT_SETTLE
        }
        None => {
            let problem = format!("`settle` is `{}`, which is no duration", written.value);
            section.fault(written.line, problem, "write a whole number and ms, s, m or h: `settle = \"30s\"`");
            DEFAULT_SETTLE
        }
    }
}

fn after(section: &Section<'_>, url: Option<&SftpUrl>) -> After {
    let Some(written) = section.text("after", "after = \"keep\"") else {
        return After::Keep;
    };
    let directory = match written.value {
        "keep" => return After::Keep,
        "delete" => return After::Delete,
        other => other.strip_prefix("move:"),
    };
    let Some(directory) = directory else {
        let problem = format!("`after` cannot be `{}`", written.value);
        section.fault(written.line, problem, "write `keep`, `delete` or `move:/archive/flights`");
        return After::Keep;
    };
    let is_plain = directory.starts_with('/') && directory.split('/').all(|part| part != "." && part != "..");
    if !is_plain {
        let problem = format!("`after` moves to `{directory}`, which is not an absolute path without `.` and `..`");
        section.fault(written.line, problem, "write `move:/archive/flights`");
    }
    let directory = without_trailing_slash(directory);
    if url.is_some_and(|url| url.directory == directory) {
        section.fault(
            written.line,
            format!("`after` moves files to `{directory}`, where they come from: they would be seen again"),
            "name another directory",
        );
    }
    After::Move(directory)
}

pub(super) fn without_trailing_slash(directory: &str) -> String {
    match directory.trim_end_matches('/') {
        "" => "/".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

fn parallel(section: &Section<'_>) -> usize {
    let Some(written) = section.whole_number("parallel", "parallel = 4") else {
        return DEFAULT_PARALLEL;
    };
    match usize::try_from(written.value) {
        Ok(parallel @ 1..=16) => parallel,
        _ => {
            section.fault(
                written.line,
                format!("`parallel` is {}, but 1 to 16 transfers may run at a time", written.value),
                "write `parallel = 4`",
            );
            DEFAULT_PARALLEL
        }
    }
}
