//! What was seen and pulled at the sources: `pulled/<feed>/<path>/<size>-<mtime>.<state>` in container millrace-state.
//!
//! The state stands in the name, so that a tick over ten thousand known files reads list pages and not one record:
//!
//! | state | written | means |
//! |---|---|---|
//! | `look-<ms>` | when a version is first seen, at this time (milliseconds since 1970) | it settles |
//! | `landed` | after the landing | nothing is to be pulled |
//! | `finishing` | before the file is renamed at its source | deletion or move at the source has begun |
//!
//! A record is a shortcut and never the truth: where one is missing, the file is looked at and hashed again, and the
//! landed blob is recognised by its content. This module does not know servers.

mod names;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::names::{BlobName, ETag, FeedName, Sha256, SourceName};
use crate::stations::Disposition;
use crate::stations::containers::{Container, ContainerError};

pub use names::{FileVersion, PulledKey, RecordName, RecordState};

const FORMAT: u32 = 1;

/// What is to happen, or is happening, to a landed file at its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AtSource {
    Keep,
    Delete,
    /// To this directory.
    Move(String),
}

/// A file that has landed: the body of `landed` and `finishing`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandedFile {
    format: u32,
    pub feed: FeedName,
    /// Below the feed's landing prefix, with the source's name where it has one; written as in the blob's name.
    #[serde(with = "names::as_text")]
    pub path: Vec<u8>,
    pub size_bytes: u64,
    pub modified: DateTime<Utc>,
    pub sha256: Sha256,
    pub blob: BlobName,
    pub etag: ETag,
    pub first_seen: DateTime<Utc>,
    pub landed_at: DateTime<Utc>,
    /// What the feed declared when this record was written.
    pub at_source: AtSource,
    /// The marker that said that the file was complete; it goes with its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_marker: Option<DoneMarker>,
}

/// A file beside a landed one, by which the partner said that that was complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneMarker {
    /// What its name adds to the file's.
    pub suffix: String,
    pub size_bytes: u64,
    pub modified: DateTime<Utc>,
}

/// What a landing adds to what the listing told.
#[derive(Clone, Debug)]
pub struct Landing {
    pub sha256: Sha256,
    pub blob: BlobName,
    pub etag: ETag,
    pub first_seen: DateTime<Utc>,
    pub landed_at: DateTime<Utc>,
    pub at_source: AtSource,
    pub done_marker: Option<DoneMarker>,
}

#[derive(Serialize)]
struct LookBody<'a> {
    format: u32,
    path: &'a str,
    first_seen: DateTime<Utc>,
}

impl DoneMarker {
    pub fn new(suffix: &str, version: FileVersion) -> Self {
        let modified = DateTime::from_timestamp(version.modified, 0).unwrap_or_default();
        DoneMarker { suffix: suffix.to_owned(), size_bytes: version.size_bytes, modified }
    }

    pub fn version(&self) -> FileVersion {
        FileVersion { size_bytes: self.size_bytes, modified: self.modified.timestamp() }
    }
}

impl LandedFile {
    pub fn new(key: &PulledKey, version: FileVersion, landing: Landing) -> Self {
        LandedFile {
            format: FORMAT,
            feed: key.feed().clone(),
            path: key.path().to_vec(),
            size_bytes: version.size_bytes,
            modified: DateTime::from_timestamp(version.modified, 0).unwrap_or_default(),
            sha256: landing.sha256,
            blob: landing.blob,
            etag: landing.etag,
            first_seen: landing.first_seen,
            landed_at: landing.landed_at,
            at_source: landing.at_source,
            done_marker: landing.done_marker,
        }
    }

    pub fn key(&self) -> PulledKey {
        PulledKey::from_parts(self.feed.clone(), self.path.clone())
    }

    pub fn version(&self) -> FileVersion {
        FileVersion { size_bytes: self.size_bytes, modified: self.modified.timestamp() }
    }

    pub fn record_name(&self, state: RecordState) -> RecordName {
        RecordName::new(&self.key(), self.version(), state)
    }
}

