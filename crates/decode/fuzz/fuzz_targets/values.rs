//! Any text as a value of any type, by any format, in any timezone: no panic, and what is taken keeps what its type
//! promises and is what the standard library or chrono reads.
#![no_main]

use bytes::Bytes;
use chrono_tz::TZ_VARIANTS;
use libfuzzer_sys::fuzz_target;
use millrace_decode::columns::{ColumnValues, Values};
use millrace_decode::contract::{Column, ColumnType, DecimalType, ValueRules, check_format};
use millrace_decode::csv::{CsvLayout, Decoder, Header};
use millrace_decode_fuzz::{Outcome, TYPES, choose};

const FORMATS: [&str; 6] =
    ["%d.%m.%Y", "%Y%m%d", "%m/%d/%y %I:%M %p", "%d.%m.%Y %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.6f%:z", "%s"];

fuzz_target!(|data: &[u8]| {
    let Some(([column_type, format, timezone, zone_high, separator], text)) = data.split_first_chunk() else { return };
    let mut column = Column::new("c", *choose(&TYPES, *column_type));
    let mut text = text;
    column.format = match format % 8 {
        0..=5 => FORMATS.get(usize::from(format % 8)).map(|format| (*format).to_owned()),
        6 => None,
        _ => {
            // A format that nobody thought of, before the text and a NUL.
            let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
            let (format, rest) = text.split_at(end);
            text = rest.get(1..).unwrap_or_default();
            Some(String::from_utf8_lossy(format).into_owned())
        }
    };
    if check_format(&column).is_err() {
        column.format = None;
    }
    let rules = ValueRules {
        timezone: TZ_VARIANTS[(usize::from(*zone_high) << 8 | usize::from(*timezone)) % TZ_VARIANTS.len()],
        decimal_separator: *choose(b".,", *separator),
        ..ValueRules::default()
    };
    // One cell, whatever its text is, but for the layout's own characters.
    if text.is_empty() || text.iter().any(|byte| matches!(byte, 1 | 2 | b'\n' | b'\r')) {
        return;
    }
    let layout = CsvLayout { delimiter: 1, quote: Some(2), ..CsvLayout::default() };
    let (header, _) = Header::read(&layout, b"c").expect("it is a header");
    let columns = [column.clone()];
    let decoder = Decoder::new(&layout, &rules, &header, &columns).expect("the format was checked");

    let plain = decode(&decoder, text);
    if !matches!(column.column_type, ColumnType::String | ColumnType::Json) {
        let padded = decode(&decoder, &[b" \t", text, b"\t "].concat());
        assert_eq!(plain.good, padded.good, "blanks around a value mean nothing");
    }
    let decoded = decoder.decode(Bytes::copy_from_slice(text));
    if decoded.bad.is_empty() {
        check_value(&column, &decoded.columns[0], text, &rules);
    }
});

fn decode(decoder: &Decoder, text: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.add(&decoder.decode(Bytes::copy_from_slice(text)));
    assert_eq!(outcome.rows, 1);
    outcome
}

fn check_value(column: &Column, values: &ColumnValues, text: &[u8], rules: &ValueRules) {
    let text = std::str::from_utf8(text).expect("a good row is UTF-8");
    let trimmed = text.trim_matches([' ', '\t']);
    let with_point = trimmed.replace(char::from(rules.decimal_separator), ".");
    match &values.values {
        Values::String { .. } => {}
        Values::Int64(values) => assert_eq!(Ok(values[0]), trimmed.parse()),
        Values::Float64(values) => assert_eq!(Ok(values[0]), with_point.parse()),
        Values::Bool(values) => assert_eq!(values[0], matches!(trimmed.as_bytes()[0], b'1' | b't' | b'T')),
        Values::Decimal(values) => check_decimal(column.column_type, values[0], &with_point),
        Values::Date(values) => {
            let calendar = -719_162..=2_932_896; // the years from 1 to 9999
            assert!(calendar.contains(&values[0]));
            if column.format.is_none() {
                let date = chrono::NaiveDate::parse_from_str(trimmed, "%Y-%m-%d").expect("chrono reads it too");
                assert_eq!(date.signed_duration_since(chrono::NaiveDate::default()).num_days(), i64::from(values[0]));
            }
        }
        Values::Timestamp(values) => {
            let day = 86_400_000_000;
            assert!((-719_162 * day..2_932_897 * day).contains(&values[0]));
            if column.format.is_none()
                && let Ok(moment) = chrono::DateTime::parse_from_rfc3339(trimmed)
            {
                assert_eq!(moment.timestamp_micros(), values[0]);
            }
        }
    }
}

/// Against the number as a float, which is near it.
fn check_decimal(column_type: ColumnType, value: i128, text: &str) {
    let ColumnType::Decimal(DecimalType { precision, scale }) = column_type else { panic!("no decimal") };
    assert!(value.unsigned_abs() < 10_u128.pow(u32::from(precision)));
    let near: f64 = text.parse().expect("a decimal is a number");
    let value = value as f64 / 10_f64.powi(i32::from(scale));
    assert!((value - near).abs() <= near.abs() * 1e-9, "{value} {near}");
}
