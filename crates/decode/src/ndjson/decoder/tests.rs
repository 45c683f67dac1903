//! The decoder over small files: what each type takes, why rows are bad, and what a bad row leaves behind.

use super::*;
use crate::columns::{ColumnValues, StringView, Values};
use crate::contract::{ColumnType, DecimalType};

fn column(name: &str, column_type: ColumnType) -> Column {
    Column { required: false, ..Column::new(name, column_type) }
}

fn required(name: &str) -> Column {
    Column::new(name, ColumnType::String)
}

fn decode(file: &str, columns: &[Column]) -> DecodedChunk {
    Decoder::new(&ValueRules::default(), columns, columns).unwrap().decode(Bytes::copy_from_slice(file.as_bytes()))
}

fn reasons(decoded: &DecodedChunk) -> Vec<(u32, &str)> {
    decoded.bad.iter().map(|bad| (bad.row, bad.reason.as_str())).collect()
}

/// The reason for which the one row is bad.
fn reason(row: &str) -> String {
    let mut decoded = decode(row, &[column("a", ColumnType::String)]);
    assert_eq!(decoded.row_count, 1, "{row}");
    decoded.bad.pop().expect(row).reason
}

fn texts(decoded: &DecodedChunk, column: usize) -> Vec<Option<String>> {
    let ColumnValues { values: Values::String { views, unescaped }, .. } = &decoded.columns[column] else {
        panic!("not a column of strings");
    };
    let text = |(index, view): (usize, &StringView)| {
        let text = view.text(&decoded.bytes, unescaped).into_owned();
        (!decoded.columns[column].is_null(index)).then(|| String::from_utf8(text).unwrap())
    };
    views.iter().enumerate().map(text).collect()
}

/// The one value of a column, as the builder holds it; or why there is none.
fn value_under(
    rules: &ValueRules,
    column_type: ColumnType,
    format: Option<&str>,
    json: &str,
) -> Result<String, String> {
    let columns = [Column { format: format.map(str::to_owned), ..column("a", column_type) }];
    let decoder = Decoder::new(rules, &columns, &columns).unwrap();
    let mut decoded = decoder.decode(Bytes::from(format!("{{\"a\":{json}}}")));
    if let Some(bad) = decoded.bad.pop() {
        return Err(bad.reason);
    }
    if decoded.columns[0].is_null(0) {
        return Ok("null".to_owned());
    }
    Ok(match &decoded.columns[0].values {
        Values::String { .. } => texts(&decoded, 0)[0].clone().unwrap(),
        Values::Int64(values) | Values::Timestamp(values) => values[0].to_string(),
        Values::Float64(values) => values[0].to_string(),
        Values::Decimal(values) => values[0].to_string(),
        Values::Bool(values) => values[0].to_string(),
        Values::Date(values) => values[0].to_string(),
    })
}

#[track_caller]
fn takes(column_type: ColumnType, values: &[(&str, &str)]) {
    for (json, value) in values {
        let taken = value_under(&ValueRules::default(), column_type, None, json);
        assert_eq!(taken.as_deref(), Ok(*value), "{json}");
    }
}

#[track_caller]
fn refuses(column_type: ColumnType, values: &[&str]) {
    for json in values {
        let refused = value_under(&ValueRules::default(), column_type, None, json).unwrap_err();
        assert!(
            refused.contains(&format!(
                "is not a{} {column_type}",
                if column_type == ColumnType::Int64 { "n" } else { "" }
            ))
        );
    }
}

#[test]
fn events_come_out_column_by_column() {
    let file = concat!(
        r#"{"eventId":"1","eventTime":"2013-01-01T10:20:30.123Z","eventType":"click","eventData":{"page":"/a"}}"#,
        "\n",
        r#"{"eventId":"2","eventTime":"2013-01-01T00:00:00Z","eventType":"purchase_completed","eventData":"x"}"#,
        "\r\n\n",
        r#"{ "eventType" : null, "eventId" : "3" , "eventTime":"2013-01-02 00:00:00" }"#,
    );
    let columns = [column("eventType", ColumnType::String), column("eventTime", ColumnType::Timestamp)];
    let decoded = decode(file, &columns);
    assert_eq!(reasons(&decoded), []);
    assert_eq!(decoded.row_count, 3);
    assert_eq!(texts(&decoded, 0), [Some("click".to_owned()), Some("purchase_completed".to_owned()), None]);
    let day = 15_706 * 86_400_000_000;
    assert!(matches!(&decoded.columns[1].values, Values::Timestamp(micros)
        if *micros == [day + 37_230_123_000, day, day + 86_400_000_000]));
    assert_eq!(decoded.unknown_keys, ["eventData", "eventId"]);
}

