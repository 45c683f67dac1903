//! The account's shares, and what is in them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// The service's own limit for pages of a list.
pub const PAGE_LIMIT: usize = 5000;

pub struct Store {
    pub account: String,
    pub key: String,
    pub token: String,
    pub shares: BTreeMap<String, FileShare>,
    pub page_files: usize,
    pub served: Vec<(String, u16)>,
    versions: u64,
}

pub struct FileShare {
    pub quota_bytes: u64,
    /// By their paths below the share in lower case: names keep their case, and differ in more than that.
    pub entries: BTreeMap<String, Entry>,
}

#[derive(Clone)]
pub struct Entry {
    /// As it was written when it was created.
    pub path: String,
    pub content: Content,
    pub etag: String,
    pub last_modified: DateTime<Utc>,
    pub metadata: Vec<(String, String)>,
}

#[derive(Clone)]
pub enum Content {
    Directory,
    File {
        bytes: Vec<u8>,
        /// The end of what was written, which counts against the quota.
        written: usize,
    },
}

impl Store {
    pub fn new(account: &str, key: &str, token: &str) -> Store {
        Store {
            account: account.to_owned(),
            key: key.to_owned(),
            token: token.to_owned(),
            shares: BTreeMap::new(),
            page_files: PAGE_LIMIT,
            served: Vec::new(),
            versions: 0,
        }
    }

    /// Whether it was not there.
    pub fn create_share(&mut self, name: &str) -> bool {
        let share = FileShare { quota_bytes: 5 << 40, entries: BTreeMap::new() };
        match self.shares.contains_key(name) {
            true => false,
            false => self.shares.insert(name.to_owned(), share).is_none(),
        }
    }

    pub fn next_etag(&mut self) -> String {
        self.versions += 1;
        format!("\"0x8D{:013X}\"", self.versions)
    }
}

impl FileShare {
    pub fn used_bytes(&self) -> u64 {
        self.entries.values().filter_map(Entry::file).map(|(_, written)| written as u64).sum()
    }

    pub fn has_directory(&self, path: &str) -> bool {
        path.is_empty() || self.entries.get(path).is_some_and(|entry| matches!(entry.content, Content::Directory))
    }

    pub fn put(&mut self, path: &str, bytes: &[u8]) {
        let content = Content::File { bytes: bytes.to_vec(), written: bytes.len() };
        let (etag, metadata) = ("\"0x8D\"".to_owned(), Vec::new());
        let entry = Entry { path: path.to_owned(), content, etag, last_modified: Utc::now(), metadata };
        self.entries.insert(path.to_lowercase(), entry);
    }

    /// The entries of a directory, in their order.
    pub fn children(&self, directory: &str) -> impl Iterator<Item = &Entry> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        self.entries.iter().filter_map(move |(path, entry)| {
            let rest = path.strip_prefix(&prefix)?;
            (!rest.contains('/')).then_some(entry)
        })
    }
}

impl Entry {
    /// A file's bytes, and how many of them were written.
    pub fn file(&self) -> Option<(&[u8], usize)> {
        match &self.content {
            Content::File { bytes, written } => Some((bytes, *written)),
            Content::Directory => None,
        }
    }

    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// `a/b` of `a/b/c`; empty: the root.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}
