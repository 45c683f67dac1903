//! From landing to committed summaries: seconds, MB/s and peak private memory for one large CSV.
//!
//! `cargo bench --bench load` makes its own file (2 GB; `MILLRACE_BENCH_GB=10` for another size) once, in
//! `$MILLRACE_BENCH_DIR` or `<tmp>/millrace-bench`. Where Python has DuckDB (`pip install duckdb`), it counts the same file
//! in the same run, and the ratio is printed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use millrace::clock::Clock;
use millrace::counting::Budget;
use millrace::functions::load::{Feeds, LoadStations, Loaded, load};
use millrace::names::{BlobName, FeedName};
use millrace::pipeline::Pipeline;
use millrace::records::landed::LandedFile;
use millrace::stations::containers::{Containers, StorageLocation};
use millrace::stations::warehouse::sqlite::SqliteWarehouse;
use millrace::stations::warehouse::{FeedMeaning, Schema, Warehouse};

const PIPELINE: &str = r#"
[[feed]]
name = "events"
format = "csv"
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

fn main() {
    let gigabytes: f64 = std::env::var("MILLRACE_BENCH_GB").ok().and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let directory = std::env::var_os("MILLRACE_BENCH_DIR")
        .map_or_else(|| std::env::temp_dir().join("millrace-bench"), PathBuf::from);
    let file = made_once(&directory, (gigabytes * 1e9) as u64);
    let size_bytes = fs::metadata(&file).expect("the file was just made").len();
    println!("file: {} ({:.2} GB, {} rows)", file.display(), size_bytes as f64 / 1e9, rows_for(size_bytes));

    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    for run in 1..=3 {
        let measured = runtime.block_on(measured_load(&directory, &file, size_bytes));
        println!(
            "millrace run {run}: {:.2} s, {:.0} MB/s, peak private memory {:.0} MB",
            measured.seconds,
            size_bytes as f64 / 1e6 / measured.seconds,
            measured.peak_bytes as f64 / 1e6
        );
        match duckdb_seconds(&file) {
            Some(seconds) => println!(
                "DuckDB   run {run}: {seconds:.2} s, {:.0} MB/s; millrace takes {:.2} times as long",
                size_bytes as f64 / 1e6 / seconds,
                measured.seconds / seconds
            ),
            None if run == 1 => println!("DuckDB did not answer: is it there? pip install duckdb"),
            None => {}
        }
    }
}

struct Measured {
    seconds: f64,
    peak_bytes: u64,
}

async fn measured_load(directory: &Path, file: &Path, size_bytes: u64) -> Measured {
    let workspace = directory.join("workspace");
    let _ = fs::remove_dir_all(&workspace);
    let containers =
        Containers::open(&StorageLocation::Directory(workspace.join("storage"))).await.expect("storage opens");
    let landing = workspace.join("storage/landing/events");
    fs::create_dir_all(&landing).expect("landing can be made");
    fs::hard_link(file, landing.join("events.csv")).expect("the file and the workspace are on one file system");

    let pipeline = Pipeline::parse("bench.toml", PIPELINE).expect("the pipeline has no faults");
    let feed = FeedName::new("events").expect("a good name");
    let warehouse = SqliteWarehouse::new(workspace.join("warehouse.db"));
    let meaning = FeedMeaning { feed: feed.clone(), fingerprint: pipeline.fingerprint(&feed) };
    let schema = Schema { meanings: vec![meaning], summaries: pipeline.summaries.clone() };
    warehouse.migrate(&schema).await.expect("the tables are made");

    let blob = BlobName::new("events/events.csv").expect("a good name");
    let facts = containers.landing.head(&blob).await.expect("landing answers").expect("the file is there");
    let message = LandedFile {
        feed,
        blob,
        etag: facts.etag,
        size_bytes,
        sha256: None,
        format: "csv".to_owned(),
        compression: "none".to_owned(),
    };
    let stations = LoadStations {
        warehouse: Arc::new(warehouse),
        feeds: Feeds::new(&pipeline).expect("the summaries can be planned"),
        budget: Budget::for_this_machine(),
        process: "bench".to_owned(),
        alone: tokio::sync::RwLock::new(()),
        clock: Clock::System,
        containers,
    };
    let body = message.encode(stations.containers.landing.url(), stations.clock.now());

    let memory = PeakMemory::watch();
    let began = Instant::now();
    let loaded = load(&body, &stations).await.expect("the load ends");
    let seconds = began.elapsed().as_secs_f64();
    let expected = Loaded::Committed { rows_read: rows_for(size_bytes), rows_rejected: 0 };
    assert_eq!(loaded, expected, "every row counts");
    Measured { seconds, peak_bytes: memory.end() }
}

