//! Files below a directory, sorted by the bytes of their names, in batches. Memory holds the entries of the folders on
//! the way to the present file, never the whole tree.
//!
//! What no blob can be named like is found too, and said to be odd; of a folder with such a name, the folder alone.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::vec::IntoIter;

/// What a walk finds: the name below the root, with `/` between its segments.
pub(super) struct Found {
    /// Of something odd, a name that is no other's.
    pub name: String,
    pub metadata: std::fs::Metadata,
    pub oddity: Option<Oddity>,
}

/// Why no blob can have a name, and the name as people can read it.
#[derive(Clone)]
pub(super) struct Oddity {
    pub shown: String,
    pub reason: &'static str,
}

pub(super) struct Walk {
    prefix: String,
    after: Option<String>,
    open: Vec<Folder>,
}

struct Folder {
    path: PathBuf,
    entries: IntoIter<Entry>,
}

/// A folder's `key` ends with `/`, so that sorting the keys of siblings sorts all names below them. That of something odd
/// ends with a control character, which no other key has.
struct Entry {
    key: String,
    file_name: OsString,
    is_folder: bool,
    oddity: Option<Oddity>,
}

const UNNAMEABLE: &str = "its name has bytes that are not UTF-8, or control characters";
const TEMPORARY: &str = "in a directory, names that end in `#` and digits are kept for unfinished files";

impl Walk {
    pub fn begin(root: &Path, prefix: &str, after: Option<&str>) -> io::Result<Walk> {
        let mut walk = Walk { prefix: prefix.to_owned(), after: after.map(str::to_owned), open: Vec::new() };
        let folder_of_prefix = prefix.rsplit_once('/').map(|(folder, _)| folder);
        let is_tidy =
            |folder: &str| folder.split('/').all(|segment| !segment.is_empty() && segment != "." && segment != "..");
        match folder_of_prefix {
            None => walk.enter(root.to_owned(), "")?,
            Some(folder) if is_tidy(folder) => walk.enter(root.join(folder), &format!("{folder}/"))?,
            // No blob has such a name, so none has such a prefix.
            Some(_) => {}
        }
        Ok(walk)
    }

    /// Up to `limit` further files; fewer mean that the walk has ended.
    pub fn next_batch(&mut self, limit: usize) -> io::Result<Vec<Found>> {
        let mut batch = Vec::new();
        while batch.len() < limit {
            let Some(folder) = self.open.last_mut() else { break };
            let Some(entry) = folder.entries.next() else {
                self.open.pop();
                continue;
            };
            let path = folder.path.join(&entry.file_name);
            if entry.is_folder && entry.oddity.is_none() {
                self.enter(path, &entry.key)?;
                continue;
            }
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() || entry.oddity.is_some() => {
                    batch.push(Found { name: entry.key, metadata, oddity: entry.oddity });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(batch)
    }

    fn enter(&mut self, path: PathBuf, key: &str) -> io::Result<()> {
        let listing = match std::fs::read_dir(&path) {
            Ok(listing) => listing,
            // It went away since its parent was read, or the prefix names no folder.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut entries = Vec::new();
        for listed in listing {
            let listed = listed?;
            let entry = Entry::new(key, listed.file_name(), listed.file_type()?.is_dir());
            if self.is_wanted(&entry) {
                entries.push(entry);
            }
        }
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        self.open.push(Folder { path, entries: entries.into_iter() });
        Ok(())
    }

    fn is_wanted(&self, entry: &Entry) -> bool {
        let key = entry.key.as_str();
        let may_match = key.starts_with(&self.prefix) || (entry.is_folder && self.prefix.starts_with(key));
        let comes_after = match &self.after {
            None => true,
            Some(after) => key > after.as_str() || (entry.is_folder && after.starts_with(key)),
        };
        may_match && comes_after
    }
}

impl Entry {
    fn new(folder: &str, file_name: OsString, is_folder: bool) -> Self {
        let Some(segment) = file_name.to_str().filter(|name| !name.chars().any(|c| c.is_ascii_control())) else {
            let shown = format!("{folder}{}", escaped(&file_name));
            let oddity = Some(Oddity { shown: shown.clone(), reason: UNNAMEABLE });
            return Entry { key: format!("{shown}\u{1}"), file_name, is_folder, oddity };
        };
        let key = format!("{folder}{segment}{}", if is_folder { "/" } else { "" });
        let oddity = (!is_folder && is_temporary(&key)).then(|| Oddity { shown: key.clone(), reason: TEMPORARY });
        Entry { key, file_name, is_folder, oddity }
    }
}

/// A name with `%XX` for what a blob's name cannot hold.
fn escaped(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                control if control.is_ascii_control() => push_escape(&mut text, control as u8),
                plain => text.push(plain),
            }
        }
        chunk.invalid().iter().for_each(|byte| push_escape(&mut text, *byte));
    }
    text
}

fn push_escape(text: &mut String, byte: u8) {
    write!(text, "%{byte:02X}").expect("writing to a String cannot fail");
}

/// `object_store` keeps names that end in `#` and digits for its own unfinished files, and lists none of them.
pub(super) fn is_temporary(name: &str) -> bool {
    let file_name = name.rsplit('/').next().unwrap_or(name);
    match file_name.split_once('#') {
        Some((_, suffix)) => !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_digit()),
        None => false,
    }
}
