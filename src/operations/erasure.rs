//! Everything of a file outside the ledger: found, told, and removed.
//!
//! What stays is what keeps the file away: the ledger's line ("retracted at this ETag") with its history, the retraction
//! marker, and the record that the file was pulled, without which the next pull would bring it back as long as it lies at
//! its source. They hold names, times, sizes and a hash, and nothing of the content.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use futures::stream::{BoxStream, StreamExt};

use super::OperationError;
use super::retract::RetractStations;
use crate::faults;
use crate::names::{BlobName, ETag, FeedName};
use crate::records::pulled::{self, FileVersion, PulledKey, RecordState};
use crate::records::{attempts, dead_letters, etags, load_files, loaded, retracted};
use crate::stations::containers::{BlobFacts, Container, ContainerError, Containers};
use crate::stations::share::StagedName;
use crate::stations::warehouse::{FileUnit, UnitRecord};

/// What was removed of a file, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Bytes of the landed blob; `None`: there was none.
    pub landed_bytes: Option<u64>,
    pub staged_copies: usize,
    pub quarantine_files: usize,
    pub curated_files: usize,
    pub records: usize,
    /// Whether a record says that the file was pulled; it stays, so that the file is not pulled again.
    pub is_known_at_source: bool,
    /// Versions that were seen at the source and have not landed: they will be pulled, and will count.
    pub coming: Vec<FileVersion>,
    /// Whether a load of it had begun and not ended: one that is under way may still leave bad rows and a dead letter.
    pub load_has_begun: bool,
    /// A newer version landed meanwhile. It is not this one: it stays, and counts.
    pub newer_landed: bool,
}

/// What there is of one file.
pub struct Remains {
    blob: BlobName,
    landed: Option<BlobFacts>,
    staged: Vec<StagedName>,
    quarantine: BTreeSet<BlobName>,
    curated: BTreeSet<BlobName>,
    loaded: Vec<ETag>,
    letters: Vec<ETag>,
    attempts: Vec<ETag>,
    retractions: Vec<ETag>,
    is_known_at_source: bool,
    coming: Vec<FileVersion>,
}

impl Remains {
    /// Looks everywhere. `ledger` is what the ledger said: it names files that no list would find.
    pub async fn of(
        unit: &FileUnit,
        ledger: Option<&UnitRecord>,
        landed: Option<BlobFacts>,
        at: &RetractStations<'_>,
    ) -> Result<Self, OperationError> {
        let (blob, containers) = (&unit.blob, at.containers);
        let state = &containers.state;
        let mut remains = Remains {
            blob: blob.clone(),
            landed,
            staged: Vec::new(),
            quarantine: files_of(&containers.quarantine, blob).await?,
            curated: files_of(&containers.curated, blob).await?,
            loaded: etags(loaded::versions_of(state, blob)).await?,
            letters: etags(dead_letters::versions_of(state, blob)).await?,
            attempts: etags(attempts::versions_of(state, blob)).await?,
            retractions: etags(retracted::versions_of(state, blob)).await?,
            is_known_at_source: false,
            coming: Vec::new(),
        };
        for etag in &remains.letters {
            let letter = dead_letters::read(state, blob, etag).await?;
            remains.quarantine.extend(letter.and_then(|letter| named(letter.quarantine.as_deref())));
        }
        // Those of blobs with long names stand elsewhere; the ledger's line outlives its files.
        if let Some(record) = ledger {
            remains.quarantine.extend(there(&containers.quarantine, record.quarantine.as_deref()).await?);
            remains.curated.extend(there(&containers.curated, record.curated.as_deref()).await?);
        }
        remains.look_at_source(at).await?;
        Ok(remains)
    }

    async fn look_at_source(&mut self, at: &RetractStations<'_>) -> Result<(), OperationError> {
        let Some(key) = PulledKey::of_blob(&self.blob) else { return Ok(()) };
        let mut records = pulled::list_of_file(&at.containers.state, &key);
        let (mut pulled_versions, mut seen_versions) = (Vec::new(), Vec::new());
        while let Some(record) = records.try_next().await? {
            let version = record.version();
            match record.state() {
                RecordState::Look { .. } => seen_versions.push(version),
                RecordState::Landed | RecordState::Finishing => pulled_versions.push(version),
            }
            let staged = StagedName::of(key.feed(), key.path(), version.size_bytes, version.modified);
            if !self.staged.contains(&staged) && at.share.length(&staged).await?.is_some() {
                self.staged.push(staged);
            }
        }
        self.is_known_at_source = !pulled_versions.is_empty();
        seen_versions.retain(|version| !pulled_versions.contains(version));
        seen_versions.dedup();
        self.coming = seen_versions;
        Ok(())
    }

