//! Events that were bad and are good now, landed as ordinary files.
//!
//! A file of bad events has numbers that no other has, and so has the file that is landed of it: it is one unit of the ledger.
//! What is mended later lands under the same name as a new version, which replaces the counts of the one before. So this
//! may be done again and again, and no event counts twice.

use bytes::Bytes;
use tracing::warn;

use super::retract::Intent;
use crate::counting::events::{EventCounter, one_line};
use crate::counting::{Budget, CountError};
use crate::functions::stream::StreamedFeed;
use crate::names::BlobName;
use crate::records::quarantined_events::{self, QuarantinedEvent, landed_name};
use crate::stations::containers::{Container, ContainerError};
use crate::stations::warehouse::{StreamUnit, Warehouse, WarehouseError};

/// Files that the ledger is asked for at a time.
const FILES_AT_A_TIME: usize = 200;

pub struct ReplayStations<'a> {
    pub landing: &'a Container,
    pub quarantine: &'a Container,
    pub warehouse: &'a dyn Warehouse,
    pub budget: &'a Budget,
}

/// What became of one file of bad events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayedFile {
    /// In container `quarantine`.
    pub file: String,
    pub mended: usize,
    /// Events that are bad still, and why the first of them is.
    pub bad: usize,
    pub first_bad: Option<(u64, String)>,
    pub landed: Landed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landed {
    /// None of its events is good now.
    Nothing,
    /// This blob lies in landing since an earlier replay, with just these events.
    Already(BlobName),
    /// This blob is new, or a new version. With [`Intent::Tell`] it would be.
    New(BlobName),
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    #[error("the events of `{file}` could not be looked at")]
    Count { file: String, source: CountError },
}

/// Looks at every file of bad events of a feed; `tell` hears of each.
pub async fn replay_quarantine(
    feed: &StreamedFeed,
    intent: Intent,
    at: &ReplayStations<'_>,
    tell: &mut (dyn FnMut(ReplayedFile) + Send),
) -> Result<(), ReplayError> {
    let mut after: Option<String> = None;
    loop {
        let page = at.warehouse.stream_quarantine(feed.name(), after.as_deref(), FILES_AT_A_TIME).await?;
        for (unit, file) in &page {
            match replay_file(feed, unit, &file.name, intent, at).await? {
                Some(replayed) => tell(replayed),
                None => warn!("{} is gone from quarantine: its events cannot be replayed", file.name),
            }
        }
        match page.last() {
            Some((_, last)) if page.len() == FILES_AT_A_TIME => after = Some(last.name.clone()),
            _ => return Ok(()),
        }
    }
}

async fn replay_file(
    feed: &StreamedFeed,
    unit: &StreamUnit,
    file: &str,
    intent: Intent,
    at: &ReplayStations<'_>,
) -> Result<Option<ReplayedFile>, ReplayError> {
    let Ok(name) = BlobName::new(file) else { return Ok(None) };
    let Some(events) = quarantined_events::read(at.quarantine, &name).await? else { return Ok(None) };
    let counted = sort_out(&feed.counter, &events, at.budget).await;
    let reasons = counted.map_err(|source| ReplayError::Count { file: file.to_owned(), source })?;
    let mut text = Vec::new();
    let (mut mended, mut bad, mut first_bad) = (0, 0, None);
    for (event, reason) in events.iter().zip(reasons) {
        match (reason, one_line(&event.body)) {
            (None, Ok(line)) => {
                mended += 1;
                text.extend_from_slice(&line);
                text.push(b'\n');
            }
            (reason, line) => {
                bad += 1;
                let reason = reason.or_else(|| line.err().map(str::to_owned)).unwrap_or_default();
                first_bad.get_or_insert((event.sequence_number, reason));
            }
        }
    }
    let landed = if mended == 0 { Landed::Nothing } else { land(unit, &events, text, intent, at).await? };
    Ok(Some(ReplayedFile { file: file.to_owned(), mended, bad, first_bad, landed }))
}

/// Of each event, why it is bad still; `None`: it is good now.
async fn sort_out(
    counter: &EventCounter,
    events: &[QuarantinedEvent],
    budget: &Budget,
) -> Result<Vec<Option<String>>, CountError> {
    let mut reasons = vec![None; events.len()];
    let bodies = || events.iter().map(|event| event.body.clone());
    match counter.count(bodies().collect(), budget).await {
        Ok(counted) => counted.bad.into_iter().for_each(|bad| reasons[bad.position] = Some(bad.reason)),
        // An expression or a sum that some event breaks does not say which.
        Err(error) if error.disposition() == crate::stations::Disposition::Reject => {
            for (reason, body) in reasons.iter_mut().zip(bodies()) {
                *reason = match counter.count(vec![body], budget).await {
                    Ok(counted) => counted.bad.into_iter().next().map(|bad| bad.reason),
                    Err(error) => Some(crate::telemetry::chain(&error)),
                };
            }
        }
        Err(error) => return Err(error),
    }
    Ok(reasons)
}

async fn land(
    unit: &StreamUnit,
    events: &[QuarantinedEvent],
    text: Vec<u8>,
    intent: Intent,
    at: &ReplayStations<'_>,
) -> Result<Landed, ReplayError> {
    let (first, last) = (events[0].sequence_number, events[events.len() - 1].sequence_number);
    let blob = landed_name(unit, first, last);
    if at.landing.get(&blob).await?.is_some_and(|there| there == text) {
        return Ok(Landed::Already(blob));
    }
    if intent == Intent::Do {
        at.landing.put(&blob, Bytes::from(text)).await?;
    }
    Ok(Landed::New(blob))
}
