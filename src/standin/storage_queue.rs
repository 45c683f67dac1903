//! The embedded storage queue, in the manner of Azure's: a message that somebody received is out of sight for a while and
//! comes back unless it is deleted with the receipt of that very receipt; each time it comes its dequeue count grows; after
//! its time to live it is gone.
//!
//! A queue is a directory and a message a file in it, whose name says all that changes: when the message is seen next, how
//! often it was received, the receipt and the id. Receiving, releasing and deleting are a rename or removal of exactly the
//! name that was seen, so several processes share a queue without locks: of two that come at once one finds the name gone.
//! Nothing is synced: a message that a power cut takes is one that Event Grid lost, which sweep makes up for.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::clock::Clock;

/// Azure's default (<https://learn.microsoft.com/rest/api/storageservices/put-message>).
const TIME_TO_LIVE: TimeDelta = TimeDelta::days(7);

#[derive(Debug, Error)]
pub enum QueueError {
    #[error("queue directory `{}` cannot be used: check that it is writable", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("queue name `{name}` must have 3 to 63 of a-z, 0-9 and single `-`, and begin and end with none")]
    Name { name: String },
}

/// All queues of one storage account, below one directory.
#[derive(Clone, Debug)]
pub struct StorageQueues {
    root: PathBuf,
    clock: Clock,
}

impl StorageQueues {
    pub fn new(root: impl Into<PathBuf>, clock: Clock) -> Self {
        StorageQueues { root: root.into(), clock }
    }

    /// Creates the queue if there is none.
    pub fn open(&self, name: &str) -> Result<StorageQueue, QueueError> {
        if !is_queue_name(name) {
            return Err(QueueError::Name { name: name.to_owned() });
        }
        let directory = self.root.join(name);
        fs::create_dir_all(&directory).map_err(|source| QueueError::File { path: directory.clone(), source })?;
        Ok(StorageQueue { name: name.to_owned(), directory, clock: self.clock.clone(), known: VecDeque::new() })
    }
}

/// <https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata>
pub(super) fn is_queue_name(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    plain && (3..=63).contains(&name.len()) && !name.starts_with('-') && !name.ends_with('-') && !name.contains("--")
}

/// One queue, as one of its users sees it.
#[derive(Debug)]
pub struct StorageQueue {
    name: String,
    directory: PathBuf,
    clock: Clock,
    /// Names that the last look at the directory found in sight: a look serves many batches.
    known: VecDeque<MessageName>,
}

/// A message that was received.
#[derive(Clone, Debug)]
pub struct QueueMessage {
    pub id: Uuid,
    /// As it is stored; who sent it says whether that is base64.
    pub text: String,
    pub dequeue_count: u32,
    pub inserted_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub next_visible_at: DateTime<Utc>,
    /// Gone stale once somebody else received the message.
    pub pop_receipt: Uuid,
}

/// What a message's file holds: what never changes.
#[derive(Serialize, Deserialize)]
struct Content {
    inserted_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    text: String,
}

impl StorageQueue {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a message, which is in sight at once.
    pub fn send(&self, text: &str) -> Result<Uuid, QueueError> {
        let now = self.clock.now();
        let content = Content { inserted_at: now, expires_at: now + TIME_TO_LIVE, text: text.to_owned() };
        let name =
            MessageName { visible_micros: micros(now), dequeue_count: 0, receipt: Uuid::new_v4(), id: Uuid::new_v4() };
        let bytes = serde_json::to_vec(&content).expect("two times and a text can be written as JSON");
        // A name that no look takes for a message.
        let unfinished = self.directory.join(format!(".{}", name.id.simple()));
        fs::write(&unfinished, bytes).map_err(|source| self.failed(source))?;
        fs::rename(&unfinished, self.path(&name)).map_err(|source| self.failed(source))?;
        Ok(name.id)
    }

    /// Takes up to `max_count` messages that are in sight, oldest first, and puts them out of sight for `visibility`.
    pub fn receive(&mut self, max_count: usize, visibility: Duration) -> Result<Vec<QueueMessage>, QueueError> {
        let mut received = Vec::new();
        let mut has_looked = false;
        while received.len() < max_count {
            let Some(seen) = self.known.pop_front() else {
                if has_looked {
                    break;
                }
                has_looked = true;
                self.known = self.in_sight()?;
                continue;
            };
            received.extend(self.take(&seen, visibility)?);
        }
        Ok(received)
    }