    pub fn tell(&self) -> Erased {
        Erased {
            landed_bytes: self.landed.as_ref().map(|facts| facts.size_bytes),
            staged_copies: self.staged.len(),
            quarantine_files: self.quarantine.len(),
            curated_files: self.curated.len(),
            records: self.loaded.len() + self.letters.len() + self.attempts.len(),
            is_known_at_source: self.is_known_at_source,
            coming: self.coming.clone(),
            load_has_begun: !self.attempts.is_empty(),
            newer_landed: false,
        }
    }

    /// Removes it all, the content first. `version` is the one that was retracted: its marker stays.
    pub async fn erase(self, version: Option<&ETag>, at: &RetractStations<'_>) -> Result<Erased, OperationError> {
        let (blob, containers) = (&self.blob, at.containers);
        let state = &containers.state;
        let mut erased = self.tell();
        if let Some(landed) = &self.landed {
            match containers.landing.delete_version(blob, &landed.etag).await {
                Ok(()) => {}
                Err(ContainerError::Superseded { .. }) => {
                    erased.newer_landed = true;
                    erased.landed_bytes = None;
                }
                Err(error) => return Err(error.into()),
            }
        }
        faults::point("erase.landing");
        for staged in &self.staged {
            at.share.delete(staged).await?;
        }
        for name in &self.curated {
            containers.curated.delete(name).await?;
        }
        for name in &self.quarantine {
            containers.quarantine.delete(name).await?;
        }
        faults::point("erase.files");
        for etag in &self.loaded {
            loaded::remove(state, blob, etag).await?;
        }
        for etag in &self.attempts {
            attempts::end(state, blob, etag).await?;
        }
        // Letters name files in quarantine, which are gone by now.
        for etag in &self.letters {
            dead_letters::remove(state, blob, etag).await?;
        }
        for etag in self.retractions.iter().filter(|etag| version.is_some_and(|version| **etag != *version)) {
            retracted::remove(state, blob, etag).await?;
        }
        Ok(erased)
    }
}

/// Files that loads of this blob have written, and no other's in folders below.
async fn files_of(container: &Container, blob: &BlobName) -> Result<BTreeSet<BlobName>, ContainerError> {
    let mut files = BTreeSet::new();
    let mut listed = container.list(&format!("{blob}/"), None);
    while let Some(facts) = listed.try_next().await? {
        if load_files::parse(&facts.name).is_some_and(|load| load.blob == *blob) {
            files.insert(facts.name);
        }
    }
    Ok(files)
}

/// The file of this name, if it is there.
async fn there(container: &Container, name: Option<&str>) -> Result<Option<BlobName>, OperationError> {
    let Some(name) = named(name) else { return Ok(None) };
    Ok(container.head(&name).await?.map(|facts| facts.name))
}

fn named(name: Option<&str>) -> Option<BlobName> {
    BlobName::new(name?).ok()
}

/// Blobs of a feed that left something behind in quarantine, curated or the records; one may be named several times.
pub fn leftovers(feed: &FeedName, containers: &Containers) -> BoxStream<'static, Result<BlobName, ContainerError>> {
    let files = |container: &Container| {
        let blob_of = |facts: BlobFacts| async move { Ok(load_files::parse(&facts.name).map(|load| load.blob)) };
        container.list(&format!("{feed}/"), None).try_filter_map(blob_of).boxed()
    };
    let letters = dead_letters::versions(&containers.state, feed).map_ok(|(blob, _)| blob).boxed();
    let markers = loaded::versions(&containers.state, feed).map_ok(|(blob, _)| blob).boxed();
    files(&containers.quarantine).chain(files(&containers.curated)).chain(letters).chain(markers).boxed()
}
