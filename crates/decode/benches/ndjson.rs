//! MB/s of the NDJSON cutter and decoder, on data that it makes itself: `cargo bench -p millrace-decode --bench ndjson`.
//!
//! Each figure is the best of many short runs over the same bytes, so that a busy machine disturbs it little.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_decode::contract::{Column, ColumnType, ValueRules};
use millrace_decode::ndjson::{CutError, DEFAULT_MAX_ROW_BYTES, Decoder, RowCutter};

const TARGET_BYTES: usize = 2 << 20;
const PUSH_BYTES: usize = 256 << 10;
const DATA_BYTES: usize = 16 << 20;
const RUNS: usize = 80;

fn main() {
    let events = [("eventType", ColumnType::String), ("eventTime", ColumnType::Timestamp)];
    let carriers = [("carrier", ColumnType::String), ("time_hour", ColumnType::Timestamp)];
    let flights = [
        ("year", ColumnType::Int64),
        ("dep_delay", ColumnType::Float64),
        ("carrier", ColumnType::String),
        ("tailnum", ColumnType::String),
        ("distance", ColumnType::Int64),
        ("time_hour", ColumnType::Timestamp),
    ];
    println!("{:<44} {:>9} {:>9} {:>9}", "MB/s of NDJSON", "cut", "1 thread", "2 threads");
    report("events, 2 of 4 keys", &make_events(EventData::Text), &events);
    report("events with an object, 2 of 4 keys", &make_events(EventData::Object), &events);
    report("events with an escaped object, 2 of 4 keys", &make_events(EventData::EscapedObject), &events);
    report("events, rows only", &make_events(EventData::Text), &[]);
    report("flights, 2 of 19 keys", &make_flights(), &carriers);
    report("flights, 6 of 19 keys", &make_flights(), &flights);
    report("flights without every third value, 2 of 19", &make_sparse_flights(), &carriers);
}

fn report(name: &str, file: &[u8], needed: &[(&str, ColumnType)]) {
    let mut chunks = Vec::new();
    cut(file, |chunk| chunks.push(chunk));
    let column = |&(name, column_type): &(&str, ColumnType)| Column::new(name, column_type);
    let needed: Vec<Column> = needed.iter().map(column).collect();
    let others = NAMES.iter().filter(|name| needed.iter().all(|column| column.name != **name));
    let others = others.map(|name| Column { required: false, ..Column::new(*name, ColumnType::Json) });
    let contract: Vec<Column> = needed.iter().cloned().chain(others).collect();
    let decoder = Decoder::new(&ValueRules::default(), &contract, &needed).expect("no column has a format");

    let rate = |best: Duration| file.len() as f64 / 1e6 / best.as_secs_f64();
    let cutting = best(|| cut(file, drop));
    let alone = best(|| decode(&decoder, &chunks, 1));
    let both = best(|| decode(&decoder, &chunks, 2));
    println!("{name:<44} {:>9.0} {:>9.0} {:>9.0}", rate(cutting), rate(alone), rate(both));
}

fn best<T>(mut work: impl FnMut() -> T) -> Duration {
    let run = |_| {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    };
    (0..RUNS).map(run).min().expect("there are runs")
}

fn cut(file: &[u8], mut out: impl FnMut(Bytes)) {
    let mut out = |chunk| {
        out(chunk);
        Ok::<(), CutError>(())
    };
    let mut cutter = RowCutter::new(TARGET_BYTES, DEFAULT_MAX_ROW_BYTES);
    for piece in file.chunks(PUSH_BYTES) {
        cutter.push(piece, &mut out).expect("rows are short");
    }
    cutter.finish(&mut out).expect("rows are short");
}

/// Good rows, so that nothing can be left out.
fn decode(decoder: &Decoder, chunks: &[Bytes], threads: usize) -> usize {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut rows = 0;
        while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let decoded = decoder.decode(chunk.clone());
            assert!(decoded.bad.is_empty(), "{:?}", decoded.bad[0]);
            assert!(decoded.unknown_keys.is_empty(), "{:?}", decoded.unknown_keys);
            rows += decoded.good_row_count();
        }
        rows
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    })
}

