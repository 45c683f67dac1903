//! Which stored values become which of the contract's: by files of the crate `parquet`, in all its encodings.

use chrono_tz::Tz;
use parquet::basic::Type as PhysicalType;
use parquet::basic::{BrotliLevel, Compression, ConvertedType, Encoding, GzipLevel, LogicalType, TimeUnit, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type,
    Int64Type, Int96, Int96Type,
};
use parquet::file::properties::{WriterPropertiesBuilder, WriterVersion};

use super::*;

fn plain() -> WriterPropertiesBuilder {
    WriterProperties::builder().set_dictionary_enabled(false)
}

fn as_is(field: Field) -> Field {
    field
}

fn meaning(logical: LogicalType) -> impl Fn(Field) -> Field {
    move |field| field.with_logical_type(Some(logical.clone()))
}

fn decimals(precision: i32, scale: i32) -> impl Fn(Field) -> Field {
    move |field| {
        field
            .with_logical_type(Some(LogicalType::decimal(scale, precision)))
            .with_precision(precision)
            .with_scale(scale)
            .with_length(16)
    }
}

fn ints(column_type: ColumnType, logical: Option<LogicalType>, values: &[i64]) -> (Vec<Cell>, Vec<(u64, String)>) {
    let adorn = |field: Field| field.with_logical_type(logical.clone());
    let rows = vec![values.iter().copied().map(Some).collect()];
    let file = crate_file::<Int64Type>(plain().build(), PhysicalType::INT64, adorn, &rows);
    let (mut cells, bad) = read_with(&file, &ValueRules::default(), &[column("c", column_type)]).unwrap();
    (cells.remove(0), bad)
}

fn short_ints(
    column_type: ColumnType,
    logical: Option<LogicalType>,
    values: &[i32],
) -> (Vec<Cell>, Vec<(u64, String)>) {
    let adorn = |field: Field| field.with_logical_type(logical.clone());
    let rows = vec![values.iter().copied().map(Some).collect()];
    let file = crate_file::<Int32Type>(plain().build(), PhysicalType::INT32, adorn, &rows);
    let (mut cells, bad) = read_with(&file, &ValueRules::default(), &[column("c", column_type)]).unwrap();
    (cells.remove(0), bad)
}

fn texts(rules: &ValueRules, column_type: ColumnType, values: &[&[u8]]) -> (Vec<Cell>, Vec<(u64, String)>) {
    let rows = vec![values.iter().map(|value| Some(ByteArray::from(*value))).collect()];
    let read = |properties| {
        let file = crate_file::<ByteArrayType>(properties, PhysicalType::BYTE_ARRAY, as_is, &rows);
        let (mut cells, bad) = read_with(&file, rules, &[column("c", column_type)]).unwrap();
        (cells.remove(0), bad)
    };
    let outcome = read(plain().build());
    assert_eq!(read(WriterProperties::builder().build()), outcome, "a dictionary changes nothing");
    outcome
}

#[test]
fn integers_widen_to_int64() {
    let narrow = |bits, signed| Some(LogicalType::integer(bits, signed));
    assert_eq!(short_ints(ColumnType::Int64, None, &[i32::MIN, 7]).0, [i64::from(i32::MIN), 7].map(Cell::Int));
    assert_eq!(short_ints(ColumnType::Int64, narrow(8, true), &[-128]).0, [Cell::Int(-128)]);
    assert_eq!(short_ints(ColumnType::Int64, narrow(32, false), &[-1]).0, [Cell::Int(4_294_967_295)]);
    assert_eq!(ints(ColumnType::Int64, None, &[i64::MIN, i64::MAX]).0, [i64::MIN, i64::MAX].map(Cell::Int));
    let (cells, bad) = ints(ColumnType::Int64, narrow(64, false), &[1, -1, 2]);
    assert_eq!(cells, [1, 2].map(Cell::Int));
    assert_eq!(bad, [(1, "column `c`: `18446744073709551615` is not an int64: out of range".to_owned())]);
}

