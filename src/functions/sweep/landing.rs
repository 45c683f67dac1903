//! One tick's way through landing: each feed in a lane of its own, from where the last tick stopped.
//!
//! A tick is bounded in blobs, announcements and time, which the lanes share. Its position is written on the way, so that a
//! tick that is killed leaves the next one to go on and not to begin again.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::time::Instant;
use tracing::{error, warn};

use super::ages::is_due;
use super::{ANNOUNCEMENTS_A_TICK, LOOKUPS_AT_A_TIME, SweepError, SweepReport, SweepStations};
use crate::functions::announce::{AnnounceError, AnnounceStations, Announced, announce_blob};
use crate::names::BlobName;
use crate::records::dead_letters::{self, DeadLetter};
use crate::records::sweep_position::{self, LanePosition, SweepPosition};
use crate::records::{loaded, retracted};
use crate::stations::Disposition;
use crate::stations::containers::{BlobFacts, Container, ContainerError, Listed, OddBlob};
use crate::telemetry::chain;

/// Blobs that one tick looks at.
pub(super) const BLOBS_A_TICK: usize = 5_000;

/// Blobs that are looked at between two writings of the position.
const BATCH: usize = 500;

/// Blobs of a lane that may fail at a tick, to be tried once more at the next. Where more do, the store is away.
const FAILURES_A_LANE: usize = 100;

/// What the lanes that were not looked into yet may still take.
struct Allowance {
    blobs: usize,
    announcements: usize,
}

pub(super) async fn look(
    at: &SweepStations<'_>,
    now: DateTime<Utc>,
    deadline: Instant,
    report: &mut SweepReport,
) -> Result<(), SweepError> {
    let state = at.announce.state;
    let mut position = sweep_position::read(state).await?;
    let feeds: BTreeSet<&str> = at.announce.pipeline.feeds.iter().map(|feed| feed.name.as_str()).collect();
    let mut lanes: Vec<&str> = feeds.iter().copied().chain([""]).collect();
    position.lanes.retain(|lane, _| lanes.contains(&lane.as_str()));
    // Whoever waits longest comes first, should the time be up.
    lanes.sort_by_key(|lane| position.lanes.get(*lane).and_then(LanePosition::newest_look));

    let mut left = Allowance { blobs: BLOBS_A_TICK, announcements: ANNOUNCEMENTS_A_TICK };
    let mut has_looked: BTreeSet<&str> = BTreeSet::new();
    while !lanes.is_empty() && left.blobs > 0 && left.announcements > 0 {
        // What one lane leaves of its share, the others have in the next pass.
        let mut hungry = Vec::new();
        for (index, lane) in lanes.iter().copied().enumerate() {
            if !has_looked.is_empty() && Instant::now() >= deadline {
                break;
            }
            let share = left.share_of(lanes.len() - index);
            let before = (report.looked_at, report.announced_again);
            let mut tick = LaneTick { at, lane, feeds: &feeds, now, deadline, position: &mut position, report };
            let outcome = if has_looked.contains(lane) { tick.look(share).await } else { tick.begin(share).await };
            left.take(report.looked_at - before.0, report.announced_again - before.1);
            match outcome {
                Ok(Came::Hungry) => hungry.push(lane),
                Ok(Came::ToAnEnd) => {}
                Err(error) => {
                    sweep_position::write(state, &position).await?;
                    return Err(error);
                }
            }
            has_looked.insert(lane);
        }
        lanes = hungry;
    }
    sweep_position::write(state, &position).await?;
    Ok(())
}

/// How a lane's part of a tick ended.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// At the end of the lane, or where it cannot go on now.
    ToAnEnd,
    /// With its share used up.
    Hungry,
}

impl Allowance {
    fn share_of(&self, lanes: usize) -> Self {
        Allowance { blobs: self.blobs.div_ceil(lanes), announcements: self.announcements.div_ceil(lanes) }
    }

    fn take(&mut self, blobs: usize, announcements: usize) {
        self.blobs = self.blobs.saturating_sub(blobs);
        self.announcements = self.announcements.saturating_sub(announcements);
    }
}

/// One lane at one tick.
struct LaneTick<'a, 's> {
    at: &'a SweepStations<'s>,
    /// A feed; empty: what is of no feed.
    lane: &'a str,
    feeds: &'a BTreeSet<&'a str>,
    now: DateTime<Utc>,
    deadline: Instant,
    position: &'a mut SweepPosition,
    report: &'a mut SweepReport,
}

