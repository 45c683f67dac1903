//! stub while the stand-in is built
use clap::Args;
#[derive(Args)] pub struct DevArguments {}
pub async fn run(_: DevArguments) -> anyhow::Result<()> { anyhow::bail!("later") }
