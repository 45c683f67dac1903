//! What a tick of the sweep and a status page take over a hundred thousand landed files, all of them loaded: seconds, and peak
//! private memory.
//!
//! `cargo bench --bench sweep` makes the files once (`MILLRACE_BENCH_FILES=1000000` for another number), in
//! `$MILLRACE_BENCH_DIR` or `<tmp>/millrace-bench`, as a directory keeps them.

#[path = "../load/memory.rs"]
mod memory;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures::TryStreamExt;
use millrace::clock::Clock;
use millrace::counting::Budget;
use millrace::functions::announce::AnnounceStations;
use millrace::functions::status::{PageLinks, StatusStations, status};
use millrace::functions::stream::{PositionsWritten, StreamStations, StreamedFeeds};
use millrace::functions::sweep::{SweepReport, SweepStations, sweep};
use millrace::pipeline::Pipeline;
use millrace::records::loaded::{self, LoadedMarker};
use millrace::records::sweep_check::{self, CheckPosition, CheckStage};
use millrace::stations::containers::{Containers, StorageLocation};
use millrace::stations::hub::journal::JournalHub;
use millrace::stations::share::DirectoryShare;
use millrace::stations::warehouse::sqlite::SqliteWarehouse;

use memory::PeakMemory;

const PIPELINE: &str = r#"
[[feed]]
name = "flights"
format = "csv"
[feed.columns]
carrier = "string"
"#;

fn main() {
    let files: usize = std::env::var("MILLRACE_BENCH_FILES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let directory = std::env::var_os("MILLRACE_BENCH_DIR")
        .map_or_else(|| std::env::temp_dir().join("millrace-bench"), PathBuf::from)
        .join(format!("sweep-{files}"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(measure(&directory, files));
}

async fn measure(directory: &Path, files: usize) {
    let containers =
        Containers::open(&StorageLocation::Directory(directory.join("storage"))).await.expect("storage opens");
    make_once(directory, &containers, files).await;
    let clock = Clock::set_to(Clock::System.now() + TimeDelta::hours(1));
    let pipeline = Pipeline::parse("bench.toml", PIPELINE).expect("no faults");
    let streams = StreamedFeeds::new(&pipeline).expect("there are none");
    let (budget, written) = (Budget::for_this_machine(), PositionsWritten::default());
    let place = Place { directory, containers, clock, pipeline, streams, budget, written };

    println!("{} ({files} files)", directory.display());
    place.begin_anew().await;
    for round in ["first round, every marker looked up", "next round, none of them due"] {
        let (mut ticks, mut slowest, mut looked_at) = (0, Duration::ZERO, 0);
        let memory = PeakMemory::watch();
        while looked_at < files {
            let began = Instant::now();
            looked_at += place.tick().await.looked_at;
            slowest = slowest.max(began.elapsed());
            ticks += 1;
            place.clock.advance(TimeDelta::seconds(1));
        }
        println!(
            "  sweep, {round}: {ticks} ticks, the slowest {:.0} ms, peak private memory {:.0} MB",
            slowest.as_secs_f64() * 1e3,
            memory.end() as f64 / 1e6
        );
    }
    let memory = PeakMemory::watch();
    let began = Instant::now();
    let page = place.page().await;
    println!(
        "  status page: {:.0} ms, {:.0} KB, peak private memory {:.0} MB",
        began.elapsed().as_secs_f64() * 1e3,
        page as f64 / 1e3,
        memory.end() as f64 / 1e6
    );
}

struct Place<'a> {
    directory: &'a Path,
    containers: Containers,
    clock: Clock,
    pipeline: Pipeline,
    streams: StreamedFeeds,
    budget: Budget,
    written: PositionsWritten,
}

impl Place<'_> {
    /// Without what earlier runs left. The daily check, which asks the database, is put off.
    async fn begin_anew(&self) {
        for record in ["sweep", "tally"] {
            let _ = fs::remove_dir_all(self.directory.join("storage/millrace-state").join(record));
        }
        let began = self.clock.now() + TimeDelta::days(1);
        let check = CheckPosition { began, stage: CheckStage::Over, digest: None, digest_of_last: None };
        sweep_check::write(&self.containers.state, &check).await.expect("the state can be written");
    }

    async fn tick(&self) -> SweepReport {
        let hub = JournalHub::new(self.directory.join("hub"), self.clock.clone());
        let share = DirectoryShare::open(&self.directory.join("share")).await.expect("the share opens");
        let warehouse = SqliteWarehouse::new(self.directory.join("no-warehouse.db"));
        let at = SweepStations {
            announce: AnnounceStations {
                pipeline: &self.pipeline,
                landing: &self.containers.landing,
                state: &self.containers.state,
                hub: &hub,
                clock: &self.clock,
            },
            share: &share,
            quarantine: &self.containers.quarantine,
            curated: &self.containers.curated,
            warehouse: &warehouse,
            feeds: &self.streams,
            streams: StreamStations {
                hub: &hub,
                warehouse: &warehouse,
                quarantine: &self.containers.quarantine,
                state: &self.containers.state,
                budget: &self.budget,
                clock: &self.clock,
                written: &self.written,
            },
        };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(240);
        let report = sweep(&at, deadline).await.expect("the sweep finds nothing to ask the database about");
        assert_eq!((report.announced_again, report.failed), (0, 0));
        report
    }

    /// Returns how long the page is.
    async fn page(&self) -> usize {
        let share = DirectoryShare::open(&self.directory.join("share")).await.expect("the share opens");
        let hub = JournalHub::new(self.directory.join("hub"), self.clock.clone());
        let at = StatusStations {
            pipeline: &self.pipeline,
            share: &share,
            landing: &self.containers.landing,
            quarantine: &self.containers.quarantine,
            state: &self.containers.state,
            hub: &hub,
            clock: &self.clock,
        };
        let report = status(&at).await.expect("storage answers");
        assert_eq!(report.feeds[0].files.landed, report.feeds[0].files.loaded);
        report.to_html(&PageLinks::default()).len()
    }
}

async fn make_once(directory: &Path, containers: &Containers, files: usize) {
    let done = directory.join("done");
    if done.exists() {
        return;
    }
    for number in 0..files {
        let folder = directory.join(format!("storage/landing/flights/{:03}", number / 1_000));
        if number % 1_000 == 0 {
            fs::create_dir_all(&folder).expect("landing can be made");
        }
        fs::write(folder.join(format!("{number:07}.csv")), "carrier\nUA\n").expect("landing can be written");
    }
    let mut landed = containers.landing.list("flights/", None);
    while let Some(facts) = landed.try_next().await.expect("landing lists") {
        let marker = LoadedMarker {
            blob: facts.name,
            etag: facts.etag,
            generation: 1,
            load_id: None,
            rows_read: 1,
            rows_rejected: 0,
            committed_at: facts.last_modified,
        };
        loaded::write(&containers.state, &marker).await.expect("the state can be written");
    }
    fs::write(done, "").expect("the folder can be written");
}