#[test]
fn integers_and_floats_widen_to_float64() {
    assert_eq!(short_ints(ColumnType::Float64, None, &[i32::MAX]).0, [Cell::Float(2_147_483_647.0)]);
    let rows = vec![[1.5, f32::NAN, 0.1].map(Some).to_vec()];
    let file = crate_file::<FloatType>(plain().build(), PhysicalType::FLOAT, as_is, &rows);
    let (cells, bad) = read_with(&file, &ValueRules::default(), &[column("c", ColumnType::Float64)]).unwrap();
    assert_eq!(cells[0], [1.5, f64::from(0.1_f32)].map(Cell::Float));
    assert_eq!(bad, [(1, "column `c`: `NaN` is not a float64: not finite".to_owned())]);
    let rows = vec![[Some(f64::NEG_INFINITY), None, Some(-0.25)].to_vec()];
    let file = crate_file::<DoubleType>(plain().build(), PhysicalType::DOUBLE, as_is, &rows);
    let (cells, bad) = read_with(&file, &ValueRules::default(), &[column("c", ColumnType::Float64)]).unwrap();
    assert_eq!(cells[0], [Cell::Null, Cell::Float(-0.25)]);
    assert_eq!(bad, [(0, "column `c`: `-inf` is not a float64: not finite".to_owned())]);
}

#[test]
fn decimals_are_rescaled_value_by_value() {
    let (cells, bad) = ints(decimal(18, 2), Some(LogicalType::integer(64, false)), &[5, -1]);
    assert_eq!((cells, bad.len()), (vec![Cell::Decimal(500)], 1));
    let rows = vec![[12_340, 12_345, -10].map(Some).to_vec()];
    let file = crate_file::<Int64Type>(plain().build(), PhysicalType::INT64, decimals(18, 3), &rows);
    let (cells, bad) = read_with(&file, &ValueRules::default(), &[column("c", decimal(9, 2))]).unwrap();
    assert_eq!(cells[0], [1234, -1].map(Cell::Decimal));
    assert_eq!(
        bad,
        [(1, "column `c`: `12.345` is not a decimal(9,2): more digits behind the point than the type has".to_owned())]
    );
    let wide = |value: i128| Some(FixedLenByteArray::from(value.to_be_bytes().to_vec()));
    let rows = vec![vec![wide(-12_500), wide(i128::MAX), wide(1)]];
    let file = crate_file::<FixedLenByteArrayType>(
        plain().build(),
        PhysicalType::FIXED_LEN_BYTE_ARRAY,
        decimals(38, 4),
        &rows,
    );
    let (cells, bad) = read_with(&file, &ValueRules::default(), &[column("c", decimal(38, 4))]).unwrap();
    assert_eq!(cells[0], [-12_500, 1].map(Cell::Decimal));
    assert_eq!(bad.len(), 1, "39 digits");
    let (cells, bad) = read_with(&file, &ValueRules::default(), &[column("c", decimal(20, 5))]).unwrap();
    assert_eq!(cells[0], [-125_000, 10].map(Cell::Decimal));
    assert!(bad[0].1.ends_with("is not a decimal(20,5): more digits than the type has"), "{bad:?}");
    let short = |bytes: &[u8]| Some(ByteArray::from(bytes));
    let rows = vec![vec![short(&[0xff]), short(&[1, 0]), short(&[0xff; 20]), short(&[0x7f; 17]), short(&[])]];
    let file = crate_file::<ByteArrayType>(plain().build(), PhysicalType::BYTE_ARRAY, decimals(30, 2), &rows);
    let (cells, bad) = read_with(&file, &ValueRules::default(), &[column("c", decimal(30, 2))]).unwrap();
    assert_eq!(cells[0], [-1, 256, -1].map(Cell::Decimal));
    assert_eq!(bad.len(), 2);
}

#[test]
fn dates_stay_within_the_calendar() {
    let (cells, bad) = short_ints(ColumnType::Date, Some(LogicalType::Date), &[15_706, -719_163, i32::MAX]);
    assert_eq!(cells, [Cell::Days(15_706)]);
    assert_eq!(bad[0].1, "column `c`: `-719163 days since 1970` is not a date: year out of range");
    assert_eq!(bad.len(), 2);
}

