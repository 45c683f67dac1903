//! Values: exact, apart where they differ, refused where a database would bend them.

use millrace::stations::Disposition;
use millrace::stations::warehouse::{Outcome, Warehouse, WarehouseError};
use millrace_frames::part::{Row, Value};
use millrace_frames::plan::{AggregateCall, KeyType, MeasureType, SummaryColumn};

use super::fixture::{Stage, day, decimal, key, measure, plan, unique};

/// 38 nines.
const MOST_DECIMAL: i128 = 10_i128.pow(38) - 1;

/// A stage with one table: a text key, and one measure.
async fn stage_of<'a>(warehouse: &'a dyn Warehouse, column: SummaryColumn) -> Stage<'a> {
    Stage::with(warehouse, |feed| {
        vec![plan(feed, &unique("carriers"), vec![key("carrier", KeyType::Text { max_utf16: 8 }), column])]
    })
    .await
}

fn sum(measure_type: MeasureType) -> SummaryColumn {
    measure("total", AggregateCall::Sum("x".to_owned()), measure_type)
}

fn of(carrier: &str, value: Value) -> Row {
    vec![Value::Text(carrier.to_owned()), value]
}

fn is_data(error: &WarehouseError, words: &[&str]) -> bool {
    let text = error.to_string();
    matches!(error, WarehouseError::Data { .. })
        && error.disposition() == Disposition::Reject
        && words.iter().all(|word| text.contains(word))
}

pub async fn every_type_is_read_back_as_it_was_counted(warehouse: &dyn Warehouse) {
    let call = || AggregateCall::Min("x".to_owned());
    let stage = Stage::with(warehouse, |feed| {
        let columns = vec![
            measure("first_day", call(), MeasureType::Date),
            key("at", KeyType::Timestamp),
            key("late", KeyType::Bool),
            key("number", KeyType::Int64),
            measure("last_time", AggregateCall::Max("x".to_owned()), MeasureType::Timestamp),
            measure("least", call(), MeasureType::Int64),
            measure("mean", AggregateCall::Sum("x".to_owned()), MeasureType::Float64),
            measure("total", AggregateCall::Sum("x".to_owned()), decimal(38, 4)),
            measure("dearest", AggregateCall::Max("x".to_owned()), decimal(38, 0)),
            measure("cheapest", call(), decimal(38, 38)),
        ];
        vec![plan(feed, &unique("wide"), columns)]
    })
    .await;
    let row = |at: i64, late: bool, number: i64, first_day: i32| {
        let (text, least) = (Value::Timestamp(at), Value::Int64(i64::MIN));
        vec![
            Value::Date(first_day),
            text,
            Value::Bool(late),
            Value::Int64(number),
            Value::Timestamp(at),
            least,
            Value::Float64(0.1),
            Value::Decimal { units: -5, scale: 4 },
            Value::Decimal { units: MOST_DECIMAL, scale: 0 },
            Value::Decimal { units: -MOST_DECIMAL, scale: 38 },
        ]
    };
    let rows = vec![
        row(-62_135_596_800_000_000, true, i64::MIN, -719_162),
        row(-1, false, 7, -1),
        row(-1, true, 7, 15_706),
        row(1, true, -7, 0),
        row(1, true, 12, 0),
        row(253_402_300_799_999_999, false, i64::MAX, 2_932_896),
    ];
    stage.count("1.csv", "a", rows.iter().rev().cloned().collect()).await;
    assert_eq!(stage.rows().await, rows);
    stage.count("2.csv", "a", vec![row(1, true, 12, -5)]).await;
    assert_eq!(stage.rows().await[4][0], Value::Date(-5));
}