/// A small generator of our own: the same data on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % sides
    }
}

const TYPES: [&str; 4] = ["click", "page_view", "purchase_completed", "search"];

/// How an event carries its payload.
#[derive(Clone, Copy)]
enum EventData {
    Text,
    Object,
    /// The object as a string.
    EscapedObject,
}

fn make_events(event_data: EventData) -> Vec<u8> {
    let mut dice = Dice(1);
    let mut file = String::new();
    while file.len() < DATA_BYTES {
        let (high, low) = (dice.roll(1 << 30), dice.roll(1 << 30));
        let (day, second) = (dice.roll(28) + 1, dice.roll(60));
        let event_type = TYPES[dice.roll(4) as usize];
        let (page, width) = (dice.roll(100_000), dice.roll(4000));
        let event_data = match event_data {
            EventData::Text => format!("\"page=/item/{page} width={width} session={high} agent=Mozilla/5.0\""),
            EventData::Object => {
                format!("{{\"page\":\"/item/{page}\",\"width\":{width},\"session\":{high},\"agent\":\"Mozilla\"}}")
            }
            EventData::EscapedObject => {
                format!("\"{{\\\"page\\\":\\\"/item/{page}\\\",\\\"width\\\":{width},\\\"session\\\":{high}}}\"")
            }
        };
        let _ = writeln!(
            file,
            "{{\"eventId\":\"{high:08x}-1f2b-4c3d-8e5f-{low:012x}\",\
             \"eventTime\":\"2013-01-{day:02}T10:20:{second:02}.123Z\",\"eventType\":\"{event_type}\",\
             \"eventData\":{event_data}}}"
        );
    }
    file.into_bytes()
}

/// Every key that there is, so that none is unknown.
const NAMES: [&str; 23] = [
    "eventId",
    "eventTime",
    "eventType",
    "eventData",
    "year",
    "month",
    "day",
    "dep_time",
    "sched_dep_time",
    "dep_delay",
    "arr_time",
    "sched_arr_time",
    "arr_delay",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "air_time",
    "distance",
    "hour",
    "minute",
    "time_hour",
];

fn make_flights() -> Vec<u8> {
    let mut dice = Dice(2);
    let mut file = String::new();
    while file.len() < DATA_BYTES {
        let (month, day, hour, minute) = (dice.roll(12) + 1, dice.roll(28) + 1, dice.roll(24), dice.roll(60));
        let carrier = ["UA", "AA", "B6", "DL", "EV"][dice.roll(5) as usize];
        let (delay, flight, tail) = (dice.roll(200), dice.roll(6000), dice.roll(1000));
        let _ = writeln!(
            file,
            "{{\"year\":2013,\"month\":{month},\"day\":{day},\"dep_time\":1{minute:02},\"sched_dep_time\":5{minute:02},\
             \"dep_delay\":{delay},\"arr_time\":645,\"sched_arr_time\":650,\"arr_delay\":-{delay},\
             \"carrier\":\"{carrier}\",\"flight\":{flight},\"tailnum\":\"N{tail}AA\",\"origin\":\"EWR\",\"dest\":\"IAH\",\
             \"air_time\":227,\"distance\":{flight},\"hour\":{hour},\"minute\":{minute},\
             \"time_hour\":\"2013-{month:02}-{day:02}T{hour:02}:00:00Z\"}}",
        );
    }
    file.into_bytes()
}

/// Which values a flight lacks is random.
fn make_sparse_flights() -> Vec<u8> {
    let mut dice = Dice(3);
    let mut file = Vec::new();
    for line in make_flights().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entries = line[1..line.len() - 1].split(|byte| *byte == b',');
        let kept: Vec<&[u8]> = entries.filter(|entry| is_needed(entry) || dice.roll(3) > 0).collect();
        file.extend_from_slice(&[b"{", &kept.join(&b',')[..], b"}\n"].concat());
    }
    file
}

fn is_needed(entry: &[u8]) -> bool {
    entry.starts_with(b"\"carrier\"") || entry.starts_with(b"\"time_hour\"")
}
