//! Which versions have a record, eight bytes each: a page over a million files takes some megabytes and not hundreds.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use futures::{Stream, TryStreamExt};

use super::key;
use crate::names::{BlobName, ETag};
use crate::stations::containers::ContainerError;

/// Two versions that share a fingerprint are one in ten thousand million million: good enough to count, not to decide.
pub struct VersionSet(HashSet<u64>);

impl VersionSet {
    pub async fn of(
        versions: impl Stream<Item = Result<(BlobName, ETag), ContainerError>>,
    ) -> Result<Self, ContainerError> {
        Ok(VersionSet(versions.map_ok(|(blob, etag)| fingerprint(&blob, &etag)).try_collect().await?))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, blob: &BlobName, etag: &ETag) -> bool {
        // As the names of records tell them, which a very long name does not come back from.
        let (blob, etag) =
            key::version_of("", &key::of_version("", blob, etag)).unwrap_or((blob.clone(), etag.clone()));
        self.0.contains(&fingerprint(&blob, &etag))
    }
}

fn fingerprint(blob: &BlobName, etag: &ETag) -> u64 {
    let mut hasher = DefaultHasher::new();
    (blob, etag).hash(&mut hasher);
    hasher.finish()
}
