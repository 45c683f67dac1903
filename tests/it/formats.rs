//! The same flights in every format, compression, encoding and manner of ending lines: the same summaries, and the same
//! curated rows.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use encoding_rs::WINDOWS_1252;
use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};
use millrace::file_ranges::FileRanges;
use millrace_decode::contract::{Column, ColumnType, DecimalType, ValueRules};
use millrace_decode::csv::{CsvLayout, Decoder, Header};
use millrace_decode::parquet::{CuratedWriter, ParquetFile};
use serde_json::{Value, json};

use crate::flights::text_of;
use crate::support::{Place, text};

const ROWS: usize = 3_000;

/// One flight, as far as the contract below goes; `None` is null.
#[derive(Clone)]
struct Flight {
    carrier: String,
    tailnum: Option<String>,
    flight: i64,
    dep_delay: Option<f64>,
    distance: i64,
    time_hour: String,
}

/// The beginning of January, with what makes files difficult in a few of its cells.
fn flights() -> Vec<Flight> {
    let january = text_of("2013-01.csv");
    let mut lines = january.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let mut flights: Vec<Flight> = lines
        .take(ROWS)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let present = |cell: &str| (cell != "NA").then(|| cell.to_owned());
            Flight {
                carrier: cells[at("carrier")].to_owned(),
                tailnum: present(cells[at("tailnum")]),
                flight: cells[at("flight")].parse().unwrap(),
                dep_delay: cells[at("dep_delay")].parse().ok(),
                distance: cells[at("distance")].parse().unwrap(),
                time_hour: cells[at("time_hour")].to_owned(),
            }
        })
        .collect();
    flights[3].tailnum = Some("N1\nbehind a line end".to_owned());
    flights[4].tailnum = Some("Größe, \"quoted\"; a longer text than fits into a view".to_owned());
    flights[5].tailnum = Some(String::new());
    flights[6].carrier = "É".to_owned();
    flights
}

fn contract() -> Vec<Column> {
    let decimal = ColumnType::Decimal(DecimalType::new(10, 2).unwrap());
    vec![
        Column::new("carrier", ColumnType::String),
        Column::new("tailnum", ColumnType::String),
        Column::new("flight", ColumnType::Int64),
        Column::new("dep_delay", ColumnType::Float64),
        Column::new("distance", decimal),
        Column::new("time_hour", ColumnType::Timestamp),
    ]
}

/// What is declared of a feed beside its name, and the file that comes.
struct Variant {
    name: String,
    keys: String,
    file: String,
    bytes: Vec<u8>,
}

fn csv_of(flights: &[Flight], line_end: &str, separator: char) -> String {
    let decimal_comma = separator == ';';
    let number = |text: String| if decimal_comma { text.replace('.', ",") } else { text };
    let mut text = ["carrier", "tailnum", "flight", "dep_delay", "distance", "time_hour"].join(&separator.to_string());
    for flight in flights {
        let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
        let tailnum = flight.tailnum.as_deref().map_or(String::new(), quoted);
        let dep_delay = flight.dep_delay.map_or(String::new(), |delay| number(format!("{delay:.1}")));
        let cells = [
            flight.carrier.clone(),
            tailnum,
            flight.flight.to_string(),
            dep_delay,
            number(format!("{}.00", flight.distance)),
            flight.time_hour.clone(),
        ];
        text += line_end;
        text += &cells.join(&separator.to_string());
    }
    text
}

fn ndjson_of(flights: &[Flight]) -> String {
    let object = |flight: &Flight| {
        let mut object = json!({
            "carrier": flight.carrier, "tailnum": flight.tailnum, "flight": flight.flight,
            "distance": flight.distance, "time_hour": flight.time_hour, "not in the contract": {"a": [1, 2]},
        });
        if let Some(delay) = flight.dep_delay {
            object["dep_delay"] = json!(delay);
        }
        object.to_string()
    };
    flights.iter().map(object).collect::<Vec<_>>().join("\n")
}

