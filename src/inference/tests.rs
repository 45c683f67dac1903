//! What is guessed of small files, and that pipeline.toml takes it.

use std::ops::Range;

use bytes::Bytes;
use millrace_decode::parquet::{CuratedWriter, SourceError};

use super::*;
use crate::pipeline::{Format, Pipeline};

struct Memory(Bytes);

impl RangeSource for Memory {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        Ok(self.0.slice(range.start as usize..range.end as usize))
    }
}

fn guess(file_name: &str, bytes: impl Into<Vec<u8>>) -> Result<String, InferenceError> {
    infer(file_name, Arc::new(Memory(bytes.into().into())))
}

/// The guess without comments and without the blanks before them.
fn lines(file_name: &str, bytes: impl Into<Vec<u8>>) -> Vec<String> {
    let text = guess(file_name, bytes).unwrap();
    Pipeline::parse("the guess", &text).unwrap();
    let toml = text.lines().map(|line| line.split("  #").next().unwrap_or_default().trim_end().to_owned());
    toml.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn a_csv_in_the_german_manner_is_seen_through() {
    let text = "Bericht vom 01.11.2026\n\nNr;Größe (m);Betrag;Gebucht am;PLZ\n1;1,5;12,50;01.11.2026;01067\n\
                2;2;7,00;13.11.2026;80331\n3;NA;1,25;14.11.2026;10115\nSumme;;20,75\n";
    let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    let expected = [
        "[[feed]]",
        "name = \"umsatz\"",
        "format = \"csv\"",
        "encoding = \"windows-1252\"",
        "delimiter = \";\"",
        "skip_rows = 2",
        "skip_footer = 1",
        "null_values = [\"\", \"NA\"]",
        "decimal_separator = \",\"",
        "[feed.columns]",
        "Nr = \"int64\"",
        "gr_e_m = { type = \"float64\", from = \"Größe (m)\" }",
        "Betrag = \"decimal(18,2)\"",
        "gebucht_am = { type = \"date\", from = \"Gebucht am\", format = \"%d.%m.%Y\" }",
        "PLZ = \"string\"",
    ];
    assert_eq!(lines("Umsatz-2026-11.csv", bytes.into_owned()), expected);
}

#[test]
fn a_file_without_a_header_says_so() {
    let said = lines("2026.csv", "1,DE,2026-11-01\n2,FR,2026-11-02\n3,DE,2026-11-03\n");
    assert!(said.contains(&"header = false".to_owned()), "{said:?}");
    assert!(said.contains(&"column_3 = \"date\"".to_owned()), "{said:?}");
    assert!(said.contains(&"name = \"my_feed\"".to_owned()), "{said:?}");
}

#[test]
fn a_day_and_a_month_that_could_change_places_are_told() {
    let text = guess("a.csv", "on,n\n01/02/2026,1\n03/04/2026,2\n").unwrap();
    assert!(text.contains("could be %m/%d/%Y too"), "{text}");
}

#[test]
fn objects_are_typed_key_by_key() {
    let text = "{\"id\":1,\"at\":\"2026-11-01T08:00:00Z\",\"price\":1.5,\"ok\":true,\"data\":{\"a\":1}}\n\
                {\"id\":2,\"at\":\"2026-11-01T09:00:00Z\",\"price\":2,\"ok\":false,\"data\":null,\"order\":\"x\"}\n";
    let said = lines("events.ndjson", text);
    for line in [
        "format = \"ndjson\"",
        "id = \"int64\"",
        "at = \"timestamp\"",
        "price = \"float64\"",
        "ok = \"bool\"",
        "data = \"json\"",
    ] {
        assert!(said.contains(&line.to_owned()), "{line}: {said:?}");
    }
}

#[test]
fn a_parquet_file_types_itself() {
    let columns = [
        millrace_decode::contract::Column::new("id", millrace_decode::contract::ColumnType::Int64),
        millrace_decode::contract::Column::new("at", millrace_decode::contract::ColumnType::Timestamp),
    ];
    let mut bytes = Vec::new();
    CuratedWriter::new(&mut bytes, &columns).unwrap().finish().unwrap();
    let said = lines("facts.parquet", bytes);
    assert_eq!(said[2..], ["format = \"parquet\"", "[feed.columns]", "id = \"int64\"", "at = \"timestamp\""]);
    assert!(matches!(Pipeline::parse("x", &said.join("\n")).unwrap().feeds[0].format, Format::Parquet));
}

#[test]
fn what_is_no_table_is_refused_in_words() {
    let said = |bytes: &[u8]| guess("orders.csv", bytes).unwrap_err().to_string();
    assert!(said(b"").contains("empty"));
    assert!(said(b"%PDF-1.7\n").contains("PDF"));
    assert!(said(b"\x1f\x8b\x08\0").contains(".gz"));
}
