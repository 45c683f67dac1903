//! One version of one file, from its server by way of the share into landing.
//!
//! A kill after any step leaves the next pull with less to do and nothing to undo: a half staged copy is gone on with, a
//! whole one is landed, a landed blob without its record is recognised by its content, and a record whose staged copy
//! was left behind is all that is needed.

use std::ops::Range;

use bytes::Bytes;
use futures::StreamExt;
use sha2::{Digest, Sha256 as Sha256Hasher};
use tokio::time::timeout_at;
use tracing::info;

use super::error::PullError;
use super::plan::Candidate;
use super::survey::Marker;
use super::{Context, version_of};
use crate::faults;
use crate::names::{BlobName, ETag, Sha256};
use crate::records::pulled::{self, DoneMarker, LandedFile, Landing, RecordState};
use crate::stations::containers::{BlobFacts, Condition, ContainerError, Upload};
use crate::stations::sftp::{READ_BYTES, RemoteFile, Sftp};
use crate::stations::share::StagedName;

/// Hashing less than this costs less than asking another thread to do it.
const HASHED_IN_PLACE_BYTES: usize = 64 * 1024;

/// How one transfer ended.
#[derive(Debug)]
pub(super) enum Carried {
    Landed(LandedFile),
    /// Landing had this content already: its record was written, and nothing else.
    Unchanged(LandedFile),
    /// The file changed or went away, or somebody else landed it first: the next tick sees what is there now.
    Changed,
    /// What was staged stays for the next tick.
    OutOfTime,
}

enum Transferred {
    Whole(Sha256),
    Changed,
    OutOfTime,
}

