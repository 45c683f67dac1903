//! `millrace where`: the story of a file.

use std::ffi::OsString;
use std::fmt::Write;

use anyhow::bail;
use clap::Args;
use indicatif::HumanCount;

use super::context::AppArguments;
use super::wiring;
use crate::operations::whereabouts::{
    Event, FileStory, LedgerAnswer, Looked, Moment, Question, VersionStory, WhereStations, Whereabouts, find,
};
use crate::records::pulled::AtSource;
use crate::words::{moment, shown};

/// Files whose story is told; there may be more.
const FILES_TOLD: usize = 20;

/// Says where a file is: seen, landed, loaded, counted, dead, with times, and what comes next
///
/// FILE is what you have: the name at the source, a path, the name of the landed blob, or a pattern. Names that are no text
/// are found as listings show them. Fails if nothing is known of such a file.
#[derive(Args)]
#[command(after_help = "Example: millrace where 2013-01.csv.gz\n         millrace where 'flights/2013-*' --json")]
pub struct WhereArguments {
    #[arg(value_name = "FILE")]
    file: OsString,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    app: AppArguments,
}

pub async fn run(arguments: WhereArguments) -> anyhow::Result<()> {
    let context = arguments.app.open().await?;
    let question = Question::new(&arguments.file, &context.pipeline);
    let clock = wiring::clock();
    let stations = WhereStations {
        pipeline: &context.pipeline,
        containers: &context.stations.containers,
        share: context.stations.share.as_ref(),
        warehouse: context.stations.warehouse.as_ref(),
        clock: &clock,
    };
    let found = find(&question, FILES_TOLD, &stations).await?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print!("{}", to_text(&found));
    }
    if found.files.is_empty() {
        bail!("{}", nothing_known(&question.asked, &found));
    }
    Ok(())
}

fn nothing_known(asked: &str, found: &Whereabouts) -> String {
    let Looked { pulled, landed, loads, ledger } = found.looked;
    let mut text = format!(
        "nothing is known of `{asked}`: looked through {} records of what was seen and pulled, {} landed files, {} records \
         of loads",
        HumanCount(pulled),
        HumanCount(landed),
        HumanCount(loads)
    );
    match &found.ledger_is_away {
        None => {
            let _ = write!(text, " and {} lines of the ledger", HumanCount(ledger));
        }
        Some(reason) => {
            let _ = write!(text, "; the ledger could not be asked: {reason}");
        }
    }
    match found.near.split_first() {
        None => text.push_str("; `millrace plan` shows what lies at the sources"),
        Some((nearest, others)) => {
            let _ = write!(text, "; did you mean `{nearest}`");
            for other in others {
                let _ = write!(text, " or `{other}`");
            }
            text.push('?');
        }
    }
    text
}

fn to_text(found: &Whereabouts) -> String {
    let mut text = String::new();
    for (position, story) in found.files.iter().enumerate() {
        if position > 0 {
            text.push('\n');
        }
        tell(story, &mut text);
    }
    if found.more > 0 {
        let at_least = if found.has_dropped { "at least " } else { "" };
        let _ = writeln!(text, "\n… and {at_least}{} more, older ones: name them more exactly", found.more);
    }
    if !found.files.is_empty()
        && let Some(reason) = &found.ledger_is_away
    {
        let _ = writeln!(text, "\nthe ledger could not be asked, so this is what storage knows: {reason}");
    }
    text
}

fn tell(story: &FileStory, text: &mut String) {
    let _ = writeln!(text, "{}: {}", shown(story.blob.as_str()), story.standing.words());
    if let Some(source) = &story.source {
        let _ = writeln!(text, "  from {source}");
    }
    for version in &story.versions {
        if story.versions.len() > 1 {
            let _ = writeln!(text, "  {}", title(version));
        }
        for Moment { at, event } in &version.events {
            let _ = writeln!(text, "  {}  {}", moment(*at), event_words(event, version));
        }
    }
    if let LedgerAnswer::Unit { history_goes_on: true, .. } = story.ledger {
        text.push_str("  … and older entries of the ledger's history\n");
    }
    let _ = writeln!(text, "  next: {}", story.next);
}

fn title(version: &VersionStory) -> String {
    match &version.etag {
        Some(etag) if version.is_landed => format!("version {etag}, landed now:"),
        Some(etag) => format!("version {etag}:"),
        None => "a version at the source:".to_owned(),
    }
}

fn event_words(event: &Event, version: &VersionStory) -> String {
    match event {
        Event::Seen { size_bytes, modified } => {
            format!("seen: {} bytes, written {}", HumanCount(*size_bytes), moment(*modified))
        }
        Event::Staged { staged_bytes, size_bytes } => {
            format!("staged since: {} of {} bytes", HumanCount(*staged_bytes), HumanCount(*size_bytes))
        }
        Event::Landed { size_bytes, sha256 } => {
            let etag = version.etag.as_ref().map_or("", |etag| etag.as_str());
            let hash = sha256.as_ref().map(|hash| format!(", sha256 {hash}")).unwrap_or_default();
            format!("landed: {} bytes, etag {etag}{hash}", HumanCount(*size_bytes))
        }
        Event::Finishing { at_source } => match at_source {
            AtSource::Keep => "stays at its source".to_owned(),
            AtSource::Delete => "is being deleted at its source; the next pull goes on with it".to_owned(),
            AtSource::Move(directory) => {
                format!("is being moved to {directory} at its source; the next pull goes on with it")
            }
        },
        Event::LoadBegun { process } => format!("load begun by process {}", short(process)),
        Event::Counted { rows_read, rows_rejected, generation, load_id, displaced } => {
            let gave_way = match displaced {
                Some(etag) if version.etag.as_ref() == Some(etag) => ", in place of its own earlier counts".to_owned(),
                Some(etag) => format!(", in place of version {etag}"),
                None => String::new(),
            };
            format!(
                "counted: {}; generation {generation}, load {}{gave_way}",
                rows(*rows_read, *rows_rejected),
                short(load_id)
            )
        }
        Event::MarkedLoaded { rows_read, rows_rejected, generation } => {
            format!("counted, by its marker: {}; generation {generation}", rows(*rows_read, *rows_rejected))
        }
        Event::Retracted { erased: false } => "retracted: its counts were taken back".to_owned(),
        Event::Retracted { erased: true } => "erased: its counts were taken back, and its files removed".to_owned(),
        Event::Restored => "the retraction was taken back by a replay".to_owned(),
        Event::Quarantined { file, size_bytes } => {
            format!("bad rows in quarantine: {} ({} bytes)", shown(file.as_str()), HumanCount(*size_bytes))
        }
        Event::Curated { file, size_bytes } => {
            format!("typed rows in curated: {} ({} bytes)", shown(file.as_str()), HumanCount(*size_bytes))
        }
        Event::DeadLetter { id, stage, reason, row, tries, .. } => {
            let row = row.map(|row| format!(", row {row}")).unwrap_or_default();
            let tries = if *tries > 1 { format!(", {tries} tries") } else { String::new() };
            format!("dead letter {id} of {stage}{row}{tries}: {reason}")
        }
    }
}

fn rows(read: i64, rejected: i64) -> String {
    format!("{} rows read, {} rejected", HumanCount(read.unsigned_abs()), HumanCount(rejected.unsigned_abs()))
}

/// Enough of an id to tell it from others.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
