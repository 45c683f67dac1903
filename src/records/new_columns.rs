//! Columns that files have and the contract does not name, `new-columns/<feed>`: ignored, but shown by status, as a partner
//! who adds a column mostly means something by it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::names::{BlobName, FeedName};
use crate::stations::containers::{Container, ContainerError};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewColumns {
    pub feed: FeedName,
    /// In the order of the header.
    pub columns: Vec<String>,
    /// The file that first had just these; `None`: events brought some of them.
    pub blob: Option<BlobName>,
    pub seen_at: DateTime<Utc>,
}

/// A sender whose keys are data must not fill the page.
const MOST_EVENT_KEYS: usize = 100;

fn name(feed: &FeedName) -> BlobName {
    BlobName::new(format!("new-columns/{feed}")).expect("a feed's name is short")
}

pub async fn read(state: &Container, feed: &FeedName) -> Result<Option<NewColumns>, ContainerError> {
    super::read(state, &name(feed)).await
}

/// Keeps what a file's header showed, if that is news.
pub async fn note(state: &Container, seen: &NewColumns) -> Result<(), ContainerError> {
    let known = read(state, &seen.feed).await?;
    if known.map(|known| known.columns).unwrap_or_default() == seen.columns {
        return Ok(());
    }
    super::write(state, &name(&seen.feed), seen).await
}

/// Adds keys that events brought to what is known, at most [`MOST_EVENT_KEYS`]: each event has its own, so that a set that
/// replaces the one before would never come to rest.
pub async fn add(
    state: &Container,
    feed: &FeedName,
    keys: Vec<String>,
    now: DateTime<Utc>,
) -> Result<(), ContainerError> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut columns = read(state, feed).await?.map(|known| known.columns).unwrap_or_default();
    let before = columns.len();
    for key in keys {
        if columns.len() < MOST_EVENT_KEYS && !columns.contains(&key) {
            columns.push(key);
        }
    }
    if columns.len() == before {
        return Ok(());
    }
    super::write(state, &name(feed), &NewColumns { feed: feed.clone(), columns, blob: None, seen_at: now }).await
}
