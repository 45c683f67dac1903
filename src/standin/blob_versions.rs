//! Which versions of which blobs in a container somebody has not dealt with yet: a receipt for each that has been, in the
//! host's state, as the real one keeps them in `azure-webjobs-hosts`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::script_host::Shared;
use super::state::StateError;
use crate::names::Sha256;
use crate::stations::containers::{BlobFacts, Container, ContainerError};

/// The shortest pause between two looks at the container.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
/// A look takes longer the more blobs there are: looking may take this share of one processor's time.
const PAUSE_PER_LOOK: u32 = 8;
/// Receipts remembered in memory, 16 bytes each, to spare a look at the disk.
const REMEMBERED_RECEIPTS: usize = 1_000_000;

/// A blob that will not be dealt with again in this version.
#[derive(Serialize, Deserialize)]
struct Receipt {
    blob: String,
    etag: String,
    at: DateTime<Utc>,
}

/// A container as one reader sees it.
pub(super) struct BlobVersions {
    shared: Arc<Shared>,
    pub container: Container,
    /// Whose receipts these are.
    reader: String,
    /// Versions with a receipt.
    done: Mutex<HashSet<u128>>,
    /// Versions being dealt with now.
    under_way: Mutex<HashSet<u128>>,
}

/// A version without a receipt, which is now the caller's until [`BlobVersions::release`].
pub(super) struct NewVersion {
    pub facts: BlobFacts,
    number: u128,
}

/// One pass over the container.
pub(super) struct Look<'a> {
    versions: &'a BlobVersions,
    blobs: BoxStream<'static, Result<BlobFacts, ContainerError>>,
    /// How many versions without a receipt were met, those under way included.
    pub found: usize,
}

const NO_PANIC: &str = "nothing panics while it holds a set of versions";

impl BlobVersions {
    pub(super) fn new(shared: Arc<Shared>, container: Container, reader: impl Into<String>) -> Self {
        BlobVersions { shared, container, reader: reader.into(), done: Mutex::default(), under_way: Mutex::default() }
    }

    pub(super) fn look(&self) -> Look<'_> {
        Look { versions: self, blobs: self.container.list("", None), found: 0 }
    }

    /// How long to wait after a look that took so long.
    pub(super) fn pause_after(took: Duration) -> Duration {
        SHORTEST_PAUSE.max(took * PAUSE_PER_LOOK)
    }

    /// Counts a try before it, so that one that kills the host counts too.
    pub(super) async fn count_try(&self, version: &NewVersion) -> Result<u32, StateError> {
        let name = self.record("tries", version.number);
        let tries = self.shared.ends.state.get::<u32>(&name).await?.unwrap_or(0) + 1;
        self.shared.ends.state.put(&name, &tries).await?;
        Ok(tries)
    }

    /// Leaves a receipt.
    pub(super) async fn finish(&self, version: &NewVersion) -> Result<(), StateError> {
        let NewVersion { facts, number } = version;
        let receipt = Receipt { blob: facts.name.to_string(), etag: facts.etag.to_string(), at: Utc::now() };
        self.shared.ends.state.put(&self.record("receipts", *number), &receipt).await?;
        self.remember(*number);
        self.shared.ends.state.remove(&self.record("tries", *number)).await
    }

    /// It comes up again in the next look, unless it has a receipt.
    pub(super) fn release(&self, version: &NewVersion) {
        self.under_way.lock().expect(NO_PANIC).remove(&version.number);
    }

    async fn is_done(&self, number: u128) -> Result<bool, StateError> {
        if self.done.lock().expect(NO_PANIC).contains(&number) {
            return Ok(true);
        }
        let is_there = self.shared.ends.state.has(&self.record("receipts", number)).await?;
        if is_there {
            self.remember(number);
        }
        Ok(is_there)
    }

    fn remember(&self, number: u128) {
        let mut done = self.done.lock().expect(NO_PANIC);
        if done.len() >= REMEMBERED_RECEIPTS {
            done.clear();
        }
        done.insert(number);
    }

    /// Records lie in 256 folders, so that no folder grows without bound.
    fn record(&self, kind: &str, number: u128) -> String {
        let digits = format!("{number:032x}");
        format!("{kind}/{}/{}/{digits}", self.reader, &digits[..2])
    }
}

impl Look<'_> {
    /// The next version that nobody deals with. What cannot be listed is said, and looked for again next time.
    pub(super) async fn next(&mut self) -> Result<Option<NewVersion>, StateError> {
        while let Some(blob) = self.blobs.next().await {
            let facts = match blob {
                Ok(facts) => facts,
                Err(failure) => {
                    let message = format!("`{}`: {}", self.versions.reader, super::invoker::chain(&failure));
                    self.versions.shared.warn(message).await;
                    self.found += 1;
                    return Ok(None);
                }
            };
            let number = number_of(&facts);
            if self.versions.is_done(number).await? {
                continue;
            }
            self.found += 1;
            if self.versions.under_way.lock().expect(NO_PANIC).insert(number) {
                return Ok(Some(NewVersion { facts, number }));
            }
        }
        Ok(None)
    }
}

/// Names one version of one blob.
fn number_of(facts: &BlobFacts) -> u128 {
    let hash = Sha256::of_fields(&[facts.name.as_str().as_bytes(), facts.etag.as_str().as_bytes()]);
    u128::from_str_radix(&hash.as_str()[..32], 16).expect("a hash is hex digits")
}
