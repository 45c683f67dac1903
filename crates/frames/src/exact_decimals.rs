//! What expressions over decimals are: facts that `typing` states, each held by a test. The values on the right are
//! those of Spark SQL in its ANSI mode.

use proptest::prelude::*;

use crate::part::Value;
use crate::testing::{TestRow, evaluated, measured};

/// `m` is -12.50 and `w` is 10.5.
fn row() -> TestRow {
    TestRow {
        s: Some("abc".to_owned()),
        i: Some(-7),
        f: Some(0.5),
        b: Some(true),
        m: Some(-1250),
        w: Some(105_000),
        ..TestRow::default()
    }
}

fn decimal(units: i128, scale: u8) -> Value {
    Value::Decimal { units, scale }
}

#[test]
fn comparisons_are_exact() {
    for (sql, value) in [
        ("m < -12.49", Value::Bool(true)),
        ("m > -12.505", Value::Bool(true)),
        ("m = -12.5", Value::Bool(true)),
        ("-12.500 = m", Value::Bool(true)),
        ("m <> -12.50", Value::Bool(false)),
        ("m >= -12", Value::Bool(false)),
        ("m < w", Value::Bool(true)),
        ("w <= 10.5 AND w >= 10.5", Value::Bool(true)),
        ("m > i", Value::Bool(false)),
        ("m < LENGTH(s)", Value::Bool(true)),
        ("m BETWEEN -12.50 AND 0", Value::Bool(true)),
        ("m NOT BETWEEN 0 AND 1.5", Value::Bool(true)),
        ("m IN (1.0, -12.5)", Value::Bool(true)),
        ("m IN (-12, 3)", Value::Bool(false)),
        ("m IN (-12.504)", Value::Bool(false)),
        ("m IN (CAST('-12.5' AS DECIMAL(4,1)))", Value::Bool(true)),
        ("m NOT IN (1.5, NULL)", Value::Null),
        ("m IS NULL", Value::Bool(false)),
        ("m IS NOT NULL", Value::Bool(true)),
        ("m IS DISTINCT FROM NULL", Value::Bool(true)),
        ("m IS NOT DISTINCT FROM -12.5", Value::Bool(true)),
        ("m > NULL", Value::Null),
        ("NULLIF(m, -12.5) IS NULL", Value::Bool(true)),
        ("NULLIF(m, -12.5) > 1", Value::Null),
        ("CASE m WHEN -12.5 THEN 1 ELSE 2 END", Value::Int64(1)),
        ("m + w = -2", Value::Bool(true)),
        ("CAST(m AS DOUBLE) < f", Value::Bool(true)),
    ] {
        assert_eq!(evaluated(sql, &row()), Ok(value), "{sql}");
    }
}

/// As floats, the two sides are one number.
#[test]
fn what_floats_cannot_tell_apart_is_told_apart() {
    let row = TestRow { m: Some(900_719_925_474_099_301), w: Some(10_i128.pow(38) - 1), ..row() };
    for sql in [
        "m > 9007199254740993",
        "m <> 9007199254740993",
        "m < 9007199254740994",
        "m NOT IN (9007199254740993)",
        "m > CAST('9007199254740993.009' AS DECIMAL(19,3))",
        "w > CAST('9999999999999999999999999999999999.9998' AS DECIMAL(38,4))",
        "w = CAST('9999999999999999999999999999999999.9999' AS DECIMAL(38,4))",
    ] {
        assert_eq!(evaluated(sql, &row), Ok(Value::Bool(true)), "{sql}");
    }
}

