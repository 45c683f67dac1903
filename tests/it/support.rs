//! What scenarios share: a folder of their own, the program, and waiting with a bound.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take on a busy machine before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with an inbox and a workspace, in which `millrace dev` runs.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Place { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(place.inbox().join("flights")).unwrap();
        place
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn inbox(&self) -> PathBuf {
        self.path().join("inbox")
    }

    pub fn workspace(&self) -> PathBuf {
        self.path().join("workspace")
    }

    /// Puts a file into the inbox as a partner's upload ends: all at once, under its name.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.inbox().join(name);
        let part = path.with_extension("part");
        std::fs::write(&part, bytes).unwrap();
        std::fs::rename(part, path).unwrap();
    }

    /// `millrace <command>` on this place's inbox and workspace.
    pub fn dev(&self) -> Command {
        let mut command = millrace();
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command
            .arg("dev")
            .arg("--inbox")
            .arg(self.inbox())
            .arg("--workspace")
            .arg(self.workspace())
            .args(["--port", "0"]);
        command
    }

    /// Any other command on this place's workspace.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = millrace();
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(arguments).arg("--workspace").arg(self.workspace()).output().unwrap()
    }

    /// `millrace dev --once --json` to its end, and what it printed.
    #[track_caller]
    pub fn once(&self) -> Value {
        let output = self.dev().args(["--once", "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
    }
}

/// The program under test, without settings of whoever runs the tests.
pub fn millrace() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    let ends = ["LandingStorage", "StagingShare", "EventHubConnection", "Warehouse"];
    let others = ["PullSchedule", "MILLRACE_PIPELINE", "IDENTITY_ENDPOINT", "AZURE_CLIENT_ID"];
    for name in ends.into_iter().chain(others) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits until `look` finds something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A process that ends with its test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
