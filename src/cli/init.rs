//! `millrace init`: a new app of one's own, in a folder of one's own.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use crate::app::starter;

/// Makes a new app: pipeline.toml, host.json, functions, settings, and a few rows to try; nothing that exists is changed
#[derive(Args)]
#[command(after_help = "Example: millrace init my-app && cd my-app && millrace dev --once")]
pub struct InitArguments {
    /// The new app's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(arguments: &InitArguments) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let files = starter::files();
    let taken: Vec<&str> =
        files.iter().map(|file| file.path.as_str()).filter(|path| folder.join(path).exists()).collect();
    if !taken.is_empty() {
        bail!("{} has {} already: choose another folder", folder.display(), taken.join(", "));
    }
    for file in &files {
        let path = folder.join(&file.path);
        write_new(&path, &file.text).with_context(|| format!("{} cannot be written", path.display()))?;
        println!("{}", path.display());
    }
    println!();
    println!("cd {} && millrace dev --once", folder.display());
    Ok(())
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
