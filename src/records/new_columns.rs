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
    /// The file that first had just these.
    pub blob: BlobName,
    pub seen_at: DateTime<Utc>,
}

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
