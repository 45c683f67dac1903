//! The command line, one file a command, and the wiring: here alone stations are built.

mod app_folder;
mod check;
mod context;
mod dead_letters;
#[cfg(feature = "dev")]
mod dev;
#[cfg(feature = "dev")]
mod host;
mod infer;
mod init;
mod migrate;
mod plan;
mod replay;
mod retract;
mod send;
mod serve;
#[cfg(feature = "dev")]
mod show;
mod status;
#[cfg(feature = "dev")]
mod totals;
mod values;
mod verify;
mod where_file;
mod wiring;
mod workspace;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::settings::{HANDLER_PORT, Settings};

/// Carries partner files from SFTP to Azure SQL, exactly once.
#[derive(Parser)]
#[command(name = "millrace", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything on this machine: SFTP server, storage, hub, database, Functions host
    #[cfg(feature = "dev")]
    Dev(dev::DevArguments),
    /// Run an app folder as `func start` would, with the ends that its settings name
    #[cfg(feature = "dev")]
    Host(host::HostArguments),
    /// Serve the Functions host: the custom handler
    Serve(serve::ServeArguments),
    /// Make a new app of one's own
    Init(init::InitArguments),
    /// Print a feed for a sample file
    Infer(infer::InferArguments),
    /// Check pipeline.toml, the settings and the function.json files against each other, and try every end
    Check(check::CheckArguments),
    /// Say what a pull would move, and why it would leave each other file
    Plan(plan::PlanArguments),
    /// Create or upgrade the tables
    Migrate(migrate::MigrateArguments),
    /// Show where every file stands
    Status(status::StatusArguments),
    /// Show what failed and why, and give it another try
    DeadLetters(dead_letters::DeadLettersArguments),
    /// Say where a file is: seen, landed, loaded, counted, dead, with times, and what comes next
    Where(where_file::WhereArguments),
    /// Announce landed files again, so that they are counted as pipeline.toml says now
    Replay(replay::ReplayArguments),
    /// Send the rows of a file as events, to try a stream
    Send(send::SendArguments),
    /// Take back what files have counted
    Retract(retract::RetractArguments),
    /// Recount the tables from their parts, and compare landing with the ledger
    Verify(verify::VerifyArguments),
}

/// Runs the command that the arguments name. Exit code 0 (done), 1 (failed, the reason on stderr) or 2 (usage).
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(command) = arguments.command.or_else(handler_command) else {
        // Without a command and without a host there is nothing to do but to say what there is.
        let _ = Arguments::command().print_help();
        return ExitCode::from(2);
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("millrace: the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The Functions host starts the handler without a command.
fn handler_command() -> Option<Command> {
    Settings::from_environment().get(HANDLER_PORT)?;
    Some(Command::Serve(serve::ServeArguments::default()))
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "dev")]
        Command::Dev(arguments) => dev::run(arguments).await,
        #[cfg(feature = "dev")]
        Command::Host(arguments) => host::run(arguments).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Init(arguments) => init::run(&arguments),
        Command::Infer(arguments) => infer::run(&arguments),
        Command::Check(arguments) => check::run(&arguments).await,
        Command::Plan(arguments) => plan::run(arguments).await,
        Command::Migrate(arguments) => migrate::run(arguments).await,
        Command::Status(arguments) => status::run(arguments).await,
        Command::DeadLetters(arguments) => dead_letters::run(arguments).await,
        Command::Where(arguments) => where_file::run(arguments).await,
        Command::Replay(arguments) => replay::run(arguments).await,
        Command::Send(arguments) => send::run(arguments).await,
        Command::Retract(arguments) => retract::run(arguments).await,
        Command::Verify(arguments) => verify::run(arguments).await,
    }
}
