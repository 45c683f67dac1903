//! `millrace host`: the stand-in for the Functions host, alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU8;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use tokio::sync::mpsc;

use super::context::Context;
use super::show::{Detail, Lines, Show, print_to};
use super::totals::{Before, Totals, totals};
use super::wiring::Stations;
use crate::app;
use crate::clock::Clock;
use crate::pipeline::Pipeline;
use crate::settings::{APP_ROOT, HOST_PROCESS, LOG, Settings};
use crate::standin::{
    BlobEvents, HandlerOptions, HostError, HostOptions, InPlaceOf, NamedProgram, StorageQueues, Until, run_host,
};
use crate::stations::containers::StorageLocation;
use crate::telemetry;

/// The function that is called for each landed blob, by one trigger or the other.
const ANNOUNCE: &str = "announce";
/// The container that it is called for.
const LANDING: &str = "landing";
/// Beside the containers' folders.
const QUEUES_FOLDER: &str = "queues";

/// Where the Functions host listens on a developer's machine.
pub const DEFAULT_PORT: u16 = 7071;

/// Runs an app folder as `func start` would, with its local.settings.json and the environment
///
/// Receipts and checkpoints are its own: it takes nothing away from a Functions host that works on the same ends, and begins with
/// whatever is there. What counts already is not counted again.
#[derive(Args)]
#[command(after_help = "Example: millrace host --app . --until-idle")]
pub struct HostArguments {
    /// The app's folder, with host.json and the functions
    #[arg(long, value_name = "DIR", default_value = ".")]
    app: PathBuf,
    /// End when nothing is left to do; fails if there are dead letters
    #[arg(long)]
    until_idle: bool,
    /// Print what the run came to as JSON on stdout (decimals as strings); the log goes to stderr
    #[arg(long, requires = "until_idle")]
    json: bool,
    /// Listen on 127.0.0.1 at this port; 0 takes any
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Where receipts, checkpoints and timers are remembered
    #[arg(long, value_name = "DIR", default_value = ".millrace/host")]
    state: PathBuf,
    #[command(flatten)]
    variant: VariantArguments,
}

/// What may be other than the app's folder says, to try it.
#[derive(Args, Clone, Copy, Debug)]
pub struct VariantArguments {
    /// How landed files are announced: by polling the container, or by Event Grid's events in a queue [default: as announce's
    /// function.json says]
    #[arg(long, value_name = "WAY")]
    announce: Option<AnnounceBy>,
    /// How many handlers share the work, as the instances of a scaled-out app do
    #[arg(long, value_name = "N", default_value_t = NonZeroU8::MIN)]
    instances: NonZeroU8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnnounceBy {
    Blob,
    Queue,
}

impl VariantArguments {
    /// The function.json that counts in place of the app's.
    fn in_place(self) -> Vec<InPlaceOf> {
        match self.announce {
            None => Vec::new(),
            Some(AnnounceBy::Queue) => vec![app::announce_by_queue()],
            Some(AnnounceBy::Blob) => {
                app::usual_function_jsons().into_iter().filter(|(function, _)| function == ANNOUNCE).collect()
            }
        }
    }
}

pub async fn run(arguments: HostArguments) -> anyhow::Result<()> {
    let settings = Settings::for_command(&arguments.app)?;
    telemetry::start_for_command(settings.get(LOG).unwrap_or("warn"));
    let run = HostRun {
        pipeline: settings.pipeline_path(&arguments.app),
        app: arguments.app,
        state: arguments.state,
        port: arguments.port,
        until: if arguments.until_idle { Until::Idle } else { Until::Stopped },
        detail: Detail::Log,
        lines: if arguments.json { Lines::ToStderr } else { Lines::ToStdout },
        variant: arguments.variant,
    };
    let came_to = run.run(&settings).await?;
    if arguments.until_idle { report(&came_to, arguments.json) } else { Ok(()) }
}

/// One run of the stand-in host.
pub struct HostRun {
    pub app: PathBuf,
    pub pipeline: PathBuf,
    pub state: PathBuf,
    pub port: u16,
    pub until: Until,
    pub detail: Detail,
    pub lines: Lines,
    pub variant: VariantArguments,
}

impl HostRun {
    /// Runs until nothing is left to do, or until Ctrl+C. The host remembers what it did, so that both may be at any time.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<Totals> {
        let context = Context { pipeline: Pipeline::read(&self.pipeline)?, stations: Stations::open(settings).await? };
        let (before, began) = (Before::run(&context).await?, Instant::now());
        // Queues belong to the storage account, as containers do; of an account in Azure the stand-in keeps its own.
        let queues = match &settings.ends()?.storage {
            StorageLocation::Directory(storage) => storage.join(QUEUES_FOLDER),
            StorageLocation::Azure(_) => self.state.join(QUEUES_FOLDER),
        };
        let options = HostOptions {
            handler: handler(&self.app, settings)?,
            app: self.app,
            in_place: self.variant.in_place(),
            settings: settings.all().clone(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
            instances: usize::from(self.variant.instances.get()),
            state: self.state,
            containers: context.stations.containers.clone(),
            hub: context.stations.hub.clone(),
            hub_reader: context.stations.hub_reader.clone(),
            queues: StorageQueues::new(queues, Clock::System),
            blob_events: Some(BlobEvents { function: ANNOUNCE.to_owned(), container: LANDING.to_owned() }),
            until: self.until,
        };
        let (events_in, events) = mpsc::channel(256);
        let show = Show { detail: self.detail, lines: self.lines, containers: context.stations.containers.clone() };
        let showing = tokio::spawn(show.run(events));
        let outcome = tokio::select! {
            outcome = run_host(options, events_in, interrupted()) => outcome,
            () = interrupted_twice() => bail!("interrupted again: the handler is killed, whatever it was at"),
        };
        showing.await.context("what happens could not be shown")?;
        match outcome {
            Ok(()) => totals(&context, before, began.elapsed()).await,
            Err(HostError::Stuck { messages }) => bail!("nothing moves any more: {}", messages.join("; ")),
            Err(error) => Err(error.into()),
        }
    }
}

/// The program that host.json names; this one, where that is `millrace` and the app's folder has none. The settings are its
/// environment.
fn handler(app: &Path, settings: &Settings) -> anyhow::Result<HandlerOptions> {
    let root = std::path::absolute(app).with_context(|| format!("{} is no folder", app.display()))?;
    let mut environment = settings.all().clone();
    environment.insert(APP_ROOT.to_owned(), root.display().to_string());
    environment.insert(HOST_PROCESS.to_owned(), std::process::id().to_string());
    let path = std::env::current_exe().context("this program cannot find its own file")?;
    Ok(HandlerOptions { environment, stand_in: Some(NamedProgram { name: "millrace".to_owned(), path }) })
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without the signal the host runs until it is killed, which it survives.
        std::future::pending::<()>().await;
    }
}

/// The first one asks the host to stop, which waits for what runs.
async fn interrupted_twice() {
    interrupted().await;
    interrupted().await;
}

/// Prints what a run came to.
///
/// # Errors
/// If there are dead letters: a script that runs this must not go on as if all were well.
pub fn report(came_to: &Totals, json: bool) -> anyhow::Result<()> {
    if json {
        print_to(Lines::ToStdout, &serde_json::to_string(came_to)?);
    } else {
        print_to(Lines::ToStdout, came_to.to_text().trim_end());
    }
    match came_to.files.dead_lettered {
        0 => Ok(()),
        1 => bail!("there is a dead letter: `millrace dead-letters` says why"),
        count => bail!("there are {count} dead letters: `millrace dead-letters` says why"),
    }
}
