//! What a tick has to do at one source: the server's listing against the records. Pure.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use chrono::{DateTime, Utc};
use globset::{Glob, GlobSet, GlobSetBuilder};

use super::error::PullError;
use super::version_of;
use crate::names::FeedName;
use crate::pipeline::{After, SftpSource};
use crate::records::pulled::{FileVersion, PulledKey, RecordName, RecordState};
use crate::stations::sftp::{RemoteFile, RemotePath};

/// Names that this program gives to files at their source. A pull never takes them for the partner's.
pub(super) const PRIVATE_PREFIX: &str = ".millrace-";

/// Which files a source wants.
pub(super) struct Wanted {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Wanted {
    pub fn new(source: &SftpSource) -> Result<Self, PullError> {
        let include = if source.include.is_empty() { None } else { Some(glob_set(&source.include)?) };
        Ok(Wanted { include, exclude: glob_set(&source.exclude)? })
    }

    pub fn has(&self, directory: &RemotePath, file: &RemoteFile) -> bool {
        let Some(below) = file.path.below(directory) else {
            return false;
        };
        if file.path.name().starts_with(PRIVATE_PREFIX.as_bytes()) {
            return false;
        }
        let below = OsStr::from_bytes(below);
        self.include.as_ref().is_none_or(|globs| globs.is_match(below)) && !self.exclude.is_match(below)
    }
}

fn glob_set(globs: &[String]) -> Result<GlobSet, PullError> {
    let failure = |glob: &str, source| PullError::Glob { glob: glob.to_owned(), source };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(Glob::new(glob).map_err(|source| failure(glob, source))?);
    }
    set.build().map_err(|source| failure(&globs.join("`, `"), source))
}

/// A file on the server, with what the records say of it.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub file: RemoteFile,
    pub key: PulledKey,
    /// The earliest look at this version.
    pub first_seen: Option<DateTime<Utc>>,
    pub looks: Vec<RecordName>,
    /// The record of this version's landing.
    pub landed: Option<RecordName>,
    /// Landings of other versions of this file.
    pub older: Vec<RecordName>,
}

/// Landed versions of one file that are to be deleted or moved at the source, an action that has begun first.
#[derive(Debug)]
pub(super) struct Pending {
    /// For messages.
    pub path: String,
    pub records: Vec<RecordName>,
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Seen for the first time.
    pub new: Vec<Candidate>,
    pub settling: usize,
    /// Settled, the oldest first.
    pub ready: VecDeque<Candidate>,
    pub known: usize,
    pub pending: Vec<Pending>,
    /// Records that tell nothing any more.
    pub stale: Vec<RecordName>,
}

/// Takes one record after the other, in any order.
pub(super) struct Planner<'a> {
    source: &'a SftpSource,
    by_path: HashMap<String, Candidate>,
    pending: BTreeMap<String, Vec<RecordName>>,
    stale: Vec<RecordName>,
}

impl<'a> Planner<'a> {
    pub fn new(feed: &FeedName, source: &'a SftpSource, directory: &RemotePath, files: Vec<RemoteFile>) -> Self {
        let candidates = files.into_iter().filter_map(|file| {
            let key = PulledKey::new(feed, source.name.as_ref(), file.path.below(directory)?);
            let (first_seen, landed) = (None, None);
            Some((
                key.encoded_path(),
                Candidate { file, key, first_seen, looks: Vec::new(), landed, older: Vec::new() },
            ))
        });
        Planner { source, by_path: candidates.collect(), pending: BTreeMap::new(), stale: Vec::new() }
    }

    pub fn add(&mut self, record: RecordName) {
        let candidate = self.by_path.get_mut(record.encoded_path());
        let is_this_version = |file: &RemoteFile, version: FileVersion| version_of(file) == version;
        match (record.state(), candidate) {
            (RecordState::Finishing, _) => self.pend(record),
            (RecordState::Look { first_seen }, Some(candidate))
                if is_this_version(&candidate.file, record.version()) =>
            {
                candidate.first_seen = Some(candidate.first_seen.map_or(first_seen, |known| known.min(first_seen)));
                candidate.looks.push(record);
            }
            (RecordState::Look { .. }, _) => self.stale.push(record),
            (RecordState::Landed, Some(candidate)) if is_this_version(&candidate.file, record.version()) => {
                candidate.landed = Some(record);
            }
            (RecordState::Landed, Some(candidate)) => candidate.older.push(record),
            (RecordState::Landed, None) if self.source.after != After::Keep => self.pend(record),
            (RecordState::Landed, None) => {}
        }
    }

    fn pend(&mut self, record: RecordName) {
        self.pending.entry(record.encoded_path().to_owned()).or_default().push(record);
    }

    pub fn finish(mut self, now: DateTime<Utc>) -> Plan {
        let mut plan = Plan::default();
        let mut ready = Vec::new();
        for (path, mut candidate) in std::mem::take(&mut self.by_path) {
            if let Some(landed) = candidate.landed.take() {
                plan.known += 1;
                self.stale.append(&mut candidate.looks);
                self.stale.append(&mut candidate.older);
                if self.source.after != After::Keep {
                    self.pend(landed);
                }
                continue;
            }
            if self.pending.contains_key(&path) {
                // What was begun with an older version comes first; this one is looked at again in the next tick.
                plan.settling += 1;
                continue;
            }
            match candidate.first_seen {
                _ if self.source.settle.is_zero() => ready.push(candidate),
                None => plan.new.push(candidate),
                Some(first_seen) if (now - first_seen).to_std().is_ok_and(|age| age >= self.source.settle) => {
                    ready.push(candidate);
                }
                Some(_) => plan.settling += 1,
            }
        }
        ready.sort_by(|a, b| (a.file.modified, &a.file.path).cmp(&(b.file.modified, &b.file.path)));
        plan.ready = ready.into();
        // A look at a version that was begun with belongs to what goes on there.
        let is_in_use = |record: &RecordName| {
            matches!(record.state(), RecordState::Look { .. }) && self.pending.contains_key(record.encoded_path())
        };
        plan.stale = std::mem::take(&mut self.stale);
        plan.stale.retain(|record| !is_in_use(record));
        plan.pending = self.pending.into_iter().map(|(path, records)| Pending { path, records }).collect();
        for pending in &mut plan.pending {
            pending.records.sort_by_key(|record| record.state() != RecordState::Finishing);
        }
        plan
    }
}
