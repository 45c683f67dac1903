//! Which files of a server a source wants, by their names and times alone. Pure: asks neither the server nor a record.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use chrono::{DateTime, SecondsFormat, Utc};
use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use super::error::PullError;
use crate::pipeline::{After, Folders, SftpSource};
use crate::stations::sftp::{RemoteFile, RemotePath};

/// Names that this program gives to files at their source. A pull never takes them for the partner's.
pub(super) const PRIVATE_PREFIX: &str = ".millrace-";

/// Folders in folders. No partner's tree is deeper, a circle made by a server's own links is, and a blob's name, which
/// has a segment for each, stays far below the 254 that Azure allows.
pub(super) const DEPTH_LIMIT: usize = 32;

/// Why something on a server is left there, whatever the records say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    NotIncluded,
    Excluded {
        glob: String,
    },
    Older {
        newer_than: DateTime<Utc>,
    },
    DoneMarker,
    /// It is being deleted or moved by a pull.
    Private,
    FoldersNotRead,
    Archive,
    TooDeep,
    Unlisted {
        reason: String,
    },
    Link,
    Special,
    BadName {
        rule: &'static str,
    },
}

impl LeftOut {
    /// For machines.
    pub fn code(&self) -> &'static str {
        match self {
            LeftOut::NotIncluded => "not_included",
            LeftOut::Excluded { .. } => "excluded",
            LeftOut::Older { .. } => "older",
            LeftOut::DoneMarker => "done_marker",
            LeftOut::Private => "being_finished",
            LeftOut::FoldersNotRead => "folder",
            LeftOut::Archive => "archive",
            LeftOut::TooDeep => "too_deep",
            LeftOut::Unlisted { .. } => "unlisted",
            LeftOut::Link => "link",
            LeftOut::Special => "special",
            LeftOut::BadName { .. } => "bad_name",
        }
    }

    /// Whether a pull must tell it: files may be missed that the feed wants.
    pub fn is_trouble(&self) -> bool {
        matches!(self, LeftOut::TooDeep | LeftOut::Unlisted { .. } | LeftOut::BadName { .. })
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeftOut::NotIncluded => f.write_str("no glob of `include` takes it"),
            LeftOut::Excluded { glob } => write!(f, "excluded by `{glob}`"),
            LeftOut::Older { newer_than } => {
                write!(f, "older than newer_than = {}", newer_than.to_rfc3339_opts(SecondsFormat::Secs, true))
            }
            LeftOut::DoneMarker => f.write_str("a done marker, which is never pulled itself"),
            LeftOut::Private => f.write_str("the private name of a landed file that is being deleted or moved"),
            LeftOut::FoldersNotRead => f.write_str("a folder, and `recursive` is false"),
            LeftOut::Archive => f.write_str("the folder that `after` moves files to"),
            LeftOut::TooDeep => {
                write!(f, "a folder below {DEPTH_LIMIT} others, which is not read; give it a source of its own")
            }
            LeftOut::Unlisted { reason } => write!(f, "the folder cannot be listed: {reason}"),
            LeftOut::Link => f.write_str("a symbolic link, which is not followed"),
            LeftOut::Special => f.write_str("neither a file nor a folder"),
            LeftOut::BadName { rule } => write!(f, "the server's name for it is refused: {rule}"),
        }
    }
}

pub(super) struct Wanted {
    include: Option<Globs>,
    exclude: Globs,
    /// Folders of which an `exclude` leaves out everything, such as `old` by `old/**`.
    closed: Globs,
    /// Where the `include` globs may find files; `None`: anywhere.
    ways: Option<Vec<Way>>,
    newer_than: Option<DateTime<Utc>>,
    done_marker: Option<String>,
    folders: Folders,
    archive: Option<RemotePath>,
}

impl Wanted {
    pub fn new(source: &SftpSource) -> Result<Self, PullError> {
        let is_closing = |glob: &&String| glob.strip_suffix("/**").is_some_and(|folder| !folder.is_empty());
        let closed = source.exclude.iter().filter(is_closing).map(|glob| (glob.trim_end_matches("/**"), glob.as_str()));
        let own = |glob: &'_ String| (glob.clone(), glob.clone());
        let include: Vec<(String, String)> = source.include.iter().map(own).collect();
        let archive = match &source.after {
            After::Move(archive) => Some(RemotePath::new(archive.as_str())?),
            After::Keep | After::Delete => None,
        };
        Ok(Wanted {
            ways: if source.include.is_empty() {
                None
            } else {
                source.include.iter().map(|glob| Way::of(glob)).collect()
            },
            include: if include.is_empty() { None } else { Some(Globs::new(include)?) },
            exclude: Globs::new(source.exclude.iter().map(own))?,
            closed: Globs::new(closed.map(|(folder, glob)| (folder.to_owned(), glob.to_owned())))?,
            newer_than: source.newer_than,
            done_marker: source.done_marker.clone(),
            folders: source.folders,
            archive,
        })
    }

