//! The app as the Functions host sees it: host.json and one function.json for each function, from one pure function for
//! the repository's own files, `check` and `package`. Knows no disk: callers write what it returns.
//!
//! Only what has no useful default is written. Members are explained here, since JSON has no comments.

pub mod starter;

use std::time::Duration;

use serde_json::{Value, json};

use crate::names::FeedName;
use crate::pipeline::{Pipeline, StreamSource};
use crate::records::landed::FILES_HUB;

/// The folder of the functions' sources in the repository, below which each has its own.
pub const FUNCTIONS_FOLDER: &str = "functions";

/// What the name of a streamed feed's function begins with: `stream_events`.
pub const STREAM_PREFIX: &str = "stream_";

/// The binding through which every event hub trigger of ours brings its batch.
pub const EVENTS_BINDING: &str = "events";

/// host.json.
pub fn host_json() -> Value {
    json!({
        "version": "2.0",
        // The longest that every plan allows. A pull ends itself before it, and goes on at the next tick.
        "functionTimeout": "00:10:00",
        "customHandler": {
            "description": {
                // Exactly the program's name in the zip: publishing marks only this entry as executable.
                "defaultExecutablePath": "millrace",
                "arguments": ["serve"],
            },
            "enableForwardingHttpRequest": true,
        },
        "extensionBundle": {
            "id": "Microsoft.Azure.Functions.ExtensionBundle",
            "version": "[4.*, 5.0.0)",
        },
        "extensions": {
            // Files of one batch share a commit.
            "eventHubs": { "maxEventBatchSize": 100, "prefetchCount": 300 },
            // An announcement waits for the network and nothing else.
            "blobs": { "maxDegreeOfParallelism": 16, "poisonBlobThreshold": 5 },
        },
        "logging": {
            "logLevel": { "default": "Information" },
            "applicationInsights": {
                // Sampling would drop the lines that say where a file is.
                "samplingSettings": { "isEnabled": false },
            },
        },
    })
}

/// Each function's folder and function.json, by name: those that every app has, and one for each streamed feed.
pub fn function_jsons(pipeline: &Pipeline) -> Vec<(String, Value)> {
    let mut functions = usual_function_jsons();
    let streams = pipeline.feeds.iter().filter_map(|feed| Some((&feed.name, feed.stream.as_ref()?)));
    functions.extend(streams.map(|(feed, source)| (stream_function(feed), stream(source))));
    functions.sort_by(|(one, _), (other, _)| one.cmp(other));
    functions
}

/// The function that counts a streamed feed's events.
pub fn stream_function(feed: &FeedName) -> String {
    format!("{STREAM_PREFIX}{feed}")
}

/// Those that every app has, whatever it carries.
pub fn usual_function_jsons() -> Vec<(String, Value)> {
    vec![
        ("announce".to_owned(), announce()),
        ("load".to_owned(), load()),
        ("pull".to_owned(), timer("%PullSchedule%")),
        ("status".to_owned(), status()),
        ("sweep".to_owned(), timer("0 */5 * * * *")),
    ]
}

/// The queue into which an Event Grid subscription puts what lands, where blobs are announced by queue.
pub const ANNOUNCE_QUEUE: &str = "landed";

/// The binding through which `announce` gets a message from that queue.
pub const MESSAGE_BINDING: &str = "message";

/// `announce` by a queue instead of a blob trigger, for plans and containers that polling does not suit: its folder and
/// function.json. An Event Grid subscription sends each created blob of the landing container to [`ANNOUNCE_QUEUE`].
pub fn announce_by_queue() -> (String, Value) {
    let document = json!({
        "bindings": [{
            "type": "queueTrigger",
            "direction": "in",
            "name": MESSAGE_BINDING,
            "queueName": ANNOUNCE_QUEUE,
            "connection": "LandingStorage",
            // As text, the message's members would be merged into the metadata.
            "dataType": "binary",
        }],
    });
    ("announce".to_owned(), document)
}

/// `functionTimeout` of a host.json; `None` without a limit (`-1`). Absent, the host takes 30 minutes, or 5 on the
/// Consumption plan: then the shorter one is safe.
pub fn function_timeout(host: &Value) -> Result<Option<Duration>, String> {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let text = match &host["functionTimeout"] {
        Value::Null => return Ok(Some(minutes(5))),
        Value::String(text) => text,
        other => return Err(format!("host.json: functionTimeout is {other}, it must be text such as \"00:10:00\"")),
    };
    if text == "-1" {
        return Ok(None);
    }
    let parts: Option<Vec<u64>> = text.split(':').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some([hours, minutes, seconds]) => Ok(Some(Duration::from_secs(hours * 3600 + minutes * 60 + seconds))),
        _ => Err(format!("host.json: functionTimeout is `{text}`, it must be hh:mm:ss or -1")),
    }
}

/// A file as the repository keeps it: indented, with a line end.
pub fn as_file(document: &Value) -> String {
    format!("{document:#}\n")
}

