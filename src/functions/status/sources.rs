//! What waits at a source and on the share: by the names of the pulls' records.

use std::collections::HashMap;

use futures::TryStreamExt;

use super::{FileCounts, SourceStatus, StatusError, StatusStations};
use crate::pipeline::{Feed, SftpSource};
use crate::records::pulled::{self, RecordState};
use crate::records::sources;
use crate::stations::share::{Share, StagedName};

/// Bytes that are on the share, by file.
pub type Staged = HashMap<StagedName, u64>;

pub async fn staged(share: &dyn Share) -> Result<Staged, StatusError> {
    Ok(share.list().await?.into_iter().map(|file| (file.name, file.size_bytes)).collect())
}

/// Without what has landed of it.
pub async fn source_status(
    feed: &Feed,
    source: &SftpSource,
    staged: &Staged,
    at: &StatusStations<'_>,
) -> Result<SourceStatus, StatusError> {
    let kept = sources::read(at.state, &feed.name, source.name.as_ref()).await?;
    let mut files = FileCounts::default();
    let mut oldest_at_source = None;
    let mut records = pulled::list(at.state, &feed.name, source.name.as_ref());
    while let Some(record) = records.try_next().await? {
        let RecordState::Look { first_seen } = record.state() else { continue };
        files.at_source += 1;
        oldest_at_source = Some(oldest_at_source.map_or(first_seen, |oldest| first_seen.min(oldest)));
        // A very long path stands in the record alone, which is not read for this.
        let Some(key) = record.key() else { continue };
        let version = record.version();
        let name = StagedName::of(&feed.name, key.path(), version.size_bytes, version.modified);
        if let Some(bytes) = staged.get(&name) {
            files.staged += 1;
            files.staged_bytes += bytes;
        }
    }
    Ok(SourceStatus {
        source: source.name.clone(),
        files,
        oldest_at_source,
        last_looked_at: kept.looked_at,
        failing: kept.is_failing(),
        last_failure: kept.failure,
        files_failed: kept.files_failed,
        file_failure: kept.file_failure,
    })
}
