//! `millrace migrate`: the tables.

use clap::Args;

use super::context::{AppArguments, Context};
use super::wiring;
use crate::functions::stream::StreamedFeeds;
use crate::operations::stream_start::note_starts;
use crate::stations::warehouse::MigrationReport;

/// Creates or upgrades the tables that pipeline.toml asks for; safe to run again
#[derive(Args)]
#[command(after_help = "Example: millrace migrate --print | less")]
pub struct MigrateArguments {
    #[command(flatten)]
    app: AppArguments,
    /// Print the SQL for an empty database and change nothing
    #[arg(long)]
    print: bool,
}

/// What was changed for a pipeline.
pub struct BroughtUp {
    pub report: MigrationReport,
    /// Partitions of streams with `start = "latest"` that begin now.
    pub noted: usize,
}

/// Tables first; then where streams begin that count only what comes from now on.
pub async fn bring_up(context: &Context) -> anyhow::Result<BroughtUp> {
    let warehouse = context.stations.warehouse.as_ref();
    let report = warehouse.migrate(&wiring::schema(&context.pipeline)).await?;
    let streams = StreamedFeeds::new(&context.pipeline)?;
    let noted = note_starts(&streams, context.stations.hub_reader.as_ref(), warehouse, &wiring::clock()).await?;
    Ok(BroughtUp { report, noted })
}

pub async fn run(arguments: MigrateArguments) -> anyhow::Result<()> {
    let context = arguments.app.open().await?;
    if arguments.print {
        println!("{}", context.stations.warehouse.schema_sql(&wiring::schema(&context.pipeline)));
        return Ok(());
    }
    let BroughtUp { report, noted } = bring_up(&context).await?;
    if report.changes.is_empty() && noted == 0 {
        println!("nothing to do: the tables are as pipeline.toml asks");
    }
    if noted > 0 {
        println!("{noted} partitions: what comes from now on counts, as `start = \"latest\"` asks");
    }
    for change in &report.changes {
        println!("{change}");
    }
    for feed in &report.feeds_to_replay {
        println!("feed `{feed}` has files that were counted by an older meaning: run `millrace replay {feed}`");
    }
    Ok(())
}
