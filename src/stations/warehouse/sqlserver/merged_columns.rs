//! How one measure is merged in SQL, exactly, and refused where its column cannot hold it.
//!
//! SQL Server ends the statement, and with it the transaction, at the first partial sum that does not fit, and never says
//! for which key. So sums are collected where nothing overflows, and held against their column afterwards:
//!
//! - integers as `decimal(38, 0)`;
//! - decimals of 38 digits as two sums: of what is below 10^19 of their last digit, and of how often they hold that;
//! - floats as two sums: of what is small, and of what is large, times 2^-64. Two powers lose no digit.

use millrace_frames::plan::{MeasureType, Merge};

use super::table_sql::quoted;
use crate::stations::warehouse::shape::{ColumnKind, ShapeColumn};
use crate::stations::warehouse::template::fill;

/// Of 38 digits, those that are summed apart from the upper 19.
const LOWER_DIGITS: u8 = 19;

#[derive(Clone, Debug)]
pub struct MergedColumn {
    pub name: String,
    kind: ColumnKind,
    merge: Way,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    SumOfIntegers,
    SumOfDecimals { scale: u8 },
    SumOfFloats,
    Least,
    Greatest,
}

impl MergedColumn {
    /// `None` for a key.
    pub fn of(column: &ShapeColumn) -> Option<Self> {
        let ColumnKind::Measure(measure_type, merge) = column.kind else { return None };
        let merge = match (merge, measure_type) {
            (Merge::Sum, MeasureType::Decimal { scale, .. }) => Way::SumOfDecimals { scale },
            (Merge::Sum, MeasureType::Float64) => Way::SumOfFloats,
            (Merge::Sum, _) => Way::SumOfIntegers,
            (Merge::Min, _) => Way::Least,
            (Merge::Max, _) => Way::Greatest,
        };
        Some(MergedColumn { name: column.name.clone(), kind: column.kind, merge })
    }

    pub fn is_float_sum(&self) -> bool {
        matches!(self.merge, Way::SumOfFloats)
    }

