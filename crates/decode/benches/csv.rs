//! MB/s of the text's way to chunks and of the decoder, on data that it makes itself: `cargo bench -p millrace-decode`.
//!
//! Each figure is the best of many short runs over the same bytes, so that a busy machine disturbs it little.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::{Compress, FlushCompress};
use millrace_decode::contract::{Column, ColumnType, ValueRules};
use millrace_decode::csv::{ChunkReader, CsvError, CsvLayout, DEFAULT_MAX_ROW_BYTES, Decoder, Header};
use millrace_decode::inflate::{Compression, InflateError, Inflater};
use millrace_decode::text::{Encoding, encoding_of_label};

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
    println!("{:<44} {:>9} {:>9} {:>9}", "MB/s of CSV", "cut", "1 thread", "2 threads");
    report("events, 2 of 4 columns", &make_events(false), &events);
    report("events with quotes, 2 of 4 columns", &make_events(true), &events);
    report("events, rows only", &make_events(false), &[]);
    report("flights, 2 of 19 columns", &make_flights(false), &carriers);
    report("flights, 6 of 19 columns", &make_flights(false), &flights);
    report("flights, every cell quoted, 6 of 19 columns", &make_flights(true), &flights);
    report_inflating(&make_flights(false));
    report_around(&make_flights(false));
}

fn report(name: &str, file: &[u8], needed: &[(&str, ColumnType)]) {
    let layout = CsvLayout::default();
    let columns: Vec<Column> = needed.iter().map(|&(name, column_type)| Column::new(name, column_type)).collect();
    let mut chunks = Vec::new();
    cut(file, &layout, |chunk| chunks.push(chunk));
    let (header, _) = Header::read(&layout, file).expect("the data has a header");
    header.check(&layout, &columns).expect("the data has the columns");
    let decoder = Decoder::new(&layout, &ValueRules::of_csv(), &header, &columns).expect("no column has a format");

    let rate = |best: Duration| file.len() as f64 / 1e6 / best.as_secs_f64();
    let cutting = best(|| cut(file, &layout, drop));
    let alone = best(|| decode(&decoder, &chunks, 1));
    let both = best(|| decode(&decoder, &chunks, 2));
    println!("{name:<44} {:>9.0} {:>9.0} {:>9.0}", rate(cutting), rate(alone), rate(both));
}

fn report_inflating(file: &[u8]) {
    let mut gzip = Vec::with_capacity(file.len());
    let mut compress = Compress::new_gzip(flate2::Compression::default(), 15);
    compress.compress_vec(file, &mut gzip, FlushCompress::Finish).expect("there is room");
    let inflating = best(|| {
        let mut length = 0;
        let mut inflater = Inflater::new(Compression::Gzip);
        let mut out = |piece: &[u8]| {
            length += piece.len();
            Ok::<(), InflateError>(())
        };
        for piece in gzip.chunks(PUSH_BYTES) {
            inflater.push(piece, &mut out).expect("the stream is whole");
        }
        inflater.finish().expect("the stream is whole");
        assert_eq!(length, file.len());
    });
    println!("gzip undone, flights {:>33.0}", file.len() as f64 / 1e6 / inflating.as_secs_f64());
}

/// The way to chunks where it is longer.
fn report_around(file: &[u8]) {
    let text = std::str::from_utf8(file).expect("the data is text");
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with = |label: &str| CsvLayout { encoding: encoding(label), ..CsvLayout::default() };
    let footer = CsvLayout { skip_footer: 10, ..CsvLayout::default() };
    for (name, file, layout) in [
        ("flights in windows-1252", file, with("windows-1252")),
        ("flights in UTF-16, of its own bytes", &utf_16, with("utf-16le")),
        ("flights with a footer", file, footer),
    ] {
        let cutting = best(|| cut(file, &layout, drop));
        println!("{name:<44} {:>9.0}", file.len() as f64 / 1e6 / cutting.as_secs_f64());
    }
}

fn encoding(label: &str) -> &'static Encoding {
    encoding_of_label(label).expect("the label is known")
}

fn best<T>(mut work: impl FnMut() -> T) -> Duration {
    let run = |_| {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    };
    (0..RUNS).map(run).min().expect("there are runs")
}

fn cut(file: &[u8], layout: &CsvLayout, mut out: impl FnMut(Bytes)) {
    let mut out = |_: &Header, chunk| {
        out(chunk);
        Ok::<(), CsvError>(())
    };
    let mut reader = ChunkReader::new(layout, &[], TARGET_BYTES, DEFAULT_MAX_ROW_BYTES);
    for piece in file.chunks(PUSH_BYTES) {
        reader.push(piece, &mut out).expect("rows are short");
    }
    reader.finish(&mut out).expect("rows are short");
}

/// Good rows, so that nothing can be left out.
fn decode(decoder: &Decoder, chunks: &[Bytes], threads: usize) -> usize {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut rows = 0;
        while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let decoded = decoder.decode(chunk.clone());
            assert!(decoded.bad.is_empty(), "{:?}", decoded.bad[0]);
            rows += decoded.good_row_count();
        }
        Ok::<usize, Infallible>(rows)
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics").unwrap_or(0)).sum()
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

fn make_events(quoted: bool) -> Vec<u8> {
    let mut dice = Dice(1);
    let mut file = String::from("eventId,eventTime,eventType,eventData\n");
    while file.len() < DATA_BYTES {
        let (high, low) = (dice.roll(1 << 30), dice.roll(1 << 30));
        let (day, second) = (dice.roll(28) + 1, dice.roll(60));
        let event_type = TYPES[dice.roll(4) as usize];
        let _ =
            write!(file, "{high:08x}-1f2b-4c3d-8e5f-{low:012x},2013-01-{day:02}T10:20:{second:02}.123Z,{event_type},");
        let (page, width) = (dice.roll(100_000), dice.roll(4000));
        let _ = if quoted {
            writeln!(file, "\"{{\"\"page\"\":\"\"/item/{page}\"\",\"\"width\"\":{width},\"\"session\"\":{high}}}\"")
        } else {
            writeln!(file, "page=/item/{page} width={width} session={high} agent=Mozilla/5.0 (X11)")
        };
    }
    file.into_bytes()
}

fn make_flights(quoted: bool) -> Vec<u8> {
    let mut dice = Dice(2);
    let mut file = String::from(
        "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,\
         origin,dest,air_time,distance,hour,minute,time_hour\n",
    );
    while file.len() < DATA_BYTES {
        let (month, day, hour, minute) = (dice.roll(12) + 1, dice.roll(28) + 1, dice.roll(24), dice.roll(60));
        let carrier = ["UA", "AA", "B6", "DL", "EV"][dice.roll(5) as usize];
        let (delay, flight, tail) = (dice.roll(200), dice.roll(6000), dice.roll(1000));
        let row = format!(
            "2013,{month},{day},{hour}{minute:02},{hour}15,{delay},{hour}45,{hour}50,-{delay},{carrier},{flight},\
             N{tail}AA,EWR,IAH,227,{flight},{hour},{minute},2013-{month:02}-{day:02}T{hour:02}:00:00Z"
        );
        if quoted {
            let _ = writeln!(file, "\"{}\"", row.replace(',', "\",\""));
        } else {
            let _ = writeln!(file, "{row}");
        }
    }
    file.into_bytes()
}
