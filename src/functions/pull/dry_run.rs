//! What a pull would do now at each source, and why it would leave each other file. Looks at servers and records as a
//! pull does, with the same decisions, and writes nothing.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use futures::future::join_all;
use serde::Serialize;
use tokio::time::Instant;

use super::PullSource;
use super::error::{PullError, said_in_full};
use super::plan::{Candidate, Plan, PlanStations, plan};
use super::survey::{Left, Marker, SURVEY_LIMIT, survey};
use super::wanted::Wanted;
use crate::clock::Clock;
use crate::names::{FeedName, SourceName};
use crate::pipeline::After;
use crate::records::pulled::{self, AtSource, FileVersion, PulledKey, RecordState};
use crate::stations::containers::Container;
use crate::stations::sftp::{Connector, RemoteFile, RemotePath, SftpEndpoint, printable};

/// For the lists of one source. No tick has more time.
const TIME_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The stations that a dry run looks at.
#[derive(Clone)]
pub struct DryRunStations {
    pub connector: Arc<dyn Connector>,
    pub landing: Container,
    pub state: Container,
}

/// One source as a pull would find it.
#[derive(Clone, Debug, Serialize)]
pub struct SourcePlan {
    pub feed: FeedName,
    pub source: Option<SourceName>,
    /// `sftp://user@host:port/directory`; `None` where a secret is not set.
    pub server: Option<String>,
    /// Why there is no plan, or not a whole one.
    pub fault: Option<String>,
    /// By path.
    pub files: Vec<PlannedFile>,
    /// Files that there was no room for in `files`.
    pub left_off: usize,
}

/// A file, or whatever else lies there, and what would become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedFile {
    /// Below the url's directory, fit to be printed.
    pub path: String,
    pub size_bytes: Option<u64>,
    pub modified: Option<DateTime<Utc>>,
    pub action: Action,
    /// For machines: `settled`, `first_seen`, `settling`, `unmarked`, `landed`, `not_included` …
    pub reason: &'static str,
    /// For people.
    pub why: String,
}

/// What a pull would do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Pull,
    /// At the source, since it has landed.
    Delete,
    /// At the source, since it has landed.
    Move,
    Leave,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Action::Pull => "pull",
            Action::Delete => "delete",
            Action::Move => "move",
            Action::Leave => "leave",
        })
    }
}

/// Looks at all sources at the same time. What fails is in the source's plan: no source's failure concerns another.
pub async fn dry_run(sources: &[PullSource], stations: &DryRunStations, clock: &Clock) -> Vec<SourcePlan> {
    join_all(sources.iter().map(|source| async {
        let mut shown = SourcePlan::new(source);
        let outcome = match &source.endpoint {
            Ok(endpoint) => shown.fill(source, endpoint, stations, clock.now()).await,
            Err(reason) => {
                shown.fault = Some(reason.clone());
                Ok(())
            }
        };
        if let Err(error) = outcome {
            shown.fault = Some(said_in_full(&error));
        }
        shown.files.sort_by(|a, b| a.path.cmp(&b.path));
        shown
    }))
    .await
}

impl SourcePlan {
    fn new(source: &PullSource) -> Self {
        SourcePlan {
            feed: source.feed.clone(),
            source: source.source.name.clone(),
            server: source.endpoint.as_ref().ok().map(SftpEndpoint::to_string),
            fault: None,
            files: Vec::new(),
            left_off: 0,
        }
    }

    async fn fill(
        &mut self,
        source: &PullSource,
        endpoint: &SftpEndpoint,
        stations: &DryRunStations,
        now: DateTime<Utc>,
    ) -> Result<(), PullError> {
        let wanted = Wanted::new(&source.source)?;
        let directory = RemotePath::new(endpoint.directory.as_str())?;
        let session = stations.connector.connect(endpoint).await?;
        let deadline = Instant::now() + TIME_LIMIT;
        let mut leave = |left: Left<'_>| self.leave(&left);
        let survey = survey(session.as_ref(), &directory, &wanted, deadline, &mut leave).await?;
        let at = PlanStations { landing: &stations.landing, state: &stations.state };
        let plan = plan(source, &directory, survey, at, now).await?;
        let teller = Teller { source, directory: &directory };
        self.show_landed(&teller, &plan, &stations.state).await?;
        teller.rows(plan).for_each(|row| self.push(row));
        Ok(())
    }

    fn leave(&mut self, left: &Left<'_>) {
        self.push(PlannedFile {
            path: left.path.clone(),
            size_bytes: left.file.map(|file| file.size_bytes),
            modified: left.file.map(|file| file.modified),
            action: Action::Leave,
            reason: left.why.code(),
            why: left.why.to_string(),
        });
    }

    fn push(&mut self, row: PlannedFile) {
        if self.files.len() < SURVEY_LIMIT {
            self.files.push(row);
        } else {
            self.left_off += 1;
        }
    }

    /// What has landed, and what is still to be done with it at the source.
    async fn show_landed(&mut self, teller: &Teller<'_>, plan: &Plan, state: &Container) -> Result<(), PullError> {
        let pending: HashSet<&str> = plan.pending.iter().map(|pending| pending.path.as_str()).collect();
        for candidate in &plan.known {
            let row = match pending.contains(candidate.key.encoded_path().as_str()) {
                true => teller.to_be_finished(candidate),
                false => teller.landed(candidate),
            };
            self.push(row);
        }
        let known: HashSet<String> = plan.known.iter().map(|candidate| candidate.key.encoded_path()).collect();
        // What was begun lies under a private name; only its record tells which file it was.
        let begun = plan.pending.iter().filter(|pending| !known.contains(&pending.path));
        for record in begun.flat_map(|pending| &pending.records) {
            if record.state() != RecordState::Finishing {
                continue;
            }
            if let Some(landed) = pulled::read(state, record).await? {
                self.push(teller.begun(&landed));
            }
        }
        Ok(())
    }
}

