//! Any cut of rows into chunks, and any order and grouping of merges, gives what a plain loop over the rows gives.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::part::{Part, Row, Value};
use crate::plan::{AggregateCall, SummaryPlan};
use crate::testing::{TestRow, chunk_of, count, decimals, ints, key, measure, plan, summarise, summariser};

fn the_plan() -> SummaryPlan {
    let over = |column: &str| column.to_owned();
    plan(
        vec![
            key("name", "s"),
            count("n"),
            key("day", "CAST(t AS DATE)"),
            measure("present", AggregateCall::Count(over("i"))),
            measure("total", AggregateCall::Sum(over("i"))),
            measure("weight", AggregateCall::Sum(over("f"))),
            measure("least", AggregateCall::Min(over("f"))),
            measure("most", AggregateCall::Max(over("i"))),
            measure("first", AggregateCall::Min(over("d"))),
            measure("last", AggregateCall::Max(over("t"))),
            measure("paid", AggregateCall::Sum(over("m"))),
            measure("taxed", AggregateCall::Sum(over("m * 1.19 - i"))),
            measure("cheapest", AggregateCall::Min(over("w"))),
            measure("dearest", AggregateCall::Max(over("CASE WHEN m > 10.5 THEN m END"))),
        ],
        Some("b IS NULL OR b"),
    )
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// The first units beyond decimal(18,2), and beyond any decimal.
const MOST_M: i128 = 10_i128.pow(18);
const MOST: i128 = 10_i128.pow(38);

/// The same by a loop over the rows, with no chunks and no parts.
fn plainly(rows: &[TestRow]) -> Vec<Row> {
    let mut groups: BTreeMap<(String, i32), Vec<&TestRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.b != Some(false)) {
        let (Some(name), Some(time)) = (&row.s, row.t) else {
            continue;
        };
        let day = time.div_euclid(MICROS_PER_DAY) as i32;
        groups.entry((name.trim_end_matches(' ').to_owned(), day)).or_default().push(row);
    }
    let or_null = |value: Option<Value>| value.unwrap_or(Value::Null);
    groups
        .into_iter()
        .map(|((name, day), rows)| {
            let ints: Vec<i64> = rows.iter().filter_map(|row| row.i).collect();
            let floats: Vec<f64> = rows.iter().filter_map(|row| row.f).collect();
            let paid: Vec<i128> = rows.iter().filter_map(|row| row.m).collect();
            let taxed = rows.iter().filter_map(|row| Some(row.m? * 119 - i128::from(row.i?) * 10_000));
            let taxed = taxed.reduce(|sum, units| sum + units);
            let decimal = |units: Option<i128>, scale: u8| or_null(units.map(|units| Value::Decimal { units, scale }));
            let some = |is_empty: bool, value: Value| if is_empty { Value::Null } else { value };
            vec![
                Value::Text(name),
                Value::Int64(rows.len() as i64),
                Value::Date(day),
                Value::Int64(ints.len() as i64),
                some(ints.is_empty(), Value::Int64(ints.iter().sum())),
                some(floats.is_empty(), Value::Float64(floats.iter().sum())),
                or_null(floats.iter().copied().reduce(f64::min).map(Value::Float64)),
                or_null(ints.iter().copied().max().map(Value::Int64)),
                or_null(rows.iter().filter_map(|row| row.d).min().map(Value::Date)),
                or_null(rows.iter().filter_map(|row| row.t).max().map(Value::Timestamp)),
                decimal((!paid.is_empty()).then(|| paid.iter().sum()), 2),
                decimal(taxed, 4),
                decimal(rows.iter().filter_map(|row| row.w).min(), 4),
                decimal(paid.iter().copied().filter(|units| *units > 1050).max(), 2),
            ]
        })
        .collect()
}

