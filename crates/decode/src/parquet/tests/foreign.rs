//! Files of another writer: `fixtures/` was made once by pyarrow 26.0.1 with
//!
//! ```python
//! import datetime, decimal, pyarrow as pa, pyarrow.parquet as pq
//! D, T = datetime.date, datetime.datetime
//! t = [T(2013, 1, 1, 10, 0, 0, 123456), None, T(1969, 12, 31, 23, 59, 59)]
//! table = pa.table({
//!     "i8": pa.array([-128, None, 127], pa.int8()),
//!     "u8": pa.array([255, None, 0], pa.uint8()),
//!     "u32": pa.array([2**32 - 1, None, 0], pa.uint32()),
//!     "u64": pa.array([2**63, None, 0], pa.uint64()),
//!     "i64": pa.array([-2**63, None, 2**63 - 1], pa.int64()),
//!     "f32": pa.array([0.5, None, -1.25], pa.float32()),
//!     "f64": pa.array([1e300, None, float("nan")], pa.float64()),
//!     "dec9": pa.array([decimal.Decimal("-12.34"), None, decimal.Decimal("0.01")], pa.decimal128(9, 2)),
//!     "dec38": pa.array([decimal.Decimal("12345678901234567890.1234"), None, decimal.Decimal("-0.0001")],
//!                       pa.decimal128(38, 4)),
//!     "bool": pa.array([True, None, False]),
//!     "day": pa.array([D(2013, 1, 1), None, D(1, 1, 1)], pa.date32()),
//!     "ms": pa.array([T(2013, 1, 1, 10), None, T(1969, 12, 31, 23, 59, 59)], pa.timestamp("ms", "UTC")),
//!     "us": pa.array(t, pa.timestamp("us", "Europe/Berlin")),
//!     "ns": pa.array(t, pa.timestamp("ns")),
//!     "s": pa.array(["short", None, "longer than twelve: ü"]),
//!     "large": pa.array(["a", None, ""], pa.large_string()),
//!     "bin": pa.array([b"plain", None, b"\xff"], pa.binary()),
//!     "cat": pa.array(["x", None, "x"]).dictionary_encode(),
//!     "nothing": pa.nulls(3),
//!     "list": pa.array([[1, 2], None, []], pa.list_(pa.int64())),
//!     "struct": pa.array([{"a": 1}, None, {"a": None}]),
//!     "time": pa.array([datetime.time(1, 2, 3), None, datetime.time(0)], pa.time64("us")),
//! })
//! pq.write_table(table, "types.parquet", store_schema=False, compression="snappy")
//! many = pa.table({
//!     "n": pa.array(range(3000), pa.int64()),
//!     "when": pa.array([T(2013, 1, 1) + datetime.timedelta(hours=h) for h in range(3000)], pa.timestamp("ns")),
//!     "word": pa.array([None if i % 10 == 3 else f"word {i % 40}" for i in range(3000)]),
//! })
//! pq.write_table(many, "paged.parquet", store_schema=False, compression="zstd", data_page_version="2.0",
//!                data_page_size=2048, write_batch_size=100, row_group_size=2000, write_page_checksum=True,
//!                use_deprecated_int96_timestamps=True, use_dictionary=["word"],
//!                column_encoding={"n": "DELTA_BINARY_PACKED"})
//! ```

use chrono_tz::Tz;

use super::*;

const TYPES: Bytes = Bytes::from_static(include_bytes!("fixtures/types.parquet"));
const PAGED: Bytes = Bytes::from_static(include_bytes!("fixtures/paged.parquet"));

const MORNING: i64 = 1_357_034_400_000_000; // 2013-01-01T10:00:00Z

#[test]
fn pyarrows_types_are_read() {
    let seconds_before_1970 = Cell::Micros(-1_000_000);
    for (name, column_type, first, last) in [
        ("i8", ColumnType::Int64, Cell::Int(-128), Cell::Int(127)),
        ("u8", ColumnType::Int64, Cell::Int(255), Cell::Int(0)),
        ("u32", ColumnType::Int64, Cell::Int(4_294_967_295), Cell::Int(0)),
        ("u64", decimal(20, 0), Cell::Decimal(1 << 63), Cell::Decimal(0)),
        ("i64", ColumnType::Int64, Cell::Int(i64::MIN), Cell::Int(i64::MAX)),
        ("f32", ColumnType::Float64, Cell::Float(0.5), Cell::Float(-1.25)),
        ("dec9", decimal(9, 2), Cell::Decimal(-1234), Cell::Decimal(1)),
        ("dec9", decimal(18, 4), Cell::Decimal(-123_400), Cell::Decimal(100)),
        ("dec38", decimal(38, 4), Cell::Decimal(123_456_789_012_345_678_901_234), Cell::Decimal(-1)),
        ("bool", ColumnType::Bool, Cell::Bool(true), Cell::Bool(false)),
        ("day", ColumnType::Date, Cell::Days(15_706), Cell::Days(-719_162)),
        ("ms", ColumnType::Timestamp, Cell::Micros(MORNING), seconds_before_1970.clone()),
        ("us", ColumnType::Timestamp, Cell::Micros(MORNING + 123_456), seconds_before_1970.clone()),
        ("ns", ColumnType::Timestamp, Cell::Micros(MORNING + 123_456), seconds_before_1970),
        ("s", ColumnType::String, text("short"), text("longer than twelve: ü")),
        ("large", ColumnType::String, text("a"), text("")),
        ("cat", ColumnType::String, text("x"), text("x")),
        ("nothing", ColumnType::Date, Cell::Null, Cell::Null),
    ] {
        assert_eq!(read_column(&TYPES, name, column_type), [first, Cell::Null, last], "{name}");
    }
}

