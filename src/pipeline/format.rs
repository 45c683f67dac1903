//! `format`, and the keys that belong to one format only: how CSV is laid out, and in which encoding.

use millrace_decode::csv::{CsvLayout, HeaderRow};
use millrace_decode::text::{Encoding, LabelError, encoding_of_label};

use super::Format;
use super::faults::did_you_mean;
use super::section::{Found, Section};

/// The formats by their names. What may be declared of columns and values depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFormat {
    Csv,
    Ndjson,
    Parquet,
}

const FORMATS: [(&str, FileFormat); 3] =
    [("csv", FileFormat::Csv), ("ndjson", FileFormat::Ndjson), ("parquet", FileFormat::Parquet)];

/// What people write who mean one of ours, and what to write for it.
const OTHER_FORMATS: [(&str, &str); 9] = [
    ("json", "write `format = \"ndjson\"`: an object in each line; an array around all of them is not read"),
    ("jsonl", "write `format = \"ndjson\"`, which is another name for the same"),
    ("jsonlines", "write `format = \"ndjson\"`, which is another name for the same"),
    ("ldjson", "write `format = \"ndjson\"`, which is another name for the same"),
    ("tsv", "write `format = \"csv\"` and `delimiter = \"\\t\"`"),
    ("txt", "write `format = \"csv\"` and the file's `delimiter`"),
    ("xlsx", "ask the partner for CSV, which Excel writes too"),
    ("xls", "ask the partner for CSV, which Excel writes too"),
    ("excel", "ask the partner for CSV, which Excel writes too"),
];

/// What compressed files end with: each file says by its own name how it is compressed.
const COMPRESSIONS: [&str; 7] = ["gz", "gzip", "zst", "zstd", "zip", "snappy", "bz2"];

/// Keys of CSV that mean nothing for NDJSON, and why.
const STRANGE_TO_NDJSON: [(&str, &str); 7] = [
    ("encoding", "JSON is always UTF-8"),
    ("header", "every object names its values itself"),
    ("skip_rows", "every line is an object"),
    ("skip_footer", "every line is an object"),
    ("delimiter", "JSON has its own"),
    ("quote", "JSON has its own"),
    ("decimal_separator", "JSON's numbers have a point"),
];

const STRANGE_TO_PARQUET: [(&str, &str); 7] = [
    ("encoding", "its texts are always UTF-8"),
    ("header", "its schema names the columns"),
    ("skip_rows", "it holds rows and nothing else"),
    ("skip_footer", "it holds rows and nothing else"),
    ("delimiter", "its values are not parted by characters"),
    ("quote", "its values are not parted by characters"),
    ("decimal_separator", "its numbers are not text"),
];

/// More lines than stand before any header.
const MOST_SKIPPED_ROWS: u32 = 1_000_000;

impl FileFormat {
    /// As people call it.
    fn title(self) -> &'static str {
        match self {
            FileFormat::Csv => "CSV",
            FileFormat::Ndjson => "NDJSON",
            FileFormat::Parquet => "Parquet",
        }
    }
}

/// `None` if it is missing or unknown, which is reported.
pub(super) fn file_format(feed: &Section<'_>) -> Option<FileFormat> {
    const EXAMPLE: &str = "format = \"csv\"";
    let written = feed.required_text("format", EXAMPLE)?;
    let format = FORMATS.iter().find(|(name, _)| *name == written.value).map(|(_, format)| *format);
    if format.is_none() {
        feed.fault(written.line, format!("unknown format `{}`", written.value), format_remedy(written.value));
    }
    format
}

fn format_remedy(written: &str) -> String {
    let lower_case = written.to_ascii_lowercase();
    let words: Vec<&str> = lower_case.split('.').filter(|word| !word.is_empty()).collect();
    if let Some((last, before)) = words.split_last()
        && COMPRESSIONS.contains(last)
    {
        let format = before.last().filter(|word| FORMATS.iter().any(|(name, _)| name == *word)).unwrap_or(&"csv");
        return format!("write `format = \"{format}\"`: compression is told by each file's name");
    }
    match OTHER_FORMATS.iter().find(|(other, _)| *other == lower_case) {
        Some((_, remedy)) => (*remedy).to_owned(),
        None => {
            did_you_mean(written, FORMATS.map(|(name, _)| name), || "write `csv`, `ndjson` or `parquet`".to_owned())
        }
    }
}

