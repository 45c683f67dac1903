//! What lies at one source: its directory, page by page, and the folders below it where the feed reads them.
//!
//! Memory holds what the feed wants, the folders still to be read, and one page; what it does not want is passed over
//! as it comes. Links are never followed and the depth is bounded, so no circle holds a survey up.

use std::collections::HashMap;

use futures::TryStreamExt;
use tokio::time::Instant;

use super::error::{PullError, said_in_full};
use super::version_of;
use super::wanted::{LeftOut, Wanted};
use crate::records::pulled::FileVersion;
use crate::stations::sftp::{RemoteEntry, RemoteFile, RemotePath, Sftp, SftpError, printable};

/// More wanted files and unread folders than this do not fit in memory beside everything else.
pub(super) const SURVEY_LIMIT: usize = 250_000;

/// A file's done marker, as far as the feed asks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    NotAsked,
    Missing,
    /// It was there before this version of the file.
    Older(FileVersion),
    There(FileVersion),
}

/// A file that the feed wants.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub file: RemoteFile,
    pub marker: Marker,
}

/// What is not wanted, or cannot be looked at.
#[derive(Debug)]
pub(super) struct Left<'a> {
    /// Below the url's directory, fit to be printed.
    pub path: String,
    pub file: Option<&'a RemoteFile>,
    pub why: LeftOut,
}

#[derive(Debug)]
pub(super) struct Survey {
    pub seen: Vec<Seen>,
    pub extent: Extent,
}

/// Whether every folder could be listed. Files that were not seen may still be there otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    Partial,
}

struct Folder {
    path: RemotePath,
    depth: usize,
}

/// Looks at everything, and tells `left` what is left out.
///
/// # Errors
/// The connection, the source's own directory, the time or the number of files. A folder below that cannot be listed is
/// left out, and the survey partial.
pub(super) async fn survey(
    sftp: &dyn Sftp,
    directory: &RemotePath,
    wanted: &Wanted,
    deadline: Instant,
    left: &mut (dyn FnMut(Left<'_>) + Send),
) -> Result<Survey, PullError> {
    let mut walk = Walk { directory, wanted, left, seen: Vec::new(), unread: Vec::new() };
    let mut extent = Extent::Whole;
    let mut read = 0;
    let mut next = Some(Folder { path: directory.clone(), depth: 0 });
    while let Some(folder) = next {
        if read > 0 && Instant::now() >= deadline {
            return Err(PullError::OutOfTime { folders: read });
        }
        match walk.read(sftp, &folder).await {
            Ok(()) => {}
            Err(error) if folder.depth == 0 || error.concerns_the_source() => return Err(error),
            // It went away since the folder above was listed.
            Err(PullError::Sftp(SftpError::Gone { .. })) => {}
            Err(error) => {
                extent = Extent::Partial;
                walk.leave(&folder.path, None, LeftOut::Unlisted { reason: said_in_full(&error) });
            }
        }
        read += 1;
        next = walk.unread.pop();
    }
    Ok(Survey { seen: walk.seen, extent })
}

struct Walk<'a> {
    directory: &'a RemotePath,
    wanted: &'a Wanted,
    left: &'a mut (dyn FnMut(Left<'_>) + Send),
    seen: Vec<Seen>,
    unread: Vec<Folder>,
}

impl Walk<'_> {
    /// Takes up what lies in one folder, or nothing of it if its list breaks off.
    async fn read(&mut self, sftp: &dyn Sftp, folder: &Folder) -> Result<(), PullError> {
        let mut pages = sftp.list(&folder.path).await?;
        let mut files: Vec<RemoteFile> = Vec::new();
        let mut folders: Vec<Folder> = Vec::new();
        let mut markers: HashMap<Vec<u8>, FileVersion> = HashMap::new();
        while let Some(page) = pages.try_next().await? {
            for entry in page {
                match entry {
                    RemoteEntry::File(file) => match self.wanted.takes(self.below(&file.path), &file) {
                        Ok(()) => files.push(file),
                        Err(why) => {
                            if let (LeftOut::DoneMarker, Some(name)) = (&why, self.wanted.marked_name(file.path.name()))
                            {
                                markers.insert(name.to_vec(), version_of(&file));
                            }
                            self.leave(&file.path, Some(&file), why);
                        }
                    },
                    RemoteEntry::Directory(path) => {
                        let depth = folder.depth + 1;
                        match self.wanted.enters(self.below(&path), &path, depth) {
                            Ok(()) => folders.push(Folder { path, depth }),
                            Err(why) => self.leave(&path, None, why),
                        }
                    }
                    RemoteEntry::Link(path) => self.leave(&path, None, LeftOut::Link),
                    RemoteEntry::Special(path) => self.leave(&path, None, LeftOut::Special),
                    RemoteEntry::Refused(name) => {
                        let path = [printable(self.below(&folder.path)), name.text].join("/");
                        let path = path.trim_start_matches('/').to_owned();
                        (self.left)(Left { path, file: None, why: LeftOut::BadName { rule: name.rule } });
                    }
                }
            }
            let held = self.seen.len() + self.unread.len() + files.len() + folders.len() + markers.len();
            if held > SURVEY_LIMIT {
                return Err(PullError::TooManyFiles { directory: self.directory.clone(), limit: SURVEY_LIMIT });
            }
        }
        let with_marker = |file: RemoteFile| {
            let marker = match markers.get(file.path.name()) {
                _ if !self.wanted.asks_for_markers() => Marker::NotAsked,
                None => Marker::Missing,
                Some(marker) if marker.modified < file.modified.timestamp() => Marker::Older(*marker),
                Some(marker) => Marker::There(*marker),
            };
            Seen { file, marker }
        };
        self.seen.extend(files.into_iter().map(with_marker));
        self.unread.append(&mut folders);
        Ok(())
    }

    /// Below the source's directory; empty for the directory itself.
    fn below<'p>(&self, path: &'p RemotePath) -> &'p [u8] {
        path.below(self.directory).unwrap_or_default()
    }

    fn leave(&mut self, path: &RemotePath, file: Option<&RemoteFile>, why: LeftOut) {
        let path = printable(self.below(path));
        (self.left)(Left { path, file, why });
    }
}
