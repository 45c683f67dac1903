//! Landing held against the ledger: what is landed and counts nothing, and what counts and is not landed any more.

use super::OperationError;
use super::side_by_side::{Pair, SideBySide};
use crate::names::BlobName;
use crate::records::version_set::VersionSet;
use crate::records::{dead_letters, loaded};
use crate::stations::containers::Containers;
use crate::stations::warehouse::{FeedMeaning, Warehouse};

/// Names that are listed of each kind; the count says how many there are.
const NAMES_LISTED: usize = 20;

/// One feed's landing beside its ledger. Counts are of files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LandingCheck {
    pub landed: u64,
    /// Landed versions that the ledger has.
    pub counted: u64,
    pub retracted: u64,
    /// Landed versions that are dead letters.
    pub dead: u64,
    /// Landed versions that are none of these: they wait for `load`.
    pub waiting: Listed,
    /// Landed versions whose marker says that they were counted, while the ledger does not have them: a database that was
    /// restored to an earlier time. The sweep takes the marker's word, so nothing brings them back but a replay.
    pub lost: Listed,
    /// Files that count and whose blob is gone from landing, as retention does it.
    pub gone: Listed,
    /// Files that were counted by an older meaning of the feed.
    pub older_meaning: Listed,
}

/// How many, and the first of them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub count: u64,
    pub first: Vec<BlobName>,
}

impl Listed {
    fn add(&mut self, blob: &BlobName) {
        self.count += 1;
        if self.first.len() < NAMES_LISTED {
            self.first.push(blob.clone());
        }
    }
}

pub async fn check_landing(
    meaning: &FeedMeaning,
    containers: &Containers,
    warehouse: &dyn Warehouse,
) -> Result<LandingCheck, OperationError> {
    let feed = &meaning.feed;
    let generation = warehouse.generation(meaning).await?;
    let marked = VersionSet::of(loaded::versions(&containers.state, feed)).await?;
    let dead = VersionSet::of(dead_letters::versions(&containers.state, feed)).await?;
    let mut check = LandingCheck::default();
    let mut pairs = SideBySide::new(feed, &containers.landing, warehouse);
    while let Some(pair) = pairs.next().await? {
        check.add(&pair, generation, &marked, &dead);
    }
    Ok(check)
}

impl LandingCheck {
    fn add(&mut self, pair: &Pair, generation: i64, marked: &VersionSet, dead: &VersionSet) {
        let counts = pair.unit.as_ref().filter(|unit| unit.retracted_at.is_none());
        if counts.is_some_and(|unit| unit.generation < generation) {
            self.older_meaning.add(&pair.blob);
        }
        let Some(landed) = &pair.landed else {
            if counts.is_some() {
                self.gone.add(&pair.blob);
            }
            return;
        };
        self.landed += 1;
        match pair.unit.as_ref().filter(|unit| unit.etag == landed.etag) {
            Some(unit) if unit.retracted_at.is_some() => self.retracted += 1,
            Some(_) => self.counted += 1,
            None if dead.has(&landed.name, &landed.etag) => self.dead += 1,
            None if marked.has(&landed.name, &landed.etag) => self.lost.add(&landed.name),
            None => self.waiting.add(&landed.name),
        }
    }
}
