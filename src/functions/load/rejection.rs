//! Files that cannot be counted, and why: dead letters in the making.

use tracing::{error, warn};

use super::{LoadError, LoadStations, Loaded};
use crate::counting::CountError;
use crate::names::{BlobName, ETag, Sha256};
use crate::records::attempts;
use crate::records::dead_letters::{self, DeadLetter};
use crate::records::landed::{LandedFile, MessageError};
use crate::stations::containers::ContainerError;
use crate::stations::warehouse::WarehouseError;
use crate::telemetry::{chain, panic_text};

/// Why a file goes to the dead letters.
#[derive(Debug)]
pub struct Rejection {
    reason: String,
    remedy: String,
    row: Option<u64>,
    quarantine: Option<String>,
}

impl Rejection {
    fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Rejection { reason: reason.into(), remedy: remedy.into(), row: None, quarantine: None }
    }

    pub fn of_counting(error: &CountError) -> Self {
        Rejection {
            row: error.row(),
            quarantine: error.quarantine().map(str::to_owned),
            ..Rejection::new(chain(error), error.remedy())
        }
    }

    pub fn by_warehouse(error: &WarehouseError) -> Self {
        Rejection::new(chain(error), "see the reason; correct the file or the summary, then retry the dead letter")
    }

    pub fn by_store(error: &ContainerError) -> Self {
        Rejection::new(chain(error), "upload it under another name; a new version is taken by itself")
    }

    pub fn no_such_feed(landed: &LandedFile) -> Self {
        Rejection::new(
            format!("pipeline.toml declares no feed `{}`", landed.feed),
            "declare the feed and retry the dead letter",
        )
    }

    pub fn gone() -> Self {
        Rejection::new(
            "the blob was deleted from landing before it was ever counted",
            "upload it again, or have the partner send it again; a new version is taken by itself",
        )
    }

    pub fn exhausted() -> Self {
        Rejection::new(
            format!(
                "{} tries began this file and none of them finished: it kills the handler, or never fits the time",
                attempts::TRIES
            ),
            "look at the log of those times; split the file or give the app more memory or time, then retry the dead \
             letter",
        )
    }

    pub fn panicked(payload: &(dyn std::any::Any + Send)) -> Self {
        Rejection::new(
            format!("counting it panicked: {}", panic_text(payload).replace('\n', " ")),
            "this is a fault of millrace: please report it with the file's first lines",
        )
    }
}

/// Keeps the reason where people look for it.
pub async fn dead_letter(landed: &LandedFile, rejection: Rejection, at: &LoadStations) -> Result<Loaded, LoadError> {
    error!("{} is a dead letter: {}; {}", landed.blob, rejection.reason, rejection.remedy);
    write(landed.blob.clone(), landed.etag.clone(), rejection, at).await
}

/// A message on the hub that is not one of ours: kept in quarantine, and a dead letter that names it.
pub async fn keep_foreign_message(
    message: &[u8],
    fault: &MessageError,
    at: &LoadStations,
) -> Result<Loaded, LoadError> {
    let hash = Sha256::of(message);
    let name = BlobName::new(format!("messages/{hash}")).expect("the name has 73 characters");
    let etag = ETag::new(hash.as_str()).expect("a hash is not empty");
    at.containers.quarantine.put(&name, bytes::Bytes::copy_from_slice(message)).await?;
    warn!("message {hash} on hub `files` is a dead letter: {fault}");
    let remedy = "find who sends to hub `files`: only millrace should";
    let rejection = Rejection { quarantine: Some(name.to_string()), ..Rejection::new(fault.to_string(), remedy) };
    write(name, etag, rejection, at).await
}

async fn write(blob: BlobName, etag: ETag, rejection: Rejection, at: &LoadStations) -> Result<Loaded, LoadError> {
    let now = at.clock.now();
    let letter = DeadLetter {
        blob,
        etag,
        stage: "load".to_owned(),
        reason: rejection.reason,
        remedy: rejection.remedy,
        row: rejection.row,
        quarantine: rejection.quarantine,
        tries: 1,
        first_at: now,
        last_at: now,
    };
    dead_letters::write(&at.containers.state, letter).await?;
    Ok(Loaded::DeadLettered)
}