pub async fn an_extreme_that_is_corrected_away_gives_way_to_the_next(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "UA", 1, 1, 90.0)]).await;
    stage.count("2.csv", "a", vec![day(1, "UA", 1, 1, -3.0)]).await;
    stage.count("3.csv", "a", vec![day(1, "UA", 1, 1, None)]).await;
    stage.count("1.csv", "b", vec![day(1, "UA", 1, 1, -8.0)]).await;
    assert_eq!(stage.rows().await, [day(1, "UA", 3, 3, -3.0)]);
    stage.count("2.csv", "b", vec![]).await;
    assert_eq!(stage.rows().await, [day(1, "UA", 2, 2, -8.0)]);
}

pub async fn nulls_are_ignored_and_only_nulls_stay_null(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "UA", 1, None, None)]).await;
    stage.count("2.csv", "a", vec![day(1, "UA", 1, None, None)]).await;
    assert_eq!(stage.rows().await, [day(1, "UA", 2, None, None)]);
    stage.count("2.csv", "b", vec![day(1, "UA", 1, 0, -2.0)]).await;
    assert_eq!(stage.rows().await, [day(1, "UA", 2, 0, -2.0)]);
    stage.count("3.csv", "a", vec![day(1, "UA", 1, None, None)]).await;
    assert_eq!(stage.rows().await, [day(1, "UA", 3, 0, -2.0)]);
    stage.count("2.csv", "c", vec![day(1, "UA", 1, None, None)]).await;
    assert_eq!(stage.rows().await, [day(1, "UA", 3, None, None)]);
}

pub async fn keys_that_differ_in_case_or_trailing_characters_stay_apart(warehouse: &dyn Warehouse) {
    let stage = stage_of(warehouse, sum(MeasureType::Int64)).await;
    let mut carriers = ["", "Click", "click", "click\t", "click\u{a0}", "clic", "e\u{301}", "é", "1", "01"];
    for (etag, file) in [("a", "1.csv"), ("a", "2.csv"), ("b", "1.csv")] {
        stage.count(file, etag, carriers.iter().map(|carrier| of(carrier, Value::Int64(1))).collect()).await;
    }
    carriers.sort_by_key(|carrier| carrier.as_bytes());
    assert_eq!(stage.rows().await, carriers.map(|carrier| of(carrier, Value::Int64(2))));
}

pub async fn a_key_with_a_nul_stays_apart(warehouse: &dyn Warehouse) {
    let stage = stage_of(warehouse, sum(MeasureType::Int64)).await;
    let rows = |count| ["click", "click\0", "click\0a"].map(|carrier| of(carrier, Value::Int64(count))).to_vec();
    stage.count("1.csv", "a", rows(1)).await;
    stage.add(&stage.partition("0"), 0, rows(1)).await;
    assert_eq!(stage.rows().await, rows(2));
}

pub async fn a_sum_that_does_not_fit_is_refused_and_changes_nothing(warehouse: &dyn Warehouse) {
    for (limit, step) in [(i64::MAX, 1), (i64::MIN, -1)] {
        let stage = stage_of(warehouse, sum(MeasureType::Int64)).await;
        let before = vec![of("AA", Value::Int64(1)), of("UA", Value::Int64(limit))];
        stage.count("1.csv", "a", before.clone()).await;
        stage.landing.upload(&stage.blob("2.csv"), "a");
        let merged = stage.load("2.csv", "a", vec![vec![of("AA", Value::Int64(5)), of("UA", Value::Int64(step))]]);
        let error = stage.commit(&merged).await.unwrap_err();
        assert!(is_data(&error, &[&stage.plans[0].table, "`total`", "`UA`"]), "{error}");
        assert_eq!((stage.rows().await, stage.recorded("2.csv").await), (before.clone(), None));

        stage.count("2.csv", "a", vec![of("UA", Value::Int64(0))]).await;
        stage.landing.upload(&stage.blob("2.csv"), "b");
        let replaced = stage.load("2.csv", "b", vec![vec![of("UA", Value::Int64(step))]]);
        let error = stage.commit(&replaced).await.unwrap_err();
        assert!(is_data(&error, &[&stage.plans[0].table, "`total`", "`UA`"]), "{error}");
        assert_eq!(stage.rows().await, before);
        assert_eq!(stage.recorded("2.csv").await.unwrap().etag.as_str(), "a");
    }
}

