//! What a pull did, for the log, the status page and `dev`.

use serde::Serialize;

use crate::names::{FeedName, SourceName};

/// A source with thousands of broken files needs no thousand messages.
const FAILURES_KEPT: usize = 100;

#[derive(Clone, Debug, Default, Serialize)]
pub struct PullReport {
    pub sources: Vec<SourceReport>,
    /// Why old staged copies could not be removed; concerns no source.
    pub share_failure: Option<String>,
}

/// Counts of files, but for those that end in `bytes`.
#[derive(Clone, Debug, Serialize)]
pub struct SourceReport {
    pub feed: FeedName,
    pub source: Option<SourceName>,
    /// On the server, and wanted by the feed.
    pub seen: usize,
    /// Landed by an earlier pull.
    pub known: usize,
    /// Seen for the first time, or not for long enough.
    pub settling: usize,
    /// Settled, and without the done marker that the feed asks for.
    pub unmarked: usize,
    pub pulled: usize,
    /// Landing had the same content already: only the record was written.
    pub unchanged: usize,
    /// Changed or went away while they were pulled, or landed by somebody else: for the next tick.
    pub changed: usize,
    /// Settled, but the time was up.
    pub waiting: usize,
    /// Deleted or moved at the source.
    pub finished: usize,
    pub pulled_bytes: u64,
    /// Of files whose transfer an earlier pull had begun: what need not be transferred again.
    pub resumed_bytes: u64,
    pub failed: usize,
    /// The first hundred of them.
    pub failures: Vec<PullFailure>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PullFailure {
    /// `None`: the whole source failed.
    pub path: Option<String>,
    pub message: String,
}

impl PullReport {
    /// Files that another tick will bring further by itself, failures left aside.
    pub fn unfinished(&self) -> usize {
        self.sources.iter().map(|source| source.settling + source.waiting + source.changed).sum()
    }

    pub fn failed(&self) -> usize {
        self.sources.iter().map(|source| source.failed).sum()
    }
}

impl SourceReport {
    pub(super) fn new(feed: &FeedName, source: Option<&SourceName>) -> Self {
        SourceReport {
            feed: feed.clone(),
            source: source.cloned(),
            seen: 0,
            known: 0,
            settling: 0,
            unmarked: 0,
            pulled: 0,
            unchanged: 0,
            changed: 0,
            waiting: 0,
            finished: 0,
            pulled_bytes: 0,
            resumed_bytes: 0,
            failed: 0,
            failures: Vec::new(),
        }
    }

    /// As messages name it: ``feed `flights`, sftp source `acme` ``.
    pub fn place(&self) -> String {
        match &self.source {
            Some(source) => format!("feed `{}`, sftp source `{source}`", self.feed),
            None => format!("feed `{}`", self.feed),
        }
    }

    pub(super) fn fail(&mut self, path: Option<String>, message: String) {
        self.failed += 1;
        if self.failures.len() < FAILURES_KEPT {
            self.failures.push(PullFailure { path, message });
        }
    }
}
