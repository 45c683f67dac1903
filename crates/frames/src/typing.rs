//! A summary's SQL against the feed's contract: which type each output has.
//!
//! Polars plans the expressions over an empty frame; no row is read. What SQL may be written at all is decided before,
//! where the summary's SQL is taken apart; here are the lists that this decision needs, since they are facts about
//! Polars: [`SCALAR_FUNCTIONS`] and [`DATE_FIELDS`].
//!
//! Facts about the operators (Polars 0.55.2, held by tests in `agreement.rs`):
//!
//! - `/` is floating-point division, also of integers, as in Spark. Dividing by zero yields infinity or NaN: such a row
//!   is bad as a measure. `x / NULLIF(y, 0)` makes it null.
//! - `%`, `MOD`, `DIV` and `//` round down in Polars and towards zero in Spark: refused here.
//! - `+`, `-`, `*` and `ABS` of integers would wrap in Polars. They are made in 128 bits here, and a result beyond int64
//!   is an error of the file, as it is an error of the query in Spark.
//! - Decimals (`exact_decimals.rs`) are compared, added, subtracted and multiplied exactly, with each other, with integers
//!   and with numbers as they are written; what 38 digits might not hold is refused. `/`, a decimal beside a float, and a
//!   cast to a decimal that would round are refused. `CAST AS BIGINT` cuts towards zero. A sum of decimal(p,s) is
//!   decimal(38,s); a product has the scales of its factors together. `DECIMAL` alone is decimal(38,9).
//! - A json column is its text, a string.
//! - `||` of a float or timestamp is refused, as is their cast to a string: the texts differ. Nulls make it null.
//! - `CAST` fails the file where a value does not fit (`CAST('abc' AS BIGINT)`); `TRY_CAST` yields null. Both branches
//!   of a CASE are evaluated for every row, so a CASE does not protect a CAST. A float is cut towards zero. Blanks
//!   around numbers in strings do not parse, though Spark ignores them. Strings are not cast to dates.
//! - `LIKE` has no escape character: a pattern with a backslash means something else in Spark, so refuse it.
//! - `=` of a string and a number, and `1e3` as a literal, are errors; a timestamp column may be compared with
//!   `'2013-01-01'`, other timestamp expressions with `TIMESTAMP '2013-01-01 00:00:00'`.
//! - `IS [NOT] TRUE` and `IS [NOT] FALSE` of a null are null in Polars, so refuse them; write `COALESCE(x, FALSE)`.
//! - `AND`, `OR`, `NOT`, `IN`, `BETWEEN`, `IS [NOT] NULL`, `IS [NOT] DISTINCT FROM` and comparisons have SQL's three
//!   values; strings compare by their bytes.

use millrace_decode::contract::{Column, DecimalType};

use crate::expression::{Expression, OutputType};
use crate::plan::{
    AggregateCall, DraftColumn, DraftRole, KeyType, MeasureType, SummaryColumn, SummaryDraft, SummaryPlan, SummaryRole,
};
use crate::summarise::Rule;

/// Scalar functions on which Polars SQL and Spark SQL agree, in upper case and sorted.
///
/// - `SUBSTR` and `SUBSTRING` count characters from 1; they agree where start is a literal from 1 and length a literal
///   from 0. Start 0 and negative starts differ.
/// - `REPLACE` agrees where the search is a literal that is not empty.
/// - `CEIL`, `CEILING` and `FLOOR` yield float64 (Spark: BIGINT): as keys they need `CAST(FLOOR(x) AS BIGINT)`.
/// - `DATE_PART` (and the syntax `EXTRACT`) agree for [`DATE_FIELDS`] only.
/// - `LENGTH` counts characters, not bytes or UTF-16 units.
///
/// Absent, though both know them or one might expect them:
///
/// - `ROUND`: half to even in Polars, half away from zero in Spark.
/// - `MOD`, `DIV`: see the module.
/// - `CONCAT`: skips nulls in Polars, null in Spark; write `||`. `CONCAT_WS` agrees.
/// - `TRIM`, `LTRIM`, `RTRIM`: all white space in Polars, only blanks in Spark (the syntax `TRIM(BOTH ' ' FROM x)`
///   agrees).
/// - `LEFT`, `RIGHT`: negative lengths differ, and `LEFT(null, 0)`; write `SUBSTR`.
/// - `POWER`, `LN`, `LOG`, `LOG10`, `LOG2`: integer powers wrap in Polars; the logarithm of zero is null in Spark.
/// - `POSITION`, `STRPOS`: 0 for null in Polars. `LPAD`, `RPAD`: only one fill character in Polars.
/// - `SPLIT_PART`: index 0 and an empty separator differ. `REGEXP_LIKE`: two dialects.
/// - `DATE`, `TIMESTAMP`: parse strings in Polars, cast in Spark. `DATE_TRUNC`, `YEAR`, `MONTH`, `DATEDIFF` and most
///   other date functions of Spark: unknown to Polars; write `CAST(x AS DATE)` and `EXTRACT`.
/// - `STARTS_WITH`, `ENDS_WITH`: named `startswith` in Spark; write `LIKE 'x%'`. `INITCAP`: unknown to Polars.
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

