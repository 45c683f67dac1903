//! `millrace infer`: a feed for a sample of a partner's file.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use crate::file_ranges::FileRanges;
use crate::inference::infer;

/// Prints a `[[feed]]` for a sample file, with what it guessed and why
#[derive(Args)]
#[command(after_help = "Example: millrace infer orders-2026-11.csv.gz >> pipeline.toml")]
pub struct InferArguments {
    /// A file as the partner sends it; its beginning is read
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn run(arguments: &InferArguments) -> anyhow::Result<()> {
    let path = &arguments.file;
    let unreadable = || format!("{} cannot be read", path.display());
    let file = FileRanges::new(File::open(path).with_context(unreadable)?).with_context(unreadable)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let feed = infer(&name, Arc::new(file)).with_context(|| path.display().to_string())?;
    print!("{feed}");
    Ok(())
}
