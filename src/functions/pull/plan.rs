//! What a tick has to do at one source: what lies there against the records. `pull` acts on a plan, and the command
//! `plan` shows it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::PullSource;
use super::error::PullError;
use super::survey::{Extent, Marker, Seen, Survey};
use super::version_of;
use crate::pipeline::{After, SftpSource};
use crate::records::pulled::{self, FileVersion, PulledKey, RecordName, RecordState};
use crate::stations::containers::Container;
use crate::stations::sftp::{RemoteFile, RemotePath};

/// Compares what is there with what the records know. Writes nothing.
pub(super) async fn plan(
    source: &PullSource,
    directory: &RemotePath,
    survey: Survey,
    at: PlanStations<'_>,
    now: DateTime<Utc>,
) -> Result<Plan, PullError> {
    let mut planner = Planner::new(source, directory, survey);
    let mut records = pulled::list(at.state, &source.feed, source.source.name.as_ref());
    while let Some(record) = records.try_next().await? {
        planner.add(record);
    }
    Ok(planner.finish(now, &|key| objection_to_landing(key, at.landing)))
}

/// What a plan looks into.
#[derive(Clone, Copy)]
pub(super) struct PlanStations<'a> {
    pub landing: &'a Container,
    pub state: &'a Container,
}

/// Why a file cannot become a blob, if it cannot.
fn objection_to_landing(key: &PulledKey, landing: &Container) -> Option<String> {
    match key.landing_blob() {
        Ok(blob) => landing.objection(&blob).map(str::to_owned),
        Err(bad) => Some(format!("a blob's name {}", bad.rule())),
    }
}

/// A file on the server, with what the records say of it.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub file: RemoteFile,
    pub marker: Marker,
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
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// As the records' names have it.
    pub path: String,
    /// The file, if it is still there under its own name.
    pub file: Option<RemotePath>,
    pub records: Vec<RecordName>,
}

/// A file whose name landing cannot hold.
#[derive(Debug)]
pub(super) struct Unlandable {
    pub candidate: Candidate,
    pub objection: String,
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Seen for the first time.
    pub new: Vec<Candidate>,
    pub settling: Vec<Candidate>,
    /// Settled, and without a done marker that is not older.
    pub unmarked: Vec<Candidate>,
    /// Settled, the oldest first.
    pub ready: VecDeque<Candidate>,
    /// This version has landed.
    pub known: Vec<Candidate>,
    /// What was begun at the source with an older version comes first; these are looked at again in the next tick.
    pub blocked: Vec<Candidate>,
    pub unlandable: Vec<Unlandable>,
    pub pending: Vec<Pending>,
    /// Records that tell nothing any more.
    pub stale: Vec<RecordName>,
}

/// Takes one record after the other, in any order.
struct Planner<'a> {
    source: &'a SftpSource,
    extent: Extent,
    by_path: HashMap<String, Candidate>,
    pending: BTreeMap<String, Pending>,
    stale: Vec<RecordName>,
}

impl<'a> Planner<'a> {
    fn new(pulled_from: &'a PullSource, directory: &RemotePath, survey: Survey) -> Self {
        let source = &pulled_from.source;
        let candidates = survey.seen.into_iter().filter_map(|Seen { file, marker }| {
            let key = PulledKey::new(&pulled_from.feed, source.name.as_ref(), file.path.below(directory)?);
            let (first_seen, landed) = (None, None);
            Some((
                key.encoded_path(),
                Candidate { file, marker, key, first_seen, looks: Vec::new(), landed, older: Vec::new() },
            ))
        });
        let by_path = candidates.collect();
        Planner { source, extent: survey.extent, by_path, pending: BTreeMap::new(), stale: Vec::new() }
    }

    fn add(&mut self, record: RecordName) {
        let candidate = self.by_path.get_mut(record.encoded_path());
        let is_this_version = |file: &RemoteFile, version: FileVersion| version_of(file) == version;
        match (record.state(), candidate) {
            (RecordState::Finishing, _) => self.pend(record, None),
            (RecordState::Look { first_seen }, Some(candidate))
                if is_this_version(&candidate.file, record.version()) =>
            {
                candidate.first_seen = Some(candidate.first_seen.map_or(first_seen, |known| known.min(first_seen)));
                candidate.looks.push(record);
            }
            // Its file may lie in a folder that could not be listed this time.
            (RecordState::Look { .. }, None) if self.extent == Extent::Partial => {}
            (RecordState::Look { .. }, _) => self.stale.push(record),
            (RecordState::Landed, Some(candidate)) if is_this_version(&candidate.file, record.version()) => {
                candidate.landed = Some(record);
            }
            (RecordState::Landed, Some(candidate)) => candidate.older.push(record),
            (RecordState::Landed, None) if self.source.after != After::Keep => self.pend(record, None),
            (RecordState::Landed, None) => {}
        }
    }

    fn pend(&mut self, record: RecordName, file: Option<RemotePath>) {
        let pending = self.pending.entry(record.encoded_path().to_owned()).or_default();
        pending.records.push(record);
        pending.file = file.or(pending.file.take());
    }

    fn has_settled(&self, candidate: &Candidate, now: DateTime<Utc>) -> bool {
        let settle = self.source.settle;
        let has_stood = |first_seen: DateTime<Utc>| (now - first_seen).to_std().is_ok_and(|age| age >= settle);
        settle.is_zero() || candidate.first_seen.is_some_and(has_stood)
    }

    fn finish(mut self, now: DateTime<Utc>, objection: &dyn Fn(&PulledKey) -> Option<String>) -> Plan {
        let mut plan = Plan::default();
        let mut ready = Vec::new();
        for (path, mut candidate) in std::mem::take(&mut self.by_path) {
            if let Some(landed) = &candidate.landed {
                if self.source.after != After::Keep {
                    self.pend(landed.clone(), Some(candidate.file.path.clone()));
                }
                self.stale.append(&mut candidate.looks);
                self.stale.append(&mut candidate.older);
                plan.known.push(candidate);
                continue;
            }
            if self.pending.contains_key(&path) {
                plan.blocked.push(candidate);
                continue;
            }
            if let Some(objection) = objection(&candidate.key) {
                self.stale.append(&mut candidate.looks);
                plan.unlandable.push(Unlandable { candidate, objection });
                continue;
            }
            match candidate.first_seen {
                _ if self.has_settled(&candidate, now) => match candidate.marker {
                    Marker::Missing | Marker::Older(_) => plan.unmarked.push(candidate),
                    Marker::NotAsked | Marker::There(_) => ready.push(candidate),
                },
                None => plan.new.push(candidate),
                Some(_) => plan.settling.push(candidate),
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
        plan.pending = self.pending.into_iter().map(|(path, pending)| Pending { path, ..pending }).collect();
        for pending in &mut plan.pending {
            pending.records.sort_by_key(|record| record.state() != RecordState::Finishing);
        }
        plan
    }
}