fn parquet_of(flights: &[Flight]) -> Vec<u8> {
    let columns = contract();
    let text = csv_of(flights, "\n", ',');
    let layout = CsvLayout::default();
    let (header, begins) = Header::read(&layout, text.as_bytes()).unwrap();
    let decoder = Decoder::new(&layout, &ValueRules::of_csv(), &header, &columns).unwrap();
    let chunk = decoder.decode(Bytes::copy_from_slice(&text.as_bytes()[begins..]));
    let mut bytes = Vec::new();
    let mut writer = CuratedWriter::new(&mut bytes, &columns).unwrap();
    writer.add(&chunk, &vec![true; chunk.good_row_count()]).unwrap();
    writer.finish().unwrap();
    bytes
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive of one member, as `zip` writes it.
fn zipped(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(bytes);
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    let deflated = encoder.finish().unwrap();
    // Version, flags, method, time, date; CRC, both sizes, the name's length, no extra field.
    let mut facts = Vec::new();
    facts.extend([20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0x50]);
    facts.extend(crc.sum().to_le_bytes());
    facts.extend((deflated.len() as u32).to_le_bytes());
    facts.extend((bytes.len() as u32).to_le_bytes());
    facts.extend((name.len() as u16).to_le_bytes());
    facts.extend([0, 0]);
    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&facts);
    archive.extend(name.as_bytes());
    archive.extend(&deflated);
    let directory_at = archive.len() as u32;
    archive.extend(b"PK\x01\x02\x14\0");
    archive.extend(&facts);
    archive.extend([0; 14]);
    archive.extend(name.as_bytes());
    let directory_bytes = archive.len() as u32 - directory_at;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend(directory_bytes.to_le_bytes());
    archive.extend(directory_at.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

/// A file as it is and in each compression.
fn compressed(name: &str, keys: &str, extension: &str, bytes: &[u8]) -> Vec<Variant> {
    let file = format!("flights.{extension}");
    let variant = |ending: &str, bytes: Vec<u8>| Variant {
        name: format!("{name}{}", ending.replace('.', "_")),
        keys: keys.to_owned(),
        file: format!("{file}{ending}"),
        bytes,
    };
    vec![
        variant("", bytes.to_vec()),
        variant(".gz", gzipped(bytes)),
        variant(".zst", zstd::encode_all(bytes, 1).unwrap()),
        variant(".zip", zipped(&file, bytes)),
    ]
}

fn variants(flights: &[Flight]) -> Vec<Variant> {
    let csv = csv_of(flights, "\n", ',');
    let utf_16: Vec<u8> = [0xff, 0xfe].into_iter().chain(csv.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let utf_16_bare: Vec<u8> = csv.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let around = format!("Report of flights\nmade today\n{csv}\nTotal;{}\n", flights.len());
    let headless = csv.split_once('\n').unwrap().1;
    let one = |name: &str, keys: &str, bytes: &[u8]| Variant {
        name: name.to_owned(),
        keys: format!("format = \"csv\"\n{keys}"),
        file: "flights.csv".to_owned(),
        bytes: bytes.to_vec(),
    };
    let semicolons = "delimiter = \";\"\ndecimal_separator = \",\"\n";
    let mut variants = vec![
        one("csv_crlf", "", csv_of(flights, "\r\n", ',').as_bytes()),
        one("csv_crlf_ended", "", format!("{}\r\n", csv_of(flights, "\r\n", ',')).as_bytes()),
        one("csv_lf_ended", "", format!("{csv}\n").as_bytes()),
        one("csv_marked", "", format!("\u{feff}{csv}").as_bytes()),
        one("csv_utf_16", "encoding = \"utf-16le\"\n", &utf_16),
        one("csv_utf_16_bare", "encoding = \"utf-16le\"\n", &utf_16_bare),
        one("csv_windows", "encoding = \"windows-1252\"\n", &WINDOWS_1252.encode(&csv).0),
        one("csv_semicolons", semicolons, csv_of(flights, "\n", ';').as_bytes()),
        one("csv_around", "skip_rows = 2\nskip_footer = 1\n", around.as_bytes()),
        one("csv_headless", "header = false\n", headless.as_bytes()),
    ];
    variants.extend(compressed("csv", "format = \"csv\"\n", "csv", csv.as_bytes()));
    variants.extend(compressed("ndjson", "format = \"ndjson\"\n", "ndjson", ndjson_of(flights).as_bytes()));
    variants.extend(compressed("parquet", "format = \"parquet\"\n", "parquet", &parquet_of(flights)));
    variants
}

fn pipeline_of(variants: &[Variant]) -> String {
    let feed = |Variant { name, keys, .. }: &Variant| {
        format!(
            "[[feed]]\nname = \"{name}\"\n{keys}curated = true\n[feed.columns]\ncarrier = \"string\"\ntailnum = \"string\"\n\
             flight = \"int64\"\ndep_delay = \"float64\"\ndistance = \"decimal(10,2)\"\ntime_hour = \"timestamp\"\n\
             [[summary]]\ntable = \"t_{name}\"\nfeed = \"{name}\"\nsql = \"SELECT CAST(time_hour AS DATE) AS day, carrier, \
             COUNT(*) AS flights, SUM(distance) AS miles, MAX(dep_delay) AS worst FROM {name} GROUP BY day, carrier\"\n"
        )
    };
    variants.iter().map(feed).collect()
}

/// The summary of each variant, by a plain loop.
fn truth(flights: &[Flight]) -> Value {
    let mut days: BTreeMap<(String, String), (i64, i64, Option<f64>)> = BTreeMap::new();
    for flight in flights {
        let day = days.entry((flight.time_hour[..10].to_owned(), flight.carrier.clone())).or_default();
        day.0 += 1;
        day.1 += flight.distance;
        day.2 = match (day.2, flight.dep_delay) {
            (Some(worst), Some(delay)) => Some(worst.max(delay)),
            (worst, delay) => worst.or(delay),
        };
    }
    days.into_iter()
        .map(|((day, carrier), (flights, miles, worst))| {
            json!({"day": day, "carrier": carrier, "flights": flights, "miles": format!("{miles}.00"), "worst": worst})
        })
        .collect()
}

/// The rows that the curated file should hold.
fn curated_truth(flights: &[Flight]) -> Vec<Value> {
    let row = |flight: &Flight| {
        json!({
            "carrier": flight.carrier, "tailnum": flight.tailnum, "flight": flight.flight, "dep_delay": flight.dep_delay,
            "distance": flight.distance as f64, "time_hour": flight.time_hour,
        })
    };
    flights.iter().map(row).collect()
}

/// The rows of the one Parquet file below a folder, in their order.
fn curated_rows(folder: &Path) -> Vec<Value> {
    let files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("one curated file is in {}: {files:?}", folder.display()) };
    let source = FileRanges::new(fs::File::open(file).unwrap()).unwrap();
    let parquet = ParquetFile::open(Arc::new(source)).unwrap();
    let columns = contract();
    let decoder = parquet.decoder(&ValueRules::default(), &columns).unwrap();
    let mut rows = Vec::new();
    for group in 0..parquet.groups().len() {
        let mut group = decoder.group(group).unwrap();
        while let Some(chunk) = group.next_chunk().unwrap() {
            let row = |at: usize| serde_json::from_str(&chunk.decoded.row_as_json(&columns, at)).unwrap();
            rows.extend((0..chunk.decoded.good_row_count()).map(row));
        }
    }
    rows
}

#[test]
fn the_same_flights_count_alike_in_every_format_compression_and_encoding() {
    let flights = flights();
    let variants = variants(&flights);
    let place = Place::new();
    let pipeline = place.path().join("pipeline.toml");
    fs::write(&pipeline, pipeline_of(&variants)).unwrap();
    for variant in &variants {
        let landing = place.workspace().join("storage/landing").join(&variant.name);
        fs::create_dir_all(&landing).unwrap();
        fs::write(landing.join(&variant.file), &variant.bytes).unwrap();
    }

    let output = place.dev().arg("--pipeline").arg(&pipeline).args(["--once", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["rows"], json!({"read": variants.len() * ROWS, "rejected": 0}));
    let (truth, rows) = (truth(&flights), curated_truth(&flights));
    for variant in &variants {
        let summary = &printed["summaries"][format!("t_{}", variant.name)];
        assert_eq!(*summary, truth, "summary of {}", variant.name);
        let curated = place.workspace().join("storage/curated").join(&variant.name).join(&variant.file);
        let found = curated_rows(&curated);
        assert_eq!(found.len(), rows.len(), "curated rows of {}", variant.name);
        for (at, (found, expected)) in found.iter().zip(&rows).enumerate() {
            for (column, expected) in expected.as_object().unwrap() {
                let same = match (found[column].as_f64(), expected.as_f64()) {
                    (Some(found), Some(expected)) => found == expected,
                    _ => found[column] == *expected,
                };
                assert!(same, "{}, row {at}: {column} is {} and should be {expected}", variant.name, found[column]);
            }
        }
    }
}