#[test]
fn arithmetic_is_exact_and_keeps_every_digit() {
    for (sql, value) in [
        ("m", decimal(-1250, 2)),
        ("-m", decimal(1250, 2)),
        ("m + w", decimal(-20_000, 4)),
        ("w - m", decimal(230_000, 4)),
        ("m * m", decimal(1_562_500, 4)),
        ("m * 2", decimal(-2500, 2)),
        ("2 * m - 1", decimal(-2600, 2)),
        ("m * 1.19", decimal(-148_750, 4)),
        ("m * 0.001", decimal(-1250, 5)),
        ("m * i", decimal(8750, 2)),
        ("m + i + LENGTH(s)", decimal(-1650, 2)),
        ("ABS(m)", decimal(1250, 2)),
        ("m + NULL", Value::Null),
        ("COALESCE(m, 0)", decimal(-1250, 2)),
        ("COALESCE(NULL, m, 0.125)", decimal(-12_500, 3)),
        ("IFNULL(NULLIF(m, -12.5), 5)", decimal(500, 2)),
        ("CASE WHEN i > 0 THEN m ELSE 0 END", decimal(0, 2)),
        ("CASE WHEN i > 0 THEN m WHEN i < 0 THEN 0.5 ELSE 1 END", decimal(50, 2)),
        ("CASE WHEN i > 0 THEN m WHEN i < 0 THEN 0.125 END", decimal(125, 3)),
        ("CASE WHEN i < 0 THEN w ELSE m END", decimal(105_000, 4)),
        ("IF(b, m, NULL)", decimal(-1250, 2)),
        ("GREATEST(m, -3)", decimal(-300, 2)),
        ("LEAST(m, w, NULL)", decimal(-125_000, 4)),
        ("CAST('1234567890.123456789' AS DECIMAL(30,9)) + m", decimal(1_234_567_877_623_456_789, 9)),
    ] {
        assert_eq!(measured(sql, &row()), Ok(value), "{sql}");
    }
}

#[test]
fn casts_cut_towards_zero_and_keep_the_scale() {
    for (units, whole, text) in [
        (-1250, -12, "-12.50"),
        (199, 1, "1.99"),
        (-199, -1, "-1.99"),
        (250, 2, "2.50"),
        (350, 3, "3.50"),
        (-5, 0, "-0.05"),
        (999_999_999_999_999_999, 9_999_999_999_999_999, "9999999999999999.99"),
    ] {
        let row = TestRow { m: Some(units), ..row() };
        assert_eq!(evaluated("CAST(m AS BIGINT)", &row), Ok(Value::Int64(whole)), "{text}");
        assert_eq!(evaluated("CAST(m AS STRING)", &row), Ok(Value::Text(text.to_owned())));
        assert_eq!(evaluated("m || ''", &row), Ok(Value::Text(text.to_owned())));
    }
    for (sql, value) in [
        ("CAST(m AS DOUBLE)", Value::Float64(-12.5)),
        ("CAST(m AS DECIMAL(20,4))", decimal(-125_000, 4)),
        ("CAST(m AS DECIMAL(4,2))", decimal(-1250, 2)),
        ("CAST(i AS DECIMAL(10,2))", decimal(-700, 2)),
        ("CAST(10.5 AS DECIMAL(18,2))", decimal(1050, 2)),
        ("CAST('10.50' AS DECIMAL(18,1))", decimal(105, 1)),
        ("CAST(10 AS DECIMAL(38,0)) + 1", decimal(11, 0)),
        ("TRY_CAST(m AS DECIMAL(3,2))", Value::Null),
        ("TRY_CAST(i * 100 AS DECIMAL(3,2))", Value::Null),
    ] {
        assert_eq!(measured(sql, &row()), Ok(value), "{sql}");
    }
}

/// The file is at fault, as it is where an integer does not fit.
#[test]
fn a_value_beyond_its_type_fails_the_file_and_never_wraps() {
    let largest = TestRow { w: Some(10_i128.pow(38) - 1), i: Some(i64::MAX), ..row() };
    for sql in [
        "w + w",
        "w + CAST('0.0001' AS DECIMAL(4,4))",
        "-w - 0.5",
        "CAST(w AS DECIMAL(20,4))",
        "CAST(i AS DECIMAL(5,0))",
    ] {
        let message = measured(sql, &largest).expect_err(sql);
        assert!(message.contains("flights"), "{sql}: {message}");
    }
    assert!(evaluated("CAST(w AS BIGINT)", &largest).is_err());
    assert_eq!(evaluated("TRY_CAST(w AS BIGINT) IS NULL", &largest), Ok(Value::Bool(true)));
}

