//! Several loads at the same time, with one small budget between them.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::FutureExt;
use futures::future::join_all;
use millrace_frames::part::{Row, Value};

use super::memory::Cost;
use super::{Budget, CountError, Counted, FeedCounter, LandedBlob, count};
use crate::clock::Clock;
use crate::names::BlobName;
use crate::pipeline::Pipeline;
use crate::stations::containers::Containers;

const PIPELINE: &str = r#"
[[feed]]
name = "rows"
format = "csv"
curated = true
max_reject_ratio = 0.5
[feed.columns]
key = "string"
amount = "int64"

[[feed]]
name = "again"
format = "parquet"
[feed.columns]
key = "string"
amount = "int64"

[[summary]]
table = "sums"
feed = "rows"
sql = "SELECT key, COUNT(*) AS rows, SUM(amount) AS total FROM rows GROUP BY key"

[[summary]]
table = "sums_again"
feed = "again"
sql = "SELECT key, COUNT(*) AS rows, SUM(amount) AS total FROM again GROUP BY key"
"#;

/// How long anything may take on a busy machine before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);

struct Place {
    pipeline: Pipeline,
    containers: Containers,
}

impl Place {
    fn new() -> Self {
        let pipeline = Pipeline::parse("pipeline.toml", PIPELINE).unwrap();
        Place { pipeline, containers: Containers::in_memory(&Clock::System).0 }
    }

    async fn land(&self, name: &str, body: impl Into<Bytes>) -> LandedBlob {
        let (blob, body) = (BlobName::new(name).unwrap(), body.into());
        let size_bytes = body.len() as u64;
        let etag = self.containers.landing.put(&blob, body).await.unwrap();
        LandedBlob { blob, etag, size_bytes }
    }

    async fn count(&self, landed: &LandedBlob, budget: &Budget) -> Result<Counted, CountError> {
        let feed = self.pipeline.feed(&landed.blob.feed().unwrap()).unwrap();
        let counter = FeedCounter::new(&self.pipeline, feed).unwrap();
        let load_id = landed.blob.as_str().replace(['/', '.'], "-");
        count(&counter, &self.containers, landed, &load_id, budget).await
    }
}

/// `amount` is the row's number; every hundredth row is bad. `padding` makes rows long.
fn csv(rows: usize, padding: usize) -> String {
    let pad = "x".repeat(padding);
    let mut text = String::from("key,amount,note\n");
    for row in 0..rows {
        let amount = if row % 100 == 99 { "bad".to_owned() } else { row.to_string() };
        text.push_str(&format!("{},{amount},{pad}\n", row % 3));
    }
    text
}

/// Rows and amounts of all keys together.
fn totals(counted: &Counted) -> (u64, i64) {
    let int = |row: &Row, at: usize| match &row[at] {
        Value::Int64(value) => *value,
        other => panic!("{other:?}"),
    };
    let rows = &counted.parts[0].rows;
    (rows.iter().map(|row| int(row, 1) as u64).sum(), rows.iter().map(|row| int(row, 2)).sum())
}

