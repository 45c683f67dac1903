//! Files' counts taken back, and given again.
//!
//! The ledger says "retracted at this ETag", so that a message of that version, late or repeated, counts nothing; a new
//! version of the file counts as ever. Each step may be the last before a kill, and all of it may be run again:
//!
//! 1. the retraction marker, so that the sweep and the status page know (there is none in the ledger without one);
//! 2. the ledger, the parts and the summaries, in one transaction: from here on the version cannot commit;
//! 3. the loaded marker and the dead letter of that version go;
//! 4. where the file is erased, everything else: see [`super::erasure`].

use std::collections::BTreeSet;

use futures::TryStreamExt;

use super::OperationError;
use super::blob_glob::BlobGlob;
use super::erasure::{Erased, Remains, leftovers};
use super::side_by_side::SideBySide;
use crate::clock::Clock;
use crate::faults;
use crate::names::{BlobName, ETag, FeedName};
use crate::records::retracted::{self, RetractionMarker};
use crate::records::{dead_letters, loaded};
use crate::stations::containers::Containers;
use crate::stations::share::Share;
use crate::stations::warehouse::{Contribution, FileUnit, RetractionOrder, RetractionOutcome, UnitRecord, Warehouse};

/// A file whose ledger moves so often between looking and locking is being counted anew all the time.
const TRIES: usize = 10;

pub struct RetractStations<'a> {
    pub containers: &'a Containers,
    pub share: &'a dyn Share,
    pub warehouse: &'a dyn Warehouse,
    pub clock: &'a Clock,
}

/// How much of a file is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What it counts.
    Counts,
    /// The file itself too, wherever this program has put it.
    Everything,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Do,
    /// Nothing is changed; what would be done is said.
    Tell,
}

/// What was done with one file, or would be.
#[derive(Clone, Debug)]
pub struct FileRetraction {
    pub blob: BlobName,
    /// What the ledger said before: a counted version, one that was retracted already, or nothing.
    pub ledger: Option<UnitRecord>,
    /// The version that is landed, before anything was erased.
    pub landed: Option<ETag>,
    /// What it counted, table by table.
    pub taken_back: Vec<Contribution>,
    pub erased: Option<Erased>,
}

impl FileRetraction {
    /// Whether there was anything to take back.
    pub fn counted(&self) -> Option<&UnitRecord> {
        self.ledger.as_ref().filter(|record| record.retracted_at.is_none())
    }
}

/// Retracts every file of a feed that the glob means, by name. Each is told as soon as it is done.
pub async fn retract(
    feed: &FeedName,
    glob: &BlobGlob,
    extent: Extent,
    intent: Intent,
    at: &RetractStations<'_>,
    mut tell: impl FnMut(&FileRetraction),
) -> Result<usize, OperationError> {
    let mut count = 0;
    let mut pairs = SideBySide::new(feed, &at.containers.landing, at.warehouse);
    while let Some(pair) = pairs.next().await? {
        if glob.is_match(&pair.blob) {
            tell(&retract_file(&FileUnit { feed: feed.clone(), blob: pair.blob }, extent, intent, at).await?);
            count += 1;
        }
    }
    if extent == Extent::Everything {
        // Files that are neither landed nor in the ledger may have left rows in quarantine, or a dead letter.
        let mut left = leftovers(feed, at.containers);
        let mut seen = BTreeSet::new();
        while let Some(blob) = left.try_next().await? {
            if !glob.is_match(&blob) || !seen.insert(blob.clone()) {
                continue;
            }
            let unit = FileUnit { feed: feed.clone(), blob };
            if is_nowhere_else(&unit, at).await? {
                tell(&retract_file(&unit, extent, intent, at).await?);
                count += 1;
            }
        }
    }
    Ok(count)
}

async fn is_nowhere_else(unit: &FileUnit, at: &RetractStations<'_>) -> Result<bool, OperationError> {
    Ok(at.containers.landing.head(&unit.blob).await?.is_none() && at.warehouse.unit(unit).await?.is_none())
}

