//! Values of summary tables as people and scripts read them.

use chrono::{DateTime, NaiveDate, SecondsFormat};
use millrace_frames::decimal;
use millrace_frames::part::Value as SummaryValue;
use serde_json::{Value, json};

pub fn as_json(value: &SummaryValue) -> Value {
    match value {
        SummaryValue::Null => Value::Null,
        SummaryValue::Int64(number) => json!(number),
        SummaryValue::Float64(number) => json!(number),
        // A JSON number would pass through a float in most readers.
        SummaryValue::Decimal { units, scale } => json!(decimal::to_text(*units, *scale)),
        SummaryValue::Text(text) => json!(text),
        SummaryValue::Bool(truth) => json!(truth),
        SummaryValue::Date(days) => match NaiveDate::from_epoch_days(*days) {
            Some(date) => json!(date.to_string()),
            None => json!(days),
        },
        SummaryValue::Timestamp(micros) => match DateTime::from_timestamp_micros(*micros) {
            Some(time) => json!(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => json!(micros),
        },
    }
}

/// As a table on a terminal shows it.
pub fn cell(value: &SummaryValue) -> String {
    match as_json(value) {
        Value::Null => "null".to_owned(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}
