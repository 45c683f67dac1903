//! Gathers one file's story: from the records and the containers first, then from the ledger.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use tracing::warn;

use super::scan::head;
use super::story::{Event, FileStory, LedgerAnswer, Moment, Standing, VersionStory};
use super::{WhereStations, meaning, next};
use crate::names::{BlobName, ETag, SourceName};
use crate::operations::OperationError;
use crate::pipeline::{Feed, SftpSource};
use crate::records::attempts;
use crate::records::dead_letters;
use crate::records::pulled::{self, FileVersion, LandedFile, PulledError, PulledKey, RecordState};
use crate::records::{etags, load_files, loaded, retracted};
use crate::stations::containers::{BlobFacts, Container, ContainerError};
use crate::stations::sftp::RemotePath;
use crate::stations::share::StagedName;
use crate::stations::warehouse::{FileUnit, HistoryEntry, LedgerEvent, UnitRecord, WarehouseError};
use crate::telemetry::chain;

/// Entries of the ledger's history that are told.
const HISTORY: usize = 50;

pub(super) async fn tell(
    blob: &BlobName,
    ledger_is_away: Option<&str>,
    at: &WhereStations<'_>,
) -> Result<FileStory, OperationError> {
    let mut versions = Versions::default();
    let landed = head(&at.containers.landing, blob).await?;
    tell_pulled(blob, &mut versions, at).await?;
    tell_landed(landed.as_ref(), &mut versions);
    tell_loads(blob, &mut versions, at).await?;
    let ledger = tell_ledger(blob, ledger_is_away, &mut versions, at).await;
    tell_files(blob, &mut versions, at).await?;

    let feed = blob.feed().and_then(|feed| at.pipeline.feed(&feed));
    let source = feed.and_then(|feed| source_of(blob, feed));
    let mut story = FileStory {
        blob: blob.clone(),
        standing: Standing::Gone,
        feed: feed.map(|feed| feed.name.clone()),
        // A file that nobody saw at a source was uploaded.
        source: source.as_ref().filter(|_| versions.was_seen()).and_then(|(source, key)| shown_at_source(source, key)),
        versions: versions.in_order(),
        ledger,
        next: String::new(),
    };
    story.standing = next::standing(&story);
    story.next = next::next(&story, source.as_ref().map(|(source, _)| *source), at.clock.now());
    Ok(story)
}

/// The versions of one file as they become known.
#[derive(Default)]
struct Versions(Vec<VersionStory>);

impl Versions {
    /// The version that is landed, or was, under this ETag.
    fn of(&mut self, etag: &ETag) -> &mut VersionStory {
        let position = self.0.iter().position(|version| version.etag.as_ref() == Some(etag));
        let position = position.unwrap_or_else(|| {
            self.0.push(VersionStory { etag: Some(etag.clone()), ..VersionStory::default() });
            self.0.len() - 1
        });
        &mut self.0[position]
    }

    /// The version that the source showed with this size and time, and that has not landed.
    fn seen(&mut self, seen_as: FileVersion) -> &mut VersionStory {
        let position = self.0.iter().position(|version| version.seen_as == Some(seen_as));
        let position = position.unwrap_or_else(|| {
            self.0.push(VersionStory { seen_as: Some(seen_as), ..VersionStory::default() });
            self.0.len() - 1
        });
        &mut self.0[position]
    }

    fn was_seen(&self) -> bool {
        self.0.iter().any(|version| version.seen_as.is_some())
    }

    fn in_order(mut self) -> Vec<VersionStory> {
        for version in &mut self.0 {
            version.events.sort_by_key(|moment| moment.at);
        }
        self.0.sort_by_key(|version| version.events.first().map(|moment| moment.at));
        self.0
    }
}

impl VersionStory {
    fn add(&mut self, at: DateTime<Utc>, event: Event) {
        self.events.push(Moment { at, event });
    }
}