    /// What a sum must fit into, for people.
    pub fn limit(&self) -> &'static str {
        match self.merge {
            Way::SumOfDecimals { .. } => "38 digits",
            _ => "64 bits",
        }
    }

    /// Its columns in the table of merged rows, with their types.
    pub fn definitions(&self, sql_type: impl Fn(ColumnKind) -> String) -> Vec<(String, String)> {
        let own = quoted(&self.name);
        let float = || "float(53) NULL".to_owned();
        match self.merge {
            Way::SumOfIntegers => vec![(own, "decimal(38, 0) NULL".to_owned())],
            Way::SumOfDecimals { .. } => {
                vec![(own, sql_type(self.kind)), (self.upper(), "decimal(38, 0) NULL".to_owned())]
            }
            Way::SumOfFloats => vec![(own, float()), (self.large(), float()), (self.magnitude(), float())],
            Way::Least | Way::Greatest => vec![(own, sql_type(self.kind))],
        }
    }

    /// Its columns in the table of merged rows, with what the rows of one key put into them.
    pub fn collected(&self) -> Vec<(String, String)> {
        let own = quoted(&self.name);
        match self.merge {
            Way::SumOfIntegers => vec![(own.clone(), format!("SUM(CAST({own} AS decimal(19, 0)))"))],
            Way::SumOfDecimals { scale } => {
                let step = step(scale);
                // What a union of two such columns is, is not everywhere what they are.
                let value = format!("CAST({own} AS decimal(38, {scale}))");
                vec![
                    (own, format!("SUM({value} % {step})")),
                    (self.upper(), format!("SUM(CAST(({value} - {value} % {step}) / {step} AS decimal(19, 0)))")),
                ]
            }
            Way::SumOfFloats => vec![
                (own.clone(), format!("SUM(CASE WHEN ABS({own}) <= 1e288 THEN {own} END)")),
                (self.large(), format!("SUM(CASE WHEN ABS({own}) > 1e288 THEN {own} * 5.421010862427522e-20 END)")),
                (self.magnitude(), format!("SUM(ABS({own}) * 5.421010862427522e-20)")),
            ],
            Way::Least => vec![(own.clone(), format!("MIN({own})"))],
            Way::Greatest => vec![(own.clone(), format!("MAX({own})"))],
        }
    }

    /// Makes one number of what was collected in two; `{merged}` is left to fill.
    pub fn settle(&self) -> Option<String> {
        let measure = ("measure", quoted(&self.name));
        match self.merge {
            Way::SumOfDecimals { scale } => {
                let placeholders = [
                    measure,
                    ("upper", self.upper()),
                    ("upper_value", upper_value(&self.upper(), scale)),
                    ("step", step(scale)),
                    ("scale", scale.to_string()),
                ];
                Some(fill(include_str!("sql/settle_decimal.sql"), &placeholders))
            }
            Way::SumOfFloats => Some(fill(include_str!("sql/settle_float64.sql"), &[measure, ("large", self.large())])),
            Way::SumOfIntegers | Way::Least | Way::Greatest => None,
        }
    }

    /// Whether a merged row's sum, once settled, does not fit its column. `None` for what always fits. `of` is empty or the
    /// alias of the merged rows with its point.
    pub fn overflows(&self, of: &str) -> Option<String> {
        match self.merge {
            Way::SumOfIntegers => {
                let own = quoted(&self.name);
                Some(format!("{of}{own} NOT BETWEEN -9223372036854775808 AND 9223372036854775807"))
            }
            Way::SumOfDecimals { .. } => Some(format!("{of}{} <> 0", self.upper())),
            Way::SumOfFloats => Some(format!("{of}{} IS NOT NULL", self.large())),
            Way::Least | Way::Greatest => None,
        }
    }

    /// A merged row's value, of the column's type, where it fits.
    pub fn value(&self, of: &str) -> String {
        let own = quoted(&self.name);
        match self.merge {
            Way::SumOfIntegers => format!("CAST({of}.{own} AS bigint)"),
            _ => format!("{of}.{own}"),
        }
    }

    /// What was added up to a sum of floats, whatever its signs, times 2^-64.
    pub fn magnitude(&self) -> String {
        quoted(&format!("millrace_magnitude_{}", self.name))
    }

    fn upper(&self) -> String {
        quoted(&format!("millrace_upper_{}", self.name))
    }

    fn large(&self) -> String {
        quoted(&format!("millrace_large_{}", self.name))
    }
}

/// 10^19 of the last digit: `100000000000000000` for two digits behind the point.
fn step(scale: u8) -> String {
    match scale.checked_sub(LOWER_DIGITS) {
        None | Some(0) => format!("1{}", "0".repeat(usize::from(LOWER_DIGITS - scale))),
        Some(behind) => format!("0.{}1", "0".repeat(usize::from(behind - 1))),
    }
}

/// How much the upper side is. SQL Server would cut digits off a product of 19 digits behind the point, and of a quotient
/// none.
fn upper_value(upper: &str, scale: u8) -> String {
    match scale.checked_sub(LOWER_DIGITS) {
        None | Some(0) => format!("CAST(CAST({upper} AS decimal(19, 0)) * {} AS decimal(38, {scale}))", step(scale)),
        Some(behind) => format!(
            "CAST(CAST({upper} AS decimal(19, 0)) / 1{} AS decimal(38, {scale}))",
            "0".repeat(usize::from(behind))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_side_has_nineteen_digits_wherever_the_point_is() {
        for (scale, expected) in [
            (0, "10000000000000000000"),
            (2, "100000000000000000"),
            (19, "1"),
            (20, "0.1"),
            (38, "0.0000000000000000001"),
        ] {
            assert_eq!(step(scale), expected);
        }
    }
}
