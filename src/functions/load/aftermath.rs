//! What follows a count or a commit. All of it may happen twice, and none of it decides anything.

use super::LoadStations;
use crate::counting::Counted;
use crate::names::{BlobName, ETag};
use crate::records::dead_letters;
use crate::records::loaded::{self, LoadedMarker};
use crate::records::new_columns::{self, NewColumns};
use crate::records::retracted::{self, RetractionMarker};
use crate::stations::containers::ContainerError;
use crate::stations::warehouse::{FileUnit, UnitRecord};

/// After the commit: the marker, and what the commit made stale.
pub async fn finish(
    committed: &UnitRecord,
    displaced: Option<&UnitRecord>,
    at: &LoadStations,
) -> Result<(), ContainerError> {
    let (blob, etag) = (&committed.unit.blob, &committed.etag);
    let state = &at.containers.state;
    loaded::write(state, &marker_of(committed)).await?;
    dead_letters::remove(state, blob, etag).await?;
    retracted::remove(state, blob, etag).await?;
    let Some(displaced) = displaced else { return Ok(()) };
    if displaced.etag != *etag {
        loaded::remove(state, blob, &displaced.etag).await?;
        retracted::remove(state, blob, &displaced.etag).await?;
    }
    remove_files(displaced, at).await
}

/// The marker of what the ledger says.
pub fn marker_of(record: &UnitRecord) -> LoadedMarker {
    LoadedMarker {
        blob: record.unit.blob.clone(),
        etag: record.etag.clone(),
        generation: record.generation,
        load_id: Some(record.load_id.clone()),
        rows_read: record.rows_read,
        rows_rejected: record.rows_rejected,
        committed_at: record.committed_at,
    }
}

/// A version that the ledger calls retracted, where a kill left the records behind.
pub async fn finish_retraction(blob: &BlobName, etag: &ETag, at: &LoadStations) -> Result<(), ContainerError> {
    let state = &at.containers.state;
    if !retracted::exists(state, blob, etag).await? {
        let marker =
            RetractionMarker { blob: blob.clone(), etag: etag.clone(), retracted_at: at.clock.now(), erased: false };
        retracted::write(state, &marker).await?;
    }
    loaded::remove(state, blob, etag).await?;
    dead_letters::remove(state, blob, etag).await
}

/// What this load wrote is nobody's, as it was not committed.
pub async fn drop_own_files(ours: &UnitRecord, at: &LoadStations) -> Result<(), ContainerError> {
    remove_files(ours, at).await
}

/// Removes the bad and the typed rows of a load that does not count.
async fn remove_files(record: &UnitRecord, at: &LoadStations) -> Result<(), ContainerError> {
    let files = [(&at.containers.quarantine, &record.quarantine), (&at.containers.curated, &record.curated)];
    for (container, name) in files {
        if let Some(name) = name.as_deref().and_then(|name| BlobName::new(name).ok()) {
            container.delete(&name).await?;
        }
    }
    Ok(())
}

/// Columns that the contract does not name, for the status page.
pub async fn note_new_columns(unit: &FileUnit, counted: &Counted, at: &LoadStations) -> Result<(), ContainerError> {
    if counted.unknown_columns.is_empty() {
        return Ok(());
    }
    let seen = NewColumns {
        feed: unit.feed.clone(),
        columns: counted.unknown_columns.clone(),
        blob: Some(unit.blob.clone()),
        seen_at: at.clock.now(),
    };
    new_columns::note(&at.containers.state, &seen).await
}
