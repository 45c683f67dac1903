//! Bad and typed rows that a load wrote and nobody counts: it was killed before its commit, or after one that displaced
//! another's and before that one's files were gone.

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt};
use tracing::info;

use super::{SweepError, SweepStations};
use crate::functions::load::marker_of;
use crate::names::{BlobName, FeedName};
use crate::records::load_files::{self, LoadFile};
use crate::records::sweep_position::{self, LeftoversPosition};
use crate::records::{dead_letters, loaded, quarantined_events, retracted};
use crate::stations::containers::BlobFacts;
use crate::stations::warehouse::FileUnit;

/// A file this old belongs to no load that is still under way.
const LEFT_BEHIND: TimeDelta = TimeDelta::days(1);

/// How often the containers are looked through.
const ROUND: TimeDelta = TimeDelta::days(1);

/// Files of each container that one tick looks at.
const FILES_A_TICK: usize = 1_000;

/// Looks at the next page of both containers, and removes what nobody counts. Returns how many files that were.
pub async fn remove(at: &SweepStations<'_>, now: DateTime<Utc>) -> Result<usize, SweepError> {
    let state = at.announce.state;
    let mut position = sweep_position::read_leftovers(state).await?;
    if position.is_round_over() && now - position.round_began < ROUND {
        return Ok(0);
    }
    if position.is_round_over() {
        position = LeftoversPosition::begin(now);
    }
    let mut removed = 0;
    for (container, after) in [(at.quarantine, &mut position.quarantine), (at.curated, &mut position.curated)] {
        let Some(last) = after else { continue };
        let page: Vec<BlobFacts> = container.list("", Some(last.as_str())).take(FILES_A_TICK).try_collect().await?;
        for file in page.iter().filter(|file| now - file.last_modified > LEFT_BEHIND) {
            if is_counted(&file.name, at).await? {
                continue;
            }
            container.delete(&file.name).await?;
            info!("removed {}, which a load that does not count left in {}", file.name, container.name());
            removed += 1;
        }
        *after = page.last().filter(|_| page.len() == FILES_A_TICK).map(|file| file.name.to_string());
    }
    sweep_position::write_leftovers(state, &position).await?;
    Ok(removed)
}

/// Whether a file is that of a load that counts; files that are none of ours are left alone.
async fn is_counted(file: &BlobName, at: &SweepStations<'_>) -> Result<bool, SweepError> {
    if let Some(feed) = quarantined_events::feed_of(file) {
        return events_count(&feed, file, at).await;
    }
    match load_files::parse(file) {
        Some(load) => counts(&load, file, at).await,
        None => Ok(true),
    }
}

/// Whether a commit made a file of bad events valid.
async fn events_count(feed: &FeedName, file: &BlobName, at: &SweepStations<'_>) -> Result<bool, SweepError> {
    let state = at.announce.state;
    if quarantined_events::is_noted(state, file).await? {
        return Ok(true);
    }
    // The name but for its last character comes just before it, as all end alike.
    let before = &file.as_str()[..file.as_str().len() - 1];
    let found = at.warehouse.stream_quarantine(feed, Some(before), 1).await?;
    let is_named = found.iter().any(|(_, named)| named.name == file.as_str());
    if is_named {
        // So that nobody asks the ledger about this file again.
        quarantined_events::note(state, file).await?;
    }
    Ok(is_named)
}

/// Whether the load counts, or a dead letter tells people to read the file.
async fn counts(load: &LoadFile, file: &BlobName, at: &SweepStations<'_>) -> Result<bool, SweepError> {
    let state = at.announce.state;
    let marker = loaded::read(state, &load.blob, &load.etag).await?;
    if marker.is_some_and(|marker| marker.load_id.as_ref() == Some(&load.load_id)) {
        return Ok(true);
    }
    let letter = dead_letters::read(state, &load.blob, &load.etag).await?;
    if letter.is_some_and(|letter| letter.quarantine.as_deref() == Some(file.as_str())) {
        return Ok(true);
    }
    // A retracted version keeps its files until it counts again or is erased.
    if retracted::exists(state, &load.blob, &load.etag).await? {
        return Ok(true);
    }
    let Some(feed) = load.blob.feed() else { return Ok(false) };
    let unit = at.warehouse.unit(&FileUnit { feed, blob: load.blob.clone() }).await?;
    let Some(unit) = unit.filter(|unit| unit.load_id == load.load_id) else { return Ok(false) };
    if unit.retracted_at.is_none() {
        // A marker that names the load, so that nobody asks the ledger about this file again.
        loaded::write(state, &marker_of(&unit)).await?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