/// The records of one source, sorted by name. Names that are no records are left out.
pub fn list(
    state: &Container,
    feed: &FeedName,
    source: Option<&SourceName>,
) -> BoxStream<'static, Result<RecordName, PulledError>> {
    listed_below(state, &names::prefix_of_source(feed, source))
}

/// The records of one file, of all its versions.
pub fn list_of_file(state: &Container, key: &PulledKey) -> BoxStream<'static, Result<RecordName, PulledError>> {
    listed_below(state, &key.prefix())
}

/// The records of all feeds, with the time of each.
pub fn list_all(state: &Container) -> BoxStream<'static, Result<(RecordName, DateTime<Utc>), PulledError>> {
    let names = state.list("pulled/", None).filter_map(|listed| async {
        match listed {
            Ok(facts) => RecordName::parse(&facts.name).map(|name| Ok((name, facts.last_modified))),
            Err(error) => Some(Err(PulledError::Container(error))),
        }
    });
    names.boxed()
}

/// The file that a record is about. It is read only where the path is too long for its name; `None`: it is gone.
pub async fn key_of(state: &Container, name: &RecordName) -> Result<Option<PulledKey>, PulledError> {
    /// What every record's body has.
    #[derive(Deserialize)]
    struct Body {
        #[serde(with = "names::as_text")]
        path: Vec<u8>,
    }
    if let Some(key) = name.key() {
        return Ok(Some(key));
    }
    let blob = name.blob();
    let Some(body) = state.get(&blob).await? else { return Ok(None) };
    match serde_json::from_slice::<Body>(&body) {
        Ok(Body { path }) => Ok(Some(PulledKey::from_parts(name.feed().clone(), path))),
        Err(source) => Err(PulledError::Unreadable { blob, source }),
    }
}

fn listed_below(state: &Container, prefix: &str) -> BoxStream<'static, Result<RecordName, PulledError>> {
    let names = state.list(prefix, None).filter_map(|listed| async {
        match listed {
            Ok(facts) => RecordName::parse(&facts.name).map(Ok),
            Err(error) => Some(Err(PulledError::Container(error))),
        }
    });
    names.boxed()
}

/// Records that a version was first seen now.
pub async fn write_look(
    state: &Container,
    key: &PulledKey,
    version: FileVersion,
    first_seen: DateTime<Utc>,
) -> Result<RecordName, PulledError> {
    let name = RecordName::new(key, version, RecordState::Look { first_seen });
    let path = key.path_text();
    let body = LookBody { format: FORMAT, path: &path, first_seen };
    state.put(&name.blob(), to_json(&body)).await?;
    Ok(name)
}

/// Writes a file's record in state `landed` or `finishing`.
pub async fn write(state: &Container, file: &LandedFile, name: &RecordName) -> Result<(), PulledError> {
    state.put(&name.blob(), to_json(file)).await?;
    Ok(())
}

/// The body of a `landed` or `finishing` record; `None`: it is gone.
pub async fn read(state: &Container, name: &RecordName) -> Result<Option<LandedFile>, PulledError> {
    let blob = name.blob();
    let Some(body) = state.get(&blob).await? else {
        return Ok(None);
    };
    let file: LandedFile = match serde_json::from_slice(&body) {
        Ok(file) => file,
        Err(source) => return Err(PulledError::Unreadable { blob, source }),
    };
    if file.format > FORMAT {
        return Err(PulledError::Newer { blob, format: file.format });
    }
    Ok(Some(file))
}

/// Removes a record. That it is gone already is fine.
pub async fn retire(state: &Container, name: &RecordName) -> Result<(), PulledError> {
    state.delete(&name.blob()).await?;
    Ok(())
}

