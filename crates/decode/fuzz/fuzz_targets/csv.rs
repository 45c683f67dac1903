//! Any bytes as CSV under any layout: what reads them does not panic, keeps its limits, and gives the same chunks
//! however the file was pushed, and the same rows however it was cut.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use millrace_decode::contract::{Column, ValueRules};
use millrace_decode::csv::{ChunkReader, CsvError, CsvLayout, Decoder, Header, HeaderRow};
use millrace_decode::text::{ENCODING_NAMES, encoding_of_label};
use millrace_decode_fuzz::{Outcome, TYPES, choose, split};

const MAX_ROW_BYTES: usize = 512;

/// What comes of a file, or why it is not read.
type Read = Result<(Vec<Bytes>, Outcome, Vec<String>), CsvError>;

fuzz_target!(|data: &[u8]| {
    let Some(([delimiter, quote, encoding, around, types, target_bytes, longest_push], file)) =
        data.split_first_chunk()
    else {
        return;
    };
    let layout = CsvLayout {
        encoding: encoding_of_label(choose::<&str>(&ENCODING_NAMES, *encoding)).expect("it is one of the names"),
        delimiter: *choose(b",;\t|\x01 a", *delimiter),
        quote: *choose(&[Some(b'"'), Some(b'\''), Some(0x02), None], *quote),
        header: *choose(&[HeaderRow::Present, HeaderRow::Absent], around & 1),
        skip_rows: u32::from(around >> 1 & 3),
        skip_footer: u32::from(around >> 3 & 7),
    };
    let columns: Vec<Column> = [*types, types / 9, types / 81]
        .iter()
        .enumerate()
        .map(|(index, byte)| Column {
            required: around & 0x40 != 0,
            ..Column::new(format!("c{index}"), *choose(&TYPES, *byte))
        })
        .collect();
    let _ = Header::read(&layout, file).map(|(_, rows_begin)| assert!(rows_begin <= file.len()));

    let target_bytes = usize::from(*target_bytes);
    let at_once = read(&layout, &columns, &[file], target_bytes, MAX_ROW_BYTES);
    let in_pieces = read(&layout, &columns, &split(file, *longest_push), target_bytes, MAX_ROW_BYTES);
    assert_eq!(at_once, in_pieces);
    if let Ok((_, rows, unknown_columns)) = at_once {
        let (_, rows_of_one_chunk, unknown) =
            read(&layout, &columns, &[file], 1 << 20, 1 << 20).expect("larger chunks can be read too");
        assert_eq!((rows, unknown_columns), (rows_of_one_chunk, unknown));
    }
});

fn read(layout: &CsvLayout, columns: &[Column], pushes: &[&[u8]], target_bytes: usize, max_row_bytes: usize) -> Read {
    let rules = ValueRules { null_values: vec![String::new(), "NA".to_owned()], ..ValueRules::default() };
    let mut chunks = Vec::new();
    let mut outcome = Outcome::default();
    let mut reader = ChunkReader::new(layout, columns, target_bytes, max_row_bytes);
    let mut out = |header: &Header, chunk: Bytes| {
        assert!(!chunk.is_empty() && chunk.len() <= target_bytes.max(max_row_bytes));
        let decoder = Decoder::new(layout, &rules, header, columns).expect("no column has a format");
        let decoded = decoder.decode(chunk.clone());
        let bad_rows: Vec<u32> = decoded.bad.iter().map(|bad| bad.row).collect();
        let raw_rows = decoder.raw_rows(&chunk, &bad_rows);
        assert!(decoded.bad.iter().map(|bad| &bad.raw).eq(&raw_rows));
        outcome.add(&decoded);
        chunks.push(chunk);
        Ok::<(), CsvError>(())
    };
    for push in pushes {
        reader.push(push, &mut out)?;
    }
    let unknown_columns = reader.finish(&mut out)?;
    Ok((chunks, outcome, unknown_columns))
}
