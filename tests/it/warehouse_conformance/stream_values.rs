//! What batches add up to: exact, apart where keys differ, refused where a sum does not fit.

use millrace::stations::Disposition;
use millrace::stations::warehouse::{Remedy, StreamOutcome, Warehouse, WarehouseError};
use millrace_frames::part::{Row, Value};
use millrace_frames::plan::{AggregateCall, KeyType, MeasureType, SummaryColumn};

use super::fixture::{Stage, day, days, decimal, key, measure, plan, unique};

/// 38 nines.
const MOST_DECIMAL: i128 = 10_i128.pow(38) - 1;

fn call(word: &str) -> AggregateCall {
    match word {
        "sum" => AggregateCall::Sum("x".to_owned()),
        "min" => AggregateCall::Min("x".to_owned()),
        _ => AggregateCall::Max("x".to_owned()),
    }
}

/// A stage with one table: a text key, and one measure.
async fn stage_of<'a>(warehouse: &'a dyn Warehouse, call_word: &str, measure_type: MeasureType) -> Stage<'a> {
    let column: SummaryColumn = measure("total", call(call_word), measure_type);
    Stage::with(warehouse, |feed| {
        vec![plan(feed, &unique("carriers"), vec![key("carrier", KeyType::Text { max_utf16: 8 }), column])]
    })
    .await
}

fn of(carrier: &str, value: Value) -> Row {
    vec![Value::Text(carrier.to_owned()), value]
}

fn number(value: impl Into<Option<i64>>) -> Value {
    value.into().map_or(Value::Null, Value::Int64)
}

fn cents(value: impl Into<Option<i128>>) -> Value {
    value.into().map_or(Value::Null, |units| Value::Decimal { units, scale: 2 })
}

fn float(value: impl Into<Option<f64>>) -> Value {
    value.into().map_or(Value::Null, Value::Float64)
}

/// Merge, type, values one batch each, and what they come to.
fn merges() -> Vec<(&'static str, MeasureType, Vec<Value>, Value)> {
    let numbers = |values: &[Option<i64>]| values.iter().map(|value| number(*value)).collect::<Vec<_>>();
    let money = |values: &[Option<i128>]| values.iter().map(|value| cents(*value)).collect::<Vec<_>>();
    let floats = |values: &[Option<f64>]| values.iter().map(|value| float(*value)).collect::<Vec<_>>();
    let some = [Some(9), None, Some(-10), Some(10), None, Some(-9)];
    let paid = [Some(999), None, Some(-1_000), Some(1_000), Some(-999)];
    vec![
        ("sum", MeasureType::Int64, numbers(&some), number(0)),
        ("min", MeasureType::Int64, numbers(&some), number(-10)),
        ("max", MeasureType::Int64, numbers(&some), number(10)),
        ("sum", MeasureType::Int64, numbers(&[Some(i64::MAX), Some(-1), Some(1)]), number(i64::MAX)),
        ("sum", MeasureType::Int64, numbers(&[Some((1 << 53) + 1), None, Some(2)]), number((1 << 53) + 3)),
        ("sum", MeasureType::Int64, numbers(&[None, None]), Value::Null),
        ("max", MeasureType::Int64, numbers(&[None, Some(i64::MIN)]), number(i64::MIN)),
        ("sum", decimal(38, 2), money(&paid), cents(0)),
        ("min", decimal(9, 2), money(&paid), cents(-1_000)),
        ("max", decimal(9, 2), money(&paid), cents(1_000)),
        ("sum", decimal(38, 2), money(&[Some(MOST_DECIMAL), Some(-7), Some(7)]), cents(MOST_DECIMAL)),
        ("min", decimal(9, 2), money(&[None, None, None]), Value::Null),
        ("sum", MeasureType::Float64, floats(&[Some(0.5), None, Some(-2.25)]), float(-1.75)),
        ("max", MeasureType::Float64, floats(&[Some(-0.5), None, Some(-2.25)]), float(-0.5)),
        (
            "min",
            MeasureType::Date,
            vec![Value::Date(15_706), Value::Null, Value::Date(-719_162), Value::Date(0)],
            Value::Date(-719_162),
        ),
        (
            "max",
            MeasureType::Timestamp,
            vec![Value::Timestamp(-1), Value::Timestamp(253_402_300_799_999_999), Value::Null],
            Value::Timestamp(253_402_300_799_999_999),
        ),
    ]
}

