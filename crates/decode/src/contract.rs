//! What a feed's rows must look like: the columns of pipeline.toml, as this crate needs them.

/// The type of a column, by its name in pipeline.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `string`: UTF-8 text, nothing trimmed.
    String,
    /// `int64`: an optional sign and digits; `12.0` is refused.
    Int64,
    /// `float64`: finite; NaN and infinity are bad.
    Float64,
    /// `bool`: `true`, `false`, `1` or `0`, in any case.
    Bool,
    /// `date`: `YYYY-MM-DD`; days since 1970-01-01.
    Date,
    /// `timestamp`: RFC 3339 with `T` or a blank, fractions to microseconds; microseconds since 1970-01-01 UTC.
    Timestamp,
}

impl ColumnType {
    /// The name that pipeline.toml uses.
    pub fn name(self) -> &'static str {
        match self {
            ColumnType::String => "string",
            ColumnType::Int64 => "int64",
            ColumnType::Float64 => "float64",
            ColumnType::Bool => "bool",
            ColumnType::Date => "date",
            ColumnType::Timestamp => "timestamp",
        }
    }
}

/// One column of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name that summaries use.
    pub name: String,
    /// The name in the file's header; mostly the same.
    pub from: String,
    pub column_type: ColumnType,
    /// The header must have it. A column that may be missing is null in every row then.
    pub required: bool,
}
