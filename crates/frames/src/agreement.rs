//! What Polars SQL does with the expressions that we allow: facts that `typing` states, each held by a test. The values
//! on the right are those of Spark SQL in its ANSI mode.

use crate::part::Value;
use crate::testing::{TestRow, evaluated};

fn row() -> TestRow {
    TestRow {
        s: Some("héllo Wörld".to_owned()),
        i: Some(-7),
        f: Some(-2.5),
        b: Some(true),
        d: Some(15_706),
        // 2013-01-01T05:06:07.123456Z
        t: Some(15_706 * 86_400_000_000 + 18_367_123_456),
        m: Some(-1250),
        w: Some(105_000),
        j: Some("{\"a\": 1}".to_owned()),
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn holds(expected: &[(&str, Value)]) {
    for (sql, value) in expected {
        assert_eq!(evaluated(sql, &row()).as_ref(), Ok(value), "{sql}");
    }
}

fn refused(expected: &[(&str, &str)]) {
    for (sql, words) in expected {
        let message = evaluated(sql, &row()).expect_err(sql);
        assert!(message.contains(words), "{sql}: {message}");
    }
}

#[test]
fn dates_and_timestamps_agree() {
    holds(&[
        ("CAST(t AS DATE)", Value::Date(15_706)),
        ("CAST(d AS TIMESTAMP)", Value::Timestamp(15_706 * 86_400_000_000)),
        ("EXTRACT(YEAR FROM t)", Value::Int64(2013)),
        ("EXTRACT(QUARTER FROM d)", Value::Int64(1)),
        ("EXTRACT(MONTH FROM t)", Value::Int64(1)),
        ("EXTRACT(WEEK FROM t)", Value::Int64(1)),
        ("EXTRACT(DAY FROM d)", Value::Int64(1)),
        ("EXTRACT(DOY FROM d)", Value::Int64(1)),
        ("EXTRACT(HOUR FROM t)", Value::Int64(5)),
        ("DATE_PART('minute', t)", Value::Int64(6)),
        ("t >= '2013-01-01'", Value::Bool(true)),
        ("t BETWEEN '2013-01-01' AND '2013-01-01 05:00:00'", Value::Bool(false)),
        ("t < TIMESTAMP '2013-01-01 06:00:00'", Value::Bool(true)),
        ("d = DATE '2013-01-01'", Value::Bool(true)),
        ("CAST(t AS DATE) = '2013-01-01'", Value::Bool(true)),
        ("flights.d", Value::Date(15_706)),
    ]);
}

#[test]
fn a_time_before_1970_belongs_to_the_day_it_is_on() {
    let row = TestRow { t: Some(-1), ..row() };
    assert_eq!(evaluated("CAST(t AS DATE)", &row), Ok(Value::Date(-1)));
}

#[test]
fn strings_agree() {
    holds(&[
        ("UPPER(s)", text("HÉLLO WÖRLD")),
        ("LOWER(s)", text("héllo wörld")),
        ("LENGTH(s)", Value::Int64(11)),
        ("CHAR_LENGTH(s)", Value::Int64(11)),
        ("CHARACTER_LENGTH(s)", Value::Int64(11)),
        ("OCTET_LENGTH(s)", Value::Int64(13)),
        ("SUBSTR(s, 1, 4)", text("héll")),
        ("SUBSTRING(s, 7)", text("Wörld")),
        ("SUBSTRING(s FROM 2 FOR 2)", text("él")),
        ("REVERSE(s)", text("dlröW olléh")),
        ("REPLACE(s, 'l', 'LL')", text("héLLLLo WörLLd")),
        ("TRIM(BOTH ' ' FROM '  x ')", text("x")),
        ("s || '-' || i", text("héllo Wörld--7")),
        ("CONCAT_WS('-', s, NULL, 'x')", text("héllo Wörld-x")),
        ("s LIKE 'h_llo%'", Value::Bool(true)),
        ("s NOT LIKE 'H%'", Value::Bool(true)),
        ("s ILIKE 'H%'", Value::Bool(true)),
        ("s IN ('a', 'héllo Wörld')", Value::Bool(true)),
        ("s < 'i'", Value::Bool(true)),
        ("j LIKE '%\"a\"%'", Value::Bool(true)),
        ("j", text("{\"a\": 1}")),
        ("CAST(i AS STRING)", text("-7")),
        ("CAST(b AS STRING)", text("true")),
        ("CAST(d AS STRING)", text("2013-01-01")),
    ]);
}

#[test]
fn numbers_agree() {
    holds(&[
        ("ABS(i)", Value::Int64(7)),
        ("SIGN(i)", Value::Int64(-1)),
        ("i + 1", Value::Int64(-6)),
        ("-i", Value::Int64(7)),
        ("i * 2 - 1", Value::Int64(-15)),
        ("CAST(i / 2 AS BIGINT)", Value::Int64(-3)),
        ("i / 2 = -3.5", Value::Bool(true)),
        ("CAST(f AS BIGINT)", Value::Int64(-2)),
        ("CAST(FLOOR(f) AS BIGINT)", Value::Int64(-3)),
        ("CAST(CEIL(f) AS BIGINT)", Value::Int64(-2)),
        ("CAST(CEILING(f) AS BIGINT)", Value::Int64(-2)),
        ("SQRT(ABS(i) + 2) = 3", Value::Bool(true)),
        ("EXP(i - i) = 1", Value::Bool(true)),
        ("i BETWEEN -7 AND 7", Value::Bool(true)),
        ("i NOT IN (1, 2)", Value::Bool(true)),
        ("GREATEST(i, 2, NULL)", Value::Int64(2)),
        ("LEAST(i, 2)", Value::Int64(-7)),
        ("CAST('12' AS BIGINT)", Value::Int64(12)),
        ("TRY_CAST(s AS BIGINT) IS NULL", Value::Bool(true)),
        ("CAST(b AS BIGINT)", Value::Int64(1)),
    ]);
}

#[test]
fn conditions_and_nulls_agree() {
    holds(&[
        ("CASE WHEN i > 0 THEN 'p' WHEN i < 0 THEN 'n' ELSE 'z' END", text("n")),
        ("CASE i WHEN -7 THEN 1 END", Value::Int64(1)),
        ("COALESCE(NULL, s, 'x')", text("héllo Wörld")),
        ("NULLIF(i, 0)", Value::Int64(-7)),
        ("IFNULL(NULLIF(i, -7), 5)", Value::Int64(5)),
        ("IF(b, 1, 2)", Value::Int64(1)),
        ("NOT b", Value::Bool(false)),
        ("b AND i > 0 OR s IS NULL", Value::Bool(false)),
        ("b IS NOT TRUE", Value::Bool(false)),
        ("i IS DISTINCT FROM NULL", Value::Bool(true)),
        // Unknown: a null key.
        ("NULLIF(i, -7) > 0", Value::Null),
        ("i NOT IN (1, NULL)", Value::Null),
        ("s || NULLIF(s, s)", Value::Null),
        ("'all'", text("all")),
    ]);
}

/// In SQL it is true. `typing` warns of it, and the SQL's own check has to refuse IS TRUE and its like.
#[test]
fn polars_has_null_where_null_is_not_true() {
    holds(&[("NULLIF(b, b) IS NOT TRUE", Value::Null)]);
}

#[test]
fn what_differs_between_engines_is_refused() {
    refused(&[
        ("i % 2", "CASE"),
        ("MOD(i, 2)", "CASE"),
        ("DIV(i, 2)", "CAST(a / b AS BIGINT)"),
        ("i // 2", "CAST(a / b AS BIGINT)"),
        ("s || f", "differs between engines"),
        ("CAST(t AS STRING)", "differs between engines"),
        ("CAST(s AS DATE)", "declare the column"),
        ("CAST(t AS BIGINT)", "EXTRACT"),
        ("CAST(i AS TIMESTAMP)", "not supported"),
    ]);
}

#[test]
fn what_polars_cannot_plan_is_refused_in_a_line() {
    refused(&[
        ("nosuch", "nosuch"),
        ("NOSUCH(i)", "unsupported function 'nosuch'"),
        ("s = 1", "cannot compare string with numeric type"),
        ("MAX(i)", "not row-wise"),
        ("SUM(i) OVER ()", "not row-wise"),
        ("NULL", "always null"),
        ("f", "cannot be a key"),
        ("f > 1e3", "1e3"),
    ]);
}

#[test]
fn integer_arithmetic_never_wraps() {
    holds(&[
        // Polars alone counts characters in 32 unsigned bits: 4294967290 and 2410065408.
        ("LENGTH(s) - 17", Value::Int64(-6)),
        ("LENGTH(s) * 1000000000", Value::Int64(11_000_000_000)),
        ("EXTRACT(DAY FROM d) * 1000", Value::Int64(1000)),
    ]);
    let largest = TestRow { i: Some(i64::MAX), ..row() };
    for sql in ["i + 1", "i * 2", "-2 - i"] {
        let message = evaluated(sql, &largest).expect_err(sql);
        assert!(message.contains("flights") && message.contains("i128"), "{message}");
    }
    let smallest = TestRow { i: Some(i64::MIN), ..row() };
    for sql in ["ABS(i)", "-i"] {
        assert!(evaluated(sql, &smallest).is_err(), "{sql}");
    }
}