#[test]
fn an_int64_is_a_whole_number_or_a_string_of_one() {
    takes(ColumnType::Int64, &[("12", "12"), ("-0", "0"), ("\"+12 \"", "12"), ("\"\\u0031\"", "1"), ("null", "null")]);
    takes(ColumnType::Int64, &[("9223372036854775807", "9223372036854775807")]);
    refuses(ColumnType::Int64, &["12.0", "1e3", "9223372036854775808", "true", "\"\"", "\"x\"", "{}", "[1]"]);
}

#[test]
fn a_float64_is_a_finite_number_or_a_string_of_one() {
    takes(ColumnType::Float64, &[("12", "12"), ("-1.5e3", "-1500"), ("\"2.5\"", "2.5"), ("null", "null")]);
    refuses(ColumnType::Float64, &["1e999", "\"NaN\"", "false", "[]"]);
}

#[test]
fn a_decimal_is_exact_whether_a_number_or_a_string() {
    let decimal = ColumnType::Decimal(DecimalType::new(38, 2).unwrap());
    let digits = "123456789012345678901234567890.12";
    takes(decimal, &[(digits, "12345678901234567890123456789012"), ("1.5E2", "15000"), ("\"0.07\"", "7")]);
    refuses(decimal, &["0.001", "\"x\"", "true"]);
}

#[test]
fn a_decimal_separator_is_one_of_strings() {
    let rules = ValueRules { decimal_separator: b',', ..ValueRules::default() };
    let decimal = ColumnType::Decimal(DecimalType::new(9, 2).unwrap());
    for column_type in [ColumnType::Float64, decimal] {
        let value = |json| value_under(&rules, column_type, None, json);
        assert_eq!(value("1.5"), value("\"1,5\""));
        assert!(value("\"1.5\"").is_err());
    }
}

#[test]
fn a_bool_is_a_literal_or_a_spelling_of_one() {
    takes(ColumnType::Bool, &[("true", "true"), ("false", "false"), ("1", "true"), ("0", "false")]);
    takes(ColumnType::Bool, &[("\"TRUE\"", "true"), ("\"0\"", "false"), ("null", "null")]);
    refuses(ColumnType::Bool, &["2", "1.0", "\"yes\"", "{}"]);
}

#[test]
fn a_time_is_a_string_and_a_number_only_by_a_format() {
    takes(ColumnType::Date, &[("\"1970-01-02\"", "1"), ("null", "null")]);
    takes(ColumnType::Timestamp, &[("\"1970-01-01T00:00:01Z\"", "1000000")]);
    refuses(ColumnType::Date, &["19700102", "true", "\"\""]);
    refuses(ColumnType::Timestamp, &["1", "[]"]);
    let value = |column_type, format, json| value_under(&ValueRules::default(), column_type, Some(format), json);
    assert_eq!(value(ColumnType::Timestamp, "%s", "60"), Ok("60000000".to_owned()));
    assert_eq!(value(ColumnType::Timestamp, "%s", "\"60\""), Ok("60000000".to_owned()));
    assert!(value(ColumnType::Timestamp, "%s", "6e1").is_err());
    assert_eq!(value(ColumnType::Date, "%d.%m.%Y", "\"02.01.1970\""), Ok("1".to_owned()));
}

