//! `millrace status`: the status page as text.

use clap::Args;

use super::context::AppArguments;
use super::wiring;
use crate::functions::status::{StatusStations, status};

/// Shows where every file stands, by feed and source: at the source, staged, landed, loaded, waiting, dead
#[derive(Args)]
#[command(after_help = "Example: millrace status --json | jq '.feeds[].waiting'")]
pub struct StatusArguments {
    #[command(flatten)]
    app: AppArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: StatusArguments) -> anyhow::Result<()> {
    let context = arguments.app.open().await?;
    let clock = wiring::clock();
    let stations = StatusStations {
        pipeline: &context.pipeline,
        share: context.stations.share.as_ref(),
        landing: &context.stations.containers.landing,
        quarantine: &context.stations.containers.quarantine,
        state: &context.stations.containers.state,
        hub: context.stations.hub_reader.as_ref(),
        clock: &clock,
    };
    let report = status(&stations).await?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.to_text());
    }
    Ok(())
}
