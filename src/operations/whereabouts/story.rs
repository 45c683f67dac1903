//! One file's story, as it is told: its versions, and what happened to each.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::names::{BlobName, ETag, FeedName, Sha256};
use crate::records::dead_letters::DeadLetter;
use crate::records::pulled::{AtSource, FileVersion};
use crate::records::retracted::RetractionMarker;

/// Everything known of one file.
#[derive(Clone, Debug, Serialize)]
pub struct FileStory {
    pub blob: BlobName,
    pub standing: Standing,
    /// `None`: of no feed that pipeline.toml declares.
    pub feed: Option<FeedName>,
    /// Where it comes from, as `host:/path`, with what is not text as `\xNN`. Files that were uploaded have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Oldest first; each is what the source or landing had at a time.
    pub versions: Vec<VersionStory>,
    pub ledger: LedgerAnswer,
    /// What comes next by itself, or what a person can do.
    pub next: String,
}

/// Where a file stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// At its source, and not landed.
    Seen,
    /// Landed, and not counted yet.
    Waiting,
    /// A load has begun and has not ended.
    Loading,
    Counted,
    Dead,
    Retracted,
    Erased,
    /// Not landed any more, and nothing says that it was counted.
    Gone,
}

impl Standing {
    pub fn words(self) -> &'static str {
        match self {
            Standing::Seen => "seen at its source",
            Standing::Waiting => "landed, waits to be loaded",
            Standing::Loading => "a load has begun",
            Standing::Counted => "counted",
            Standing::Dead => "dead letter",
            Standing::Retracted => "retracted",
            Standing::Erased => "erased",
            Standing::Gone => "gone from landing, not counted",
        }
    }
}

/// One version of a file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VersionStory {
    /// `None`: it has not landed.
    pub etag: Option<ETag>,
    pub is_landed: bool,
    /// In order of time; what has no time of its own stands where it belongs.
    pub events: Vec<Moment>,
    #[serde(skip)]
    pub seen_as: Option<FileVersion>,
    #[serde(skip)]
    pub letter: Option<DeadLetter>,
    #[serde(skip)]
    pub attempts: usize,
    #[serde(skip)]
    pub staged_bytes: Option<u64>,
    #[serde(skip)]
    pub first_seen: Option<DateTime<Utc>>,
    #[serde(skip)]
    pub loaded: bool,
    #[serde(skip)]
    pub retracted: Option<RetractionMarker>,
}

/// Something that happened at a time.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    pub at: DateTime<Utc>,
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// First seen at the source.
    Seen {
        size_bytes: u64,
        modified: DateTime<Utc>,
    },
    /// Some of it lies on the share.
    Staged {
        staged_bytes: u64,
        size_bytes: u64,
    },
    Landed {
        size_bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<Sha256>,
    },
    /// It is being deleted or moved at its source.
    Finishing {
        at_source: AtSource,
    },
    LoadBegun {
        process: String,
    },
    /// By the ledger.
    Counted {
        rows_read: i64,
        rows_rejected: i64,
        generation: i64,
        load_id: String,
        /// The version whose counts gave way.
        #[serde(skip_serializing_if = "Option::is_none")]
        displaced: Option<ETag>,
    },
    /// By its marker, where the ledger could not be asked.
    MarkedLoaded {
        rows_read: i64,
        rows_rejected: i64,
        generation: i64,
    },
    Retracted {
        erased: bool,
    },
    Restored,
    /// A file with its bad rows.
    Quarantined {
        file: BlobName,
        size_bytes: u64,
    },
    /// A file with its typed rows.
    Curated {
        file: BlobName,
        size_bytes: u64,
    },
    DeadLetter {
        id: String,
        stage: String,
        reason: String,
        remedy: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        row: Option<u64>,
        tries: u32,
        first_at: DateTime<Utc>,
    },
}

/// What the ledger says.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum LedgerAnswer {
    /// It is of no feed, so there is nothing to ask.
    NotAsked,
    Away {
        reason: String,
    },
    Nothing,
    Unit {
        etag: ETag,
        generation: i64,
        /// What pipeline.toml means now; `None`: `migrate` has not run for it.
        current_generation: Option<i64>,
        retracted: bool,
        /// Whether older entries of the history are left out.
        history_goes_on: bool,
    },
}
