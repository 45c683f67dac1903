//! Finds landed files that were never loaded, and announces them again; and events that nobody delivered, and counts them.
//!
//! It compares landing with the markers in storage, a bounded number of blobs at a tick from a stored position on, and does
//! not ask the database: a file that was loaded and lost its marker is announced, and `load` finds it in the ledger.
//!
//! Once a day it also looks for what killed loads left behind, and holds the markers against the ledger, page by page. The
//! ledger is asked only if a record changed since it was asked last: an idle system leaves its database asleep.

mod ages;
mod check;
mod landing;
mod leftovers;
pub mod tails;
mod tally;
#[cfg(test)]
mod testing;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::Instant;
use tracing::info;

use super::announce::{AnnounceError, AnnounceStations};
use super::stream::{StreamStations, StreamedFeeds};
use crate::stations::containers::{Container, ContainerError};
use crate::stations::share::{Share, ShareError, remove_orphans};
use crate::stations::warehouse::{Warehouse, WarehouseError};
use tails::repair_tails;

pub use ages::next_announcement;

/// Messages that one tick sends.
const ANNOUNCEMENTS_A_TICK: usize = 2_000;

/// Markers that are looked up at a time.
const LOOKUPS_AT_A_TIME: usize = 16;

/// What `sweep` works with.
pub struct SweepStations<'a> {
    pub announce: AnnounceStations<'a>,
    pub share: &'a dyn Share,
    /// Where loads leave their bad and their typed rows.
    pub quarantine: &'a Container,
    pub curated: &'a Container,
    /// Asked only about files of loads that nobody seems to count, and by the daily check.
    pub warehouse: &'a dyn Warehouse,
    pub feeds: &'a StreamedFeeds,
    pub streams: StreamStations<'a>,
}

/// What a tick found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepReport {
    pub looked_at: usize,
    pub announced_again: usize,
    pub dead_lettered: usize,
    pub staged_copies_removed: usize,
    /// Files in `quarantine` and `curated` of loads that do not count.
    pub leftovers_removed: usize,
    /// Landed files that were held against the ledger.
    pub checked: usize,
    /// Markers that the ledger did not bear out, or that it had and storage had not.
    pub markers_mended: usize,
    /// Dead letters about what was counted or replaced by now.
    pub letters_removed: usize,
    /// Events at the ends of streams that nobody had delivered.
    pub events_repaired: u64,
    /// Events that the hub no longer had.
    pub events_lost: u64,
    /// Blobs and partitions that could not be looked at; the log names them.
    pub failed: usize,
}

#[derive(Debug, Error)]
pub enum SweepError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    #[error(transparent)]
    Share(#[from] ShareError),
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
}

/// Looks at the next pages. Begins nothing new after the deadline; what is not reached is reached by the next tick.
pub async fn sweep(at: &SweepStations<'_>, deadline: Instant) -> Result<SweepReport, SweepError> {
    let now = at.announce.clock.now();
    let mut report = SweepReport::default();
    landing::look(at, now, deadline, &mut report).await?;
    report.staged_copies_removed = remove_orphans(at.share, now).await?;
    report.leftovers_removed = leftovers::remove(at, now).await?;
    check::go_on(at, now, deadline, &mut report).await?;
    let tails = repair_tails(at.feeds, &at.streams, deadline).await;
    report.events_repaired = tails.repaired;
    report.events_lost = tails.lost;
    report.failed += tails.failed;
    tally::refresh(at, now, deadline).await?;
    if report.announced_again > 0 {
        info!("announced {} files again that were never loaded", report.announced_again);
    }
    Ok(report)
}
