//! Looks through everything that storage has by name, for the files that a question means. Names are listed, next to nothing
//! is read, and a bounded number of them is kept.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use tracing::warn;

use super::question::{Fit, Question};
use crate::names::BlobName;
use crate::operations::OperationError;
use crate::records::pulled::PulledError;
use crate::records::{self, attempts, dead_letters, loaded, pulled, retracted};
use crate::stations::containers::{BlobFacts, Container, ContainerError, Containers};
use crate::telemetry::chain;

/// Files that are kept of many that fit; when there are more, the older half goes.
const KEPT: usize = 4_096;
/// Names that are suggested where none fits.
const SUGGESTED: usize = 3;

/// What was looked at, in names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Looked {
    /// Records of what was seen and pulled at the sources.
    pub pulled: u64,
    pub landed: u64,
    /// Records of loads: loaded, under way, dead, retracted.
    pub loads: u64,
    /// Lines of the ledger; it is asked where storage knows nothing.
    pub ledger: u64,
}

/// Files that fit, and what is near.
#[derive(Default)]
pub struct Findings {
    /// With the newest time at which something about it was written.
    same: Newest,
    /// The same name in another folder.
    same_name: Newest,
    /// The likest first.
    like: Vec<(f64, BlobName)>,
    pub looked: Looked,
}

/// Files by name, the newest of them.
#[derive(Default)]
struct Newest {
    times: HashMap<BlobName, DateTime<Utc>>,
    has_dropped: bool,
}

impl Newest {
    fn add(&mut self, blob: &BlobName, time: DateTime<Utc>) {
        if let Some(known) = self.times.get_mut(blob) {
            *known = time.max(*known);
            return;
        }
        self.times.insert(blob.clone(), time);
        if self.times.len() > KEPT {
            let newest = self.sorted().into_iter().take(KEPT / 2);
            self.times = newest.filter_map(|blob| self.times.remove_entry(&blob)).collect();
            self.has_dropped = true;
        }
    }

    /// Newest first.
    fn sorted(&self) -> Vec<BlobName> {
        let mut files: Vec<(&BlobName, &DateTime<Utc>)> = self.times.iter().collect();
        files.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        files.into_iter().map(|(blob, _)| blob.clone()).collect()
    }
}

impl Findings {
    /// The files that were asked for, newest first, or else those that have the same name elsewhere.
    pub fn files(&self) -> Vec<BlobName> {
        if self.same.times.is_empty() { self.same_name.sorted() } else { self.same.sorted() }
    }

    /// Whether more files fit than were kept.
    pub fn has_dropped(&self) -> bool {
        if self.same.times.is_empty() { self.same_name.has_dropped } else { self.same.has_dropped }
    }

    pub fn near(&self) -> Vec<BlobName> {
        self.like.iter().map(|(_, blob)| blob.clone()).collect()
    }

    pub fn add(&mut self, question: &Question, blob: &BlobName, time: DateTime<Utc>) {
        match question.fit(blob) {
            None => {}
            Some(Fit::Same) => self.same.add(blob, time),
            Some(Fit::SameName) => self.same_name.add(blob, time),
            Some(Fit::Like(likeness)) => {
                if self.like.iter().any(|(_, known)| known == blob) {
                    return;
                }
                self.like.push((likeness, blob.clone()));
                self.like.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                self.like.truncate(SUGGESTED);
            }
        }
    }
}

/// Everything that storage has a name for.
pub async fn scan(question: &Question, containers: &Containers) -> Result<Findings, OperationError> {
    let mut findings = Findings::default();
    if let Some(blob) = question.as_blob()
        && is_known(&blob, containers).await?
    {
        // The name in full: there is no other file of it.
        findings.same.add(&blob, DateTime::UNIX_EPOCH);
        return Ok(findings);
    }
    let state = &containers.state;
    let mut records = pulled::list_all(state);
    while let Some((record, time)) = records.try_next().await? {
        findings.looked.pulled += 1;
        // A name that no blob can have never lands; its record is all there is, and the pull says why.
        let key = match pulled::key_of(state, &record).await {
            Ok(Some(key)) => key,
            Ok(None) => continue,
            Err(PulledError::Container(error)) => return Err(error.into()),
            Err(damaged) => {
                warn!("{}", chain(&damaged));
                continue;
            }
        };
        if let Ok(blob) = key.landing_blob() {
            findings.add(question, &blob, time);
        }
    }
    let mut landed = containers.landing.list("", None);
    while let Some(facts) = landed.try_next().await? {
        findings.looked.landed += 1;
        findings.add(question, &facts.name, facts.last_modified);
    }
    let mut loads = records::of_loads(state);
    while let Some((blob, time)) = loads.try_next().await? {
        findings.looked.loads += 1;
        findings.add(question, &blob, time);
    }
    Ok(findings)
}

/// Whether storage knows a blob by its full name.
async fn is_known(blob: &BlobName, containers: &Containers) -> Result<bool, OperationError> {
    if head(&containers.landing, blob).await?.is_some() {
        return Ok(true);
    }
    let state = &containers.state;
    if let Some(key) = pulled::PulledKey::of_blob(blob)
        && pulled::list_of_file(state, &key).try_next().await?.is_some()
    {
        return Ok(true);
    }
    let mut loads = loaded::versions_of(state, blob)
        .chain(dead_letters::versions_of(state, blob))
        .chain(attempts::versions_of(state, blob))
        .chain(retracted::versions_of(state, blob));
    Ok(loads.try_next().await?.is_some())
}

/// What is landed; nothing under a name that the store cannot hold.
pub(super) async fn head(landing: &Container, blob: &BlobName) -> Result<Option<BlobFacts>, ContainerError> {
    match landing.head(blob).await {
        Err(ContainerError::Name { .. }) => Ok(None),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_files_the_newest_are_kept_whatever_their_times() {
        for seconds_apart in [0, 1] {
            let mut newest = Newest::default();
            for number in 0..i64::try_from(KEPT).unwrap() * 3 {
                let blob = BlobName::new(format!("flights/{number:06}.csv")).unwrap();
                let time = DateTime::from_timestamp(number * seconds_apart, 0).unwrap();
                newest.add(&blob, time);
                newest.add(&blob, time);
            }
            let kept = newest.sorted();
            assert!(newest.has_dropped && (KEPT / 2..=KEPT).contains(&kept.len()), "{}", kept.len());
            if seconds_apart == 1 {
                assert_eq!(kept[0].as_str(), format!("flights/{:06}.csv", KEPT * 3 - 1));
            }
        }
    }
}
