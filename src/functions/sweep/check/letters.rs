//! A page of dead letters, of which those go that are about nothing any more: the ledger counts the version after all, a
//! newer version took its place and counts, or the oddly named thing is not there.

use futures::{StreamExt, TryStreamExt};
use tracing::info;

use super::super::{SweepError, SweepReport, SweepStations};
use super::PageChecked;
use crate::records::dead_letters::{self, DeadLetter};
use crate::stations::containers::{BlobFacts, Container, ContainerError, Listed};
use crate::stations::warehouse::{FileUnit, Warehouse};

/// Letters that one tick looks at, each by a question to the ledger.
pub(super) const LETTERS_A_TICK: usize = 1_000;

const PAGE: usize = 200;

/// Characters that stand in a letter as they stand in landing, however long the name is.
const ODD_NAME_KEPT: usize = 900;

/// Without a warehouse, only the letters about odd names are looked at.
pub(super) async fn check_page(
    after: &str,
    most: usize,
    warehouse: Option<&dyn Warehouse>,
    at: &SweepStations<'_>,
    report: &mut SweepReport,
) -> Result<PageChecked, SweepError> {
    let state = at.announce.state;
    let limit = PAGE.min(most);
    let after = Some(after).filter(|after| !after.is_empty());
    let page: Vec<BlobFacts> = dead_letters::names(state, after).take(limit).try_collect().await?;
    for record in &page {
        let Some(letter) = dead_letters::read_record(state, &record.name).await? else { continue };
        if is_about_something(&letter, warehouse, at).await? {
            continue;
        }
        info!("the dead letter of {} goes: it is about nothing any more", letter.blob);
        match state.delete_version(&record.name, &record.etag).await {
            Ok(()) => report.letters_removed += 1,
            // It was written anew meanwhile.
            Err(ContainerError::Superseded { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let through = page.last().filter(|_| page.len() == limit).map(|record| record.name.to_string());
    Ok(PageChecked { looked_at: page.len(), through })
}

async fn is_about_something(
    letter: &DeadLetter,
    warehouse: Option<&dyn Warehouse>,
    at: &SweepStations<'_>,
) -> Result<bool, SweepError> {
    if letter.stage == dead_letters::SWEEP {
        return lies_there(letter, at.announce.landing).await;
    }
    let feed = letter.blob.feed().filter(|feed| at.announce.pipeline.feed(feed).is_some());
    let (Some(warehouse), Some(feed)) = (warehouse, feed) else { return Ok(true) };
    let Some(unit) = warehouse.unit(&FileUnit { feed, blob: letter.blob.clone() }).await? else { return Ok(true) };
    if unit.etag == letter.etag {
        return Ok(false);
    }
    let landed = at.announce.landing.head(&letter.blob).await?;
    let is_replaced = landed.is_some_and(|facts| facts.etag == unit.etag);
    Ok(!is_replaced)
}

/// Whether what has the odd name is still there, in the same version.
async fn lies_there(letter: &DeadLetter, landing: &Container) -> Result<bool, SweepError> {
    // Of a name that was too long, the letter has the beginning.
    let beginning: String = letter.blob.as_str().chars().take(ODD_NAME_KEPT).collect();
    let mut below = landing.list_everything(&beginning, None);
    while let Some(listed) = below.try_next().await? {
        let (name, etag) = match &listed {
            Listed::Odd(odd) => (&odd.shown, &odd.etag),
            Listed::Blob(facts) => (&facts.name, &facts.etag),
        };
        if *name == letter.blob && *etag == letter.etag {
            return Ok(true);
        }
    }
    Ok(false)
}
