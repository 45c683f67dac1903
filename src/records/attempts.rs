//! Attempts, `attempts/<blob>/=<etag>`: written before a load begins, removed after it.
//!
//! A file that kills its handler, or never fits the time, would be delivered for ever. So the record names each try that
//! began and did not finish: such a file runs alone at its second try, and at the third it is a dead letter.
//!
//! Another handler may be at the same file at this moment, since messages come twice. Whether a try that did not finish is
//! still under way shows in where and when it began:
//!
//! | whose try | it has ended if |
//! |---|---|
//! | this process's | no load of the file is under way in this process: it was cut off at the deadline |
//! | another process's of the same place | always: a host runs one handler at a time |
//! | a process's of another place | it began longer ago than any load may last |
//!
//! A try that may be under way is no reason for a dead letter. It is one to run alone: it may have killed its handler just now.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::{Versions, key};
use crate::names::{BlobName, ETag, FeedName};
use crate::stations::containers::{Condition, Container, ContainerError};

pub(super) const KIND: &str = "attempts";

/// Tries that a version has before it is a dead letter.
pub const TRIES: usize = 2;

/// Other handlers may write the record between our reading and our writing; more often than this, they do nothing else.
const WRITES: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// One entry for each process that began this version, in order.
    pub begun: Vec<Attempt>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub process: String,
    #[serde(default)]
    pub place: String,
    /// When its last try began.
    pub at: DateTime<Utc>,
    /// How often it began. Of several at the same time, one counts.
    #[serde(default = "one")]
    pub tries: usize,
}

fn one() -> usize {
    1
}

/// A handler that loads files.
#[derive(Clone, Debug)]
pub struct Worker {
    process: String,
    place: String,
    longest_load: TimeDelta,
    /// The records of loads that are under way in this process.
    under_way: Arc<Mutex<HashSet<BlobName>>>,
}

impl Worker {
    /// `process` is no other process's name, ever. `place` is where it runs; a process that follows it there, after its end,
    /// has the same.
    pub fn new(process: impl Into<String>, place: impl Into<String>, longest_load: TimeDelta) -> Self {
        Worker { process: process.into(), place: place.into(), longest_load, under_way: Arc::default() }
    }

    fn under_way(&self) -> MutexGuard<'_, HashSet<BlobName>> {
        // Holders insert and remove; a poisoned lock guards sound data.
        self.under_way.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether a try that did not finish is over.
    fn has_ended(&self, attempt: &Attempt, record: &BlobName, now: DateTime<Utc>) -> bool {
        if attempt.process == self.process {
            return !self.under_way().contains(record);
        }
        attempt.place == self.place || now - attempt.at > self.longest_load
    }
}

/// What earlier attempts mean for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Nobody failed at it so far.
    Free,
    /// A try began and did not finish: nothing else may run beside the next one, lest an innocent file be blamed.
    Alone,
    /// It had its tries.
    Exhausted,
}

/// What the record allows. Asked before waiting for a turn; [`begin`] follows when the turn has come, so that nobody who
/// only waited is blamed.
pub async fn permission(
    state: &Container,
    blob: &BlobName,
    etag: &ETag,
    worker: &Worker,
    now: DateTime<Utc>,
) -> Result<Permission, ContainerError> {
    let name = key::of_version(KIND, blob, etag);
    let record: AttemptRecord = super::read(state, &name).await?.unwrap_or_default();
    let ended = record.begun.iter().filter(|attempt| worker.has_ended(attempt, &name, now));
    if ended.map(|attempt| attempt.tries).sum::<usize>() >= TRIES {
        return Ok(Permission::Exhausted);
    }
    let is_ours = |attempt: &Attempt| attempt.process == worker.process && !worker.has_ended(attempt, &name, now);
    Ok(if record.begun.iter().all(is_ours) { Permission::Free } else { Permission::Alone })
}

/// A try that has begun. Where it is dropped without [`Begun::settle`] or [`Begun::end`], it was cut off, and counts.
#[must_use]
pub struct Begun {
    name: BlobName,
    worker: Worker,
    /// Of the record, as this try has written it.
    version: ETag,
    /// This process was at the file already: that try keeps the record.
    is_second: bool,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_second {
            self.worker.under_way().remove(&self.name);
        }
    }
}

