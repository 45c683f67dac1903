//! `millrace check`: pipeline.toml, the settings and the function.json files agree; with `--connect`, every end is tried too.

mod trials;

use std::pin::pin;

use anyhow::bail;
use clap::Args;
use futures::StreamExt;

use super::context::AppArguments;
use super::{app_folder, wiring};
use crate::functions::pull::PullSource;
use crate::operations::connect::{Finding, try_all};
use crate::operations::met::Met;
use crate::pipeline::Pipeline;
use crate::settings::{LOG, PULL_SCHEDULE, Settings};
use crate::telemetry;

/// What libraries say of their own is in the errors.
const QUIET: &str = "off,millrace=warn";

/// Checks pipeline.toml, the settings and the function.json files against each other; every fault is printed at once
#[derive(Args)]
#[command(after_help = "Example: millrace check --app dist --connect")]
pub struct CheckArguments {
    #[command(flatten)]
    app: AppArguments,
    /// First write the functions that pipeline.toml asks for and the app has not, or has otherwise; schedules and retries
    /// stay as they are
    #[arg(long)]
    write_functions: bool,
    /// Try every end too: SFTP sources, storage, share, hubs and warehouse. Wakes a database that sleeps
    ///
    /// Says as whom each was reached, or what failed and what to do. Containers, directories and journals that are missing are
    /// made, as the app itself would; a small blob and a small staged file are written and removed; nothing is sent, and
    /// nothing of a partner's is touched. While `millrace dev` runs, its SFTP server stands in for the sources.
    #[arg(long)]
    connect: bool,
}

pub async fn run(arguments: &CheckArguments) -> anyhow::Result<()> {
    let settings = if arguments.connect { arguments.app.settings_for_sources()? } else { arguments.app.settings()? };
    let agreement = check_agreement(arguments, &settings)?;
    for fault in &agreement.faults {
        println!("{fault}");
    }
    if agreement.faults.is_empty() {
        println!("settings and functions agree");
    }
    let mut failures: Vec<String> = Vec::new();
    if !agreement.faults.is_empty() {
        failures.push(named(agreement.faults.len(), "fault"));
    }
    if arguments.connect {
        telemetry::start_for_command(settings.get(LOG).unwrap_or(QUIET));
        failures.extend(try_ends(&settings, agreement).await);
    }
    if !failures.is_empty() {
        bail!("{}", failures.join(", "));
    }
    Ok(())
}

/// What was read, and all that is wrong with it.
struct Agreement {
    pipeline: Option<Pipeline>,
    sources: Vec<PullSource>,
    faults: Vec<String>,
}

fn check_agreement(arguments: &CheckArguments, settings: &Settings) -> anyhow::Result<Agreement> {
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
    let mut sources = Vec::new();
    match &pipeline {
        Ok(pipeline) => {
            let (feeds, summaries) = (named(pipeline.feeds.len(), "feed"), named(pipeline.summaries.len(), "summary"));
            println!("pipeline.toml: {feeds}, {summaries}");
            match wiring::pull_sources(pipeline, settings) {
                Ok(found) => sources = found,
                Err(fault) => faults.push(fault.to_string()),
            }
        }
        Err(fault) => faults.extend(fault.to_string().lines().map(str::to_owned)),
    }
    let of_source = |source: &PullSource| Some(format!("feed `{}`: {}", source.feed, source.endpoint.as_ref().err()?));
    faults.extend(sources.iter().filter_map(of_source));
    faults.extend(settings.each_end().faults().map(ToString::to_string));
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
    Ok(Agreement { pipeline: pipeline.ok(), sources, faults })
}

/// Prints a line for each end. Returns how many failed, in words; `None`: none did.
async fn try_ends(settings: &Settings, agreement: Agreement) -> Option<String> {
    let trials = trials::of_all(settings.each_end(), agreement.sources, agreement.pipeline.as_ref());
    let (mut tried, mut failed) = (0, 0);
    let mut kinds: Vec<&Met> = Vec::new();
    let mut findings = pin!(try_all(trials));
    while let Some(finding) = findings.next().await {
        tried += 1;
        failed += usize::from(finding.fault.is_some());
        println!("{}", line(&finding));
        for kind in finding.kinds {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    for Met { end, run_against, not_met } in kinds {
        println!("{end}: was run against {run_against}; has not met: {not_met}");
    }
    if failed > 0 {
        return Some(format!("{failed} of {} failed", named(tried, "end")));
    }
    if tried > 0 {
        println!("{} reached", named(tried, "end"));
    }
    None
}

fn line(finding: &Finding) -> String {
    let Finding { end, facts, fault, .. } = finding;
    let verdict = if fault.is_some() { "FAILED " } else { "reached" };
    let said = facts.iter().chain(fault).map(String::as_str).collect::<Vec<_>>().join("; ");
    format!("{verdict}  {end}: {said}")
}

/// `1 feed`, `2 feeds`, `2 summaries`
fn named(count: usize, thing: &str) -> String {
    match (count, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {thing}s"),
    }
}
