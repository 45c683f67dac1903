//! Files move from their servers into landing: each version of each file once, whatever is interrupted.
//!
//! For every source, a pull lists the server, leaves out what the feed does not want and what the records know, and
//! waits until a file has looked the same twice. What has settled is staged on the share and uploaded unseen, hashed on
//! the way, checked against the server once more, and committed to landing under the condition that nobody else landed
//! there meanwhile. Then the record is written, the staged copy goes, and the file is deleted or moved at its source if
//! the feed says so.
//!
//! Nothing here is remembered between ticks but by the share, landing and the records: a pull that is killed at any
//! instant is repeated by the next one. A pull knows no format and opens no database.

mod after;
mod carry;
mod dry_run;
mod error;
mod looked;
mod plan;
mod report;
mod survey;
mod wanted;

#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::{FutureExt, join_all};
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::names::FeedName;
use crate::pipeline::SftpSource;
use crate::records::pulled::{self, FileVersion};
use crate::stations::containers::Container;
use crate::stations::sftp::{Connector, RemoteFile, RemotePath, Sftp, SftpEndpoint, printable};
use crate::stations::share::{self, Share, ShareError};

use carry::Carried;
pub use dry_run::{Action, DryRunStations, PlannedFile, SourcePlan, dry_run};
use error::{PullError, said_in_full};
use plan::{Candidate, Plan, PlanStations, plan};
pub use report::{PullFailure, PullReport, SourceReport};
use survey::{Left, survey};
use wanted::Wanted;

/// Transfers beyond the first of each source, over all sources together. With three blocks of 4 MiB each they are what
/// bounds the memory of a pull.
const SPARE_TRANSFERS: usize = 16;
/// What a call to a server may still take when the time is up, before it is cut off.
const GRACE: Duration = Duration::from_secs(5);
/// Records are small and their store is far away.
const RECORDS_AT_A_TIME: usize = 16;

/// One `[[feed.sftp]]`, ready to be pulled from.
pub struct PullSource {
    pub feed: FeedName,
    pub source: SftpSource,
    /// Why there is no endpoint (a secret is not set) concerns this source only.
    pub endpoint: Result<SftpEndpoint, String>,
}

/// The stations that a pull passes.
#[derive(Clone)]
pub struct PullStations {
    pub connector: Arc<dyn Connector>,
    pub share: Arc<dyn Share>,
    pub landing: Container,
    pub state: Container,
}

/// Pulls from all sources at the same time until nothing is left or the time is up. What fails is in the report: no
/// source's failure concerns another. Two pulls at the same time are safe.
pub async fn pull(sources: &[PullSource], stations: &PullStations, clock: &Clock, deadline: Instant) -> PullReport {
    let spare_transfers = Semaphore::new(SPARE_TRANSFERS);
    let pulls = sources.iter().map(|source| async {
        let report = Mutex::new(SourceReport::new(&source.feed, source.source.name.as_ref()));
        let context = Context {
            source,
            stations,
            clock,
            deadline,
            spare_transfers: &spare_transfers,
            report: &report,
            read_only: Mutex::default(),
        };
        if timeout_at(deadline + GRACE, context.pull()).await.is_err() {
            context.fail(None, "cut off at the deadline: the server does not answer in time".to_owned());
        }
        let report = report.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        looked::note(source, &report, &stations.state, clock.now()).await;
        report
    });
    let sources = join_all(pulls).await;
    let share_failure = share::remove_orphans(stations.share.as_ref(), clock.now()).await.err();
    PullReport { sources, share_failure: share_failure.map(|error| said_in_full(&error)) }
}

/// One source's part of a pull.
struct Context<'a> {
    source: &'a PullSource,
    stations: &'a PullStations,
    clock: &'a Clock,
    deadline: Instant,
    spare_transfers: &'a Semaphore,
    report: &'a Mutex<SourceReport>,
    /// Folders in which the account may not rename or delete, as far as this tick has found out: one refusal tells.
    read_only: Mutex<HashSet<RemotePath>>,
}

type Queue = Mutex<VecDeque<Candidate>>;

