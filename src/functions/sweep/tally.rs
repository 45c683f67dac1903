//! Adds up the loaded markers for the status page, each read once when it is new.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::time::Instant;

use super::{LOOKUPS_AT_A_TIME, SweepError, SweepStations};
use crate::names::{BlobName, FeedName};
use crate::records::loaded::{self, LoadedMarker};
use crate::records::tally::{self, Entries, MarkerFacts, MarkerId, Tally};
use crate::stations::containers::{Container, ContainerError};

/// Markers that one tick reads, over all feeds.
const MARKERS_A_TICK: usize = 5_000;

/// A feed of so many files is added up at every tick, one of twice as many at every second one: its list is long.
const FILES_FOR_A_TICK: i32 = 20_000;
const TICK: TimeDelta = TimeDelta::minutes(5);

pub(super) async fn refresh(at: &SweepStations<'_>, now: DateTime<Utc>, deadline: Instant) -> Result<(), SweepError> {
    let mut left = MARKERS_A_TICK;
    for feed in &at.announce.pipeline.feeds {
        if left == 0 || Instant::now() >= deadline {
            break;
        }
        left -= refresh_feed(&feed.name, left, at.announce.state, now).await?;
    }
    Ok(())
}

/// Returns how many markers were read.
async fn refresh_feed(
    feed: &FeedName,
    most: usize,
    state: &Container,
    now: DateTime<Utc>,
) -> Result<usize, SweepError> {
    let before = tally::read(state, feed).await?;
    if before.as_ref().is_some_and(|tally| now - tally.as_of < pause_after(tally)) {
        return Ok(0);
    }
    let known = tally::read_entries(state, feed).await?;
    let mut entries = Entries(HashMap::with_capacity(known.0.len()));
    let mut new: Vec<(MarkerId, BlobName)> = Vec::new();
    let mut unread = 0;
    let mut records = loaded::records(state, feed);
    while let Some(record) = records.try_next().await? {
        let id = MarkerId::of(&record);
        match known.0.get(&id) {
            Some(facts) => drop(entries.0.insert(id, *facts)),
            None if new.len() < most => new.push((id, record.name)),
            None => unread += 1,
        }
    }
    let count = new.len();
    let reads: Vec<BoxFuture<'_, Result<Option<LoadedMarker>, ContainerError>>> =
        new.iter().map(|(_, name)| loaded::read_record(state, name).boxed()).collect();
    let mut markers = futures::stream::iter(reads).buffered(LOOKUPS_AT_A_TIME);
    for (id, _) in &new {
        let marker = markers.try_next().await?.flatten();
        entries.0.insert(*id, marker.as_ref().map_or(MarkerFacts::UNREADABLE, MarkerFacts::from));
    }
    if entries != known {
        tally::write_entries(state, feed, &entries).await?;
    }
    tally::write(state, feed, &Tally { as_of: now, generations: entries.sums(), unread }).await?;
    Ok(count)
}

fn pause_after(tally: &Tally) -> TimeDelta {
    let files: usize = tally.generations.values().map(|counted| counted.files).sum();
    let ticks = i32::try_from(files).unwrap_or(i32::MAX) / FILES_FOR_A_TICK;
    // While markers wait to be read, every tick goes on; a timer that is a little early finds nothing to wait for.
    if tally.unread > 0 { TimeDelta::zero() } else { TICK * (ticks + 1) - TICK / 2 }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Place;
    use super::*;

    #[tokio::test]
    async fn markers_are_read_once_each_and_a_replaced_one_counts_anew() {
        let place = Place::new().await;
        place.load("flights/a.csv").await;
        place.load("flights/b.csv").await;
        place.tick().await;
        let feed = FeedName::new("flights").unwrap();
        let state = place.containers.state.clone();
        let tally = tally::read(&state, &feed).await.unwrap().unwrap();
        let generation = &tally.generations[&1];
        assert_eq!((generation.files, generation.rows_read, tally.unread), (2, 2, 0));

        // At these ages no file is due.
        place.after(TICK * 5).tick().await;
        place.stores.state.calls();
        place.after(TICK).tick().await;
        let quiet = place.stores.state.calls();
        let record = place.load("flights/b.csv").await;
        let marker = LoadedMarker { generation: 2, rows_rejected: 7, ..crate::functions::load::marker_of(&record) };
        loaded::write(&state, &marker).await.unwrap();
        loaded::remove(&state, &BlobName::new("flights/b.csv").unwrap(), &crate::names::ETag::new("v4").unwrap())
            .await
            .unwrap();
        place.stores.state.calls();
        place.after(TICK).tick().await;
        assert_eq!(place.stores.state.calls().reads, quiet.reads + 1, "one marker");
        let tally = tally::read(&state, &feed).await.unwrap().unwrap();
        assert_eq!((tally.generations[&2].files, tally.generations[&2].rows_rejected), (1, 7));
    }

    #[tokio::test]
    async fn very_many_markers_are_read_over_the_ticks_and_the_rest_is_told() {
        let place = Place::new().await;
        let feed = FeedName::new("flights").unwrap();
        let body = r#"{"blob":"flights/x","etag":"1","generation":1,"rows_read":10,"rows_rejected":1,
            "committed_at":"2026-03-01T00:00:00Z"}"#;
        for number in 0..2_500 {
            place.stores.state.add(&format!("loaded/flights/{number:05}.csv/=v1"), body);
        }
        let mut unread = Vec::new();
        for _ in 0..3 {
            refresh_feed(&feed, 1_000, &place.containers.state, place.after(TICK).clock.now()).await.unwrap();
            unread.push(tally::read(&place.containers.state, &feed).await.unwrap().unwrap().unread);
        }
        assert_eq!(unread, [1_500, 500, 0]);
        let tally = tally::read(&place.containers.state, &feed).await.unwrap().unwrap();
        let counted = tally::Counted { files: 2_500, rows_read: 25_000, rows_rejected: 2_500 };
        assert_eq!(tally.generations.into_iter().collect::<Vec<_>>(), [(1, counted)]);
    }
}