#[test]
fn pyarrows_rows_that_do_not_fit_are_bad() {
    let contract = [
        column("f64", ColumnType::Float64),
        column("bin", ColumnType::String),
        column("u64", ColumnType::Int64),
        column("ns", ColumnType::Timestamp),
    ];
    let rules = ValueRules { timezone: Tz::Europe__Berlin, ..ValueRules::default() };
    let chunk = read_chunks(&TYPES, &rules, &contract).unwrap().remove(0).decoded;
    let bad: Vec<(u32, &str, &str)> =
        chunk.bad.iter().map(|bad| (bad.row, bad.reason.as_str(), std::str::from_utf8(&bad.raw).unwrap())).collect();
    assert_eq!(
        bad,
        [
            (
                0,
                "column `u64`: `9223372036854775808` is not an int64: out of range",
                r#"{"f64":1e300,"bin":"plain","u64":9223372036854775808,"ns":"2013-01-01T09:00:00.123456Z"}"#
            ),
            (
                2,
                "column `f64`: `NaN` is not a float64: not finite",
                r#"{"f64":"NaN","bin":"\\xff","u64":0,"ns":"1969-12-31T22:59:59Z"}"#
            ),
        ]
    );
    assert_eq!(chunk.row_as_json(&contract, 0), r#"{"f64":null,"bin":null,"u64":null,"ns":null}"#);
}

#[test]
fn pyarrows_pages_are_read_across_columns() {
    let contract =
        [column("word", ColumnType::String), column("when", ColumnType::Timestamp), column("n", ColumnType::Int64)];
    let cells = read(&PAGED, &contract).unwrap();
    let word = |row| if row % 10 == 3 { Cell::Null } else { Cell::Text(format!("word {}", row % 40)) };
    let first = MORNING - 10 * 3_600_000_000;
    assert_eq!(cells[0], (0..3000).map(word).collect::<Vec<_>>());
    assert_eq!(cells[1], (0..3000).map(|row| Cell::Micros(first + row * 3_600_000_000)).collect::<Vec<_>>());
    assert_eq!(cells[2], (0..3000).map(Cell::Int).collect::<Vec<_>>());
}

#[test]
fn the_schema_is_held_against_the_contract() {
    let file = open(TYPES).unwrap();
    let unknown = file.check(&[column("s", ColumnType::String), column("i64", ColumnType::Int64)]).unwrap();
    assert_eq!(unknown.len(), file.names().len() - 2);
    let refusal = |contract: &[Column]| file.check(contract).unwrap_err().to_string();
    let message = refusal(&[
        column("Dec9", decimal(9, 2)),
        Column { required: false, ..column("absent", ColumnType::Int64) },
        column("origin", ColumnType::String),
    ]);
    assert!(
        message.starts_with("the file's schema lacks `Dec9` (did you mean `dec9`?), `origin`; it has `i8`, `u8`, "),
        "{message}"
    );
    assert_eq!(
        refusal(&[
            column("i64", ColumnType::Float64),
            column("list", ColumnType::Json),
            column("struct", ColumnType::String),
            column("time", ColumnType::String),
            column("s", ColumnType::Int64),
        ]),
        "column `i64` is INT64 in the file, which does not become float64 without loss: write `int64` in the contract; \
         column `list` is a list in the file, and nested columns are not read: leave it out of the contract, or ask for \
         its JSON text in a string column; column `struct` is a struct in the file, and nested columns are not read: \
         leave it out of the contract, or ask for its JSON text in a string column; column `time` is TIME in the file, \
         which does not become string without loss: leave it out of the contract, or ask for the column as a string"
    );
}

#[test]
fn each_column_has_a_type_of_its_own() {
    let columns: Vec<ColumnInfo> = open(TYPES).unwrap().columns().collect();
    let types: Vec<String> = columns
        .iter()
        .map(|column| {
            let possible = column.possible.map_or_else(|| "none".to_owned(), |possible| possible.to_string());
            format!("{} {}: {possible}", column.name, column.found)
        })
        .collect();
    assert_eq!(
        types,
        [
            "i8 INT_8: int64",
            "u8 UINT_8: int64",
            "u32 UINT_32: int64",
            "u64 UINT_64: decimal(20,0)",
            "i64 INT64: int64",
            "f32 FLOAT: float64",
            "f64 DOUBLE: float64",
            "dec9 DECIMAL(9,2): decimal(9,2)",
            "dec38 DECIMAL(38,4): decimal(38,4)",
            "bool BOOLEAN: bool",
            "day DATE: date",
            "ms TIMESTAMP(MILLIS,UTC): timestamp",
            "us TIMESTAMP(MICROS,UTC): timestamp",
            "ns TIMESTAMP(NANOS,local): timestamp",
            "s STRING: string",
            "large STRING: string",
            "bin BYTE_ARRAY: string",
            "cat STRING: string",
            "nothing NULL: string",
            "list a list: none",
            "struct a struct: none",
            "time TIME: none",
        ]
    );
}

#[test]
fn rows_are_counted_without_reading_a_column() {
    let chunks = read_chunks(&PAGED, &ValueRules::default(), &[]).unwrap();
    let rows: Vec<(usize, usize, u64, u32)> =
        chunks.iter().map(|chunk| (chunk.group, chunk.number, chunk.first_row, chunk.decoded.row_count)).collect();
    assert_eq!(rows, [(0, 0, 0, 2000), (1, 0, 0, 1000)]);
}