/// Notes that a worker begins.
pub async fn begin(
    state: &Container,
    blob: &BlobName,
    etag: &ETag,
    worker: &Worker,
    now: DateTime<Utc>,
) -> Result<Begun, ContainerError> {
    let name = key::of_version(KIND, blob, etag);
    let is_second = !worker.under_way().insert(name.clone());
    let mut begun = Begun { name, worker: worker.clone(), version: etag.clone(), is_second };
    let note = |record: &mut AttemptRecord| {
        match record.begun.iter_mut().find(|attempt| attempt.process == worker.process) {
            Some(ours) => {
                ours.at = now;
                ours.tries += usize::from(!is_second);
            }
            None => {
                let (process, place) = (worker.process.clone(), worker.place.clone());
                record.begun.push(Attempt { process, place, at: now, tries: 1 });
            }
        }
        true
    };
    if let Some(version) = change(state, &begun.name, note).await? {
        begun.version = version;
    }
    Ok(begun)
}

impl Begun {
    /// Nothing is left to do about this version: whoever tried, and in vain, is no longer of interest.
    pub async fn settle(self, state: &Container) -> Result<(), ContainerError> {
        state.delete(&self.name).await
    }

    /// The load ended with an error that was reported, and the version will come again.
    pub async fn end(self, state: &Container) -> Result<(), ContainerError> {
        if self.is_second {
            return Ok(());
        }
        match state.delete_version(&self.name, &self.version).await {
            Err(ContainerError::Superseded { .. }) => {}
            ended => return ended,
        }
        // Others began too: their tries stay.
        let forget_ours = |record: &mut AttemptRecord| {
            let before = record.begun.len();
            record.begun.retain(|attempt| attempt.process != self.worker.process);
            record.begun.len() < before
        };
        change(state, &self.name, forget_ours).await.map(|_| ())
    }
}

