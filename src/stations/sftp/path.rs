//! Paths on a server.

use std::fmt;

use thiserror::Error;

/// A path that no call may name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("remote path `{path}` {rule}")]
pub struct BadRemotePath {
    path: String,
    rule: &'static str,
}

/// A name with `\xNN` for what is not UTF-8, and escapes for what would move a terminal's cursor.
pub fn printable(name: &[u8]) -> String {
    Printable(name).to_string()
}

struct Printable<'a>(&'a [u8]);

/// A path on a server: any bytes but NUL, without a segment `..`. Prints with `\xNN` for what is not UTF-8 or not
/// printable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemotePath(Vec<u8>);

impl RemotePath {
    pub fn new(path: impl Into<Vec<u8>>) -> Result<Self, BadRemotePath> {
        let path = RemotePath(path.into());
        let refuse = |rule| BadRemotePath { path: path.to_string(), rule };
        if path.0.is_empty() {
            return Err(refuse("is empty"));
        }
        if path.0.contains(&0) {
            return Err(refuse("has a NUL byte"));
        }
        if path.0.split(|byte| *byte == b'/').any(|segment| segment == b"..") {
            return Err(refuse("has a segment `..`"));
        }
        Ok(path)
    }

    /// An entry of this directory, by the name that the server gives it.
    ///
    /// # Errors
    /// The rule that the name breaks: it would lead elsewhere.
    pub fn entry(&self, name: &[u8]) -> Result<Self, &'static str> {
        match name {
            b"" => return Err("it is empty"),
            b"." | b".." => return Err("it stands for a directory"),
            name if name.contains(&b'/') => return Err("it has a `/` in it, which would lead out of its directory"),
            name if name.contains(&0) => return Err("it has a NUL byte in it"),
            _ => {}
        }
        let mut joined = self.0.clone();
        if !joined.ends_with(b"/") {
            joined.push(b'/');
        }
        joined.extend_from_slice(name);
        Ok(RemotePath(joined))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A path below this one. `below` may have several segments.
    pub fn join(&self, below: &[u8]) -> Result<Self, BadRemotePath> {
        let mut joined = self.0.clone();
        if !joined.ends_with(b"/") {
            joined.push(b'/');
        }
        joined.extend_from_slice(below);
        RemotePath::new(joined)
    }

    /// What follows the last `/`.
    pub fn name(&self) -> &[u8] {
        let start = self.0.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        &self.0[start..]
    }

    /// The directory that holds this path; `None` for a path without one.
    pub fn parent(&self) -> Option<RemotePath> {
        let slash = self.0.iter().rposition(|byte| *byte == b'/')?;
        if self.0.len() == 1 {
            return None;
        }
        Some(RemotePath(self.0[..slash.max(1)].to_vec()))
    }

    /// The rest of this path below a directory; `None` if it does not lie there.
    pub fn below(&self, directory: &RemotePath) -> Option<&[u8]> {
        let rest = self.0.strip_prefix(directory.0.as_slice())?;
        let rest = if directory.0.ends_with(b"/") { rest } else { rest.strip_prefix(b"/")? };
        (!rest.is_empty()).then_some(rest)
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&self.0).fmt(f)
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() {
                    write!(f, "{}", character.escape_default())?
                } else {
                    write!(f, "{character}")?
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: &[u8]) -> RemotePath {
        RemotePath::new(bytes).unwrap()
    }

    #[test]
    fn a_path_never_climbs() {
        for bad in [b"/out/../etc".as_slice(), b"..", b"/..", b"", b"/a\0b"] {
            assert!(RemotePath::new(bad).is_err(), "{bad:?}");
        }
        assert!(path(b"/out").join(b"../etc").is_err());
        assert_eq!(path(b"/out/...").name(), b"...");
    }

    #[test]
    fn a_name_that_a_server_lists_never_leads_out_of_its_directory() {
        for bad in [b"../evil".as_slice(), b"..", b".", b"", b"a/b", b"/etc/passwd", b"a\0b"] {
            assert!(path(b"/out").entry(bad).is_err(), "{bad:?}");
        }
        for good in [b"...".as_slice(), b"..a", b" ", b"a\\b", b"a\nb", b"\xff", b"~", b"C:"] {
            assert_eq!(path(b"/out").entry(good).unwrap().name(), good);
        }
    }

    #[test]
    fn a_path_knows_its_parts() {
        assert_eq!(path(b"/").join(b"a.csv").unwrap(), path(b"/a.csv"));
        assert_eq!(path(b"/out").join(b"a.csv").unwrap(), path(b"/out/a.csv"));
        assert_eq!(path(b"/out/a.csv").parent(), Some(path(b"/out")));
        assert_eq!(path(b"/a.csv").parent(), Some(path(b"/")));
        assert_eq!(path(b"/").parent(), None);
        assert_eq!(path(b"/out/sub/a.csv").below(&path(b"/out")), Some(b"sub/a.csv".as_slice()));
        assert_eq!(path(b"/outer/a.csv").below(&path(b"/out")), None);
        assert_eq!(path(b"/a.csv").below(&path(b"/")), Some(b"a.csv".as_slice()));
    }

    #[test]
    fn what_cannot_be_printed_is_escaped() {
        assert_eq!(path(b"/\xffx/\xc3\xbc\n\x1b").to_string(), "/\\xffx/ü\\n\\u{1b}");
    }
}
