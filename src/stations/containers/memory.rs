//! Containers in memory, for tests that need very many blobs, a clock of their own, or to know how often a store is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream, StreamExt};

use super::{Backend, BlobFacts, BlobWriter, Condition, Container, ContainerError, Containers, Listed};
use crate::clock::Clock;
use crate::names::{BlobName, ETag};

/// Names that one answer of a store holds, as Azure's do.
const NAMES_AN_ANSWER: usize = 5_000;

/// The store behind one container.
#[derive(Clone)]
pub struct Memory {
    container: &'static str,
    url: String,
    clock: Clock,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    blobs: BTreeMap<String, Stored>,
    versions: u64,
    calls: Calls,
    /// Blobs of which the store says nothing.
    failing: BTreeSet<String>,
}

#[derive(Clone)]
struct Stored {
    body: Bytes,
    etag: ETag,
    last_modified: DateTime<Utc>,
}

/// How often the store was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub reads: usize,
    pub writes: usize,
    pub deletions: usize,
    /// Answers with up to 5,000 names.
    pub lists: usize,
}

/// The stores behind the containers that tests look into.
pub struct Stores {
    pub landing: Memory,
    pub state: Memory,
}

impl Containers {
    pub fn in_memory(clock: &Clock) -> (Containers, Stores) {
        let stores = Stores { landing: Memory::new("landing", clock), state: Memory::new("millrace-state", clock) };
        let containers = Containers {
            landing: stores.landing.container(),
            quarantine: Memory::new("quarantine", clock).container(),
            curated: Memory::new("curated", clock).container(),
            state: stores.state.container(),
        };
        (containers, stores)
    }
}

impl Memory {
    fn new(container: &'static str, clock: &Clock) -> Self {
        Memory { container, url: format!("memory:///{container}"), clock: clock.clone(), inner: Arc::default() }
    }

    fn container(&self) -> Container {
        Container::over(self.container, self.clone())
    }

    /// Puts a blob there without being asked.
    pub fn add(&self, name: &str, body: &'static str) {
        let at = self.clock.now();
        self.lock().insert(name, Bytes::from_static(body.as_bytes()), at);
    }

    pub fn remove(&self, name: &str) {
        self.lock().blobs.remove(name);
    }

    /// From now on the store fails whenever this blob is asked for.
    pub fn fail_for(&self, name: &str) {
        self.lock().failing.insert(name.to_owned());
    }

    pub fn mend(&self) {
        self.lock().failing.clear();
    }

    /// How often the store was asked since this was asked last.
    pub fn calls(&self) -> Calls {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn failure(&self, operation: &'static str, blob: &BlobName) -> ContainerError {
        let source = format!("the store says nothing of {blob}").into();
        ContainerError::Store { operation, container: self.container, blob: blob.clone(), source }
    }

    /// What is there, as one call finds it.
    fn found(&self, operation: &'static str, blob: &BlobName) -> Result<Option<Stored>, ContainerError> {
        let mut inner = self.lock();
        inner.calls.reads += 1;
        if inner.failing.contains(blob.as_str()) {
            return Err(self.failure(operation, blob));
        }
        Ok(inner.blobs.get(blob.as_str()).cloned())
    }
}

impl Inner {
    fn insert(&mut self, name: &str, body: Bytes, at: DateTime<Utc>) -> ETag {
        self.versions += 1;
        let etag = ETag::new(format!("v{}", self.versions)).unwrap();
        self.blobs.insert(name.to_owned(), Stored { body, etag: etag.clone(), last_modified: at });
        etag
    }
}

#[async_trait]
impl Backend for Memory {
    fn url(&self) -> &str {
        &self.url
    }

    fn objection(&self, _: &BlobName) -> Option<&'static str> {
        None
    }

    async fn head(&self, blob: &BlobName) -> Result<Option<BlobFacts>, ContainerError> {
        Ok(self.found("head", blob)?.map(|stored| BlobFacts {
            name: blob.clone(),
            etag: stored.etag,
            size_bytes: stored.body.len() as u64,
            last_modified: stored.last_modified,
        }))
    }

