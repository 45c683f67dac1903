//! Where the files of one feed stand, and of each of its sources.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};

use super::sources::{Staged, source_status};
use super::{
    CountedFiles, FeedStatus, FileCounts, GenerationStatus, SourceStatus, StatusError, StatusStations, WaitingFile,
};
use crate::names::{BlobName, FeedName, SourceName};
use crate::pipeline::Feed;
use crate::records::tally::{self, Counted, MarkerFacts};
use crate::records::version_set::VersionSet;
use crate::records::{attempts, dead_letters, loaded, new_columns, quarantined_events, retracted};
use crate::stations::containers::{BlobFacts, Container};

/// A feed of so few files has its markers read for the page; what more come to, the sweep has added up.
const MARKERS_READ: usize = 200;
const READS_AT_A_TIME: usize = 16;

pub(super) async fn feed_status(
    feed: &Feed,
    staged: &Staged,
    at: &StatusStations<'_>,
) -> Result<FeedStatus, StatusError> {
    let mut sources = Vec::with_capacity(feed.sources.len());
    for source in &feed.sources {
        sources.push(source_status(feed, source, staged, at).await?);
    }
    let mut status = FeedStatus {
        feed: feed.name.clone(),
        files: FileCounts::default(),
        last_landed: None,
        loading: attempts::count(at.state, &feed.name).await?,
        counted: CountedFiles::default(),
        quarantine_files: 0,
        quarantine_bytes: 0,
        dead_letters: 0,
        new_columns: new_columns::read(at.state, &feed.name).await?.map(|seen| seen.columns).unwrap_or_default(),
        sources,
    };
    for source in &status.sources {
        status.files.at_source += source.files.at_source;
        status.files.staged += source.files.staged;
        status.files.staged_bytes += source.files.staged_bytes;
    }
    for prefix in [format!("{}/", feed.name), quarantined_events::prefix_of(&feed.name)] {
        let mut quarantine = at.quarantine.list(&prefix, None);
        while let Some(file) = quarantine.try_next().await? {
            status.quarantine_files += 1;
            status.quarantine_bytes += file.size_bytes;
        }
    }
    look_at_landing(&mut status, at).await?;
    Ok(status)
}

async fn look_at_landing(status: &mut FeedStatus, at: &StatusStations<'_>) -> Result<(), StatusError> {
    let feed = status.feed.clone();
    let loaded = VersionSet::of(loaded::versions(at.state, &feed)).await?;
    let dead = VersionSet::of(dead_letters::versions(at.state, &feed)).await?;
    let retracted = VersionSet::of(retracted::versions(at.state, &feed)).await?;
    status.dead_letters = dead.len();
    status.counted = counted(&feed, loaded.len(), at.state).await?;
    let mut landed = at.landing.list(&format!("{feed}/"), None);
    while let Some(blob) = landed.try_next().await? {
        status.last_landed = status.last_landed.max(Some(blob.last_modified));
        let standing = if retracted.has(&blob.name, &blob.etag) {
            Standing::Retracted
        } else if loaded.has(&blob.name, &blob.etag) {
            Standing::Loaded
        } else if dead.has(&blob.name, &blob.etag) {
            Standing::Dead
        } else {
            Standing::Waiting
        };
        status.files.add(&blob, standing);
        if let Some(source) = source_of(&feed, &blob.name, &mut status.sources) {
            source.files.add(&blob, standing);
        }
    }
    Ok(())
}

/// The source that lands under this name; what others uploaded may be the feed's alone.
fn source_of<'a>(feed: &FeedName, blob: &BlobName, sources: &'a mut [SourceStatus]) -> Option<&'a mut SourceStatus> {
    let below_feed = blob.as_str().strip_prefix(feed.as_str())?.strip_prefix('/')?;
    let folder = below_feed.split_once('/').map(|(folder, _)| folder);
    sources.iter_mut().find(|source| match source.source.as_ref().map(SourceName::as_str) {
        None => true,
        name => name == folder,
    })
}

#[derive(Clone, Copy)]
enum Standing {
    Loaded,
    Dead,
    Retracted,
    Waiting,
}

impl FileCounts {
    fn add(&mut self, blob: &BlobFacts, standing: Standing) {
        self.landed += 1;
        self.landed_bytes += blob.size_bytes;
        match standing {
            Standing::Loaded => self.loaded += 1,
            Standing::Dead => self.dead += 1,
            Standing::Retracted => self.retracted += 1,
            Standing::Waiting => {
                self.waiting += 1;
                if self.oldest_waiting.as_ref().is_none_or(|oldest| blob.last_modified < oldest.landed_at) {
                    self.oldest_waiting = Some(WaitingFile { blob: blob.name.clone(), landed_at: blob.last_modified });
                }
            }
        }
    }
}

/// `markers`: how many there are.
async fn counted(feed: &FeedName, markers: usize, state: &Container) -> Result<CountedFiles, StatusError> {
    if markers > MARKERS_READ {
        let Some(tally) = tally::read(state, feed).await? else {
            return Ok(CountedFiles { not_added_up: markers, ..CountedFiles::default() });
        };
        let sums = CountedFiles::of(tally.generations);
        let added_up: usize = sums.generations.iter().map(|of| of.files).sum();
        return Ok(CountedFiles { as_of: Some(tally.as_of), not_added_up: markers.saturating_sub(added_up), ..sums });
    }
    let few: Vec<BlobFacts> = loaded::records(state, feed).take(MARKERS_READ).try_collect().await?;
    let reads: Vec<BoxFuture<'_, _>> =
        few.iter().map(|record| loaded::read_record(state, &record.name).boxed()).collect();
    let mut markers = futures::stream::iter(reads).buffered(READS_AT_A_TIME);
    let mut generations: BTreeMap<i64, Counted> = BTreeMap::new();
    while let Some(marker) = markers.try_next().await? {
        if let Some(marker) = marker {
            generations.entry(marker.generation).or_default().add(&MarkerFacts::from(&marker));
        }
    }
    Ok(CountedFiles::of(generations))
}

impl CountedFiles {
    fn of(generations: BTreeMap<i64, Counted>) -> Self {
        let generations: Vec<GenerationStatus> = generations
            .into_iter()
            .map(|(generation, Counted { files, rows_read, rows_rejected })| GenerationStatus {
                generation,
                files,
                rows_read,
                rows_rejected,
            })
            .collect();
        CountedFiles {
            rows_read: generations.iter().map(|of| of.rows_read).sum(),
            rows_rejected: generations.iter().map(|of| of.rows_rejected).sum(),
            generations,
            as_of: None,
            not_added_up: 0,
        }
    }
}

#[cfg(test)]
mod tests;
