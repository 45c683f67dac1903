//! Places at which a test has the handler killed, as a power cut would: between two steps, without a word.
//!
//! They are in builds with feature `dev`; in the lean build every call is empty.

#[cfg(feature = "dev")]
mod armed {
    use std::fs::OpenOptions;
    use std::path::PathBuf;
    use std::process::Command;
    use std::sync::OnceLock;

    struct Fault {
        point: String,
        /// Made when the fault strikes: it strikes once.
        marker: PathBuf,
    }

    static FAULT: OnceLock<Fault> = OnceLock::new();

    /// Takes `<point>=<marker file>`.
    pub fn arm(plan: &str) {
        let Some((point, marker)) = plan.split_once('=') else { return };
        let _ = FAULT.set(Fault { point: point.to_owned(), marker: marker.into() });
    }

    /// Ends the process here with SIGKILL, if a test said so and it did not happen yet.
    pub fn point(name: &str) {
        let Some(fault) = FAULT.get().filter(|fault| fault.point == name) else { return };
        if OpenOptions::new().write(true).create_new(true).open(&fault.marker).is_err() {
            return;
        }
        let _ = Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status();
        std::process::abort();
    }
}

#[cfg(feature = "dev")]
pub use armed::{arm, point};

#[cfg(not(feature = "dev"))]
pub fn arm(_: &str) {}

#[cfg(not(feature = "dev"))]
#[inline(always)]
pub fn point(_: &str) {}
