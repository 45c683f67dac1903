//! What a feed means: the columns that its counts depend on, and a fingerprint that changes whenever a file could be
//! counted differently.

use std::collections::HashSet;

use millrace_decode::contract::{Column, ValueRules};
use millrace_decode::csv::{CsvLayout, HeaderRow};
use millrace_frames::plan::{AggregateCall, KeyType, SummaryPlan, SummaryRole};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::summary::columns_in;
use super::{Feed, Format, Pipeline};
use crate::names::{FeedName, Sha256};

/// Goes up whenever the decoder, or how expressions are computed, changes what the same bytes count as.
pub const DECODER_VERSION: u32 = 1;

impl Feed {
    /// The columns that the feed's rules and these summaries refer to, in the contract's order; the rest need not be
    /// decoded. Curated rows have all columns. Summaries of other feeds are passed over.
    pub fn needed_columns<'p>(&'p self, summaries: impl IntoIterator<Item = &'p SummaryPlan>) -> Vec<Column> {
        if self.curated {
            return self.columns.clone();
        }
        let own = summaries.into_iter().filter(|summary| summary.feed == self.name.as_str());
        let expressions = own.flat_map(expressions_of).chain(self.rules.iter().map(|rule| rule.sql.as_str()));
        let mut needed = HashSet::new();
        for expression in expressions {
            match Parser::new(&GenericDialect).try_with_sql(expression).and_then(|mut parser| parser.parse_expr()) {
                Ok(parsed) => needed.extend(columns_in(&parsed)),
                // Decoding too much is slow but right.
                Err(_) => return self.columns.clone(),
            }
        }
        self.columns.iter().filter(|column| needed.contains(&column.name)).cloned().collect()
    }
}

fn expressions_of(summary: &SummaryPlan) -> impl Iterator<Item = &str> {
    let columns = summary.columns.iter().filter_map(|column| match &column.role {
        SummaryRole::Key { expression, .. } => Some(expression.as_str()),
        SummaryRole::Measure { call: AggregateCall::CountRows, .. } => None,
        SummaryRole::Measure { call, .. } => Some(call_fields(call).1),
    });
    columns.chain(summary.filter.as_deref())
}

impl Pipeline {
    /// Equal for two files whose feed counts every file alike; different as soon as a file could count differently:
    /// format and layout, values, contract, rules, summaries, decoder version. Sources, comments, other feeds and every
    /// order (of rules, summaries, and of columns that a file names) mean nothing; nor do `max_reject_ratio` and
    /// `unknown_columns`, which decide whether a file is accepted and not how it counts (a file that they turned away is
    /// a dead letter and can be tried again).
    ///
    /// `curated` changes no count, and is part of the meaning all the same: files that were loaded before it was
    /// switched on have no curated rows until they are replayed, and this is how somebody learns of it.
    ///
    /// A feed that this pipeline does not have means what a feed without contract would.
    pub fn fingerprint(&self, feed: &FeedName) -> Sha256 {
        let mut sections = vec![field("decoder", &[&DECODER_VERSION.to_string()]), field("feed", &[feed.as_str()])];
        if let Some(declared) = self.feed(feed) {
            sections.push(format_text(&declared.format));
            sections.push(values_text(&declared.values));
            sections.push(columns_text(declared));
            sections.push(field("curated", &[&declared.curated.to_string()]));
            sections.push(sorted("rules", declared.rules.iter().map(|rule| field("rule", &[&rule.name, &rule.sql]))));
        }
        sections.push(sorted("summaries", self.summaries_of(feed).map(summary_text)));
        let bytes: Vec<&[u8]> = sections.iter().map(|section| section.as_bytes()).collect();
        Sha256::of_fields(&bytes)
    }
}

/// Each value with its length before it, so that no two lists of values have one text.
fn field(name: &str, values: &[&str]) -> String {
    let mut text = name.to_owned();
    for value in values {
        text.push_str(&format!("\n{}:{value}", value.len()));
    }
    text
}

fn sorted(name: &str, texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    field(name, &texts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn format_text(format: &Format) -> String {
    let Format::Csv(layout) = format else {
        return field(format.name(), &[]);
    };
    let CsvLayout { encoding, delimiter, quote, header, skip_rows, skip_footer } = layout;
    let quote = quote.map_or_else(|| "none".to_owned(), |quote| quote.to_string());
    let header = match header {
        HeaderRow::Present => "present",
        HeaderRow::Absent => "absent",
    };
    let skipped = [skip_rows.to_string(), skip_footer.to_string()];
    field(format.name(), &[encoding.name(), &delimiter.to_string(), &quote, header, &skipped[0], &skipped[1]])
}

fn values_text(values: &ValueRules) -> String {
    let ValueRules { null_values, timezone, decimal_separator } = values;
    let nulls = sorted("nulls", null_values.iter().cloned());
    field("values", &[&nulls, timezone.name(), &decimal_separator.to_string()])
}

fn columns_text(feed: &Feed) -> String {
    let mut texts: Vec<String> = feed.columns.iter().map(column_text).collect();
    // Without a header a column is told by where it stands.
    if !matches!(feed.format, Format::Csv(CsvLayout { header: HeaderRow::Absent, .. })) {
        texts.sort();
    }
    field("columns", &texts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn column_text(column: &Column) -> String {
    let Column { name, from, column_type, required, format } = column;
    let presence = if *required { "required" } else { "optional" };
    let format: Vec<&str> = format.as_deref().into_iter().collect();
    field("column", &[name, from, &column_type.to_string(), presence, &field("format", &format)])
}

fn summary_text(summary: &SummaryPlan) -> String {
    let columns: Vec<String> = summary
        .columns
        .iter()
        .map(|column| match &column.role {
            SummaryRole::Key { expression, key_type } => {
                field("key", &[&column.name, expression, &key_type_text(*key_type)])
            }
            SummaryRole::Measure { call, measure_type } => {
                let (function, argument) = call_fields(call);
                field("measure", &[&column.name, function, argument, &measure_type.to_string()])
            }
        })
        .collect();
    let columns = field("columns", &columns.iter().map(String::as_str).collect::<Vec<_>>());
    let filter: Vec<&str> = summary.filter.as_deref().into_iter().collect();
    field("summary", &[&summary.id, &summary.table, &columns, &field("where", &filter)])
}

/// The aggregate's name and what it is over.
pub(super) fn call_fields(call: &AggregateCall) -> (&'static str, &str) {
    match call {
        AggregateCall::CountRows => ("COUNT", "*"),
        AggregateCall::Count(argument) => ("COUNT", argument),
        AggregateCall::Sum(argument) => ("SUM", argument),
        AggregateCall::Min(argument) => ("MIN", argument),
        AggregateCall::Max(argument) => ("MAX", argument),
    }
}

pub(super) fn key_type_text(key_type: KeyType) -> String {
    match key_type {
        KeyType::Text { max_utf16 } => format!("text of {max_utf16}"),
        KeyType::Int64 => "int64".to_owned(),
        KeyType::Bool => "bool".to_owned(),
        KeyType::Date => "date".to_owned(),
        KeyType::Timestamp => "timestamp".to_owned(),
    }
}