impl LaneTick<'_, '_> {
    /// First what failed at the last tick, then what comes after the position.
    async fn begin(&mut self, mut share: Allowance) -> Result<Came, SweepError> {
        self.try_failed_again(&mut share).await?;
        self.look(share).await
    }

    async fn look(&mut self, mut share: Allowance) -> Result<Came, SweepError> {
        let landing = self.at.announce.landing;
        let after = self.lane_position().after.clone();
        let mut list = listed(landing, self.lane, self.feeds, after);
        loop {
            let wanted = BATCH.min(share.blobs);
            if wanted == 0 {
                return Ok(Came::Hungry);
            }
            let batch: Vec<Listed> = (&mut list).take(wanted).try_collect().await?;
            let is_last = batch.len() < wanted;
            let changed_before = self.report.announced_again + self.report.dead_lettered;
            if let Some(came) = self.look_at(&batch, &mut share).await? {
                return Ok(came);
            }
            if is_last {
                let now = self.now;
                self.lane_position().end_round(now);
                return Ok(Came::ToAnEnd);
            }
            share.blobs -= batch.len();
            if batch.len() == BATCH || self.report.announced_again + self.report.dead_lettered > changed_before {
                sweep_position::write(self.at.announce.state, self.position).await?;
            }
            if Instant::now() >= self.deadline {
                return Ok(Came::ToAnEnd);
            }
        }
    }

    fn lane_position(&mut self) -> &mut LanePosition {
        self.position.lanes.entry(self.lane.to_owned()).or_default()
    }

    /// What failed at the last tick has one more chance now, and then at its ages only.
    async fn try_failed_again(&mut self, share: &mut Allowance) -> Result<(), SweepError> {
        let mut failed = std::mem::take(&mut self.lane_position().failed);
        while let Some(text) = failed.pop() {
            let Ok(name) = BlobName::new(text.as_str()) else { continue };
            let outcome = match self.at.announce.landing.head(&name).await {
                Ok(Some(facts)) => settle(&Listed::Blob(facts), &self.at.announce).await,
                Ok(None) => Ok(Settled::Well),
                Err(error) => Err(error.into()),
            };
            match outcome {
                Ok(settled) => self.count(&settled, share),
                Err(error @ AnnounceError::Hub(_)) => {
                    failed.push(text);
                    self.lane_position().failed = failed;
                    return Err(error.into());
                }
                Err(error) => self.tell_failure(name.as_str(), &error),
            }
        }
        Ok(())
    }

    /// Looks at those of the batch that have reached one of their ages, in their order. `None`: at all of them.
    async fn look_at(&mut self, batch: &[Listed], share: &mut Allowance) -> Result<Option<Came>, SweepError> {
        let (now, at) = (self.now, self.at);
        let lane = self.lane_position();
        let due: Vec<&Listed> = batch
            .iter()
            .filter(|listed| is_due(listed.last_modified(), lane.last_look(listed.position()), now))
            .collect();
        let mut last: Option<&str> = None;
        let mut left = due.as_slice();
        while !left.is_empty() {
            // No more than may be announced are begun, so that none of them is broken off.
            let (now_due, later) = left.split_at(share.announcements.min(left.len()));
            if now_due.is_empty() {
                self.stop_after(last);
                return Ok(Some(Came::Hungry));
            }
            let settling: Vec<BoxFuture<'_, _>> =
                now_due.iter().map(|listed| settle(listed, &at.announce).boxed()).collect();
            let mut outcomes = stream::iter(settling).buffered(LOOKUPS_AT_A_TIME);
            for listed in now_due {
                match outcomes.next().await {
                    None => {}
                    Some(Ok(settled)) => self.count(&settled, share),
                    // The hub is away: the next tick goes on with this blob.
                    Some(Err(error @ AnnounceError::Hub(_))) => {
                        self.stop_after(last);
                        return Err(error.into());
                    }
                    Some(Err(error)) => {
                        self.tell_failure(listed.position(), &error);
                        if self.lane_position().failed.len() >= FAILURES_A_LANE {
                            self.stop_after(last);
                            return Ok(Some(Came::ToAnEnd));
                        }
                        // One odd blob stops nothing: the next ones are looked at all the same.
                        if let Listed::Blob(facts) = listed {
                            self.lane_position().failed.push(facts.name.to_string());
                        }
                    }
                }
                last = Some(listed.position());
            }
            left = later;
        }
        if let Some(end) = batch.last() {
            self.lane_position().come_to(end.position(), now);
            self.report.looked_at += batch.len();
        }
        Ok(None)
    }

    fn stop_after(&mut self, last: Option<&str>) {
        let now = self.now;
        if let Some(last) = last {
            self.lane_position().come_to(last, now);
        }
    }