/// What is wrong with one part of a summary or with a rule, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: {message}")]
pub struct TypeFault {
    /// "column `miles`", "WHERE" or "rule `sane delay`".
    pub subject: String,
    pub message: String,
}

/// Finds the type of every output of `draft` over `columns`, or everything that is wrong with it.
pub fn type_summary(draft: SummaryDraft, columns: &[Column], id: String) -> Result<SummaryPlan, Vec<TypeFault>> {
    let mut faults = Vec::new();
    let mut typed = Vec::with_capacity(draft.columns.len());
    for DraftColumn { name, role } in draft.columns {
        match type_role(role, &name, &draft.feed, columns) {
            Ok(role) => typed.push(SummaryColumn { name, role }),
            Err(message) => faults.push(TypeFault { subject: format!("column `{name}`"), message }),
        }
    }
    if let Some(filter) = &draft.filter
        && let Err(message) = require_bool(filter, &draft.feed, columns)
    {
        faults.push(TypeFault { subject: "WHERE".to_owned(), message });
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(SummaryPlan { id, table: draft.table, feed: draft.feed, columns: typed, filter: draft.filter })
}

/// A rule must be a boolean expression over `columns`.
pub fn type_rule(rule: &Rule, columns: &[Column]) -> Result<(), TypeFault> {
    // A rule belongs to its feed and names no table.
    require_bool(&rule.sql, "feed", columns)
        .map_err(|message| TypeFault { subject: format!("rule `{}`", rule.name), message })
}

fn require_bool(sql: &str, feed: &str, columns: &[Column]) -> Result<(), String> {
    match plan(sql, feed, columns)? {
        OutputType::Bool => Ok(()),
        other => Err(format!("`{sql}` is {other} and not true or false; write a comparison")),
    }
}

fn plan(sql: &str, feed: &str, columns: &[Column]) -> Result<OutputType, String> {
    Expression::plan(sql, feed, columns)
        .map(|expression| expression.output())
        .map_err(|reason| format!("`{sql}` cannot be used: {reason}"))
}

fn type_role(role: DraftRole, name: &str, feed: &str, columns: &[Column]) -> Result<SummaryRole, String> {
    match role {
        DraftRole::Key { expression, max_utf16 } => {
            let key_type = match plan(&expression, feed, columns)? {
                OutputType::Text => KeyType::Text { max_utf16 },
                OutputType::Int64 => KeyType::Int64,
                OutputType::Bool => KeyType::Bool,
                OutputType::Date => KeyType::Date,
                OutputType::Timestamp => KeyType::Timestamp,
                OutputType::Float64 => {
                    return Err(format!(
                        "a float64 cannot be a key, as equal floats are luck; write CAST({expression} AS BIGINT) AS {name}"
                    ));
                }
                OutputType::Decimal(_) => {
                    return Err(format!(
                        "a decimal cannot be a key; write CAST({expression} AS VARCHAR) AS {name}, or CAST({expression} \
                         AS BIGINT) AS {name} for its whole part"
                    ));
                }
            };
            Ok(SummaryRole::Key { expression, key_type })
        }
        DraftRole::Measure(call) => {
            let measure_type = type_measure(&call, feed, columns)?;
            Ok(SummaryRole::Measure { call, measure_type })
        }
    }
}

fn type_measure(call: &AggregateCall, feed: &str, columns: &[Column]) -> Result<MeasureType, String> {
    let (over, output) = match call {
        AggregateCall::CountRows => return Ok(MeasureType::Int64),
        AggregateCall::Count(over) | AggregateCall::Sum(over) | AggregateCall::Min(over) | AggregateCall::Max(over) => {
            (over, plan(over, feed, columns)?)
        }
    };
    measure_type_of(call, output).ok_or_else(|| match (call, output) {
        (AggregateCall::Sum(_), OutputType::Bool) => {
            format!("SUM({over}) is over a bool; write SUM(CASE WHEN {over} THEN 1 ELSE 0 END)")
        }
        (AggregateCall::Sum(_), other) => format!(
            "SUM({over}) is over a {other}; only int64, float64 and decimal have a sum, so write COUNT({over}) or cast it"
        ),
        (_, other) => format!(
            "MIN and MAX of a {other} are not supported, as databases order it differently; make `{over}` a key, or \
             number its values with CASE"
        ),
    })
}

/// The type of an aggregate over an output; `None` where there is no such aggregate.
pub(crate) fn measure_type_of(call: &AggregateCall, output: OutputType) -> Option<MeasureType> {
    match (call, output) {
        (AggregateCall::CountRows | AggregateCall::Count(_), _) => Some(MeasureType::Int64),
        (_, OutputType::Int64) => Some(MeasureType::Int64),
        (_, OutputType::Float64) => Some(MeasureType::Float64),
        (AggregateCall::Sum(_), OutputType::Decimal(DecimalType { scale, .. })) => {
            Some(MeasureType::Decimal { precision: DecimalType::MAX_PRECISION, scale })
        }
        (_, OutputType::Decimal(DecimalType { precision, scale })) => Some(MeasureType::Decimal { precision, scale }),
        (AggregateCall::Min(_) | AggregateCall::Max(_), OutputType::Date) => Some(MeasureType::Date),
        (AggregateCall::Min(_) | AggregateCall::Max(_), OutputType::Timestamp) => Some(MeasureType::Timestamp),
        (_, OutputType::Text | OutputType::Bool | OutputType::Date | OutputType::Timestamp) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{contract, count, draft, key, measure};

    fn faults(columns: Vec<DraftColumn>, filter: Option<&str>) -> Vec<String> {
        let faults = type_summary(draft(columns, filter), &contract(), String::new()).expect_err("it is faulty");
        faults.iter().map(TypeFault::to_string).collect()
    }

    #[test]
    fn every_output_has_the_type_of_its_expression() {
        let columns = vec![
            key("day", "CAST(t AS DATE)"),
            key("hour", "EXTRACT(HOUR FROM t)"),
            measure("total", AggregateCall::Sum("i".to_owned())),
            measure("share", AggregateCall::Max("i / 2".to_owned())),
            measure("last", AggregateCall::Max("t".to_owned())),
            measure("paid", AggregateCall::Sum("m".to_owned())),
            measure("dearest", AggregateCall::Max("m".to_owned())),
            measure("taxed", AggregateCall::Min("m * 1.19".to_owned())),
            measure("payments", AggregateCall::Count("m".to_owned())),
            key("details", "j"),
        ];
        let plan = type_summary(draft(columns, Some("i > 0")), &contract(), "id".to_owned()).unwrap();
        let types: Vec<String> = plan
            .columns
            .iter()
            .map(|column| match &column.role {
                SummaryRole::Key { key_type, .. } => format!("{key_type:?}"),
                SummaryRole::Measure { measure_type, .. } => measure_type.to_string(),
            })
            .collect();
        let measures = ["int64", "float64", "timestamp", "decimal(38,2)", "decimal(18,2)", "decimal(22,4)", "int64"];
        assert_eq!(types[..2], ["Date", "Int64"]);
        assert_eq!(types[2..9], measures);
        assert_eq!(types[9..], ["Text { max_utf16: 256 }"]);
    }

    #[test]
    fn all_faults_are_found_at_once_and_name_their_output() {
        let columns = vec![
            key("k", "f"),
            measure("a", AggregateCall::Sum("s".to_owned())),
            measure("b", AggregateCall::Sum("d".to_owned())),
            measure("c", AggregateCall::Min("s".to_owned())),
            measure("e", AggregateCall::Max("b".to_owned())),
            measure("g", AggregateCall::Count("nosuch".to_owned())),
            key("l", "m"),
            count("n"),
        ];
        let found = faults(columns, Some("i"));
        assert_eq!(found.len(), 8, "{found:#?}");
        for (fault, words) in found.iter().zip([
            "column `k`: a float64 cannot be a key",
            "column `a`: SUM(s) is over a string",
            "column `b`: SUM(d) is over a date",
            "column `c`: MIN and MAX of a string",
            "column `e`: MIN and MAX of a bool",
            "column `g`: `nosuch` cannot be used",
            "column `l`: a decimal cannot be a key; write CAST(m AS VARCHAR) AS l, or CAST(m AS BIGINT) AS l",
            "WHERE: `i` is int64 and not true or false",
        ]) {
            assert!(fault.starts_with(words), "{fault}");
        }
    }

    #[test]
    fn a_rule_must_be_true_or_false() {
        let rule = |sql: &str| Rule { name: "sane".to_owned(), sql: sql.to_owned() };
        assert_eq!(type_rule(&rule("f IS NULL OR f BETWEEN -120 AND 3000"), &contract()), Ok(()));
        assert!(type_rule(&rule("f"), &contract()).unwrap_err().to_string().starts_with("rule `sane`: `f` is float64"));
        assert!(type_rule(&rule("nosuch > 1"), &contract()).is_err());
    }

    #[test]
    fn the_lists_are_sorted_for_binary_search() {
        assert!(SCALAR_FUNCTIONS.is_sorted());
        assert!(DATE_FIELDS.is_sorted());
    }
}
