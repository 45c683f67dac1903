//! `millrace replay`: landed files are announced again.

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use futures::TryStreamExt;

use super::context::{AppArguments, Context};
use super::wiring;
use crate::counting::Budget;
use crate::functions::announce::{AnnounceStations, Announced, announce_blob};
use crate::functions::stream::StreamedFeeds;
use crate::names::{BlobName, FeedName};
use crate::operations::blob_glob::BlobGlob;
use crate::operations::replay_quarantine::{Landed, ReplayStations, replay_quarantine};
use crate::operations::retract::{Intent, RetractStations, restore};
use crate::pipeline::{Pipeline, parse_time};
use crate::records::{attempts, retracted};
use crate::stations::containers::BlobFacts;
use crate::stations::warehouse::FileUnit;
use crate::words::{counted, shown};

/// Announces landed files again, so that they are counted as pipeline.toml says now
///
/// What is in the ledger already, by the same meaning, stays as it is; nothing is ever counted twice. A retracted file counts
/// again only where --blob names it.
#[derive(Args)]
#[command(after_help = "Example: millrace replay flights --blob 'flights/2013-*' --dry-run")]
pub struct ReplayArguments {
    feed: String,
    /// Only these files: a pattern on their names in landing, with or without the feed before it
    #[arg(long, value_name = "GLOB")]
    blob: Option<String>,
    /// Only blobs that landed since: 2026-01-31 or 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// Instead, land the events of the feed's stream that were bad and are good now, as files that are then counted
    #[arg(long, conflicts_with_all = ["blob", "since"])]
    quarantine: bool,
    /// Say what would be done, and change nothing
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
    feed_named(&feed, &context.pipeline)?;
    if arguments.quarantine {
        let intent = if arguments.dry_run { Intent::Tell } else { Intent::Do };
        return replay_events(&feed, intent, &context).await;
    }
    let glob = arguments.blob.as_deref().map(|text| BlobGlob::new(&feed, text)).transpose();
    let glob = glob.context("--blob is not a pattern")?;

    let mut told = Told::default();
    let mut landed = context.stations.containers.landing.list(&format!("{feed}/"), None);
    while let Some(facts) = landed.try_next().await? {
        told.landed += 1;
        let is_meant = glob.as_ref().is_none_or(|glob| glob.is_match(&facts.name))
            && arguments.since.is_none_or(|since| facts.last_modified >= since);
        if !is_meant {
            continue;
        }
        let intent = if arguments.dry_run { Intent::Tell } else { Intent::Do };
        let is_retracted = retracted::exists(&context.stations.containers.state, &facts.name, &facts.etag).await?;
        if is_retracted && glob.is_none() {
            told.left_retracted += 1;
            continue;
        }
        told.announced += 1;
        told.restored += u64::from(is_retracted);
        if intent == Intent::Do {
            if is_retracted {
                restore_one(&feed, &facts, &context).await?;
            }
            announce_again(&facts, &context).await?;
        }
        let note = if is_retracted { "  (was retracted)" } else { "" };
        println!("{}{note}", shown(facts.name.as_str()));
    }
    told.tell(&feed, arguments.dry_run)
}

/// Lands what is good now of the events in quarantine.
async fn replay_events(feed: &FeedName, intent: Intent, context: &Context) -> anyhow::Result<()> {
    let streams = StreamedFeeds::new(&context.pipeline)?;
    let Some(streamed) = streams.get(feed) else {
        bail!(
            "feed `{feed}` has no [feed.stream]; bad rows of its files come back with a replay of the file once they are mended"
        );
    };
    let containers = &context.stations.containers;
    let stations = ReplayStations {
        landing: &containers.landing,
        quarantine: &containers.quarantine,
        warehouse: context.stations.warehouse.as_ref(),
        budget: &Budget::for_this_machine(),
    };
    let mut files = Vec::new();
    replay_quarantine(streamed, intent, &stations, &mut |file| files.push(file)).await?;
    let (mut landed, mut mended, mut bad) = (0, 0, 0);
    for file in files {
        bad += file.bad as u64;
        if let Some((number, reason)) = &file.first_bad {
            println!(
                "{}: {}; the first is {number}: {reason}",
                shown(&file.file),
                counted(file.bad as u64, "event is bad still", "events are bad still")
            );
        }
        match &file.landed {
            Landed::Nothing => {}
            Landed::Already(blob) => println!("{}: landed before", shown(blob.as_str())),
            Landed::New(blob) => {
                landed += 1;
                mended += file.mended as u64;
                println!("{}: {}", shown(blob.as_str()), counted(file.mended as u64, "event", "events"));
                if intent == Intent::Do {
                    announce_by_name(blob, context).await?;
                }
            }
        }
    }
    let done = if intent == Intent::Tell { "would land; nothing was changed" } else { "landed" };
    println!(
        "{} of {} {done}; {} in quarantine",
        counted(mended, "event", "events"),
        counted(landed, "file", "files"),
        counted(bad, "event stays", "events stay")
    );
    Ok(())
}

