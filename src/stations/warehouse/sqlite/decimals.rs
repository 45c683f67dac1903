//! How SQLite merges decimals, which it does not know: they are text, and these aggregates read, merge and write it
//! exactly.
//!
//! `millrace_decimal_sum(x, scale)`, `millrace_decimal_min(x, scale)` and `millrace_decimal_max(x, scale)` ignore nulls;
//! of only nulls they are null. A sum of more than 38 digits is an empty blob, which no column of a STRICT table that
//! holds decimals takes: the statement fails, as it does where a sum of integers is too large.

use millrace_frames::decimal::{self, ExactSum};
use millrace_frames::plan::Merge;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error};

use super::values::{NotOurs, words};

/// Value and scale.
const ARGUMENTS: i32 = 2;

/// Makes the aggregates known to a connection.
pub fn register(connection: &Connection) -> Result<(), Error> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function("millrace_decimal_sum", ARGUMENTS, flags, Sum)?;
    connection.create_aggregate_function("millrace_decimal_min", ARGUMENTS, flags, Extreme { keep: i128::min })?;
    connection.create_aggregate_function("millrace_decimal_max", ARGUMENTS, flags, Extreme { keep: i128::max })
}

/// The name of a merge's aggregate.
pub fn aggregate(merge: Merge) -> &'static str {
    match merge {
        Merge::Sum => "millrace_decimal_sum",
        Merge::Min => "millrace_decimal_min",
        Merge::Max => "millrace_decimal_max",
    }
}

struct Sum;

struct Extreme {
    keep: fn(i128, i128) -> i128,
}

/// What a group's rows come to so far, and the scale of the last. `None` while all were null.
type Running<T> = Option<(T, u8)>;

impl Aggregate<Running<ExactSum>, Value> for Sum {
    fn init(&self, _: &mut Context<'_>) -> Result<Running<ExactSum>, Error> {
        Ok(None)
    }

    fn step(&self, row: &mut Context<'_>, running: &mut Running<ExactSum>) -> Result<(), Error> {
        if let Some((units, scale)) = decimal_of(row)? {
            let mut sum = running.map(|(sum, _)| sum).unwrap_or_default();
            sum.add(units);
            *running = Some((sum, scale));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, running: Option<Running<ExactSum>>) -> Result<Value, Error> {
        Ok(match running.flatten() {
            None => Value::Null,
            Some((sum, scale)) => match sum.total() {
                Some(units) => Value::Text(decimal::to_text(units, scale)),
                None => Value::Blob(Vec::new()),
            },
        })
    }
}

impl Aggregate<Running<i128>, Value> for Extreme {
    fn init(&self, _: &mut Context<'_>) -> Result<Running<i128>, Error> {
        Ok(None)
    }

    fn step(&self, row: &mut Context<'_>, running: &mut Running<i128>) -> Result<(), Error> {
        if let Some((units, scale)) = decimal_of(row)? {
            let kept = running.map_or(units, |(known, _)| (self.keep)(known, units));
            *running = Some((kept, scale));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, running: Option<Running<i128>>) -> Result<Value, Error> {
        Ok(running.flatten().map_or(Value::Null, |(units, scale)| Value::Text(decimal::to_text(units, scale))))
    }
}

/// Units and scale of a row's value; `None` for null.
fn decimal_of(row: &Context<'_>) -> Result<Option<(i128, u8)>, Error> {
    let scale: u8 = row.get(1)?;
    let value = row.get_raw(0);
    let units = match value {
        ValueRef::Null => return Ok(None),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().and_then(|text| decimal::from_text(text, scale)),
        _ => None,
    };
    let not_ours = || NotOurs { found: words(value), expected: "a decimal of its column's scale" };
    units.map(|units| Some((units, scale))).ok_or_else(|| Error::UserFunctionError(not_ours().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of an aggregate over values of two digits behind the point.
    fn over(aggregate: &str, values: &[Option<&str>]) -> Result<Value, Error> {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        connection.execute_batch("CREATE TABLE stored (x TEXT) STRICT").unwrap();
        for value in values {
            connection.execute("INSERT INTO stored VALUES (?1)", [value]).unwrap();
        }
        connection.query_row(&format!("SELECT {aggregate}(x, 2) FROM stored"), [], |row| row.get(0))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn decimals_are_merged_as_numbers_and_not_as_text() {
        let values = [Some("9.50"), None, Some("-10.00"), Some("-9.99"), Some("10.00")];
        assert_eq!(over("millrace_decimal_sum", &values), Ok(text("-0.49")));
        assert_eq!(over("millrace_decimal_min", &values), Ok(text("-10.00")));
        assert_eq!(over("millrace_decimal_max", &values), Ok(text("10.00")));
    }

    #[test]
    fn nothing_and_only_nulls_are_null() {
        for merge in [Merge::Sum, Merge::Min, Merge::Max] {
            assert_eq!(over(aggregate(merge), &[]), Ok(Value::Null));
            assert_eq!(over(aggregate(merge), &[None, None]), Ok(Value::Null));
        }
    }

    #[test]
    fn a_sum_is_exact_wherever_it_passes_and_a_blob_beyond_38_digits() {
        let most = format!("{}.99", "9".repeat(36));
        let least = format!("-{most}");
        let values = [Some(most.as_str()), Some(&most), Some(&most), Some(&least), Some(&least)];
        assert_eq!(over("millrace_decimal_sum", &values), Ok(text(&most)));
        assert_eq!(over("millrace_decimal_sum", &[Some(&most), Some("0.01")]), Ok(Value::Blob(Vec::new())));
    }

    #[test]
    fn what_is_no_decimal_of_the_scale_is_an_error_with_words() {
        for foreign in ["1.5", "1", "x", "", "1.000"] {
            let error = over("millrace_decimal_sum", &[Some(foreign)]).unwrap_err();
            assert!(error.to_string().contains("decimal of its column's scale"), "{error}");
        }
    }
}
