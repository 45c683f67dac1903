//! `Warehouse`: the database with the summaries and the ledger.

use std::path::PathBuf;

use super::{Settings, SettingsError, WAREHOUSE};

impl Settings {
    pub(super) fn warehouse(&self) -> Result<PathBuf, SettingsError> {
        self.embedded_path(WAREHOUSE, "sqlite:")
    }
}
