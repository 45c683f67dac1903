//! What the user declares in pipeline.toml: feeds, where they come from, what is counted. Pure: reads text, knows no
//! network and no environment.

mod agreement;
mod column_formats;
mod column_types;
mod columns;
mod durations;
mod faults;
mod feed;
mod format;
mod identifiers;
mod meaning;
mod rule;
mod section;
mod sftp;
mod sftp_globs;
mod sftp_login;
mod stream;
mod summary;
#[cfg(test)]
mod tests;
mod times;
mod values;

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_decode::contract::{Column, ValueRules};
use millrace_decode::csv::CsvLayout;
use millrace_frames::plan::SummaryPlan;
use millrace_frames::summarise::Rule;

use toml::de::DeTable;

use self::faults::Report;
pub use self::faults::{Fault, PipelineFaults, ReadError};
pub use self::meaning::DECODER_VERSION;
use self::section::{Keys, Section, Unopened};
pub(crate) use self::times::parse_time;
use crate::names::{FeedName, SourceName};

const ROOT_KEYS: Keys = &["feed", "summary"];

/// A pipeline.toml without faults.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub feeds: Vec<Feed>,
    /// In the order of the file.
    pub summaries: Vec<SummaryPlan>,
}

#[derive(Clone, Debug)]
pub struct Feed {
    pub name: FeedName,
    pub format: Format,
    pub values: ValueRules,
    /// In the order of `[feed.columns]`.
    pub columns: Vec<Column>,
    pub rules: Vec<Rule>,
    /// Above this share of bad rows (0 to 1) the file is a dead letter.
    pub max_reject_ratio: f64,
    pub unknown_columns: UnknownColumns,
    /// Whether the typed rows are kept as Parquet.
    pub curated: bool,
    pub sources: Vec<SftpSource>,
    /// Where the same rows come from as raw JSON events.
    pub stream: Option<StreamSource>,
}

/// `[feed.stream]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSource {
    pub hub: String,
    /// The host's own processor reads through this one.
    pub consumer_group: String,
    /// Gaps are repaired through this one: a second reader in the host's group would be refused or evict it.
    pub repair_group: String,
    pub start: StreamStart,
}

/// Where a stream's partitions begin to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStart {
    /// With the earliest event that the hub still has.
    Earliest,
    /// With what comes after `millrace migrate` first saw the stream.
    Latest,
}

#[derive(Clone, Debug)]
pub enum Format {
    Csv(CsvLayout),
    /// A JSON object in each line.
    Ndjson,
    Parquet,
}

impl Format {
    /// As pipeline.toml and the landed message write it.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Csv(_) => "csv",
            Format::Ndjson => "ndjson",
            Format::Parquet => "parquet",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownColumns {
    Ignore,
    Reject,
}

/// One `[[feed.sftp]]`.
#[derive(Clone, Debug)]
pub struct SftpSource {
    /// `None` where the feed has one source and does not name it; files then land directly under the feed.
    pub name: Option<SourceName>,
    pub url: SftpUrl,
    /// `SHA256:…` fingerprints, as OpenSSH prints them; at least one.
    pub host_keys: Vec<String>,
    pub login: Login,
    /// Globs on the path below the url's directory, in which `*` stops at `/`; empty means everything.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub folders: Folders,
    /// Files that were last changed before this are left.
    pub newer_than: Option<DateTime<Utc>>,
    /// A file is taken once one of its name with this added is there and is not older. Never empty, and without `/`.
    pub done_marker: Option<String>,
    /// Size and mtime must be equal over two looks this far apart.
    pub settle: Duration,
    pub after: After,
    /// Transfers at a time, 1 to 16.
    pub parallel: usize,
}

/// Whether the folders below the url's directory are read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folders {
    Left,
    Read,
}

/// `sftp://user@host:port/directory`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SftpUrl {
    pub user: String,
    pub host: String,
    pub port: u16,
    /// Absolute, without a trailing `/` (but `/` itself).
    pub directory: String,
}

/// Which secrets open the server. Each is a reference to a setting, never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    Password(SecretReference),
    PrivateKey { key: SecretReference, passphrase: Option<SecretReference> },
}

/// `env:NAME`: the secret is the setting of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    pub setting: String,
}

/// What happens to a file at its source, once it has landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    Keep,
    Delete,
    /// To this directory on the same server; absolute.
    Move(String),
}

impl Pipeline {
    /// `file_name` is what the faults call the file.
    ///
    /// # Errors
    /// Every fault of the file, by line. Where it is not even TOML, only that.
    pub fn parse(file_name: &str, text: &str) -> Result<Pipeline, PipelineFaults> {
        let report = Report::new(text);
        let pipeline = checked(&report, text);
        let faults = report.into_faults();
        if faults.is_empty() { Ok(pipeline) } else { Err(PipelineFaults { file_name: file_name.to_owned(), faults }) }
    }

    /// # Errors
    /// The file cannot be read, or has faults, which then name it as `path` does.
    pub fn read(path: &Path) -> Result<Pipeline, ReadError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ReadError::Unreadable { path: path.to_owned(), source })?;
        Ok(Pipeline::parse(&path.display().to_string(), &text)?)
    }

    pub fn feed(&self, name: &FeedName) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.name == *name)
    }

    /// The summaries that count this feed's rows.
    pub fn summaries_of(&self, feed: &FeedName) -> impl Iterator<Item = &SummaryPlan> {
        let feed = feed.as_str().to_owned();
        self.summaries.iter().filter(move |summary| summary.feed == feed)
    }
}

/// Whether a column may have this name.
pub fn is_column_name(name: &str) -> bool {
    identifiers::is_identifier(name)
}

/// A feed's name like this one: itself, where no word of SQL stands in its way.
pub fn as_feed_name(name: &str) -> String {
    if summary::can_stand_in_from(name) { name.to_owned() } else { format!("{name}_feed") }
}

/// What could be read; the faults are in the report.
fn checked(report: &Report<'_>, text: &str) -> Pipeline {
    let (document, syntax_errors) = DeTable::parse_recoverable(text);
    for error in &syntax_errors {
        let line = report.line(error.span().map_or(0, |span| span.start));
        report.fault(line, "", format!("not TOML: {}", error.message()), "see https://toml.io for how it is written");
    }
    if !syntax_errors.is_empty() {
        return Pipeline { feeds: Vec::new(), summaries: Vec::new() };
    }
    let unopened = Unopened { table: document.get_ref(), line: 1 };
    let root = Section::open(report, unopened, String::new(), ROOT_KEYS);
    let feeds = feed::feeds(&root);
    let summaries = summary::summaries(&root, &feeds);
    agreement::check_sources(report, &feeds);
    agreement::check_streams(report, &feeds);
    agreement::check_tables(report, &summaries);
    Pipeline {
        feeds: feeds.into_iter().filter_map(|declared| declared.feed).collect(),
        summaries: summaries.into_iter().map(|declared| declared.plan).collect(),
    }
}