/// What files of this format look like. `None` if a key says something impossible, which is reported.
pub(super) fn format(feed: &Section<'_>, format: FileFormat) -> Option<Format> {
    match format {
        FileFormat::Csv => csv_layout(feed).map(Format::Csv),
        FileFormat::Ndjson => {
            refuse_strange_keys(feed, format, &STRANGE_TO_NDJSON);
            Some(Format::Ndjson)
        }
        FileFormat::Parquet => {
            refuse_strange_keys(feed, format, &STRANGE_TO_PARQUET);
            Some(Format::Parquet)
        }
    }
}

fn refuse_strange_keys(feed: &Section<'_>, format: FileFormat, strange: &[(&str, &str)]) {
    for (key, why) in strange.iter().filter(|(key, _)| feed.has(key)) {
        let problem = format!("`{key}` means nothing for {}: {why}", format.title());
        feed.fault(feed.line_of(key), problem, "leave it out");
    }
}

fn csv_layout(feed: &Section<'_>) -> Option<CsvLayout> {
    let faults_before = feed.report.count();
    let layout = CsvLayout {
        encoding: encoding(feed),
        header: match feed.flag("header", "header = false") {
            Some(false) => HeaderRow::Absent,
            Some(true) | None => HeaderRow::Present,
        },
        skip_rows: skipped(feed, "skip_rows", MOST_SKIPPED_ROWS),
        skip_footer: skipped(feed, "skip_footer", CsvLayout::MAX_SKIP_FOOTER),
        delimiter: one_byte(feed, "delimiter", "delimiter = \";\"").unwrap_or(b','),
        quote: quote(feed),
    };
    if feed.report.count() == faults_before && layout.quote == Some(layout.delimiter) {
        feed.fault(
            feed.line_of(if feed.has("quote") { "quote" } else { "delimiter" }),
            "`delimiter` and `quote` are the same character",
            "they must differ: leave one out to have `,` and `\"`, or write `quote = \"\"` where no cell is quoted",
        );
    }
    (feed.report.count() == faults_before).then_some(layout)
}

fn encoding(feed: &Section<'_>) -> &'static Encoding {
    let Some(written) = feed.text("encoding", "encoding = \"utf-16le\"") else {
        return CsvLayout::default().encoding;
    };
    match encoding_of_label(written.value) {
        Ok(encoding) => encoding,
        Err(error) => {
            let (problem, remedy) = match error {
                LabelError::Unknown { label, nearest } => {
                    (format!("unknown encoding `{label}`"), encoding_remedy(&label, nearest))
                }
                LabelError::Refused { label } => {
                    (format!("encoding `{label}` is not read"), "ask the partner for UTF-8".to_owned())
                }
            };
            feed.fault(written.line, problem, remedy);
            CsvLayout::default().encoding
        }
    }
}

fn encoding_remedy(written: &str, nearest: Option<&str>) -> String {
    match (written.to_ascii_lowercase().as_str(), nearest) {
        ("utf-8-sig" | "utf-8-bom" | "utf8-bom" | "utf8bom", _) => {
            "write `encoding = \"utf-8\"`: a byte order mark at the beginning is dropped".to_owned()
        }
        ("ansi", _) => "write the code page of the system that writes the file, mostly `windows-1252`".to_owned(),
        (_, Some(nearest)) => format!("did you mean `{nearest}`?"),
        (_, None) => {
            "write a name that browsers know, such as `utf-8`, `utf-16le`, `windows-1252` or `iso-8859-15`".to_owned()
        }
    }
}

/// Lines or rows that are none of the file's, at most `most` of them.
fn skipped(feed: &Section<'_>, key: &str, most: u32) -> u32 {
    let Some(written) = feed.whole_number(key, &format!("{key} = 1")) else {
        return 0;
    };
    match u32::try_from(written.value) {
        Ok(skipped) if skipped <= most => skipped,
        _ => {
            let problem = format!("`{key}` is {}, but must be 0 to {most}", written.value);
            feed.fault(written.line, problem, "write how many lines there are that hold no row");
            0
        }
    }
}

fn quote(feed: &Section<'_>) -> Option<u8> {
    match feed.text("quote", QUOTE_EXAMPLE) {
        Some(Found { value: "", .. }) => None,
        _ => Some(one_byte(feed, "quote", QUOTE_EXAMPLE).unwrap_or(b'"')),
    }
}

const QUOTE_EXAMPLE: &str = "quote = \"'\"";

/// `None` if it is absent, or something else (which is reported).
fn one_byte(feed: &Section<'_>, key: &str, example: &str) -> Option<u8> {
    let written = feed.text(key, example)?;
    match written.value.as_bytes() {
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'\r' | b'\n' | 0) => Some(*byte),
        _ => {
            let problem = format!("`{key}` must be one ASCII character, and no letter, digit or line end");
            feed.fault(written.line, problem, format!("write `{example}`"));
            None
        }
    }
}
