//! Values as SQL Server holds them, there and back.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use millrace_frames::decimal;
use millrace_frames::part::Value;
use millrace_frames::plan::{KeyType, MeasureType};
use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime2, Time};
use tiberius::{ColumnData, Row};

use super::errors::SqlError;
use crate::names::{BadName, Sha256};
use crate::stations::warehouse::shape::ColumnKind;

/// From 0001-01-01, where SQL Server's dates begin, to 1970-01-01.
const DAYS_BEFORE_EPOCH: i64 = 719_162;
const MICROSECONDS_A_DAY: i64 = 86_400_000_000;
/// Digits of a second that `datetime2(6)` keeps.
const TIME_SCALE: u8 = 6;

/// What is sent for a value that passed the row check, of the type that the column has.
pub fn sent(kind: ColumnKind, value: &Value) -> ColumnData<'_> {
    match (value, kind) {
        (Value::Null, kind) => null_of(kind),
        (Value::Int64(number), _) => ColumnData::I64(Some(*number)),
        (Value::Float64(number), _) => ColumnData::F64(Some(*number)),
        (Value::Decimal { units, scale }, _) => ColumnData::Numeric(Some(Numeric::new_with_scale(*units, *scale))),
        (Value::Text(text), _) => ColumnData::String(Some(Cow::Borrowed(text))),
        (Value::Bool(truth), _) => ColumnData::Bit(Some(*truth)),
        (Value::Date(days), _) => ColumnData::Date(date(i64::from(*days))),
        (Value::Timestamp(microseconds), _) => ColumnData::DateTime2(timestamp(*microseconds)),
    }
}

/// The same as a parameter. A decimal goes as text, which the column reads: as a parameter its type would be made of its
/// digits, and 38 behind the point are one too many for that.
pub fn sent_as_parameter(kind: ColumnKind, value: &Value) -> ColumnData<'_> {
    match (kind, value) {
        (_, Value::Decimal { units, scale }) => text_of(decimal::to_text(*units, *scale)),
        (ColumnKind::Measure(MeasureType::Decimal { .. }, _), Value::Null) => ColumnData::String(None),
        _ => sent(kind, value),
    }
}

fn null_of(kind: ColumnKind) -> ColumnData<'static> {
    match kind {
        ColumnKind::Key(KeyType::Text { .. }) => ColumnData::String(None),
        ColumnKind::Key(KeyType::Int64) | ColumnKind::Measure(MeasureType::Int64, _) => ColumnData::I64(None),
        ColumnKind::Key(KeyType::Bool) => ColumnData::Bit(None),
        ColumnKind::Key(KeyType::Date) | ColumnKind::Measure(MeasureType::Date, _) => ColumnData::Date(None),
        ColumnKind::Key(KeyType::Timestamp) | ColumnKind::Measure(MeasureType::Timestamp, _) => {
            ColumnData::DateTime2(None)
        }
        ColumnKind::Measure(MeasureType::Float64, _) => ColumnData::F64(None),
        ColumnKind::Measure(MeasureType::Decimal { .. }, _) => ColumnData::Numeric(None),
    }
}

/// `None` for days that the row check refuses.
fn date(days_of_epoch: i64) -> Option<Date> {
    u32::try_from(days_of_epoch + DAYS_BEFORE_EPOCH).ok().map(Date::new)
}

/// At the digits of the column: the client would cut others in floating point.
fn timestamp(microseconds: i64) -> Option<DateTime2> {
    let (days, rest) = (microseconds.div_euclid(MICROSECONDS_A_DAY), microseconds.rem_euclid(MICROSECONDS_A_DAY));
    Some(DateTime2::new(date(days)?, Time::new(rest.unsigned_abs(), TIME_SCALE)))
}

pub fn text(text: &str) -> ColumnData<'_> {
    ColumnData::String(Some(Cow::Borrowed(text)))
}

