//! Finds landed files that were never loaded, and announces them again.
//!
//! It compares landing with the markers in storage, a bounded number of blobs at a tick from a stored position on, and does
//! not ask the database: a file that was loaded and lost its marker is announced, and `load` finds it in the ledger.
//!
//! Once a day it also looks for what killed loads left behind; only there, and only about such a file, is the ledger asked.

mod leftovers;
pub mod tails;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::{error, info};

use super::announce::{AnnounceError, AnnounceStations, Announced, announce_blob};
use crate::records::{dead_letters, loaded, retracted, sweep_position};
use crate::stations::containers::{BlobFacts, Container, ContainerError};
use crate::stations::share::{Share, ShareError, remove_orphans};
use crate::stations::warehouse::{Warehouse, WarehouseError};
use crate::telemetry::chain;

/// Blobs that one tick looks at.
const BLOBS_A_TICK: usize = 5_000;

/// Markers that are looked up at a time.
const LOOKUPS_AT_A_TIME: usize = 16;

/// A file is given this long to be announced and loaded in the ordinary way. After that it is announced again at this age
/// times 1, 2, 4, 8 …, so that a database that is away for a day brings no storm.
const GRACE: TimeDelta = TimeDelta::minutes(10);

/// What `sweep` works with.
pub struct SweepStations<'a> {
    pub announce: AnnounceStations<'a>,
    pub share: &'a dyn Share,
    /// Where loads leave their bad and their typed rows.
    pub quarantine: &'a Container,
    pub curated: &'a Container,
    /// Asked only about files of loads that nobody seems to count.
    pub warehouse: &'a dyn Warehouse,
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
    /// Blobs that could not be looked at or announced; the log names them.
    pub failed: usize,
}

#[derive(Debug, Error)]
pub enum SweepError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Share(#[from] ShareError),
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
}

/// Looks at the next page of landing.
pub async fn sweep(at: &SweepStations<'_>) -> Result<SweepReport, SweepError> {
    let now = at.announce.clock.now();
    let state = at.announce.state;
    let mut report =
        SweepReport { staged_copies_removed: remove_orphans(at.share, now).await?, ..SweepReport::default() };

    let mut position = sweep_position::read(state).await?;
    position.begin_tick(now);
    let page: Vec<BlobFacts> =
        at.announce.landing.list("", position.after.as_deref()).take(BLOBS_A_TICK).try_collect().await?;
    report.looked_at = page.len();
    let due: Vec<&BlobFacts> =
        page.iter().filter(|blob| is_due(blob.last_modified, position.previous_round, now)).collect();
    for (blob, missing) in missing_of(state, due).await {
        let outcome = match missing {
            Ok(false) => continue,
            Ok(true) => announce_blob(blob, &at.announce).await,
            Err(error) => Err(AnnounceError::from(error)),
        };
        match outcome {
            Ok(Announced::Sent(_)) => report.announced_again += 1,
            Ok(Announced::DeadLettered) => report.dead_lettered += 1,
            Ok(Announced::Gone) => {}
            // One odd blob stops nothing: the next ones are looked at all the same.
            Err(error) => {
                report.failed += 1;
                error!("{} could not be swept: {}", blob.name, chain(&error));
            }
        }
    }
    position.after = page.last().filter(|_| page.len() == BLOBS_A_TICK).map(|blob| blob.name.to_string());
    sweep_position::write(state, &position).await?;
    report.leftovers_removed = leftovers::remove(at, now).await?;
    if report.announced_again + report.dead_lettered > 0 {
        info!("announced {} files again that were never loaded", report.announced_again);
    }
    Ok(report)
}

/// Which of the blobs have neither a loaded marker nor a dead letter and are not retracted, in their order.
async fn missing_of<'a>(
    state: &Container,
    blobs: Vec<&'a BlobFacts>,
) -> Vec<(&'a BlobFacts, Result<bool, ContainerError>)> {
    let lookups: Vec<BoxFuture<'_, _>> = blobs.iter().map(|blob| is_missing(state, blob).boxed()).collect();
    let missing: Vec<_> = futures::stream::iter(lookups).buffered(LOOKUPS_AT_A_TIME).collect().await;
    blobs.into_iter().zip(missing).collect()
}

async fn is_missing(state: &Container, blob: &BlobFacts) -> Result<bool, ContainerError> {
    Ok(!loaded::exists(state, &blob.name, &blob.etag).await?
        && !dead_letters::exists(state, &blob.name, &blob.etag).await?
        && !retracted::exists(state, &blob.name, &blob.etag).await?)
}

/// When the sweep announces a waiting file next, if it is still waiting then.
pub fn next_announcement(landed: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    // After 24 doublings, three centuries have passed.
    landed + GRACE * (1_i32 << step(now - landed).min(24))
}

/// Whether a file reached one of the ages grace · 2ᵏ since the previous round.
fn is_due(landed: DateTime<Utc>, previous_round: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    step(now - landed) > step(previous_round - landed)
}

/// How many of the ages grace · 2ᵏ an age has reached.
fn step(age: TimeDelta) -> u32 {
    match u64::try_from(age.num_seconds() / GRACE.num_seconds()) {
        Ok(graces) => u64::BITS - graces.leading_zeros(),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_due_at_the_grace_and_at_each_doubling_of_it() {
        let landed = DateTime::UNIX_EPOCH;
        let mut due_at = Vec::new();
        for tick in 1..=40 {
            let now = landed + TimeDelta::minutes(5) * tick;
            if is_due(landed, now - TimeDelta::minutes(5), now) {
                due_at.push(tick * 5);
            }
        }
        assert_eq!(due_at, [10, 20, 40, 80, 160]);
    }

    #[test]
    fn the_next_announcement_is_the_next_doubling() {
        let landed = DateTime::UNIX_EPOCH;
        for (age, next) in [(0, 10), (9, 10), (10, 20), (19, 20), (20, 40), (79, 80), (80, 160)] {
            let now = landed + TimeDelta::minutes(age);
            assert_eq!(next_announcement(landed, now), landed + TimeDelta::minutes(next), "at {age} minutes");
        }
    }

    #[test]
    fn a_round_that_was_long_ago_makes_a_file_due_once() {
        let landed = DateTime::UNIX_EPOCH;
        let now = landed + TimeDelta::days(3);
        assert!(is_due(landed, landed + TimeDelta::minutes(1), now));
        assert!(!is_due(landed, now, now));
        assert!(!is_due(now + TimeDelta::minutes(1), landed, now), "a clock that is behind makes nothing due");
    }
}
