//! `millrace retract`: a file's counts taken back.

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::HumanCount;

use super::context::AppArguments;
use super::replay::feed_named;
use super::wiring;
use crate::faults;
use crate::names::FeedName;
use crate::operations::blob_glob::BlobGlob;
use crate::operations::erasure::Erased;
use crate::operations::retract::{Extent, FileRetraction, Intent, RetractStations, retract};
use crate::settings::FAULT_POINT;
use crate::words::{counted, shown};

/// Takes back what files have counted, exactly, as if they had never come
///
/// The file stays in landing and counts nothing, until a new version of it lands, or `millrace replay FEED --blob` names it.
/// It is safe to run this again, whatever interrupted it.
#[derive(Args)]
#[command(after_help = "Example: millrace retract flights --blob 'flights/2013-01.csv.gz' --dry-run")]
pub struct RetractArguments {
    feed: String,
    /// The files: a pattern on their names in landing, with or without the feed before it
    #[arg(long, value_name = "GLOB")]
    blob: String,
    /// Remove the files too: landed blob, staged copies, curated and quarantined rows, and all records but what keeps the
    /// file away. What lies at the source stays there, and is not pulled again
    #[arg(long)]
    erase: bool,
    /// Say what would be taken back and removed, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    app: AppArguments,
}

pub async fn run(arguments: RetractArguments) -> anyhow::Result<()> {
    let settings = arguments.app.settings()?;
    if let Some(plan) = settings.get(FAULT_POINT) {
        faults::arm(plan);
    }
    let context = arguments.app.open().await?;
    let feed = FeedName::new(arguments.feed)?;
    let glob = BlobGlob::new(&feed, &arguments.blob).context("--blob is not a pattern")?;
    let clock = wiring::clock();
    let stations = RetractStations {
        containers: &context.stations.containers,
        share: context.stations.share.as_ref(),
        warehouse: context.stations.warehouse.as_ref(),
        clock: &clock,
    };
    let extent = if arguments.erase { Extent::Everything } else { Extent::Counts };
    let intent = if arguments.dry_run { Intent::Tell } else { Intent::Do };
    let mut totals = Totals::default();
    let files = retract(&feed, &glob, extent, intent, &stations, |file| {
        totals.add(file);
        print!("{}", to_text(file, &feed, intent));
    })
    .await?;
    if files == 0 {
        // A feed that is not declared any more may still have files, but not so often as a name has a slip.
        feed_named(&feed, &context.pipeline)?;
        bail!(
            "no file of feed `{feed}` is landed or in the ledger under `{}`; `millrace where` finds files",
            arguments.blob
        );
    }
    println!("{}", totals.to_text(files, extent, intent));
    Ok(())
}

#[derive(Default)]
struct Totals {
    counted: usize,
    rows: u64,
    erased: usize,
}

impl Totals {
    fn add(&mut self, file: &FileRetraction) {
        if let Some(record) = file.counted() {
            self.counted += 1;
            self.rows += record.rows_read.saturating_sub(record.rows_rejected).unsigned_abs();
        }
        self.erased += usize::from(file.erased.is_some());
    }

    fn to_text(&self, files: usize, extent: Extent, intent: Intent) -> String {
        let would = if intent == Intent::Tell { "would be " } else { "" };
        let mut text = format!(
            "{} of {} {would}retracted, with {} rows",
            HumanCount(self.counted as u64),
            counted(files as u64, "file", "files"),
            HumanCount(self.rows)
        );
        if extent == Extent::Everything {
            text.push_str(&format!("; {} {would}erased", HumanCount(self.erased as u64)));
        }
        if intent == Intent::Tell {
            text.push_str("; nothing was changed");
        }
        text
    }
}

fn to_text(file: &FileRetraction, feed: &FeedName, intent: Intent) -> String {
    let would = |done: &'static str, would: &'static str| if intent == Intent::Tell { would } else { done };
    let blob = shown(file.blob.as_str());
    let mut text = match (&file.ledger, file.counted()) {
        (_, Some(record)) => format!(
            "{blob}: {} version {} with {} rows\n",
            would("took back", "would take back"),
            record.etag,
            HumanCount(record.rows_read.saturating_sub(record.rows_rejected).unsigned_abs())
        ),
        (Some(record), None) => {
            format!("{blob}: version {} was retracted before and counts nothing\n", record.etag)
        }
        (None, None) => format!("{blob}: was never counted\n"),
    };
    for part in &file.taken_back {
        text.push_str(&format!(
            "  {}: {}, of which {} {} with it\n",
            part.table,
            counted(part.keys, "key", "keys"),
            HumanCount(part.own_keys),
            would("went", "would go"),
        ));
    }
    match &file.erased {
        Some(erased) => text.push_str(&erased_text(erased, feed, intent)),
        None => text.push_str(&left_text(file)),
    }
    text
}

/// What a person who keeps the file must know.
fn left_text(file: &FileRetraction) -> String {
    let Some(landed) = &file.landed else { return String::new() };
    match &file.ledger {
        None => format!("  version {landed} is landed and waits, or is a dead letter: --erase removes it\n"),
        Some(record) if record.etag != *landed => {
            format!("  version {landed} is landed and not counted yet; it counts when it is loaded\n")
        }
        Some(_) => String::new(),
    }
}

fn erased_text(erased: &Erased, feed: &FeedName, intent: Intent) -> String {
    let removed = if intent == Intent::Tell { "would remove" } else { "removed" };
    let mut things: Vec<String> = Vec::new();
    if let Some(bytes) = erased.landed_bytes {
        things.push(format!("the landed blob ({} bytes)", HumanCount(bytes)));
    }
    let counts = [
        (erased.staged_copies, "staged copy", "staged copies"),
        (erased.curated_files, "curated file", "curated files"),
        (erased.quarantine_files, "quarantine file", "quarantine files"),
        (erased.records, "record", "records"),
    ];
    let there = counts.into_iter().filter(|(count, ..)| *count > 0);
    things.extend(there.map(|(count, one, several)| counted(count as u64, one, several)));
    let things = if things.is_empty() { "nothing, as nothing was left".to_owned() } else { things.join(", ") };
    let mut text = format!("  {removed}: {things}\n");
    text.push_str(match erased.is_known_at_source {
        true => {
            "  the record that it was pulled stays, so that it is not pulled again where it still lies at its source; have it \
             removed there too\n"
        }
        false => {
            "  no record says that it was pulled: if it lies at a source, exclude it there, or the next pull brings it back\n"
        }
    });
    for version in &erased.coming {
        text.push_str(&format!(
            "  a version of {} bytes was seen at the source of feed `{feed}` and has not landed: it will be pulled and \
             counted, unless you exclude it or have it removed there\n",
            HumanCount(version.size_bytes)
        ));
    }
    if erased.load_has_begun {
        text.push_str(
            "  a load of it had begun and not ended: if one is under way, run this again after it, for the bad rows that it \
             may leave\n",
        );
    }
    if erased.newer_landed {
        text.push_str("  a newer version landed meanwhile: it stays and counts; run this again to erase it too\n");
    }
    text
}