/// Changes a record, whoever else does so at the same time, and returns its new version. One without entries goes.
/// `None`: there was nothing to change, or nothing is left.
async fn change(
    state: &Container,
    name: &BlobName,
    change: impl Fn(&mut AttemptRecord) -> bool,
) -> Result<Option<ETag>, ContainerError> {
    for _ in 0..WRITES {
        let present = state.get_version(name).await?;
        let mut record: AttemptRecord =
            present.as_ref().and_then(|(bytes, _)| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        if !change(&mut record) {
            return Ok(None);
        }
        let condition = present.map_or(Condition::Absent, |(_, version)| Condition::Is(version));
        match (record.begun.is_empty(), condition) {
            (true, Condition::Absent) => return Ok(None),
            (true, Condition::Is(version)) => match state.delete_version(name, &version).await {
                Ok(()) => return Ok(None),
                Err(ContainerError::Superseded { .. }) => {}
                Err(error) => return Err(error),
            },
            (false, condition) => {
                let bytes = serde_json::to_vec_pretty(&record).expect("a record holds text, numbers and times");
                if let Some(version) = state.put_if(name, Bytes::from(bytes), condition).await? {
                    return Ok(Some(version));
                }
            }
        }
    }
    Err(ContainerError::Superseded { container: state.name(), blob: name.clone() })
}

/// What the record says; `None`: no load is under way, and none was killed.
pub async fn read(state: &Container, blob: &BlobName, etag: &ETag) -> Result<Option<AttemptRecord>, ContainerError> {
    super::read(state, &key::of_version(KIND, blob, etag)).await
}

/// The versions of one blob that were begun and have not ended.
pub fn versions_of(state: &Container, blob: &BlobName) -> Versions {
    super::versions_below(state, KIND, key::prefix_of_blob(KIND, blob))
}

/// How many versions of a feed's blobs were begun and have not ended.
pub async fn count(state: &Container, feed: &FeedName) -> Result<usize, ContainerError> {
    state.list(&format!("{KIND}/{feed}/"), None).try_fold(0, |count, _| async move { Ok(count + 1) }).await
}

/// Gives a version its tries anew, as a person wants.
pub async fn end(state: &Container, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError> {
    state.delete(&key::of_version(KIND, blob, etag)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::stations::containers::Containers;

    struct Try {
        state: Container,
        clock: Clock,
        blob: BlobName,
        etag: ETag,
    }

    impl Try {
        fn new() -> Self {
            let clock = Clock::set_to(DateTime::UNIX_EPOCH);
            let state = Containers::in_memory(&clock).0.state;
            Try { state, clock, blob: BlobName::new("flights/a.csv").unwrap(), etag: ETag::new("1").unwrap() }
        }

        async fn permission(&self, worker: &Worker) -> Permission {
            permission(&self.state, &self.blob, &self.etag, worker, self.clock.now()).await.unwrap()
        }

        async fn begin(&self, worker: &Worker) -> Begun {
            begin(&self.state, &self.blob, &self.etag, worker, self.clock.now()).await.unwrap()
        }

        /// As SIGKILL leaves it.
        async fn killed(&self, worker: &Worker) {
            std::mem::forget(self.begin(worker).await);
        }

        async fn record(&self) -> Option<AttemptRecord> {
            read(&self.state, &self.blob, &self.etag).await.unwrap()
        }
    }

    fn worker(process: &str, place: &str) -> Worker {
        Worker::new(process, place, TimeDelta::minutes(10))
    }

    #[tokio::test]
    async fn a_file_that_kills_two_handlers_of_a_host_is_exhausted_at_the_third() {
        let at = Try::new();
        for (process, expected) in [("1", Permission::Free), ("2", Permission::Alone)] {
            let worker = worker(process, "here");
            assert_eq!(at.permission(&worker).await, expected);
            at.killed(&worker).await;
        }
        assert_eq!(at.permission(&worker("3", "here")).await, Permission::Exhausted);
    }

    #[tokio::test]
    async fn handlers_that_are_alive_elsewhere_are_no_reason_for_a_dead_letter() {
        let at = Try::new();
        let alive: Vec<Begun> = vec![
            at.begin(&worker("1", "a")).await,
            at.begin(&worker("2", "b")).await,
            at.begin(&worker("3", "c")).await,
        ];
        assert_eq!(at.permission(&worker("4", "d")).await, Permission::Alone);
        for begun in alive {
            begun.end(&at.state).await.unwrap();
        }
        assert_eq!(at.record().await, None);
        assert_eq!(at.permission(&worker("4", "d")).await, Permission::Free);
    }

    #[tokio::test]
    async fn handlers_elsewhere_count_as_dead_once_no_load_can_last_so_long() {
        let at = Try::new();
        at.killed(&worker("1", "a")).await;
        at.killed(&worker("2", "b")).await;
        at.clock.advance(TimeDelta::minutes(11));
        assert_eq!(at.permission(&worker("3", "c")).await, Permission::Exhausted);
    }

    #[tokio::test]
    async fn the_end_of_one_handlers_load_forgets_no_others() {
        let at = Try::new();
        let here = worker("1", "a");
        let ours = at.begin(&here).await;
        at.killed(&worker("2", "b")).await;
        ours.end(&at.state).await.unwrap();
        let begun = at.record().await.unwrap().begun;
        assert_eq!(begun.iter().map(|attempt| attempt.process.as_str()).collect::<Vec<_>>(), ["2"]);
    }

    #[tokio::test]
    async fn a_version_that_is_settled_has_no_tries_left_to_tell_of() {
        let at = Try::new();
        at.killed(&worker("1", "a")).await;
        at.begin(&worker("2", "b")).await.settle(&at.state).await.unwrap();
        assert_eq!(at.record().await, None);
    }

    #[tokio::test]
    async fn the_same_file_twice_in_one_process_is_no_failure() {
        let at = Try::new();
        let worker = worker("1", "a");
        let first = at.begin(&worker).await;
        assert_eq!(at.permission(&worker).await, Permission::Free);
        let second = at.begin(&worker).await;
        second.end(&at.state).await.unwrap();
        assert!(at.record().await.is_some(), "the first is under way");
        first.end(&at.state).await.unwrap();
        assert_eq!(at.record().await, None);
    }

    #[tokio::test]
    async fn a_file_that_never_fits_the_time_is_exhausted_though_its_process_lives() {
        let at = Try::new();
        let worker = worker("1", "a");
        for expected in [Permission::Free, Permission::Alone] {
            assert_eq!(at.permission(&worker).await, expected);
            drop(at.begin(&worker).await);
        }
        assert_eq!(at.permission(&worker).await, Permission::Exhausted);
        end(&at.state, &at.blob, &at.etag).await.unwrap();
        assert_eq!(at.permission(&worker).await, Permission::Free);
    }

    #[tokio::test]
    async fn a_record_of_before_is_understood() {
        let at = Try::new();
        let text = br#"{"begun":[{"process":"old","at":"1970-01-01T00:00:00Z"}]}"#;
        at.state.put(&key::of_version(KIND, &at.blob, &at.etag), Bytes::from_static(text)).await.unwrap();
        assert_eq!(at.permission(&worker("1", "a")).await, Permission::Alone);
    }
}
