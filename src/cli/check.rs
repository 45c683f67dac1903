//! `millrace check`: pipeline.toml, the settings and the function.json files agree.

use anyhow::bail;
use clap::Args;

use super::context::AppArguments;
use super::wiring;
use crate::app;
use crate::pipeline::Pipeline;
use crate::settings::PULL_SCHEDULE;

/// Checks pipeline.toml, the settings and the function.json files against each other; every fault is printed at once
///
/// Example: millrace check --app dist
#[derive(Args)]
pub struct CheckArguments {
    #[command(flatten)]
    app: AppArguments,
}

pub fn run(arguments: &CheckArguments) -> anyhow::Result<()> {
    let settings = arguments.app.settings()?;
    let mut faults: Vec<String> = Vec::new();
    match Pipeline::read(&settings.pipeline_path(arguments.app.app())) {
        Ok(pipeline) => {
            println!(
                "pipeline.toml: {} feeds, {} summaries",
                pipeline.feeds.len(),
                pipeline.summaries.len()
            );
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
    faults.extend(app::faults_of_functions(arguments.app.app()));
    if faults.is_empty() {
        println!("settings and functions agree");
        return Ok(());
    }
    for fault in &faults {
        println!("{fault}");
    }
    bail!("{} faults", faults.len())
}
