//! The decoder over small files: what each type takes, why rows are bad, and what a bad row leaves behind.

use super::*;
use crate::columns::{ColumnValues, Values};

fn column(name: &str, column_type: ColumnType) -> Column {
    Column::new(name, column_type)
}

fn nulls(words: &[&str]) -> ValueRules {
    ValueRules { null_values: words.iter().map(|word| (*word).to_owned()).collect(), ..ValueRules::default() }
}

/// Decodes a file that begins with its header.
fn decode_with(layout: &CsvLayout, rules: &ValueRules, file: &[u8], columns: &[Column]) -> DecodedChunk {
    let (header, taken) = Header::read(layout, file).unwrap();
    Decoder::new(layout, rules, &header, columns).unwrap().decode(Bytes::copy_from_slice(&file[taken..]))
}

fn decode(file: &str, columns: &[(&str, ColumnType)]) -> DecodedChunk {
    let columns: Vec<Column> = columns.iter().map(|&(name, column_type)| column(name, column_type)).collect();
    decode_with(&CsvLayout::default(), &ValueRules::of_csv(), file.as_bytes(), &columns)
}

fn reasons(decoded: &DecodedChunk) -> Vec<(u32, &str)> {
    decoded.bad.iter().map(|bad| (bad.row, bad.reason.as_str())).collect()
}

fn texts(decoded: &DecodedChunk, column: usize) -> Vec<Option<String>> {
    let ColumnValues { values: Values::String { views, unescaped }, .. } = &decoded.columns[column] else {
        panic!("not a column of strings");
    };
    let text = |(index, view): (usize, &crate::columns::StringView)| {
        let text = view.text(&decoded.bytes, unescaped).into_owned();
        (!decoded.columns[column].is_null(index)).then(|| String::from_utf8(text).unwrap())
    };
    views.iter().enumerate().map(text).collect()
}

const FLIGHTS: &str = "\
year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour
2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z
2013,1,1,533,529,4,850,830,20,UA,1714,N24211,LGA,IAH,227,1416,5,29,2013-01-01T10:00:00Z
2013,1,1,NA,1630,NA,NA,1815,NA,EV,4308,N18120,EWR,RDU,NA,416,16,30,2013-01-01T21:00:00Z
2013,1,2,42,2359,43,518,442,36,B6,707,N580JB,JFK,SJU,189,1598,23,59,2013-01-03T04:00:00Z
";

#[test]
fn flights_come_out_column_by_column() {
    let rules = nulls(&["NA"]);
    let columns = [
        column("time_hour", ColumnType::Timestamp),
        column("carrier", ColumnType::String),
        column("dep_delay", ColumnType::Float64),
        column("distance", ColumnType::Int64),
    ];
    let decoded = decode_with(&CsvLayout::default(), &rules, FLIGHTS.as_bytes(), &columns);
    assert_eq!(decoded.row_count, 4);
    assert_eq!(reasons(&decoded), []);
    let [time_hour, carrier, dep_delay, distance] = &decoded.columns[..] else { panic!("four columns") };
    let hour = 3_600_000_000;
    let start = 15_706 * 24 * hour;
    assert!(matches!(&time_hour.values, Values::Timestamp(micros)
        if *micros == [start + 10 * hour, start + 10 * hour, start + 21 * hour, start + 52 * hour]));
    assert_eq!(carrier.validity, None);
    assert_eq!(texts(&decoded, 1), ["UA", "UA", "EV", "B6"].map(|text| Some(text.to_owned())));
    assert!(matches!(&dep_delay.values, Values::Float64(delays) if *delays == [2.0, 4.0, 0.0, 43.0]));
    assert_eq!(dep_delay.validity, Some(vec![0b1011]));
    assert!(matches!(&distance.values, Values::Int64(miles) if *miles == [1400, 1416, 416, 1598]));
}

