//! `millrace migrate`: the tables.

use clap::Args;

use super::context::AppArguments;
use super::wiring;

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

pub async fn run(arguments: MigrateArguments) -> anyhow::Result<()> {
    let context = arguments.app.open().await?;
    let schema = wiring::schema(&context.pipeline);
    if arguments.print {
        println!("{}", context.stations.warehouse.schema_sql(&schema));
        return Ok(());
    }
    let report = context.stations.warehouse.migrate(&schema).await?;
    if report.changes.is_empty() {
        println!("nothing to do: the tables are as pipeline.toml asks");
    }
    for change in &report.changes {
        println!("{change}");
    }
    for feed in &report.feeds_to_replay {
        println!("feed `{feed}` has files that were counted by an older meaning: run `millrace replay {feed}`");
    }
    Ok(())
}
