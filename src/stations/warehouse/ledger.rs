//! What the ledger holds, and what it says of a file that wants to be counted: the decision of every warehouse, in one
//! place. It knows no SQL.

use chrono::{DateTime, Utc};
use millrace_frames::part::Row;
use millrace_frames::plan::SummaryPlan;

use super::{Displaced, WarehouseError};
use crate::names::{BlobName, ETag, FeedName, Sha256};

/// What counts once: a file in the landing container. Its id is a SHA-256, since SQL Server compares trailing blanks as
/// equal and limits index keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileUnit {
    pub feed: FeedName,
    pub blob: BlobName,
}

impl FileUnit {
    pub fn id(&self) -> Sha256 {
        Sha256::of_fields(&[b"file", self.feed.as_str().as_bytes(), self.blob.as_str().as_bytes()])
    }
}

/// What the ledger says of a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitRecord {
    pub unit: FileUnit,
    pub etag: ETag,
    pub generation: i64,
    pub load_id: String,
    pub size_bytes: i64,
    pub sha256: Option<Sha256>,
    pub rows_read: i64,
    pub rows_rejected: i64,
    /// Name of the file in container `quarantine`, where rows were rejected.
    pub quarantine: Option<String>,
    /// Name of the file in container `curated`, where the feed keeps its typed rows.
    pub curated: Option<String>,
    /// Kept to the microsecond.
    pub committed_at: DateTime<Utc>,
    /// When its counts were taken back: since then this version counts nothing, until a replay names it.
    pub retracted_at: Option<DateTime<Utc>>,
}

impl UnitRecord {
    /// What the history says of it when something takes its place.
    pub fn as_displaced(&self) -> Displaced {
        Displaced { etag: self.etag.clone(), generation: self.generation, load_id: self.load_id.clone() }
    }
}

/// One counted file, ready to commit.
#[derive(Clone, Debug)]
pub struct FileLoad {
    /// `committed_at` is when the counting ended; the ledger stores it.
    pub record: UnitRecord,
    /// One entry for each summary of the feed, an empty one too.
    pub parts: Vec<SummaryPart>,
}

#[derive(Clone, Debug)]
pub struct SummaryPart {
    pub plan: SummaryPlan,
    /// One row a key, values in the order of the plan's columns.
    pub rows: Vec<Row>,
}

/// How a commit ended.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "an outcome lives as long as one commit, and most are `Committed`")]
pub enum Outcome {
    /// The file's parts are in the summaries. `displaced` is the record that this one replaced.
    Committed { displaced: Option<UnitRecord> },
    /// The ledger had this version and generation already.
    AlreadyApplied,
    /// The counts of this version were taken back: it counts nothing, whatever its message says.
    Retracted,
    /// The blob has another version by now, which has its own message.
    Superseded,
    /// The blob is gone and was never counted.
    Gone,
}

/// What the ledger alone says of a load, read under the feed's lock.
///
/// | ledger | answer |
/// |---|---|
/// | a generation above the load's | [`WarehouseError::OlderGeneration`] |
/// | the load's ETag, retracted | [`Outcome::Retracted`], whatever the generation |
/// | the load's ETag and generation | [`Outcome::AlreadyApplied`] |
/// | anything else | `None`: ask which version is landed |
pub fn settled_by_ledger(ledger: Option<&UnitRecord>, load: &UnitRecord) -> Result<Option<Outcome>, WarehouseError> {
    let Some(counted) = ledger else { return Ok(None) };
    if counted.generation > load.generation {
        return Err(WarehouseError::OlderGeneration {
            feed: load.unit.feed.clone(),
            committed: counted.generation,
            ours: load.generation,
        });
    }
    if counted.etag == load.etag && counted.retracted_at.is_some() {
        return Ok(Some(Outcome::Retracted));
    }
    if counted.etag == load.etag && counted.generation == load.generation {
        return Ok(Some(Outcome::AlreadyApplied));
    }
    Ok(None)
}

/// What the landed version says of a load that the ledger did not settle, asked under the same lock.
///
/// | landed | ledger | answer |
/// |---|---|---|
/// | the load's ETag | any | `None`: commit |
/// | another ETag | any | [`Outcome::Superseded`] |
/// | gone | the load's ETag | [`Outcome::AlreadyApplied`] |
/// | gone | another ETag | [`Outcome::Superseded`] |
/// | gone | nothing | [`Outcome::Gone`] |
pub fn settled_by_landing(ledger: Option<&UnitRecord>, load: &UnitRecord, landed: Option<&ETag>) -> Option<Outcome> {
    match (landed, ledger) {
        (Some(current), _) if *current == load.etag => None,
        (Some(_), _) => Some(Outcome::Superseded),
        (None, Some(counted)) if counted.etag == load.etag => Some(Outcome::AlreadyApplied),
        (None, Some(_)) => Some(Outcome::Superseded),
        (None, None) => Some(Outcome::Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(etag: &str, generation: i64) -> UnitRecord {
        UnitRecord {
            unit: FileUnit {
                feed: FeedName::new("flights").unwrap(),
                blob: BlobName::new("flights/2013-01.csv").unwrap(),
            },
            etag: ETag::new(etag).unwrap(),
            generation,
            load_id: "1".to_owned(),
            size_bytes: 1,
            sha256: None,
            rows_read: 1,
            rows_rejected: 0,
            quarantine: None,
            curated: None,
            committed_at: DateTime::UNIX_EPOCH,
            retracted_at: None,
        }
    }

    #[test]
    fn a_newer_generation_in_the_ledger_refuses_an_older_handler() {
        let refused = settled_by_ledger(Some(&record("a", 2)), &record("a", 1));
        assert!(matches!(refused, Err(WarehouseError::OlderGeneration { committed: 2, ours: 1, .. })));
    }

    #[test]
    fn the_same_version_of_an_older_generation_is_counted_again() {
        assert_eq!(settled_by_ledger(Some(&record("a", 1)), &record("a", 1)).unwrap(), Some(Outcome::AlreadyApplied));
        assert_eq!(settled_by_ledger(Some(&record("a", 1)), &record("a", 2)).unwrap(), None);
        assert_eq!(settled_by_ledger(None, &record("a", 2)).unwrap(), None);
    }

    #[test]
    fn a_retracted_version_stays_so_in_every_generation_and_a_new_version_counts() {
        let retracted = UnitRecord { retracted_at: Some(DateTime::UNIX_EPOCH), ..record("a", 1) };
        for generation in [1, 2] {
            let settled = settled_by_ledger(Some(&retracted), &record("a", generation)).unwrap();
            assert_eq!(settled, Some(Outcome::Retracted));
        }
        assert_eq!(settled_by_ledger(Some(&retracted), &record("b", 1)).unwrap(), None);
    }

    #[test]
    fn only_the_landed_version_is_committed() {
        let (load, other) = (record("a", 1), record("b", 1));
        let (a, b) = (load.etag.clone(), other.etag.clone());
        assert_eq!(settled_by_landing(None, &load, Some(&a)), None);
        assert_eq!(settled_by_landing(Some(&other), &load, Some(&a)), None);
        assert_eq!(settled_by_landing(None, &load, Some(&b)), Some(Outcome::Superseded));
        assert_eq!(settled_by_landing(Some(&load), &load, None), Some(Outcome::AlreadyApplied));
        assert_eq!(settled_by_landing(Some(&other), &load, None), Some(Outcome::Superseded));
        assert_eq!(settled_by_landing(None, &load, None), Some(Outcome::Gone));
    }
}