/// Looks, staged copies and landings, by the records.
async fn tell_pulled(blob: &BlobName, versions: &mut Versions, at: &WhereStations<'_>) -> Result<(), OperationError> {
    let Some(key) = PulledKey::of_blob(blob) else { return Ok(()) };
    let state = &at.containers.state;
    let records: Vec<_> = pulled::list_of_file(state, &key).try_collect().await?;
    let (looks, landings): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| matches!(record.state(), RecordState::Look { .. }));
    for record in &landings {
        let file = match pulled::read(state, record).await {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(PulledError::Container(error)) => return Err(error.into()),
            Err(damaged) => {
                warn!("{}", chain(&damaged));
                continue;
            }
        };
        let version = versions.of(&file.etag);
        version.seen_as = Some(file.version());
        if record.state() == RecordState::Finishing {
            version.add(file.landed_at, Event::Finishing { at_source: file.at_source.clone() });
        }
        if version.first_seen.is_none() {
            tell_landing(version, &file);
        }
    }
    for record in &looks {
        let RecordState::Look { first_seen } = record.state() else { continue };
        let seen_as = record.version();
        if landings.iter().any(|landing| landing.version() == seen_as) {
            continue;
        }
        let version = versions.seen(seen_as);
        if version.first_seen.is_none() {
            let modified = DateTime::from_timestamp(seen_as.modified, 0).unwrap_or_default();
            version.add(first_seen, Event::Seen { size_bytes: seen_as.size_bytes, modified });
        }
        version.first_seen = Some(version.first_seen.map_or(first_seen, |known| known.min(first_seen)));
        let staged = StagedName::of(key.feed(), key.path(), seen_as.size_bytes, seen_as.modified);
        if let Some(staged_bytes) = at.share.length(&staged).await? {
            version.staged_bytes = Some(staged_bytes);
            version.add(first_seen, Event::Staged { staged_bytes, size_bytes: seen_as.size_bytes });
        }
    }
    Ok(())
}

fn tell_landing(version: &mut VersionStory, file: &LandedFile) {
    version.first_seen = Some(file.first_seen);
    version.add(file.first_seen, Event::Seen { size_bytes: file.size_bytes, modified: file.modified });
    let landed = Event::Landed { size_bytes: file.size_bytes, sha256: Some(file.sha256.clone()) };
    version.add(file.landed_at, landed);
}

/// The blob as it is now.
fn tell_landed(landed: Option<&BlobFacts>, versions: &mut Versions) {
    let Some(facts) = landed else { return };
    let version = versions.of(&facts.etag);
    version.is_landed = true;
    let is_told = version.events.iter().any(|moment| matches!(moment.event, Event::Landed { .. }));
    if !is_told {
        version.add(facts.last_modified, Event::Landed { size_bytes: facts.size_bytes, sha256: None });
    }
}

/// Attempts, dead letters, loaded and retraction markers.
async fn tell_loads(blob: &BlobName, versions: &mut Versions, at: &WhereStations<'_>) -> Result<(), OperationError> {
    let state = &at.containers.state;
    for etag in etags(attempts::versions_of(state, blob)).await? {
        let Some(record) = attempts::read(state, blob, &etag).await? else { continue };
        let version = versions.of(&etag);
        version.attempts = record.begun.len();
        for attempt in record.begun {
            version.add(attempt.at, Event::LoadBegun { process: attempt.process });
        }
    }
    for etag in etags(dead_letters::versions_of(state, blob)).await? {
        let Some(letter) = dead_letters::read(state, blob, &etag).await? else { continue };
        let version = versions.of(&etag);
        let event = Event::DeadLetter {
            id: letter.id(),
            stage: letter.stage.clone(),
            reason: letter.reason.clone(),
            remedy: letter.remedy.clone(),
            row: letter.row,
            tries: letter.tries,
            first_at: letter.first_at,
        };
        version.add(letter.last_at, event);
        version.letter = Some(letter);
    }
    for etag in etags(loaded::versions_of(state, blob)).await? {
        let Some(marker) = loaded::read(state, blob, &etag).await? else { continue };
        let version = versions.of(&etag);
        version.loaded = true;
        let event = Event::MarkedLoaded {
            rows_read: marker.rows_read,
            rows_rejected: marker.rows_rejected,
            generation: marker.generation,
        };
        version.add(marker.committed_at, event);
    }
    for etag in etags(retracted::versions_of(state, blob)).await? {
        let Some(marker) = retracted::read(state, blob, &etag).await? else { continue };
        let version = versions.of(&etag);
        version.add(marker.retracted_at, Event::Retracted { erased: marker.erased });
        version.retracted = Some(marker);
    }
    Ok(())
}

