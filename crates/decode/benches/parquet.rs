//! MB/s and rows/s of the Parquet reader and the curated writer, on data that it makes itself:
//! `cargo bench -p millrace-decode --bench parquet`.
//!
//! MB are those of the stored columns that are read. Each figure is the best of several runs over the same bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_decode::columns::{ColumnValues, DecodedChunk, Values};
use millrace_decode::contract::{Column, ColumnType, ValueRules};
use millrace_decode::parquet::{CuratedWriter, Decoder, ParquetFile};
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as PhysicalType, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

const GROUPS: usize = 8;
const GROUP_ROWS: usize = 262_144;
const ROWS: usize = GROUPS * GROUP_ROWS;
const RUNS: usize = 15;

fn main() {
    println!("{:<40} {:>18} {:>27}", "", "1 thread", "2 threads");
    let codecs = [
        ("zstd", Compression::ZSTD(ZstdLevel::default())),
        ("snappy", Compression::SNAPPY),
        ("not compressed", Compression::UNCOMPRESSED),
    ];
    for (name, codec) in codecs {
        let file = make_events(codec);
        report(&format!("events, 2 of 4 columns, {name}"), &file, &["eventType", "eventTime"]);
        report(&format!("events, 4 of 4 columns, {name}"), &file, &["eventId", "eventTime", "eventType", "eventData"]);
    }
    report_writing(&make_events(Compression::ZSTD(ZstdLevel::default())));
}

fn columns_of(names: &[&str]) -> Vec<Column> {
    let type_of = |name: &str| if name == "eventTime" { ColumnType::Timestamp } else { ColumnType::String };
    names.iter().map(|name| Column::new(*name, type_of(name))).collect()
}

fn decoder_of(file: &Bytes, columns: &[Column]) -> Decoder {
    let file = ParquetFile::open(Arc::new(file.clone())).expect("the file is whole");
    file.check(columns).expect("the file has the columns");
    file.decoder(&ValueRules::default(), columns).expect("the columns have the types")
}

fn report(name: &str, file: &Bytes, names: &[&str]) {
    let decoder = decoder_of(file, &columns_of(names));
    let stored = stored_bytes(file, names);
    let figures = [1, 2].map(|threads| {
        let best = best(|| assert_eq!(decode(&decoder, threads), ROWS)).as_secs_f64();
        format!("{:>7.0} MB/s {:>6.1} M rows/s", stored as f64 / 1e6 / best, ROWS as f64 / 1e6 / best)
    });
    println!("{name:<40} {} {}", figures[0], figures[1]);
}

fn report_writing(file: &Bytes) {
    let columns = columns_of(&["eventId", "eventTime", "eventType", "eventData"]);
    let decoder = decoder_of(file, &columns);
    let mut chunks: Vec<DecodedChunk> = Vec::new();
    for group in 0..2 {
        let mut reader = decoder.group(group).expect("the group is there");
        while let Some(chunk) = reader.next_chunk().expect("the file is whole") {
            chunks.push(chunk.decoded);
        }
    }
    let bytes: usize = chunks.iter().flat_map(|chunk| &chunk.columns).map(memory_of).sum();
    let rows: usize = chunks.iter().map(DecodedChunk::good_row_count).sum();
    let best = best(|| {
        let mut writer = CuratedWriter::new(std::io::sink(), &columns).expect("a sink takes all");
        for chunk in &chunks {
            writer.add(chunk, &vec![true; chunk.good_row_count()]).expect("a sink takes all");
        }
        assert_eq!(writer.finish().expect("a sink takes all").rows, rows as u64);
    });
    let best = best.as_secs_f64();
    let rate = (bytes as f64 / 1e6 / best, rows as f64 / 1e6 / best);
    println!("{:<40} {:>7.0} MB/s {:>6.1} M rows/s (MB in memory)", "writing the same four columns", rate.0, rate.1);
}

fn memory_of(column: &ColumnValues) -> usize {
    match &column.values {
        Values::String { views, unescaped } => views.len() * 16 + unescaped.len(),
        values => values.len() * 8,
    }
}

fn stored_bytes(file: &Bytes, names: &[&str]) -> u64 {
    let reader = SerializedFileReader::new(file.clone()).expect("the file is whole");
    let metadata = reader.metadata();
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    let needed = chunks.filter(|chunk| names.contains(&chunk.column_path().string().as_str()));
    needed.map(|chunk| chunk.compressed_size() as u64).sum()
}

/// Good rows, so that nothing can be left out.
fn decode(decoder: &Decoder, threads: usize) -> usize {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut rows = 0;
        loop {
            let group = next.fetch_add(1, Ordering::Relaxed);
            if group >= GROUPS {
                return rows;
            }
            let mut reader = decoder.group(group).expect("the group is there");
            while let Some(chunk) = reader.next_chunk().expect("the file is whole") {
                assert!(chunk.decoded.bad.is_empty());
                rows += chunk.decoded.good_row_count();
            }
        }
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    })
}

fn best<T>(mut work: impl FnMut() -> T) -> Duration {
    let run = |_| {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    };
    (0..RUNS).map(run).min().expect("there are runs")
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

/// The events of the classic, as partners' tools write them: dictionaries, pages of about 1 MB.
fn make_events(codec: Compression) -> Bytes {
    let text = |name| {
        let field =
            Type::primitive_type_builder(name, PhysicalType::BYTE_ARRAY).with_converted_type(ConvertedType::UTF8);
        Arc::new(field.with_repetition(Repetition::OPTIONAL).build().expect("it is a type"))
    };
    let time = Type::primitive_type_builder("eventTime", PhysicalType::INT64)
        .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
        .with_repetition(Repetition::OPTIONAL);
    let time = Arc::new(time.build().expect("it is a type"));
    let fields = vec![text("eventId"), time, text("eventType"), text("eventData")];
    let schema = Type::group_type_builder("schema").with_fields(fields).build().expect("it is a schema");
    let properties = WriterProperties::builder().set_compression(codec).set_data_page_row_count_limit(1 << 20).build();
    let mut file =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).expect("memory takes all");
    let mut dice = Dice(1);
    let levels = vec![1; GROUP_ROWS];
    for _ in 0..GROUPS {
        let mut ids = Vec::new();
        let mut times = Vec::new();
        let mut types = Vec::new();
        let mut data = Vec::new();
        for _ in 0..GROUP_ROWS {
            let (high, low) = (dice.roll(1 << 30), dice.roll(1 << 30));
            ids.push(ByteArray::from(format!("{high:08x}-1f2b-4c3d-8e5f-{low:012x}").into_bytes()));
            times.push(1_357_000_000_000_000 + dice.roll(2_400_000_000) as i64 * 1000);
            types.push(ByteArray::from(TYPES[dice.roll(4) as usize]));
            let (page, width) = (dice.roll(100_000), dice.roll(4000));
            data.push(ByteArray::from(
                format!("page=/item/{page} width={width} session={high} agent=Mozilla/5.0 (X11)").into_bytes(),
            ));
        }
        let mut group = file.next_row_group().expect("memory takes all");
        for texts in [Some(&ids), None, Some(&types), Some(&data)] {
            let mut column = group.next_column().expect("memory takes all").expect("there are four");
            let written = match texts {
                Some(texts) => column.typed::<ByteArrayType>().write_batch(texts, Some(&levels), None),
                None => column.typed::<Int64Type>().write_batch(&times, Some(&levels), None),
            };
            written.expect("memory takes all");
            column.close().expect("memory takes all");
        }
        group.close().expect("memory takes all");
    }
    file.into_inner().expect("memory takes all").into()
}