pub fn text_of(text: String) -> ColumnData<'static> {
    ColumnData::String(Some(Cow::Owned(text)))
}

pub fn optional_text(text: Option<&str>) -> ColumnData<'_> {
    ColumnData::String(text.map(Cow::Borrowed))
}

pub fn number(number: i64) -> ColumnData<'static> {
    ColumnData::I64(Some(number))
}

pub fn optional_number(number: Option<i64>) -> ColumnData<'static> {
    ColumnData::I64(number)
}

pub fn bytes(bytes: &[u8]) -> ColumnData<'_> {
    ColumnData::Binary(Some(Cow::Borrowed(bytes)))
}

/// A unit's id is stored as the bytes that it names.
pub fn unit_id(id: &Sha256) -> ColumnData<'static> {
    let bytes = hex::decode(id.as_str()).expect("a SHA-256 is hex digits");
    ColumnData::Binary(Some(Cow::Owned(bytes)))
}

/// The ledger's times.
pub fn time(time: DateTime<Utc>) -> ColumnData<'static> {
    ColumnData::DateTime2(timestamp(time.timestamp_micros()))
}

pub fn optional_time(at: Option<DateTime<Utc>>) -> ColumnData<'static> {
    at.map_or(ColumnData::DateTime2(None), time)
}

fn days_of(date: Date) -> i32 {
    i32::try_from(i64::from(date.days()) - DAYS_BEFORE_EPOCH).expect("three bytes of days fit")
}

fn microseconds_of(time: DateTime2) -> i64 {
    let (of_day, scale) = (time.time().increments(), u32::from(time.time().scale()));
    let of_day = match scale.checked_sub(u32::from(TIME_SCALE)) {
        Some(beyond) => of_day / 10_u64.pow(beyond),
        None => of_day * 10_u64.pow(u32::from(TIME_SCALE) - scale),
    };
    i64::from(days_of(time.date())) * MICROSECONDS_A_DAY + of_day.cast_signed()
}

/// A row's fields, from left to right.
pub struct Fields<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Fields<'a> {
    pub fn of(row: &'a Row) -> Self {
        Fields { row, next: 0 }
    }

    fn take(&mut self) -> Result<&'a ColumnData<'static>, SqlError> {
        let position = self.next;
        self.next += 1;
        let field = (position < self.row.len()).then(|| self.row.get_column_data(position));
        match field {
            Some(field) => Ok(field?),
            None => Err(SqlError::NotOurs { found: "a row that ends early".to_owned(), expected: "one of ours" }),
        }
    }

    pub fn optional_text(&mut self) -> Result<Option<String>, SqlError> {
        match self.take()? {
            ColumnData::String(text) => Ok(text.as_ref().map(|text| text.clone().into_owned())),
            other => Err(not_ours(other, "a text")),
        }
    }

    pub fn text(&mut self) -> Result<String, SqlError> {
        self.optional_text()?.ok_or_else(|| missing("a text"))
    }

    /// A text that is a name: a feed's, a blob's.
    pub fn named<T>(&mut self, name: impl FnOnce(String) -> Result<T, BadName>) -> Result<T, SqlError> {
        let text = self.text()?;
        name(text).map_err(|error| SqlError::NotOurs { found: error.to_string(), expected: "a name of ours" })
    }

    pub fn optional_number(&mut self) -> Result<Option<i64>, SqlError> {
        match self.take()? {
            ColumnData::I64(number) => Ok(*number),
            ColumnData::I32(number) => Ok(number.map(i64::from)),
            ColumnData::I16(number) => Ok(number.map(i64::from)),
            ColumnData::U8(number) => Ok(number.map(i64::from)),
            other => Err(not_ours(other, "a number")),
        }
    }

    pub fn number(&mut self) -> Result<i64, SqlError> {
        self.optional_number()?.ok_or_else(|| missing("a number"))
    }

    /// The number of an event, or how many there are.
    pub fn count(&mut self) -> Result<u64, SqlError> {
        self.optional_count()?.ok_or_else(|| missing("a number"))
    }

    pub fn optional_count(&mut self) -> Result<Option<u64>, SqlError> {
        let not_negative = |number: i64| {
            u64::try_from(number).map_err(|_| not_ours(&ColumnData::I64(Some(number)), "a number of an event"))
        };
        self.optional_number()?.map(not_negative).transpose()
    }

    pub fn optional_time(&mut self) -> Result<Option<DateTime<Utc>>, SqlError> {
        match self.take()? {
            ColumnData::DateTime2(time) => {
                Ok(time.and_then(|time| DateTime::from_timestamp_micros(microseconds_of(time))))
            }
            other => Err(not_ours(other, "a time")),
        }
    }

    pub fn time(&mut self) -> Result<DateTime<Utc>, SqlError> {
        self.optional_time()?.ok_or_else(|| missing("a time"))
    }

    /// A value of a summary's column.
    pub fn value(&mut self, kind: ColumnKind) -> Result<Value, SqlError> {
        stored(kind, self.take()?)
    }
}

