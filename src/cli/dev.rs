//! `millrace dev`: the whole way on this machine, with nothing else installed.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use super::app_folder;
use super::context::Context;
use super::host::{DEFAULT_PORT, HostRun, VariantArguments, report};
use super::migrate::{BroughtUp, bring_up};
use super::replay::announce_feed_again;
use super::show::{Detail, Lines, print_to};
use super::wiring::{self, Stations};
use super::workspace::{self, Workspace};
use crate::app;
use crate::pipeline::Pipeline;
use crate::secret::Secret;
use crate::settings::{EMBEDDED_SFTP, EmbeddedSftp, PIPELINE, PULL_SCHEDULE, Settings};
use crate::standin::Until;
use crate::standin::sftp_server::{SftpServer, SftpServerOptions};
use crate::telemetry;

/// The user of the embedded SFTP server.
const USER: &str = "partner";

/// Runs everything on this machine: SFTP server, storage, hub, database, Functions host
///
/// Every sftp source is replaced by an embedded server, which serves DIR/<feed>/. The secrets that pipeline.toml refers to need
/// not be set.
#[derive(Args)]
#[command(after_help = "Example: millrace dev --inbox examples/inbox --once")]
pub struct DevArguments {
    /// The folder that the embedded SFTP server serves
    #[arg(long, value_name = "DIR", default_value = "examples/inbox")]
    inbox: PathBuf,
    /// Where everything is kept, so that a second run goes on where the first one stopped
    #[arg(long, value_name = "DIR", default_value = workspace::DEFAULT)]
    workspace: PathBuf,
    /// Another pipeline.toml than the app's; without --app, with functions made for it
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,
    /// The app's folder [default: the current one if it has a host.json, else the copies inside this program]
    #[arg(long, value_name = "DIR")]
    app: Option<PathBuf>,
    /// End when nothing is left to do and print the summaries; fails if there are dead letters
    #[arg(long)]
    once: bool,
    /// Print what the run came to as JSON on stdout (decimals as strings); all else goes to stderr
    #[arg(long, requires = "once")]
    json: bool,
    /// Listen on 127.0.0.1 at this port; 0 takes any [default: 7071; with --once any]
    #[arg(long)]
    port: Option<u16>,
    /// The embedded SFTP server's port; 0 takes any
    #[arg(long, default_value_t = 0)]
    sftp_port: u16,
    #[command(flatten)]
    variant: VariantArguments,
}

pub async fn run(arguments: DevArguments) -> anyhow::Result<()> {
    telemetry::start_for_command("warn");
    let lines = if arguments.json { Lines::ToStderr } else { Lines::ToStdout };
    let workspace = Workspace::at(std::path::absolute(&arguments.workspace)?);
    fs::create_dir_all(workspace.root())
        .with_context(|| format!("workspace {} cannot be made", workspace.root().display()))?;
    let App { folder, pipeline_path, pipeline } = App::open(arguments.app, arguments.pipeline, &workspace)?;

    let server = start_sftp(&arguments.inbox, arguments.sftp_port, &pipeline, &workspace).await?;
    let settings = settings(&workspace, &pipeline_path, &server)?;
    migrate(pipeline, &settings, lines).await?;

    let port = arguments.port.unwrap_or(if arguments.once { 0 } else { DEFAULT_PORT });
    if !arguments.once {
        introduce(&arguments.inbox, &server, port, lines);
    }
    let run = HostRun {
        app: folder,
        pipeline: pipeline_path,
        state: workspace.host_state(),
        port,
        until: if arguments.once { Until::Idle } else { Until::Stopped },
        detail: Detail::Story,
        lines,
        variant: arguments.variant,
    };
    let came_to = run.run(&settings).await?;
    if arguments.once { report(&came_to, arguments.json) } else { Ok(()) }
}

/// What the host runs: host.json and functions in a folder, and what they carry.
struct App {
    folder: PathBuf,
    pipeline_path: PathBuf,
    pipeline: Pipeline,
}

impl App {
    /// The folder that is named, or the current one if it is an app: its functions must be those of its pipeline.toml.
    /// Otherwise functions are made for the pipeline, in the workspace.
    fn open(named: Option<PathBuf>, pipeline: Option<PathBuf>, workspace: &Workspace) -> anyhow::Result<App> {
        let here = Path::new(".");
        let is_app = here.join("host.json").is_file();
        let folder = named.or_else(|| (is_app && pipeline.is_none()).then(|| here.to_owned()));
        let pipeline_path = pipeline.unwrap_or_else(|| folder.as_deref().unwrap_or(here).join("pipeline.toml"));
        let pipeline_path = std::path::absolute(pipeline_path)?;
        let pipeline = Pipeline::read(&pipeline_path)?;
        let folder = match folder {
            Some(folder) => {
                check_functions(&folder, &pipeline, &pipeline_path)?;
                folder
            }
            None => {
                let host_json = match is_app {
                    true => fs::read_to_string(here.join("host.json")).context("host.json cannot be read")?,
                    false => app::as_file(&app::host_json()),
                };
                let folder = workspace.root().join("app");
                app_folder::write(&folder.join("host.json"), &host_json)?;
                app_folder::write_functions(&folder, &pipeline)?;
                folder
            }
        };
        Ok(App { folder, pipeline_path, pipeline })
    }
}

