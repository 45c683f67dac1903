//! Where every file stands, for people: from storage alone, so that looking never wakes a sleeping database.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use futures::TryStreamExt;
use serde::Serialize;

use crate::clock::Clock;
use crate::names::{BlobName, FeedName};
use crate::pipeline::Pipeline;
use crate::records::dead_letters::{self, DeadLetter};
use crate::records::loaded;
use crate::records::new_columns;
use crate::records::retracted;
use crate::records::version_set::VersionSet;
use crate::stations::containers::{Container, ContainerError};

/// Dead letters that a page lists; there may be more.
const LETTERS_ON_A_PAGE: usize = 50;

/// What `status` works with.
pub struct StatusStations<'a> {
    pub pipeline: &'a Pipeline,
    pub landing: &'a Container,
    pub state: &'a Container,
    pub clock: &'a Clock,
}

#[derive(Clone, Debug, Serialize)]
pub struct StatusReport {
    pub at: DateTime<Utc>,
    pub feeds: Vec<FeedStatus>,
    pub dead_letter_count: usize,
    /// The first of them, by name.
    pub dead_letters: Vec<LetterOnPage>,
}

#[derive(Clone, Debug, Serialize)]
pub struct FeedStatus {
    pub feed: FeedName,
    /// Files in landing, and their bytes.
    pub landed: usize,
    pub landed_bytes: u64,
    /// Landed files whose present version is in the summaries.
    pub loaded: usize,
    /// Landed files whose present version is a dead letter.
    pub dead: usize,
    /// Landed files whose present version counts nothing, as somebody took its counts back.
    pub retracted: usize,
    /// Landed files that are none of these.
    pub waiting: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_waiting: Option<WaitingFile>,
    /// When a file last landed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_landed: Option<DateTime<Utc>>,
    /// Columns that files have and the contract does not name.
    pub new_columns: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct WaitingFile {
    pub blob: BlobName,
    pub landed_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize)]
pub struct LetterOnPage {
    pub id: String,
    #[serde(flatten)]
    pub letter: DeadLetter,
}

/// Looks at landing and at the records.
pub async fn status(at: &StatusStations<'_>) -> Result<StatusReport, ContainerError> {
    let mut feeds = Vec::with_capacity(at.pipeline.feeds.len());
    for feed in &at.pipeline.feeds {
        feeds.push(feed_status(&feed.name, at).await?);
    }
    let letters = dead_letters::list(at.state, LETTERS_ON_A_PAGE).await?;
    Ok(StatusReport {
        at: at.clock.now(),
        feeds,
        dead_letter_count: dead_letters::count(at.state).await?,
        dead_letters: letters.into_iter().map(|letter| LetterOnPage { id: letter.id(), letter }).collect(),
    })
}

async fn feed_status(feed: &FeedName, at: &StatusStations<'_>) -> Result<FeedStatus, ContainerError> {
    let loaded = VersionSet::of(loaded::versions(at.state, feed)).await?;
    let dead = VersionSet::of(dead_letters::versions(at.state, feed)).await?;
    let retracted = VersionSet::of(retracted::versions(at.state, feed)).await?;
    let mut status = FeedStatus {
        feed: feed.clone(),
        landed: 0,
        landed_bytes: 0,
        loaded: 0,
        dead: 0,
        retracted: 0,
        waiting: 0,
        oldest_waiting: None,
        last_landed: None,
        new_columns: new_columns::read(at.state, feed).await?.map(|seen| seen.columns).unwrap_or_default(),
    };
    let mut landed = at.landing.list(&format!("{feed}/"), None);
    while let Some(blob) = landed.try_next().await? {
        status.landed += 1;
        status.landed_bytes += blob.size_bytes;
        status.last_landed = status.last_landed.max(Some(blob.last_modified));
        if retracted.has(&blob.name, &blob.etag) {
            status.retracted += 1;
        } else if loaded.has(&blob.name, &blob.etag) {
            status.loaded += 1;
        } else if dead.has(&blob.name, &blob.etag) {
            status.dead += 1;
        } else {
            status.waiting += 1;
            if status.oldest_waiting.as_ref().is_none_or(|oldest| blob.last_modified < oldest.landed_at) {
                status.oldest_waiting = Some(WaitingFile { blob: blob.name, landed_at: blob.last_modified });
            }
        }
    }
    Ok(status)
}

impl StatusReport {
    /// For a terminal, and for a browser without more.
    pub fn to_text(&self) -> String {
        let mut text = format!("millrace at {}\n\n", moment(self.at));
        let _ = writeln!(
            text,
            "{:<24} {:>8} {:>8} {:>8} {:>8}  last landed",
            "feed", "landed", "loaded", "waiting", "dead"
        );
        for feed in &self.feeds {
            let last = feed.last_landed.map_or_else(|| "never".to_owned(), moment);
            let _ = writeln!(
                text,
                "{:<24} {:>8} {:>8} {:>8} {:>8}  {last}",
                feed.feed.as_str(),
                feed.landed,
                feed.loaded,
                feed.waiting,
                feed.dead
            );
        }
        for feed in &self.feeds {
            if let Some(oldest) = &feed.oldest_waiting {
                let _ = writeln!(
                    text,
                    "\n{}: {} has waited longest, since {}",
                    feed.feed,
                    oldest.blob,
                    moment(oldest.landed_at)
                );
            }
            if feed.retracted > 0 {
                let _ = writeln!(
                    text,
                    "\n{}: {} retracted; `millrace replay {} --blob NAME` counts one again",
                    feed.feed,
                    files(feed.retracted),
                    feed.feed
                );
            }
            if !feed.new_columns.is_empty() {
                let _ = writeln!(text, "\n{}: not in the contract: {}", feed.feed, feed.new_columns.join(", "));
            }
        }
        if self.dead_letter_count > 0 {
            let _ = writeln!(text, "\n{} dead letters:", self.dead_letter_count);
            for LetterOnPage { id, letter } in &self.dead_letters {
                let _ = writeln!(text, "  {id}  {}\n    {}\n    {}", letter.blob, letter.reason, letter.remedy);
            }
        }
        text
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file is".to_owned() } else { format!("{count} files are") }
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
