//! Temporary stand-in, overwritten when the summaries' typing is merged.

use millrace_decode::contract::{Column, ColumnType};
use thiserror::Error;

use crate::plan::{
    AggregateCall, DraftRole, KeyType, MeasureType, SummaryColumn, SummaryDraft, SummaryPlan, SummaryRole,
};
use crate::summarise::Rule;

pub const SCALAR_FUNCTIONS: &[&str] = &[
    "ABS",
    "CEIL",
    "CEILING",
    "CHARACTER_LENGTH",
    "CHAR_LENGTH",
    "COALESCE",
    "CONCAT_WS",
    "DATE_PART",
    "EXP",
    "FLOOR",
    "GREATEST",
    "IF",
    "IFNULL",
    "LEAST",
    "LENGTH",
    "LOWER",
    "NULLIF",
    "OCTET_LENGTH",
    "REPLACE",
    "REVERSE",
    "SIGN",
    "SQRT",
    "SUBSTR",
    "SUBSTRING",
    "UPPER",
];

/// Fields of `EXTRACT` and `DATE_PART` on which Polars SQL and Spark SQL agree, in upper case and sorted. `WEEK` is
/// ISO's. Absent: `DOW` (Sunday is 0 in Polars, 1 in Spark), `SECOND` (Spark's has a fraction), `EPOCH`.
pub const DATE_FIELDS: &[&str] = &["DAY", "DOY", "HOUR", "MINUTE", "MONTH", "QUARTER", "WEEK", "YEAR"];

#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{subject}: {message}")]
pub struct TypeFault {
    pub subject: String,
    pub message: String,
}

pub fn type_summary(draft: SummaryDraft, columns: &[Column], id: String) -> Result<SummaryPlan, Vec<TypeFault>> {
    let mut faults = Vec::new();
    let mut typed = Vec::new();
    for column in draft.columns {
        let role = match column.role {
            DraftRole::Key { expression, max_utf16 } => match type_of(&expression, columns) {
                ColumnType::String => {
                    Some(SummaryRole::Key { expression, key_type: KeyType::Text { max_utf16 } })
                }
                ColumnType::Int64 => Some(SummaryRole::Key { expression, key_type: KeyType::Int64 }),
                ColumnType::Bool => Some(SummaryRole::Key { expression, key_type: KeyType::Bool }),
                ColumnType::Date => Some(SummaryRole::Key { expression, key_type: KeyType::Date }),
                ColumnType::Timestamp => Some(SummaryRole::Key { expression, key_type: KeyType::Timestamp }),
                ColumnType::Float64 => None,
            },
            DraftRole::Measure(call) => {
                let measure_type = match &call {
                    AggregateCall::CountRows | AggregateCall::Count(_) => Some(MeasureType::Int64),
                    AggregateCall::Sum(x) | AggregateCall::Min(x) | AggregateCall::Max(x) => match type_of(x, columns) {
                        ColumnType::Int64 => Some(MeasureType::Int64),
                        ColumnType::Float64 => Some(MeasureType::Float64),
                        ColumnType::Date => Some(MeasureType::Date),
                        ColumnType::Timestamp => Some(MeasureType::Timestamp),
                        ColumnType::String | ColumnType::Bool => None,
                    },
                };
                measure_type.map(|measure_type| SummaryRole::Measure { call, measure_type })
            }
        };
        match role {
            Some(role) => typed.push(SummaryColumn { name: column.name, role }),
            None => faults.push(TypeFault {
                subject: format!("column `{}`", column.name),
                message: "it has a type that it cannot have".to_owned(),
            }),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(SummaryPlan { id, table: draft.table, feed: draft.feed, columns: typed, filter: draft.filter })
}

pub fn type_rule(rule: &Rule, _columns: &[Column]) -> Result<(), TypeFault> {
    if rule.sql.len() > 20_000 { Err(TypeFault { subject: format!("rule `{}`", rule.name), message: "too long".to_owned() }) } else { Ok(()) }
}

fn type_of(expression: &str, columns: &[Column]) -> ColumnType {
    if let Some(column) = columns.iter().find(|column| column.name == expression.trim_matches('"')) {
        return column.column_type;
    }
    match expression {
        e if e.ends_with("AS DATE)") => ColumnType::Date,
        e if e.ends_with("AS TIMESTAMP)") => ColumnType::Timestamp,
        e if e.contains('+') || e.starts_with("EXTRACT") || e.starts_with("CASE") => ColumnType::Int64,
        e if e.contains('/') || e.ends_with("AS DOUBLE)") => ColumnType::Float64,
        _ => ColumnType::String,
    }
}