pub async fn a_sum_that_fits_is_exact_whatever_its_order(warehouse: &dyn Warehouse) {
    let stage = Stage::with(warehouse, |feed| {
        let table = unique("carriers");
        let columns = || vec![key("carrier", KeyType::Text { max_utf16: 8 }), sum(MeasureType::Int64)];
        (0..3).map(|_| plan(feed, &table, columns())).collect()
    })
    .await;
    let limits = [(i64::MAX, i64::MAX, i64::MIN), (i64::MIN, i64::MIN, i64::MAX), ((1 << 53) + 1, 1, -3)];
    for (etag, (one, two, three)) in ["a", "b", "c"].into_iter().zip(limits) {
        stage.landing.upload(&stage.blob("1.csv"), etag);
        let parts = [one, two, three].map(|value| vec![of("UA", Value::Int64(value))]).to_vec();
        let total = i64::try_from(i128::from(one) + i128::from(two) + i128::from(three));
        let committed = stage.commit(&stage.load("1.csv", etag, parts)).await;
        match total {
            Ok(total) => {
                assert!(matches!(committed, Ok(Outcome::Committed { .. })));
                assert_eq!(stage.rows().await, [of("UA", Value::Int64(total))]);
            }
            Err(_) => assert!(is_data(&committed.unwrap_err(), &["`UA`"])),
        }
    }
}

fn paid(carrier: &str, units: i128) -> Row {
    of(carrier, Value::Decimal { units, scale: 2 })
}

pub async fn a_decimal_sum_that_does_not_fit_is_refused_and_changes_nothing(warehouse: &dyn Warehouse) {
    for (limit, step) in [(MOST_DECIMAL, 1), (-MOST_DECIMAL, -1)] {
        let stage = stage_of(warehouse, sum(decimal(38, 2))).await;
        let words = [&stage.plans[0].table, "`total`", "`UA`", "38 digits"];
        let before = vec![paid("AA", 1), paid("UA", limit)];
        stage.count("1.csv", "a", before.clone()).await;
        stage.landing.upload(&stage.blob("2.csv"), "a");
        let merged = stage.load("2.csv", "a", vec![vec![paid("AA", 5), paid("UA", step)]]);
        let error = stage.commit(&merged).await.unwrap_err();
        assert!(is_data(&error, &words), "{error}");
        assert_eq!((stage.rows().await, stage.recorded("2.csv").await), (before.clone(), None));

        stage.count("2.csv", "a", vec![paid("UA", 0)]).await;
        stage.landing.upload(&stage.blob("2.csv"), "b");
        let replaced = stage.load("2.csv", "b", vec![vec![paid("UA", step)]]);
        let error = stage.commit(&replaced).await.unwrap_err();
        assert!(is_data(&error, &words), "{error}");
        assert_eq!(stage.rows().await, before);
        assert_eq!(stage.recorded("2.csv").await.unwrap().etag.as_str(), "a");
    }
}

pub async fn a_decimal_sum_that_fits_is_exact_whatever_its_order(warehouse: &dyn Warehouse) {
    let stage = Stage::with(warehouse, |feed| {
        let table = unique("carriers");
        let columns = || vec![key("carrier", KeyType::Text { max_utf16: 8 }), sum(decimal(38, 2))];
        (0..3).map(|_| plan(feed, &table, columns())).collect()
    })
    .await;
    let most = MOST_DECIMAL;
    for (etag, units) in [("a", [most, most, -most]), ("b", [-most, most, 1]), ("c", [10_i128.pow(20), 1, -3])] {
        stage.landing.upload(&stage.blob("1.csv"), etag);
        let parts = units.map(|units| vec![paid("UA", units)]).to_vec();
        stage.commit(&stage.load("1.csv", etag, parts)).await.unwrap();
        // Each pair of these fits into 128 bits, and so does their sum.
        assert_eq!(stage.rows().await, [paid("UA", units[0] + (units[1] + units[2]))]);
    }
}