impl Context<'_> {
    /// Carries a file that has settled. `candidate.file.path` may be a private name at the source.
    ///
    /// The blocks of the blob go up while the file is staged, from the same bytes that are hashed, and stay unseen until
    /// the server was asked once more and one conditional commit makes the blob.
    pub(super) async fn carry(&self, sftp: &dyn Sftp, candidate: &Candidate) -> Result<Carried, PullError> {
        let file = &candidate.file;
        let blob = candidate.key.landing_blob()?;
        let version = version_of(file);
        let staged_name = StagedName::of(&self.source.feed, candidate.key.path(), version.size_bytes, version.modified);

        let present = self.stations.landing.head(&blob).await?;
        let mut upload = self.stations.landing.upload(&blob).await?;
        let sha256 = match self.transfer(sftp, file, &staged_name, &mut upload).await? {
            Transferred::Whole(sha256) => sha256,
            Transferred::Changed => return self.discard(&staged_name, candidate).await,
            Transferred::OutOfTime => return Ok(Carried::OutOfTime),
        };
        faults::point("pull.staged");
        let landed_before = match &present {
            Some(facts) => self.has_content(facts, &sha256, candidate).await?,
            None => Some(false),
        };
        let Some(is_unchanged) = landed_before else {
            return Ok(Carried::OutOfTime);
        };
        let now = sftp.stat(&file.path).await?;
        if !now.is_some_and(|now| now.is_same_version(file)) {
            return self.discard(&staged_name, candidate).await;
        }

        self.retire_older(candidate).await?;
        let etag = match present {
            Some(facts) if is_unchanged => facts.etag,
            present => {
                let condition = present.map_or(Condition::Absent, |facts| Condition::Is(facts.etag));
                match upload.commit(condition).await {
                    Ok(etag) => etag,
                    Err(ContainerError::Superseded { .. }) => return self.discard(&staged_name, candidate).await,
                    Err(error) => return Err(error.into()),
                }
            }
        };

        faults::point("pull.landed");
        let landed = self.record(candidate, sha256, blob, etag).await?;
        faults::point("pull.recorded");
        self.forget(&staged_name, candidate).await?;
        Ok(if is_unchanged { Carried::Unchanged(landed) } else { Carried::Landed(landed) })
    }

    /// Stages what is not staged yet, and uploads and hashes every byte, those of an earlier tick too.
    async fn transfer(
        &self,
        sftp: &dyn Sftp,
        file: &RemoteFile,
        name: &StagedName,
        upload: &mut Upload,
    ) -> Result<Transferred, PullError> {
        let share = &self.stations.share;
        let mut hasher = Sha256Hasher::new();
        let mut length = share.length(name).await?.unwrap_or(0);
        if length > file.size_bytes {
            share.delete(name).await?;
            length = 0;
        }
        for block in blocks(0..length) {
            if self.is_over() {
                return Ok(Transferred::OutOfTime);
            }
            let bytes = share.read(name, block).await?;
            let (uploaded, hashed) = tokio::join!(upload.write(bytes.clone()), hash(hasher, bytes));
            uploaded?;
            hasher = hashed;
        }
        self.report().resumed_bytes += length;

        let mut rest = if length < file.size_bytes { Some(sftp.read(file, length).await?) } else { None };
        while let Some(stream) = &mut rest {
            let Ok(next) = timeout_at(self.deadline, stream.next()).await else {
                // There is no staged copy before its first block.
                if length > 0 {
                    share.sync(name).await?;
                }
                return Ok(Transferred::OutOfTime);
            };
            let Some(block) = next else { break };
            let block = block?;
            let block_bytes = block.len() as u64;
            if length + block_bytes > file.size_bytes {
                return Ok(Transferred::Changed);
            }
            let (staged, uploaded, hashed) = tokio::join!(
                share.write_at(name, length, block.clone(), file.size_bytes),
                upload.write(block.clone()),
                hash(hasher, block)
            );
            staged?;
            uploaded?;
            hasher = hashed;
            length += block_bytes;
            self.report().pulled_bytes += block_bytes;
        }
        if length != file.size_bytes {
            return Ok(Transferred::Changed);
        }
        Ok(Transferred::Whole(Sha256::from_digest(hasher.finalize().as_slice())))
    }

    /// Records of other versions go before the landing: were they left, and an older version sent again with its old
    /// time, it would be taken for known. Without them it is merely pulled again.
    async fn retire_older(&self, candidate: &Candidate) -> Result<(), PullError> {
        for older in &candidate.older {
            pulled::retire(&self.stations.state, older).await?;
        }
        Ok(())
    }

    async fn record(
        &self,
        candidate: &Candidate,
        sha256: Sha256,
        blob: BlobName,
        etag: ETag,
    ) -> Result<LandedFile, PullError> {
        let landed_at = self.clock.now();
        let first_seen = candidate.first_seen.unwrap_or(landed_at);
        let at_source = self.declared();
        let done_marker = match (candidate.marker, &self.source.source.done_marker) {
            (Marker::There(version), Some(suffix)) => Some(DoneMarker::new(suffix, version)),
            _ => None,
        };
        let landing = Landing { sha256, blob, etag, first_seen, landed_at, at_source, done_marker };
        let landed = LandedFile::new(&candidate.key, version_of(&candidate.file), landing);
        pulled::write(&self.stations.state, &landed, &landed.record_name(RecordState::Landed)).await?;
        info!("landed {}: {} bytes", landed.blob, landed.size_bytes);
        Ok(landed)
    }

    /// What was staged is of no version that is still there, or not for us to land.
    async fn discard(&self, staged_name: &StagedName, candidate: &Candidate) -> Result<Carried, PullError> {
        self.forget(staged_name, candidate).await?;
        Ok(Carried::Changed)
    }

    async fn forget(&self, staged_name: &StagedName, candidate: &Candidate) -> Result<(), PullError> {
        self.stations.share.delete(staged_name).await?;
        for look in &candidate.looks {
            pulled::retire(&self.stations.state, look).await?;
        }
        Ok(())
    }

    /// Whether a landed blob has this content; `None`: the time was up before that was known.
    async fn has_content(
        &self,
        facts: &BlobFacts,
        sha256: &Sha256,
        candidate: &Candidate,
    ) -> Result<Option<bool>, PullError> {
        if facts.size_bytes != candidate.file.size_bytes {
            return Ok(Some(false));
        }
        for older in &candidate.older {
            match pulled::read(&self.stations.state, older).await? {
                Some(landed) if landed.etag == facts.etag => return Ok(Some(landed.sha256 == *sha256)),
                _ => {}
            }
        }
        let mut hasher = Sha256Hasher::new();
        for block in blocks(0..facts.size_bytes) {
            if self.is_over() {
                return Ok(None);
            }
            match self.stations.landing.read(&facts.name, block, &facts.etag).await {
                Ok(bytes) => hasher = hash(hasher, bytes).await,
                // Somebody lands there right now; the condition of our commit will tell.
                Err(ContainerError::Superseded { .. } | ContainerError::Gone { .. }) => return Ok(Some(false)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(Sha256::from_digest(hasher.finalize().as_slice()) == *sha256))
    }
}

fn blocks(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = range.end;
    range.step_by(READ_BYTES).map(move |start| start..end.min(start + READ_BYTES as u64))
}

async fn hash(mut hasher: Sha256Hasher, bytes: Bytes) -> Sha256Hasher {
    if bytes.len() <= HASHED_IN_PLACE_BYTES {
        hasher.update(&bytes);
        return hasher;
    }
    let work = move || {
        hasher.update(&bytes);
        hasher
    };
    tokio::task::spawn_blocking(work).await.expect("hashing neither panics nor is it aborted")
}
