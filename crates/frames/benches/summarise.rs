//! How many rows a second two threads summarise: the query of the design's figures, over chunks decoded beforehand.
//!
//! `cargo bench -p millrace -p millrace-frames --bench summarise` prints rows a second for each query and chunk size.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use millrace_decode::columns::{ColumnValues, DecodedChunk, StringView, Values};
use millrace_decode::contract::{Column as ContractColumn, ColumnType};
use millrace_frames::part::Part;
use millrace_frames::plan::{AggregateCall, DraftColumn, DraftRole, SummaryDraft, SummaryPlan};
use millrace_frames::summarise::{Rule, Summariser};
use millrace_frames::typing::type_summary;
use polars::prelude::*;

const ROWS: usize = 12_000_000;
const THREADS: usize = 2;
const EVENT_TYPES: [&str; 12] = [
    "click",
    "view",
    "purchase",
    "refund",
    "login",
    "logout",
    "search",
    "share",
    "add_to_cart",
    "checkout",
    "rate",
    "reply",
];
const MICROS_PER_DAY: i64 = 86_400_000_000;

fn main() {
    let count = summary(vec![
        key("event_date", "CAST(eventTime AS DATE)"),
        key("eventType", "eventType"),
        measure("event_count", AggregateCall::CountRows),
    ]);
    let sums = summary(vec![
        key("event_date", "CAST(eventTime AS DATE)"),
        key("eventType", "eventType"),
        measure("event_count", AggregateCall::CountRows),
        measure("total", AggregateCall::Sum("amount".to_owned())),
        measure("dearest", AggregateCall::Max("price".to_owned())),
        measure("average_sum", AggregateCall::Sum("price * 2".to_owned())),
    ]);
    let rules = [Rule { name: "sane price".to_owned(), sql: "price IS NULL OR price BETWEEN 0 AND 3000".to_owned() }];
    for chunk_rows in [1_000, 20_000, 100_000, 500_000] {
        let ours = run("date, type, COUNT", chunk_rows, &[], std::slice::from_ref(&count));
        let theirs = run_polars(chunk_rows);
        println!("  Polars' group_by over the same rows: {theirs:.2} s, ratio {:.2}", theirs / ours);
        run("date, type, 4 measures, 1 rule", chunk_rows, &rules, std::slice::from_ref(&sums));
    }
}

fn run(what: &str, chunk_rows: usize, rules: &[Rule], plans: &[SummaryPlan]) -> f64 {
    let chunks: Vec<DecodedChunk> = (0..8).map(|seed| chunk(chunk_rows, seed)).collect();
    let summariser = Summariser::new(&columns(), rules, plans, "events").expect("the plans were typed");
    let rounds = ROWS / chunk_rows;
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let mut merged = Part::empty(&plans[0]);
                    loop {
                        let round = next.fetch_add(1, Ordering::Relaxed);
                        if round >= rounds {
                            return merged;
                        }
                        let summary = summariser.summarise(&chunks[round % chunks.len()]).expect("no row fails");
                        for part in summary.parts {
                            merged.merge(part).expect("sums stay small");
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a worker does not panic")).collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    let groups = parts.iter().map(Part::len).max().unwrap_or_default();
    let rows = rounds * chunk_rows;
    println!(
        "{what}, chunks of {chunk_rows}: {rows} rows in {seconds:.2} s with {THREADS} threads, {:.1} million rows/s, \
         {groups} groups",
        rows as f64 / seconds / 1e6
    );
    seconds
}

/// The peer: two threads that group frames by Polars. It only counts: no parts are merged.
fn run_polars(chunk_rows: usize) -> f64 {
    let frames: Vec<DataFrame> = (0..8).map(|seed| frame(&chunk(chunk_rows, seed))).collect();
    let rounds = ROWS / chunk_rows;
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    if round >= rounds {
                        return;
                    }
                    let frame = frames[round % frames.len()].clone().lazy();
                    let day = col("eventTime").cast(DataType::Date);
                    frame.group_by([day, col("eventType")]).agg([len()]).collect().expect("no row fails");
                }
            });
        }
    });
    started.elapsed().as_secs_f64()
}

fn frame(chunk: &DecodedChunk) -> DataFrame {
    let (Values::Timestamp(times), Values::String { views, .. }) = (&chunk.columns[0].values, &chunk.columns[1].values)
    else {
        unreachable!("`chunk` makes these columns first")
    };
    let times = Int64Chunked::from_slice("eventTime".into(), times).into_datetime(TimeUnit::Microseconds, None);
    let types = views.iter().map(|view| {
        let bytes: Vec<u8> =
            [view.prefix, view.buffer, view.offset].iter().flat_map(|word| word.to_le_bytes()).collect();
        String::from_utf8_lossy(&bytes[..view.length as usize]).into_owned()
    });
    let types = StringChunked::from_iter_values("eventType".into(), types);
    DataFrame::new(views.len(), vec![times.into_column(), types.into_column()]).expect("columns of one length")
}

fn columns() -> Vec<ContractColumn> {
    [
        ("eventTime", ColumnType::Timestamp),
        ("eventType", ColumnType::String),
        ("amount", ColumnType::Int64),
        ("price", ColumnType::Float64),
    ]
    .map(|(name, column_type)| ContractColumn::new(name, column_type))
    .to_vec()
}

fn key(name: &str, expression: &str) -> DraftColumn {
    let role = DraftRole::Key { expression: expression.to_owned(), max_utf16: 256 };
    DraftColumn { name: name.to_owned(), role }
}

fn measure(name: &str, call: AggregateCall) -> DraftColumn {
    DraftColumn { name: name.to_owned(), role: DraftRole::Measure(call) }
}

fn summary(outputs: Vec<DraftColumn>) -> SummaryPlan {
    let draft = SummaryDraft { table: "t".to_owned(), feed: "events".to_owned(), columns: outputs, filter: None };
    type_summary(draft, &columns(), "bench".to_owned()).expect("the summary is sound")
}

/// Rows in random order over a year: nothing that a cache of the last key could profit from.
fn chunk(rows: usize, seed: u64) -> DecodedChunk {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let times = (0..rows).map(|_| (15_706 + random(365) as i64) * MICROS_PER_DAY + random(86_400) as i64 * 1_000_000);
    let times = times.collect();
    let views = (0..rows).map(|_| inline(EVENT_TYPES[random(12) as usize])).collect();
    let amounts = (0..rows).map(|_| random(1_000) as i64).collect();
    let prices = (0..rows).map(|_| random(1_000) as f64 / 8.0).collect();
    let all = |values| ColumnValues { values, validity: None };
    DecodedChunk {
        bytes: Bytes::new(),
        row_count: rows as u32,
        columns: vec![
            all(Values::Timestamp(times)),
            all(Values::String { views, unescaped: Vec::new() }),
            all(Values::Int64(amounts)),
            all(Values::Float64(prices)),
        ],
        bad: Vec::new(),
        unknown_keys: Vec::new(),
    }
}

fn inline(text: &str) -> StringView {
    let mut bytes = [0u8; 12];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    StringView { length: text.len() as u32, prefix: word(0), buffer: word(4), offset: word(8) }
}