impl Context<'_> {
    async fn pull(&self) {
        let endpoint = match &self.source.endpoint {
            Ok(endpoint) => endpoint,
            Err(reason) => return self.fail(None, reason.clone()),
        };
        if let Err(error) = self.pull_from(endpoint).await {
            self.fail(None, said_in_full(&error));
        }
    }

    async fn pull_from(&self, endpoint: &SftpEndpoint) -> Result<(), PullError> {
        let wanted = Wanted::new(&self.source.source)?;
        let directory = RemotePath::new(endpoint.directory.as_str())?;
        let session = self.stations.connector.connect(endpoint).await?;
        let mut tell = |left: Left<'_>| self.tell_trouble(&left);
        let survey = survey(session.as_ref(), &directory, &wanted, self.deadline, &mut tell).await?;
        self.report().seen = survey.seen.len();

        let at = PlanStations { landing: &self.stations.landing, state: &self.stations.state };
        let mut plan = plan(self.source, &directory, survey, at, self.clock.now()).await?;
        self.tell_plan(&plan);
        // They may be many, and nothing more is to be done with them.
        plan.known = Vec::new();
        self.keep_records(&plan).await?;
        for records in &plan.pending {
            if self.is_over() {
                break;
            }
            if let Err(error) = self.finish(session.as_ref(), &directory, records).await {
                let is_fatal = error.is_of_the_connection();
                self.fail(Some(records.path.clone()), said_in_full(&error));
                if is_fatal {
                    return Ok(());
                }
            }
        }

        let queue = Mutex::new(plan.ready);
        let transfers = (0..self.source.source.parallel.max(1)).map(|hand| {
            let session = (hand == 0).then(|| Arc::clone(&session));
            self.carry_from(&queue, endpoint, &directory, session)
        });
        join_all(transfers).await;
        let left = queue.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).len();
        self.report().waiting += left;
        Ok(())
    }

    /// What is not wanted is nobody's business; what could not be looked at is.
    fn tell_trouble(&self, left: &Left<'_>) {
        if left.why.is_trouble() {
            self.fail(Some(left.path.clone()), format!("`{}` is left at its source: {}", left.path, left.why));
        }
    }

    fn tell_plan(&self, plan: &Plan) {
        let mut report = self.report();
        report.known = plan.known.len();
        report.settling = plan.new.len() + plan.settling.len() + plan.blocked.len();
        report.unmarked = plan.unmarked.len();
        for unlandable in &plan.unlandable {
            let path = printable(unlandable.candidate.key.path());
            let message = format!(
                "`{path}` cannot be landed and is left at its source: {}; ask for another name, or exclude it",
                unlandable.objection
            );
            report.fail(Some(path), message);
        }
    }

    /// Remembers the first look at what is new, and forgets what no longer tells anything.
    async fn keep_records(&self, plan: &Plan) -> Result<(), PullError> {
        let (state, now) = (&self.stations.state, self.clock.now());
        // Boxed, as the compiler cannot see that a closure's future over a borrowed candidate is Send for every lifetime.
        let look = |candidate: &Candidate| {
            let (key, version) = (candidate.key.clone(), version_of(&candidate.file));
            async move { pulled::write_look(state, &key, version, now).await.map(|_| ()) }.boxed()
        };
        let looks: Vec<_> = plan.new.iter().map(look).collect();
        let retirements: Vec<_> = plan.stale.iter().map(|record| pulled::retire(state, record).boxed()).collect();
        stream::iter(looks).buffer_unordered(RECORDS_AT_A_TIME).try_collect::<()>().await?;
        stream::iter(retirements).buffer_unordered(RECORDS_AT_A_TIME).try_collect::<()>().await?;
        Ok(())
    }

    /// One transfer after the other, until the queue is empty or the time is up. The first hand has a session already
    /// and a place of its own, so that no source starves; the others share what places there are.
    async fn carry_from(
        &self,
        queue: &Queue,
        endpoint: &SftpEndpoint,
        directory: &RemotePath,
        mut session: Option<Arc<dyn Sftp>>,
    ) {
        let is_first = session.is_some();
        while !self.is_over() && !lock(queue).is_empty() {
            let _place = if is_first { None } else { self.spare_place().await };
            let Some(candidate) = lock(queue).pop_front() else {
                return;
            };
            if self.is_over() {
                return lock(queue).push_front(candidate);
            }
            let open = match session.take() {
                Some(open) => open,
                None => match self.stations.connector.connect(endpoint).await {
                    Ok(open) => open,
                    Err(error) => {
                        lock(queue).push_front(candidate);
                        return self.fail(None, said_in_full(&error));
                    }
                },
            };
            if let Err(error) = self.carry_one(open.as_ref(), directory, &candidate).await {
                self.fail(Some(candidate.key.path_text()), said_in_full(&error));
                if error.is_of_the_connection() {
                    continue;
                }
            }
            session = Some(open);
        }
    }

    /// `None` when the time is up.
    async fn spare_place(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        timeout_at(self.deadline, self.spare_transfers.acquire()).await.ok()?.ok()
    }

    async fn carry_one(&self, sftp: &dyn Sftp, directory: &RemotePath, candidate: &Candidate) -> Result<(), PullError> {
        let landed = match self.carry(sftp, candidate).await {
            Ok(Carried::Landed(landed)) => {
                self.report().pulled += 1;
                landed
            }
            Ok(Carried::Unchanged(landed)) => {
                self.report().unchanged += 1;
                landed
            }
            // A staged copy goes away when another pull has landed it.
            Ok(Carried::Changed) | Err(PullError::Share(ShareError::Gone { .. })) => {
                self.report().changed += 1;
                return Ok(());
            }
            Ok(Carried::OutOfTime) => {
                self.report().waiting += 1;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.finish_landed(sftp, directory, &landed).await
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    fn report(&self) -> MutexGuard<'_, SourceReport> {
        lock(self.report)
    }

    fn fail(&self, path: Option<String>, message: String) {
        self.report().fail(path, message);
    }
}

fn version_of(file: &RemoteFile) -> FileVersion {
    FileVersion { size_bytes: file.size_bytes, modified: file.modified.timestamp() }
}

/// Holders do plain arithmetic; a poisoned lock guards sound data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
