//! The columns of a summary table as a warehouse stores them: names, types, roles and merges, checked. Two summaries
//! may share a table when their shapes agree; a table whose stored shape differs is made anew.

use std::collections::HashSet;

use millrace_decode::contract::DecimalType;
use millrace_frames::plan::{KeyType, MeasureType, Merge, SummaryPlan, SummaryRole};

use super::WarehouseError;
use crate::names::Sha256;

/// Characters in a name. SQL Server allows 128, of which the name of the parts table needs some.
const LONGEST_NAME: usize = 100;

/// Names that begin like this are the warehouse's own.
const OWN_PREFIX: &str = "millrace_";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableShape {
    pub table: String,
    pub columns: Vec<ShapeColumn>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeColumn {
    pub name: String,
    pub kind: ColumnKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Key(KeyType),
    Measure(MeasureType, Merge),
}

impl TableShape {
    /// The shape that a plan asks for.
    ///
    /// # Errors
    /// `Data`, for a name that no warehouse can carry, a name that stands twice, a table without a key, or a measure
    /// that cannot be summed.
    pub fn of(plan: &SummaryPlan) -> Result<Self, WarehouseError> {
        let refuse = |reason: String| WarehouseError::Data { table: plan.table.clone(), reason };
        check_name(&plan.table).map_err(|rule| refuse(format!("its name {rule}")))?;
        let mut seen = HashSet::new();
        let mut columns = Vec::with_capacity(plan.columns.len());
        for column in &plan.columns {
            check_name(&column.name).map_err(|rule| refuse(format!("the name of column `{}` {rule}", column.name)))?;
            if !seen.insert(column.name.to_lowercase()) {
                return Err(refuse(format!("column `{}` stands twice (case makes no difference)", column.name)));
            }
            let kind = match &column.role {
                SummaryRole::Key { key_type, .. } => ColumnKind::Key(*key_type),
                SummaryRole::Measure { call, measure_type } => ColumnKind::Measure(*measure_type, call.merge()),
            };
            if matches!(kind, ColumnKind::Measure(MeasureType::Date | MeasureType::Timestamp, Merge::Sum)) {
                return Err(refuse(format!("column `{}` sums dates", column.name)));
            }
            columns.push(ShapeColumn { name: column.name.clone(), kind });
        }
        if !columns.iter().any(ShapeColumn::is_key) {
            return Err(refuse("it has no key: put at least one column into GROUP BY".to_owned()));
        }
        Ok(TableShape { table: plan.table.clone(), columns })
    }

    /// The shapes of several plans, one a table, ordered by name: the order in which tables are locked.
    ///
    /// # Errors
    /// `Data`, as [`TableShape::of`], and where two plans of one table disagree.
    pub fn of_all(plans: &[SummaryPlan]) -> Result<Vec<Self>, WarehouseError> {
        let mut shapes: Vec<TableShape> = Vec::new();
        for plan in plans {
            let shape = Self::of(plan)?;
            let Some(known) = shapes.iter().find(|known| known.table.eq_ignore_ascii_case(&shape.table)) else {
                shapes.push(shape);
                continue;
            };
            if known.table != shape.table || !known.agrees_with(&shape) {
                let reason =
                    "its summaries disagree: each must write the same name, keys, types and aggregates".to_owned();
                return Err(WarehouseError::Data { table: shape.table, reason });
            }
        }
        shapes.sort_by(|a, b| a.table.cmp(&b.table));
        Ok(shapes)
    }

    /// Same columns, in any order.
    pub fn agrees_with(&self, other: &TableShape) -> bool {
        self.columns.len() == other.columns.len() && self.columns.iter().all(|column| other.columns.contains(column))
    }

    /// Names the shape, whatever the order of its columns: 16 hex digits.
    pub fn id(&self) -> String {
        let mut fields = vec![self.table.clone()];
        let describe = |column: &ShapeColumn| {
            format!("{} {} {}", column.name, column.kind.type_word(), column.kind.merge_word().unwrap_or("key"))
        };
        fields.extend(self.columns.iter().map(describe));
        fields[1..].sort_unstable();
        let fields: Vec<&[u8]> = fields.iter().map(String::as_bytes).collect();
        Sha256::of_fields(&fields).as_str()[..16].to_owned()
    }

    pub fn keys(&self) -> impl Iterator<Item = &ShapeColumn> {
        self.columns.iter().filter(|column| column.is_key())
    }

    pub fn measures(&self) -> impl Iterator<Item = &ShapeColumn> {
        self.columns.iter().filter(|column| !column.is_key())
    }
}

impl ShapeColumn {
    pub fn is_key(&self) -> bool {
        matches!(self.kind, ColumnKind::Key(_))
    }
}

impl ColumnKind {
    /// How two values become one; a key has no merge.
    pub fn merge(self) -> Option<Merge> {
        match self {
            ColumnKind::Key(_) => None,
            ColumnKind::Measure(_, merge) => Some(merge),
        }
    }

    /// The type as the warehouse's own description of a table spells it.
    pub fn type_word(self) -> String {
        match self {
            ColumnKind::Key(KeyType::Text { max_utf16 }) => format!("text({max_utf16})"),
            ColumnKind::Key(KeyType::Int64) => "int64".to_owned(),
            ColumnKind::Key(KeyType::Bool) => "bool".to_owned(),
            ColumnKind::Key(KeyType::Date) => "date".to_owned(),
            ColumnKind::Key(KeyType::Timestamp) => "timestamp".to_owned(),
            ColumnKind::Measure(measure_type, _) => measure_type.to_string(),
        }
    }

    /// How the description spells the merge: nothing for a key.
    pub fn merge_word(self) -> Option<&'static str> {
        self.merge().map(|merge| match merge {
            Merge::Sum => "sum",
            Merge::Min => "min",
            Merge::Max => "max",
        })
    }

    /// The other way round. `None`: a description that this program did not write.
    pub fn from_words(type_word: &str, merge_word: Option<&str>) -> Option<Self> {
        let Some(merge_word) = merge_word else {
            let max_utf16 = type_word.strip_prefix("text(").and_then(|rest| rest.strip_suffix(')'));
            return Some(ColumnKind::Key(match (type_word, max_utf16) {
                (_, Some(digits)) => KeyType::Text { max_utf16: digits.parse().ok()? },
                ("int64", None) => KeyType::Int64,
                ("bool", None) => KeyType::Bool,
                ("date", None) => KeyType::Date,
                ("timestamp", None) => KeyType::Timestamp,
                _ => return None,
            }));
        };
        let merge = match merge_word {
            "sum" => Merge::Sum,
            "min" => Merge::Min,
            "max" => Merge::Max,
            _ => return None,
        };
        let measure_type = match type_word {
            "int64" => MeasureType::Int64,
            "float64" => MeasureType::Float64,
            "date" => MeasureType::Date,
            "timestamp" => MeasureType::Timestamp,
            other => decimal_of(other)?,
        };
        Some(ColumnKind::Measure(measure_type, merge))
    }
}

