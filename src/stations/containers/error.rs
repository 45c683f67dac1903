//! What can go wrong with a blob, by meaning.

use std::ops::Range;
use std::path::PathBuf;

use thiserror::Error;

use crate::names::BlobName;
use crate::stations::Disposition;

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Error)]
pub enum ContainerError {
    /// The blob has another version than the one asked for, or exists where it should not.
    #[error("blob `{blob}` in container `{container}` has another version by now")]
    Superseded { container: &'static str, blob: BlobName },

    #[error("blob `{blob}` in container `{container}` is gone")]
    Gone { container: &'static str, blob: BlobName },

    #[error("container `{container}` cannot hold blob `{blob}`: {reason}; give it another name")]
    Name { container: &'static str, blob: BlobName, reason: &'static str },

    #[error("blob `{blob}` in container `{container}` is shorter than the bytes {}..{} asked for", range.start, range.end)]
    OutOfRange { container: &'static str, blob: BlobName, range: Range<u64> },

    #[error("{operation} of blob `{blob}` in container `{container}` failed")]
    Store { operation: &'static str, container: &'static str, blob: BlobName, source: Source },

    #[error("list of `{prefix}` in container `{container}` failed")]
    List { container: &'static str, prefix: String, source: Source },

    #[error("storage directory `{}` cannot be used for container `{container}`", directory.display())]
    Open { container: &'static str, directory: PathBuf, source: Source },

    #[error("container `{container}` at {url} cannot be opened")]
    OpenAzure { container: &'static str, url: String, source: Source },
}

impl ContainerError {
    /// `Superseded` and `Gone` are answers that most callers act on themselves; to the others they mean that the world
    /// moved on, and that the next try will see it.
    pub fn disposition(&self) -> Disposition {
        match self {
            ContainerError::Name { .. } | ContainerError::OutOfRange { .. } => Disposition::Reject,
            ContainerError::Superseded { .. }
            | ContainerError::Gone { .. }
            | ContainerError::Store { .. }
            | ContainerError::List { .. }
            | ContainerError::Open { .. }
            | ContainerError::OpenAzure { .. } => Disposition::Retry,
        }
    }
}
