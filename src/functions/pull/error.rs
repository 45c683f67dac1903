//! Why one file, or one source, could not be pulled at this tick. Whatever it is, the next tick tries again.

use thiserror::Error;

use crate::names::BadName;
use crate::records::pulled::PulledError;
use crate::stations::containers::ContainerError;
use crate::stations::sftp::{BadRemotePath, RemotePath, SftpError};
use crate::stations::share::ShareError;

#[derive(Debug, Error)]
pub(super) enum PullError {
    #[error(transparent)]
    Sftp(#[from] SftpError),
    #[error(transparent)]
    Share(#[from] ShareError),
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Record(#[from] PulledError),
    #[error("the file's name cannot be that of a blob; ask for another name, or exclude it")]
    Name(#[from] BadName),
    #[error(transparent)]
    Path(#[from] BadRemotePath),
    #[error("`{glob}` is no glob")]
    Glob { glob: String, source: globset::Error },
    #[error(
        "directory `{directory}` has more than {limit} files that the feed wants: have the partner clear it, set \
         `after`, or take a part of it by `include` in a source of its own"
    )]
    TooManyFiles { directory: RemotePath, limit: usize },
    #[error(
        "the time was up when {folders} folders had been listed: leave out folders whose files have all come, such as \
         `exclude = [\"2024/**\"]`, or give them a source of their own"
    )]
    OutOfTime { folders: usize },
    #[error(
        "`after = \"{after}\"` is not allowed: ask the partner to let this account rename and delete files, or write \
         `after = \"keep\"`"
    )]
    NotAllowed { after: String, source: Box<SftpError> },
    #[error("`after = \"move:{directory}\"` names the place where the files are pulled from; name another directory")]
    MoveOntoItself { directory: String },
}

impl PullError {
    /// Whether the session is of no further use.
    pub fn is_of_the_connection(&self) -> bool {
        matches!(self, PullError::Sftp(error) if error.is_of_the_connection())
    }

    /// Whether nothing of the source can be looked at.
    pub fn concerns_the_source(&self) -> bool {
        self.is_of_the_connection() || matches!(self, PullError::TooManyFiles { .. } | PullError::OutOfTime { .. })
    }
}

/// An error with its causes, in one line.
pub(super) fn said_in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