#[test]
fn a_reason_names_column_value_and_type() {
    let types = [
        ("i", ColumnType::Int64),
        ("f", ColumnType::Float64),
        ("b", ColumnType::Bool),
        ("d", ColumnType::Date),
        ("t", ColumnType::Timestamp),
    ];
    let good = "1,1.5,TRUE,2013-01-01,2013-01-01 10:00:00";
    let rows = [
        good,
        "12.0,1.5,1,2013-01-01,2013-01-01 10:00:00",
        "9223372036854775808,1.5,1,2013-01-01,2013-01-01 10:00:00",
        "1,abc,1,2013-01-01,2013-01-01 10:00:00",
        "1,NaN,1,2013-01-01,2013-01-01 10:00:00",
        "1,1.5,yes,2013-01-01,2013-01-01 10:00:00",
        "1,1.5,1,2013-02-30,2013-01-01 10:00:00",
        "1,1.5,1,2013-01-01,yesterday",
        "\"\",1.5,1,2013-01-01,2013-01-01 10:00:00",
        "\"a\"\"b\",1.5,1,2013-01-01,2013-01-01 10:00:00",
        good,
    ];
    let decoded = decode(&format!("i,f,b,d,t\n{}", rows.join("\r\n")), &types);
    assert_eq!(
        reasons(&decoded),
        [
            (1, "column `i`: `12.0` is not an int64"),
            (2, "column `i`: `9223372036854775808` is not an int64: out of range"),
            (3, "column `f`: `abc` is not a float64"),
            (4, "column `f`: `NaN` is not a float64: not finite"),
            (5, "column `b`: `yes` is not a bool"),
            (6, "column `d`: `2013-02-30` is not a date: no such day"),
            (7, "column `t`: `yesterday` is not a timestamp"),
            (8, "column `i`: `` is not an int64"),
            (9, "column `i`: `a\"b` is not an int64"),
        ]
    );
    assert_eq!(decoded.bad[0].raw, rows[1].as_bytes());
    assert_eq!(decoded.row_count, 11);
    assert!(decoded.columns.iter().all(|column| column.values.len() == 2 && column.validity.is_none()));
    assert_eq!([0, 1].map(|index| decoded.row_of(index)), [0, 10]);
}

#[test]
fn a_row_of_another_width_is_bad() {
    let decoded = decode("a,b,c\n1,2\n1,2,3\n1,2,3,4\n1\n", &[("b", ColumnType::Int64)]);
    assert_eq!(
        reasons(&decoded),
        [
            (0, "has 2 cells where the header has 3"),
            (2, "has 4 cells where the header has 3"),
            (3, "has 1 cell where the header has 3")
        ]
    );
}

#[test]
fn broken_quotes_make_a_row_bad_wherever_they_stand() {
    let decoded =
        decode("a,b\n1,\"x\"y\n2,\"x\"\" \"y\"\n3,\"x\" \n4,x\"y\n\"5\",\"x\r\n\n", &[("a", ColumnType::Int64)]);
    assert_eq!(
        reasons(&decoded),
        [
            (0, "column `b`: text after the closing quote"),
            (1, "column `b`: text after the closing quote"),
            (2, "column `b`: text after the closing quote"),
            (4, "column `b`: a quote is opened and never closed"),
        ]
    );
    assert_eq!(decoded.bad[3].raw, b"\"5\",\"x\r\n\n");
    assert!(matches!(&decoded.columns[0].values, Values::Int64(values) if *values == [4]));
}

#[test]
fn the_cell_that_is_never_closed_is_the_one_that_is_named() {
    let columns = [("a", ColumnType::String)];
    let reason = |file: &str| decode(file, &columns).bad.pop().unwrap().reason;
    assert_eq!(reason("a,b\n\"1\"x,\"2\"\"\n"), "column `b`: a quote is opened and never closed");
    assert_eq!(reason("a,b\n1,2,3,\"4\n"), "cell 4: a quote is opened and never closed");
    assert_eq!(reason("a,b\n\""), "column `a`: a quote is opened and never closed");
}

#[test]
fn a_quoted_cell_is_never_null() {
    let rules = nulls(&["", "NA"]);
    let file = b"a,b\n,1\n\"\",1\nNA,1\n\"NA\",1\n NA,1\n";
    let decoded = decode_with(&CsvLayout::default(), &rules, file, &[column("a", ColumnType::String)]);
    let expected = [None, Some(""), None, Some("NA"), Some(" NA")];
    assert_eq!(texts(&decoded, 0), expected.map(|text| text.map(str::to_owned)));
    assert_eq!(decoded.columns[0].validity, Some(vec![0b11010]));
}

