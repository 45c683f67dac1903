//! A page of a feed's landed files against its units in the ledger, both by the bytes of their names.
//!
//! | ledger, about the landed version | marker | what is done |
//! |---|---|---|
//! | counts it | missing | it is written anew |
//! | counts it | there | nothing |
//! | it is retracted | there | it goes; the retraction's marker is written if that is missing |
//! | knows another version, or nothing | there | it goes, and the file is announced again unless it was retracted |
//! | knows another version, or nothing | missing | nothing: the ordinary sweep finds it |
//!
//! Of a marker about a version that is not landed, nobody asks.

use std::collections::HashMap;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use tracing::{error, warn};

use super::super::{LOOKUPS_AT_A_TIME, SweepError, SweepReport, SweepStations};
use super::PageChecked;
use crate::functions::announce::{Announced, announce_blob};
use crate::functions::load::marker_of;
use crate::names::{BlobName, FeedName};
use crate::records::loaded;
use crate::records::retracted::{self, RetractionMarker};
use crate::stations::containers::{BlobFacts, ContainerError};
use crate::stations::warehouse::{FileUnit, UnitRecord};

/// Units and landed files of one page.
const PAGE: usize = 1_000;

pub(super) async fn check_page(
    feed: &FeedName,
    after: &str,
    most: usize,
    at: &SweepStations<'_>,
    report: &mut SweepReport,
) -> Result<PageChecked, SweepError> {
    let after_blob = BlobName::new(after).ok();
    let limit = PAGE.min(most);
    let units = at.warehouse.units(feed, after_blob.as_ref(), PAGE).await?;
    let after = after_blob.as_ref().map(BlobName::as_str);
    let landed: Vec<BlobFacts> = at.announce.landing.list(&format!("{feed}/"), after).take(limit).try_collect().await?;
    // Where a page is full, nothing is known of what comes after it.
    let end_of_units = units.last().filter(|_| units.len() == PAGE).map(|unit| unit.unit.blob.clone());
    let end_of_landed = landed.last().filter(|_| landed.len() == limit).map(|facts| facts.name.clone());
    let through = end_of_units.into_iter().chain(end_of_landed).min();

    let units: HashMap<&BlobName, &UnitRecord> = units.iter().map(|unit| (&unit.unit.blob, unit)).collect();
    let page: Vec<&BlobFacts> =
        landed.iter().filter(|facts| through.as_ref().is_none_or(|through| facts.name <= *through)).collect();
    let state = at.announce.state;
    let lookups: Vec<BoxFuture<'_, Result<bool, ContainerError>>> =
        page.iter().map(|facts| loaded::exists(state, &facts.name, &facts.etag).boxed()).collect();
    let mut has_markers = futures::stream::iter(lookups).buffered(LOOKUPS_AT_A_TIME);
    for facts in &page {
        let Some(has_marker) = has_markers.next().await else { break };
        let unit = units.get(&facts.name).copied().filter(|unit| unit.etag == facts.etag);
        match (has_marker, unit) {
            (Err(failure), _) => {
                report.failed += 1;
                error!("the marker of {} could not be checked: {}", facts.name, crate::telemetry::chain(&failure));
            }
            (Ok(false), Some(unit)) if unit.retracted_at.is_none() => write_anew(unit, at, report).await?,
            (Ok(_), Some(unit)) if unit.retracted_at.is_some() => retract_marker(unit, at, report).await?,
            (Ok(true), None) => forget_and_announce(feed, facts, at, report).await?,
            (Ok(_), _) => {}
        }
    }
    report.checked += page.len();
    Ok(PageChecked { looked_at: page.len(), through: through.map(String::from) })
}

async fn write_anew(unit: &UnitRecord, at: &SweepStations<'_>, report: &mut SweepReport) -> Result<(), SweepError> {
    let state = at.announce.state;
    if retracted::exists(state, &unit.unit.blob, &unit.etag).await? {
        error!(
            "{} was retracted, and the ledger counts it: was the database restored? run `millrace retract {} --blob` again",
            unit.unit.blob, unit.unit.feed
        );
        return Ok(());
    }
    loaded::write(state, &marker_of(unit)).await?;
    report.markers_mended += 1;
    Ok(())
}

/// As `load` leaves a version that the ledger calls retracted.
async fn retract_marker(unit: &UnitRecord, at: &SweepStations<'_>, report: &mut SweepReport) -> Result<(), SweepError> {
    let (state, blob, etag) = (at.announce.state, &unit.unit.blob, &unit.etag);
    let has_loaded = loaded::exists(state, blob, etag).await?;
    if !retracted::exists(state, blob, etag).await? {
        let retracted_at = unit.retracted_at.unwrap_or(unit.committed_at);
        let marker = RetractionMarker { blob: blob.clone(), etag: etag.clone(), retracted_at, erased: false };
        retracted::write(state, &marker).await?;
        report.markers_mended += 1;
    }
    if has_loaded {
        loaded::remove(state, blob, etag).await?;
        report.markers_mended += 1;
    }
    Ok(())
}

/// The ledger has forgotten a load, or the marker was never right.
async fn forget_and_announce(
    feed: &FeedName,
    facts: &BlobFacts,
    at: &SweepStations<'_>,
    report: &mut SweepReport,
) -> Result<(), SweepError> {
    let state = at.announce.state;
    // It may have been loaded since the page was read.
    let unit = at.warehouse.unit(&FileUnit { feed: feed.clone(), blob: facts.name.clone() }).await?;
    if unit.is_some_and(|unit| unit.etag == facts.etag) {
        return Ok(());
    }
    warn!("{} has a marker and the ledger does not count it: the marker goes, and it is announced again", facts.name);
    loaded::remove(state, &facts.name, &facts.etag).await?;
    report.markers_mended += 1;
    if retracted::exists(state, &facts.name, &facts.etag).await? {
        return Ok(());
    }
    // Were the tick killed here, the ordinary sweep would find the file at its next age.
    if let Announced::Sent(_) = announce_blob(facts, &at.announce).await? {
        report.announced_again += 1;
    }
    Ok(())
}