fn stored(kind: ColumnKind, data: &ColumnData<'static>) -> Result<Value, SqlError> {
    let found = match (kind, data) {
        (ColumnKind::Key(KeyType::Int64) | ColumnKind::Measure(MeasureType::Int64, _), ColumnData::I64(number)) => {
            number.map(Value::Int64)
        }
        (ColumnKind::Key(KeyType::Bool), ColumnData::Bit(truth)) => truth.map(Value::Bool),
        (ColumnKind::Measure(MeasureType::Float64, _), ColumnData::F64(number)) => number.map(Value::Float64),
        (ColumnKind::Measure(MeasureType::Decimal { scale, .. }, _), ColumnData::Numeric(number)) => match number {
            None => None,
            Some(number) => {
                let units =
                    rescaled(*number, scale).ok_or_else(|| not_ours(data, "a decimal of its column's scale"))?;
                Some(Value::Decimal { units, scale })
            }
        },
        (ColumnKind::Key(KeyType::Text { .. }), ColumnData::String(text)) => {
            text.as_ref().map(|text| Value::Text(text.clone().into_owned()))
        }
        (ColumnKind::Key(KeyType::Date) | ColumnKind::Measure(MeasureType::Date, _), ColumnData::Date(date)) => {
            date.map(|date| Value::Date(days_of(date)))
        }
        (
            ColumnKind::Key(KeyType::Timestamp) | ColumnKind::Measure(MeasureType::Timestamp, _),
            ColumnData::DateTime2(time),
        ) => time.map(|time| Value::Timestamp(microseconds_of(time))),
        _ => return Err(not_ours(data, "a value of its column's type")),
    };
    Ok(found.unwrap_or(Value::Null))
}

/// The units at another scale, where none is lost.
fn rescaled(number: Numeric, scale: u8) -> Option<i128> {
    if number.scale() <= scale {
        return number.value().checked_mul(10_i128.checked_pow(u32::from(scale - number.scale()))?);
    }
    let step = 10_i128.checked_pow(u32::from(number.scale() - scale))?;
    (number.value() % step == 0).then(|| number.value() / step)
}

fn missing(expected: &'static str) -> SqlError {
    SqlError::NotOurs { found: "null".to_owned(), expected }
}

fn not_ours(data: &ColumnData<'static>, expected: &'static str) -> SqlError {
    SqlError::NotOurs { found: format!("{data:?}"), expected }
}