/// What the ledger says replaces what the markers say.
async fn tell_ledger(
    blob: &BlobName,
    ledger_is_away: Option<&str>,
    versions: &mut Versions,
    at: &WhereStations<'_>,
) -> LedgerAnswer {
    let Some(feed) = blob.feed() else { return LedgerAnswer::NotAsked };
    if let Some(reason) = ledger_is_away {
        return LedgerAnswer::Away { reason: reason.to_owned() };
    }
    let unit = FileUnit { feed, blob: blob.clone() };
    let (record, history) = match ask_ledger(&unit, at).await {
        Ok(Some(answer)) => answer,
        Ok(None) => return LedgerAnswer::Nothing,
        Err(error) => return LedgerAnswer::Away { reason: chain(&error) },
    };
    for version in &mut versions.0 {
        version
            .events
            .retain(|moment| !matches!(moment.event, Event::MarkedLoaded { .. } | Event::Retracted { erased: false }));
    }
    let history_goes_on = history.len() > HISTORY;
    for entry in history.into_iter().take(HISTORY) {
        let version = versions.of(&entry.etag);
        // The marker knows more.
        let is_told = version.events.iter().any(|moment| matches!(moment.event, Event::Retracted { .. }));
        if entry.event == LedgerEvent::Retracted && is_told {
            continue;
        }
        version.add(entry.at, event_of(entry));
    }
    let Some(record) = record else { return LedgerAnswer::Nothing };
    let current_generation = at.warehouse.generation(&meaning(at.pipeline, &unit.feed)).await.ok();
    LedgerAnswer::Unit {
        etag: record.etag,
        generation: record.generation,
        current_generation,
        retracted: record.retracted_at.is_some(),
        history_goes_on,
    }
}

/// `None`: the ledger never heard of it.
async fn ask_ledger(
    unit: &FileUnit,
    at: &WhereStations<'_>,
) -> Result<Option<(Option<UnitRecord>, Vec<HistoryEntry>)>, WarehouseError> {
    let record = at.warehouse.unit(unit).await?;
    let history = at.warehouse.history(unit, HISTORY + 1).await?;
    Ok((record.is_some() || !history.is_empty()).then_some((record, history)))
}

fn event_of(entry: HistoryEntry) -> Event {
    match entry.event {
        LedgerEvent::Committed => Event::Counted {
            rows_read: entry.rows_read,
            rows_rejected: entry.rows_rejected,
            generation: entry.generation,
            load_id: entry.load_id,
            displaced: entry.displaced.map(|old| old.etag),
        },
        LedgerEvent::Retracted => Event::Retracted { erased: false },
        LedgerEvent::Restored => Event::Restored,
    }
}

/// Files in quarantine and curated, by their names: `<blob>/<etag>.<load id>.<format>`.
async fn tell_files(blob: &BlobName, versions: &mut Versions, at: &WhereStations<'_>) -> Result<(), OperationError> {
    for (etag, facts) in files_of(&at.containers.quarantine, blob).await? {
        let event = Event::Quarantined { file: facts.name, size_bytes: facts.size_bytes };
        versions.of(&etag).add(facts.last_modified, event);
    }
    for (etag, facts) in files_of(&at.containers.curated, blob).await? {
        let event = Event::Curated { file: facts.name, size_bytes: facts.size_bytes };
        versions.of(&etag).add(facts.last_modified, event);
    }
    Ok(())
}

async fn files_of(container: &Container, blob: &BlobName) -> Result<Vec<(ETag, BlobFacts)>, ContainerError> {
    let of_version = container.list(&format!("{blob}/"), None).try_filter_map(|facts| {
        let load = load_files::parse(&facts.name).filter(|load| load.blob == *blob);
        async move { Ok(load.map(|load| (load.etag, facts))) }
    });
    of_version.try_collect().await
}

/// The source that a file comes from, or would.
fn source_of<'a>(blob: &BlobName, feed: &'a Feed) -> Option<(&'a SftpSource, PulledKey)> {
    let key = PulledKey::of_blob(blob)?;
    let named = |name: &SourceName| key.path_in(Some(name)).is_some();
    let source = feed.sources.iter().find(|source| source.name.as_ref().is_none_or(named))?;
    Some((source, key))
}

fn shown_at_source(source: &SftpSource, key: &PulledKey) -> Option<String> {
    let path = RemotePath::new(source.url.directory.as_str()).ok()?.join(key.path_in(source.name.as_ref())?).ok()?;
    Some(format!("{}:{path}", source.url.host))
}
