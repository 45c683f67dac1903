//! Where a file is: everything known of it, from its first look at the source to what it counts, and what comes next.
//!
//! Storage first: names are listed, and the records of what fits are read. The warehouse is asked only for what the ledger
//! says of those files, and for names that storage does not know; where it is away, that is said and the rest is shown.

mod next;
mod question;
mod scan;
mod story;
mod telling;

use serde::Serialize;

use super::OperationError;
use crate::clock::Clock;
use crate::names::{BlobName, FeedName};
use crate::pipeline::Pipeline;
use crate::stations::containers::Containers;
use crate::stations::share::Share;
use crate::stations::warehouse::{FeedMeaning, Warehouse, WarehouseError};
use crate::telemetry::chain;

pub use question::Question;
pub use scan::Looked;
pub use story::{Event, FileStory, LedgerAnswer, Moment, Standing, VersionStory};

/// Units that are read from the ledger at a time, where storage knows nothing.
const PAGE: usize = 1_000;

pub struct WhereStations<'a> {
    pub pipeline: &'a Pipeline,
    pub containers: &'a Containers,
    pub share: &'a dyn Share,
    pub warehouse: &'a dyn Warehouse,
    pub clock: &'a Clock,
}

/// What is known of the files that a question means.
#[derive(Debug, Serialize)]
pub struct Whereabouts {
    /// Newest first.
    pub files: Vec<FileStory>,
    /// How many further files fit; at least so many where [`Whereabouts::has_dropped`].
    pub more: usize,
    #[serde(skip)]
    pub has_dropped: bool,
    /// Where nothing fits: names that are near.
    pub near: Vec<BlobName>,
    pub looked: Looked,
    /// Why the ledger could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_is_away: Option<String>,
}

/// Finds the files and tells the story of the newest `limit` of them.
pub async fn find(question: &Question, limit: usize, at: &WhereStations<'_>) -> Result<Whereabouts, OperationError> {
    let mut findings = scan::scan(question, at.containers).await?;
    let mut ledger_is_away = None;
    if findings.files().is_empty() {
        for feed in &at.pipeline.feeds {
            if let Err(error) = search_ledger(&feed.name, question, &mut findings, at.warehouse).await {
                ledger_is_away = Some(chain(&error));
                break;
            }
        }
    }
    let blobs = findings.files();
    let mut files = Vec::new();
    for blob in blobs.iter().take(limit) {
        let story = telling::tell(blob, ledger_is_away.as_deref(), at).await?;
        if let LedgerAnswer::Away { reason } = &story.ledger {
            ledger_is_away = Some(reason.clone());
        }
        files.push(story);
    }
    Ok(Whereabouts {
        more: blobs.len() - files.len(),
        has_dropped: findings.has_dropped(),
        near: if files.is_empty() { findings.near() } else { Vec::new() },
        looked: findings.looked,
        files,
        ledger_is_away,
    })
}

async fn search_ledger(
    feed: &FeedName,
    question: &Question,
    findings: &mut scan::Findings,
    warehouse: &dyn Warehouse,
) -> Result<(), WarehouseError> {
    let mut after: Option<BlobName> = None;
    loop {
        let page = warehouse.units(feed, after.as_ref(), PAGE).await?;
        for record in &page {
            findings.looked.ledger += 1;
            findings.add(question, &record.unit.blob, record.committed_at);
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.unit.blob.clone()),
            _ => return Ok(()),
        }
    }
}

/// What pipeline.toml means by a feed now.
fn meaning(pipeline: &Pipeline, feed: &FeedName) -> FeedMeaning {
    FeedMeaning { feed: feed.clone(), fingerprint: pipeline.fingerprint(feed) }
}