    /// Keeps a received message out of sight for so long from now, or brings it back at once; `false`: it is not ours any
    /// more. The receipt changes.
    pub fn hide(&self, message: &mut QueueMessage, visibility: Duration) -> Result<bool, QueueError> {
        let old = MessageName::of(message);
        let new = MessageName { visible_micros: self.micros_in(visibility), receipt: Uuid::new_v4(), ..old };
        if !self.rename(&old, &new)? {
            return Ok(false);
        }
        message.next_visible_at = time(new.visible_micros);
        message.pop_receipt = new.receipt;
        Ok(true)
    }

    /// Removes a received message; `false`: it is not ours any more.
    pub fn delete(&self, message: &QueueMessage) -> Result<bool, QueueError> {
        match fs::remove_file(self.path(&MessageName::of(message))) {
            Ok(()) => Ok(true),
            Err(gone) if gone.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// How many messages there are, in sight or not, expired ones included.
    pub fn count(&self) -> Result<usize, QueueError> {
        Ok(self.names()?.len())
    }

    /// The texts of all messages, in the order in which they come into sight.
    pub fn peek_all(&self) -> Result<Vec<String>, QueueError> {
        let mut names = self.names()?;
        names.sort();
        let contents = names.iter().filter_map(|name| self.content(name).transpose());
        contents.map(|content| Ok(content?.text)).collect()
    }

    fn take(&self, seen: &MessageName, visibility: Duration) -> Result<Option<QueueMessage>, QueueError> {
        let taken = MessageName {
            visible_micros: self.micros_in(visibility),
            dequeue_count: seen.dequeue_count + 1,
            receipt: Uuid::new_v4(),
            id: seen.id,
        };
        if !self.rename(seen, &taken)? {
            return Ok(None);
        }
        let content = self.content(&taken)?.filter(|content| content.expires_at > self.clock.now());
        let Some(content) = content else {
            // Expired, or a file that nobody can read: its time is over.
            let _ = fs::remove_file(self.path(&taken));
            return Ok(None);
        };
        Ok(Some(QueueMessage {
            id: taken.id,
            text: content.text,
            dequeue_count: taken.dequeue_count,
            inserted_at: content.inserted_at,
            expires_at: content.expires_at,
            next_visible_at: time(taken.visible_micros),
            pop_receipt: taken.receipt,
        }))
    }

    fn in_sight(&self) -> Result<VecDeque<MessageName>, QueueError> {
        let now = micros(self.clock.now());
        let mut names = self.names()?;
        names.retain(|name| name.visible_micros <= now);
        names.sort();
        Ok(names.into())
    }

    fn names(&self) -> Result<Vec<MessageName>, QueueError> {
        let entries = match fs::read_dir(&self.directory) {
            // Somebody removed the queue; sending makes it no more, receiving finds nothing.
            Err(gone) if gone.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(|source| self.failed(source))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| self.failed(source))?;
            names.extend(entry.file_name().to_str().and_then(MessageName::parse));
        }
        Ok(names)
    }

    fn content(&self, name: &MessageName) -> Result<Option<Content>, QueueError> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(gone) if gone.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// `false`: there is no file of the old name any more.
    fn rename(&self, old: &MessageName, new: &MessageName) -> Result<bool, QueueError> {
        match fs::rename(self.path(old), self.path(new)) {
            Ok(()) => Ok(true),
            Err(gone) if gone.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(self.failed(source)),
        }
    }

    fn micros_in(&self, visibility: Duration) -> i64 {
        let later = TimeDelta::from_std(visibility).unwrap_or(TIME_TO_LIVE);
        micros(self.clock.now() + later)
    }

    fn path(&self, name: &MessageName) -> PathBuf {
        self.directory.join(name.to_file_name())
    }

    fn failed(&self, source: io::Error) -> QueueError {
        QueueError::File { path: self.directory.clone(), source }
    }
}

fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// What the name of a message's file says. Sorted, the one that was in sight first comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MessageName {
    visible_micros: i64,
    dequeue_count: u32,
    receipt: Uuid,
    id: Uuid,
}

impl MessageName {
    fn of(message: &QueueMessage) -> Self {
        MessageName {
            visible_micros: micros(message.next_visible_at),
            dequeue_count: message.dequeue_count,
            receipt: message.pop_receipt,
            id: message.id,
        }
    }

    fn to_file_name(&self) -> String {
        let MessageName { visible_micros, dequeue_count, receipt, id } = self;
        format!("{visible_micros}.{dequeue_count}.{}.{}.json", receipt.simple(), id.simple())
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".json")?.split('.');
        let found = MessageName {
            visible_micros: parts.next()?.parse().ok()?,
            dequeue_count: parts.next()?.parse().ok()?,
            receipt: parts.next()?.parse().ok()?,
            id: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(found)
    }
}

#[cfg(test)]
#[path = "storage_queue_tests.rs"]
mod tests;