/// What is known of a landed blob's version, for whoever finds only the blob; `None`: others uploaded it, or its record
/// was retired.
pub async fn of_blob(state: &Container, blob: &BlobName, etag: &ETag) -> Result<Option<LandedFile>, PulledError> {
    let Some(key) = PulledKey::of_blob(blob) else {
        return Ok(None);
    };
    let mut records = list_of_file(state, &key);
    while let Some(name) = records.next().await {
        let name = name?;
        if matches!(name.state(), RecordState::Look { .. }) {
            continue;
        }
        match read(state, &name).await? {
            Some(file) if file.etag == *etag && file.blob == *blob => return Ok(Some(file)),
            _ => {}
        }
    }
    Ok(None)
}

fn to_json(body: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(body).expect("the bodies hold texts and numbers only"))
}

#[derive(Debug, Error)]
pub enum PulledError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error("record `{blob}` in container `millrace-state` is damaged; delete it, and its file is looked at again")]
    Unreadable { blob: BlobName, source: serde_json::Error },
    #[error("record `{blob}` has format {format}, newer than this handler's {FORMAT}: deploy the newer version")]
    Newer { blob: BlobName, format: u32 },
}

impl PulledError {
    pub fn disposition(&self) -> Disposition {
        Disposition::Retry
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;
    use crate::stations::containers::{Containers, StorageLocation};

    fn landed(path: &[u8]) -> LandedFile {
        let key = PulledKey::new(&FeedName::new("flights").unwrap(), None, path);
        let now = DateTime::from_timestamp(1_700_000_100, 0).unwrap();
        let landing = Landing {
            sha256: Sha256::of("content"),
            blob: key.landing_blob().unwrap(),
            etag: ETag::new("0x1").unwrap(),
            first_seen: now,
            landed_at: now,
            at_source: AtSource::Move("/archive".into()),
            done_marker: None,
        };
        LandedFile::new(&key, FileVersion { size_bytes: 7, modified: 1_700_000_000 }, landing)
    }

    #[tokio::test]
    async fn a_landed_file_is_found_by_its_blob_and_version() {
        let directory = tempfile::tempdir().unwrap();
        let location = StorageLocation::Directory(directory.path().into());
        let state = Containers::open(&location).await.unwrap().state;
        for path in [b"2013-01.csv".as_slice(), b"\xffx#1", &[b'x'; 300]] {
            let file = landed(path);
            write(&state, &file, &file.record_name(RecordState::Landed)).await.unwrap();
            let key = file.key();
            write_look(&state, &key, file.version(), file.first_seen).await.unwrap();
            assert_eq!(of_blob(&state, &file.blob, &file.etag).await.unwrap(), Some(file.clone()));
            assert_eq!(of_blob(&state, &file.blob, &ETag::new("0x2").unwrap()).await.unwrap(), None);
            let listed: Vec<_> = list_of_file(&state, &key).try_collect().await.unwrap();
            assert_eq!(listed.len(), 2);
            for record in listed {
                assert_eq!(key_of(&state, &record).await.unwrap(), Some(key.clone()));
            }
        }
    }

    #[tokio::test]
    async fn a_damaged_record_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let location = StorageLocation::Directory(directory.path().into());
        let state = Containers::open(&location).await.unwrap().state;
        let name = landed(b"a.csv").record_name(RecordState::Landed);
        state.put(&name.blob(), Bytes::from_static(b"{")).await.unwrap();
        let error = read(&state, &name).await.unwrap_err();
        assert!(error.to_string().contains("delete it"), "{error}");
    }

    #[test]
    fn the_body_of_a_record_is_stable() {
        let body = String::from_utf8(to_json(&landed(b"50%/\xff.csv")).to_vec()).unwrap();
        let hash = Sha256::of("content");
        assert_eq!(
            body,
            format!(
                "{{\"format\":1,\"feed\":\"flights\",\"path\":\"50%/%FF.csv\",\"size_bytes\":7,\
                 \"modified\":\"2023-11-14T22:13:20Z\",\"sha256\":\"{hash}\",\"blob\":\"flights/50%/%FF.csv\",\
                 \"etag\":\"0x1\",\"first_seen\":\"2023-11-14T22:15:00Z\",\"landed_at\":\"2023-11-14T22:15:00Z\",\
                 \"at_source\":{{\"move\":\"/archive\"}}}}"
            )
        );
    }
}
