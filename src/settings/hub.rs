//! `EventHubConnection`: where landed files are announced.

use std::path::PathBuf;

use super::{EVENT_HUB_CONNECTION, Settings, SettingsError};

impl Settings {
    pub(super) fn hub(&self) -> Result<PathBuf, SettingsError> {
        self.embedded_path(EVENT_HUB_CONNECTION, "file:")
    }
}