/// `decimal(38,2)`
fn decimal_of(type_word: &str) -> Option<MeasureType> {
    let digits = type_word.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = digits.split_once(',')?;
    let DecimalType { precision, scale } = DecimalType::new(precision.parse().ok()?, scale.parse().ok()?)?;
    Some(MeasureType::Decimal { precision, scale })
}

/// Every name is quoted as well; this keeps out what quoting alone would make hard to read or to type.
fn check_name(name: &str) -> Result<(), &'static str> {
    let lower_case = name.to_lowercase();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err("must have 1 to 100 characters");
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '"' | '\'' | '`' | '[' | ']' | ';' | '{' | '}')) {
        return Err("must not contain quotes, brackets, braces, semicolons or control characters");
    }
    if name.trim() != name {
        return Err("must not begin or end with a blank");
    }
    if lower_case.starts_with(OWN_PREFIX) || lower_case.starts_with("sqlite_") {
        return Err("must not begin with `millrace_` or `sqlite_`, which are taken");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use millrace_frames::plan::{AggregateCall, SummaryColumn};

    use super::*;

    fn key(name: &str, key_type: KeyType) -> SummaryColumn {
        SummaryColumn { name: name.to_owned(), role: SummaryRole::Key { expression: name.to_owned(), key_type } }
    }

    fn count(name: &str) -> SummaryColumn {
        let role = SummaryRole::Measure { call: AggregateCall::CountRows, measure_type: MeasureType::Int64 };
        SummaryColumn { name: name.to_owned(), role }
    }

    fn plan(table: &str, columns: Vec<SummaryColumn>) -> SummaryPlan {
        SummaryPlan { id: "1".to_owned(), table: table.to_owned(), feed: "flights".to_owned(), columns, filter: None }
    }

    #[test]
    fn names_that_could_leave_their_quotes_are_refused() {
        for bad in
            ["", "a\"b", "a]b", "a;b", "a\0b", "{keys}", " a", "millrace_unit", "SQLite_master", &"a".repeat(101)]
        {
            assert!(TableShape::of(&plan(bad, vec![key("k", KeyType::Int64)])).is_err(), "{bad}");
            assert!(TableShape::of(&plan("t", vec![key(bad, KeyType::Int64)])).is_err(), "{bad}");
        }
        assert!(TableShape::of(&plan("flight_days", vec![key("Größe in m", KeyType::Int64)])).is_ok());
    }

    #[test]
    fn a_table_needs_a_key_and_each_column_once() {
        assert!(TableShape::of(&plan("t", vec![count("n")])).is_err());
        assert!(TableShape::of(&plan("t", vec![key("n", KeyType::Int64), count("N")])).is_err());
    }

    #[test]
    fn plans_of_one_table_may_order_their_columns_differently_but_not_type_them_differently() {
        let one = plan("t", vec![key("k", KeyType::Date), count("n")]);
        let reordered = plan("t", vec![count("n"), key("k", KeyType::Date)]);
        let retyped = plan("t", vec![key("k", KeyType::Timestamp), count("n")]);
        let recased = plan("T", vec![key("k", KeyType::Date), count("n")]);
        assert_eq!(TableShape::of(&one).unwrap().id(), TableShape::of(&reordered).unwrap().id());
        assert_ne!(TableShape::of(&one).unwrap().id(), TableShape::of(&retyped).unwrap().id());
        assert_eq!(TableShape::of_all(&[one.clone(), reordered]).unwrap().len(), 1);
        assert!(TableShape::of_all(&[one.clone(), retyped]).is_err());
        assert!(TableShape::of_all(&[one, recased]).is_err());
    }

    #[test]
    fn a_kind_is_read_back_as_it_was_written() {
        let keys = [KeyType::Text { max_utf16: 8 }, KeyType::Int64, KeyType::Bool, KeyType::Date, KeyType::Timestamp];
        let decimal = MeasureType::Decimal { precision: 38, scale: 2 };
        let measures = [MeasureType::Int64, MeasureType::Float64, decimal, MeasureType::Date, MeasureType::Timestamp];
        let merges = [Merge::Sum, Merge::Min, Merge::Max];
        let kinds = keys
            .into_iter()
            .map(ColumnKind::Key)
            .chain(measures.into_iter().flat_map(|measure| merges.map(|merge| ColumnKind::Measure(measure, merge))));
        for kind in kinds {
            assert_eq!(ColumnKind::from_words(&kind.type_word(), kind.merge_word()), Some(kind));
        }
        for foreign in ["decimal", "decimal(39,2)", "decimal(2,3)", "decimal(2)", "decimal(38,2", "money"] {
            assert_eq!(ColumnKind::from_words(foreign, Some("sum")), None);
        }
    }
}
