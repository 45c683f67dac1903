//! An app's folder on disk: whether its host.json and function.json files are what pipeline.toml asks for, and the functions
//! written anew where they are not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use crate::app;
use crate::pipeline::Pipeline;

/// What mends the functions of an app.
const REMEDY: &str = "run `millrace check --write-functions`";

/// Where host.json differs from what this program needs.
pub fn faults_of_host(folder: &Path) -> Option<String> {
    let host = folder.join("host.json");
    if !host.is_file() {
        return Some(format!("{}: there is no such file; give the app's folder with --app", host.display()));
    }
    read_json(&host).and_then(|host| app::function_timeout(&host)).err()
}

/// Where the functions differ from what the pipeline asks for: one that is missing, says something else, or is left over.
/// Without a pipeline only those are looked at that every app has.
pub fn faults_of_functions(folder: &Path, pipeline: Option<&Pipeline>) -> Vec<String> {
    let expected = pipeline.map_or_else(app::usual_function_jsons, app::function_jsons);
    let mut faults = Vec::new();
    for (function, document) in &expected {
        let path = function_json(folder, function);
        if !path.is_file() {
            faults.push(format!("{}; {REMEDY}", missing(function)));
            continue;
        }
        match read_json(&path) {
            Ok(found) => faults.extend(differences(function, &found, &in_chosen_form(function, document, &found))),
            Err(fault) => faults.push(format!("{fault}; {REMEDY}")),
        }
    }
    if pipeline.is_some() {
        faults.extend(left_over(folder, &expected).iter().map(|function| superfluous(function)));
    }
    faults
}

/// `announce` has two forms, and the app's is as good as the other.
fn in_chosen_form(function: &str, expected: &Value, found: &Value) -> Value {
    let (announce, by_queue) = app::announce_by_queue();
    let is_by_queue = function == announce && bindings(found).iter().any(|binding| binding["type"] == "queueTrigger");
    if is_by_queue { by_queue } else { expected.clone() }
}

fn missing(function: &str) -> String {
    match function.strip_prefix(app::STREAM_PREFIX) {
        Some(feed) => format!("{function}/function.json is missing: pipeline.toml streams feed `{feed}`"),
        None => format!("{function}/function.json is missing"),
    }
}

fn superfluous(function: &str) -> String {
    match function.strip_prefix(app::STREAM_PREFIX) {
        Some(feed) => format!("{function}/function.json: pipeline.toml streams no feed `{feed}`; {REMEDY}"),
        None => {
            format!("{function}/function.json: millrace has no function `{function}`; take its folder out of the app")
        }
    }
}

/// Bindings are what the handler depends on; schedules and retries are the user's to change.
fn differences(function: &str, found: &Value, expected: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for binding in bindings(expected) {
        let (name, kind) = (&binding["name"], &binding["type"]);
        let Some(present) = bindings(found).iter().find(|other| other["name"] == *name) else {
            faults.push(format!("{function}/function.json: binding {name} of type {kind} is missing; {REMEDY}"));
            continue;
        };
        for (key, value) in binding.as_object().into_iter().flatten() {
            if key != "schedule" && present[key] != *value {
                faults.push(format!(
                    "{function}/function.json: binding {name}: `{key}` is {}, it must be {value}; {REMEDY}",
                    present[key]
                ));
            }
        }
    }
    faults
}

fn bindings(document: &Value) -> &[Value] {
    document["bindings"].as_array().map_or(&[], Vec::as_slice)
}

/// Writes what [`faults_of_functions`] would complain of, and takes away the functions of streams that are no more. Says
/// what was done, a line for each.
pub fn write_functions(folder: &Path, pipeline: &Pipeline) -> anyhow::Result<Vec<String>> {
    let expected = app::function_jsons(pipeline);
    let mut done = Vec::new();
    for (function, document) in &expected {
        let path = function_json(folder, function);
        let found = read_json(&path).ok();
        let document = &found.as_ref().map_or(document.clone(), |found| in_chosen_form(function, document, found));
        if found.as_ref().is_some_and(|found| differences(function, found, document).is_empty()) {
            continue;
        }
        let document = with_the_users_own(document, found.as_ref());
        write(&path, &app::as_file(&document))?;
        done.push(format!("wrote {}", path.display()));
    }
    for function in left_over(folder, &expected).iter().filter(|name| name.starts_with(app::STREAM_PREFIX)) {
        let path = function_json(folder, function);
        fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
        if let Some(emptied) = path.parent() {
            // Somebody's notes may be in there, too.
            let _ = fs::remove_dir(emptied);
        }
        done.push(format!("removed {}", path.display()));
    }
    Ok(done)
}

