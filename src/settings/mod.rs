//! The only reader of the environment: where the ends are, and which secrets open them.
//!
//! App settings in Azure, `Values` of local.settings.json on a developer's machine, the environment everywhere (which wins),
//! and for commands the workspace that `millrace dev` left. Each end is parsed in a file of its own. (`azure_identity` below
//! [`crate::identity`] reads what the platform sets for it: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.)

mod connection;
mod connection_string;
mod hub;
mod share;
mod storage;
mod warehouse;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::pipeline::SecretReference;
use crate::secret::Secret;
use crate::stations::containers::StorageLocation;
use crate::stations::hub::HubLocation;
use crate::stations::share::ShareLocation;
use crate::stations::warehouse::location::WarehouseLocation;

/// The port on which the host expects the handler.
pub const HANDLER_PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";
/// The folder with host.json.
pub const APP_ROOT: &str = "FUNCTIONS_APP_ROOT_PATH";
/// Landing, curated, quarantine and millrace-state.
pub const LANDING_STORAGE: &str = "LandingStorage";
pub const STAGING_SHARE: &str = "StagingShare";
pub const EVENT_HUB_CONNECTION: &str = "EventHubConnection";
pub const WAREHOUSE: &str = "Warehouse";
/// When `pull` runs, as NCRONTAB with seconds.
pub const PULL_SCHEDULE: &str = "PullSchedule";
/// The path of pipeline.toml, if it is not beside host.json.
pub const PIPELINE: &str = "MILLRACE_PIPELINE";
/// `tracing`'s filter directives; default `info`, but for what the HTTP server says of itself.
pub const LOG: &str = "MILLRACE_LOG";
/// Set by `millrace dev`: the embedded server that stands in for every sftp source, as JSON ([`EmbeddedSftp`]).
pub const EMBEDDED_SFTP: &str = "MILLRACE_EMBEDDED_SFTP";

/// Set by the stand-in host: its process id. The real host does not say.
pub const HOST_PROCESS: &str = "MILLRACE_HOST_PROCESS";
/// Set by Azure: names the instance that the host runs on, whatever is restarted there.
pub const INSTANCE_ID: &str = "WEBSITE_INSTANCE_ID";
/// For tests: `<fault point>=<marker file>`; the handler is killed there, once for each marker file.
pub const FAULT_POINT: &str = "MILLRACE_FAULT_POINT";

/// For the message about a missing end.
const END: &str = "it says where an end of the pipeline is; local.settings.json.embedded has values that run \
                   on this machine, local.settings.json.azure those of Azure";

/// All settings by name.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

#[derive(Debug, Error)]
pub enum SettingsError {
    #[error("setting `{name}` is missing: {what}")]
    Missing { name: String, what: &'static str },
    #[error("setting `{name}` cannot be used: {problem}; {remedy}")]
    Unusable { name: String, problem: String, remedy: &'static str },
    #[error("{} cannot be read: {reason}", path.display())]
    File { path: PathBuf, reason: String },
}

/// Where the four ends are.
#[derive(Clone, Debug)]
pub struct Ends {
    pub storage: StorageLocation,
    pub share: ShareLocation,
    pub hub: HubLocation,
    pub warehouse: WarehouseLocation,
}

/// Where each of the four ends is, or what is wrong with its setting.
#[derive(Debug)]
pub struct EachEnd {
    pub storage: Result<StorageLocation, SettingsError>,
    pub share: Result<ShareLocation, SettingsError>,
    pub hub: Result<HubLocation, SettingsError>,
    pub warehouse: Result<WarehouseLocation, SettingsError>,
}

impl EachEnd {
    pub fn faults(&self) -> impl Iterator<Item = &SettingsError> {
        let faults = [
            self.storage.as_ref().err(),
            self.share.as_ref().err(),
            self.hub.as_ref().err(),
            self.warehouse.as_ref().err(),
        ];
        faults.into_iter().flatten()
    }
}

/// The server that `millrace dev` runs in place of the partners'.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EmbeddedSftp {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    /// `SHA256:…`
    pub host_key: String,
}

impl Settings {
    pub fn from_environment() -> Self {
        // Settings whose text is not Unicode are none that we know.
        let values =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Settings { values: values.collect() }
    }

    pub fn from_values(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Settings { values: values.into_iter().collect() }
    }

    /// For a command: the environment, then local.settings.json in `app`.
    pub fn for_command(app: &Path) -> Result<Self, SettingsError> {
        let mut settings = Settings::local(app)?;
        settings.values.extend(Settings::from_environment().values);
        Ok(settings)
    }

    /// `Values` of local.settings.json; none if the file is not there.
    pub fn local(app: &Path) -> Result<Self, SettingsError> {
        #[derive(Deserialize)]
        struct LocalSettings {
            #[serde(rename = "Values", default)]
            values: BTreeMap<String, String>,
        }
        let path = app.join("local.settings.json");
        let unreadable = |reason: String| SettingsError::File { path: path.clone(), reason };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::default()),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let local: LocalSettings = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        Ok(Settings { values: local.values })
    }