#[test]
fn blanks_are_trimmed_around_numbers_and_never_around_strings() {
    let file = "i,f,b,d,t,s\n 1 ,\t1.5,\" true \", 2013-01-01 ,2013-01-01T00:00:00Z , x \n";
    let types = [
        ("i", ColumnType::Int64),
        ("f", ColumnType::Float64),
        ("b", ColumnType::Bool),
        ("d", ColumnType::Date),
        ("t", ColumnType::Timestamp),
        ("s", ColumnType::String),
    ];
    let decoded = decode(file, &types);
    assert_eq!(reasons(&decoded), []);
    assert_eq!(texts(&decoded, 5), [Some(" x ".to_owned())]);
}

#[test]
fn strings_long_and_short_come_out_unescaped() {
    let cells =
        ["short", "just twelve!", "thirteen long", "say \"hi\"", "say \"hi\", and much more of it", "zwölf ist länger"];
    let rows: String = cells.iter().map(|cell| format!("\"{}\",1\n", cell.replace('"', "\"\""))).collect();
    let decoded = decode(&format!("a,b\n{rows}"), &[("a", ColumnType::String)]);
    assert_eq!(texts(&decoded, 0), cells.map(|cell| Some(cell.to_owned())));
}

#[test]
fn invalid_utf_8_matters_in_needed_cells_only() {
    let file = b"a,b\ncaf\xe9,1\nok,\xff\nthe coffee house caf\xe9,1\nok,2\n\"\"\"\xe9\"\"\",3\n";
    let decoded = decode_with(&CsvLayout::default(), &ValueRules::of_csv(), file, &[column("a", ColumnType::String)]);
    assert_eq!(
        reasons(&decoded),
        [
            (0, "column `a`: `caf\\xe9` is not valid UTF-8"),
            (2, "column `a`: `the coffee house caf\\xe9` is not valid UTF-8"),
            (4, "column `a`: `\"\\xe9\"` is not valid UTF-8"),
        ]
    );
    assert_eq!(texts(&decoded, 0), [Some("ok".to_owned()), Some("ok".to_owned())]);
}

#[test]
fn a_column_that_the_header_lacks_is_null() {
    let decoded = decode("a\n1\nx\n2\n", &[("z", ColumnType::String), ("a", ColumnType::Int64)]);
    assert_eq!(texts(&decoded, 0), [None, None]);
    assert_eq!(decoded.columns[0].validity, Some(vec![0]));
}

#[test]
fn rows_are_counted_where_no_column_is_needed() {
    let decoded = decode("a,b\n1,2\n\n3\r\n\r\n5,6", &[]);
    assert_eq!(decoded.row_count, 3);
    assert_eq!(reasons(&decoded), [(1, "has 1 cell where the header has 2")]);
    assert_eq!(decoded.good_row_count(), 2);
}

#[test]
fn a_column_can_be_renamed_on_the_way() {
    let amount = Column { from: "Betrag (EUR)".into(), ..column("amount", ColumnType::Float64) };
    let layout = CsvLayout { delimiter: b';', ..CsvLayout::default() };
    let decoded = decode_with(&layout, &ValueRules::of_csv(), b"id;Betrag (EUR)\n1;2.5\n2;2,5\n", &[amount]);
    assert_eq!(reasons(&decoded), [(1, "column `amount`: `2,5` is not a float64")]);
}

#[test]
fn raw_rows_come_back_in_the_order_asked_for() {
    let (header, _) = Header::read(&CsvLayout::default(), b"a").unwrap();
    let decoder = Decoder::new(&CsvLayout::default(), &ValueRules::of_csv(), &header, &[]).unwrap();
    let chunk = b"zero\r\n\n\"o\nne\"\ntwo";
    let rows = decoder.raw_rows(chunk, &[2, 0, 7, 1, 2]);
    assert_eq!(rows, [&b"two"[..], b"zero", b"", b"\"o\nne\"", b"two"]);
}

#[test]
fn a_decoder_is_shared_by_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Decoder>();
    is_shared::<DecodedChunk>();
}