/// The trigger finds it too; where it is slow or switched off, this does not wait for it.
async fn announce_by_name(blob: &BlobName, context: &Context) -> anyhow::Result<()> {
    match context.stations.containers.landing.head(blob).await? {
        Some(facts) => announce_again(&facts, context).await,
        None => bail!("{blob} went from landing just now"),
    }
}

/// What a replay came to.
#[derive(Default)]
struct Told {
    landed: u64,
    announced: u64,
    restored: u64,
    left_retracted: u64,
}

impl Told {
    fn tell(&self, feed: &FeedName, dry_run: bool) -> anyhow::Result<()> {
        if self.left_retracted > 0 {
            println!(
                "{} left alone; name them with --blob to count them again",
                counted(self.left_retracted, "retracted file is", "retracted files are")
            );
        }
        if self.announced == 0 && self.left_retracted == 0 {
            bail!(
                "none of {} of feed `{feed}` fits; `millrace where` finds files",
                counted(self.landed, "landed file", "landed files")
            );
        }
        let done = if dry_run { "would be announced; nothing was changed" } else { "announced" };
        println!("{} {done}", counted(self.announced, "file", "files"));
        Ok(())
    }
}

/// A feed that a person names.
///
/// # Errors
/// Where pipeline.toml does not declare it: which it does, and which of them was meant.
pub fn feed_named(feed: &FeedName, pipeline: &Pipeline) -> anyhow::Result<()> {
    if pipeline.feed(feed).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = pipeline.feeds.iter().map(|feed| feed.name.as_str()).collect();
    let nearest = known.iter().max_by(|a, b| likeness(a, feed).total_cmp(&likeness(b, feed)));
    match nearest.filter(|nearest| likeness(nearest, feed) >= 0.6) {
        Some(nearest) => bail!("pipeline.toml declares no feed `{feed}`; did you mean `{nearest}`?"),
        None => bail!("pipeline.toml declares no feed `{feed}`; its feeds are {}", known.join(", ")),
    }
}

fn likeness(known: &str, feed: &FeedName) -> f64 {
    strsim::normalized_damerau_levenshtein(known, feed.as_str())
}

async fn restore_one(feed: &FeedName, facts: &BlobFacts, context: &Context) -> anyhow::Result<()> {
    let clock = wiring::clock();
    let stations = RetractStations {
        containers: &context.stations.containers,
        share: context.stations.share.as_ref(),
        warehouse: context.stations.warehouse.as_ref(),
        clock: &clock,
    };
    let unit = FileUnit { feed: feed.clone(), blob: facts.name.clone() };
    restore(&unit, &facts.etag, &stations).await?;
    Ok(())
}

/// Announces all landed files of a feed but the retracted ones. Returns how many.
#[cfg(feature = "dev")]
pub async fn announce_feed_again(feed: &FeedName, context: &Context) -> anyhow::Result<usize> {
    let mut count = 0;
    let mut landed = context.stations.containers.landing.list(&format!("{feed}/"), None);
    while let Some(facts) = landed.try_next().await? {
        if retracted::exists(&context.stations.containers.state, &facts.name, &facts.etag).await? {
            continue;
        }
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
        Announced::Gone => bail!("{} went from landing just now", facts.name),
        Announced::DeadLettered => bail!("{} is of no feed in pipeline.toml; declare one first", facts.name),
    }
}
