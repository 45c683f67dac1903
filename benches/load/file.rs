//! The file that is loaded: a year of events, twelve types, the same bytes at every call.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use millrace_decode::contract::{Column, ColumnType, ValueRules};
use millrace_decode::csv::{CsvLayout, Decoder, Header};
use millrace_decode::parquet::CuratedWriter;

/// In which format the events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Ndjson,
    Parquet,
}

impl Format {
    pub const ALL: [Format; 3] = [Format::Csv, Format::Ndjson, Format::Parquet];

    pub fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
            Format::Parquet => "parquet",
        }
    }

    /// Bytes that one event takes as text.
    fn row_bytes(self) -> u64 {
        match self {
            Format::Csv | Format::Parquet => 148,
            Format::Ndjson => 190,
        }
    }
}

/// A file that was made.
pub struct EventFile {
    pub path: PathBuf,
    pub format: Format,
    pub rows: u64,
    pub size_bytes: u64,
}

const HEADER: &str = "eventId,eventTime,eventType,eventData\n";
const TYPES: [&str; 12] = [
    "click", "view", "purchase", "signup", "logout", "search", "scroll", "share", "rate", "refund", "install", "error",
];

/// Rows that go into one chunk of a Parquet file.
const CHUNK_ROWS: u64 = 50_000;

/// Makes the file, unless it is there. Of Parquet there are as many rows as a CSV of `text_bytes` has.
pub fn made_once(directory: &Path, format: Format, text_bytes: u64) -> EventFile {
    fs::create_dir_all(directory).expect("the directory can be made");
    let rows = text_bytes / format.row_bytes();
    let path = directory.join(format!("events-{rows}.{}", format.name()));
    if !path.exists() {
        println!("making {} …", path.display());
        let part = path.with_extension("part");
        let file = BufWriter::with_capacity(1 << 20, File::create(&part).expect("the file can be made"));
        let written = match format {
            Format::Csv | Format::Ndjson => write_text(file, format, rows),
            Format::Parquet => write_parquet(file, rows),
        };
        written.expect("the disk has room");
        fs::rename(part, &path).expect("the file can be named");
    }
    let size_bytes = fs::metadata(&path).expect("the file was just made").len();
    EventFile { path, format, rows, size_bytes }
}

fn write_text(mut file: impl Write, format: Format, rows: u64) -> io::Result<()> {
    let mut events = Events::default();
    if format == Format::Csv {
        file.write_all(HEADER.as_bytes())?;
    }
    let mut line = String::new();
    for _ in 0..rows {
        line.clear();
        events.next(format, &mut line);
        file.write_all(line.as_bytes())?;
    }
    file.flush()
}

fn write_parquet(file: impl Write + Send, rows: u64) -> io::Result<()> {
    let columns = [
        Column::new("eventId", ColumnType::String),
        Column::new("eventTime", ColumnType::Timestamp),
        Column::new("eventType", ColumnType::String),
        Column::new("eventData", ColumnType::String),
    ];
    let layout = CsvLayout::default();
    let (header, _) = Header::read(&layout, HEADER.as_bytes()).expect("the header is ours");
    let decoder = Decoder::new(&layout, &ValueRules::of_csv(), &header, &columns).expect("no column has a format");
    let mut writer = CuratedWriter::new(file, &columns).map_err(io::Error::other)?;
    let mut events = Events::default();
    let mut left = rows;
    while left > 0 {
        let mut text = String::new();
        for _ in 0..left.min(CHUNK_ROWS) {
            events.next(Format::Csv, &mut text);
        }
        let chunk = decoder.decode(Bytes::from(text));
        writer.add(&chunk, &vec![true; chunk.good_row_count()]).map_err(io::Error::other)?;
        left -= left.min(CHUNK_ROWS);
    }
    writer.finish().map_err(io::Error::other).map(drop)
}

/// One event after the other.
struct Events {
    state: u64,
    row: u64,
}

impl Default for Events {
    fn default() -> Self {
        Events { state: 42, row: 0 }
    }
}

impl Events {
    /// Appends an event with its line end, as long as every other.
    fn next(&mut self, format: Format, line: &mut String) {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (state, row) = (self.state, self.row);
        self.row += 1;
        let day = (state >> 33) % 365;
        let second = (state >> 17) % 86_400;
        let kind = TYPES[((state >> 40) % 12) as usize];
        let time = format!(
            "2025-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            day / 28 % 12 + 1,
            day % 28 + 1,
            second / 3600,
            second / 60 % 60,
            second % 60,
            state % 1_000_000
        );
        let begins = line.len();
        let end = match format {
            Format::Csv | Format::Parquet => {
                line.push_str(&format!("{row:032x},{time},{kind},"));
                "\n"
            }
            Format::Ndjson => {
                line.push_str(&format!(
                    "{{\"eventId\":\"{row:032x}\",\"eventTime\":\"{time}\",\"eventType\":\"{kind}\",\"eventData\":\""
                ));
                "\"}\n"
            }
        };
        let filler = format.row_bytes() as usize - (line.len() - begins) - end.len();
        line.push_str(&format!("{:.<filler$}{end}", "payload"));
    }
}
