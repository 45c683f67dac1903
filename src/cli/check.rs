//! `millrace check`: pipeline.toml, the settings and the function.json files agree.

use anyhow::bail;
use clap::Args;

use super::context::AppArguments;
use super::{app_folder, wiring};
use crate::pipeline::Pipeline;
use crate::settings::PULL_SCHEDULE;

/// Checks pipeline.toml, the settings and the function.json files against each other; every fault is printed at once
#[derive(Args)]
#[command(after_help = "Example: millrace check --app dist")]
pub struct CheckArguments {
    #[command(flatten)]
    app: AppArguments,
    /// First write the functions that pipeline.toml asks for and the app has not, or has otherwise; schedules and retries
    /// stay as they are
    #[arg(long)]
    write_functions: bool,
}

pub fn run(arguments: &CheckArguments) -> anyhow::Result<()> {
    let settings = arguments.app.settings()?;
    let folder = arguments.app.app();
    let pipeline = Pipeline::read(&settings.pipeline_path(folder));
    let fault_of_host = app_folder::faults_of_host(folder);
    if arguments.write_functions
        && fault_of_host.is_none()
        && let Ok(pipeline) = &pipeline
    {
        for line in app_folder::write_functions(folder, pipeline)? {
            println!("{line}");
        }
    }
    let mut faults: Vec<String> = Vec::new();
    match &pipeline {
        Ok(pipeline) => {
            let (feeds, summaries) = (named(pipeline.feeds.len(), "feed"), named(pipeline.summaries.len(), "summary"));
            println!("pipeline.toml: {feeds}, {summaries}");
            match wiring::pull_sources(pipeline, &settings) {
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
    match fault_of_host {
        Some(fault) => faults.push(fault),
        None => faults.extend(app_folder::faults_of_functions(folder, pipeline.as_ref().ok())),
    }
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
