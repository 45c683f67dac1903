//! Notices a change of host.json or of any function.json, by looking at them now and then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::definition::watched_files;

const PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Watcher {
    root: PathBuf,
    seen: Snapshot,
}

type Snapshot = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

impl Watcher {
    /// Takes what is there now as known.
    pub(super) fn new(root: &Path) -> Self {
        Watcher { root: root.to_owned(), seen: snapshot(root) }
    }

    /// Returns after the next change, and takes that as known.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            let now = snapshot(&self.root);
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}

fn snapshot(root: &Path) -> Snapshot {
    // A folder that cannot be listed for a moment looks like one without functions: its return is a change again.
    let files = watched_files(root).unwrap_or_default();
    let facts = |path: &PathBuf| {
        let metadata = path.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.into_iter().map(|path| (path.clone(), facts(&path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_comes_or_goes_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("host.json", "{}");
        let first = snapshot(folder.path());
        write("notes.txt", "nobody's business");
        assert_eq!(snapshot(folder.path()), first);
        write("host.json", "{ }");
        let second = snapshot(folder.path());
        assert_ne!(second, first);
        write("functions/pull/function.json", "{}");
        let third = snapshot(folder.path());
        assert_ne!(third, second);
        std::fs::remove_dir_all(folder.path().join("functions/pull")).unwrap();
        assert_ne!(snapshot(folder.path()), third);
    }
}
