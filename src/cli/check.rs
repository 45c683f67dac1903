//! `millrace check`: pipeline.toml, the settings and the function.json files agree.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use super::context::AppArguments;
use super::wiring;
use crate::app;
use crate::pipeline::Pipeline;
use crate::settings::PULL_SCHEDULE;

/// Checks pipeline.toml, the settings and the function.json files against each other; every fault is printed at once
#[derive(Args)]
#[command(after_help = "Example: millrace check --app dist")]
pub struct CheckArguments {
    #[command(flatten)]
    app: AppArguments,
}

pub fn run(arguments: &CheckArguments) -> anyhow::Result<()> {
    let settings = arguments.app.settings()?;
    let mut faults: Vec<String> = Vec::new();
    match Pipeline::read(&settings.pipeline_path(arguments.app.app())) {
        Ok(pipeline) => {
            let (feeds, summaries) = (named(pipeline.feeds.len(), "feed"), named(pipeline.summaries.len(), "summary"));
            println!("pipeline.toml: {feeds}, {summaries}");
            match wiring::pull_sources(&pipeline, &settings) {
                Ok(sources) => faults.extend(sources.into_iter().filter_map(|source| {
                    source.endpoint.err().map(|fault| format!("feed `{}`: {fault}", source.feed))
                })),
                Err(fault) => faults.push(fault.to_string()),
            }
        }
        Err(fault) => faults.extend(fault.to_string().lines().map(str::to_owned)),
    }
    if let Err(fault) = settings.ends() {
        faults.push(fault.to_string());
    }
    if settings.get(PULL_SCHEDULE).is_none() {
        faults.push(format!(
            "setting `{PULL_SCHEDULE}` is missing: it says when files are pulled, as NCRONTAB with seconds; \
             `0 */5 * * * *` is every five minutes"
        ));
    }
    faults.extend(faults_of_app(arguments.app.app()));
    if faults.is_empty() {
        println!("settings and functions agree");
        return Ok(());
    }
    for fault in &faults {
        println!("{fault}");
    }
    bail!("{}", named(faults.len(), "fault"))
}

/// `1 feed`, `2 feeds`, `2 summaries`
fn named(count: usize, thing: &str) -> String {
    match (count, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {thing}s"),
    }
}

/// Where host.json and the function.json files differ from what this program needs.
fn faults_of_app(folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let host = folder.join("host.json");
    if !host.is_file() {
        return vec![format!("{}: there is no such file; give the app's folder with --app", host.display())];
    }
    if let Err(fault) = read_json(&host).and_then(|host| app::function_timeout(&host)) {
        faults.push(fault);
    }
    for (function, expected) in app::function_jsons() {
        match read_json(&function_json(folder, &function)) {
            Ok(found) if is_announced_by_queue(&function, &found) => {
                faults.extend(differences(&function, &found, &app::announce_by_queue().1));
            }
            Ok(found) => faults.extend(differences(&function, &found, &expected)),
            Err(fault) => faults.push(fault),
        }
    }
    faults
}

/// The other form that `announce` may have.
fn is_announced_by_queue(function: &str, found: &Value) -> bool {
    let (announce, _) = app::announce_by_queue();
    function == announce && found["bindings"][0]["type"] == "queueTrigger"
}

/// A published app has its functions beside host.json, the sources have them below `functions/`.
fn function_json(folder: &Path, function: &str) -> PathBuf {
    let published = folder.join(function).join("function.json");
    if published.is_file() {
        published
    } else {
        folder.join(app::FUNCTIONS_FOLDER).join(function).join("function.json")
    }
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Bindings are what the handler depends on; schedules and retries are the user's to change.
fn differences(function: &str, found: &Value, expected: &Value) -> Vec<String> {
    let bindings = |document: &Value| document["bindings"].as_array().cloned().unwrap_or_default();
    let mut faults = Vec::new();
    for binding in bindings(expected) {
        let (name, kind) = (&binding["name"], &binding["type"]);
        let Some(present) = bindings(found).into_iter().find(|other| other["name"] == *name) else {
            faults.push(format!("{function}/function.json: binding {name} of type {kind} is missing"));
            continue;
        };
        for (key, value) in binding.as_object().into_iter().flatten() {
            if key != "schedule" && present[key] != *value {
                faults.push(format!(
                    "{function}/function.json: binding {name}: `{key}` is {}, it must be {value}",
                    present[key]
                ));
            }
        }
    }
    faults
}
