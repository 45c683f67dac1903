//! stub while the stand-in is built
use clap::Args;
#[derive(Args)] pub struct HostArguments {}
pub async fn run(_: HostArguments) -> anyhow::Result<()> { anyhow::bail!("later") }