fn expected(rows: usize) -> (u64, i64) {
    let good = (0..rows).filter(|row| row % 100 != 99);
    (good.clone().count() as u64, good.map(|row| row as i64).sum())
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("nobody waits for ever")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_whose_chunks_are_larger_than_the_whole_budget_all_end_and_are_right() {
    let place = Place::new();
    // Chunks of 1 MiB cost four; rows of 300 KB and one of 3 MB are chunks of their own sizes.
    let budget = Budget::of(2, 1 << 20);
    let mut files = Vec::new();
    for (number, (rows, padding)) in
        [(60_000, 30), (50_000, 40), (7, 300_000), (2, 3_000_000), (1, 0), (90_000, 9)].into_iter().enumerate()
    {
        files.push((place.land(&format!("rows/{number}.csv"), csv(rows, padding)).await, rows));
    }
    for _ in 0..2 {
        let counted = in_time(join_all(files.iter().map(|(landed, _)| place.count(landed, &budget)))).await;
        for (counted, (landed, rows)) in counted.into_iter().zip(&files) {
            let counted = counted.unwrap();
            assert_eq!((counted.rows_read, totals(&counted)), (*rows as u64, expected(*rows)), "{}", landed.blob);
            assert_eq!(counted.rows_rejected, (*rows / 100) as u64);
        }
        assert_eq!(budget.free_bytes(), 1 << 20, "everything was given back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parquet_and_text_share_a_budget_and_no_reader_waits_with_memory_in_hand() {
    let place = Place::new();
    let roomy = Budget::of(2, 64 << 20);
    let text = place.land("rows/seed.csv", csv(200_000, 5)).await;
    let curated = place.count(&text, &roomy).await.unwrap().curated.unwrap();
    let parquet = place.containers.curated.get(&BlobName::new(curated).unwrap()).await.unwrap().unwrap();

    let budget = Budget::of(2, 1 << 20);
    let mut files = vec![text];
    for number in 0..5 {
        files.push(place.land(&format!("again/{number}.parquet"), parquet.clone()).await);
    }
    let counted = in_time(join_all(files.iter().map(|landed| place.count(landed, &budget)))).await;
    for (counted, landed) in counted.into_iter().zip(&files) {
        assert_eq!(totals(&counted.unwrap()), expected(200_000), "{}", landed.blob);
    }
    assert_eq!(budget.free_bytes(), 1 << 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_somebody_has_the_whole_budget_no_load_counts_a_chunk() {
    let place = Place::new();
    let budget = Budget::of(2, 1 << 20);
    let everything = budget.room(Cost::of_text(1 << 20)).await;
    let mut files = Vec::new();
    for number in 0..12 {
        files.push(place.land(&format!("rows/{number}.csv"), csv(100, 0)).await);
    }
    let mut loads = Box::pin(join_all(files.iter().map(|landed| place.count(landed, &budget))));
    for _ in 0..200 {
        assert!((&mut loads).now_or_never().is_none(), "there is no room for it");
        tokio::task::yield_now().await;
    }
    assert_eq!(budget.free_turns(), 0, "the others have not begun: each would hold threads");
    drop(everything);
    let counted = in_time(loads).await;
    assert!(counted.into_iter().all(|counted| totals(&counted.unwrap()) == expected(100)));
    assert!(budget.free_turns() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_is_given_up_gives_back_what_it_had() {
    let place = Place::new();
    let budget = Budget::of(2, 8 << 20);
    let turns = budget.free_turns();
    let landed = place.land("rows/large.csv", csv(400_000, 30)).await;
    for _ in 0..3 {
        let mut load = Box::pin(place.count(&landed, &budget));
        let mut has_begun = false;
        in_time(async {
            while !has_begun {
                assert!((&mut load).now_or_never().is_none(), "it takes longer than this");
                has_begun = budget.free_bytes() < 8 << 20;
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop(load);
        in_time(async {
            while budget.free_bytes() < 8 << 20 || budget.free_turns() < turns {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
    assert_eq!(totals(&in_time(place.count(&landed, &budget)).await.unwrap()), expected(400_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_at_fault_stops_its_own_load_and_no_other() {
    let place = Place::new();
    let budget = Budget::of(2, 1 << 20);
    // It is cut off, which its reader finds out when half of the rows are counted.
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(csv(300_000, 10).as_bytes()).unwrap();
    let zipped = zipped.finish().unwrap();
    let bad = place.land("rows/bad.csv.gz", zipped[..zipped.len() / 2].to_vec()).await;
    let good = place.land("rows/good.csv", csv(150_000, 10)).await;
    let (failed, counted) =
        in_time(async { tokio::join!(place.count(&bad, &budget), place.count(&good, &budget)) }).await;
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(totals(&counted.unwrap()), expected(150_000));
    in_time(async {
        while budget.free_bytes() < 1 << 20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