fn agree(found: &[Row], expected: &[Row]) -> bool {
    let close = |pair: (&Value, &Value)| match pair {
        (Value::Float64(a), Value::Float64(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
        (a, b) => a == b,
    };
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a.iter().zip(b).all(close))
}

fn any_row() -> impl Strategy<Value = TestRow> {
    let name =
        prop::sample::select(vec!["", "a", "A", "a ", "ä", "longer than twelve bytes", "with a \"quote\" inside  "]);
    (
        prop::option::weighted(0.9, name),
        prop::option::of(-(1i64 << 53)..(1i64 << 53)),
        prop::option::of((-1_000_000i32..1_000_000).prop_map(|eighths| f64::from(eighths) / 8.0)),
        prop::option::of(any::<bool>()),
        prop::option::of(-3i32..3),
        prop::option::weighted(0.9, -2 * MICROS_PER_DAY..2 * MICROS_PER_DAY),
        prop::option::of(prop_oneof![1 - MOST_M..MOST_M, -2_000..2_000_i128]),
        prop::option::of(1 - MOST..MOST),
    )
        .prop_map(|(s, i, f, b, d, t, m, w)| TestRow { s: s.map(str::to_owned), i, f, b, d, t, m, w, j: None })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_and_any_order_of_merges_gives_the_same_summary(
        rows in prop::collection::vec(any_row(), 0..120),
        cuts in prop::collection::vec(1usize..40, 1..8),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 120),
    ) {
        let plan = the_plan();
        let summariser = summariser(&[], std::slice::from_ref(&plan));
        let mut parts = vec![Part::empty(&plan)];
        let mut rest = rows.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, left) = rest.split_at(rest.len().min(*cut));
            rest = left;
            parts.extend(summariser.summarise(&chunk_of(chunk)).unwrap().parts);
        }
        let mut picks = picks.iter();
        while parts.len() > 1 {
            let pick = picks.next().expect("there are as many picks as rows");
            let taken = parts.swap_remove(pick.index(parts.len()));
            let into = pick.index(parts.len());
            parts[into].merge(taken).unwrap();
        }
        let found = parts.remove(0).into_rows().unwrap();
        let expected = plainly(&rows);
        prop_assert!(agree(&found, &expected), "{found:#?}\n{expected:#?}");
    }

    #[test]
    fn a_sum_is_exact_or_refused(numbers in prop::collection::vec(any::<i64>(), 1..20), cut in 0usize..20) {
        let plan = plan(vec![key("k", "'all'"), measure("total", AggregateCall::Sum("i".to_owned()))], None);
        let (left, right) = numbers.split_at(cut.min(numbers.len()));
        let part = |numbers: &[i64]| summarise(&ints(numbers), &[], std::slice::from_ref(&plan)).parts.remove(0);
        let mut merged = part(left);
        merged.merge(part(right)).unwrap();
        let exact: i128 = numbers.iter().map(|number| i128::from(*number)).sum();
        match i64::try_from(exact) {
            Ok(sum) => prop_assert_eq!(&merged.into_rows().unwrap()[0][1], &Value::Int64(sum)),
            Err(_) => {
                let error = merged.into_rows().unwrap_err();
                prop_assert_eq!((error.measure.as_str(), error.key.as_str(), error.beyond), ("total", "'all'", "int64"));
            }
        }
    }

    #[test]
    fn a_decimal_sum_is_exact_or_refused(
        units in prop::collection::vec(prop_oneof![1 - MOST..MOST, Just(MOST - 1), Just(1 - MOST)], 1..20),
        cut in 0usize..20,
    ) {
        let plan = plan(vec![key("k", "'all'"), measure("total", AggregateCall::Sum("w".to_owned()))], None);
        let (left, right) = units.split_at(cut.min(units.len()));
        let part = |units: &[i128]| summarise(&decimals(units), &[], std::slice::from_ref(&plan)).parts.remove(0);
        let mut merged = part(left);
        merged.merge(part(right)).unwrap();
        // In two halves of nineteen digits, which 128 bits sum without loss.
        let half = 10_i128.pow(19);
        let low: i128 = units.iter().map(|units| units % half).sum();
        let high = units.iter().map(|units| units / half).sum::<i128>() + low / half;
        let exact = high.checked_mul(half).and_then(|high| high.checked_add(low % half));
        match exact.filter(|sum| sum.unsigned_abs() < MOST.unsigned_abs()) {
            Some(units) => {
                let total = Value::Decimal { units, scale: 4 };
                prop_assert_eq!(&merged.into_rows().unwrap()[0][1], &total);
            }
            None => {
                let error = merged.into_rows().unwrap_err();
                prop_assert_eq!((error.measure.as_str(), error.key.as_str(), error.beyond), ("total", "'all'", "38 digits"));
            }
        }
    }
}

#[test]
fn a_decimal_sum_may_pass_the_limit_on_its_way() {
    let plan = plan(vec![key("k", "'all'"), measure("total", AggregateCall::Sum("w".to_owned()))], None);
    let most = MOST - 1;
    let rows = decimals(&[most, most, most, -most, -most, -most, 7]);
    let part = |rows: &[TestRow]| summarise(rows, &[], std::slice::from_ref(&plan)).parts.remove(0);
    let seven = [[Value::Text("all".to_owned()), Value::Decimal { units: 7, scale: 4 }]];
    assert_eq!(part(&rows).into_rows().unwrap(), seven);
    let mut merged = part(&rows[..3]);
    assert_eq!(
        merged.clone().into_rows().unwrap_err().to_string(),
        "measure `total` of summary `days` is beyond 38 digits at key ('all'); sum a smaller unit or cast to DOUBLE"
    );
    merged.merge(part(&rows[3..])).unwrap();
    assert_eq!(merged.into_rows().unwrap(), seven);
}

#[test]
fn a_sum_may_pass_the_limit_on_its_way() {
    let plan = plan(vec![key("k", "'all'"), measure("total", AggregateCall::Sum("i".to_owned()))], None);
    let rows = ints(&[i64::MAX, i64::MAX, i64::MIN, i64::MIN, 7]);
    let part = summarise(&rows, &[], &[plan]).parts.remove(0);
    assert_eq!(part.into_rows().unwrap()[0][1], Value::Int64(5));
}

#[test]
fn a_small_float_survives_large_ones_that_cancel() {
    let plan = plan(vec![key("k", "'all'"), measure("total", AggregateCall::Sum("f".to_owned()))], None);
    let part = |f: f64| {
        let rows = [TestRow { f: Some(f), ..TestRow::default() }];
        summarise(&rows, &[], std::slice::from_ref(&plan)).parts.remove(0)
    };
    let mut merged = part(1e16);
    for value in [0.125, -1e16] {
        merged.merge(part(value)).unwrap();
    }
    assert_eq!(merged.into_rows().unwrap()[0][1], Value::Float64(0.125));
}

#[test]
fn a_float_sum_beyond_its_range_is_refused() {
    let plan = plan(vec![key("k", "'all'"), measure("total", AggregateCall::Sum("f".to_owned()))], None);
    let rows = vec![TestRow { f: Some(f64::MAX), ..TestRow::default() }; 2];
    let error = summarise(&rows, &[], &[plan]).parts.remove(0).into_rows().unwrap_err();
    assert!(
        error.to_string().starts_with("measure `total` of summary `days` is beyond float64 at key ('all')"),
        "{error}"
    );
}
