//! What a commit to the summary tables takes: seconds for a file of a hundred thousand groups, and for a small batch of events.
//!
//! `cargo bench --bench commit` commits to a new SQLite file in `$MILLRACE_BENCH_DIR` or `<tmp>/millrace-bench` and, where
//! `MILLRACE_TEST_SQLSERVER` holds a connection string, to tables with new names in that database too.
//! `MILLRACE_BENCH_GROUPS=10000` and `MILLRACE_BENCH_KEYS=100000` set the groups of a file and the keys of the large table.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use millrace::names::{BlobName, ETag, FeedName};
use millrace::pipeline::Pipeline;
use millrace::settings::{Settings, WAREHOUSE};
use millrace::stations::warehouse::location::WarehouseLocation;
use millrace::stations::warehouse::sqlite::SqliteWarehouse;
use millrace::stations::warehouse::sqlserver::SqlServerWarehouse;
use millrace::stations::warehouse::{
    FeedMeaning, FileLoad, FileUnit, LandedVersion, Outcome, Schema, Source, StreamLoad, StreamOutcome, StreamUnit,
    SummaryPart, UnitRecord, Warehouse,
};
use millrace_frames::part::{Row, Value};
use millrace_frames::plan::SummaryPlan;

const SERVER: &str = "MILLRACE_TEST_SQLSERVER";
const STREAM_BATCHES: u64 = 50;
const STREAM_KEYS: usize = 100;

fn main() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let sizes =
        Sizes { groups: number("MILLRACE_BENCH_GROUPS", 100_000), keys: number("MILLRACE_BENCH_KEYS", 1_000_000) };
    let directory = std::env::var_os("MILLRACE_BENCH_DIR")
        .map_or_else(|| std::env::temp_dir().join("millrace-bench"), PathBuf::from)
        .join("commit");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    println!("SQLite");
    runtime.block_on(measure(&SqliteWarehouse::new(directory.join("warehouse.db")), sizes));
    let Ok(connection) = std::env::var(SERVER) else {
        println!("no SQL Server: {SERVER} holds no connection string");
        return;
    };
    let location =
        Settings::from_values([(WAREHOUSE.to_owned(), connection)]).warehouse().expect("a connection string");
    let WarehouseLocation::SqlServer(location) = location else { panic!("{SERVER} names no SQL Server") };
    let server = SqlServerWarehouse::new(*location).expect("it can be set up");
    runtime.block_on(async {
        // Its version says what the figures are of: others speak its protocol, too.
        let nothing = Schema { meanings: Vec::new(), summaries: Vec::new() };
        println!("{}", server.standing(&nothing).await.expect("the server answers").reached);
        measure(&server, sizes).await;
    });
}

#[derive(Clone, Copy)]
struct Sizes {
    groups: usize,
    keys: usize,
}

async fn measure(warehouse: &dyn Warehouse, sizes: Sizes) {
    let Sizes { groups, keys } = sizes;
    let bench = Bench::new(warehouse).await;
    let took = bench.commit("first.csv", "1", rows(0, groups, 1)).await;
    println!("  {groups} groups into an empty table: {}", seconds(took));
    let took = bench.commit("first.csv", "2", rows(0, groups, 2)).await;
    println!("  the same file, corrected: {}", seconds(took));
    let took = bench.commit("second.csv", "1", rows(0, groups, 3)).await;
    println!("  another file with the same keys: {}", seconds(took));
    for (number, first) in (groups..keys).step_by(groups).enumerate() {
        bench.commit(&format!("more-{number}.csv"), "1", rows(first, groups.min(keys - first), 1)).await;
    }
    let took = bench.commit("third.csv", "1", rows(keys / 2, groups, 4)).await;
    println!("  {groups} groups into a table of {keys} keys: {}", seconds(took));
    let mut took = Vec::new();
    for batch in 0..STREAM_BATCHES {
        took.push(bench.commit_events(batch, rows(keys / 2, STREAM_KEYS, 1)).await);
    }
    took.sort_unstable();
    let (median, slowest) = (took[took.len() / 2], took[took.len() - 1]);
    println!(
        "  a batch of events with {STREAM_KEYS} keys into it: {:.1} ms at the median, {:.1} ms at most",
        median.as_secs_f64() * 1e3,
        slowest.as_secs_f64() * 1e3
    );
}

fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