fn timer(schedule: &str) -> Value {
    json!({
        "bindings": [{ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": schedule }],
    })
}

/// Deferred binding: the host sends a landed blob's address and not its content.
fn announce() -> Value {
    json!({
        "bindings": [{
            "type": "blobTrigger",
            "direction": "in",
            "name": "blob",
            "path": "landing/{name}",
            "connection": "LandingStorage",
            "dataType": "binary",
            "properties": { "supportsDeferredBinding": true },
        }],
    })
}

/// The retries outlast a serverless database that wakes up, which takes about a minute; what still fails then is left to
/// sweep, since a retry without end would hold up every other file of the partition.
fn load() -> Value {
    json!({
        "bindings": [event_hub_trigger(FILES_HUB, "$Default")],
        "retry": {
            "strategy": "exponentialBackoff",
            "maxRetryCount": 5,
            "minimumInterval": "00:00:05",
            "maximumInterval": "00:02:00",
        },
    })
}

/// Retried without end, since the host passes over what fails at last: while the database is away, the hub holds the events.
/// A partition waits for nobody but itself, so that a minute between tries is long enough.
fn stream(source: &StreamSource) -> Value {
    json!({
        "bindings": [event_hub_trigger(&source.hub, &source.consumer_group)],
        "retry": {
            "strategy": "exponentialBackoff",
            "maxRetryCount": -1,
            "minimumInterval": "00:00:02",
            "maximumInterval": "00:01:00",
        },
    })
}

/// Binary, since any other `dataType` damages events, or fails a whole batch for one that is no JSON. Many, since one
/// event an invocation would be a commit for each.
fn event_hub_trigger(hub: &str, consumer_group: &str) -> Value {
    json!({
        "type": "eventHubTrigger",
        "direction": "in",
        "name": EVENTS_BINDING,
        "eventHubName": hub,
        "connection": "EventHubConnection",
        "consumerGroup": consumer_group,
        "cardinality": "many",
        "dataType": "binary",
    })
}

fn status() -> Value {
    json!({
        "bindings": [
            {
                "type": "httpTrigger",
                "direction": "in",
                "name": "request",
                "authLevel": "function",
                "methods": ["get"],
                "route": "status",
            },
            { "type": "http", "direction": "out", "name": "response" },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    /// Of the repository's own pipeline.toml.
    fn own_functions() -> Vec<(String, Value)> {
        function_jsons(&Pipeline::parse("pipeline.toml", include_str!("../../pipeline.toml")).unwrap())
    }

    fn files() -> Vec<(PathBuf, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let function_files = own_functions().into_iter().map(|(folder, document)| {
            (root.join(FUNCTIONS_FOLDER).join(folder).join("function.json"), as_file(&document))
        });
        function_files.chain([(root.join("host.json"), as_file(&host_json()))]).collect()
    }

    #[test]
    fn the_repositorys_json_files_are_what_is_generated() {
        if std::env::var_os("MILLRACE_WRITE_APP").is_some() {
            for (path, text) in files() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
        }
        for (path, text) in files() {
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(
                kept,
                text,
                "{} differs: run `MILLRACE_WRITE_APP=1 cargo test --release --lib app::` and commit it",
                path.display()
            );
        }
    }

    #[test]
    fn no_folder_holds_a_function_that_is_not_generated() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FUNCTIONS_FOLDER);
        let mut kept: Vec<_> =
            folder.read_dir().unwrap().map(|child| child.unwrap().file_name().into_string().unwrap()).collect();
        kept.sort();
        assert_eq!(kept, own_functions().into_iter().map(|(folder, _)| folder).collect::<Vec<_>>());
    }

    #[cfg(feature = "dev")]
    #[test]
    fn the_stand_in_reads_the_repositorys_app() {
        let settings = crate::standin::Settings::from([("PullSchedule".to_owned(), "*/2 * * * * *".to_owned())]);
        let app = crate::standin::App::read(Path::new(env!("CARGO_MANIFEST_DIR")), &settings).unwrap();
        let names: Vec<&str> = app.functions.iter().map(|function| function.name.as_str()).collect();
        assert_eq!(names, ["announce", "load", "pull", "status", "stream_events", "sweep"]);
    }

    #[test]
    fn every_streamed_feed_has_a_function_of_its_own() {
        let text = "[[feed]]\nname = \"clicks\"\nformat = \"ndjson\"\n[feed.columns]\na = \"int64\"\n\
                    [feed.stream]\nhub = \"web.clicks\"\nconsumer_group = \"counting\"\n\
                    [[feed]]\nname = \"orders\"\nformat = \"csv\"\n[feed.columns]\na = \"int64\"\n";
        let functions = function_jsons(&Pipeline::parse("pipeline.toml", text).unwrap());
        let names: Vec<&str> = functions.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["announce", "load", "pull", "status", "stream_clicks", "sweep"]);
        let stream = &functions[4].1;
        assert_eq!(stream["bindings"][0]["eventHubName"], "web.clicks");
        assert_eq!(stream["bindings"][0]["consumerGroup"], "counting");
        assert_eq!(stream["retry"]["maxRetryCount"], -1);
    }
}