/// Retracts one file.
pub async fn retract_file(
    unit: &FileUnit,
    extent: Extent,
    intent: Intent,
    at: &RetractStations<'_>,
) -> Result<FileRetraction, OperationError> {
    for _ in 0..TRIES {
        let ledger = at.warehouse.unit(unit).await?;
        let facts = at.containers.landing.head(&unit.blob).await?;
        let landed = facts.as_ref().map(|facts| facts.etag.clone());
        let version = match extent {
            Extent::Counts => ledger.as_ref().filter(|record| record.retracted_at.is_none()).map(|record| &record.etag),
            // The landed version is what goes, so it is its message that must count nothing.
            Extent::Everything => landed.as_ref().or(ledger.as_ref().map(|record| &record.etag)),
        };
        let mut done = FileRetraction {
            blob: unit.blob.clone(),
            ledger: ledger.clone(),
            landed: landed.clone(),
            taken_back: Vec::new(),
            erased: None,
        };
        // Before the letter goes that names a file in quarantine.
        let remains = match extent {
            Extent::Counts => None,
            Extent::Everything => Some(Remains::of(unit, ledger.as_ref(), facts, at).await?),
        };
        match (intent, version) {
            (_, None) => {}
            (Intent::Tell, Some(_)) => done.taken_back = at.warehouse.contributions(unit).await?,
            (Intent::Do, Some(version)) => {
                let counted = ledger.as_ref().map(|record| record.etag.clone());
                let Some(taken_back) = take_back(unit, counted, version, extent, at).await? else { continue };
                done.taken_back = taken_back;
            }
        }
        done.erased = match (intent, remains) {
            (_, None) => None,
            (Intent::Tell, Some(remains)) => Some(remains.tell()),
            (Intent::Do, Some(remains)) => Some(remains.erase(version, at).await?),
        };
        return Ok(done);
    }
    Err(OperationError::Moving { blob: unit.blob.clone() })
}

/// `None`: the ledger has moved, look again.
async fn take_back(
    unit: &FileUnit,
    counted: Option<ETag>,
    version: &ETag,
    extent: Extent,
    at: &RetractStations<'_>,
) -> Result<Option<Vec<Contribution>>, OperationError> {
    let (state, now) = (&at.containers.state, at.clock.now());
    let erased = extent == Extent::Everything;
    let known = retracted::read(state, &unit.blob, version).await?;
    if known.as_ref().is_none_or(|marker| erased && !marker.erased) {
        let retracted_at = known.map_or(now, |marker| marker.retracted_at);
        let marker = RetractionMarker { blob: unit.blob.clone(), etag: version.clone(), retracted_at, erased };
        retracted::write(state, &marker).await?;
    }
    faults::point("retract.marked");
    let order = RetractionOrder {
        unit: unit.clone(),
        counted,
        version: version.clone(),
        id: uuid::Uuid::new_v4().simple().to_string(),
        at: now,
    };
    let RetractionOutcome::Retracted { taken_back } = at.warehouse.retract(&order).await? else {
        retracted::remove(state, &unit.blob, version).await?;
        return Ok(None);
    };
    faults::point("retract.committed");
    loaded::remove(state, &unit.blob, version).await?;
    dead_letters::remove(state, &unit.blob, version).await?;
    faults::point("retract.recorded");
    Ok(Some(taken_back))
}

/// Lets a retracted file count again with its next message. `false`: it is not retracted.
///
/// The marker goes first: a kill after it leaves a file that the sweep announces, and whose load writes the marker again.
pub async fn restore(unit: &FileUnit, version: &ETag, at: &RetractStations<'_>) -> Result<bool, OperationError> {
    let state = &at.containers.state;
    if !retracted::exists(state, &unit.blob, version).await? {
        return Ok(false);
    }
    retracted::remove(state, &unit.blob, version).await?;
    if let Some(record) = at.warehouse.unit(unit).await?.filter(|record| record.retracted_at.is_some()) {
        // Its next load writes files of its own; these the ledger will not name any more.
        let files = [(&at.containers.quarantine, &record.quarantine), (&at.containers.curated, &record.curated)];
        for (container, name) in files {
            if let Some(name) = name.as_deref().and_then(|name| BlobName::new(name).ok()) {
                container.delete(&name).await?;
            }
        }
        at.warehouse.restore(unit, at.clock.now()).await?;
    }
    Ok(true)
}
