//! function.json: one trigger, outputs, a retry policy.

use serde_json::Value;

use super::document::Document;
use super::{DefinitionError, Function};
use crate::standin::retry::RetryPolicy;
use crate::standin::schedule::{BadSchedule, Schedule};

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
        content: BlobContent,
    },
    EventHub {
        hub: String,
        consumer_group: String,
        cardinality: Cardinality,
        data_type: DataType,
    },
    Queue {
        queue: String,
        data_type: DataType,
    },
    /// An empty list of methods stands for all.
    Http {
        route: String,
        methods: Vec<String>,
    },
}

/// What a blob trigger puts into `Data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobContent {
    /// A reference without its address: deferred binding.
    Deferred,
    /// The whole blob.
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    One,
    Many,
}

/// `dataType`. `stream` counts as missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    Binary,
    String,
    Missing,
}

#[derive(Clone, Debug)]
pub struct Output {
    pub name: String,
    pub kind: OutputKind,
    /// With `binary` nothing is decoded.
    pub data_type: DataType,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputKind {
    Http,
    EventHub { hub: String },
    Queue { queue: String },
}

impl Trigger {
    /// `timerTrigger`, `blobTrigger`, …
    pub fn type_name(&self) -> &'static str {
        match self {
            Trigger::Timer { .. } => "timerTrigger",
            Trigger::Blob { .. } => "blobTrigger",
            Trigger::EventHub { .. } => "eventHubTrigger",
            Trigger::Queue { .. } => "queueTrigger",
            Trigger::Http { .. } => "httpTrigger",
        }
    }

    /// The attribute `SupportsRetry`, which stands at these alone.
    fn supports_retry(&self) -> bool {
        matches!(self, Trigger::Timer { .. } | Trigger::EventHub { .. })
    }
}

