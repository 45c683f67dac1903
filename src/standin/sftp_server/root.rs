//! Paths of the client to paths of this machine, never outside the directory that is served: `..` stops at its top, an
//! absolute path begins at its top, and a symbolic link that leads out is refused. (Clients cannot make links here;
//! whoever can on this machine could read the files anyway.)

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone)]
pub(super) struct Root {
    /// Canonical.
    directory: Arc<Path>,
}

impl Root {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        Ok(Root { directory: directory.canonicalize()?.into() })
    }

    /// The client's path without `.`, `..` and doubled `/`, from the top: what `realpath` answers.
    pub(super) fn normalised(path: &str) -> String {
        let segments = segments(path);
        if segments.is_empty() { "/".to_owned() } else { format!("/{}", segments.join("/")) }
    }

    /// Where a path leads, all links followed. The last segment need not exist.
    pub(super) fn followed(&self, path: &str) -> io::Result<PathBuf> {
        let entry = self.entry(path)?;
        match entry.canonicalize() {
            Ok(target) => self.inside(target),
            // A link that leads nowhere would be followed by whoever creates the file.
            Err(missing) if missing.kind() == ErrorKind::NotFound && !entry.is_symlink() => Ok(entry),
            Err(failure) => Err(failure),
        }
    }

    /// The entry itself: a link in the last segment is not followed.
    pub(super) fn entry(&self, path: &str) -> io::Result<PathBuf> {
        let segments = segments(path);
        let Some((name, above)) = segments.split_last() else {
            return Ok(self.directory.to_path_buf());
        };
        if name.contains('\0') || Path::new(name).file_name() != Some(OsStr::new(name)) {
            return Err(ErrorKind::InvalidFilename.into());
        }
        let parent = above.iter().fold(self.directory.to_path_buf(), |path, segment| path.join(segment));
        Ok(self.inside(parent.canonicalize()?)?.join(name))
    }

    /// Like [`Root::entry`], but not the top itself, which may be neither removed nor moved.
    pub(super) fn entry_below_top(&self, path: &str) -> io::Result<PathBuf> {
        if segments(path).is_empty() { Err(ErrorKind::PermissionDenied.into()) } else { self.entry(path) }
    }

    fn inside(&self, path: PathBuf) -> io::Result<PathBuf> {
        if path.starts_with(&self.directory) { Ok(path) } else { Err(ErrorKind::PermissionDenied.into()) }
    }
}

fn segments(path: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn dots_stop_at_the_top() {
        for (path, expected) in [
            ("", "/"),
            (".", "/"),
            ("/", "/"),
            ("a//b/./c/", "/a/b/c"),
            ("../../etc/passwd", "/etc/passwd"),
            ("/a/../..", "/"),
        ] {
            assert_eq!(Root::normalised(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_stays_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(&folder.path().join("served")).unwrap();
        let top = folder.path().join("served").canonicalize().unwrap();
        assert_eq!(root.followed("../../new.csv").unwrap(), top.join("new.csv"));
        assert_eq!(root.followed("/").unwrap(), top);
        assert!(root.entry_below_top("/x/..").is_err());
        assert!(root.followed("missing/new.csv").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_is_refused_and_one_that_stays_is_followed() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("served");
        let root = Root::open(&top).unwrap();
        fs::write(folder.path().join("secret"), "x").unwrap();
        fs::create_dir(top.join("real")).unwrap();
        symlink("../secret", top.join("out")).unwrap();
        symlink("..", top.join("up")).unwrap();
        symlink("../not-yet", top.join("dangling")).unwrap();
        symlink("real", top.join("in")).unwrap();
        for path in ["out", "up/secret", "dangling"] {
            assert!(root.followed(path).is_err(), "{path}");
        }
        assert!(root.entry("out").is_ok());
        assert_eq!(root.followed("in/new").unwrap(), top.canonicalize().unwrap().join("real/new"));
    }
}