/// A value for people, as it stands in a message.
pub fn words(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Int64(number) => number.to_string(),
        Value::Float64(number) => number.to_string(),
        Value::Bool(truth) => i64::from(*truth).to_string(),
        Value::Decimal { units, scale } => format!("`{}`", decimal::to_text(*units, *scale)),
        Value::Text(text) => format!("`{text}`"),
        Value::Date(days) => {
            let date = DateTime::from_timestamp(i64::from(*days) * (MICROSECONDS_A_DAY / 1_000_000), 0);
            date.map_or_else(|| days.to_string(), |date| format!("`{}`", date.date_naive()))
        }
        Value::Timestamp(microseconds) => {
            let time = DateTime::from_timestamp_micros(*microseconds);
            let text = |time: DateTime<Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            time.map_or_else(|| microseconds.to_string(), |time| format!("`{}`", text(time)))
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_frames::plan::Merge;

    use super::*;

    fn owned(data: ColumnData<'_>) -> ColumnData<'static> {
        match data {
            ColumnData::String(text) => ColumnData::String(text.map(|text| Cow::Owned(text.into_owned()))),
            ColumnData::I64(number) => ColumnData::I64(number),
            ColumnData::F64(number) => ColumnData::F64(number),
            ColumnData::Bit(truth) => ColumnData::Bit(truth),
            ColumnData::Numeric(number) => ColumnData::Numeric(number),
            ColumnData::Date(date) => ColumnData::Date(date),
            ColumnData::DateTime2(time) => ColumnData::DateTime2(time),
            other => panic!("no value is sent as {other:?}"),
        }
    }

    fn round_trip(kind: ColumnKind, value: &Value) {
        assert_eq!(stored(kind, &owned(sent(kind, value))).unwrap(), *value);
    }

    #[test]
    fn a_value_is_read_back_as_it_was_sent() {
        for days in [-719_162, -1, 0, 15_706, 2_932_896] {
            round_trip(ColumnKind::Key(KeyType::Date), &Value::Date(days));
        }
        for microseconds in [-62_135_596_800_000_000, -1, 0, 1, 7, 999_999, 253_402_300_799_999_999] {
            round_trip(ColumnKind::Key(KeyType::Timestamp), &Value::Timestamp(microseconds));
        }
        round_trip(ColumnKind::Key(KeyType::Bool), &Value::Bool(true));
        round_trip(ColumnKind::Key(KeyType::Text { max_utf16: 9 }), &Value::Text("a\0ß".to_owned()));
        round_trip(ColumnKind::Measure(MeasureType::Int64, Merge::Max), &Value::Int64(i64::MIN));
        round_trip(ColumnKind::Measure(MeasureType::Float64, Merge::Sum), &Value::Float64(-0.5));
        let kinds = [MeasureType::Date, MeasureType::Timestamp, MeasureType::Int64, MeasureType::Float64];
        for kind in kinds {
            round_trip(ColumnKind::Measure(kind, Merge::Min), &Value::Null);
        }
        for scale in [0, 2, 38] {
            let kind = ColumnKind::Measure(MeasureType::Decimal { precision: 38, scale }, Merge::Sum);
            for units in [1 - 10_i128.pow(38), -5, 0, 1_250] {
                round_trip(kind, &Value::Decimal { units, scale });
            }
            round_trip(kind, &Value::Null);
        }
    }

    #[test]
    fn a_time_of_another_scale_is_read_as_microseconds() {
        let of = |increments, scale| microseconds_of(DateTime2::new(Date::new(719_162), Time::new(increments, scale)));
        assert_eq!(of(12_345_678, 7), 1_234_567);
        assert_eq!(of(1_234, 3), 1_234_000);
    }

    #[test]
    fn a_decimal_of_another_scale_is_taken_where_no_digit_is_lost() {
        assert_eq!(rescaled(Numeric::new_with_scale(150, 2), 1), Some(15));
        assert_eq!(rescaled(Numeric::new_with_scale(15, 1), 2), Some(150));
        assert_eq!(rescaled(Numeric::new_with_scale(151, 2), 1), None);
        assert_eq!(rescaled(Numeric::new_with_scale(i128::MAX, 0), 1), None);
    }
}
