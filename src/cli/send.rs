//! `millrace send`: the rows of a file as events, to try a stream.

mod rows;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::context::AppArguments;
use super::wiring::Stations;
use crate::pipeline::Pipeline;
use crate::records::landed::FILES_HUB;
use crate::settings::Settings;
use crate::stations::hub::{HubError, HubSender, NewEvent};
use crate::words::counted;

use rows::{Rows, key_of, rows_of};

/// The longest partition key that Event Hubs takes (<https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas>).
const LONGEST_KEY: usize = 128;

/// Sends the rows of an NDJSON file to a hub, each as an event, to try a stream
///
/// A row is sent as it stands there, byte for byte: a bad one too, which is how one tries quarantine. Empty lines are no rows.
/// While `millrace dev` runs, its own hub is meant.
#[derive(Args)]
#[command(after_help = "Examples:
  millrace send events examples/inbox/events/2026-11-01.ndjson
  zcat *.ndjson.gz | millrace send events - --key eventType")]
pub struct SendArguments {
    /// The hub, as [feed.stream] names it
    #[arg(value_name = "HUB")]
    hub: String,
    /// A file with an object a line, also .gz, .zst or .zip; `-` reads stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Rows with the same value of this column go to one partition, in their order [default: to all in turn]
    #[arg(long, value_name = "COLUMN")]
    key: Option<String>,
    #[command(flatten)]
    app: AppArguments,
}

pub async fn run(arguments: SendArguments) -> anyhow::Result<()> {
    if arguments.hub.eq_ignore_ascii_case(FILES_HUB) {
        bail!("hub `{FILES_HUB}` is millrace's own: name the hub of a [feed.stream]");
    }
    let settings = arguments.app.settings()?;
    note_if_nobody_listens(&arguments, &settings);
    let stations = Stations::open(&settings).await?;
    let mut rows = Rows::read(&arguments.file)?;
    let bar = bar(rows.size_bytes());
    let mut sending = Sending {
        hub: stations.hub,
        name: arguments.hub,
        key: arguments.key,
        lines: 0,
        keyless: 0,
        sent: BTreeMap::new(),
    };
    while let Some(chunk) = rows.next().await {
        let chunk = chunk.with_context(|| format!("after line {}; {}", sending.lines, sending.so_far()))?;
        sending.send(&chunk.bytes).await?;
        bar.set_position(chunk.read_bytes);
        bar.set_message(HumanCount(sending.total()).to_string());
    }
    bar.finish_and_clear();
    sending.report();
    Ok(())
}

/// A misspelt hub would take events that nobody reads.
fn note_if_nobody_listens(arguments: &SendArguments, settings: &Settings) {
    let path = settings.pipeline_path(arguments.app.app());
    let Ok(pipeline) = Pipeline::read(&path) else { return };
    let mut streams = pipeline.feeds.iter().filter_map(|feed| feed.stream.as_ref());
    if streams.all(|stream| stream.hub != arguments.hub) {
        eprintln!("note: no feed of {} streams hub `{}`", path.display(), arguments.hub);
    }
}

fn bar(size_bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match size_bytes {
        Some(size_bytes) => (ProgressBar::new(size_bytes), "{spinner} {msg} events sent {wide_bar} {eta}"),
        None => (ProgressBar::no_length(), "{spinner} {msg} events sent {elapsed}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).expect("the template is ours and has no fault"));
    bar
}

/// What is on its way, and what has arrived.
struct Sending {
    hub: Arc<dyn HubSender>,
    name: String,
    key: Option<String>,
    /// Of the chunks before.
    lines: u64,
    /// Rows without the key's column.
    keyless: u64,
    /// How many events each partition took.
    sent: BTreeMap<String, u64>,
}

impl Sending {
    async fn send(&mut self, chunk: &Bytes) -> anyhow::Result<()> {
        let rows = rows_of(chunk);
        let mut events = Vec::with_capacity(rows.len());
        for (line, row) in &rows {
            let partition_key = self.key.as_deref().and_then(|column| key_of(row, column));
            let length = partition_key.as_ref().map_or(0, |key| key.chars().count());
            if length > LONGEST_KEY {
                self.send_events(events).await?;
                bail!(
                    "line {}: its key has {length} characters, more than the {LONGEST_KEY} that Event Hubs takes; {}",
                    self.lines + line,
                    self.so_far()
                );
            }
            self.keyless += u64::from(self.key.is_some() && partition_key.is_none());
            events.push(NewEvent { partition_key, body: row.clone() });
        }
        match self.send_events(events.clone()).await {
            Err(HubError::TooLarge { limit_bytes, .. }) => self.send_until(limit_bytes, &rows, events).await?,
            Err(other) => {
                let (first, last) = (rows.first().map_or(0, |row| row.0), rows.last().map_or(0, |row| row.0));
                let some = format!("of lines {} to {} some may have been", self.lines + first, self.lines + last);
                return Err(other).context(format!("{}, and {some}", self.so_far()));
            }
            Ok(()) => {}
        }
        self.lines += memchr::memchr_iter(b'\n', chunk).count() as u64;
        Ok(())
    }

    async fn send_events(&mut self, events: Vec<NewEvent>) -> Result<(), HubError> {
        if events.is_empty() {
            return Ok(());
        }
        for (partition, count) in self.hub.send_many(&self.name, events).await? {
            *self.sent.entry(partition).or_default() += count;
        }
        Ok(())
    }

    /// The events before the one that is too large, and what is to be said of that one.
    async fn send_until(
        &mut self,
        limit_bytes: usize,
        rows: &[(u64, Bytes)],
        mut events: Vec<NewEvent>,
    ) -> anyhow::Result<()> {
        let too_large = rows.iter().position(|(_, row)| row.len() > limit_bytes);
        let position = too_large.context("the hub refuses an event as too large that is within its limit")?;
        events.truncate(position);
        self.send_events(events).await?;
        let (line, row) = &rows[position];
        bail!(
            "line {}: {} bytes are more than the {} that hub `{}` takes; {}",
            self.lines + line,
            HumanCount(row.len() as u64),
            HumanCount(limit_bytes as u64),
            self.name,
            self.so_far()
        )
    }

    fn total(&self) -> u64 {
        self.sent.values().sum()
    }

    /// For an error, which stops everything.
    fn so_far(&self) -> String {
        match self.total() {
            0 => "nothing was sent before it".to_owned(),
            1 => "1 event was sent before it".to_owned(),
            count => format!("{} events were sent before it", HumanCount(count)),
        }
    }

    fn report(&self) {
        println!("{} sent to hub `{}`", counted(self.total(), "event", "events"), self.name);
        let mut partitions: Vec<_> = self.sent.iter().collect();
        partitions.sort_by_key(|(partition, _)| (partition.len(), *partition));
        for (partition, count) in partitions {
            println!("  partition {partition}: {}", HumanCount(*count));
        }
        if let Some(column) = self.key.as_ref().filter(|_| self.keyless > 0) {
            let rows = counted(self.keyless, "row has", "rows have");
            println!("{rows} no `{column}`, and went to all partitions in turn");
        }
    }
}
