//! What every command but `serve` begins with: settings, pipeline.toml, stations.

use std::path::PathBuf;

use clap::Args;

use super::wiring::Stations;
use super::workspace::{self, Workspace};
use crate::pipeline::Pipeline;
use crate::settings::{EMBEDDED_SFTP, LANDING_STORAGE, LOG, Settings};
use crate::telemetry;

/// Where a command finds the app and its ends.
#[derive(Args, Default)]
pub struct AppArguments {
    /// The app's folder, with host.json, pipeline.toml and local.settings.json
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    app: PathBuf,
    /// The workspace of `millrace dev`, used where neither the environment nor local.settings.json names an end
    #[arg(long, global = true, value_name = "DIR", default_value = workspace::DEFAULT)]
    workspace: PathBuf,
}

/// An app, opened.
pub struct Context {
    pub pipeline: Pipeline,
    pub stations: Stations,
}

impl AppArguments {
    pub fn app(&self) -> &PathBuf {
        &self.app
    }

    /// The environment, then local.settings.json, then the workspace of `dev` if there is one.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let settings = Settings::for_command(&self.app)?;
        let workspace = Workspace::at(&self.workspace);
        Ok(if workspace.exists() { settings.or(workspace.settings()) } else { settings })
    }

    /// The same; and while `dev` runs on the workspace that names the ends, its SFTP server stands in for every source.
    pub fn settings_for_sources(&self) -> anyhow::Result<Settings> {
        let settings = self.settings()?;
        let workspace = Workspace::at(&self.workspace);
        let names_the_ends = settings.get(LANDING_STORAGE) == Some(workspace.landing_storage().as_str());
        let embedded = if names_the_ends { workspace.running_sftp() } else { None };
        Ok(settings.or(embedded.map(|connection| (EMBEDDED_SFTP.to_owned(), connection))))
    }

    pub async fn open(&self) -> anyhow::Result<Context> {
        let settings = self.settings()?;
        telemetry::start_for_command(settings.get(LOG).unwrap_or("warn"));
        let pipeline = Pipeline::read(&settings.pipeline_path(&self.app))?;
        let stations = Stations::open(&settings).await?;
        Ok(Context { pipeline, stations })
    }
}