#[test]
fn timestamps_become_microseconds_of_utc() {
    let unit = |unit| Some(LogicalType::timestamp(true, unit));
    let (cells, bad) = ints(ColumnType::Timestamp, unit(TimeUnit::MILLIS), &[-1, i64::MAX]);
    assert_eq!((cells, bad.len()), (vec![Cell::Micros(-1000)], 1));
    assert_eq!(ints(ColumnType::Timestamp, unit(TimeUnit::MICROS), &[-1]).0, [Cell::Micros(-1)]);
    let (cells, _) = ints(ColumnType::Timestamp, unit(TimeUnit::NANOS), &[1999, -1, i64::MIN]);
    assert_eq!(cells, [1, -1, -9_223_372_036_854_776].map(Cell::Micros));
    let (_, bad) = ints(ColumnType::Timestamp, unit(TimeUnit::MICROS), &[253_402_300_800_000_000]);
    assert_eq!(bad[0].1, "column `c`: `253402300800000000 µs since 1970` is not a timestamp: year out of range");
    let old = |field: Field| field.with_converted_type(ConvertedType::TIMESTAMP_MILLIS);
    let file = crate_file::<Int64Type>(plain().build(), PhysicalType::INT64, old, &[vec![Some(1)]]);
    assert_eq!(read_column(&file, "c", ColumnType::Timestamp), [Cell::Micros(1000)]);
}

#[test]
fn local_timestamps_are_of_the_feeds_timezone() {
    let rules = ValueRules { timezone: Tz::Europe__Berlin, ..ValueRules::default() };
    let local = meaning(LogicalType::timestamp(false, TimeUnit::MICROS));
    // 2013-07-01 13:00 and 2013-03-31 02:30, which the clocks skipped.
    let rows = vec![vec![Some(1_372_683_600_000_000), Some(1_364_697_000_000_000)]];
    let file = crate_file::<Int64Type>(plain().build(), PhysicalType::INT64, local, &rows);
    let (cells, bad) = read_with(&file, &rules, &[column("c", ColumnType::Timestamp)]).unwrap();
    assert_eq!(cells[0], [Cell::Micros(1_372_676_400_000_000)]);
    assert!(bad[0].1.ends_with("the clocks of the feed's timezone skipped it"), "{bad:?}");
}

#[test]
fn int96_is_a_timestamp() {
    let stamp = |nanos: u64, day: u32| {
        let mut int96 = Int96::new();
        int96.set_data(nanos as u32, (nanos >> 32) as u32, day);
        Some(int96)
    };
    let rows = vec![vec![stamp(1_999, 2_440_588), None, stamp(86_399_999_999_999, 2_440_587), stamp(0, 0)]];
    let file = crate_file::<Int96Type>(plain().build(), PhysicalType::INT96, as_is, &rows);
    let (cells, bad) = read_with(&file, &ValueRules::default(), &[column("c", ColumnType::Timestamp)]).unwrap();
    assert_eq!(cells[0], [Cell::Micros(1), Cell::Null, Cell::Micros(-1)]);
    assert_eq!(bad.len(), 1, "Julian day 0 is before year 1");
}

#[test]
fn texts_are_utf8_and_json_is_json() {
    let rules = ValueRules { null_values: vec!["NA".to_owned()], ..ValueRules::default() };
    let (cells, bad) =
        texts(&rules, ColumnType::String, &[b"", b"NA", b"caf\xe9", "ü".as_bytes(), b"longer than twelve"]);
    assert_eq!(cells, [text(""), Cell::Null, text("ü"), text("longer than twelve")]);
    assert_eq!(bad, [(2, "column `c`: `caf\\xe9` is not valid UTF-8".to_owned())]);
    let (cells, bad) = texts(&rules, ColumnType::Json, &[b"{\"a\":1}", b"{", b"NA"]);
    assert_eq!(cells, [text("{\"a\":1}"), Cell::Null]);
    assert_eq!(bad, [(1, "column `c`: `{` is not a json".to_owned())]);
}

#[test]
fn texts_say_values_as_in_csv() {
    let rules = ValueRules { null_values: vec![String::new()], timezone: Tz::Europe__Berlin, ..ValueRules::default() };
    assert_eq!(texts(&rules, ColumnType::Int64, &[b" 12 ", b"", b"1"]).0, [Cell::Int(12), Cell::Null, Cell::Int(1)]);
    assert_eq!(texts(&rules, ColumnType::Float64, &[b"1.5"]).0, [Cell::Float(1.5)]);
    assert_eq!(texts(&rules, decimal(9, 2), &[b"1.50"]).0, [Cell::Decimal(150)]);
    assert_eq!(texts(&rules, ColumnType::Bool, &[b"TRUE"]).0, [Cell::Bool(true)]);
    assert_eq!(texts(&rules, ColumnType::Date, &[b"2013-01-01"]).0, [Cell::Days(15_706)]);
    let (cells, bad) = texts(&rules, ColumnType::Timestamp, &[b"1970-01-01 01:00:01", b"soon"]);
    assert_eq!(cells, [Cell::Micros(1_000_000)]);
    assert_eq!(bad, [(1, "column `c`: `soon` is not a timestamp".to_owned())]);
    let german = Column { format: Some("%d.%m.%Y".to_owned()), ..column("c", ColumnType::Date) };
    let rows = vec![vec![Some(ByteArray::from("01.01.2013"))]];
    let file = crate_file::<ByteArrayType>(plain().build(), PhysicalType::BYTE_ARRAY, as_is, &rows);
    assert_eq!(read(&file, &[german]).unwrap()[0], [Cell::Days(15_706)]);
}