impl Document<'_> {
    pub(super) fn function(
        &self,
        name: &str,
        default_retry: Option<&RetryPolicy>,
        warnings: &mut Vec<String>,
    ) -> Result<Function, DefinitionError> {
        if !is_function_name(name) {
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
        let mut outputs = Vec::new();
        for binding in bindings.iter().filter(|binding| !is_trigger(binding)) {
            if binding["direction"] != "out" {
                let kind = binding["type"].as_str().unwrap_or_default();
                return Err(self.fault(format!("the stand-in gives no inputs beside the trigger: remove the `{kind}`")));
            }
            outputs.push(self.output(binding)?);
        }
        let retry = self.retry()?.or_else(|| default_retry.cloned());
        let trigger_name = self.text(trigger, "name")?;
        let trigger = self.trigger(name, trigger)?;
        if retry.is_some() && !trigger.supports_retry() {
            // `FunctionIndexer.CheckRetrySupport`, in its words.
            // [?] The version that was read still applied the policy after this warning; the documentation says that none
            // is applied, and a handler that leans on it would be wrong with the next version.
            warnings.push(format!(
                "Soon retries will not be supported for function '{name}'. For more information, please visit \
                 http://aka.ms/func-retry-policies."
            ));
        }
        Ok(Function {
            name: name.to_owned(),
            binding: trigger_name,
            retry: retry.filter(|_| trigger.supports_retry()),
            trigger,
            outputs,
        })
    }

    fn trigger(&self, function: &str, binding: &Value) -> Result<Trigger, DefinitionError> {
        match binding["type"].as_str().unwrap_or_default() {
            "timerTrigger" => {
                let schedule: Result<Schedule, BadSchedule> = self.text(binding, "schedule")?.parse();
                Ok(Trigger::Timer {
                    schedule: schedule.map_err(|fault| self.fault(fault.to_string()))?.in_zone(self.zone),
                    use_monitor: binding["useMonitor"] != false,
                    run_on_startup: binding["runOnStartup"] == true,
                })
            }
            "blobTrigger" => self.blob_trigger(binding),
            "eventHubTrigger" => self.event_hub_trigger(binding),
            "queueTrigger" => {
                let queue = self.text(binding, "queueName")?;
                Ok(Trigger::Queue { queue: self.queue_name(queue)?, data_type: data_type(binding) })
            }
            "httpTrigger" => self.http_trigger(function, binding),
            other => Err(self.fault(format!("trigger type `{other}` is not driven by the stand-in"))),
        }
    }

    fn blob_trigger(&self, binding: &Value) -> Result<Trigger, DefinitionError> {
        let path = self.text(binding, "path")?;
        let parts = path.split_once('/').and_then(|(container, rest)| {
            let token = rest.strip_prefix('{')?.strip_suffix('}')?;
            let is_plain = !container.is_empty() && !token.is_empty() && !token.contains(['{', '}']);
            is_plain.then(|| Trigger::Blob {
                container: container.to_owned(),
                token: token.to_owned(),
                content: blob_content(binding),
            })
        });
        parts.ok_or_else(|| self.fault(format!("path is `{path}`: the stand-in knows `container/{{name}}` only")))
    }

    fn event_hub_trigger(&self, binding: &Value) -> Result<Trigger, DefinitionError> {
        // Left out, the cardinality is one (`GeneralScriptBindingProvider.cs`).
        let cardinality = match binding["cardinality"].as_str().unwrap_or("one") {
            text if text.eq_ignore_ascii_case("one") => Cardinality::One,
            text if text.eq_ignore_ascii_case("many") => Cardinality::Many,
            text => return Err(self.fault(format!("cardinality is `{text}`: write one or many"))),
        };
        let consumer_group = match binding["consumerGroup"] {
            Value::Null => "$Default".to_owned(),
            _ => self.text(binding, "consumerGroup")?,
        };
        let hub = self.text(binding, "eventHubName")?;
        Ok(Trigger::EventHub { hub, consumer_group, cardinality, data_type: data_type(binding) })
    }

    fn http_trigger(&self, function: &str, binding: &Value) -> Result<Trigger, DefinitionError> {
        let route = match binding["route"] {
            Value::Null => function.to_owned(),
            _ => self.text(binding, "route")?,
        };
        if route.contains(['{', '}', '*']) {
            return Err(self.fault(format!("route is `{route}`: the stand-in knows routes without parameters only")));
        }
        let methods = binding["methods"].as_array().map(Vec::as_slice).unwrap_or_default();
        let methods = methods.iter().filter_map(Value::as_str).map(str::to_ascii_uppercase).collect();
        Ok(Trigger::Http { route: route.trim_matches('/').to_owned(), methods })
    }

    fn output(&self, binding: &Value) -> Result<Output, DefinitionError> {
        let kind = match binding["type"].as_str().unwrap_or_default() {
            "http" => OutputKind::Http,
            "eventHub" => OutputKind::EventHub { hub: self.text(binding, "eventHubName")? },
            "queue" => OutputKind::Queue { queue: self.queue_name(self.text(binding, "queueName")?)? },
            other => return Err(self.fault(format!("output type `{other}` is not delivered by the stand-in"))),
        };
        Ok(Output { name: self.text(binding, "name")?, kind, data_type: data_type(binding) })
    }

    fn queue_name(&self, name: String) -> Result<String, DefinitionError> {
        match crate::standin::storage_queue::is_queue_name(&name) {
            true => Ok(name),
            false => Err(self.fault(format!(
                "queueName is `{name}`: it must have 3 to 63 of a-z, 0-9 and single `-`, and begin and end with none"
            ))),
        }
    }
}

fn data_type(binding: &Value) -> DataType {
    match binding["dataType"].as_str() {
        Some(text) if text.eq_ignore_ascii_case("binary") => DataType::Binary,
        Some(text) if text.eq_ignore_ascii_case("string") => DataType::String,
        _ => DataType::Missing,
    }
}

/// `supportsDeferredBinding`, the key in any case, the value as a bool or text (`ScriptBindingContext.cs`).
/// [?] Nobody has seen a custom handler's blob trigger with it on a real host.
fn blob_content(binding: &Value) -> BlobContent {
    let properties = binding["properties"].as_object();
    let defers = properties.into_iter().flatten().any(|(name, value)| {
        name.eq_ignore_ascii_case("supportsDeferredBinding")
            && (*value == true || value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")))
    });
    if defers { BlobContent::Deferred } else { BlobContent::Bytes }
}

/// `HostFunctionMetadataProvider` of azure-functions-host.
fn is_function_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && name.len() <= 128
        && !name.eq_ignore_ascii_case("host")
}
