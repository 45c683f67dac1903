//! What a feed's rows must look like: the columns of pipeline.toml, as this crate needs them.

use std::fmt;

use chrono_tz::Tz;

use crate::values::Form;
pub use crate::values::FormatError;

/// The type of a column, by its name in pipeline.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `string`: UTF-8 text, nothing trimmed.
    String,
    /// `int64`: an optional sign and digits; `12.0` is refused.
    Int64,
    /// `float64`: finite; NaN and infinity are bad.
    Float64,
    /// `decimal(p,s)`: exact, with at most `p` digits, `s` of them behind the point.
    Decimal(DecimalType),
    /// `bool`: `true`, `false`, `1` or `0`, in any case.
    Bool,
    /// `date`: `YYYY-MM-DD`, or by the column's `format`; days since 1970-01-01.
    Date,
    /// `timestamp`: RFC 3339 with `T` or a blank, fractions to microseconds, or by the column's `format`; microseconds
    /// since 1970-01-01 UTC.
    Timestamp,
    /// `json`: any JSON value, kept as its text.
    Json,
}

/// How many digits a decimal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecimalType {
    /// Digits in all, 1 to [`DecimalType::MAX_PRECISION`].
    pub precision: u8,
    /// Digits behind the point, 0 to `precision`. A value is an integer in units of 10^-scale.
    pub scale: u8,
}

impl DecimalType {
    /// What 128 bits hold, and SQL Server's limit too.
    pub const MAX_PRECISION: u8 = 38;

    /// `None` where no such type exists.
    pub fn new(precision: u8, scale: u8) -> Option<Self> {
        ((1..=Self::MAX_PRECISION).contains(&precision) && scale <= precision).then_some(Self { precision, scale })
    }
}

impl ColumnType {
    /// The name that pipeline.toml uses, without what stands in brackets.
    pub fn name(self) -> &'static str {
        match self {
            ColumnType::String => "string",
            ColumnType::Int64 => "int64",
            ColumnType::Float64 => "float64",
            ColumnType::Decimal(_) => "decimal",
            ColumnType::Bool => "bool",
            ColumnType::Date => "date",
            ColumnType::Timestamp => "timestamp",
            ColumnType::Json => "json",
        }
    }
}

/// As pipeline.toml writes it: `int64`, `decimal(18,2)`.
impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnType::Decimal(DecimalType { precision, scale }) => write!(f, "decimal({precision},{scale})"),
            other => f.write_str(other.name()),
        }
    }
}

/// One column of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name that summaries use.
    pub name: String,
    /// The name in the file: in its header, its schema or its objects; mostly the same.
    pub from: String,
    pub column_type: ColumnType,
    /// CSV and Parquet: the file must have the column. NDJSON: each object must have the key. What may be missing is
    /// null.
    pub required: bool,
    /// How a date or timestamp is written, in the letters of strftime. `None`: as its type says.
    pub format: Option<String>,
}

impl Column {
    /// A required column that the file calls by the same name, in its type's own form.
    pub fn new(name: impl Into<String>, column_type: ColumnType) -> Self {
        let name = name.into();
        Self { from: name.clone(), name, column_type, required: true, format: None }
    }
}

/// Whether the column's format, if it has one, can read its values.
pub fn check_format(column: &Column) -> Result<(), FormatError> {
    Form::new(column, &ValueRules::default()).map(drop)
}

/// How a feed's files write values, whatever their format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueRules {
    /// Texts that mean null. In CSV an unquoted cell whose whole text is one of these, in NDJSON such a string.
    pub null_values: Vec<String>,
    /// Where timestamps without an offset were written.
    pub timezone: Tz,
    /// `.` or `,`: between a number's whole and its fraction, in CSV.
    pub decimal_separator: u8,
}

impl ValueRules {
    /// What CSV files mean that say nothing else: an empty cell is null.
    pub fn of_csv() -> Self {
        Self { null_values: vec![String::new()], ..Self::default() }
    }
}

impl Default for ValueRules {
    /// No null values, UTC, a point.
    fn default() -> Self {
        Self { null_values: Vec::new(), timezone: Tz::UTC, decimal_separator: b'.' }
    }
}
