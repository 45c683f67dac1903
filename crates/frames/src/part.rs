//! What one unit contributes to one summary.

/// One value of a summary row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Only in measures: a measure of only nulls.
    Null,
    Int64(i64),
    Float64(f64),
    Text(String),
    Bool(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01 UTC.
    Timestamp(i64),
}

/// A summary row: one value for each column of the plan, in its order.
pub type Row = Vec<Value>;
