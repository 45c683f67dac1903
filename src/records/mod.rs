//! What is kept in storage beside the data, in container `millrace-state`: it makes work cheap to find and failures easy
//! to explain. The ledger in the warehouse, never a record, decides whether work is done.

pub mod attempts;
pub mod dead_letters;
pub mod key;
pub mod landed;
pub mod load_files;
pub mod loaded;
pub mod new_columns;
pub mod pulled;
pub mod quarantine;
pub mod sweep_position;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::names::BlobName;
use crate::stations::containers::{Container, ContainerError};

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
