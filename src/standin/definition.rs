//! What is to be run: host.json and the function.json files, read as the Functions host reads them. Every fault names
//! its file, its member and what to write instead. Members that the stand-in does not act on are passed over, as the
//! real host's schemas are open too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use super::retry::RetryPolicy;
use super::schedule::Schedule;

#[derive(Debug, Error)]
pub enum DefinitionError {
    #[error("`{}` cannot be read: give the app's folder, which holds host.json", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` is not JSON", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("`{}`: {fault}", path.display())]
    Fault { path: PathBuf, fault: String },
    #[error("no function found in `{}`: each function is a folder with a function.json, here or below functions/", root.display())]
    Empty { root: PathBuf },
}

/// Values for `%NAME%`.
pub type Settings = BTreeMap<String, String>;

#[derive(Clone, Debug)]
pub struct App {
    pub root: PathBuf,
    /// `None`: no limit (`-1` in host.json).
    pub function_timeout: Option<Duration>,
    pub initialization_timeout: Duration,
    pub stderr_is_for_errors_only: bool,
    pub route_prefix: String,
    pub max_event_batch_size: usize,
    pub max_blobs_at_once: usize,
    pub poison_blob_threshold: u32,
    pub functions: Vec<Function>,
}

#[derive(Clone, Debug)]
pub struct Function {
    pub name: String,
    /// The trigger's binding name: its key in `Data`.
    pub binding: String,
    pub trigger: Trigger,
    pub retry: Option<RetryPolicy>,
}

#[derive(Clone, Debug)]
pub enum Trigger {
    Timer {
        schedule: Schedule,
        use_monitor: bool,
        run_on_startup: bool,
    },
    /// `path: "landing/{name}"`.
    Blob {
        container: String,
        token: String,
    },
    EventHub {
        hub: String,
        consumer_group: String,
    },
    /// An empty list of methods stands for all.
    Http {
        route: String,
        methods: Vec<String>,
    },
}

impl App {
    /// Reads `<root>/host.json` and the function.json files that are in direct children of `root` or of
    /// `root/functions`.
    pub fn read(root: &Path, settings: &Settings) -> Result<App, DefinitionError> {
        let path = root.join("host.json");
        let host = Document { json: read_json(&path)?, path, settings };
        let forwards_http = host.json["customHandler"]["enableForwardingHttpRequest"] == true;
        let default_retry = host.retry()?;
        let mut functions = Vec::new();
        for path in function_files(root)? {
            let document = Document { json: read_json(&path)?, path, settings };
            let function = document.function(default_retry.clone())?;
            if matches!(function.trigger, Trigger::Http { .. }) && !forwards_http {
                return Err(host.fault(format!(
                    "function `{}` is called over HTTP: set customHandler.enableForwardingHttpRequest to true, \
                     the stand-in knows no other way",
                    function.name
                )));
            }
            functions.push(function);
        }
        if functions.is_empty() {
            return Err(DefinitionError::Empty { root: root.to_owned() });
        }
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        let extensions = &host.json["extensions"];
        Ok(App {
            function_timeout: host.timeout()?,
            initialization_timeout: host.initialization_timeout()?,
            stderr_is_for_errors_only: host.json["customHandler"]["description"]["useStdErrorStreamForErrorsOnly"]
                != false,
            route_prefix: extensions["http"]["routePrefix"].as_str().unwrap_or("api").trim_matches('/').to_owned(),
            max_event_batch_size: host.number("extensions.eventHubs.maxEventBatchSize", 100)? as usize,
            max_blobs_at_once: host.number("extensions.blobs.maxDegreeOfParallelism", default_blobs_at_once())?
                as usize,
            poison_blob_threshold: host.number("extensions.blobs.poisonBlobThreshold", 5)?,
            root: root.to_owned(),
            functions,
        })
    }
}

/// `8 x cores`, as in `BlobsOptions.cs` of azure-sdk-for-net.
fn default_blobs_at_once() -> u32 {
    8 * std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
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

fn read_json(path: &Path) -> Result<Value, DefinitionError> {
    let text = fs::read(path).map_err(|source| DefinitionError::Read { path: path.to_owned(), source })?;
    let without_mark = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    serde_json::from_slice(without_mark).map_err(|source| DefinitionError::Json { path: path.to_owned(), source })
}

struct Document<'a> {
    path: PathBuf,
    json: Value,
    settings: &'a Settings,
}

