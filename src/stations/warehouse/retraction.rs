//! Taking a unit's counts back, and what the ledger remembers of it. It knows no SQL.

use chrono::{DateTime, Utc};

use super::{FileUnit, UnitRecord};
use crate::names::ETag;

/// A unit whose counts are to be taken back.
#[derive(Clone, Debug)]
pub struct RetractionOrder {
    pub unit: FileUnit,
    /// The version that the ledger named when it was asked; `None`: it knew nothing of the unit. If it names another one
    /// under the lock, nothing is done.
    pub counted: Option<ETag>,
    /// The version that shall not count from now on: the counted one, or the landed one of a file that is erased.
    pub version: ETag,
    /// Names this retraction in the history, as a load id names a load.
    pub id: String,
    /// Kept to the microsecond.
    pub at: DateTime<Utc>,
}

/// How a retraction ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RetractionOutcome {
    /// The unit counts nothing any more. `taken_back` is what it counted until now; empty if it was retracted before.
    Retracted { taken_back: Vec<Contribution> },
    /// The ledger names another version than the order: look again.
    Moved,
}

/// What a unit counts into one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    pub table: String,
    /// Keys of the table that the unit counts into.
    pub keys: u64,
    /// Those of them that no other unit counts into: their rows go with it.
    pub own_keys: u64,
}

/// One line of the ledger's history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    pub event: LedgerEvent,
    pub etag: ETag,
    pub generation: i64,
    /// Of the load, or of the retraction.
    pub load_id: String,
    pub rows_read: i64,
    pub rows_rejected: i64,
    /// Name of the file in container `curated`, of a load that wrote one.
    pub curated: Option<String>,
    pub at: DateTime<Utc>,
    /// What counted until then.
    pub displaced: Option<Displaced>,
}

/// A version that gave way to another one, or to a retraction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displaced {
    pub etag: ETag,
    pub generation: i64,
    pub load_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerEvent {
    /// A version was counted.
    Committed,
    /// A unit's counts were taken back.
    Retracted,
    /// A retraction was forgotten, so that the version counts again.
    Restored,
}

impl LedgerEvent {
    pub fn word(self) -> &'static str {
        match self {
            LedgerEvent::Committed => "committed",
            LedgerEvent::Retracted => "retracted",
            LedgerEvent::Restored => "restored",
        }
    }

    /// The other way round. `None`: a word that this program did not write.
    pub fn from_word(word: &str) -> Option<Self> {
        [LedgerEvent::Committed, LedgerEvent::Retracted, LedgerEvent::Restored]
            .into_iter()
            .find(|event| event.word() == word)
    }
}

impl RetractionOrder {
    /// The ledger's line about a retracted unit. What was counted is kept in it as long as it is about this version; the
    /// names of its files always, so that whoever removes them finds them.
    pub fn record(&self, ledger: Option<&UnitRecord>, latest_generation: i64) -> UnitRecord {
        match ledger {
            Some(counted) if counted.etag == self.version => {
                UnitRecord { retracted_at: Some(self.at), ..counted.clone() }
            }
            other => UnitRecord {
                unit: self.unit.clone(),
                etag: self.version.clone(),
                generation: other.map_or(latest_generation, |counted| counted.generation),
                load_id: self.id.clone(),
                size_bytes: 0,
                sha256: None,
                rows_read: 0,
                rows_rejected: 0,
                quarantine: other.and_then(|counted| counted.quarantine.clone()),
                curated: other.and_then(|counted| counted.curated.clone()),
                committed_at: self.at,
                retracted_at: Some(self.at),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_back_as_it_was_written() {
        for event in [LedgerEvent::Committed, LedgerEvent::Retracted, LedgerEvent::Restored] {
            assert_eq!(LedgerEvent::from_word(event.word()), Some(event));
        }
        assert_eq!(LedgerEvent::from_word("exploded"), None);
    }
}