#[test]
fn a_bad_row_shows_its_needed_columns() {
    let rows = vec![vec![Some(ByteArray::from("caf\u{e9} \"x\"")), Some(ByteArray::from(&b"\xe9"[..]))]];
    let file = crate_file::<ByteArrayType>(plain().build(), PhysicalType::BYTE_ARRAY, as_is, &rows);
    let columns = [
        column("c", ColumnType::String),
        Column { required: false, ..column("absent", ColumnType::Int64) },
        Column { name: "number".to_owned(), ..column("c", ColumnType::Int64) },
    ];
    let chunks = read_chunks(&file, &ValueRules::default(), &columns).unwrap();
    let raw: Vec<&str> = chunks[0].decoded.bad.iter().map(|bad| std::str::from_utf8(&bad.raw).unwrap()).collect();
    assert_eq!(
        raw,
        [
            "{\"c\":\"caf\u{e9} \\\"x\\\"\",\"absent\":null,\"c\":\"caf\u{e9} \\\"x\\\"\"}",
            r#"{"c":"\\xe9","absent":null,"c":"\\xe9"}"#
        ]
    );
    assert_eq!(chunks[0].decoded.bad[1].reason, "column `c`: `\\xe9` is not valid UTF-8");
}

/// Numbers from 0 up with a null here and there, over several pages and row groups.
fn rows_with_nulls<T>(value: impl Fn(usize) -> T) -> Vec<Vec<Option<T>>> {
    let group = |range: std::ops::Range<usize>| range.map(|index| (index % 7 != 3).then(|| value(index))).collect();
    vec![group(0..10_000), Vec::new(), group(10_000..10_001), group(10_001..23_000)]
}

fn cells_with_nulls(cell: impl Fn(usize) -> Cell) -> Vec<Cell> {
    (0..23_000).map(|index| if index % 7 == 3 { Cell::Null } else { cell(index) }).collect()
}

fn word(index: usize) -> String {
    format!("{}-{}", "abcdefghijklmnop".repeat(index % 3), index % 5000)
}

/// Every codec, both page versions, and pages that are small and many.
fn layouts() -> Vec<WriterPropertiesBuilder> {
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
    ];
    let versions = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    let layout = |codec| {
        versions.map(|version| {
            WriterProperties::builder()
                .set_compression(codec)
                .set_writer_version(version)
                .set_data_page_row_count_limit(3000)
                .set_write_batch_size(500)
        })
    };
    codecs.into_iter().flat_map(layout).collect()
}

#[test]
fn every_codec_and_page_version_is_read() {
    let expected = cells_with_nulls(|index| Cell::Text(word(index)));
    for layout in layouts() {
        for dictionary in [true, false] {
            let properties = layout.clone().set_dictionary_enabled(dictionary).build();
            let rows = rows_with_nulls(|index| ByteArray::from(word(index).as_str()));
            let file = crate_file::<ByteArrayType>(properties, PhysicalType::BYTE_ARRAY, as_is, &rows);
            assert_eq!(read_column(&file, "c", ColumnType::String), expected);
        }
    }
}

