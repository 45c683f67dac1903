//! What a row must be before any warehouse takes it: the contract that counting promises, checked where it would
//! otherwise be broken in silence. SQLite turns NaN into NULL; SQL Server refuses it, and compares trailing blanks as
//! equal.

use std::ops::RangeInclusive;

use millrace_frames::part::Value;
use millrace_frames::plan::{KeyType, MeasureType};

use super::WarehouseError;
use super::shape::{ColumnKind, TableShape};

/// Days from 0001-01-01 to 9999-12-31, which SQL Server's DATE holds and whose text sorts as they do.
const DAYS: RangeInclusive<i32> = -719_162..=2_932_896;
/// The same range in microseconds.
const MICROSECONDS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// # Errors
/// `Data`, naming the column, for a row that does not fit the shape.
pub fn check_row(shape: &TableShape, row: &[Value]) -> Result<(), WarehouseError> {
    let refuse = |reason: String| WarehouseError::Data { table: shape.table.clone(), reason };
    if row.len() != shape.columns.len() {
        return Err(refuse(format!("a row has {} values for {} columns", row.len(), shape.columns.len())));
    }
    for (column, value) in shape.columns.iter().zip(row) {
        if let Err(fault) = check_value(column.kind, value) {
            return Err(refuse(format!("column `{}`: {fault}", column.name)));
        }
    }
    Ok(())
}

fn check_value(kind: ColumnKind, value: &Value) -> Result<(), &'static str> {
    match (kind, value) {
        (ColumnKind::Measure(..), Value::Null) => Ok(()),
        (ColumnKind::Key(_), Value::Null) => Err("a key must not be null"),
        (ColumnKind::Key(KeyType::Text { max_utf16 }), Value::Text(text)) => check_text(text, max_utf16),
        (ColumnKind::Key(KeyType::Int64), Value::Int64(_)) => Ok(()),
        (ColumnKind::Key(KeyType::Bool), Value::Bool(_)) => Ok(()),
        (ColumnKind::Measure(MeasureType::Int64, _), Value::Int64(_)) => Ok(()),
        (ColumnKind::Measure(MeasureType::Float64, _), Value::Float64(number)) => {
            if number.is_finite() {
                Ok(())
            } else {
                Err("a measure must be a finite number")
            }
        }
        (ColumnKind::Measure(MeasureType::Decimal { precision, scale }, _), Value::Decimal { units, scale: found }) => {
            if *found == scale && units.unsigned_abs() < 10_u128.pow(u32::from(precision)) {
                Ok(())
            } else {
                Err("a decimal must have its column's digits behind the point, and not more than its digits in all")
            }
        }
        (ColumnKind::Key(KeyType::Date) | ColumnKind::Measure(MeasureType::Date, _), Value::Date(days)) => {
            if DAYS.contains(days) { Ok(()) } else { Err("a date must lie in the years 1 to 9999") }
        }
        (
            ColumnKind::Key(KeyType::Timestamp) | ColumnKind::Measure(MeasureType::Timestamp, _),
            Value::Timestamp(microseconds),
        ) => {
            if MICROSECONDS.contains(microseconds) {
                Ok(())
            } else {
                Err("a timestamp must lie in the years 1 to 9999")
            }
        }
        _ => Err("a value is not of the column's type"),
    }
}

fn check_text(text: &str, max_utf16: u16) -> Result<(), &'static str> {
    if text.ends_with(' ') {
        return Err("a text key must not end with a blank");
    }
    // A text has at most as many UTF-16 units as bytes: most keys need no count.
    if text.len() > usize::from(max_utf16) && text.encode_utf16().count() > usize::from(max_utf16) {
        return Err("a text key is longer than its `key_length`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};
    use millrace_frames::plan::Merge;

    use super::*;

    const TEXT: ColumnKind = ColumnKind::Key(KeyType::Text { max_utf16: 2 });
    const DATE: ColumnKind = ColumnKind::Key(KeyType::Date);
    const DECIMAL: ColumnKind = ColumnKind::Measure(MeasureType::Decimal { precision: 4, scale: 2 }, Merge::Max);
    const FLOAT: ColumnKind = ColumnKind::Measure(MeasureType::Float64, Merge::Sum);

    #[test]
    fn the_ranges_are_the_years_1_to_9999() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let days = |date: NaiveDate| i32::try_from((date - epoch).num_days()).unwrap();
        assert_eq!(*DAYS.start(), days(NaiveDate::from_ymd_opt(1, 1, 1).unwrap()));
        assert_eq!(*DAYS.end(), days(NaiveDate::from_ymd_opt(9999, 12, 31).unwrap()));
        let microseconds = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
        assert_eq!(*MICROSECONDS.start(), microseconds("0001-01-01T00:00:00Z"));
        assert_eq!(*MICROSECONDS.end(), microseconds("9999-12-31T23:59:59.999999Z"));
    }

    #[test]
    fn what_no_database_would_keep_as_it_is_is_refused() {
        assert!(check_value(FLOAT, &Value::Float64(f64::NAN)).is_err());
        assert!(check_value(FLOAT, &Value::Float64(f64::INFINITY)).is_err());
        assert!(check_value(FLOAT, &Value::Int64(1)).is_err());
        assert!(check_value(FLOAT, &Value::Null).is_ok());
        assert!(check_value(DECIMAL, &Value::Decimal { units: -9_999, scale: 2 }).is_ok());
        assert!(check_value(DECIMAL, &Value::Decimal { units: 10_000, scale: 2 }).is_err());
        assert!(check_value(DECIMAL, &Value::Decimal { units: i128::MIN, scale: 2 }).is_err());
        assert!(check_value(DECIMAL, &Value::Decimal { units: 1, scale: 3 }).is_err());
        assert!(check_value(DECIMAL, &Value::Int64(1)).is_err());
        assert!(check_value(TEXT, &Value::Null).is_err());
        assert!(check_value(TEXT, &Value::Text("a ".to_owned())).is_err());
        assert!(check_value(TEXT, &Value::Text("abc".to_owned())).is_err());
        assert!(check_value(TEXT, &Value::Text("éé".to_owned())).is_ok());
        assert!(check_value(TEXT, &Value::Text("🛫".to_owned())).is_ok());
        assert!(check_value(DATE, &Value::Date(i32::MAX)).is_err());
    }
}
