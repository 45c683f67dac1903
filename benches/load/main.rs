//! From landing to committed summaries: seconds, MB/s and peak private memory for one large file of each format.
//!
//! `cargo bench --bench load` makes its own files (2 GB of text each; `MILLRACE_BENCH_GB=10` for another size) once, in
//! `$MILLRACE_BENCH_DIR` or `<tmp>/millrace-bench`; `MILLRACE_BENCH_FORMATS=csv,ndjson` names some of the formats. Where Python
//! has DuckDB and Polars (`pip install duckdb polars`), they count the same file in the same run, and the ratio is printed.

mod file;
mod memory;
mod peer;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use millrace::clock::Clock;
use millrace::counting::Budget;
use millrace::functions::load::{Feeds, LoadStations, Loaded, load};
use millrace::names::{BlobName, FeedName};
use millrace::pipeline::Pipeline;
use millrace::records::attempts::Worker;
use millrace::records::landed::LandedFile;
use millrace::stations::containers::{Containers, StorageLocation};
use millrace::stations::warehouse::sqlite::SqliteWarehouse;
use millrace::stations::warehouse::{FeedMeaning, Schema, Warehouse};

use file::{EventFile, Format, made_once};
use memory::PeakMemory;
use peer::Peer;

const PIPELINE: &str = r#"
[[feed]]
name = "events"
format = "FORMAT"
[feed.columns]
eventId   = "string"
eventTime = "timestamp"
eventType = "string"
eventData = "string"

[[summary]]
table = "event_summary"
feed  = "events"
sql   = """
  SELECT CAST(eventTime AS DATE) AS event_date, eventType, COUNT(*) AS event_count
  FROM events GROUP BY event_date, eventType
"""
"#;

const RUNS: usize = 3;

fn main() {
    let gigabytes: f64 = std::env::var("MILLRACE_BENCH_GB").ok().and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let directory = std::env::var_os("MILLRACE_BENCH_DIR")
        .map_or_else(|| std::env::temp_dir().join("millrace-bench"), PathBuf::from);
    let formats = std::env::var("MILLRACE_BENCH_FORMATS").unwrap_or_default();
    let is_wanted = |format: &Format| formats.is_empty() || formats.split(',').any(|name| name == format.name());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    for format in Format::ALL.into_iter().filter(is_wanted) {
        let file = made_once(&directory, format, (gigabytes * 1e9) as u64);
        println!("{} ({:.2} GB, {} rows)", file.path.display(), file.size_bytes as f64 / 1e9, file.rows);
        let peer = Peer::of(format);
        for run in 1..=RUNS {
            let measured = runtime.block_on(measured_load(&directory, &file));
            println!(
                "  millrace run {run}: {:.2} s, {:.0} MB/s, {:.1} million rows/s, peak private memory {:.0} MB",
                measured.seconds,
                file.size_bytes as f64 / 1e6 / measured.seconds,
                file.rows as f64 / 1e6 / measured.seconds,
                measured.peak_bytes as f64 / 1e6
            );
            match peer.seconds(&file) {
                Some(seconds) => println!(
                    "  {:<8} run {run}: {seconds:.2} s, {:.0} MB/s; millrace takes {:.2} times as long",
                    peer.name,
                    file.size_bytes as f64 / 1e6 / seconds,
                    measured.seconds / seconds
                ),
                None if run == 1 => println!("  {} did not answer: is it there? {}", peer.name, peer.install),
                None => {}
            }
        }
    }
}

struct Measured {
    seconds: f64,
    peak_bytes: u64,
}

async fn measured_load(directory: &Path, file: &EventFile) -> Measured {
    let format = file.format.name();
    let blob_name = format!("events/events.{format}");
    let workspace = directory.join("workspace");
    let _ = fs::remove_dir_all(&workspace);
    let containers =
        Containers::open(&StorageLocation::Directory(workspace.join("storage"))).await.expect("storage opens");
    let landing = workspace.join("storage/landing/events");
    fs::create_dir_all(&landing).expect("landing can be made");
    fs::hard_link(&file.path, landing.join(format!("events.{format}")))
        .expect("the file and the workspace are on one file system");

    let pipeline =
        Pipeline::parse("bench.toml", &PIPELINE.replace("FORMAT", format)).expect("the pipeline has no faults");
    let feed = FeedName::new("events").expect("a good name");
    let warehouse = SqliteWarehouse::new(workspace.join("warehouse.db"));
    let meaning = FeedMeaning { feed: feed.clone(), fingerprint: pipeline.fingerprint(&feed) };
    let schema = Schema { meanings: vec![meaning], summaries: pipeline.summaries.clone() };
    warehouse.migrate(&schema).await.expect("the tables are made");

    let blob = BlobName::new(blob_name).expect("a good name");
    let facts = containers.landing.head(&blob).await.expect("landing answers").expect("the file is there");
    let message = LandedFile {
        feed,
        blob,
        etag: facts.etag,
        size_bytes: file.size_bytes,
        sha256: None,
        format: format.to_owned(),
        compression: "none".to_owned(),
    };
    let stations = LoadStations {
        warehouse: Arc::new(warehouse),
        feeds: Feeds::new(&pipeline).expect("the summaries can be planned"),
        budget: Budget::for_this_machine(),
        worker: Worker::new("bench", "here", chrono::TimeDelta::hours(1)),
        alone: tokio::sync::RwLock::new(()),
        clock: Clock::System,
        containers,
    };
    let body = message.encode(stations.containers.landing.url(), stations.clock.now());

    let memory = PeakMemory::watch();
    let began = Instant::now();
    let loaded = load(&body, &stations).await.expect("the load ends");
    let seconds = began.elapsed().as_secs_f64();
    let expected = Loaded::Committed { rows_read: file.rows, rows_rejected: 0 };
    assert_eq!(loaded, expected, "every row counts");
    Measured { seconds, peak_bytes: memory.end() }
}