    /// `below` is the file's path below the url's directory.
    pub fn takes(&self, below: &[u8], file: &RemoteFile) -> Result<(), LeftOut> {
        if file.path.name().starts_with(PRIVATE_PREFIX.as_bytes()) {
            return Err(LeftOut::Private);
        }
        if self.marked_name(below).is_some() {
            return Err(LeftOut::DoneMarker);
        }
        if let Some(glob) = self.exclude.first_match(below) {
            return Err(LeftOut::Excluded { glob: glob.to_owned() });
        }
        if self.include.as_ref().is_some_and(|globs| globs.first_match(below).is_none()) {
            return Err(LeftOut::NotIncluded);
        }
        match self.newer_than {
            Some(newer_than) if file.modified < newer_than => Err(LeftOut::Older { newer_than }),
            _ => Ok(()),
        }
    }

    /// Whether a folder at `depth` (1: directly in the url's directory) is read.
    pub fn enters(&self, below: &[u8], folder: &RemotePath, depth: usize) -> Result<(), LeftOut> {
        if self.folders == Folders::Left {
            return Err(LeftOut::FoldersNotRead);
        }
        if self.archive.as_ref() == Some(folder) {
            return Err(LeftOut::Archive);
        }
        if let Some(glob) = self.closed.first_match(below) {
            return Err(LeftOut::Excluded { glob: glob.to_owned() });
        }
        if self.ways.as_ref().is_some_and(|ways| !ways.iter().any(|way| way.may_lead_through(below))) {
            return Err(LeftOut::NotIncluded);
        }
        if depth > DEPTH_LIMIT { Err(LeftOut::TooDeep) } else { Ok(()) }
    }

    pub fn asks_for_markers(&self) -> bool {
        self.done_marker.is_some()
    }

    /// The path of the file that a marker stands for; `None`: it is no marker.
    pub fn marked_name<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        name.strip_suffix(self.done_marker.as_ref()?.as_bytes())
    }
}

/// The folders that a glob's files may lie in, so that a tree of all years is not listed for the sake of one.
struct Way {
    /// Of the folders, from the top.
    segments: Vec<GlobMatcher>,
    end: WayEnd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WayEnd {
    /// `2026/*.csv`
    InLastFolder,
    /// `2026/**/*.csv`
    AnywhereBelow,
}

impl Way {
    /// `None`: the glob's folders cannot be told from its text.
    fn of(glob: &str) -> Option<Way> {
        // An alternative may hold a `/`.
        if glob.contains(['{', '[', '\\']) {
            return None;
        }
        let folders: Vec<&str> = glob.split('/').collect();
        let folders = &folders[..folders.len() - 1];
        let before_any = folders.iter().position(|segment| segment.contains("**"));
        let end = match before_any {
            None if glob.ends_with("**") => WayEnd::AnywhereBelow,
            None => WayEnd::InLastFolder,
            Some(_) => WayEnd::AnywhereBelow,
        };
        let matcher = |segment: &&str| GlobBuilder::new(segment).literal_separator(true).build().ok();
        let segments = folders[..before_any.unwrap_or(folders.len())].iter();
        let segments: Option<Vec<GlobMatcher>> =
            segments.map(|segment| matcher(segment).map(|glob| glob.compile_matcher())).collect();
        Some(Way { segments: segments?, end })
    }

    fn may_lead_through(&self, folder: &[u8]) -> bool {
        let names = folder.split(|byte| *byte == b'/');
        let is_deeper = names.clone().count() > self.segments.len();
        let agrees = names.zip(&self.segments).all(|(name, segment)| segment.is_match(OsStr::from_bytes(name)));
        agrees && (!is_deeper || self.end == WayEnd::AnywhereBelow)
    }
}

struct Globs {
    set: GlobSet,
    /// As pipeline.toml writes them, in the order of the set.
    written: Vec<String>,
}

impl Globs {
    /// Each with the text that it comes from.
    fn new(globs: impl IntoIterator<Item = (String, String)>) -> Result<Self, PullError> {
        let mut set = GlobSetBuilder::new();
        let mut texts = Vec::new();
        for (glob, written) in globs {
            let failure = |source| PullError::Glob { glob: written.clone(), source };
            set.add(GlobBuilder::new(&glob).literal_separator(true).build().map_err(failure)?);
            texts.push(written);
        }
        let set = set.build().map_err(|source| PullError::Glob { glob: texts.join("`, `"), source })?;
        Ok(Globs { set, written: texts })
    }