/// Looks at this process's private memory fifty times a second.
struct PeakMemory {
    peak: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    watcher: thread::JoinHandle<()>,
}

impl PeakMemory {
    fn watch() -> Self {
        let (peak, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let watcher = thread::spawn({
            let (peak, over) = (peak.clone(), over.clone());
            move || {
                while !over.load(Ordering::Relaxed) {
                    peak.fetch_max(private_bytes(), Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(20));
                }
            }
        });
        PeakMemory { peak, over, watcher }
    }

    fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.watcher.join().expect("the watcher does not panic");
        self.peak.load(Ordering::Relaxed)
    }
}

fn private_bytes() -> u64 {
    let Ok(rollup) = fs::read_to_string("/proc/self/smaps_rollup") else { return 0 };
    let kilobytes = |key: &str| -> u64 {
        let line = rollup.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    (kilobytes("Private_Clean:") + kilobytes("Private_Dirty:")) * 1024
}

const ROW_BYTES: u64 = 148;
const HEADER: &str = "eventId,eventTime,eventType,eventData\n";
const TYPES: [&str; 12] = [
    "click", "view", "purchase", "signup", "logout", "search", "scroll", "share", "rate", "refund", "install", "error",
];

fn rows_for(size_bytes: u64) -> u64 {
    (size_bytes - HEADER.len() as u64) / ROW_BYTES
}

/// A year of events, twelve types a day, every row of the same length; the same bytes at every call.
fn made_once(directory: &Path, size_bytes: u64) -> PathBuf {
    fs::create_dir_all(directory).expect("the directory can be made");
    let rows = rows_for(size_bytes.max(1_000));
    let path = directory.join(format!("events-{rows}.csv"));
    let whole = HEADER.len() as u64 + rows * ROW_BYTES;
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == whole) {
        return path;
    }
    println!("making {} …", path.display());
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).expect("the file can be made"));
    file.write_all(HEADER.as_bytes()).expect("the disk has room");
    let mut state: u64 = 42;
    for row in 0..rows {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let day = (state >> 33) % 365;
        let second = (state >> 17) % 86_400;
        let kind = TYPES[((state >> 40) % 12) as usize];
        let (month, day_of_month) = (day / 28 % 12 + 1, day % 28 + 1);
        let line = format!(
            "{row:032x},2025-{month:02}-{day_of_month:02}T{:02}:{:02}:{:02}.{:06}Z,{kind},",
            second / 3600,
            second / 60 % 60,
            second % 60,
            state % 1_000_000
        );
        let filler = ROW_BYTES as usize - line.len() - 1;
        writeln!(file, "{line}{:.<filler$}", "payload").expect("the disk has room");
    }
    file.flush().expect("the disk has room");
    path
}

fn duckdb_seconds(file: &Path) -> Option<f64> {
    let script = "import duckdb, sys, time\n\
        duckdb.execute('SET threads = 2')\n\
        began = time.perf_counter()\n\
        duckdb.execute(\"SELECT CAST(eventTime AS DATE), eventType, COUNT(*) FROM read_csv(?, header = true, columns = \
        {'eventId': 'VARCHAR', 'eventTime': 'TIMESTAMP', 'eventType': 'VARCHAR', 'eventData': 'VARCHAR'}) \
        GROUP BY ALL\", [sys.argv[1]]).fetchall()\n\
        print(time.perf_counter() - began)";
    let output = Command::new("python3").args(["-c", script]).arg(file).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
