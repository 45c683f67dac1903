//! `millrace plan`: what a pull would move, and why it would leave each other file.

use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::context::AppArguments;
use super::wiring;
use crate::functions::pull::{Action, DryRunStations, PlannedFile, SourcePlan, dry_run};
use crate::pipeline::Pipeline;
use crate::settings::LOG;
use crate::stations::containers::Containers;
use crate::stations::sftp::SshConnector;
use crate::telemetry;

/// Longer paths push the rest of their own line aside, and not that of all lines.
const PATH_WIDTH_LIMIT: usize = 60;

/// Says what a pull would move, and why it would leave each other file; moves and writes nothing
///
/// While `millrace dev` runs, its SFTP server stands in for the sources here too.
#[derive(Args)]
#[command(after_help = "Example: millrace plan --json | jq '.sources[].files[] | select(.action == \"leave\")'")]
pub struct PlanArguments {
    #[command(flatten)]
    app: AppArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    sources: &'a [SourcePlan],
}

pub async fn run(arguments: PlanArguments) -> anyhow::Result<()> {
    let settings = arguments.app.settings_for_sources()?;
    telemetry::start_for_command(settings.get(LOG).unwrap_or("warn"));
    let pipeline = Pipeline::read(&settings.pipeline_path(arguments.app.app()))?;
    let sources = wiring::pull_sources(&pipeline, &settings)?;
    let containers = Containers::look_at(&settings.ends()?.storage).await?;
    let stations = DryRunStations {
        connector: Arc::new(SshConnector::default()),
        landing: containers.landing,
        state: containers.state,
    };
    let plans = dry_run(&sources, &stations, &wiring::clock()).await;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&Document { sources: &plans })?);
    } else {
        print!("{}", to_text(&plans));
    }
    match plans.iter().filter(|plan| plan.fault.is_some()).count() {
        0 => Ok(()),
        1 if plans.len() == 1 => bail!("the source cannot be looked at"),
        count => bail!("{count} of {} sources cannot be looked at", plans.len()),
    }
}

fn to_text(plans: &[SourcePlan]) -> String {
    if plans.is_empty() {
        return "no feed has an sftp source: files are uploaded to the container `landing`\n".to_owned();
    }
    plans.iter().map(source_text).collect::<Vec<_>>().join("\n")
}

fn source_text(plan: &SourcePlan) -> String {
    let mut text = match &plan.source {
        Some(source) => format!("{}, source {source}", plan.feed),
        None => plan.feed.to_string(),
    };
    if let Some(server) = &plan.server {
        text.push_str(&format!("  {server}"));
    }
    text.push('\n');
    text.push_str(&table(&plan.files));
    if plan.left_off > 0 {
        text.push_str(&format!("  … and {} more\n", HumanCount(plan.left_off as u64)));
    }
    text.push_str(&match &plan.fault {
        Some(fault) => format!("  cannot be looked at: {fault}\n"),
        None => format!("  {}\n", totals(&plan.files)),
    });
    text
}

fn totals(files: &[PlannedFile]) -> String {
    let count = |action: Action| files.iter().filter(|file| file.action == action).count();
    let pulled = files.iter().filter(|file| file.action == Action::Pull);
    let pulled_bytes: u64 = pulled.filter_map(|file| file.size_bytes).sum();
    let mut text = match count(Action::Pull) {
        0 => "nothing to pull".to_owned(),
        1 => format!("1 file to pull, {}", HumanBytes(pulled_bytes)),
        count => format!("{} files to pull, {}", HumanCount(count as u64), HumanBytes(pulled_bytes)),
    };
    for (action, done) in
        [(Action::Delete, "to delete there"), (Action::Move, "to move there"), (Action::Leave, "left")]
    {
        match count(action) {
            0 => {}
            count => text.push_str(&format!("; {} {done}", HumanCount(count as u64))),
        }
    }
    text
}

/// Action, size, time, path and reason, as wide as they must be.
fn table(files: &[PlannedFile]) -> String {
    let sizes: Vec<String> =
        files.iter().map(|file| file.size_bytes.map(|size| HumanBytes(size).to_string()).unwrap_or_default()).collect();
    let width = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let size_width = width(&mut sizes.iter().map(String::len));
    let path_width = width(&mut files.iter().map(|file| file.path.chars().count())).min(PATH_WIDTH_LIMIT);
    let mut text = String::new();
    for (file, size) in files.iter().zip(&sizes) {
        let time = file.modified.map(|time| time.format("%Y-%m-%d %H:%M:%SZ").to_string()).unwrap_or_default();
        text.push_str(&format!(
            "  {:<6}  {size:>size_width$}  {time:<20}  {:<path_width$}  {}\n",
            file.action, file.path, file.why
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::names::FeedName;

    fn file(path: &str, action: Action, why: &str) -> PlannedFile {
        let modified = DateTime::from_timestamp(1_700_000_000, 0);
        PlannedFile { path: path.into(), size_bytes: Some(2048), modified, action, reason: "", why: why.into() }
    }

    fn plan(files: Vec<PlannedFile>, fault: Option<&str>) -> SourcePlan {
        let feed = FeedName::new("flights").unwrap();
        let server = Some("sftp://p@h:22/out".to_owned());
        SourcePlan { feed, source: None, server, fault: fault.map(str::to_owned), files, left_off: 0 }
    }

    #[test]
    fn a_plan_is_a_table_and_a_sum() {
        let folder = PlannedFile { size_bytes: None, modified: None, ..file("2012", Action::Leave, "a folder") };
        let files = vec![
            file("a.csv", Action::Pull, "to flights/a.csv"),
            file("b ü.csv", Action::Leave, "excluded by `b*`"),
            folder,
        ];
        let expected = "flights  sftp://p@h:22/out\n\
            \x20 pull    2.00 KiB  2023-11-14 22:13:20Z  a.csv    to flights/a.csv\n\
            \x20 leave   2.00 KiB  2023-11-14 22:13:20Z  b ü.csv  excluded by `b*`\n\
            \x20 leave                                   2012     a folder\n\
            \x20 1 file to pull, 2.00 KiB; 2 left\n";
        assert_eq!(to_text(&[plan(files, None)]), expected);
    }

    #[test]
    fn a_source_that_cannot_be_looked_at_says_why_beside_the_others() {
        let plans = [plan(vec![], Some("setting `PW` is missing")), plan(vec![], None)];
        assert_eq!(
            to_text(&plans),
            "flights  sftp://p@h:22/out\n  cannot be looked at: setting `PW` is missing\n\nflights  \
             sftp://p@h:22/out\n  nothing to pull\n"
        );
    }
}