impl Document<'_> {
    fn fault(&self, fault: impl Into<String>) -> DefinitionError {
        DefinitionError::Fault { path: self.path.clone(), fault: fault.into() }
    }

    fn number(&self, member: &str, otherwise: u32) -> Result<u32, DefinitionError> {
        let value = member.split('.').fold(&self.json, |value, name| &value[name]);
        if value.is_null() {
            return Ok(otherwise);
        }
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
        number.ok_or_else(|| self.fault(format!("{member} is {value}: it must be a whole number above 0")))
    }

    fn timeout(&self) -> Result<Option<Duration>, DefinitionError> {
        match self.json["functionTimeout"].as_str() {
            None => Ok(Some(Duration::from_secs(30 * 60))),
            Some("-1") => Ok(None),
            Some(text) => self.span("functionTimeout", text).map(Some),
        }
    }

    fn initialization_timeout(&self) -> Result<Duration, DefinitionError> {
        match self.json["customHandler"]["initializationTimeout"].as_str() {
            None => Ok(Duration::from_secs(30)),
            Some(text) => self.span("customHandler.initializationTimeout", text),
        }
    }

    fn span(&self, member: &str, text: &str) -> Result<Duration, DefinitionError> {
        parse_span(text).ok_or_else(|| self.fault(format!("{member} is `{text}`: write `hh:mm:ss` above zero")))
    }

    fn retry(&self) -> Result<Option<RetryPolicy>, DefinitionError> {
        match &self.json["retry"] {
            Value::Null => Ok(None),
            retry => RetryPolicy::read(retry).map(Some).map_err(|fault| self.fault(fault)),
        }
    }

    fn function(&self, default_retry: Option<RetryPolicy>) -> Result<Function, DefinitionError> {
        let folder = self.path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        if !is_function_name(&folder) {
            return Err(
                self.fault("the folder's name must be a letter and then letters, digits, `-` or `_`, and not `host`")
            );
        }
        let bindings = self.json["bindings"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_trigger = |binding: &&Value| binding["type"].as_str().is_some_and(|kind| kind.ends_with("Trigger"));
        let mut triggers = bindings.iter().filter(is_trigger);
        let (Some(trigger), None) = (triggers.next(), triggers.next()) else {
            return Err(self.fault("bindings must hold exactly one trigger"));
        };
        let own_retry = self.retry()?;
        Ok(Function {
            name: folder,
            binding: self.text(trigger, "name")?,
            trigger: self.trigger(trigger)?,
            retry: own_retry.or(default_retry),
        })
    }

    fn trigger(&self, binding: &Value) -> Result<Trigger, DefinitionError> {
        match binding["type"].as_str().unwrap_or_default() {
            "timerTrigger" => Ok(Trigger::Timer {
                schedule: self
                    .text(binding, "schedule")?
                    .parse()
                    .map_err(|e: super::schedule::BadSchedule| self.fault(e.to_string()))?,
                use_monitor: binding["useMonitor"] != false,
                run_on_startup: binding["runOnStartup"] == true,
            }),
            "blobTrigger" => self.blob_trigger(binding),
            "eventHubTrigger" => self.event_hub_trigger(binding),
            "httpTrigger" => self.http_trigger(binding),
            other => Err(self.fault(format!("trigger type `{other}` is not driven by the stand-in"))),
        }
    }

    fn blob_trigger(&self, binding: &Value) -> Result<Trigger, DefinitionError> {
        let defers = &binding["properties"]["supportsDeferredBinding"];
        if defers != true && defers.as_str() != Some("true") {
            return Err(self
                .fault("set properties.supportsDeferredBinding to true: the stand-in sends addresses, not contents"));
        }
        let path = self.text(binding, "path")?;
        let parts = path.split_once('/').and_then(|(container, rest)| {
            let token = rest.strip_prefix('{')?.strip_suffix('}')?;
            let is_plain = !container.is_empty() && !token.is_empty() && !token.contains(['{', '}']);
            is_plain.then(|| Trigger::Blob { container: container.to_owned(), token: token.to_owned() })
        });
        parts.ok_or_else(|| self.fault(format!("path is `{path}`: the stand-in knows `container/{{name}}` only")))
    }

    fn event_hub_trigger(&self, binding: &Value) -> Result<Trigger, DefinitionError> {
        if binding["cardinality"] != "many" || binding["dataType"] != "binary" {
            return Err(
                self.fault("set cardinality to `many` and dataType to `binary`: the stand-in sends nothing else")
            );
        }
        let consumer_group = match binding["consumerGroup"] {
            Value::Null => "$Default".to_owned(),
            _ => self.text(binding, "consumerGroup")?,
        };
        Ok(Trigger::EventHub { hub: self.text(binding, "eventHubName")?, consumer_group })
    }

    fn http_trigger(&self, binding: &Value) -> Result<Trigger, DefinitionError> {
        let route = self.text(binding, "route")?;
        if route.contains(['{', '}', '*']) {
            return Err(self.fault(format!("route is `{route}`: the stand-in knows routes without parameters only")));
        }
        let methods = binding["methods"].as_array().map(Vec::as_slice).unwrap_or_default();
        let methods = methods.iter().filter_map(Value::as_str).map(str::to_ascii_uppercase).collect();
        Ok(Trigger::Http { route: route.trim_matches('/').to_owned(), methods })
    }

    /// A text member with its `%NAME%`s resolved.
    fn text(&self, binding: &Value, member: &str) -> Result<String, DefinitionError> {
        let Some(text) = binding[member].as_str() else {
            return Err(self.fault(format!("the trigger's `{member}` must be a text")));
        };
        let mut resolved = String::new();
        for (position, part) in text.split('%').enumerate() {
            if position % 2 == 0 {
                resolved.push_str(part);
                continue;
            }
            let value = self.settings.get(part).ok_or_else(|| {
                self.fault(format!(
                    "`%{part}%` does not resolve to a value: set `{part}` in local.settings.json or the environment"
                ))
            })?;
            resolved.push_str(value);
        }
        Ok(resolved)
    }
}

/// `HostFunctionMetadataProvider` of azure-functions-host.
fn is_function_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && name.len() <= 128
        && !name.eq_ignore_ascii_case("host")
}

/// `hh:mm:ss` above zero.
pub(super) fn parse_span(text: &str) -> Option<Duration> {
    let parts: Vec<u64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else {
        return None;
    };
    let is_span = hours <= 23 && minutes <= 59 && seconds <= 59 && hours + minutes + seconds > 0;
    is_span.then(|| Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
