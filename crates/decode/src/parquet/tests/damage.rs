//! Files that were damaged on their way: read or refused, never with a panic.

use parquet::basic::{Compression, Encoding, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterVersion;
use proptest::prelude::*;

use super::by_hand::{chunk_metadata, data_header, file_of, group_of, numbers, schema_of_c};
use super::*;

/// Reads all that can be read of a file, as whatever its schema allows.
fn read_anything(file: Bytes) {
    let Ok(opened) = open(file.clone()) else { return };
    for column_type in
        [ColumnType::String, ColumnType::Int64, ColumnType::Float64, ColumnType::Timestamp, decimal(38, 4)]
    {
        let columns: Vec<Column> = opened.names().iter().take(20).map(|name| column(name, column_type)).collect();
        for columns in columns.chunks(1) {
            let Ok(decoder) = opened.decoder(&ValueRules::default(), columns) else { continue };
            for group in 0..opened.groups().len().min(10) {
                let Ok(mut reader) = decoder.group(group) else { continue };
                // A lie about many rows may be told in a few bytes: some of them are enough.
                for _ in 0..5 {
                    if !matches!(reader.next_chunk(), Ok(Some(_))) {
                        break;
                    }
                }
            }
        }
    }
}

fn victims() -> Vec<Bytes> {
    let mut victims = vec![numbers()];
    let words: Vec<Option<ByteArray>> = (0..3000_u32)
        .map(|index| (index % 11 > 0).then(|| ByteArray::from(format!("word {}", index % 700).as_str())))
        .collect();
    for (encoding, version) in [
        (None, WriterVersion::PARQUET_1_0),
        (None, WriterVersion::PARQUET_2_0),
        (Some(Encoding::PLAIN), WriterVersion::PARQUET_2_0),
        (Some(Encoding::DELTA_LENGTH_BYTE_ARRAY), WriterVersion::PARQUET_1_0),
        (Some(Encoding::DELTA_BYTE_ARRAY), WriterVersion::PARQUET_2_0),
    ] {
        let mut properties =
            WriterProperties::builder().set_writer_version(version).set_data_page_row_count_limit(1000);
        if let Some(encoding) = encoding {
            properties = properties.set_dictionary_enabled(false).set_encoding(encoding);
        }
        let rows = vec![words.clone(), words[..5].to_vec()];
        victims.push(crate_file::<ByteArrayType>(properties.build(), PhysicalType::BYTE_ARRAY, |field| field, &rows));
    }
    for encoding in [Encoding::DELTA_BINARY_PACKED, Encoding::BYTE_STREAM_SPLIT] {
        let rows = vec![(0..3000).map(|index| (index % 3 > 0).then_some(index * index)).collect()];
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(encoding)
            .set_compression(Compression::LZ4_RAW);
        victims.push(crate_file::<Int64Type>(properties.build(), PhysicalType::INT64, |field| field, &rows));
    }
    victims
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_files_never_panic(
        victim in 0_usize..8,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        tail in any::<bool>(),
    ) {
        let mut file = VICTIMS.with(|victims| victims[victim].to_vec());
        let length = file.len();
        for (index, value) in flips {
            // Footers are short, and most of what can go wrong is there.
            let at = if tail { length - 1 - index.index(length.min(400)) } else { index.index(length) };
            file[at] = value;
        }
        read_anything(file.into());
    }

    #[test]
    fn cut_files_never_panic(victim in 0_usize..8, cut in any::<prop::sample::Index>(), end in any::<bool>()) {
        let file = VICTIMS.with(|victims| victims[victim].clone());
        let at = cut.index(file.len());
        read_anything(file.slice(..at));
        if end {
            let footer = file.len().saturating_sub(at);
            let mut cut_inside = file[..at / 2].to_vec();
            cut_inside.extend_from_slice(&file[file.len() - footer.min(600)..]);
            read_anything(cut_inside.into());
        }
    }

    #[test]
    fn any_page_is_read_or_refused(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        values in 0_i64..3000,
        encoding in 0_i64..12,
        codec in 0_i64..9,
        inflated in 0_i64..400,
    ) {
        let header = data_header(inflated, body.len() as i64, values, encoding);
        let data = [&header.0[..], &[0], &body].concat();
        let group = group_of(chunk_metadata(codec, values, data.len() as i64, 4), values);
        read_anything(file_of(&data, schema_of_c(), vec![group], values));
    }
}

thread_local! {
    static VICTIMS: Vec<Bytes> = victims();
}