/// A function that is missing would leave a stream unread without a word.
fn check_functions(folder: &Path, pipeline: &Pipeline, pipeline_path: &Path) -> anyhow::Result<()> {
    let faults = match app_folder::faults_of_host(folder) {
        Some(fault) => vec![fault],
        None => app_folder::faults_of_functions(folder, Some(pipeline)),
    };
    if faults.is_empty() {
        return Ok(());
    }
    bail!("the app in {} is not what {} asks for\n{}", folder.display(), pipeline_path.display(), faults.join("\n"))
}

/// The running server, and what the handler must know of it.
struct EmbeddedServer {
    /// Serves as long as it is held.
    _server: SftpServer,
    connection: EmbeddedSftp,
    /// Says to other commands how to reach the server; gone with it.
    _announcement: Announcement,
}

struct Announcement {
    path: PathBuf,
}

impl Announcement {
    fn write(workspace: &Workspace, connection: &EmbeddedSftp) -> anyhow::Result<Self> {
        let path = workspace.sftp_connection();
        write_private(&path, &serde_json::to_string(connection)?)?;
        Ok(Announcement { path })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // One that stays is found out, as nobody answers there.
        let _ = fs::remove_file(&self.path);
    }
}

async fn start_sftp(
    inbox: &Path,
    port: u16,
    pipeline: &Pipeline,
    workspace: &Workspace,
) -> anyhow::Result<EmbeddedServer> {
    for feed in &pipeline.feeds {
        for source in &feed.sources {
            let directory = wiring::embedded_directory(feed, source);
            fs::create_dir_all(inbox.join(directory.trim_start_matches('/')))
                .with_context(|| format!("inbox {} cannot be made", inbox.display()))?;
        }
    }
    let password = password(workspace)?;
    let server = SftpServer::start(SftpServerOptions {
        root: inbox.to_owned(),
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        user: USER.to_owned(),
        password: Secret::new(password.clone()),
        public_key: None,
        host_key: workspace.sftp_state().join("host_key"),
    })
    .await?;
    let connection = EmbeddedSftp {
        host: server.address().ip().to_string(),
        port: server.address().port(),
        user: USER.to_owned(),
        password,
        host_key: server.fingerprint().to_owned(),
    };
    let announcement = Announcement::write(workspace, &connection)?;
    Ok(EmbeddedServer { _server: server, connection, _announcement: announcement })
}

/// Made once for a workspace: others on this machine can reach the port, and shall not write into the inbox.
fn password(workspace: &Workspace) -> anyhow::Result<String> {
    let path = workspace.sftp_state().join("password");
    if let Ok(password) = fs::read_to_string(&path) {
        return Ok(password.trim().to_owned());
    }
    let password = uuid::Uuid::new_v4().simple().to_string()[..16].to_owned();
    write_private(&path, &password)?;
    Ok(password)
}

/// Writes a file for this user's eyes alone.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let unwritable = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(unwritable)?;
    }
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    writeln!(file.with_context(unwritable)?, "{text}").with_context(unwritable)
}

/// The environment of host and handler: the caller's, with all ends embedded.
fn settings(workspace: &Workspace, pipeline: &Path, server: &EmbeddedServer) -> anyhow::Result<Settings> {
    let own = [
        (PULL_SCHEDULE.to_owned(), "*/2 * * * * *".to_owned()),
        (PIPELINE.to_owned(), pipeline.display().to_string()),
        (EMBEDDED_SFTP.to_owned(), serde_json::to_string(&server.connection)?),
    ];
    let embedded = Settings::from_values(workspace.settings().into_iter().chain(own));
    Ok(embedded.or(Settings::from_environment().all().clone()))
}

/// Tables and streams first; then files that were counted by an older meaning of their feed are counted anew.
async fn migrate(pipeline: Pipeline, settings: &Settings, lines: Lines) -> anyhow::Result<()> {
    let context = Context { stations: Stations::open(settings).await?, pipeline };
    let BroughtUp { report, .. } = bring_up(&context).await?;
    for feed in &report.feeds_to_replay {
        let count = announce_feed_again(feed, &context).await?;
        print_to(lines, &format!("feed `{feed}` means something new: {count} files are counted again"));
    }
    Ok(())
}

fn introduce(inbox: &Path, server: &EmbeddedServer, port: u16, lines: Lines) {
    let EmbeddedSftp { host, port: sftp_port, user, password, .. } = &server.connection;
    print_to(lines, &format!("sftp    sftp -P {sftp_port} {user}@{host}   (password {password})"));
    print_to(lines, &format!("inbox   {}", inbox.display()));
    if port != 0 {
        print_to(lines, &format!("status  http://127.0.0.1:{port}/api/status"));
    }
    print_to(lines, "Ctrl+C ends it; what is under way goes on with the next start\n");
}