/// Schedules and retries stay as they are.
fn with_the_users_own(expected: &Value, found: Option<&Value>) -> Value {
    let mut document = expected.clone();
    let Some(found) = found else { return document };
    if found["retry"].is_object() {
        document["retry"] = found["retry"].clone();
    }
    for binding in document["bindings"].as_array_mut().into_iter().flatten() {
        let present = bindings(found).iter().find(|other| other["name"] == binding["name"]);
        if let Some(schedule) = present.and_then(|present| present.get("schedule")).filter(|own| own.is_string()) {
            binding["schedule"] = schedule.clone();
        }
    }
    document
}

fn left_over(folder: &Path, expected: &[(String, Value)]) -> Vec<String> {
    let is_expected = |function: &String| expected.iter().any(|(name, _)| name == function);
    functions_in(folder).into_iter().filter(|function| !is_expected(function)).collect()
}

/// The names of all functions of an app, where the Functions host looks for them and where the sources have them.
fn functions_in(folder: &Path) -> BTreeSet<String> {
    let places = [folder.to_owned(), folder.join(app::FUNCTIONS_FOLDER)];
    let children = places.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    let functions = children.filter(|child| child.path().join("function.json").is_file());
    functions.map(|child| child.file_name().to_string_lossy().into_owned()).collect()
}

/// A published app has its functions beside host.json, the sources have them below `functions/`.
fn function_json(folder: &Path, function: &str) -> PathBuf {
    let published = folder.join(function).join("function.json");
    if published.is_file() || is_published(folder) {
        published
    } else {
        folder.join(app::FUNCTIONS_FOLDER).join(function).join("function.json")
    }
}

