//! What lies in a container, for whoever must overlook nothing: blobs, and what has a name that no blob can have here.

use chrono::{DateTime, Utc};

use super::BlobFacts;
use crate::names::{BlobName, ETag, Sha256};

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    Blob(BlobFacts),
    Odd(OddBlob),
}

/// Something in the container that cannot be read by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddBlob {
    /// The name as far as it can be written: `%XX` stands for bytes that no blob's name can hold. Another blob may have just
    /// this name; their versions differ.
    pub shown: BlobName,
    pub etag: ETag,
    pub last_modified: DateTime<Utc>,
    /// What is odd about it.
    pub reason: &'static str,
    /// Where it stands in a list.
    pub(super) position: String,
}

impl Listed {
    /// A list after this goes on with the next entry.
    pub fn position(&self) -> &str {
        match self {
            Listed::Blob(facts) => facts.name.as_str(),
            Listed::Odd(odd) => &odd.position,
        }
    }

    pub fn last_modified(&self) -> DateTime<Utc> {
        match self {
            Listed::Blob(facts) => facts.last_modified,
            Listed::Odd(odd) => odd.last_modified,
        }
    }

    pub(super) fn blob(self) -> Option<BlobFacts> {
        match self {
            Listed::Blob(facts) => Some(facts),
            Listed::Odd(_) => None,
        }
    }
}

/// A name for what has none: cut where it is too long, and told apart by its hash then.
pub(super) fn shown(name: &str) -> BlobName {
    BlobName::new(name).unwrap_or_else(|_| {
        let beginning: String = name.chars().take(900).collect();
        BlobName::new(format!("{beginning}~{}", Sha256::of(name))).expect("it has at most 965 characters")
    })
}
