//! Any bytes as a Parquet file: no panic, and rows that keep what their types promise, both under the contract that
//! the file asks for and under any other; and what the curated writer writes of them is read again as it was.
//!
//! The first four bytes are `PAR1` in every file and nothing else depends on them: here they are the choices, so that
//! any Parquet file is a seed.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use millrace_decode::columns::DecodedChunk;
use millrace_decode::contract::{Column, ColumnType, ValueRules};
use millrace_decode::parquet::{CHUNK_ROWS, CuratedWriter, ParquetFile};
use millrace_decode_fuzz::{Outcome, TYPES, choose};

/// A footer of a few bytes claims as many rows of nulls as it likes; beyond these they are all the same.
const MAX_GROUPS: usize = 4;
const MAX_CHUNKS: usize = 3;
const MAX_COLUMNS: usize = 32;
/// Chunks of more rows are not written again.
const MAX_ROWS_TO_WRITE: u32 = 300;

fuzz_target!(|data: &[u8]| {
    let Some(([first, second, third, required], _)) = data.split_first_chunk() else { return };
    let Ok(file) = ParquetFile::open(Arc::new(Bytes::copy_from_slice(data))) else { return };
    let rows_of_groups: u64 = file.groups().iter().map(|group| group.row_count).sum();
    assert_eq!(file.row_count(), rows_of_groups);

    let column = |index: usize, from: &str, column_type| Column {
        from: from.to_owned(),
        ..Column::new(format!("c{index}"), column_type)
    };
    let infos: Vec<_> = file.columns().take(MAX_COLUMNS).collect();
    let possible: Vec<Column> =
        infos.iter().enumerate().filter_map(|(index, info)| Some(column(index, &info.name, info.possible?))).collect();
    file.check(&possible).expect("the file says that these types are possible");
    read(&file, &possible);

    for choice in [first, second, third] {
        let other: Vec<Column> = infos
            .iter()
            .enumerate()
            .map(|(index, info)| column(index, &info.name, *choose(&TYPES, choice.wrapping_add(index as u8))))
            .filter(|column| file.check(std::slice::from_ref(column)).is_ok())
            .chain([Column { required: required & 1 == 1, ..Column::new("absent", ColumnType::Timestamp) }])
            .collect();
        if file.check(&other).is_ok() {
            read(&file, &other);
        }
    }
});

fn read(file: &ParquetFile, columns: &[Column]) {
    let rules = ValueRules { null_values: vec!["NA".to_owned()], ..ValueRules::default() };
    let decoder = file.decoder(&rules, columns).expect("the contract was checked");
    for (index, info) in file.groups().into_iter().enumerate().take(MAX_GROUPS) {
        let Ok(mut reader) = decoder.group(index) else { continue };
        let mut next_row = 0;
        for number in 0..MAX_CHUNKS {
            let chunk = match reader.next_chunk() {
                Ok(Some(chunk)) => chunk,
                Ok(None) => {
                    assert_eq!(next_row, info.row_count);
                    break;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    break;
                }
            };
            assert_eq!((chunk.group, chunk.number, chunk.first_row), (index, number, next_row));
            assert!(chunk.decoded.row_count > 0 && chunk.decoded.row_count as usize <= CHUNK_ROWS);
            next_row += u64::from(chunk.decoded.row_count);
            assert!(next_row <= info.row_count);
            let mut outcome = Outcome::default();
            outcome.add(&chunk.decoded);
            if chunk.decoded.row_count <= MAX_ROWS_TO_WRITE {
                write_and_read(&chunk.decoded, &outcome, columns);
            }
        }
    }
}

/// The good rows of a chunk through the curated writer and back.
fn write_and_read(chunk: &DecodedChunk, expected: &Outcome, columns: &[Column]) {
    let columns: Vec<Column> =
        columns.iter().map(|column| Column::new(column.name.clone(), column.column_type)).collect();
    let mut curated = Vec::new();
    let mut writer = CuratedWriter::new(&mut curated, &columns).expect("memory takes all");
    writer.add(chunk, &vec![true; chunk.good_row_count()]).expect("memory takes all");
    assert_eq!(writer.finish().expect("memory takes all").rows, chunk.good_row_count() as u64);

    let file = ParquetFile::open(Arc::new(Bytes::from(curated))).expect("the file is our own");
    file.check(&columns).expect("the columns are the file's");
    let decoder = file.decoder(&ValueRules::default(), &columns).expect("the columns are the file's");
    let mut outcome = Outcome::default();
    for group in 0..file.groups().len() {
        let mut reader = decoder.group(group).expect("the group is there");
        while let Some(chunk) = reader.next_chunk().expect("the file is whole") {
            outcome.add(&chunk.decoded);
        }
    }
    assert_eq!(outcome.bad, []);
    let values = |outcome: &Outcome| outcome.good.iter().map(|(_, values)| values.clone()).collect::<Vec<_>>();
    assert_eq!(values(expected), values(&outcome));
}
