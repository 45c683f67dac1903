//! Where every file stands, for people: from storage alone, so that looking never wakes a sleeping database.
//!
//! Names are listed, and little is read: what a page over a hundred thousand files takes is some lists and eight bytes for
//! each record. `text` and `html` show what is gathered here.

mod gather;
mod html;
mod sources;
mod streams;
#[cfg(test)]
mod testing;
mod text;

use chrono::{DateTime, Utc};
use serde::Serialize;
use thiserror::Error;

use crate::clock::Clock;
use crate::names::{BlobName, FeedName, SourceName};
use crate::pipeline::Pipeline;
use crate::records::dead_letters::{self, DeadLetter};
use crate::records::pulled::PulledError;
use crate::records::sources::SourceFailure;
use crate::stations::containers::{Container, ContainerError};
use crate::stations::hub::HubReader;
use crate::stations::share::{Share, ShareError};

pub use html::PageLinks;

/// Dead letters that a page lists; there may be more.
const LETTERS_ON_A_PAGE: usize = 50;

/// What `status` works with.
pub struct StatusStations<'a> {
    pub pipeline: &'a Pipeline,
    pub share: &'a dyn Share,
    pub landing: &'a Container,
    pub quarantine: &'a Container,
    pub state: &'a Container,
    /// Asked where its partitions end; while it is away, the page does without.
    pub hub: &'a dyn HubReader,
    pub clock: &'a Clock,
}

#[derive(Clone, Debug, Serialize)]
pub struct StatusReport {
    pub at: DateTime<Utc>,
    pub feeds: Vec<FeedStatus>,
    pub streams: Vec<StreamStatus>,
    pub dead_letter_count: usize,
    /// The first of them, by name.
    pub dead_letters: Vec<LetterOnPage>,
}

#[derive(Clone, Debug, Serialize)]
pub struct FeedStatus {
    pub feed: FeedName,
    #[serde(flatten)]
    pub files: FileCounts,
    /// When a file last landed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_landed: Option<DateTime<Utc>>,
    /// Loads that are under way, or whose handler was killed.
    pub loading: usize,
    pub counted: CountedFiles,
    /// Files in quarantine with rows of this feed that were rejected, and their bytes.
    pub quarantine_files: usize,
    pub quarantine_bytes: u64,
    /// Of every version, the landed ones (`dead`) among them.
    pub dead_letters: usize,
    /// Columns that files have and the contract does not name.
    pub new_columns: Vec<String>,
    pub sources: Vec<SourceStatus>,
}

/// Where the landed files of a feed or a source stand: each is one of loaded, dead, retracted and waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileCounts {
    /// Seen at a source, and not landed yet.
    pub at_source: usize,
    /// Those of them of which some bytes are staged on the share.
    pub staged: usize,
    pub staged_bytes: u64,
    /// Files in landing, and their bytes.
    pub landed: usize,
    pub landed_bytes: u64,
    /// Landed files whose present version is in the summaries.
    pub loaded: usize,
    /// Landed files whose present version is a dead letter.
    pub dead: usize,
    /// Landed files whose present version counts nothing, as somebody took its counts back.
    pub retracted: usize,
    /// Landed files that are none of these: announced, and to be loaded.
    pub waiting: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_waiting: Option<WaitingFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingFile {
    pub blob: BlobName,
    pub landed_at: DateTime<Utc>,
}

/// What the markers of a feed's files come to, whether the files are in landing still or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CountedFiles {
    pub rows_read: i64,
    pub rows_rejected: i64,
    /// By generation, the oldest first.
    pub generations: Vec<GenerationStatus>,
    /// When they were added up last; absent: just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
    /// Files that the sums do not have yet.
    pub not_added_up: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenerationStatus {
    pub generation: i64,
    pub files: usize,
    pub rows_read: i64,
    pub rows_rejected: i64,
}

#[derive(Clone, Debug, Serialize)]
pub struct SourceStatus {
    /// `None`: it is alone in its feed and has no name.
    pub source: Option<SourceName>,
    #[serde(flatten)]
    pub files: FileCounts,
    /// When the file that waits longest at the source was seen first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_at_source: Option<DateTime<Utc>>,
    /// When its files were listed last, to within five minutes.
    pub last_looked_at: Option<DateTime<Utc>>,
    /// Whether it could not be looked at the last time.
    pub failing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<SourceFailure>,
    /// Files that could not be brought further at the last look, and why, of the first of them.
    pub files_failed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_failure: Option<String>,
}

/// One partition of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamStatus {
    pub feed: FeedName,
    pub hub: String,
    pub partition: String,
    /// The last sequence number that is in the summaries.
    pub applied: Option<u64>,
    /// The last one that the hub has.
    pub last_enqueued: Option<u64>,
    /// Events between the two.
    pub lag: Option<u64>,
    pub rows_rejected: u64,
    /// Events that are lost for good.
    pub gaps: Vec<StreamGap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_applied_at: Option<DateTime<Utc>>,
    /// Lines for people, such as since which number a changed summary counts.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamGap {
    pub first: u64,
    pub last: u64,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct LetterOnPage {
    pub id: String,
    #[serde(flatten)]
    pub letter: DeadLetter,
}

#[derive(Debug, Error)]
pub enum StatusError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Pulled(#[from] PulledError),
    #[error(transparent)]
    Share(#[from] ShareError),
}

/// Looks at landing, the share, quarantine and the records.
pub async fn status(at: &StatusStations<'_>) -> Result<StatusReport, StatusError> {
    let staged = sources::staged(at.share).await?;
    let mut feeds = Vec::with_capacity(at.pipeline.feeds.len());
    for feed in &at.pipeline.feeds {
        feeds.push(gather::feed_status(feed, &staged, at).await?);
    }
    let letters = dead_letters::list(at.state, LETTERS_ON_A_PAGE).await?;
    Ok(StatusReport {
        at: at.clock.now(),
        feeds,
        streams: streams::stream_statuses(at).await?,
        dead_letter_count: dead_letters::count(at.state).await?,
        dead_letters: letters.into_iter().map(|letter| LetterOnPage { id: letter.id(), letter }).collect(),
    })
}

impl SourceStatus {
    /// For people: its name, or what it is.
    fn shown_name(&self) -> &str {
        self.source.as_ref().map_or("its only source", SourceName::as_str)
    }
}