    fn count(&mut self, settled: &Settled, share: &mut Allowance) {
        match settled {
            Settled::Well => {}
            Settled::Announced => {
                self.report.announced_again += 1;
                share.announcements = share.announcements.saturating_sub(1);
            }
            Settled::DeadLettered => self.report.dead_lettered += 1,
        }
    }

    fn tell_failure(&mut self, name: &str, failure: &AnnounceError) {
        self.report.failed += 1;
        error!("{name} could not be swept: {}", chain(failure));
    }
}

/// What a lane lists, after a position.
fn listed(
    landing: &Container,
    lane: &str,
    feeds: &BTreeSet<&str>,
    after: Option<String>,
) -> BoxStream<'static, Result<Listed, ContainerError>> {
    if !lane.is_empty() {
        return landing.list_everything(&format!("{lane}/"), after.as_deref());
    }
    let feeds: BTreeSet<String> = feeds.iter().map(|feed| (*feed).to_owned()).collect();
    let list = landing.list_everything("", after.as_deref());
    // Lists of what is of no feed, each up to the next feed's blobs, which are passed over whole.
    stream::try_unfold((list, landing.clone(), feeds), |(mut list, landing, feeds)| async {
        loop {
            let Some(listed) = list.try_next().await? else { return Ok(None) };
            let first = listed.position().split_once('/').map(|(first, _)| first);
            let Some(feed) = first.filter(|first| feeds.contains(*first)) else {
                return Ok(Some((listed, (list, landing, feeds))));
            };
            let end = format!("{feed}/{}", char::MAX);
            if listed.position() < end.as_str() {
                list = landing.list_everything("", Some(&end));
            }
        }
    })
    .boxed()
}

/// How it stands with one entry of landing.
enum Settled {
    /// It is loaded, dead, retracted or gone.
    Well,
    Announced,
    DeadLettered,
}

async fn settle(listed: &Listed, at: &AnnounceStations<'_>) -> Result<Settled, AnnounceError> {
    match listed {
        Listed::Odd(odd) if dead_letters::exists(at.state, &odd.shown, &odd.etag).await? => Ok(Settled::Well),
        Listed::Odd(odd) => {
            warn!("{} is a dead letter: {}", odd.shown, odd.reason);
            dead_letters::write(at.state, of_odd_name(odd, at.clock.now())).await?;
            Ok(Settled::DeadLettered)
        }
        Listed::Blob(facts) => match settle_blob(facts, at).await {
            // Such as a message that no hub takes: it is so at every try.
            Err(error) if error.disposition() == Disposition::Reject => {
                error!("{} is a dead letter: {}", facts.name, chain(&error));
                dead_letters::write(at.state, of_refused(facts, &error, at.clock.now())).await?;
                Ok(Settled::DeadLettered)
            }
            settled => settled,
        },
    }
}

async fn settle_blob(facts: &BlobFacts, at: &AnnounceStations<'_>) -> Result<Settled, AnnounceError> {
    let is_known = loaded::exists(at.state, &facts.name, &facts.etag).await?
        || dead_letters::exists(at.state, &facts.name, &facts.etag).await?
        || retracted::exists(at.state, &facts.name, &facts.etag).await?;
    if is_known {
        return Ok(Settled::Well);
    }
    Ok(match announce_blob(facts, at).await? {
        Announced::Sent(_) => Settled::Announced,
        Announced::DeadLettered => Settled::DeadLettered,
        Announced::Gone => Settled::Well,
    })
}

fn of_odd_name(odd: &OddBlob, now: DateTime<Utc>) -> DeadLetter {
    DeadLetter {
        blob: odd.shown.clone(),
        etag: odd.etag.clone(),
        stage: dead_letters::SWEEP.to_owned(),
        reason: format!("it cannot be read under its name: {}", odd.reason),
        remedy: "give it another name in landing, or remove it there; the letter goes with the next daily check"
            .to_owned(),
        row: None,
        quarantine: None,
        tries: 1,
        first_at: now,
        last_at: now,
    }
}

fn of_refused(facts: &BlobFacts, error: &AnnounceError, now: DateTime<Utc>) -> DeadLetter {
    DeadLetter {
        blob: facts.name.clone(),
        etag: facts.etag.clone(),
        stage: dead_letters::SWEEP.to_owned(),
        reason: format!("it cannot be announced: {}", chain(error)),
        remedy: "upload it under another name".to_owned(),
        row: None,
        quarantine: None,
        tries: 1,
        first_at: now,
        last_at: now,
    }
}

#[cfg(test)]
mod tests;
