//! What a summary is, once its SQL is checked: keys, measures and how they merge.

use std::fmt;

/// A `[[summary]]` whose SQL was taken apart, before its types are known. Expressions are SQL over the contract's
/// columns, without aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryDraft {
    pub table: String,
    pub feed: String,
    /// In the order of the SELECT list.
    pub columns: Vec<DraftColumn>,
    /// The WHERE clause.
    pub filter: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftColumn {
    pub name: String,
    pub role: DraftRole,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftRole {
    /// A row-wise expression that stands in GROUP BY. `max_utf16` is its `key_length`, for strings.
    Key {
        expression: String,
        max_utf16: u16,
    },
    Measure(AggregateCall),
}

/// One aggregate and what it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AggregateCall {
    /// `COUNT(*)`
    CountRows,
    /// `COUNT(x)`: rows in which x is not null.
    Count(String),
    Sum(String),
    Min(String),
    Max(String),
}

/// How two values of one key become one. Nulls are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    Sum,
    Min,
    Max,
}

impl AggregateCall {
    pub fn merge(&self) -> Merge {
        match self {
            AggregateCall::CountRows | AggregateCall::Count(_) | AggregateCall::Sum(_) => Merge::Sum,
            AggregateCall::Min(_) => Merge::Min,
            AggregateCall::Max(_) => Merge::Max,
        }
    }
}

/// A summary that can be run, stored and merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryPlan {
    /// Names what a part was counted by: the first 16 hex digits of the SHA-256 of feed, table and SQL.
    pub id: String,
    pub table: String,
    pub feed: String,
    /// In the order of the SELECT list; so are the values of every row.
    pub columns: Vec<SummaryColumn>,
    pub filter: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryColumn {
    pub name: String,
    pub role: SummaryRole,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SummaryRole {
    Key { expression: String, key_type: KeyType },
    Measure { call: AggregateCall, measure_type: MeasureType },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// At most this many UTF-16 units, trailing blanks removed.
    Text {
        max_utf16: u16,
    },
    Int64,
    Bool,
    Date,
    Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureType {
    /// Counts, and sums, minima and maxima of int64. Sums are made in 128 bits and refused beyond 64.
    Int64,
    Float64,
    /// Minima and maxima of a decimal, and its sums, which are refused beyond 38 digits.
    Decimal {
        precision: u8,
        scale: u8,
    },
    Date,
    Timestamp,
}

/// As pipeline.toml writes the type of a column: `int64`, `decimal(38,2)`.
impl fmt::Display for MeasureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MeasureType::Int64 => f.write_str("int64"),
            MeasureType::Float64 => f.write_str("float64"),
            MeasureType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            MeasureType::Date => f.write_str("date"),
            MeasureType::Timestamp => f.write_str("timestamp"),
        }
    }
}

impl SummaryColumn {
    pub fn is_key(&self) -> bool {
        matches!(self.role, SummaryRole::Key { .. })
    }
}

impl SummaryPlan {
    /// Positions of the key columns.
    pub fn key_positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().enumerate().filter(|(_, column)| column.is_key()).map(|(position, _)| position)
    }
}