#[test]
fn what_is_not_exact_is_refused_with_what_to_write() {
    for (sql, words) in [
        ("m / 2", "CAST(a AS DOUBLE) / b"),
        ("2 / m", "CAST(a AS DOUBLE) / b"),
        ("m % 2", "CASE"),
        ("m // 2", "CAST(a / b AS BIGINT)"),
        ("m > f", "a decimal and a float64 do not meet exactly; cast the decimal"),
        ("m + f", "CAST(x AS DOUBLE)"),
        ("COALESCE(m, f)", "CAST(x AS DOUBLE)"),
        ("CASE WHEN b THEN m ELSE f END", "CAST(x AS DOUBLE)"),
        ("m = '1'", "a decimal and a string do not meet"),
        ("m IN ('1')", "a decimal and a string do not meet"),
        ("m > 1234567890123456.75", "CAST('1234567890123456.75' AS DECIMAL(p,s))"),
        ("m * w", "38"),
        ("w * 1.19", "declare fewer digits"),
        ("w > 0.00001", "declare fewer digits"),
        ("FLOOR(m)", "floor of a decimal"),
        ("SQRT(m)", "of a decimal"),
        ("SIGN(m)", "sign of a decimal"),
        ("CONCAT_WS('-', s, m)", "VARCHAR"),
        ("CAST(m AS DECIMAL(18,1))", "keep the column's 2"),
        ("CAST(f AS DECIMAL(18,2))", "a float64 becomes a decimal by rounding; declare the column"),
        ("CAST(s AS DECIMAL(18,2))", "declare the column"),
        ("CAST('10.505' AS DECIMAL(18,2))", "'10.505' is no decimal(18,2)"),
        ("CAST('abc' AS DECIMAL(18,2))", "'abc' is no decimal(18,2)"),
        ("CAST(m AS DECIMAL(39,2))", "decimal(39,2) is no type"),
        ("CAST(m AS BOOLEAN)", "not supported"),
        ("CAST(m AS DATE)", "not supported"),
    ] {
        let message = measured(sql, &row()).expect_err(sql);
        assert!(message.contains(words), "{sql}: {message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn decimals_are_what_their_units_say(
        m in prop_oneof![1 - 10_i128.pow(18)..10_i128.pow(18), -500..500_i128],
        w in prop_oneof![1 - 10_i128.pow(37)..10_i128.pow(37), -50_000..50_000_i128],
        i in any::<i64>(),
    ) {
        let row = TestRow { m: Some(m), w: Some(w), i: Some(i), ..row() };
        let found = |sql| evaluated(sql, &row).unwrap();
        prop_assert_eq!(found("m < w"), Value::Bool(m * 100 < w));
        prop_assert_eq!(found("m >= i"), Value::Bool(m >= i128::from(i) * 100));
        prop_assert_eq!(found("m = w"), Value::Bool(m * 100 == w));
        prop_assert_eq!(found("m < 1.125"), Value::Bool(m * 10 < 1_125));
        prop_assert_eq!(found("CAST(m AS BIGINT)"), Value::Int64((m / 100) as i64));
        let found = |sql| measured(sql, &row).unwrap();
        prop_assert_eq!(found("m + w"), decimal(m * 100 + w, 4));
        prop_assert_eq!(found("w - i"), decimal(w - i128::from(i) * 10_000, 4));
        prop_assert_eq!(found("m * i"), decimal(m * i128::from(i), 2));
        prop_assert_eq!(found("m * m"), decimal(m * m, 4));
    }
}