    async fn read(&self, blob: &BlobName, range: Range<u64>, if_match: &ETag) -> Result<Bytes, ContainerError> {
        let container = self.container;
        let Some(stored) = self.found("read", blob)? else {
            return Err(ContainerError::Gone { container, blob: blob.clone() });
        };
        if stored.etag != *if_match {
            return Err(ContainerError::Superseded { container, blob: blob.clone() });
        }
        let end = (range.end as usize).min(stored.body.len());
        Ok(stored.body.slice((range.start as usize).min(end)..end))
    }

    async fn get(&self, blob: &BlobName) -> Result<Option<(Bytes, ETag)>, ContainerError> {
        Ok(self.found("get", blob)?.map(|stored| (stored.body, stored.etag)))
    }

    async fn delete(&self, blob: &BlobName) -> Result<(), ContainerError> {
        let mut inner = self.lock();
        inner.calls.deletions += 1;
        inner.blobs.remove(blob.as_str());
        Ok(())
    }

    async fn put(&self, blob: &BlobName, body: Bytes, condition: Option<Condition>) -> Result<ETag, ContainerError> {
        let at = self.clock.now();
        let mut inner = self.lock();
        inner.calls.writes += 1;
        if inner.failing.contains(blob.as_str()) {
            return Err(self.failure("put", blob));
        }
        let present = inner.blobs.get(blob.as_str()).map(|stored| stored.etag.clone());
        if !condition.is_none_or(|condition| condition.holds(present.as_ref())) {
            return Err(ContainerError::Superseded { container: self.container, blob: blob.clone() });
        }
        Ok(inner.insert(blob.as_str(), body, at))
    }

    async fn delete_version(&self, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError> {
        let mut inner = self.lock();
        inner.calls.deletions += 1;
        match inner.blobs.get(blob.as_str()) {
            Some(stored) if stored.etag != *etag => {
                Err(ContainerError::Superseded { container: self.container, blob: blob.clone() })
            }
            _ => {
                inner.blobs.remove(blob.as_str());
                Ok(())
            }
        }
    }

    async fn begin(&self, blob: &BlobName) -> Result<Box<dyn BlobWriter>, ContainerError> {
        Ok(Box::new(Draft { store: self.clone(), blob: blob.clone(), body: Vec::new() }))
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'static, Result<Listed, ContainerError>> {
        let (store, prefix) = (self.clone(), prefix.to_owned());
        let begin = after.filter(|after| *after >= prefix.as_str()).map(str::to_owned);
        stream::unfold(Some(begin), move |after| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                let (answer, next) = store.answer(&prefix, after?);
                Some((stream::iter(answer), next.map(Some)))
            }
        })
        .flatten()
        .map(Ok)
        .boxed()
    }
}

impl Memory {
    fn answer(&self, prefix: &str, after: Option<String>) -> (Vec<Listed>, Option<String>) {
        let mut inner = self.lock();
        inner.calls.lists += 1;
        let from = match &after {
            Some(after) => Bound::Excluded(after.as_str()),
            None => Bound::Included(prefix),
        };
        let listed: Vec<Listed> = inner
            .blobs
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .take(NAMES_AN_ANSWER)
            .map(|(name, stored)| {
                Listed::Blob(BlobFacts {
                    name: BlobName::new(name.as_str()).unwrap(),
                    etag: stored.etag.clone(),
                    size_bytes: stored.body.len() as u64,
                    last_modified: stored.last_modified,
                })
            })
            .collect();
        let next = listed.last().filter(|_| listed.len() == NAMES_AN_ANSWER).map(|last| last.position().to_owned());
        (listed, next)
    }
}

struct Draft {
    store: Memory,
    blob: BlobName,
    body: Vec<u8>,
}

#[async_trait]
impl BlobWriter for Draft {
    async fn append(&mut self, block: Bytes) -> Result<(), ContainerError> {
        self.body.extend_from_slice(&block);
        Ok(())
    }

    async fn commit(self: Box<Self>, condition: Condition) -> Result<ETag, ContainerError> {
        self.store.put(&self.blob, Bytes::from(self.body), Some(condition)).await
    }

    async fn abort(self: Box<Self>) -> Result<(), ContainerError> {
        Ok(())
    }
}
