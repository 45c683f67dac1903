//! `millrace check --connect`: every end is tried, and says as whom it was reached, or what failed and what to do. Every test
//! runs the program, and holds it to what it prints.

mod azure;
mod embedded;
mod hubs;
mod sources;
mod sqlserver;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::support::{millrace, text};

/// An app with one feed, as `millrace init` makes it, on ends of its own folder.
struct App {
    directory: TempDir,
}

/// What a check printed, and how it ended.
struct Checked {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl App {
    /// `sections` are those of the feed: `[[feed.sftp]]`, `[feed.stream]`.
    fn new(sections: &str) -> App {
        let app = App { directory: tempfile::tempdir().unwrap() };
        let made = millrace().arg("init").arg(app.folder()).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        let pipeline = format!(
            "[[feed]]\nname = \"orders\"\nformat = \"csv\"\n[feed.columns]\nday = \"date\"\n{sections}\n[[summary]]\n\
             table = \"order_days\"\nfeed = \"orders\"\nsql = \"SELECT day, COUNT(*) AS orders FROM orders GROUP BY day\"\n"
        );
        fs::write(app.folder().join("pipeline.toml"), pipeline).unwrap();
        app.run(&["check", "--write-functions"], &[]);
        app
    }

    fn folder(&self) -> PathBuf {
        self.directory.path().join("app")
    }

    /// Where local.settings.json puts the ends.
    fn workspace(&self) -> PathBuf {
        self.folder().join(".millrace")
    }

    fn run(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
        let mut command = millrace();
        command.current_dir(self.folder()).args(arguments).envs(settings.iter().copied());
        tokio::task::block_in_place(|| command.output().unwrap())
    }

    #[track_caller]
    fn migrate(&self, settings: &[(&str, &str)]) {
        let migrated = self.run(&["migrate"], settings);
        assert!(migrated.status.success(), "{}", text(&migrated.stderr));
    }

    fn check(&self, settings: &[(&str, &str)]) -> Checked {
        let Output { status, stdout, stderr } = self.run(&["check", "--connect"], settings);
        Checked { code: status.code(), stdout: text(&stdout), stderr: text(&stderr) }
    }
}

impl Checked {
    /// The lines of the ends, in their order.
    fn lines(&self) -> Vec<&str> {
        self.stdout.lines().filter(|line| line.starts_with("reached  ") || line.starts_with("FAILED   ")).collect()
    }

    /// What was said of an end that was reached.
    #[track_caller]
    fn reached(&self, end: &str) -> &str {
        self.line(&format!("reached  {end}: "))
    }

    /// What was said of an end that failed.
    #[track_caller]
    fn failed(&self, end: &str) -> &str {
        assert_eq!(self.code, Some(1), "{}{}", self.stdout, self.stderr);
        self.line(&format!("FAILED   {end}: "))
    }

    #[track_caller]
    fn line(&self, begin: &str) -> &str {
        let found = self.lines().into_iter().find_map(|line| line.strip_prefix(begin));
        found.unwrap_or_else(|| panic!("no line begins with `{begin}`: {}{}", self.stdout, self.stderr))
    }

    /// No line says what opens the ends.
    #[track_caller]
    fn is_silent_about(&self, secret: &str) {
        assert!(!self.stdout.contains(secret) && !self.stderr.contains(secret), "{}{}", self.stdout, self.stderr);
    }
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}
