//! `millrace replay`: landed files are announced again.

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use futures::TryStreamExt;
use globset::Glob;

use super::context::{AppArguments, Context};
use super::wiring;
use crate::functions::announce::{AnnounceStations, Announced, announce_blob};
use crate::names::FeedName;
use crate::pipeline::parse_time;
use crate::records::attempts;
use crate::stations::containers::BlobFacts;

/// Announces landed files again, so that they are counted as pipeline.toml says now
///
/// What is in the ledger already, by the same meaning, stays as it is; nothing is ever counted twice.
#[derive(Args)]
#[command(after_help = "Example: millrace replay flights --blob 'flights/2013-*' --dry-run")]
pub struct ReplayArguments {
    feed: String,
    /// Only blobs whose full name matches
    #[arg(long, value_name = "GLOB")]
    blob: Option<String>,
    /// Only blobs that landed since: 2026-01-31 or 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// Say what would be announced, and announce nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    app: AppArguments,
}

fn since(text: &str) -> Result<DateTime<Utc>, String> {
    parse_time(text).ok_or_else(|| "write a date such as 2026-01-31, or a time such as 2026-01-31T08:00:00Z".to_owned())
}

pub async fn run(arguments: ReplayArguments) -> anyhow::Result<()> {
    let context = arguments.app.open().await?;
    let feed = FeedName::new(arguments.feed)?;
    if context.pipeline.feed(&feed).is_none() {
        let known: Vec<&str> = context.pipeline.feeds.iter().map(|feed| feed.name.as_str()).collect();
        bail!("pipeline.toml declares no feed `{feed}`; its feeds are {}", known.join(", "));
    }
    let glob = arguments.blob.as_deref().map(Glob::new).transpose().context("--blob is not a glob")?;
    let glob = glob.map(|glob| glob.compile_matcher());

    let mut count = 0;
    let mut landed = context.stations.containers.landing.list(&format!("{feed}/"), None);
    while let Some(facts) = landed.try_next().await? {
        let is_meant = glob.as_ref().is_none_or(|glob| glob.is_match(facts.name.as_str()))
            && arguments.since.is_none_or(|since| facts.last_modified >= since);
        if !is_meant {
            continue;
        }
        count += 1;
        if !arguments.dry_run {
            announce_again(&facts, &context).await?;
        }
        println!("{}", facts.name);
    }
    println!("{count} files {}", if arguments.dry_run { "would be announced" } else { "announced" });
    Ok(())
}

/// Announces all landed files of a feed. Returns how many.
#[cfg(feature = "dev")]
pub async fn announce_feed_again(feed: &FeedName, context: &Context) -> anyhow::Result<usize> {
    let mut count = 0;
    let mut landed = context.stations.containers.landing.list(&format!("{feed}/"), None);
    while let Some(facts) = landed.try_next().await? {
        announce_again(&facts, context).await?;
        count += 1;
    }
    Ok(count)
}

/// Announces one landed file, with fresh tries.
pub async fn announce_again(facts: &BlobFacts, context: &Context) -> anyhow::Result<()> {
    let containers = &context.stations.containers;
    let clock = wiring::clock();
    let stations = AnnounceStations {
        pipeline: &context.pipeline,
        landing: &containers.landing,
        state: &containers.state,
        hub: context.stations.hub.as_ref(),
        clock: &clock,
    };
    attempts::end(&containers.state, &facts.name, &facts.etag).await?;
    match announce_blob(facts, &stations).await? {
        Announced::Sent(_) => Ok(()),
        Announced::DeadLettered | Announced::Gone => {
            bail!("{} is of no feed in pipeline.toml; declare one first", facts.name)
        }
    }
}
