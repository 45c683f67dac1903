//! What the user declares in pipeline.toml: feeds, where they come from, what is counted. Pure: reads text, knows no
//! network and no environment.

use std::time::Duration;

use millrace_decode::contract::Column;
use millrace_decode::csv::CsvLayout;
use millrace_frames::plan::SummaryPlan;
use millrace_frames::summarise::Rule;

use crate::names::{FeedName, SourceName};

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
    /// In the order of `[feed.columns]`.
    pub columns: Vec<Column>,
    pub rules: Vec<Rule>,
    /// Above this share of bad rows (0 to 1) the file is a dead letter.
    pub max_reject_ratio: f64,
    pub unknown_columns: UnknownColumns,
    pub sources: Vec<SftpSource>,
}

#[derive(Clone, Debug)]
pub enum Format {
    Csv(CsvLayout),
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
    /// Globs on the path below the url's directory; empty means everything.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    /// Size and mtime must be equal over two looks this far apart.
    pub settle: Duration,
    pub after: After,
    /// Transfers at a time, 1 to 16.
    pub parallel: usize,
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
    PrivateKey {
        key: SecretReference,
        passphrase: Option<SecretReference>,
    },
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
    pub fn feed(&self, name: &FeedName) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.name == *name)
    }

    /// The summaries that count this feed's rows.
    pub fn summaries_of(&self, feed: &FeedName) -> impl Iterator<Item = &SummaryPlan> {
        let feed = feed.as_str().to_owned();
        self.summaries.iter().filter(move |summary| summary.feed == feed)
    }
}
