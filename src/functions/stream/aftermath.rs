//! What follows the commits of a stream: the stored position, for the sweep and the status page. It decides nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::cursor::Cursor;
use super::{StreamError, StreamReport, StreamStations, is_too_many};
use crate::names::Sha256;
use crate::records::new_columns;
use crate::records::streams::{self, StreamPosition, TooManyBad};
use crate::stations::containers::{Container, ContainerError};
use crate::stations::warehouse::{StreamGap, StreamRecord, WarehouseError};
use crate::telemetry::chain;

/// A busy partition's position is written this often: a write for each batch would cost more than the batch.
const WRITTEN_EVERY: Duration = Duration::from_secs(2);

/// When this process last wrote each partition's position, and what it has not written yet. It saves money and decides
/// nothing: what a kill takes with it, the sweep writes.
#[derive(Clone, Debug, Default)]
pub struct PositionsWritten {
    partitions: Arc<Mutex<HashMap<Sha256, Written>>>,
}

#[derive(Debug, Default)]
struct Written {
    at: Option<DateTime<Utc>>,
    /// Written when the time has come; a task waits for that.
    pending: Option<News>,
}

/// What a batch brought for the stored position.
#[derive(Clone, Debug)]
struct News {
    record: StreamRecord,
    gaps: Vec<StreamGap>,
    too_many_bad: Option<TooManyBad>,
    unknown_columns: BTreeSet<String>,
    /// Of the summaries' beginnings, where they were asked.
    since: Option<Vec<String>>,
}

impl PositionsWritten {
    fn partitions(&self) -> MutexGuard<'_, HashMap<Sha256, Written>> {
        self.partitions.lock().expect("nothing panics while it holds the positions")
    }

    /// The news back, if they may be written now. Else they wait with those that wait already, and the answer says whether
    /// somebody must come for them.
    fn may_write(&self, unit: &Sha256, news: News, now: DateTime<Utc>) -> Result<News, Later> {
        let mut partitions = self.partitions();
        let written = partitions.entry(unit.clone()).or_default();
        let age = written.at.map(|at| now - at);
        let is_recent =
            age.is_some_and(|age| age >= TimeDelta::zero() && age.to_std().is_ok_and(|age| age < WRITTEN_EVERY));
        if !is_recent || news.is_for_people() {
            written.at = Some(now);
            return Ok(match written.pending.take() {
                Some(earlier) => earlier.followed_by(news),
                None => news,
            });
        }
        let later = if written.pending.is_some() { Later::SomebodyComes } else { Later::ComeForThem };
        written.pending = Some(match written.pending.take() {
            Some(earlier) => earlier.followed_by(news),
            None => news,
        });
        Err(later)
    }

    fn take(&self, unit: &Sha256, now: DateTime<Utc>) -> Option<News> {
        let mut partitions = self.partitions();
        let written = partitions.get_mut(unit)?;
        written.at = Some(now);
        written.pending.take()
    }
}

enum Later {
    ComeForThem,
    SomebodyComes,
}

impl News {
    fn of(cursor: &Cursor<'_>, report: &StreamReport, at: &StreamStations<'_>) -> Option<Self> {
        let is_too_many = is_too_many(report, cursor.feed.max_reject_ratio());
        let (read, rejected) = (report.counted, report.rejected);
        Some(News {
            record: cursor.record.clone()?,
            gaps: cursor.gaps.clone(),
            too_many_bad: is_too_many.then(|| TooManyBad { read, rejected, at: at.clock.now() }),
            unknown_columns: cursor.unknown_columns.clone(),
            since: None,
        })
    }

    /// A loss does not wait.
    fn is_for_people(&self) -> bool {
        !self.gaps.is_empty() || self.too_many_bad.is_some()
    }

    fn followed_by(mut self, later: News) -> News {
        self.gaps.extend(later.gaps);
        self.unknown_columns.extend(later.unknown_columns);
        News {
            gaps: self.gaps,
            unknown_columns: self.unknown_columns,
            too_many_bad: later.too_many_bad.or(self.too_many_bad),
            since: later.since.or(self.since),
            record: later.record,
        }
    }

    /// Writes the position over what is stored of the same hub.
    async fn write(self, state: &Container, now: DateTime<Utc>) -> Result<(), ContainerError> {
        let unit = &self.record.unit;
        let stored = streams::read(state, &unit.feed, &unit.hub, &unit.partition).await?;
        let mut position = StreamPosition::of(&self.record);
        if let Some(stored) = stored.filter(|stored| stored.is_of(unit)) {
            position.gaps = stored.gaps;
            position.too_many_bad = stored.too_many_bad;
            position.since = stored.since;
        }
        position.add_gaps(self.gaps);
        position.too_many_bad = self.too_many_bad.or(position.too_many_bad);
        position.since = self.since.unwrap_or(position.since);
        streams::write(state, &position).await?;
        new_columns::add(state, &unit.feed, self.unknown_columns.into_iter().collect(), now).await
    }
}

/// After a batch: writes the position now, or a little later together with what comes until then.
pub async fn finish(cursor: &Cursor<'_>, report: &StreamReport, at: &StreamStations<'_>) -> Result<(), ContainerError> {
    let Some(news) = News::of(cursor, report, at) else { return Ok(()) };
    let unit = cursor.unit.id();
    match at.written.may_write(&unit, news, at.clock.now()) {
        Ok(news) => news.write(at.state, at.clock.now()).await,
        Err(Later::SomebodyComes) => Ok(()),
        Err(Later::ComeForThem) => {
            let (written, state, clock) = (at.written.clone(), at.state.clone(), at.clock.clone());
            tokio::spawn(async move {
                tokio::time::sleep(WRITTEN_EVERY).await;
                let Some(news) = written.take(&unit, clock.now()) else { return };
                if let Err(error) = news.write(&state, clock.now()).await {
                    warn!("the position of a stream could not be written, the sweep will: {}", chain(&error));
                }
            });
            Ok(())
        }
    }
}

/// After a look by the sweep: written at once, with the summaries' beginnings from the ledger.
pub async fn refresh(cursor: &Cursor<'_>, report: &StreamReport, at: &StreamStations<'_>) -> Result<(), StreamError> {
    let Some(mut news) = News::of(cursor, report, at) else { return Ok(()) };
    news.since = Some(since(cursor, news.record.begins, at).await?);
    if let Some(earlier) = at.written.take(&cursor.unit.id(), at.clock.now()) {
        news = earlier.followed_by(news);
    }
    Ok(news.write(at.state, at.clock.now()).await?)
}

/// In words, the summaries that count only since some number.
async fn since(cursor: &Cursor<'_>, begins: u64, at: &StreamStations<'_>) -> Result<Vec<String>, WarehouseError> {
    let summaries = at.warehouse.stream_summaries(&cursor.unit).await?;
    let later = summaries.into_iter().filter(|summary| summary.until.is_none() && summary.since > begins);
    Ok(later
        .map(|summary| {
            format!(
                "table `{}` counts as its summary says now since event {} (generation {})",
                summary.table, summary.since, summary.generation
            )
        })
        .collect())
}
