//! `StagingShare`: where pulled files wait for their landing.

use std::path::PathBuf;

use super::{STAGING_SHARE, Settings, SettingsError};

impl Settings {
    pub(super) fn share(&self) -> Result<PathBuf, SettingsError> {
        self.embedded_path(STAGING_SHARE, "file:")
    }
}
