//! Files below a directory, sorted by the bytes of their names, in batches. Memory holds the entries of the folders on
//! the way to the present file, never the whole tree.

use std::io;
use std::path::{Path, PathBuf};
use std::vec::IntoIter;

/// What a walk finds: the name below the root, with `/` between its segments.
pub(super) struct Found {
    pub name: String,
    pub metadata: std::fs::Metadata,
}

pub(super) struct Walk {
    container: &'static str,
    prefix: String,
    after: Option<String>,
    open: Vec<Folder>,
}

struct Folder {
    path: PathBuf,
    entries: IntoIter<Entry>,
}

/// A folder's `key` ends with `/`, so that sorting the keys of siblings sorts all names below them.
struct Entry {
    key: String,
    is_folder: bool,
}

impl Walk {
    pub fn begin(container: &'static str, root: &Path, prefix: &str, after: Option<&str>) -> io::Result<Walk> {
        let mut walk = Walk { container, prefix: prefix.to_owned(), after: after.map(str::to_owned), open: Vec::new() };
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
            let segment = entry.key.trim_end_matches('/').rsplit('/').next().unwrap_or(&entry.key);
            let path = folder.path.join(segment);
            if entry.is_folder {
                self.enter(path, &entry.key)?;
                continue;
            }
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => batch.push(Found { name: entry.key, metadata }),
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
            let Some(segment) = nameable(&listed) else {
                let file = listed.path();
                tracing::warn!(container = self.container, ?file, "passed over a file whose name no blob can have");
                continue;
            };
            let is_folder = listed.file_type()?.is_dir();
            let entry = Entry { key: format!("{key}{segment}{}", if is_folder { "/" } else { "" }), is_folder };
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
        may_match && comes_after && (entry.is_folder || !is_temporary(key))
    }
}

/// The entry's name, if a blob's name can hold it.
fn nameable(entry: &std::fs::DirEntry) -> Option<String> {
    let name = entry.file_name().into_string().ok()?;
    let is_plain = !name.chars().any(|c| c.is_ascii_control());
    is_plain.then_some(name)
}

/// `object_store` keeps names that end in `#` and digits for its own unfinished files, and lists none of them.
pub(super) fn is_temporary(name: &str) -> bool {
    let file_name = name.rsplit('/').next().unwrap_or(name);
    match file_name.split_once('#') {
        Some((_, suffix)) => !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_digit()),
        None => false,
    }
}
