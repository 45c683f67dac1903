//! Values as SQLite holds them: dates and times as text that sorts and that people can read, decimals as text with every
//! digit of their scale, bools as 0 and 1.

use std::fmt::Write;

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Timelike, Utc};
use millrace_frames::decimal;
use millrace_frames::part::Value;
use millrace_frames::plan::{KeyType, MeasureType};
use rusqlite::types::{ToSqlOutput, ValueRef};
use thiserror::Error;

use crate::stations::warehouse::shape::ColumnKind;

/// Something in the database that this program did not write like that.
#[derive(Debug, Error)]
#[error("the database holds {found}, which is not {expected}")]
pub struct NotOurs {
    pub found: String,
    pub expected: &'static str,
}

const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(1970, 1, 1).expect("1970-01-01 is a date");

/// What is bound for a value that passed the row check.
pub fn bound(value: &Value) -> ToSqlOutput<'_> {
    match value {
        Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
        Value::Int64(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
        Value::Float64(number) => ToSqlOutput::Borrowed(ValueRef::Real(*number)),
        Value::Decimal { units, scale } => ToSqlOutput::from(decimal::to_text(*units, *scale)),
        Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        Value::Bool(truth) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*truth))),
        Value::Date(days) => ToSqlOutput::from(date_text(*days)),
        Value::Timestamp(microseconds) => ToSqlOutput::from(timestamp_text(*microseconds)),
    }
}

/// `2013-01-01`; for days beyond chrono's calendar, which the row check refuses, the number itself.
fn date_text(days: i32) -> String {
    let Some(date) = EPOCH.checked_add_signed(chrono::Duration::days(i64::from(days))) else {
        return days.to_string();
    };
    let mut text = String::with_capacity(10);
    write_date(&mut text, date);
    text
}

/// `2013-01-01T10:00:00.000000Z`; for times beyond chrono's calendar, which the row check refuses, the number itself.
fn timestamp_text(microseconds: i64) -> String {
    let Some(time) = DateTime::from_timestamp_micros(microseconds) else {
        return microseconds.to_string();
    };
    let mut text = String::with_capacity(27);
    write_date(&mut text, time.date_naive());
    let (hour, minute, second, fraction) = (time.hour(), time.minute(), time.second(), time.nanosecond() / 1_000);
    write!(text, "T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z").expect("writing to a string cannot fail");
    text
}

fn write_date(text: &mut String, date: NaiveDate) {
    let (year, month, day) = (date.year(), date.month(), date.day());
    write!(text, "{year:04}-{month:02}-{day:02}").expect("writing to a string cannot fail");
}

/// The ledger's times, in the same form.
pub fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

pub fn time_of(text: &str) -> Result<DateTime<Utc>, NotOurs> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Ok(time.to_utc()),
        Err(_) => Err(NotOurs { found: format!("`{text}`"), expected: "a time" }),
    }
}

/// A stored value of a column.
pub fn stored(kind: ColumnKind, value: ValueRef<'_>) -> Result<Value, NotOurs> {
    match (kind, value) {
        (_, ValueRef::Null) => Ok(Value::Null),
        (ColumnKind::Key(KeyType::Int64) | ColumnKind::Measure(MeasureType::Int64, _), ValueRef::Integer(number)) => {
            Ok(Value::Int64(number))
        }
        (ColumnKind::Key(KeyType::Bool), ValueRef::Integer(number)) => Ok(Value::Bool(number != 0)),
        (ColumnKind::Measure(MeasureType::Float64, _), ValueRef::Real(number)) => Ok(Value::Float64(number)),
        (ColumnKind::Measure(MeasureType::Decimal { scale, .. }, _), ValueRef::Text(bytes)) => {
            let units = std::str::from_utf8(bytes).ok().and_then(|text| decimal::from_text(text, scale));
            let units = units.ok_or_else(|| not_ours(value, "a decimal of its column's scale"))?;
            Ok(Value::Decimal { units, scale })
        }
        (ColumnKind::Key(KeyType::Text { .. }), ValueRef::Text(bytes)) => {
            Ok(Value::Text(String::from_utf8_lossy(bytes).into_owned()))
        }
        (ColumnKind::Key(KeyType::Date) | ColumnKind::Measure(MeasureType::Date, _), ValueRef::Text(bytes)) => {
            days_of(bytes).map(Value::Date).ok_or_else(|| not_ours(value, "a date"))
        }
        (
            ColumnKind::Key(KeyType::Timestamp) | ColumnKind::Measure(MeasureType::Timestamp, _),
            ValueRef::Text(bytes),
        ) => {
            let text = std::str::from_utf8(bytes).map_err(|_| not_ours(value, "a timestamp"))?;
            Ok(Value::Timestamp(time_of(text)?.timestamp_micros()))
        }
        _ => Err(not_ours(value, "a value of its column's type")),
    }
}

fn days_of(bytes: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(bytes).ok()?;
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from((date - EPOCH).num_days()).ok()
}

fn not_ours(value: ValueRef<'_>, expected: &'static str) -> NotOurs {
    NotOurs { found: words(value), expected }
}

/// A stored value for people.
pub fn words(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) => format!("`{}`", String::from_utf8_lossy(bytes)),
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use millrace_frames::plan::Merge;

    use super::*;

    fn round_trip(kind: ColumnKind, value: Value) {
        let there = bound(&value);
        let there = match &there {
            ToSqlOutput::Borrowed(borrowed) => *borrowed,
            ToSqlOutput::Owned(owned) => ValueRef::from(owned),
            _ => panic!("only plain values are bound"),
        };
        assert_eq!(stored(kind, there).unwrap(), value);
    }

    #[test]
    fn times_are_text_that_sorts() {
        assert_eq!(date_text(0), "1970-01-01");
        assert_eq!(date_text(-719_162), "0001-01-01");
        assert_eq!(timestamp_text(1_357_034_400_000_000), "2013-01-01T10:00:00.000000Z");
        assert_eq!(timestamp_text(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(timestamp_text(-62_135_596_800_000_000), "0001-01-01T00:00:00.000000Z");
    }

    #[test]
    fn a_value_is_read_back_as_it_was_written() {
        for days in [-719_162, -1, 0, 15_706, 2_932_896] {
            round_trip(ColumnKind::Key(KeyType::Date), Value::Date(days));
        }
        for microseconds in [-62_135_596_800_000_000, -1, 0, 1, 253_402_300_799_999_999] {
            round_trip(ColumnKind::Key(KeyType::Timestamp), Value::Timestamp(microseconds));
        }
        round_trip(ColumnKind::Key(KeyType::Bool), Value::Bool(true));
        round_trip(ColumnKind::Key(KeyType::Text { max_utf16: 9 }), Value::Text("a\0ß".to_owned()));
        round_trip(ColumnKind::Measure(MeasureType::Int64, Merge::Max), Value::Int64(i64::MIN));
        round_trip(ColumnKind::Measure(MeasureType::Float64, Merge::Sum), Value::Float64(-0.5));
        round_trip(ColumnKind::Measure(MeasureType::Date, Merge::Min), Value::Null);
        let decimal = MeasureType::Decimal { precision: 38, scale: 2 };
        for units in [1 - 10_i128.pow(38), -5, 0, 1250] {
            round_trip(ColumnKind::Measure(decimal, Merge::Sum), Value::Decimal { units, scale: 2 });
        }
    }
}
