//! Chunks made by hand, for the tests of this crate.

use bytes::Bytes;
use millrace_decode::columns::{BadRow, ColumnValues, DecodedChunk, StringView, Values};
use millrace_decode::contract::{Column, ColumnType, DecimalType};

use crate::part::{Row, Value};
use crate::plan::{AggregateCall, DraftColumn, DraftRole, SummaryDraft, SummaryPlan};
use crate::summarise::{ChunkSummary, Rule, Summariser};
use crate::typing::type_summary;

/// Columns `s` string, `i` int64, `f` float64, `b` bool, `d` date, `t` timestamp, `m` decimal(18,2), `w` decimal(38,4),
/// `j` json.
pub(crate) fn contract() -> Vec<Column> {
    [
        ("s", ColumnType::String),
        ("i", ColumnType::Int64),
        ("f", ColumnType::Float64),
        ("b", ColumnType::Bool),
        ("d", ColumnType::Date),
        ("t", ColumnType::Timestamp),
        ("m", ColumnType::Decimal(DecimalType { precision: 18, scale: 2 })),
        ("w", ColumnType::Decimal(DecimalType { precision: 38, scale: 4 })),
        ("j", ColumnType::Json),
    ]
    .map(|(name, column_type)| Column::new(name, column_type))
    .to_vec()
}

/// A row of [`contract`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TestRow {
    pub(crate) s: Option<String>,
    pub(crate) i: Option<i64>,
    pub(crate) f: Option<f64>,
    pub(crate) b: Option<bool>,
    pub(crate) d: Option<i32>,
    pub(crate) t: Option<i64>,
    /// In hundredths.
    pub(crate) m: Option<i128>,
    /// In ten-thousandths.
    pub(crate) w: Option<i128>,
    pub(crate) j: Option<String>,
}

pub(crate) fn texts(texts: &[&str]) -> Vec<TestRow> {
    texts.iter().map(|text| TestRow { s: Some((*text).to_owned()), ..TestRow::default() }).collect()
}

pub(crate) fn decimals(units: &[i128]) -> Vec<TestRow> {
    units.iter().map(|units| TestRow { w: Some(*units), ..TestRow::default() }).collect()
}

pub(crate) fn ints(ints: &[i64]) -> Vec<TestRow> {
    ints.iter().map(|int| TestRow { i: Some(*int), ..TestRow::default() }).collect()
}

/// As the decoder would make it: long texts stand in the chunk, or in the unescaped text where they hold a quote.
pub(crate) fn chunk_of(rows: &[TestRow]) -> DecodedChunk {
    let mut bytes = b"header,of,the,file\n".to_vec();
    let mut unescaped = Vec::new();
    let mut views = |text: fn(&TestRow) -> Option<&str>| {
        let views = rows.iter().map(|row| match text(row) {
            None => StringView::default(),
            Some(text) if text.contains('"') => view(text, 1, &mut unescaped),
            Some(text) => view(text, 0, &mut bytes),
        });
        views.collect::<Vec<_>>()
    };
    let (texts, jsons) = (views(|row| row.s.as_deref()), views(|row| row.j.as_deref()));
    let string = |views| Values::String { views, unescaped: unescaped.clone() };
    let column = |values, valid: Vec<bool>| ColumnValues { values, validity: validity(&valid) };
    DecodedChunk {
        row_count: rows.len() as u32,
        columns: vec![
            column(string(texts), rows.iter().map(|row| row.s.is_some()).collect()),
            column(Values::Int64(values(rows, |row| row.i)), rows.iter().map(|row| row.i.is_some()).collect()),
            column(Values::Float64(values(rows, |row| row.f)), rows.iter().map(|row| row.f.is_some()).collect()),
            column(Values::Bool(values(rows, |row| row.b)), rows.iter().map(|row| row.b.is_some()).collect()),
            column(Values::Date(values(rows, |row| row.d)), rows.iter().map(|row| row.d.is_some()).collect()),
            column(Values::Timestamp(values(rows, |row| row.t)), rows.iter().map(|row| row.t.is_some()).collect()),
            column(Values::Decimal(values(rows, |row| row.m)), rows.iter().map(|row| row.m.is_some()).collect()),
            column(Values::Decimal(values(rows, |row| row.w)), rows.iter().map(|row| row.w.is_some()).collect()),
            column(string(jsons), rows.iter().map(|row| row.j.is_some()).collect()),
        ],
        bytes: Bytes::from(bytes),
        bad: Vec::new(),
        unknown_keys: Vec::new(),
    }
}

