//! What happens to a file at its source once it has landed: nothing, deletion, or a move.
//!
//! Between the last look at a file and its deletion its name may come to stand for another version. So a file is first
//! renamed to a private name beside it, and what then lies there decides: what has landed is deleted or moved, and a
//! version that has not landed goes back to its name, or is pulled from where it is if the name is taken again.
//! A record says that this has begun, and the next tick goes on with it, whatever the feed declares by then.

use futures::TryStreamExt;

use super::carry::Carried;
use super::error::PullError;
use super::plan::{Candidate, PRIVATE_PREFIX, Pending};
use super::{Context, version_of};
use crate::pipeline::After;
use crate::records::pulled::{self, AtSource, FileVersion, LandedFile, RecordName, RecordState};
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

    /// Does at the source what the record says.
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
        let original = directory.join(below)?;
        if let AtSource::Keep = landed.at_source {
            return Ok(());
        }
        self.refuse_move_onto_itself(directory, landed)?;
        pulled::write(&self.stations.state, landed, &landed.record_name(RecordState::Finishing)).await?;

        let private = private_name(&original, landed)?;
        if sftp.stat(&private).await?.is_none() {
            match sftp.stat(&original).await? {
                Some(now) if version_of(&now) == landed.version() => match sftp.rename(&original, &private).await {
                    Ok(()) => {}
                    // Another pull is at it; the next tick sees how it ended.
                    Err(SftpError::Gone { .. } | SftpError::Occupied { .. }) => return Ok(()),
                    Err(error) => return Err(error.into()),
                },
                // An earlier tick was killed just before the next line, or the partner has cleared or replaced the file.
                _ => return self.retire(landed).await,
            }
        }
        match sftp.stat(&private).await? {
            Some(found) if version_of(&found) == landed.version() => self.dispose(sftp, below, &found, landed).await?,
            Some(found) => match sftp.rename(&private, &original).await {
                Ok(()) => {}
                Err(SftpError::Occupied { .. }) => {
                    if !self.pull_from_private_name(sftp, below, found, landed).await? {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error.into()),
            },
            // Another pull has disposed of it.
            None => {}
        }
        self.retire(landed).await
    }

    /// A file that may go, under its private name.
    async fn dispose(
        &self,
        sftp: &dyn Sftp,
        below: &[u8],
        file: &RemoteFile,
        landed: &LandedFile,
    ) -> Result<(), PullError> {
        match &landed.at_source {
            AtSource::Keep => return Ok(()),
            AtSource::Delete => match sftp.remove(&file.path).await {
                Ok(()) | Err(SftpError::Gone { .. }) => {}
                Err(error) => return Err(error.into()),
            },
            AtSource::Move(archive) => self.move_away(sftp, below, file, archive).await?,
        }
        self.report().finished += 1;
        Ok(())
    }

    /// Where the archive has a file of this name, the file's time is added to the name, and then its size.
    async fn move_away(
        &self,
        sftp: &dyn Sftp,
        below: &[u8],
        file: &RemoteFile,
        archive: &str,
    ) -> Result<(), PullError> {
        let target = RemotePath::new(archive)?.join(below)?;
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

    /// The private name caught a version that has not landed, and the name it had is taken by a still newer one.
    /// It settles and lands like any other; `false`: not in this tick.
    async fn pull_from_private_name(
        &self,
        sftp: &dyn Sftp,
        below: &[u8],
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
            self.dispose(sftp, below, &file, landed).await?;
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
        let older = records.into_iter().filter(|record| record.state() == RecordState::Landed).collect();
        let candidate = Candidate { file, key, first_seen, looks, landed: None, older };
        match self.carry(sftp, &candidate).await? {
            Carried::Landed(pulled_now) | Carried::Unchanged(pulled_now) => {
                self.report().pulled += 1;
                self.dispose(sftp, below, &candidate.file, landed).await?;
                self.retire(&pulled_now).await?;
                Ok(true)
            }
            Carried::Changed | Carried::OutOfTime => Ok(false),
        }
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

/// Beside the file, so that no rename leaves the file's file system; the same at every tick.
fn private_name(original: &RemotePath, landed: &LandedFile) -> Result<RemotePath, PullError> {
    let FileVersion { size_bytes, modified } = landed.version();
    let hash = StagedName::of(&landed.feed, &landed.path, size_bytes, modified);
    let name = format!("{PRIVATE_PREFIX}{}", &hash.as_str()[..PRIVATE_HASH_DIGITS]);
    let directory = original.parent().unwrap_or_else(|| original.clone());
    Ok(directory.join(name.as_bytes())?)
}
