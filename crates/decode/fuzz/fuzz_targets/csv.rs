//! Any bytes as CSV under any layout: cutter, header and decoder do not panic, agree, and give the same rows however the
//! file was pushed and cut.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use millrace_decode::contract::{Column, ValueRules};
use millrace_decode::csv::{CsvLayout, CutError, Decoder, Header, RowCutter};
use millrace_decode_fuzz::{Outcome, TYPES, choose, split};

const MAX_ROW_BYTES: usize = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let Some(([delimiter, quote, types, target_bytes, longest_push], file)) = data.split_first_chunk() else { return };
    let layout = CsvLayout {
        delimiter: *choose(b",;\t|\x01 a", *delimiter),
        quote: *choose(b"\"'\"\x02", *quote),
        ..CsvLayout::default()
    };
    let rules = ValueRules { null_values: vec![String::new(), "NA".to_owned()], ..ValueRules::default() };
    let columns: Vec<Column> = [*types, types / 9, types / 81]
        .iter()
        .enumerate()
        .map(|(index, byte)| Column::new(format!("c{index}"), *choose(&TYPES, *byte)))
        .collect();

    if let Ok((header, rows_begin)) = Header::read(&layout, file) {
        assert!(rows_begin <= file.len());
        let _ = header.check(&layout, &columns);
    }
    let delimiter = char::from(layout.delimiter).to_string();
    let (header, _) = Header::read(&layout, ["c0", "c1", "c2"].join(&delimiter).as_bytes()).expect("it is a header");
    let decoder = Decoder::new(&layout, &rules, &header, &columns).expect("no column has a format");

    let whole = decode(&decoder, &layout, &[file], 1 << 20);
    let in_pieces = decode(&decoder, &layout, &split(file, *longest_push), usize::from(*target_bytes));
    assert_eq!(whole, in_pieces);
});

/// `None` where a row is too long.
fn decode(decoder: &Decoder, layout: &CsvLayout, pushes: &[&[u8]], target_bytes: usize) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    let mut cutter = RowCutter::new(layout, target_bytes, MAX_ROW_BYTES);
    let mut out = |chunk: Bytes| {
        assert!(chunk.len() <= target_bytes.max(MAX_ROW_BYTES));
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
