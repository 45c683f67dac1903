//! What `migrate` brings a warehouse to, and what it says it did.

use millrace_frames::part::Row;
use millrace_frames::plan::SummaryPlan;

use crate::names::{FeedName, Sha256};

/// One meaning of a feed: contract, rules, summaries and decoder version, hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedMeaning {
    pub feed: FeedName,
    pub fingerprint: Sha256,
}

/// What `migrate` brings the database to.
#[derive(Clone, Debug)]
pub struct Schema {
    pub meanings: Vec<FeedMeaning>,
    pub summaries: Vec<SummaryPlan>,
}

/// What `migrate` did, in words for people, one line a change; empty if there was nothing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationReport {
    pub changes: Vec<String>,
    /// Feeds of the schema that have units of an older generation: their files must be replayed.
    pub feeds_to_replay: Vec<FeedName>,
}

/// A summary table's contents, ordered by its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRows {
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}
