//! What happens to a file at its source once it has landed: nothing, deletion, or a move.
//!
//! Between the last look at a file and its deletion its name may come to stand for another version. So a file is first
//! renamed to a private name beside it, and what then lies there decides: what has landed is deleted or moved, and a
//! version that has not landed goes back to its name, or is pulled from where it is if the name is taken again.
//! A record says that this has begun, and the next tick goes on with it, whatever the feed declares by then.

use futures::TryStreamExt;

use super::carry::Carried;
use super::error::PullError;
use super::plan::{Candidate, Pending};
use super::survey::Marker;
use super::wanted::PRIVATE_PREFIX;
use super::{Context, lock, version_of};
use crate::pipeline::After;
use crate::records::pulled::{self, AtSource, DoneMarker, FileVersion, LandedFile, RecordName, RecordState};
use crate::stations::sftp::{RemoteFile, RemotePath, Sftp, SftpError};
use crate::stations::share::StagedName;

/// Enough of a hash that no two files of a directory share it.
const PRIVATE_HASH_DIGITS: usize = 32;

impl Context<'_> {
    /// Goes on with what an earlier tick has begun, or would have.
    pub(super) async fn finish(
        &self,
        sftp: &dyn Sftp,
        directory: &RemotePath,
        pending: &Pending,
    ) -> Result<(), PullError> {
        if pending.file.as_ref().is_some_and(|file| self.is_read_only(file)) {
            return Ok(());
        }
        for record in &pending.records {
            // Another pull has finished it.
            let Some(mut landed) = pulled::read(&self.stations.state, record).await? else {
                continue;
            };
            if record.state() == RecordState::Landed {
                landed.at_source = self.declared();
            }
            self.finish_landed(sftp, directory, &landed).await?;
        }
        Ok(())
    }

    /// What the feed says now.
    pub(super) fn declared(&self) -> AtSource {
        match &self.source.source.after {
            After::Keep => AtSource::Keep,
            After::Delete => AtSource::Delete,
            After::Move(directory) => AtSource::Move(directory.clone()),
        }
    }

    /// Does at the source what the record says: with the file, and then with its done marker.
    pub(super) async fn finish_landed(
        &self,
        sftp: &dyn Sftp,
        directory: &RemotePath,
        landed: &LandedFile,
    ) -> Result<(), PullError> {
        let key = landed.key();
        let Some(below) = key.path_in(self.source.source.name.as_ref()) else {
            return Ok(());
        };
        let item = Item::file(directory, below, landed)?;
        if landed.at_source == AtSource::Keep || self.is_read_only(&item.original) {
            return Ok(());
        }
        self.refuse_move_onto_itself(directory, landed)?;
        pulled::write(&self.stations.state, landed, &landed.record_name(RecordState::Finishing)).await?;
        match self.take_away(sftp, &item, landed).await? {
            Taken::Away => self.report().finished += 1,
            Taken::NotThere => {}
            Taken::ByAnother => return Ok(()),
            Taken::Stuck(found) => {
                if !self.pull_from_private_name(sftp, &item, found, landed).await? {
                    return Ok(());
                }
            }
        }
        if let Some(marker) = &landed.done_marker {
            let item = Item::marker(directory, below, marker, landed)?;
            match self.take_away(sftp, &item, landed).await? {
                Taken::Away | Taken::NotThere => {}
                Taken::ByAnother => return Ok(()),
                // A newer marker stands in its place, which says all that this one said.
                Taken::Stuck(found) => remove(sftp, &found.path).await?,
            }
        }
        self.retire(landed).await
    }

    /// Renames to the private name, and deletes or moves what then lies there if it is the version that is meant.
    async fn take_away(&self, sftp: &dyn Sftp, item: &Item, landed: &LandedFile) -> Result<Taken, PullError> {
        if sftp.stat(&item.private).await?.is_none() {
            match sftp.stat(&item.original).await? {
                Some(now) if version_of(&now) == item.version => match sftp.rename(&item.original, &item.private).await
                {
                    Ok(()) => {}
                    // Another pull is at it; the next tick sees how it ended.
                    Err(SftpError::Gone { .. } | SftpError::Occupied { .. }) => return Ok(Taken::ByAnother),
                    Err(error @ SftpError::Denied { .. }) => return Err(self.not_allowed(item, landed, error).await?),
                    Err(error) => return Err(error.into()),
                },
                // An earlier tick was killed after the last step, or the partner has cleared or replaced the file.
                _ => return Ok(Taken::NotThere),
            }
        }
        match sftp.stat(&item.private).await? {
            Some(found) if version_of(&found) == item.version => match self.dispose(sftp, item, &found, landed).await {
                Ok(()) => Ok(Taken::Away),
                Err(PullError::Sftp(error @ SftpError::Denied { .. })) => {
                    // So that the partner finds the file under its own name.
                    sftp.rename(&item.private, &item.original).await?;
                    Err(self.not_allowed(item, landed, error).await?)
                }
                Err(error) => Err(error),
            },
            Some(found) => match sftp.rename(&item.private, &item.original).await {
                Ok(()) => Ok(Taken::NotThere),
                Err(SftpError::Occupied { .. }) => Ok(Taken::Stuck(found)),
                Err(error) => Err(error.into()),
            },
            // Another pull has disposed of it.
            None => Ok(Taken::NotThere),
        }
    }

    /// Nothing has begun, so that the feed may say `keep` again; and no other file of the folder is tried in this tick.
    async fn not_allowed(&self, item: &Item, landed: &LandedFile, source: SftpError) -> Result<PullError, PullError> {
        pulled::retire(&self.stations.state, &landed.record_name(RecordState::Finishing)).await?;
        lock(&self.read_only).extend(item.original.parent());
        let after = match &landed.at_source {
            AtSource::Keep => "keep".to_owned(),
            AtSource::Delete => "delete".to_owned(),
            AtSource::Move(directory) => format!("move:{directory}"),
        };
        Ok(PullError::NotAllowed { after, source: Box::new(source) })
    }

    fn is_read_only(&self, path: &RemotePath) -> bool {
        path.parent().is_some_and(|folder| lock(&self.read_only).contains(&folder))
    }

    /// What may go, under its private name.
    async fn dispose(
        &self,
        sftp: &dyn Sftp,
        item: &Item,
        found: &RemoteFile,
        landed: &LandedFile,
    ) -> Result<(), PullError> {
        match &landed.at_source {
            AtSource::Keep => Ok(()),
            AtSource::Delete => remove(sftp, &found.path).await,
            AtSource::Move(archive) => move_away(sftp, item, found, archive).await,
        }
    }

    /// The private name caught a version that has not landed, and the name it had is taken by a still newer one.
    /// It settles and lands like any other; `false`: not in this tick.
    async fn pull_from_private_name(
        &self,
        sftp: &dyn Sftp,
        item: &Item,
        file: RemoteFile,
        landed: &LandedFile,
    ) -> Result<bool, PullError> {
        let key = landed.key();
        let version = version_of(&file);
        let records: Vec<RecordName> = pulled::list_of_file(&self.stations.state, &key).try_collect().await?;
        let has_landed = |is_meant: &dyn Fn(FileVersion) -> bool| {
            records.iter().any(|record| record.state() == RecordState::Landed && is_meant(record.version()))
        };
        // A newer version landed meanwhile, or this one did in a tick that was killed before it could go on.
        if has_landed(&|other| other.modified > version.modified || other == version) {
            self.dispose(sftp, item, &file, landed).await?;
            self.report().finished += 1;
            return Ok(true);
        }
        let looks: Vec<RecordName> = records
            .iter()
            .filter(|record| record.version() == version && matches!(record.state(), RecordState::Look { .. }))
            .cloned()
            .collect();
        let first_seen = looks.iter().filter_map(|look| match look.state() {
            RecordState::Look { first_seen } => Some(first_seen),
            RecordState::Landed | RecordState::Finishing => None,
        });
        let first_seen = first_seen.min();
        let now = self.clock.now();
        let age = first_seen.and_then(|first_seen| (now - first_seen).to_std().ok());
        if age.is_none_or(|age| age < self.source.source.settle) && !self.source.source.settle.is_zero() {
            if first_seen.is_none() {
                pulled::write_look(&self.stations.state, &key, version, now).await?;
            }
            return Ok(false);
        }
        if !self.is_marked(sftp, item, version).await? {
            return Ok(false);
        }
        let older = records.into_iter().filter(|record| record.state() == RecordState::Landed).collect();
        let marker = Marker::NotAsked;
        let candidate = Candidate { file, marker, key, first_seen, looks, landed: None, older };
        match self.carry(sftp, &candidate).await? {
            Carried::Landed(pulled_now) | Carried::Unchanged(pulled_now) => {
                self.report().pulled += 1;
                self.dispose(sftp, item, &candidate.file, landed).await?;
                self.report().finished += 1;
                self.retire(&pulled_now).await?;
                Ok(true)
            }
            Carried::Changed | Carried::OutOfTime => Ok(false),
        }
    }

    /// Whether the name that a version had before has a done marker which speaks of that version too.
    async fn is_marked(&self, sftp: &dyn Sftp, item: &Item, version: FileVersion) -> Result<bool, PullError> {
        let Some(suffix) = &self.source.source.done_marker else {
            return Ok(true);
        };
        let marker = sftp.stat(&RemotePath::new([item.original.as_bytes(), suffix.as_bytes()].concat())?).await?;
        Ok(marker.is_some_and(|marker| version_of(&marker).modified >= version.modified))
    }

    /// The same name sent again is pulled again.
    async fn retire(&self, landed: &LandedFile) -> Result<(), PullError> {
        for state in [RecordState::Landed, RecordState::Finishing] {
            pulled::retire(&self.stations.state, &landed.record_name(state)).await?;
        }
        Ok(())
    }

    fn refuse_move_onto_itself(&self, directory: &RemotePath, landed: &LandedFile) -> Result<(), PullError> {
        match &landed.at_source {
            AtSource::Move(archive) if RemotePath::new(archive.as_str())? == *directory => {
                Err(PullError::MoveOntoItself { directory: archive.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// What is to go from the source: a landed file, or its done marker.
struct Item {
    /// The path below the source's directory.
    below: Vec<u8>,
    original: RemotePath,
    /// Beside the original, so that no rename leaves its file system; the same at every tick.
    private: RemotePath,
    version: FileVersion,
}

impl Item {
    fn file(directory: &RemotePath, below: &[u8], landed: &LandedFile) -> Result<Self, PullError> {
        Item::new(directory, below, &landed.path, landed.version(), landed)
    }

    fn marker(
        directory: &RemotePath,
        below: &[u8],
        marker: &DoneMarker,
        landed: &LandedFile,
    ) -> Result<Self, PullError> {
        let [below, path] = [below, &landed.path].map(|path| [path, marker.suffix.as_bytes()].concat());
        Item::new(directory, &below, &path, marker.version(), landed)
    }

    /// `path` is that of the records, which begins with the source's name.
    fn new(
        directory: &RemotePath,
        below: &[u8],
        path: &[u8],
        version: FileVersion,
        landed: &LandedFile,
    ) -> Result<Self, PullError> {
        let original = directory.join(below)?;
        let hash = StagedName::of(&landed.feed, path, version.size_bytes, version.modified);
        let name = format!("{PRIVATE_PREFIX}{}", &hash.as_str()[..PRIVATE_HASH_DIGITS]);
        let folder = original.parent().unwrap_or_else(|| original.clone());
        let private = folder.join(name.as_bytes())?;
        Ok(Item { below: below.to_vec(), original, private, version })
    }
}

/// How taking away ended.
enum Taken {
    Away,
    /// The name has gone, or means another version.
    NotThere,
    ByAnother,
    /// Another version lies under the private name, and its own is taken.
    Stuck(RemoteFile),
}

/// That it is gone already is fine: another pull was at it.
async fn remove(sftp: &dyn Sftp, path: &RemotePath) -> Result<(), PullError> {
    match sftp.remove(path).await {
        Ok(()) | Err(SftpError::Gone { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Where the archive has a file of this name, the file's time is added to the name, and then its size.
async fn move_away(sftp: &dyn Sftp, item: &Item, file: &RemoteFile, archive: &str) -> Result<(), PullError> {
    let target = RemotePath::new(archive)?.join(&item.below)?;
    if let Some(parent) = target.parent() {
        sftp.create_directory(&parent).await?;
    }
    let time = file.modified.format("%Y%m%dT%H%M%SZ");
    let suffixes = [String::new(), format!(".{time}"), format!(".{time}.{}", file.size_bytes)];
    let mut occupied = None;
    for suffix in suffixes {
        let name = RemotePath::new([target.as_bytes(), suffix.as_bytes()].concat())?;
        match sftp.rename(&file.path, &name).await {
            // Another pull has moved it.
            Ok(()) | Err(SftpError::Gone { .. }) => return Ok(()),
            Err(error @ SftpError::Occupied { .. }) => occupied = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    occupied.map_or(Ok(()), |error| Err(error.into()))
}
