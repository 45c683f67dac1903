//! Which rows a chunk's summaries refuse, and which they count.

use crate::part::Value;
use crate::plan::{AggregateCall, DraftColumn};
use crate::summarise::{RejectedRow, Rule, Summariser};
use crate::testing::{
    TestRow, chunk_of, contract, count, ints, key, measure, plan, rows_of, short_key, summarise, summariser, texts,
    undecoded,
};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn by(expression: &str) -> Vec<DraftColumn> {
    vec![key("k", expression), count("n")]
}

fn reasons(rejected: &[RejectedRow]) -> Vec<(u32, &str)> {
    rejected.iter().map(|rejected| (rejected.row, rejected.reason.as_str())).collect()
}

#[test]
fn trailing_blanks_are_no_part_of_a_key_and_case_is() {
    let rows = texts(&["click", "click  ", "Click", " click", "", "  ", "a rather long text \"here\"  "]);
    let expected = vec![
        vec![text(""), Value::Int64(2)],
        vec![text(" click"), Value::Int64(1)],
        vec![text("Click"), Value::Int64(1)],
        vec![text("a rather long text \"here\""), Value::Int64(1)],
        vec![text("click"), Value::Int64(2)],
    ];
    assert_eq!(rows_of(&rows, &plan(by("s"), None)), expected);
    assert_eq!(rows_of(&rows, &plan(by("COALESCE(s, 'x')"), None)), expected);
}

#[test]
fn a_key_is_measured_in_utf16_units() {
    let plan = plan(vec![short_key("k", "s", 4), count("n")], None);
    let rows = texts(&["😀😀", "😀😀x", "éééé", "ééééé", "abcd   ", "abcde"]);
    let summary = summarise(&rows, &[], &[plan]);
    assert_eq!(
        reasons(&summary.rejected),
        [1, 3, 5].map(|row| (row, "key `k` of summary `days` has 5 UTF-16 units, its key_length is 4"))
    );
    assert_eq!(summary.parts[0].len(), 3);
}

#[test]
fn a_null_key_is_bad_and_the_reason_says_what_to_write() {
    let mut rows = texts(&["a", "b"]);
    rows[1].s = None;
    let summary = summarise(&rows, &[], &[plan(by("s"), None)]);
    let reason = "key `k` of summary `days` is null; write COALESCE(s, 'unknown') in the summary to count such rows";
    assert_eq!(reasons(&summary.rejected), [(1, reason)]);
}

#[test]
fn rows_that_where_leaves_out_may_have_any_key() {
    let mut rows = texts(&["a", "b", "much too long"]);
    rows[0].i = Some(1);
    rows[1] = TestRow::default();
    let plan = plan(vec![short_key("k", "s", 2), count("n")], Some("i = 1"));
    let summary = summarise(&rows, &[], std::slice::from_ref(&plan));
    assert!(summary.rejected.is_empty());
    assert_eq!(rows_of(&rows, &plan), [[text("a"), Value::Int64(1)]]);
}

#[test]
fn a_row_that_one_summary_refuses_counts_in_none() {
    let mut rows = ints(&[1, 2]);
    rows[0].s = Some("a".to_owned());
    let summary = summarise(&rows, &[], &[plan(by("i"), None), plan(by("s"), None)]);
    assert_eq!(summary.rejected.len(), 1);
    let parts: Vec<_> = summary.parts.into_iter().map(|part| part.into_rows().unwrap()).collect();
    assert_eq!(parts, [[[Value::Int64(1), Value::Int64(1)]], [[text("a"), Value::Int64(1)]]]);
}

#[test]
fn a_rule_refuses_what_is_false_or_unknown_and_speaks_first() {
    let rules = [Rule { name: "small".to_owned(), sql: "i < 10".to_owned() }];
    let mut rows = ints(&[1, 10, 2]);
    rows.push(TestRow::default());
    let summary = summarise(&rows, &rules, &[plan(by("i"), None)]);
    assert_eq!(reasons(&summary.rejected), [1, 3].map(|row| (row, "rule `small` does not hold")));
}

#[test]
fn rejected_rows_are_numbered_as_they_stand_in_the_chunk() {
    let mut chunk = chunk_of(&ints(&[1, -1, 2, -2, -3]));
    chunk.bad = [0, 2, 3, 8].map(undecoded).to_vec();
    chunk.row_count = 9;
    let rules = [Rule { name: "positive".to_owned(), sql: "i > 0".to_owned() }];
    let summary = summariser(&rules, &[]).summarise(&chunk).unwrap();
    let rows: Vec<u32> = summary.rejected.iter().map(|rejected| rejected.row).collect();
    assert_eq!(rows, [1, 3, 4].map(|position| chunk.row_of(position)));
    assert_eq!(rows, [4, 6, 7]);
}

#[test]
fn a_division_by_zero_is_bad_as_a_measure_and_null_by_nullif() {
    let rows = ints(&[2, 0]);
    let of = |sql: &str| {
        let columns = vec![key("k", "'all'"), measure("ratio", AggregateCall::Sum(sql.to_owned()))];
        summarise(&rows, &[], &[plan(columns, None)])
    };
    let infinite = of("1 / i");
    assert_eq!(reasons(&infinite.rejected), [(1, "measure `ratio` of summary `days` is not finite")]);
    let null = of("1 / NULLIF(i, 0)");
    assert!(null.rejected.is_empty());
    assert_eq!(null.parts[0].clone().into_rows().unwrap(), [[text("all"), Value::Float64(0.5)]]);
}

#[test]
fn a_measure_of_only_nulls_is_null_and_counts_nothing() {
    let over = || "i".to_owned();
    let columns = vec![
        key("k", "s"),
        count("n"),
        measure("present", AggregateCall::Count(over())),
        measure("total", AggregateCall::Sum(over())),
        measure("least", AggregateCall::Min(over())),
        measure("last", AggregateCall::Max("t".to_owned())),
        measure("paid", AggregateCall::Sum("m".to_owned())),
        measure("cheapest", AggregateCall::Min("m + w".to_owned())),
    ];
    let mut row = vec![text("a"), Value::Int64(2), Value::Int64(0)];
    row.resize(8, Value::Null);
    assert_eq!(rows_of(&texts(&["a", "a"]), &plan(columns, None)), [row]);
}

#[test]
fn an_empty_chunk_has_empty_parts() {
    for expression in ["s", "'all'", "LENGTH(s)"] {
        assert_eq!(rows_of(&[], &plan(by(expression), Some("i > 0"))), Vec::<Vec<Value>>::new(), "{expression}");
    }
}

#[test]
fn literals_alone_count_every_row() {
    let plan = plan(vec![key("k", "'all'"), count("n")], Some("TRUE"));
    assert_eq!(rows_of(&ints(&[1, 2, 3]), &plan), [[text("all"), Value::Int64(3)]]);
}

#[test]
fn a_plan_of_another_contract_is_refused() {
    let plan = plan(by("s"), None);
    let error = Summariser::new(&contract()[1..], &[], &[plan], "flights").err().expect("`s` is missing");
    assert!(error.to_string().starts_with("summary `days` of feed `flights`: `s` cannot be used"), "{error}");
}
