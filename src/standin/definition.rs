//! What is to be run: host.json and the function.json files, read as the Functions host reads them. Every fault names
//! its file, its member and what to write instead. Members that the stand-in does not act on are passed over, as the
//! real host's schemas are open too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use serde_json::Value;
use thiserror::Error;

use super::retry::RetryPolicy;

mod bindings;
mod custom_handler;
mod document;
mod extensions;
mod overrides;
#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;

pub use bindings::{BlobContent, Cardinality, DataType, Output, OutputKind, Trigger};
pub use custom_handler::{CustomHandler, HttpMode};
pub use extensions::{EventHubOptions, InitialOffset, MessageEncoding, QueueOptions};

use document::Document;
pub(super) use document::parse_span;

/// The setting that names the time zone of cron expressions.
const TIME_ZONE: &str = "WEBSITE_TIME_ZONE";

#[derive(Debug, Error)]
pub enum DefinitionError {
    #[error("`{}` cannot be read: give the app's folder, which holds host.json", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` is not JSON", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("`{}`: {fault}", path.display())]
    Fault { path: PathBuf, fault: String },
    #[error("no function found in `{}` that is not disabled: each is a folder with a function.json, here or below functions/", root.display())]
    Empty { root: PathBuf },
    #[error("setting `{TIME_ZONE}` is `{zone}`: write a name of the time zone database, such as Europe/Berlin")]
    TimeZone { zone: String },
}

/// Values for `%NAME%`.
pub type Settings = BTreeMap<String, String>;

#[derive(Clone, Debug)]
pub struct App {
    pub root: PathBuf,
    /// `None`: no limit (`-1` in host.json).
    pub function_timeout: Option<Duration>,
    pub handler: CustomHandler,
    pub route_prefix: String,
    pub event_hubs: EventHubOptions,
    pub queues: QueueOptions,
    pub max_blobs_at_once: usize,
    pub poison_blob_threshold: u32,
    pub functions: Vec<Function>,
    /// What the real host would log about the app when it starts.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Function {
    pub name: String,
    /// The trigger's binding name: its key in `Data`.
    pub binding: String,
    pub trigger: Trigger,
    pub outputs: Vec<Output>,
    /// Only where the trigger obeys one.
    pub retry: Option<RetryPolicy>,
}

impl Function {
    /// Only such a function can get its requests as they came (`FunctionMetadataExtensions.IsHttpInAndOutFunction`).
    pub fn is_http_in_and_out(&self) -> bool {
        let is_called_over_http = matches!(self.trigger, Trigger::Http { .. });
        is_called_over_http && matches!(&self.outputs[..], [Output { kind: OutputKind::Http, .. }])
    }
}

/// A function.json that counts in place of the one in the folder of that name.
pub type InPlaceOf = (String, Value);

impl App {
    /// Reads `<root>/host.json` and the function.json files that are in direct children of `root` or of
    /// `root/functions`.
    pub fn read(root: &Path, settings: &Settings) -> Result<App, DefinitionError> {
        App::read_with(root, settings, &[])
    }

    /// The same, with other documents for some functions.
    pub fn read_with(root: &Path, settings: &Settings, in_place: &[InPlaceOf]) -> Result<App, DefinitionError> {
        let path = root.join("host.json");
        let mut json = read_json(&path)?;
        overrides::apply(&mut json, settings);
        let host = Document { json, path, settings, zone: time_zone(settings)? };
        let default_retry = host.retry()?;
        let allowed = host.json["functions"].as_array();
        let mut functions = Vec::new();
        let mut warnings = Vec::new();
        for path in function_files(root)? {
            let name = function_name(&path);
            if allowed.is_some_and(|allowed| !allowed.iter().any(|entry| *entry == *name)) {
                continue;
            }
            let json = match in_place.iter().find(|(function, _)| *function == name) {
                Some((_, document)) => document.clone(),
                None => read_json(&path)?,
            };
            if is_disabled(&name, &json, settings) {
                warnings.push(format!("function '{name}' is disabled"));
                continue;
            }
            let document = Document { json, path, settings, zone: host.zone };
            functions.push(document.function(&name, default_retry.as_ref(), &mut warnings)?);
        }
        if functions.is_empty() {
            return Err(DefinitionError::Empty { root: root.to_owned() });
        }
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(App {
            function_timeout: host.timeout()?,
            handler: host.custom_handler(root, &mut warnings)?,
            route_prefix: host.at("extensions.http.routePrefix").as_str().unwrap_or("api").trim_matches('/').to_owned(),
            event_hubs: host.event_hubs()?,
            queues: host.queues()?,
            max_blobs_at_once: host.number("extensions.blobs.maxDegreeOfParallelism", default_blobs_at_once())?
                as usize,
            poison_blob_threshold: host.number("extensions.blobs.poisonBlobThreshold", 5)?,
            root: root.to_owned(),
            functions,
            warnings,
        })
    }
}

/// By the app setting `AzureWebJobs.<function>.Disabled`, or by the older member of function.json, which may name a setting
/// (<https://learn.microsoft.com/azure/azure-functions/disable-function>).
fn is_disabled(function: &str, json: &Value, settings: &Settings) -> bool {
    let says_so = |setting: &str| {
        let value = settings.get(setting);
        value.is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    };
    says_so(&format!("AzureWebJobs.{function}.Disabled"))
        || json["disabled"].as_bool().unwrap_or_else(|| json["disabled"].as_str().is_some_and(says_so))
}

/// `8 x cores`, as in `BlobsOptions.cs` of azure-sdk-for-net.
fn default_blobs_at_once() -> u32 {
    8 * std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
}

/// Azure's clocks stand at UTC unless the setting says otherwise. `func start` takes the machine's zone, which a
/// stand-in for Azure does not.
fn time_zone(settings: &Settings) -> Result<Tz, DefinitionError> {
    match settings.get(TIME_ZONE) {
        None => Ok(Tz::UTC),
        // [?] Windows plans take Windows' names here, which this does not know.
        Some(zone) => zone.parse().map_err(|_| DefinitionError::TimeZone { zone: zone.clone() }),
    }
}

/// Everything whose change restarts the script host: host.json and each function.json, in no order.
pub(super) fn watched_files(root: &Path) -> Result<Vec<PathBuf>, DefinitionError> {
    let mut files = function_files(root)?;
    files.push(root.join("host.json"));
    Ok(files)
}

fn function_files(root: &Path) -> Result<Vec<PathBuf>, DefinitionError> {
    let mut found = Vec::new();
    for folder in [root.to_owned(), root.join("functions")] {
        let listed = match fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => return Err(DefinitionError::Read { path: folder, source }),
        };
        for child in listed {
            let child = child.map_err(|source| DefinitionError::Read { path: folder.clone(), source })?;
            let path = child.path().join("function.json");
            if path.is_file() {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn function_name(path: &Path) -> String {
    path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
}

fn read_json(path: &Path) -> Result<Value, DefinitionError> {
    let text = fs::read(path).map_err(|source| DefinitionError::Read { path: path.to_owned(), source })?;
    let without_mark = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    serde_json::from_slice(without_mark).map_err(|source| DefinitionError::Json { path: path.to_owned(), source })
}
