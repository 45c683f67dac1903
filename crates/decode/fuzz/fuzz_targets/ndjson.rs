//! Any bytes as NDJSON: cutter and decoder do not panic, give the same rows however the file was pushed and cut, and
//! judge lines and read values as serde_json does.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use millrace_decode::columns::DecodedChunk;
use millrace_decode::contract::{Column, ColumnType, ValueRules};
use millrace_decode::ndjson::{CutError, Decoder, RowCutter};
use millrace_decode_fuzz::{Outcome, TYPES, choose, split};
use serde_json::Value;

const MAX_ROW_BYTES: usize = 1 << 16;
const NULL: &str = "NA";

fuzz_target!(|data: &[u8]| {
    let Some(([types, required, target_bytes, longest_push], file)) = data.split_first_chunk() else { return };
    let contract: Vec<Column> = [*types, types / 9, types / 81, 0]
        .iter()
        .enumerate()
        .map(|(index, byte)| Column {
            required: required >> index & 1 == 1,
            ..Column::new(format!("c{index}"), *choose(&TYPES, *byte))
        })
        .collect();
    let needed = &contract[..3];
    let rules = ValueRules { null_values: vec![NULL.to_owned()], ..ValueRules::default() };
    let decoder = Decoder::new(&rules, &contract, needed).expect("no column has a format");

    let Some(whole) = decode(&decoder, &[file], 1 << 20) else { return };
    let in_pieces = decode(&decoder, &split(file, *longest_push), usize::from(*target_bytes));
    let in_pieces = in_pieces.expect("no line is longer than the file");
    assert_eq!((&whole.good, &whole.bad, whole.rows), (&in_pieces.good, &in_pieces.bad, in_pieces.rows));
    if whole.unknown_keys.len() < DecodedChunk::MAX_UNKNOWN_KEYS {
        assert_eq!(whole.unknown_keys, in_pieces.unknown_keys);
    }
    compare(&whole, needed, file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file));
});

/// `None` where a row is too long.
fn decode(decoder: &Decoder, pushes: &[&[u8]], target_bytes: usize) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    let mut cutter = RowCutter::new(target_bytes, MAX_ROW_BYTES);
    let mut out = |chunk: Bytes| {
        assert!(!chunk.is_empty() && chunk.len() <= target_bytes.max(MAX_ROW_BYTES));
        let decoded = decoder.decode(chunk.clone());
        let bad_rows: Vec<u32> = decoded.bad.iter().map(|bad| bad.row).collect();
        let raw_rows = decoder.raw_rows(&chunk, &bad_rows);
        assert!(decoded.bad.iter().map(|bad| &bad.raw).eq(&raw_rows));
        outcome.add(&decoded);
        Ok::<(), CutError>(())
    };
    for push in pushes {
        cutter.push(push, &mut out).ok()?;
    }
    cutter.finish(&mut out).ok()?;
    Some(outcome)
}

/// With what serde_json makes of each line.
fn compare(outcome: &Outcome, needed: &[Column], file: &[u8]) {
    let is_blank = |line: &&[u8]| line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !is_blank(line));
    let mut good = outcome.good.iter().peekable();
    let mut bad = outcome.bad.iter().peekable();
    for (row, line) in (0..).zip(lines) {
        let values = good.next_if(|(good, _)| *good == row).map(|(_, values)| values);
        let reason = bad.next_if(|(bad, ..)| *bad == row).map(|(_, _, reason)| reason.as_str());
        let is_refused = reason.is_some_and(|reason| reason.starts_with("not "));
        match serde_json::from_slice::<Value>(line) {
            // It stops where a number is beyond float64, before it has seen the rest of the line.
            Err(error) if error.to_string().contains("number out of range") => {}
            Ok(value @ Value::Object(_)) => {
                let is_too_deep = reason.is_some_and(|reason| reason.contains("nested more than"));
                assert!(!is_refused || is_too_deep, "row {row}: {reason:?}");
                for (column, ours) in needed.iter().zip(values.into_iter().flatten()) {
                    compare_value(column, ours.as_deref(), value.get(&column.from));
                }
            }
            theirs => assert!(is_refused, "row {row}: {theirs:?}, {values:?}, {reason:?}"),
        }
    }
    assert!(good.next().is_none() && bad.next().is_none());
}

fn compare_value(column: &Column, ours: Option<&str>, theirs: Option<&Value>) {
    let theirs = theirs.filter(|value| !value.is_null() && value.as_str() != Some(NULL));
    let (ours, theirs) = match (ours, theirs) {
        (None, None) => return,
        (Some(ours), Some(theirs)) => (ours, theirs),
        different => panic!("one of them is null: {different:?}"),
    };
    match (column.column_type, theirs) {
        (ColumnType::String, Value::String(text)) => assert_eq!(ours, text),
        (ColumnType::String | ColumnType::Json, value) => {
            assert_eq!(&serde_json::from_str::<Value>(ours).expect("it is JSON"), value);
        }
        // To serde_json `-0` is a float.
        (ColumnType::Int64, Value::Number(number)) => match number.as_i64() {
            Some(number) => assert_eq!(ours, number.to_string()),
            None => assert_eq!((ours, number.as_f64()), ("0", Some(-0.0))),
        },
        (ColumnType::Bool, Value::Bool(value)) => assert_eq!(ours, value.to_string()),
        _ => {}
    }
}