/// `count` groups from `first` on: a day, a carrier, a count, a sum and a largest value.
fn rows(first: usize, count: usize, flights: i64) -> Vec<Row> {
    let row = |number: usize| {
        let (day, carrier) = (i32::try_from(number / 1000).expect("few days"), format!("C{:03}", number % 1000));
        vec![
            Value::Date(15_000 + day),
            Value::Text(carrier),
            Value::Int64(flights),
            Value::Int64(flights * 1000 + 7),
            Value::Float64(flights as f64 * 1.5),
        ]
    };
    (first..first + count).map(row).collect()
}

/// A feed with one summary, whose names nobody else has.
struct Bench<'w> {
    warehouse: &'w dyn Warehouse,
    feed: FeedName,
    plan: SummaryPlan,
    generation: i64,
}

/// Landing holds whatever is committed.
struct Landed(ETag);

#[async_trait]
impl LandedVersion for Landed {
    async fn current(&self, _blob: &BlobName) -> Result<Option<ETag>, Source> {
        Ok(Some(self.0.clone()))
    }
}

impl<'w> Bench<'w> {
    async fn new(warehouse: &'w dyn Warehouse) -> Self {
        let name = format!("bench_{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let text = format!(
            r#"
            [[feed]]
            name = "{name}"
            format = "csv"
            [feed.columns]
            day = "date"
            carrier = "string"
            distance = "int64"
            delay = "float64"
            [[summary]]
            table = "{name}_days"
            feed = "{name}"
            sql = """
              SELECT day, carrier, COUNT(*) AS flights, SUM(distance) AS miles, MAX(delay) AS worst
              FROM {name} GROUP BY day, carrier
            """
            key_length = {{ carrier = 8 }}
            "#
        );
        let pipeline = Pipeline::parse("bench.toml", &text).expect("the pipeline has no faults");
        let feed = FeedName::new(name).expect("a good name");
        let meaning = FeedMeaning { feed: feed.clone(), fingerprint: pipeline.fingerprint(&feed) };
        let schema = Schema { meanings: vec![meaning.clone()], summaries: pipeline.summaries.clone() };
        warehouse.migrate(&schema).await.expect("the tables are made");
        let generation = warehouse.generation(&meaning).await.expect("the tables are there");
        Bench { warehouse, feed, plan: pipeline.summaries[0].clone(), generation }
    }

    async fn commit(&self, file: &str, etag: &str, rows: Vec<Row>) -> Duration {
        let etag = ETag::new(etag).expect("a good tag");
        let load = FileLoad {
            record: UnitRecord {
                unit: FileUnit {
                    feed: self.feed.clone(),
                    blob: BlobName::new(format!("{}/{file}", self.feed)).expect("a good name"),
                },
                etag: etag.clone(),
                generation: self.generation,
                load_id: uuid::Uuid::new_v4().simple().to_string(),
                size_bytes: 1,
                sha256: None,
                rows_read: i64::try_from(rows.len()).expect("few rows"),
                rows_rejected: 0,
                quarantine: None,
                curated: None,
                committed_at: Utc::now(),
                retracted_at: None,
            },
            parts: vec![self.part(rows)],
        };
        let began = Instant::now();
        let outcome = self.warehouse.commit_file(&load, &Landed(etag)).await.expect("the commit succeeds");
        let took = began.elapsed();
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
        took
    }

    async fn commit_events(&self, batch: u64, rows: Vec<Row>) -> Duration {
        let per_batch = rows.len() as u64;
        let load = StreamLoad {
            unit: StreamUnit {
                feed: self.feed.clone(),
                namespace: "bench".to_owned(),
                hub: "events".to_owned(),
                incarnation: DateTime::UNIX_EPOCH,
                partition: "0".to_owned(),
            },
            generation: self.generation,
            expected_next: (batch > 0).then_some(batch * per_batch),
            begins: 0,
            applied: Some((batch + 1) * per_batch - 1),
            applied_enqueued_at: Some(Utc::now()),
            events_read: per_batch,
            events_rejected: 0,
            quarantine: None,
            parts: vec![self.part(rows)],
            gaps: Vec::new(),
            committed_at: Utc::now(),
        };
        let began = Instant::now();
        let outcome = self.warehouse.commit_stream(&load).await.expect("the commit succeeds");
        let took = began.elapsed();
        assert_eq!(outcome, StreamOutcome::Committed);
        took
    }

    fn part(&self, rows: Vec<Row>) -> SummaryPart {
        SummaryPart { plan: self.plan.clone(), rows }
    }
}
