//! What the last pulls came to at each source, `sources/<feed>/<source>`, for people: when it was last looked at, and why it
//! could not be. Nothing is decided by it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::names::{BlobName, FeedName, SourceName};
use crate::stations::containers::{Container, ContainerError};

/// Looks that say the same as the one before are written this far apart, so that a quiet pull writes nothing.
const QUIET: TimeDelta = TimeDelta::minutes(5);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// When its files were listed last.
    pub looked_at: Option<DateTime<Utc>>,
    /// Why it could not be looked at, the last time that this was so. It is over if a look came later.
    pub failure: Option<SourceFailure>,
    /// Files that it had then and that had not landed after the pull.
    pub waiting: usize,
    /// Files of these that could not be brought further.
    pub files_failed: usize,
    /// Why, of the first of them.
    pub file_failure: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFailure {
    /// When it began to fail like this.
    pub since: DateTime<Utc>,
    /// When it last did, to within five minutes.
    pub at: DateTime<Utc>,
    pub message: String,
}

/// What one pull found at a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    Went { waiting: usize, files_failed: usize, file_failure: Option<String> },
    Failed { message: String },
}

impl SourceRecord {
    /// Whether it could not be looked at the last time.
    pub fn is_failing(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| self.looked_at.is_none_or(|looked_at| looked_at < failure.at))
    }

    fn with(&self, look: Look, now: DateTime<Utc>) -> Self {
        match look {
            Look::Went { waiting, files_failed, file_failure } => SourceRecord {
                looked_at: Some(now),
                failure: self.failure.clone(),
                waiting,
                files_failed,
                file_failure,
            },
            Look::Failed { message } => {
                let before = self.failure.as_ref().filter(|failure| self.is_failing() && failure.message == message);
                let since = before.map_or(now, |failure| failure.since);
                SourceRecord { failure: Some(SourceFailure { since, at: now, message }), ..self.clone() }
            }
        }
    }

    /// Whether this tells something that the earlier record does not.
    fn is_news(&self, earlier: &Self) -> bool {
        let timeless = |record: &Self| SourceRecord {
            looked_at: None,
            failure: record.failure.as_ref().map(|failure| SourceFailure { at: failure.since, ..failure.clone() }),
            ..record.clone()
        };
        let last = |record: &Self| record.looked_at.max(record.failure.as_ref().map(|failure| failure.at));
        let is_later = match (last(self), last(earlier)) {
            (Some(now), Some(before)) => now - before >= QUIET,
            _ => true,
        };
        timeless(self) != timeless(earlier) || self.is_failing() != earlier.is_failing() || is_later
    }
}

/// Only a source that is alone in its feed has no name, and no name begins with `=`.
fn name(feed: &FeedName, source: Option<&SourceName>) -> BlobName {
    let source = source.map_or("=", SourceName::as_str);
    BlobName::new(format!("sources/{feed}/{source}")).expect("the names of feeds and sources are short")
}

pub async fn read(
    state: &Container,
    feed: &FeedName,
    source: Option<&SourceName>,
) -> Result<SourceRecord, ContainerError> {
    Ok(super::read(state, &name(feed, source)).await?.unwrap_or_default())
}

/// Keeps what a pull found, if that is news.
pub async fn note(
    state: &Container,
    feed: &FeedName,
    source: Option<&SourceName>,
    look: Look,
    now: DateTime<Utc>,
) -> Result<(), ContainerError> {
    let earlier = read(state, feed, source).await?;
    let record = earlier.with(look, now);
    if !record.is_news(&earlier) {
        return Ok(());
    }
    super::write(state, &name(feed, source), &record).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::stations::containers::Containers;

    fn went(waiting: usize) -> Look {
        Look::Went { waiting, files_failed: 0, file_failure: None }
    }

    fn failed(message: &str) -> Look {
        Look::Failed { message: message.to_owned() }
    }

    #[tokio::test]
    async fn a_quiet_source_is_written_every_five_minutes_and_news_at_once() {
        let clock = Clock::set_to(DateTime::UNIX_EPOCH);
        let (containers, stores) = Containers::in_memory(&clock);
        let feed = FeedName::new("flights").unwrap();
        let mut written = Vec::new();
        let looks =
            [went(0), went(0), went(3), went(3), failed("down"), failed("down"), failed("gone"), went(3), went(3)];
        for look in looks {
            clock.advance(TimeDelta::seconds(2));
            note(&containers.state, &feed, None, look, clock.now()).await.unwrap();
            written.push(stores.state.calls().writes);
        }
        assert_eq!(written, [1, 0, 1, 0, 1, 0, 1, 1, 0]);
        clock.advance(QUIET);
        note(&containers.state, &feed, None, went(3), clock.now()).await.unwrap();
        assert_eq!(stores.state.calls().writes, 1);
    }

    #[test]
    fn a_failure_says_since_when_and_stays_after_it_is_over() {
        let at = |minute: i64| DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
        let record =
            SourceRecord::default().with(went(1), at(0)).with(failed("down"), at(1)).with(failed("down"), at(9));
        assert!(record.is_failing());
        let failure = SourceFailure { since: at(1), at: at(9), message: "down".to_owned() };
        assert_eq!((record.failure.as_ref(), record.looked_at, record.waiting), (Some(&failure), Some(at(0)), 1));
        let over = record.with(went(0), at(10));
        assert!(!over.is_failing());
        assert_eq!(over.failure, Some(failure));
        assert_eq!(over.with(failed("down"), at(20)).failure.unwrap().since, at(20), "it began anew");
    }
}