/// A row that did not decode, for [`DecodedChunk::bad`].
pub(crate) fn undecoded(row: u32) -> BadRow {
    BadRow { row, raw: Vec::new(), reason: "column `i`: `x` is not an int64".to_owned() }
}

fn values<T: Default>(rows: &[TestRow], value: impl Fn(&TestRow) -> Option<T>) -> Vec<T> {
    rows.iter().map(|row| value(row).unwrap_or_default()).collect()
}

fn validity(valid: &[bool]) -> Option<Vec<u8>> {
    if valid.iter().all(|bit| *bit) {
        return None;
    }
    let mut bytes = vec![0u8; valid.len().div_ceil(8)];
    for (row, bit) in valid.iter().enumerate() {
        bytes[row / 8] |= u8::from(*bit) << (row % 8);
    }
    Some(bytes)
}

fn view(text: &str, buffer: u32, bytes: &mut Vec<u8>) -> StringView {
    let mut inline = [0u8; 12];
    let shown = text.len().min(if text.len() > 12 { 4 } else { 12 });
    inline[..shown].copy_from_slice(&text.as_bytes()[..shown]);
    let word = |at: usize| u32::from_le_bytes([inline[at], inline[at + 1], inline[at + 2], inline[at + 3]]);
    let length = text.len() as u32;
    if text.len() <= 12 {
        return StringView { length, prefix: word(0), buffer: word(4), offset: word(8) };
    }
    let offset = bytes.len() as u32;
    bytes.extend_from_slice(text.as_bytes());
    StringView { length, prefix: word(0), buffer, offset }
}

pub(crate) fn key(name: &str, expression: &str) -> DraftColumn {
    short_key(name, expression, 256)
}

pub(crate) fn short_key(name: &str, expression: &str, max_utf16: u16) -> DraftColumn {
    let role = DraftRole::Key { expression: expression.to_owned(), max_utf16 };
    DraftColumn { name: name.to_owned(), role }
}

pub(crate) fn count(name: &str) -> DraftColumn {
    measure(name, AggregateCall::CountRows)
}

pub(crate) fn measure(name: &str, call: AggregateCall) -> DraftColumn {
    DraftColumn { name: name.to_owned(), role: DraftRole::Measure(call) }
}

pub(crate) fn draft(columns: Vec<DraftColumn>, filter: Option<&str>) -> SummaryDraft {
    SummaryDraft { table: "days".to_owned(), feed: "flights".to_owned(), columns, filter: filter.map(str::to_owned) }
}

pub(crate) fn plan(columns: Vec<DraftColumn>, filter: Option<&str>) -> SummaryPlan {
    type_summary(draft(columns, filter), &contract(), "0123456789abcdef".to_owned()).expect("the draft is sound")
}

pub(crate) fn summariser(rules: &[Rule], plans: &[SummaryPlan]) -> Summariser {
    Summariser::new(&contract(), rules, plans, "flights").expect("the plans fit the contract")
}

pub(crate) fn summarise(rows: &[TestRow], rules: &[Rule], plans: &[SummaryPlan]) -> ChunkSummary {
    summariser(rules, plans).summarise(&chunk_of(rows)).expect("no expression fails")
}

/// The rows of one plan over one chunk.
pub(crate) fn rows_of(rows: &[TestRow], plan: &SummaryPlan) -> Vec<Row> {
    let mut summary = summarise(rows, &[], std::slice::from_ref(plan));
    summary.parts.remove(0).into_rows().expect("nothing is too large")
}

/// What a key's expression is for one row; null where the row is refused.
pub(crate) fn evaluated(sql: &str, row: &TestRow) -> Result<Value, String> {
    evaluated_as(key("k", sql), row)
}

/// What an expression is for one row, where it can be no key.
pub(crate) fn measured(sql: &str, row: &TestRow) -> Result<Value, String> {
    evaluated_as(measure("x", AggregateCall::Min(sql.to_owned())), row)
}

fn evaluated_as(output: DraftColumn, row: &TestRow) -> Result<Value, String> {
    let outputs = vec![output, count("n"), key("all", "'all'")];
    let typed =
        type_summary(draft(outputs, None), &contract(), String::new()).map_err(|faults| faults[0].to_string())?;
    let summary = summariser(&[], std::slice::from_ref(&typed)).summarise(&chunk_of(std::slice::from_ref(row)));
    let mut summary = summary.map_err(|error| error.to_string())?;
    let rows = summary.parts.remove(0).into_rows().map_err(|error| error.to_string())?;
    match rows.into_iter().next() {
        Some(mut row) => Ok(row.swap_remove(0)),
        None => Ok(Value::Null),
    }
}