/// Puts a plan into words.
struct Teller<'a> {
    source: &'a PullSource,
    directory: &'a RemotePath,
}

impl Teller<'_> {
    fn rows(&self, plan: Plan) -> impl Iterator<Item = PlannedFile> {
        let ready = plan.ready.into_iter().map(|candidate| self.ready(&candidate));
        let new = plan.new.into_iter().map(|candidate| {
            let why = format!("seen for the first time now: taken once it has not changed for {}", self.settle());
            self.left(&candidate, "first_seen", why)
        });
        let settling = plan.settling.into_iter().map(|candidate| {
            let since = candidate.first_seen.map(seconds).unwrap_or_default();
            let why = format!("settling since {since}: taken once it has not changed for {}", self.settle());
            self.left(&candidate, "settling", why)
        });
        let unmarked = plan.unmarked.into_iter().map(|candidate| {
            let why = self.missing_marker(&candidate);
            self.left(&candidate, "unmarked", why)
        });
        let blocked = plan.blocked.into_iter().map(|candidate| {
            let why = "an earlier version of it is still being deleted or moved".to_owned();
            self.left(&candidate, "blocked", why)
        });
        let unlandable = plan.unlandable.into_iter().map(|unlandable| {
            let why = format!("cannot be landed: {}; ask for another name, or exclude it", unlandable.objection);
            self.left(&unlandable.candidate, "unlandable", why)
        });
        ready.chain(new).chain(settling).chain(unmarked).chain(blocked).chain(unlandable)
    }

    fn ready(&self, candidate: &Candidate) -> PlannedFile {
        let replaced = if candidate.older.is_empty() { "" } else { ", in place of an earlier version" };
        let afterwards = match &self.source.source.after {
            After::Keep => String::new(),
            After::Delete => "; then deleted there".to_owned(),
            After::Move(archive) => format!("; then moved to {archive} there"),
        };
        let why = format!("to {}{replaced}{afterwards}", blob_of(&candidate.key));
        self.row(candidate, Action::Pull, "settled", why)
    }

    fn landed(&self, candidate: &Candidate) -> PlannedFile {
        let why = format!("landed already as {}, with the same size and time", blob_of(&candidate.key));
        self.left(candidate, "landed", why)
    }

    fn to_be_finished(&self, candidate: &Candidate) -> PlannedFile {
        let (action, what) = match &self.source.source.after {
            After::Move(archive) => (Action::Move, format!("to {archive} there")),
            After::Keep | After::Delete => (Action::Delete, "there".to_owned()),
        };
        let why = format!("{what}, since it has landed as {}", blob_of(&candidate.key));
        self.row(candidate, action, "landed", why)
    }

    fn begun(&self, landed: &pulled::LandedFile) -> PlannedFile {
        let key = landed.key();
        let (action, what) = match &landed.at_source {
            AtSource::Keep => (Action::Leave, "kept".to_owned()),
            AtSource::Delete => (Action::Delete, "its deletion there has begun".to_owned()),
            AtSource::Move(archive) => (Action::Move, format!("its move to {archive} there has begun")),
        };
        PlannedFile {
            path: printable(key.path_in(self.source.source.name.as_ref()).unwrap_or(key.path())),
            size_bytes: Some(landed.size_bytes),
            modified: Some(landed.modified),
            action,
            reason: "being_finished",
            why: format!("{what}, since it has landed as {}", landed.blob),
        }
    }

    fn missing_marker(&self, candidate: &Candidate) -> String {
        let suffix = self.source.source.done_marker.as_deref().unwrap_or_default();
        let name = format!("{}{suffix}", printable(candidate.file.path.name()));
        match candidate.marker {
            Marker::Older(FileVersion { modified, .. }) => {
                let time = DateTime::from_timestamp(modified, 0).map(seconds).unwrap_or_default();
                format!("waits for its done marker: `{name}` is from {time}, before the file")
            }
            Marker::NotAsked | Marker::Missing | Marker::There(_) => format!("waits for its done marker `{name}`"),
        }
    }

    fn settle(&self) -> String {
        format!("{:?}", self.source.source.settle)
    }

    fn left(&self, candidate: &Candidate, reason: &'static str, why: String) -> PlannedFile {
        self.row(candidate, Action::Leave, reason, why)
    }

    fn row(&self, candidate: &Candidate, action: Action, reason: &'static str, why: String) -> PlannedFile {
        let RemoteFile { path, size_bytes, modified } = &candidate.file;
        PlannedFile {
            path: printable(path.below(self.directory).unwrap_or(path.as_bytes())),
            size_bytes: Some(*size_bytes),
            modified: Some(*modified),
            action,
            reason,
            why,
        }
    }
}

/// A plan is made of names that can land, but for those that it says cannot.
fn blob_of(key: &PulledKey) -> String {
    key.landing_blob().map_or_else(|_| key.path_text(), |blob| blob.to_string())
}

fn seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
