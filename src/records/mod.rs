//! What is kept in storage beside the data, in container `millrace-state`: it makes work cheap to find and failures easy
//! to explain. The ledger in the warehouse, never a record, decides whether work is done.

pub mod attempts;
pub mod blob_created;
pub mod dead_letters;
pub mod key;
pub mod landed;
pub mod load_files;
pub mod loaded;
pub mod new_columns;
pub mod pulled;
pub mod quarantine;
pub mod quarantined_events;
pub mod retracted;
pub mod sources;
pub mod streams;
pub mod sweep_check;
pub mod sweep_position;
pub mod tally;
pub mod version_set;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::names::{BlobName, ETag};
use crate::stations::containers::{BlobFacts, Container, ContainerError};

/// Versions of blobs, as the names of records tell them.
pub type Versions = BoxStream<'static, Result<(BlobName, ETag), ContainerError>>;

/// Reads a record; `None` where there is none, and where what is there is not one of ours: a record is a help, and a
/// broken one must not stop the work that would write it anew.
async fn read<R: DeserializeOwned>(state: &Container, name: &BlobName) -> Result<Option<R>, ContainerError> {
    let Some(bytes) = state.get(name).await? else { return Ok(None) };
    match serde_json::from_slice(&bytes) {
        Ok(record) => Ok(Some(record)),
        Err(error) => {
            tracing::warn!(record = name.as_str(), "record is not readable and is passed over: {error}");
            Ok(None)
        }
    }
}

async fn write<R: Serialize + Sync>(state: &Container, name: &BlobName, record: &R) -> Result<(), ContainerError> {
    let bytes = serde_json::to_vec_pretty(record).expect("records hold text, numbers and times, which JSON can write");
    state.put(name, Bytes::from(bytes)).await?;
    Ok(())
}

/// The versions that records of one kind are about, by the names below a prefix. Nothing is read.
fn versions_below(state: &Container, kind: &'static str, prefix: String) -> Versions {
    let versions = move |facts: BlobFacts| async move { Ok(key::version_of(kind, &facts.name)) };
    state.list(&prefix, None).try_filter_map(versions).boxed()
}

/// The blobs that any record of a load is about (loaded, dead, under way, retracted), with the record's time. Names are
/// listed, nothing is read; a blob comes as often as it has records.
pub fn of_loads(state: &Container) -> BoxStream<'static, Result<(BlobName, DateTime<Utc>), ContainerError>> {
    let kinds = [loaded::KIND, dead_letters::KIND, attempts::KIND, retracted::KIND];
    let lists = kinds.map(|kind| {
        state.list(&format!("{kind}/"), None).try_filter_map(move |facts| async move {
            Ok(key::version_of(kind, &facts.name).map(|(blob, _)| (blob, facts.last_modified)))
        })
    });
    stream::iter(lists).flatten().boxed()
}

/// Of one blob's versions, the ETags.
pub async fn etags(versions: Versions) -> Result<Vec<ETag>, ContainerError> {
    versions.map_ok(|(_, etag)| etag).try_collect().await
}