    fn first_match(&self, below: &[u8]) -> Option<&str> {
        let first = self.set.matches(OsStr::from_bytes(below)).into_iter().min()?;
        Some(&self.written[first])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::place::source;
    use super::*;

    fn wanted(change: impl FnOnce(&mut SftpSource)) -> Wanted {
        let mut source = source(After::Keep).source;
        (source.include, source.exclude) = (vec![], vec![]);
        change(&mut source);
        Wanted::new(&source).unwrap()
    }

    fn takes(wanted: &Wanted, below: &[u8]) -> Result<(), LeftOut> {
        let path = RemotePath::new([b"/out/", below].concat()).unwrap();
        let modified = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        wanted.takes(below, &RemoteFile { path, size_bytes: 1, modified })
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_do_not() {
        let top = wanted(|source| source.include = vec!["*.csv".into()]);
        let all = wanted(|source| source.include = vec!["**/*.csv".into()]);
        let below = wanted(|source| source.include = vec!["2026/**".into()]);
        for (path, in_top, in_all, in_below) in [
            (b"a.csv".as_slice(), true, true, false),
            (b"2026/a.csv", false, true, true),
            (b"2026/01/a.csv", false, true, true),
            (b"a b\n\xff.csv", true, true, false),
            (b".csv", true, true, false),
            (b"a.CSV", false, false, false),
        ] {
            let found = [&top, &all, &below].map(|wanted| takes(wanted, path).is_ok());
            assert_eq!(found, [in_top, in_all, in_below], "{}", String::from_utf8_lossy(path));
        }
    }

    #[test]
    fn what_leaves_a_file_out_is_named() {
        let newer_than = DateTime::from_timestamp(1_700_000_001, 0).unwrap();
        let wanted = wanted(|source| {
            source.include = vec!["**/*.csv".into()];
            source.exclude = vec!["**/*.part".into(), "old/**".into(), "**/x*".into()];
            source.newer_than = Some(newer_than);
            source.done_marker = Some(".done".into());
        });
        let excluded = |glob: &str| Err(LeftOut::Excluded { glob: glob.to_owned() });
        for (path, expected) in [
            (b"a.csv".as_slice(), Err(LeftOut::Older { newer_than })),
            (b"a.txt", Err(LeftOut::NotIncluded)),
            (b"b/a.csv.part", excluded("**/*.part")),
            (b"old/1/a.csv", excluded("old/**")),
            (b"b/x.csv", excluded("**/x*")),
            (b"a.csv.done", Err(LeftOut::DoneMarker)),
            (b".done", Err(LeftOut::DoneMarker)),
            (b"b/.millrace-0123", Err(LeftOut::Private)),
        ] {
            assert_eq!(takes(&wanted, path), expected, "{}", String::from_utf8_lossy(path));
        }
    }

    #[test]
    fn a_file_of_the_very_moment_is_new_enough() {
        let moment = DateTime::from_timestamp(1_700_000_000, 0);
        assert_eq!(takes(&wanted(|source| source.newer_than = moment), b"a.csv"), Ok(()));
    }

    #[test]
    fn folders_are_entered_where_the_feed_may_have_files() {
        let enters = |wanted: &Wanted, below: &str, depth| {
            wanted.enters(below.as_bytes(), &RemotePath::new(format!("/out/{below}")).unwrap(), depth)
        };
        assert_eq!(enters(&wanted(|_| {}), "2026", 1), Err(LeftOut::FoldersNotRead));
        let recursive = wanted(|source| {
            source.folders = Folders::Read;
            source.exclude = vec!["**/old/**".into(), "tmp-*/**".into(), "2026/*.csv".into()];
            source.after = After::Move("/out/archive".into());
        });
        for (below, depth, expected) in [
            ("2026", 1, None),
            ("2026/old", 2, Some("excluded")),
            ("old", 1, Some("excluded")),
            ("older", 1, None),
            ("tmp-1", 1, Some("excluded")),
            ("archive", 1, Some("archive")),
            ("2026/archive", 2, None),
            ("deep", DEPTH_LIMIT, None),
            ("deeper", DEPTH_LIMIT + 1, Some("too_deep")),
        ] {
            assert_eq!(enters(&recursive, below, depth).err().map(|left| left.code()), expected, "{below}");
        }
    }

    #[test]
    fn folders_that_no_include_leads_into_are_not_entered() {
        for (include, entered, left) in [
            (&["2026/**/*.csv"][..], &["2026", "2026/01", "2026/01/02"][..], &["2025", "2025/01", "x/2026"][..]),
            (&["20*/*.csv"], &["2026", "20"], &["2026/01", "x"]),
            (&["2026/**"], &["2026", "2026/01"], &["2025"]),
            (&["*/in/*.csv", "top.csv"], &["acme", "acme/in"], &["acme/out", "acme/in/old"]),
            (&["**/*.csv"], &["x", "x/y"], &[]),
            (&["a/**/b/*.csv"], &["a", "a/x", "a/x/y", "a/b"], &["b"]),
            (&["{2025/*,2026/**}/*.csv"], &["2025/01", "2026", "2027"], &[]),
        ] {
            let wanted = wanted(|source| {
                source.folders = Folders::Read;
                source.include = include.iter().map(|glob| (*glob).to_owned()).collect();
            });
            let enters = |below: &str| {
                wanted.enters(below.as_bytes(), &RemotePath::new(format!("/out/{below}")).unwrap(), 1).is_ok()
            };
            assert!(entered.iter().all(|below| enters(below)), "{include:?}");
            assert!(!left.iter().any(|below| enters(below)), "{include:?}");
        }
    }
}
