//! Values of summary tables as people and scripts read them.

use chrono::{DateTime, NaiveDate, SecondsFormat};
use millrace_frames::part::Value as SummaryValue;
use serde_json::{Value, json};

pub fn as_json(value: &SummaryValue) -> Value {
    match value {
        SummaryValue::Null => Value::Null,
        SummaryValue::Int64(number) => json!(number),
        SummaryValue::Float64(number) => json!(number),
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

pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub fn cell_text(value: &SummaryValue) -> String {
    cell(&as_json(value))
}
