//! Ends the handler when its host is gone.
//!
//! The host kills its handler with SIGKILL when it stops; when the host itself is killed nobody does, and an orphan would
//! go on pulling files and hold its port. So the handler watches who its parent is.

use std::os::unix::process::parent_id;
use std::time::Duration;

/// Returns when the process that started this one has ended. `host` is its id, where it told us: a host that was killed
/// before this looks for the first time would otherwise never be missed.
pub async fn gone(host: Option<u32>) {
    let parent = host.unwrap_or_else(parent_id);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        if parent_id() != parent {
            return;
        }
    }
}