#[test]
fn a_string_is_unescaped_and_other_values_are_kept_as_they_stand() {
    takes(
        ColumnType::String,
        &[
            ("\"\"", ""),
            (r#""say \"no\" \\ \/ \b\f\n\r\t""#, "say \"no\" \\ / \u{8}\u{c}\n\r\t"),
            (r#""\u00fc\u20AC\ud83D\uDE00 \u0000""#, "ü€😀 \0"),
            ("12.50", "12.50"),
            ("true", "true"),
            ("{ \"a\": [1,\t2] }", "{ \"a\": [1,\t2] }"),
            ("[\"\\u00fc\"]", "[\"\\u00fc\"]"),
            ("null", "null"),
        ],
    );
}

#[test]
fn json_is_kept_as_it_stands() {
    takes(ColumnType::Json, &[("\"a\\n\"", "\"a\\n\""), ("1.0", "1.0"), ("[ ]", "[ ]"), ("false", "false")]);
    takes(ColumnType::Json, &[("\"\"", "\"\""), ("null", "null"), ("{\"a\":{}}", "{\"a\":{}}")]);
}

#[test]
fn a_string_that_means_null_is_null_in_every_column() {
    let rules = ValueRules { null_values: vec!["NA".to_owned(), String::new()], ..ValueRules::default() };
    for column_type in [ColumnType::String, ColumnType::Int64, ColumnType::Json, ColumnType::Date] {
        for json in ["\"NA\"", "\"\"", "\"N\\u0041\"", "null"] {
            assert_eq!(value_under(&rules, column_type, None, json), Ok("null".to_owned()));
        }
    }
    assert_eq!(value_under(&rules, ColumnType::String, None, "\" NA\""), Ok(" NA".to_owned()));
}

#[test]
fn long_texts_without_escapes_stand_in_the_chunk() {
    let columns = [column("a", ColumnType::String), column("b", ColumnType::Json)];
    let decoded = decode("{\"a\":\"longer than twelve\",\"b\":[\"longer than twelve\"]}\n", &columns);
    for (column, offset) in decoded.columns.iter().zip([6, 30]) {
        let Values::String { views, unescaped } = &column.values else { panic!("a column of strings") };
        assert!(unescaped.is_empty());
        assert_eq!((views[0].buffer, views[0].offset), (0, offset));
    }
}

#[test]
fn what_is_no_json_object_is_bad_and_says_where() {
    for (row, expected) in [
        ("[1]", "expected `{` at byte 1, found `[`"),
        ("  12", "expected `{` at byte 3, found `1`"),
        ("{", "expected a key in quotes at byte 2, where the line ends"),
        ("{a:1}", "expected a key in quotes at byte 2, found `a`"),
        ("{\"a\" 1}", "expected `:` at byte 6, found `1`"),
        ("{\"a\":}", "expected a value at byte 6, found `}`"),
        ("{\"a\":nul}", "expected a value at byte 6, found `n`"),
        ("{\"z\":tru}", "expected a value at byte 6, found `t`"),
        ("{\"a\":1,}", "expected a key in quotes at byte 8, found `}`"),
        ("{\"a\":1 \"b\":2}", "expected `,` or `}` at byte 8, found `\"`"),
        ("{\"a\":1", "expected `,` or `}` at byte 7, where the line ends"),
        ("{\"a\":01}", "expected `,` or `}` at byte 7, found `1`"),
        ("{\"z\":1.}", "expected a digit at byte 8, found `}`"),
        ("{\"z\":-}", "expected a digit at byte 7, found `}`"),
        ("{\"z\":1e+}", "expected a digit at byte 9, found `}`"),
        ("{\"a\":[1,]}", "expected a value at byte 9, found `]`"),
        ("{\"z\":[1}", "expected `,` or `]` at byte 8, found `}`"),
        ("{\"z\":{\"y\":1]", "expected `,` or `}` at byte 12, found `]`"),
        ("{\"z\":{\"y\"}}", "expected `:` at byte 10, found `}`"),
        ("{} {}", "expected nothing after the object at byte 4, found `{`"),
        ("{\"a\":\"x", "the line ends inside the string that begins at byte 6"),
        ("{\"z\":\"x\\", "a string has an escape that JSON does not know at byte 8"),
        ("{\"z\":\"\\x\"}", "a string has an escape that JSON does not know at byte 7"),
        ("{\"z\":\"\\u12g4\"}", "a string has a \\u without four hexadecimal digits at byte 7"),
        ("{\"z\":\"\\ud800\"}", "a string has half a surrogate pair at byte 7"),
        ("{\"z\":\"\\ud800\\u0041\"}", "a string has half a surrogate pair at byte 7"),
        ("{\"z\":\"\\udc00\"}", "a string has half a surrogate pair at byte 7"),
        ("{\"z\":\"\t\"}", "a string has a control character, which must be escaped, at byte 7"),
        ("{\"a\":ü}", "expected a value at byte 6, found `ü`"),
        ("{\"a\":\u{1}}", "expected a value at byte 6, found `\\u{1}`"),
    ] {
        assert_eq!(reason(row), format!("not a JSON object: {expected}"), "{row}");
    }
}

#[test]
fn an_object_may_be_64_levels_deep() {
    let nested = |levels: usize| format!("{{\"z\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert_eq!(decode(&nested(64), &[]).good_row_count(), 1);
    assert_eq!(reason(&nested(65)), "not a JSON object: nested more than 64 levels deep at byte 69");
    assert!(reason(&format!("{{\"a\":{}", "{\"a\":".repeat(1_000_000))).contains("nested more than"));
}

#[test]
fn a_row_that_is_not_utf_8_is_bad_whatever_is_needed() {
    let file = b"{\"a\":\"ok\"}\n{\"a\":\"caf\xe9\"}\n{\"a\":\"x\",\"caf\xe9\":1}\r\n{\"a\":\"\xc3\xbc\"}\n";
    let columns = [column("a", ColumnType::String)];
    let decoded = Decoder::new(&ValueRules::default(), &columns, &columns).unwrap().decode(Bytes::from_static(file));
    assert_eq!(reasons(&decoded), [(1, "not valid UTF-8 at byte 10"), (2, "not valid UTF-8 at byte 14")]);
    assert_eq!(decoded.bad[1].raw, b"{\"a\":\"x\",\"caf\xe9\":1}");
    assert_eq!(texts(&decoded, 0), [Some("ok".to_owned()), Some("ü".to_owned())]);
    assert!(decoded.unknown_keys.is_empty());
}

#[test]
fn a_key_of_the_contract_may_stand_once() {
    let columns = [column("a", ColumnType::Int64), column("b", ColumnType::Int64)];
    let file = "{\"a\":1,\"b\":2}\n{\"a\":1,\"a\":1}\n{\"b\":1,\"z\":1,\"\\u0062\":1}\n{\"z\":1,\"z\":2}\n";
    let decoder = Decoder::new(&ValueRules::default(), &columns, &columns[..1]).unwrap();
    let decoded = decoder.decode(Bytes::from_static(file.as_bytes()));
    assert_eq!(reasons(&decoded), [(1, "has `a` twice"), (2, "has `b` twice")]);
    assert_eq!(decoded.columns[0].validity, Some(vec![0b01]));
}

#[test]
fn keys_may_come_in_any_order_and_with_any_blanks() {
    let columns = [column("a", ColumnType::Int64), column("a key of seventeen", ColumnType::Int64)];
    let rows = [
        r#"{"a":1,"a key of seventeen":10}"#,
        r#"{"a key of seventeen":10,"a":1}"#,
        r#"{"a": 1,  "a key of seventeen" : 10}"#,
        r#"{"a":  1,  "a key of seventeen" :  10}"#,
        r#"{"a":1,"a key of seventeeN":7,"\u0061 key of seventeen":10}"#,
        r#"{"z":[],"a":1,"a key of seventeen":10}"#,
    ];
    let decoded = decode(&format!("{}\n", rows.join("\n")).repeat(5), &columns);
    assert_eq!(reasons(&decoded), []);
    for (column, sum) in decoded.columns.iter().zip([30, 300]) {
        assert!(matches!(&column.values, Values::Int64(values) if values.iter().sum::<i64>() == sum));
    }
    assert_eq!(decoded.unknown_keys, ["a key of seventeeN", "z"]);
}

#[test]
fn a_required_key_must_be_there_needed_or_not() {
    let contract = [required("a"), required("b"), column("c", ColumnType::String)];
    let decoder = Decoder::new(&ValueRules::default(), &contract, &contract[1..]).unwrap();
    let file = "{\"a\":null,\"b\":null}\n{\"b\":\"x\"}\n{}\n{\"a\":1,\"c\":\"x\"}\n{\"c\":\"y\",\"b\":\"x\",\"a\":1}\n";
    let decoded = decoder.decode(Bytes::from_static(file.as_bytes()));
    assert_eq!(reasons(&decoded), [(1, "lacks `a`"), (2, "lacks `a`"), (3, "lacks `b`")]);
    assert_eq!(texts(&decoded, 0), [None, Some("x".to_owned())]);
    assert_eq!(texts(&decoded, 1), [None, Some("y".to_owned())]);
}

#[test]
fn a_reason_names_column_and_value_and_the_first_misfit_counts() {
    let columns = [Column { from: "Betrag".into(), ..column("amount", ColumnType::Int64) }, required("b")];
    let file = "{\"b\":\"x\",\"Betrag\":\"a\\u0062c\"}\n{\"Betrag\":[1, 2]}\n{\"Betrag\":true,\"b\":\"x\"\n{\"b\":1}\n";
    let decoded = decode(file, &columns);
    assert_eq!(
        reasons(&decoded),
        [
            (0, "column `amount`: `abc` is not an int64"),
            (1, "column `amount`: `[1, 2]` is not an int64"),
            (2, "not a JSON object: expected `,` or `}` at byte 23, where the line ends"),
        ]
    );
    assert_eq!(texts(&decoded, 1), [Some("1".to_owned())]);
    assert_eq!(decoded.columns[0].validity, Some(vec![0]));
}

#[test]
fn one_key_may_fill_two_columns() {
    let columns = [column("a", ColumnType::Json), Column { from: "a".into(), ..column("length", ColumnType::Int64) }];
    let decoded = decode("{\"a\":\"12\"}\n{\"a\":\"x\"}\n{}", &columns);
    assert_eq!(reasons(&decoded), [(1, "column `length`: `x` is not an int64")]);
    assert_eq!(texts(&decoded, 0), [Some("\"12\"".to_owned()), None]);
}

#[test]
fn unknown_keys_are_those_of_objects_sorted_and_few() {
    let columns = [column("a", ColumnType::Int64)];
    let file = "{\"z\":1,\"a\":1}\n{\"b\":1,\"\\u00e4\":1\n{\"z\":1,\"y\":\"a\",\"a\":\"x\"}\n{\"a\":1,\"c\\n\":1}";
    let decoded = decode(file, &columns);
    assert_eq!(decoded.unknown_keys, ["c\n", "y", "z"]);

    let long = "ü".repeat(200);
    assert_eq!(decode(&format!("{{\"{long}\":1}}"), &columns).unknown_keys, ["ü".repeat(100) + "…"]);

    let junk: String = (0..300).map(|key| format!("\"junk {key}\":1,")).collect();
    let many: String = (0..1000).map(|key| format!("{{\"key {key:04}\":1,\"a\":2}}\n")).collect();
    let decoded = decode(&format!("{{{junk}\n{many}{{\"a\":3}}\n{many}"), &columns);
    let first: Vec<String> = (0..100).map(|key| format!("key {key:04}")).collect();
    assert_eq!(decoded.unknown_keys, first);
    assert!(matches!(&decoded.columns[0].values, Values::Int64(values) if values.iter().sum::<i64>() == 4003));
}

#[test]
fn rows_are_counted_where_no_column_is_needed() {
    let decoded = decode("{}\n\n \t\r\n{\"a\":1}\r\n{\"a\"\n{ }", &[]);
    assert_eq!(decoded.row_count, 4);
    assert_eq!(decoded.good_row_count(), 3);
    assert_eq!(decode("", &[]).row_count, 0);
}

#[test]
fn raw_rows_come_back_in_the_order_asked_for() {
    let decoder = Decoder::new(&ValueRules::default(), &[], &[]).unwrap();
    let rows = decoder.raw_rows(b"{\"zero\":0}\r\n\n \r\n one\ntwo", &[2, 0, 7, 1, 2]);
    assert_eq!(rows, [&b"two"[..], b"{\"zero\":0}", b"", b" one", b"two"]);
}

#[test]
fn a_decoder_is_shared_by_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Decoder>();
}
