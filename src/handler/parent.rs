//! Ends the handler when its host is gone.
//!
//! The host kills its handler with SIGKILL when it stops; when the host itself is killed nobody does, and an orphan would
//! go on pulling files and hold its port. So the handler watches who its parent is.

use std::os::unix::process::parent_id;
use std::time::Duration;

/// Returns when the process that started this one has ended.
pub async fn gone() {
    let parent = parent_id();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        if parent_id() != parent {
            return;
        }
    }
}
