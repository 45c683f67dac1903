//! `millrace serve`: the custom handler.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::TimeDelta;
use clap::Args;
use tokio::sync::RwLock;
use tracing::{info, warn};

use super::wiring::{self, Stations};
use crate::app;
use crate::counting::Budget;
use crate::faults;
use crate::functions::load::{Feeds, LoadStations};
use crate::functions::stream::{PositionsWritten, StreamedFeeds};
use crate::handler::routes::Routes;
use crate::handler::{parent, server};
use crate::pipeline::Pipeline;
use crate::records::attempts::Worker;
use crate::settings::{FAULT_POINT, HANDLER_PORT, HOST_PROCESS, INSTANCE_ID, Settings};
use crate::telemetry;

/// The Functions host starts this; FUNCTIONS_CUSTOMHANDLER_PORT says where to listen.
#[derive(Args, Default)]
#[command(after_help = "Example: FUNCTIONS_CUSTOMHANDLER_PORT=9000 millrace serve")]
pub struct ServeArguments {}

pub async fn run(_: ServeArguments) -> anyhow::Result<()> {
    let settings = Settings::from_environment();
    telemetry::start_for_host(settings.log_filter());
    let port = settings
        .get(HANDLER_PORT)
        .with_context(|| {
            format!("{HANDLER_PORT} is not set: the Functions host sets it; to run without one use `millrace dev`")
        })?
        .parse()
        .with_context(|| format!("{HANDLER_PORT} is not a port number"))?;
    if let Some(plan) = settings.get(FAULT_POINT) {
        faults::arm(plan);
    }
    let routes = routes(&settings).await?;
    let host = settings.get(HOST_PROCESS).and_then(|id| id.parse().ok());
    tokio::select! {
        served = server::serve(Arc::new(routes), port) => served.with_context(|| format!("port {port} cannot be served"))?,
        () = parent::gone(host) => {}
        () = interrupted_twice() => {}
    }
    // Never an orderly 0: the host takes that for a handler that need not be started again.
    bail!("the host is gone; this handler ends")
}

async fn routes(settings: &Settings) -> anyhow::Result<Routes> {
    let app = settings.app_root();
    let pipeline = Pipeline::read(&settings.pipeline_path(&app))?;
    let feeds = Feeds::new(&pipeline)?;
    let stations = Stations::open(settings).await?;
    let clock = wiring::clock();
    let function_timeout = function_timeout(&app);
    let load = LoadStations {
        containers: stations.containers.clone(),
        warehouse: stations.warehouse.clone(),
        feeds,
        budget: Budget::for_this_machine(),
        worker: worker(settings, function_timeout),
        alone: RwLock::new(()),
        clock: clock.clone(),
    };
    Ok(Routes {
        pull_sources: wiring::pull_sources(&pipeline, settings)?,
        pull: stations.pull(),
        hub: stations.hub.clone(),
        hub_reader: stations.hub_reader.clone(),
        streams: StreamedFeeds::new(&pipeline)?,
        positions_written: PositionsWritten::default(),
        share: stations.share.clone(),
        load,
        clock,
        function_timeout,
        pipeline: Arc::new(pipeline),
    })
}

/// Who this process is to other handlers. The platform names the instance, on which a host runs one handler at a time;
/// elsewhere the host itself is the place.
fn worker(settings: &Settings, function_timeout: Duration) -> Worker {
    let process = uuid::Uuid::new_v4().simple().to_string();
    let host =
        || settings.get(HOST_PROCESS).map_or_else(|| std::os::unix::process::parent_id().to_string(), str::to_owned);
    // Hosts in different containers may have the same number.
    let machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let place = settings.get(INSTANCE_ID).map_or_else(|| format!("{} {}", machine().trim(), host()), str::to_owned);
    let longest_load = TimeDelta::from_std(function_timeout).unwrap_or(TimeDelta::days(1));
    Worker::new(process, place, longest_load)
}

/// `functionTimeout` of host.json, after which the host kills this process; without a limit there, half an hour.
fn function_timeout(folder: &Path) -> Duration {
    let half_an_hour = Duration::from_secs(30 * 60);
    let host = std::fs::read(folder.join("host.json")).map_err(|error| error.to_string());
    let host = host.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
    match host.and_then(|host| app::function_timeout(&host)) {
        Ok(timeout) => timeout.unwrap_or(half_an_hour),
        Err(error) => {
            warn!("functionTimeout is taken as 30 minutes, as host.json cannot be read: {error}");
            half_an_hour
        }
    }
}

/// Ctrl+C under `func start` reaches the handler before its host has stopped its listeners. So the first one is passed over:
/// the host will kill this process when it is done. A second one means a person at a terminal.
async fn interrupted_twice() {
    for interrupts in 1..=2 {
        if tokio::signal::ctrl_c().await.is_err() {
            return std::future::pending().await;
        }
        if interrupts == 1 {
            info!("interrupted: going on until the host stops this process; interrupt again to end it");
        }
    }
}
