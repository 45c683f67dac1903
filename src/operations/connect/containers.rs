//! The four containers, opened already: each can be listed, and the records' one can be written.

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::try_join_all;
use uuid::Uuid;

use super::{Fault, Seen};
use crate::names::BlobName;
use crate::stations::containers::{Container, Containers};

/// Below this, in millrace-state, lies nothing else. What a trial that was killed leaves behind goes with the next one.
const FOLDER: &str = "connect-trials/";
const WORDS: &[u8] = b"written by `millrace check --connect`; it may be removed";

pub async fn try_containers(containers: &Containers, seen: &Seen) -> Result<(), Fault> {
    let Containers { landing, quarantine, curated, state } = containers;
    let all = [landing, quarantine, curated, state];
    try_join_all(all.map(list_a_page)).await?;
    seen.note("landing, quarantine, curated and millrace-state are there and can be listed");
    remove_leftovers(state).await?;
    let blob = BlobName::new(format!("{FOLDER}{}", Uuid::new_v4().simple()))?;
    state.put_new(&blob, Bytes::from_static(WORDS)).await?;
    let read = state.get(&blob).await;
    let removed = state.delete(&blob).await;
    if read?.as_deref() != Some(WORDS) {
        return Err(format!("blob `{blob}` did not come back from millrace-state as it was written").into());
    }
    removed?;
    seen.note("a blob was written, read and removed in millrace-state");
    Ok(())
}

async fn list_a_page(container: &Container) -> Result<(), Fault> {
    container.list("", None).try_next().await?;
    Ok(())
}

async fn remove_leftovers(state: &Container) -> Result<(), Fault> {
    let old = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    let mut trials = state.list(FOLDER, None);
    while let Some(blob) = trials.try_next().await? {
        if blob.last_modified < old {
            state.delete(&blob.name).await?;
        }
    }
    Ok(())
}
