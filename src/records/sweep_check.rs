//! How far the daily check of the markers against the ledger has come, `sweep/check`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::names::{BlobName, ETag, FeedName, Sha256};
use crate::stations::containers::{Container, ContainerError};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckPosition {
    /// When the last round began, whether it is over or not.
    pub began: DateTime<Utc>,
    pub stage: CheckStage,
    /// Of the records as this round found them, as far as it has read them.
    pub digest: Option<RecordsDigest>,
    /// Of the records as the last whole round found them: where they are still the same, the ledger need not be asked.
    pub digest_of_last: Option<RecordsDigest>,
}

/// What comes next. An empty name is the beginning of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStage {
    /// The round is over.
    Over,
    /// Reading the names of the records, one kind after the other.
    Records {
        kind: usize,
        after: String,
    },
    /// Holding a feed's landed files against its units.
    Files {
        feed: FeedName,
        after: String,
    },
    Letters {
        after: String,
    },
}

/// Equal for the same records with the same contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsDigest(Sha256);

impl RecordsDigest {
    /// The records so far, and one more.
    pub fn with(before: Option<&Self>, record: &BlobName, version: &ETag) -> Self {
        let before = before.map_or("", |digest| digest.0.as_str());
        RecordsDigest(Sha256::of_fields(&[before.as_bytes(), record.as_str().as_bytes(), version.as_str().as_bytes()]))
    }
}

impl CheckPosition {
    fn never() -> Self {
        CheckPosition { began: DateTime::UNIX_EPOCH, stage: CheckStage::Over, digest: None, digest_of_last: None }
    }

    pub fn begin(&mut self, now: DateTime<Utc>) {
        self.began = now;
        self.stage = CheckStage::Records { kind: 0, after: String::new() };
        self.digest = None;
    }

    /// Whether nothing was loaded, refused or retracted since the last round: asked once all records were read.
    pub fn is_quiet(&self) -> bool {
        self.digest == self.digest_of_last
    }

    /// The round is over, and this is what it has seen.
    pub fn end(&mut self) {
        self.stage = CheckStage::Over;
        self.digest_of_last = self.digest.take();
    }
}

fn name() -> BlobName {
    BlobName::new("sweep/check").expect("the name has 11 characters")
}

pub async fn read(state: &Container) -> Result<CheckPosition, ContainerError> {
    Ok(super::read(state, &name()).await?.unwrap_or_else(CheckPosition::never))
}

pub async fn write(state: &Container, position: &CheckPosition) -> Result<(), ContainerError> {
    super::write(state, &name(), position).await
}

/// What a load leaves about a version, whatever it is: where none of these changed, nothing was loaded, refused, retracted
/// or taken away.
pub const KINDS: [&str; 3] = [super::loaded::KIND, super::dead_letters::KIND, super::retracted::KIND];