pub async fn decimals_are_ordered_as_numbers(warehouse: &dyn Warehouse) {
    for (call, expected) in [(AggregateCall::Min("x".to_owned()), -1_000), (AggregateCall::Max("x".to_owned()), 1_000)]
    {
        let stage = stage_of(warehouse, measure("extreme", call, decimal(9, 2))).await;
        for (file, units) in [("1.csv", 999), ("2.csv", 1_000), ("3.csv", -999), ("4.csv", -1_000)] {
            stage.count(file, "a", vec![paid("UA", units)]).await;
        }
        assert_eq!(stage.rows().await, [paid("UA", expected)]);
        for file in ["2.csv", "4.csv"] {
            stage.count(file, "b", vec![of("UA", Value::Null)]).await;
        }
        assert_eq!(stage.rows().await, [paid("UA", expected.signum() * 999)]);
    }
}

pub async fn a_float_sum_that_does_not_fit_is_refused(warehouse: &dyn Warehouse) {
    let stage = stage_of(warehouse, sum(MeasureType::Float64)).await;
    stage.count("1.csv", "a", vec![of("UA", Value::Float64(f64::MAX))]).await;
    stage.landing.upload(&stage.blob("2.csv"), "a");
    let error = stage.commit(&stage.load("2.csv", "a", vec![vec![of("UA", Value::Float64(f64::MAX))]])).await;
    assert!(is_data(&error.unwrap_err(), &["`total`", "`UA`"]));
    assert_eq!(stage.rows().await, [of("UA", Value::Float64(f64::MAX))]);
}

pub async fn values_that_break_the_contract_are_refused(warehouse: &dyn Warehouse) {
    let stage = stage_of(warehouse, sum(MeasureType::Float64)).await;
    let broken = [
        of("UA", Value::Float64(f64::NAN)),
        of("UA", Value::Float64(f64::INFINITY)),
        of("UA", Value::Int64(1)),
        of("UA ", Value::Float64(1.0)),
        of("too long a name", Value::Float64(1.0)),
        vec![Value::Null, Value::Float64(1.0)],
        vec![Value::Text("UA".to_owned())],
    ];
    stage.landing.upload(&stage.blob("1.csv"), "a");
    for row in broken {
        let error = stage.commit(&stage.load("1.csv", "a", vec![vec![row.clone()]])).await.unwrap_err();
        assert!(is_data(&error, &[&stage.plans[0].table]), "{row:?}: {error}");
    }
    assert_eq!(stage.rows().await, Vec::<Row>::new());

    let stage = stage_of(warehouse, measure("dearest", AggregateCall::Max("x".to_owned()), decimal(4, 2))).await;
    stage.landing.upload(&stage.blob("1.csv"), "a");
    let broken = [Value::Decimal { units: 10_000, scale: 2 }, Value::Decimal { units: 1, scale: 1 }, Value::Int64(1)];
    for value in broken {
        let error = stage.commit(&stage.load("1.csv", "a", vec![vec![of("UA", value)]])).await.unwrap_err();
        assert!(is_data(&error, &["column `dearest`"]), "{error}");
    }
}

pub async fn a_key_that_was_counted_twice_is_refused(warehouse: &dyn Warehouse) {
    let stage = stage_of(warehouse, sum(MeasureType::Int64)).await;
    stage.landing.upload(&stage.blob("1.csv"), "a");
    let twice = vec![of("UA", Value::Int64(1)), of("UA", Value::Int64(2))];
    let error = stage.commit(&stage.load("1.csv", "a", vec![twice])).await.unwrap_err();
    assert!(is_data(&error, &["one key"]), "{error}");
}
