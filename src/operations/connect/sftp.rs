//! A source: its host key, the login, and a first look into its directory.

use futures::TryStreamExt;

use super::{Fault, Seen};
use crate::pipeline::{After, SftpSource};
use crate::stations::sftp::{Connector, PAGE_ENTRIES, RemotePath, SftpEndpoint, SftpError};
use crate::words::{counted, number};

/// Reads a page of the list at most: a directory may hold any number of files.
pub async fn try_source(
    source: &SftpSource,
    endpoint: &SftpEndpoint,
    connector: &dyn Connector,
    seen: &Seen,
) -> Result<(), Fault> {
    let sftp = connector.connect(endpoint).await?;
    seen.note(format!("{endpoint} by the {} in {}", endpoint.login.kind(), endpoint.login.settings()));
    seen.note("its host key is pinned");
    let directory = RemotePath::new(endpoint.directory.as_str())?;
    let mut pages = sftp.list(&directory).await.map_err(|error| about_directory(error, endpoint))?;
    let first = pages.try_next().await.map_err(|error| about_directory(error, endpoint))?;
    let entries = first.map_or(0, |page| page.len());
    seen.note(match entries {
        PAGE_ENTRIES => format!("lists {} entries and perhaps more", number(entries as u64)),
        entries => format!("lists {}", counted(entries as u64, "entry", "entries")),
    });
    if let Some(untried) = untried(&source.after) {
        seen.note(untried);
    }
    Ok(())
}

/// The server's words for it would be that a file has gone.
fn about_directory(error: SftpError, endpoint: &SftpEndpoint) -> Fault {
    match error {
        SftpError::Gone { .. } => format!(
            "{} is reached, and has no directory `{}` for `{}`: correct the path in the feed's url",
            endpoint.server(),
            endpoint.directory,
            endpoint.user
        )
        .into(),
        other => other.into(),
    }
}

/// What only a file of the partner's could tell.
fn untried(after: &After) -> Option<String> {
    match after {
        After::Keep => None,
        After::Delete => Some(
            "whether files may be deleted there (`after = \"delete\"`) was not tried: it would take one of the partner's"
                .to_owned(),
        ),
        After::Move(archive) => Some(format!(
            "whether files may be moved there (`after = \"move:{archive}\"`) was not tried: it would take one of the partner's"
        )),
    }
}