fn is_published(folder: &Path) -> bool {
    app::usual_function_jsons().iter().any(|(function, _)| folder.join(function).join("function.json").is_file())
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let unwritable = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(unwritable)?;
    }
    fs::write(path, text).with_context(unwritable)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pipeline(stream: &str) -> Pipeline {
        let text = format!("[[feed]]\nname = \"clicks\"\nformat = \"ndjson\"\n[feed.columns]\na = \"int64\"\n{stream}");
        Pipeline::parse("pipeline.toml", &text).unwrap()
    }

    fn streamed() -> Pipeline {
        pipeline("[feed.stream]\nhub = \"clicks\"\n")
    }

    fn faults(folder: &Path, pipeline: &Pipeline) -> String {
        faults_of_functions(folder, Some(pipeline)).join("\n")
    }

    fn change(folder: &Path, function: &str, change: impl FnOnce(&mut Value)) {
        let path = function_json(folder, function);
        let mut document = read_json(&path).unwrap();
        change(&mut document);
        fs::write(path, document.to_string()).unwrap();
    }

    #[test]
    fn the_functions_of_an_empty_folder_are_written_once() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(faults_of_functions(folder.path(), Some(&streamed())).len(), 6);
        assert_eq!(write_functions(folder.path(), &streamed()).unwrap().len(), 6);
        assert!(folder.path().join("functions/stream_clicks/function.json").is_file());
        assert_eq!(faults(folder.path(), &streamed()), "");
        assert_eq!(write_functions(folder.path(), &streamed()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_stream_that_came_or_went_is_said_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        write_functions(folder.path(), &pipeline("")).unwrap();
        assert_eq!(
            faults(folder.path(), &streamed()),
            "stream_clicks/function.json is missing: pipeline.toml streams feed `clicks`; run `millrace check --write-functions`"
        );
        write_functions(folder.path(), &streamed()).unwrap();
        assert_eq!(
            faults(folder.path(), &pipeline("")),
            "stream_clicks/function.json: pipeline.toml streams no feed `clicks`; run `millrace check --write-functions`"
        );
        write_functions(folder.path(), &pipeline("")).unwrap();
        assert_eq!(faults(folder.path(), &pipeline("")), "");
        assert!(!folder.path().join("functions/stream_clicks").exists());
    }

    #[test]
    fn another_hub_is_said_and_mended_and_the_users_own_retry_stays() {
        let folder = tempfile::tempdir().unwrap();
        write_functions(folder.path(), &streamed()).unwrap();
        let own = json!({ "strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:00:10" });
        change(folder.path(), "stream_clicks", |document| document["retry"] = own.clone());
        change(folder.path(), "pull", |document| document["bindings"][0]["schedule"] = json!("0 0 6 * * *"));
        assert_eq!(faults(folder.path(), &streamed()), "", "schedules and retries are the user's");
        let moved = pipeline("[feed.stream]\nhub = \"web\"\n");
        assert_eq!(
            faults(folder.path(), &moved),
            "stream_clicks/function.json: binding \"events\": `eventHubName` is \"clicks\", it must be \"web\"; \
             run `millrace check --write-functions`"
        );
        change(folder.path(), "pull", |document| document["bindings"][0]["direction"] = json!("out"));
        assert_eq!(write_functions(folder.path(), &moved).unwrap().len(), 2);
        assert_eq!(faults(folder.path(), &moved), "");
        let read = |function| read_json(&function_json(folder.path(), function)).unwrap();
        assert_eq!(read("stream_clicks")["retry"], own);
        assert_eq!(read("pull")["bindings"][0]["schedule"], "0 0 6 * * *");
    }

    #[test]
    fn an_app_may_announce_by_queue() {
        let folder = tempfile::tempdir().unwrap();
        write_functions(folder.path(), &streamed()).unwrap();
        change(folder.path(), "announce", |document| *document = app::announce_by_queue().1);
        assert_eq!(faults(folder.path(), &streamed()), "");
        assert_eq!(write_functions(folder.path(), &streamed()).unwrap(), Vec::<String>::new());
        change(folder.path(), "announce", |document| document["bindings"][0]["queueName"] = json!("elsewhere"));
        assert_eq!(
            faults(folder.path(), &streamed()),
            "announce/function.json: binding \"message\": `queueName` is \"elsewhere\", it must be \"landed\"; \
             run `millrace check --write-functions`"
        );
    }

    #[test]
    fn a_published_app_keeps_its_functions_beside_host_json() {
        let folder = tempfile::tempdir().unwrap();
        for (function, document) in app::function_jsons(&pipeline("")) {
            write(&folder.path().join(function).join("function.json"), &app::as_file(&document)).unwrap();
        }
        write_functions(folder.path(), &streamed()).unwrap();
        assert!(folder.path().join("stream_clicks/function.json").is_file());
        assert!(!folder.path().join("functions").exists());
        assert_eq!(faults(folder.path(), &streamed()), "");
    }

    #[test]
    fn a_strangers_function_is_named_and_left() {
        let folder = tempfile::tempdir().unwrap();
        write_functions(folder.path(), &streamed()).unwrap();
        write(&folder.path().join("functions/report/function.json"), "{}").unwrap();
        let said = "report/function.json: millrace has no function `report`; take its folder out of the app";
        assert_eq!(faults(folder.path(), &streamed()), said);
        write_functions(folder.path(), &streamed()).unwrap();
        assert_eq!(faults(folder.path(), &streamed()), said);
        assert_eq!(faults_of_functions(folder.path(), None), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_json_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        write_functions(folder.path(), &streamed()).unwrap();
        let path = folder.path().join("functions/load/function.json");
        fs::write(&path, "{").unwrap();
        assert!(faults(folder.path(), &streamed()).contains("load/function.json: EOF while parsing"));
        assert_eq!(write_functions(folder.path(), &streamed()).unwrap(), [format!("wrote {}", path.display())]);
        assert_eq!(faults(folder.path(), &streamed()), "");
    }
}