pub async fn batches_merge_as_their_aggregates_say(warehouse: &dyn Warehouse) {
    for (call_word, measure_type, values, expected) in merges() {
        let stage = stage_of(warehouse, call_word, measure_type).await;
        let unit = stage.partition("0");
        for (applied, value) in (0..).zip(&values) {
            stage.add(&unit, applied, vec![of("UA", value.clone())]).await;
        }
        assert_eq!(stage.rows().await, [of("UA", expected)], "{call_word} of {values:?}");
        assert!(stage.recount(Remedy::Report).await.is_right(), "{call_word} of {values:?}");
    }
}

/// The parts are what a recount and every correction of a file go by: they accumulate as the summary does.
pub async fn what_a_unit_counted_is_right_after_a_file_made_it_be_counted_anew(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    for applied in 0..20 {
        let worst = f64::from(u32::try_from(applied * 7 % 20).unwrap());
        stage.add(&unit, applied, vec![day(1, "UA", 1, i64::try_from(applied).unwrap(), worst)]).await;
    }
    stage.count("1.csv", "a", vec![day(1, "UA", 1, 1, 99.0)]).await;
    stage.count("1.csv", "b", vec![]).await;
    assert_eq!(stage.rows().await, [day(1, "UA", 20, 190, 19.0)]);
}

pub async fn keys_that_differ_in_case_or_trailing_characters_stay_apart(warehouse: &dyn Warehouse) {
    let stage = stage_of(warehouse, "sum", MeasureType::Int64).await;
    let unit = stage.partition("0");
    let mut carriers = ["", "Click", "click", "click\t", "click\u{a0}", "e\u{301}", "é", "1", "01"];
    for applied in 0..3 {
        stage.add(&unit, applied, carriers.iter().map(|carrier| of(carrier, number(1))).collect()).await;
    }
    carriers.sort_by_key(|carrier| carrier.as_bytes());
    assert_eq!(stage.rows().await, carriers.map(|carrier| of(carrier, number(3))));
}

pub async fn a_table_of_keys_alone_has_each_once(warehouse: &dyn Warehouse) {
    let stage =
        Stage::with(warehouse, |feed| vec![plan(feed, &unique("seen"), vec![key("number", KeyType::Int64)])]).await;
    let unit = stage.partition("0");
    for applied in 0..2 {
        let rows = vec![vec![number(1)], vec![number(i64::try_from(applied).unwrap() + 2)]];
        stage.add(&unit, applied, rows).await;
    }
    assert_eq!(stage.rows().await, [vec![number(1)], vec![number(2)], vec![number(3)]]);
}

/// The sum of the unit alone does not fit, or that of the unit and a file does not.
pub async fn a_sum_that_does_not_fit_is_refused_and_changes_nothing(warehouse: &dyn Warehouse) {
    let most = [
        (MeasureType::Int64, number(i64::MAX), number(1), number(0), "64 bits"),
        (MeasureType::Int64, number(i64::MIN), number(-1), number(0), "64 bits"),
        (decimal(38, 2), cents(MOST_DECIMAL), cents(1), cents(0), "38 digits"),
        (decimal(38, 2), cents(-MOST_DECIMAL), cents(-1), cents(0), "38 digits"),
        (MeasureType::Float64, float(f64::MAX), float(f64::MAX), float(0.0), "64 bits"),
    ];
    for (measure_type, limit, step, zero, words) in most {
        let of_the_unit = stage_of(warehouse, "sum", measure_type).await;
        of_the_unit.add(&of_the_unit.partition("0"), 4, vec![of("AA", step.clone()), of("UA", limit.clone())]).await;
        let of_the_file = stage_of(warehouse, "sum", measure_type).await;
        of_the_file.count("1.csv", "a", vec![of("AA", step.clone()), of("UA", limit.clone())]).await;
        of_the_file.add(&of_the_file.partition("0"), 4, vec![of("UA", zero.clone())]).await;
        for stage in [of_the_unit, of_the_file] {
            let unit = stage.partition("0");
            let (rows, record) = (stage.rows().await, stage.recorded_stream(&unit).await);
            let too_much = vec![of("AA", zero.clone()), of("DL", zero.clone()), of("UA", step.clone())];
            let mut load = stage.events(&unit, Some(5), 9, vec![too_much]);
            load.gaps = vec![super::stream_stage::gap(5, 5)];
            let error = stage.commit_stream(&load).await.unwrap_err();
            assert!(matches!(error, WarehouseError::Data { .. }), "{error}");
            assert_eq!(error.disposition(), Disposition::Reject);
            for word in [&stage.plans[0].table, "`total`", "`UA`", words] {
                assert!(error.to_string().contains(word), "{error}");
            }
            assert_eq!((stage.rows().await, stage.recorded_stream(&unit).await), (rows, record));
            assert_eq!(warehouse.stream_gaps(&stage.feed, 1).await.unwrap(), []);

            // As when the batch is bisected to the event at fault.
            let rest = stage.events(&unit, Some(5), 9, vec![vec![of("DL", step.clone())]]);
            assert_eq!(stage.commit_stream(&rest).await.unwrap(), StreamOutcome::Committed);
        }
    }
}

