//! Once a day, the records are held against the ledger: a database that was restored to an earlier point in time has
//! forgotten loads that the markers still tell of, and a store may have lost markers.
//!
//! Only names are read until one says that something was loaded, refused or retracted since the last check: where nothing
//! was, there is nothing to compare, and the database is left asleep. The rest goes page by page, over as many ticks as it
//! takes.

mod files;
mod letters;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use tokio::time::Instant;
use tracing::info;

use super::{ANNOUNCEMENTS_A_TICK, SweepError, SweepReport, SweepStations};
use crate::names::FeedName;
use crate::pipeline::Pipeline;
use crate::records::sweep_check::{self, CheckPosition, CheckStage, KINDS, RecordsDigest};
use crate::stations::containers::Container;

/// How often it begins.
const ROUND: TimeDelta = TimeDelta::days(1);

/// Names of records that one tick reads. A record costs nothing but its place in a list.
const NAMES_A_TICK: usize = 50_000;

/// Landed files that one tick holds against the ledger, each by a look for its marker.
const FILES_A_TICK: usize = 5_000;

/// What a tick may still do.
struct Allowance {
    names: usize,
    files: usize,
    letters: usize,
}

/// Goes on with the check, if one is under way or due.
pub(super) async fn go_on(
    at: &SweepStations<'_>,
    now: DateTime<Utc>,
    deadline: Instant,
    report: &mut SweepReport,
) -> Result<(), SweepError> {
    let state = at.announce.state;
    let mut position = sweep_check::read(state).await?;
    if position.stage == CheckStage::Over {
        if now - position.began < ROUND {
            return Ok(());
        }
        position.begin(now);
    }
    let mut left = Allowance { names: NAMES_A_TICK, files: FILES_A_TICK, letters: letters::LETTERS_A_TICK };
    loop {
        let may_go_on = step(at, &mut position, &mut left, report).await?;
        // After each step, so that a kill or a failure costs one page.
        sweep_check::write(state, &position).await?;
        if position.stage == CheckStage::Over {
            tell(report);
            return Ok(());
        }
        if !may_go_on || Instant::now() >= deadline || report.announced_again >= ANNOUNCEMENTS_A_TICK {
            return Ok(());
        }
    }
}

/// One page. Returns whether the tick may take another one.
async fn step(
    at: &SweepStations<'_>,
    position: &mut CheckPosition,
    left: &mut Allowance,
    report: &mut SweepReport,
) -> Result<bool, SweepError> {
    match position.stage.clone() {
        CheckStage::Over => Ok(false),
        CheckStage::Records { kind, after } => {
            let read = read_names(at.announce.state, kind, &after, left.names, &mut position.digest).await?;
            left.names -= read.count;
            position.stage = match read.last {
                Some(after) => CheckStage::Records { kind, after },
                None if kind + 1 < KINDS.len() => CheckStage::Records { kind: kind + 1, after: String::new() },
                None => after_records(position, at.announce.pipeline),
            };
            if position.stage == CheckStage::Over {
                position.end();
            }
            Ok(left.names > 0)
        }
        CheckStage::Files { feed, after } => {
            let page = files::check_page(&feed, &after, left.files, at, report).await?;
            left.files = left.files.saturating_sub(page.looked_at);
            position.stage = match page.through {
                Some(after) => CheckStage::Files { feed, after },
                None => next_feed(at.announce.pipeline, Some(&feed)),
            };
            Ok(left.files > 0)
        }
        CheckStage::Letters { after } => {
            let warehouse = if position.is_quiet() { None } else { Some(at.warehouse) };
            let page = letters::check_page(&after, left.letters, warehouse, at, report).await?;
            left.letters = left.letters.saturating_sub(page.looked_at);
            match page.through {
                Some(after) => position.stage = CheckStage::Letters { after },
                None => position.end(),
            }
            Ok(left.letters > 0)
        }
    }
}

/// Where the records are what they were, the ledger says of them what it said.
fn after_records(position: &CheckPosition, pipeline: &Pipeline) -> CheckStage {
    match position.is_quiet() {
        true if position.digest.is_none() => CheckStage::Over,
        true => CheckStage::Letters { after: String::new() },
        false => next_feed(pipeline, None),
    }
}

fn next_feed(pipeline: &Pipeline, done: Option<&FeedName>) -> CheckStage {
    // By name, so that a deployment in between that adds a feed neither repeats nor skips another.
    let coming = pipeline.feeds.iter().map(|feed| &feed.name).filter(|name| done.is_none_or(|done| *name > done)).min();
    match coming {
        Some(feed) => CheckStage::Files { feed: feed.clone(), after: String::new() },
        None => CheckStage::Letters { after: String::new() },
    }
}

struct NamesRead {
    count: usize,
    /// The last name; `None`: there are no more of this kind.
    last: Option<String>,
}

async fn read_names(
    state: &Container,
    kind: usize,
    after: &str,
    most: usize,
    digest: &mut Option<RecordsDigest>,
) -> Result<NamesRead, SweepError> {
    let Some(kind) = KINDS.get(kind) else { return Ok(NamesRead { count: 0, last: None }) };
    let mut records = state.list(&format!("{kind}/"), Some(after).filter(|after| !after.is_empty()));
    let mut count = 0;
    while let Some(record) = records.try_next().await? {
        count += 1;
        *digest = Some(RecordsDigest::with(digest.as_ref(), &record.name, &record.etag));
        if count == most {
            return Ok(NamesRead { count, last: Some(record.name.into()) });
        }
    }
    Ok(NamesRead { count, last: None })
}

/// What a page came to.
struct PageChecked {
    looked_at: usize,
    /// How far it went; `None`: to the end.
    through: Option<String>,
}

fn tell(report: &SweepReport) {
    if report.checked > 0 {
        info!(
            "the records agree with the ledger: {} markers mended and {} dead letters removed at this tick",
            report.markers_mended, report.letters_removed
        );
    }
}

#[cfg(test)]
mod tests;