    /// Takes `values` where this has none of the name, nor a connection `name__…`.
    pub fn or(mut self, values: impl IntoIterator<Item = (String, String)>) -> Self {
        for (name, value) in values {
            if self.properties_of(&name).next().is_none() {
                self.values.entry(name).or_insert(value);
            }
        }
        self
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    fn required(&self, name: &str, what: &'static str) -> Result<&str, SettingsError> {
        self.get(name).ok_or_else(|| SettingsError::Missing { name: name.to_owned(), what })
    }

    /// The secret that pipeline.toml refers to as `env:NAME`. Private keys may come with `\n` for line ends.
    pub fn secret(&self, reference: &SecretReference) -> Result<Secret, SettingsError> {
        let name = &reference.setting;
        let value = self.required(name, "pipeline.toml refers to it; set it to the secret itself")?;
        resolved(name, value)?;
        Ok(Secret::new(value.replace("\\n", "\n")))
    }

    /// The four ends.
    pub fn ends(&self) -> Result<Ends, SettingsError> {
        let EachEnd { storage, share, hub, warehouse } = self.each_end();
        Ok(Ends { storage: storage?, share: share?, hub: hub?, warehouse: warehouse? })
    }

    /// The four ends, each with its own fault.
    pub fn each_end(&self) -> EachEnd {
        EachEnd { storage: self.storage(), share: self.share(), hub: self.hub(), warehouse: self.warehouse() }
    }

    /// The embedded server in place of all sftp sources, under `millrace dev`.
    pub fn embedded_sftp(&self) -> Result<Option<EmbeddedSftp>, SettingsError> {
        let Some(value) = self.get(EMBEDDED_SFTP) else { return Ok(None) };
        serde_json::from_str(value).map(Some).map_err(|error| SettingsError::Unusable {
            name: EMBEDDED_SFTP.to_owned(),
            problem: error.to_string(),
            remedy: "only `millrace dev` sets it; remove it",
        })
    }

    /// Where pipeline.toml is: as set, or beside host.json.
    pub fn pipeline_path(&self, app: &Path) -> PathBuf {
        self.get(PIPELINE).map_or_else(|| app.join("pipeline.toml"), PathBuf::from)
    }

    /// The app's folder as the host names it, or the current one.
    pub fn app_root(&self) -> PathBuf {
        self.get(APP_ROOT).map_or_else(|| PathBuf::from("."), PathBuf::from)
    }

    pub fn log_filter(&self) -> &str {
        self.get(LOG).unwrap_or("info,actix_server=warn,tiberius=off")
    }
}

/// Refuses a reference that the platform should have replaced by what it points to.
fn resolved(name: &str, value: &str) -> Result<(), SettingsError> {
    if !value.starts_with("@Microsoft.KeyVault(") {
        return Ok(());
    }
    Err(SettingsError::Unusable {
        name: name.to_owned(),
        problem: "it holds a Key Vault reference that the platform did not resolve".to_owned(),
        remedy: "give the app's identity the role Key Vault Secrets User on that vault, and check the reference's status \
                 in the portal",
    })
}

#[cfg(test)]
mod files_tests;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn settings(values: &[(&str, &str)]) -> Settings {
        Settings::from_values(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn reference(setting: &str) -> SecretReference {
        SecretReference { setting: setting.to_owned() }
    }

    #[test]
    fn a_key_with_written_line_ends_gets_real_ones() {
        let secret = settings(&[("KEY", "-----BEGIN\\nabc\\n")]).secret(&reference("KEY")).unwrap();
        assert_eq!(secret.reveal(), "-----BEGIN\nabc\n");
        assert_eq!(format!("{secret:?} {secret}"), "*** ***");
    }

    #[test]
    fn an_unresolved_key_vault_reference_is_named_as_such() {
        let error =
            settings(&[("KEY", "@Microsoft.KeyVault(SecretUri=https://v)")]).secret(&reference("KEY")).unwrap_err();
        assert!(error.to_string().contains("Key Vault Secrets User"), "{error}");
        let error = settings(&[("LandingStorage", "@Microsoft.KeyVault(SecretUri=https://v)")]).ends().unwrap_err();
        assert!(error.to_string().contains("Key Vault Secrets User"), "{error}");
    }

    #[test]
    fn a_missing_setting_says_what_it_is_for() {
        let error = settings(&[]).ends().unwrap_err();
        assert!(error.to_string().starts_with("setting `LandingStorage` is missing: it says where"), "{error}");
    }

    #[test]
    fn an_end_of_another_kind_is_refused_in_words() {
        let of_storage = "AccountName=acme;AccountKey=hidden";
        let values = [("LandingStorage", "file:x"), ("StagingShare", "file:y"), ("EventHubConnection", of_storage)];
        let error = settings(&values).ends().unwrap_err();
        assert!(error.to_string().contains("it has no `Endpoint`"), "{error}");
        assert!(!error.to_string().contains("hidden"), "a connection string is a secret: {error}");
    }

    #[test]
    fn a_workspace_gives_no_end_that_is_named_otherwise() {
        let named = settings(&[("LandingStorage__blobServiceUri", "https://acme.blob.core.windows.net")]);
        let both = named
            .or([(LANDING_STORAGE.to_owned(), "file:x".to_owned()), (WAREHOUSE.to_owned(), "sqlite:x".to_owned())]);
        assert_eq!((both.get(LANDING_STORAGE), both.get(WAREHOUSE)), (None, Some("sqlite:x")));
    }
}