pub async fn a_row_that_breaks_the_contract_is_refused(warehouse: &dyn Warehouse) {
    let stage = stage_of(warehouse, "sum", MeasureType::Float64).await;
    let unit = stage.partition("0");
    let broken = [
        vec![of("UA", float(f64::NAN))],
        vec![of("UA", number(1))],
        vec![of("UA ", float(1.0))],
        vec![vec![Value::Null, float(1.0)]],
        vec![of("UA", float(1.0)), of("UA", float(2.0))],
    ];
    for rows in broken {
        let error = stage.commit_stream(&stage.events(&unit, None, 4, vec![rows.clone()])).await.unwrap_err();
        assert!(matches!(error, WarehouseError::Data { .. }), "{rows:?}: {error}");
        assert!(error.to_string().contains(&stage.plans[0].table), "{error}");
    }
    assert_eq!((stage.rows().await, stage.recorded_stream(&unit).await), (Vec::<Row>::new(), None));
}

/// What cancels out leaves the last digits of what was added. A recount must not take them for a difference, however the
/// batches of two partitions came between each other.
pub async fn sums_of_floats_that_cancel_out_are_right(warehouse: &dyn Warehouse) {
    let stage = stage_of(warehouse, "sum", MeasureType::Float64).await;
    let numbers = [1e16, 0.1, 1.0, 0.2, -1e16, -0.3, 3e-7, 1e9, -1.0, -1e9, 0.7, -3e-7];
    for (batch, number) in numbers.into_iter().enumerate() {
        let unit = stage.partition(if batch % 2 == 0 { "0" } else { "1" });
        stage.add(&unit, u64::try_from(batch).unwrap(), vec![of("UA", float(number))]).await;
        let check = stage.recount(Remedy::Report).await;
        assert!(check.is_right(), "{check:?} after {batch} batches");
    }
    stage.count("1.csv", "a", vec![of("UA", float(1e-3))]).await;
    let check = stage.recount(Remedy::Report).await;
    assert!(check.is_right(), "{check:?}");
}

pub async fn summaries_that_share_a_table_accumulate_apart_and_add_up(warehouse: &dyn Warehouse) {
    let stage = Stage::with(warehouse, |feed| {
        let (shared, own) = (unique("shared"), unique("own"));
        let mut reordered = days(feed, &shared);
        reordered.columns.reverse();
        vec![days(feed, &shared), reordered, days(feed, &own)]
    })
    .await;
    let reversed = |mut row: Row| {
        row.reverse();
        row
    };
    let unit = stage.partition("0");
    for applied in 0..3 {
        let parts = vec![
            vec![day(1, "UA", 1, 10, 1.0)],
            vec![reversed(day(1, "UA", 2, 20, 2.0))],
            vec![day(2, "UA", 3, 30, 3.0)],
        ];
        stage.add_parts(&unit, applied, parts).await;
    }
    stage.add_parts(&unit, 3, vec![vec![], vec![reversed(day(1, "UA", 1, 1, 1.0))], vec![]]).await;
    assert_eq!(stage.rows_of(0).await, [day(1, "UA", 10, 91, 2.0)]);
    assert_eq!(stage.rows_of(1).await, [reversed(day(1, "UA", 10, 91, 2.0))]);
    assert_eq!(stage.rows_of(2).await, [day(2, "UA", 9, 90, 3.0)]);
    assert!(stage.recount(Remedy::Report).await.is_right());
}