#[test]
fn every_encoding_of_numbers_is_read() {
    for encoding in [Encoding::PLAIN, Encoding::DELTA_BINARY_PACKED, Encoding::BYTE_STREAM_SPLIT] {
        for layout in &layouts()[2..4] {
            let properties = || layout.clone().set_dictionary_enabled(false).set_encoding(encoding).build();
            let number = |index: usize| (index as i64).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) >> (index % 50);
            let rows = rows_with_nulls(number);
            let file = crate_file::<Int64Type>(properties(), PhysicalType::INT64, as_is, &rows);
            let expected = cells_with_nulls(|index| Cell::Int(number(index)));
            assert_eq!(read_column(&file, "c", ColumnType::Int64), expected, "{encoding}");

            let rows = rows_with_nulls(|index| number(index) as i32);
            let file = crate_file::<Int32Type>(properties(), PhysicalType::INT32, as_is, &rows);
            let expected = cells_with_nulls(|index| Cell::Int(i64::from(number(index) as i32)));
            assert_eq!(read_column(&file, "c", ColumnType::Int64), expected, "{encoding}");
        }
    }
    for encoding in [Encoding::PLAIN, Encoding::BYTE_STREAM_SPLIT] {
        let properties = || plain().set_encoding(encoding).build();
        let rows = rows_with_nulls(|index| index as f64 / 3.0);
        let file = crate_file::<DoubleType>(properties(), PhysicalType::DOUBLE, as_is, &rows);
        assert_eq!(
            read_column(&file, "c", ColumnType::Float64),
            cells_with_nulls(|index| Cell::Float(index as f64 / 3.0))
        );
        let rows = rows_with_nulls(|index| FixedLenByteArray::from((index as i128 - 5000).to_be_bytes().to_vec()));
        let file = crate_file::<FixedLenByteArrayType>(
            properties(),
            PhysicalType::FIXED_LEN_BYTE_ARRAY,
            decimals(38, 2),
            &rows,
        );
        assert_eq!(
            read_column(&file, "c", decimal(38, 2)),
            cells_with_nulls(|index| Cell::Decimal(index as i128 - 5000))
        );
    }
}

#[test]
fn every_encoding_of_texts_is_read() {
    let expected = cells_with_nulls(|index| Cell::Text(word(index)));
    for encoding in [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
        for layout in &layouts()[2..4] {
            let properties = layout.clone().set_dictionary_enabled(false).set_encoding(encoding).build();
            let rows = rows_with_nulls(|index| ByteArray::from(word(index).as_str()));
            let file = crate_file::<ByteArrayType>(properties, PhysicalType::BYTE_ARRAY, as_is, &rows);
            assert_eq!(read_column(&file, "c", ColumnType::String), expected, "{encoding}");
        }
    }
}

#[test]
fn booleans_are_bits_or_runs() {
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let properties = WriterProperties::builder().set_writer_version(version).build();
        let rows = rows_with_nulls(|index| index % 100 < 30);
        let file = crate_file::<BoolType>(properties, PhysicalType::BOOLEAN, as_is, &rows);
        assert_eq!(read_column(&file, "c", ColumnType::Bool), cells_with_nulls(|index| Cell::Bool(index % 100 < 30)));
    }
}

#[test]
fn large_dictionaries_are_read_too() {
    let name = |index: usize| format!("a name of its own: {index:08}");
    let properties = WriterProperties::builder().set_dictionary_page_size_limit(64 << 20).build();
    let rows = vec![(0..100_000).map(|index| Some(ByteArray::from(name(index % 90_000).as_str()))).collect()];
    let file = crate_file::<ByteArrayType>(properties, PhysicalType::BYTE_ARRAY, as_is, &rows);
    let expected: Vec<Cell> = (0..100_000).map(|index| Cell::Text(name(index % 90_000))).collect();
    assert_eq!(read_column(&file, "c", ColumnType::String), expected);
}

#[test]
fn chunks_end_where_texts_become_long() {
    let long = |index: usize| format!("{index}").repeat(1 << 20);
    for encoding in [Encoding::PLAIN, Encoding::DELTA_BYTE_ARRAY] {
        let rows = vec![(0..66).map(|index| Some(ByteArray::from(long(index % 10).as_str()))).collect()];
        let properties = plain().set_encoding(encoding).build();
        let file = crate_file::<ByteArrayType>(properties, PhysicalType::BYTE_ARRAY, as_is, &rows);
        let columns = [column("c", ColumnType::String)];
        let chunks = read_chunks(&file, &ValueRules::default(), &columns).unwrap();
        let sizes: Vec<u32> = chunks.iter().map(|chunk| chunk.decoded.row_count).collect();
        assert_eq!(sizes, [64, 2]);
        assert_eq!(chunks.iter().map(|chunk| (chunk.group, chunk.number)).collect::<Vec<_>>(), [(0, 0), (0, 1)]);
        assert_eq!(chunks[1].first_row, 64);
        let cells: Vec<Cell> =
            chunks.iter().flat_map(|chunk| cells_of(&chunk.decoded, &chunk.decoded.columns[0])).collect();
        assert!(cells.iter().enumerate().all(|(index, cell)| *cell == Cell::Text(long(index % 10))));
    }
}
