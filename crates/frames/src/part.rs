//! What one unit contributes to one summary.
//!
//! Merging is associative and commutative: integers and decimals are exact, floats agree within 1e-9 relative. Memory is
//! proportional to the number of groups.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::cells::Cells;
use crate::decimal;
use crate::groups::Groups;
use crate::plan::{KeyType, MeasureType, SummaryPlan, SummaryRole};

/// One value of a summary row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Only in measures: a measure of only nulls.
    Null,
    Int64(i64),
    Float64(f64),
    /// `units` of 10^-`scale`; see [`crate::decimal::to_text`].
    Decimal {
        units: i128,
        scale: u8,
    },
    Text(String),
    Bool(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01 UTC.
    Timestamp(i64),
}

/// A summary row: one value for each column of the plan, in its order.
pub type Row = Vec<Value>;

/// A measure that its column cannot hold. The file is at fault, not the service.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "measure `{measure}` of summary `{table}` is beyond {beyond} at key ({key}); sum a smaller unit or cast to DOUBLE"
)]
pub struct Overflow {
    pub table: String,
    pub measure: String,
    /// The key's values, separated by commas.
    pub key: String,
    /// "int64", "float64" or "38 digits".
    pub beyond: &'static str,
}

/// The rows that a chunk, a file or a stream's batch contributes to one summary.
#[derive(Clone, Debug)]
pub struct Part {
    shape: Arc<Shape>,
    pub(crate) groups: Groups,
    /// One entry for each measure, in the plan's order.
    pub(crate) cells: Vec<Cells>,
}

/// What a part needs of its plan.
#[derive(Debug, PartialEq)]
pub(crate) struct Shape {
    plan: SummaryPlan,
}

impl Shape {
    pub(crate) fn of(plan: &SummaryPlan) -> Arc<Shape> {
        Arc::new(Shape { plan: plan.clone() })
    }

    fn key_types(&self) -> impl Iterator<Item = KeyType> + '_ {
        self.plan.columns.iter().filter_map(|column| match column.role {
            SummaryRole::Key { key_type, .. } => Some(key_type),
            SummaryRole::Measure { .. } => None,
        })
    }

    fn measures(&self) -> impl Iterator<Item = (&str, MeasureType)> + '_ {
        self.plan.columns.iter().filter_map(|column| match column.role {
            SummaryRole::Key { .. } => None,
            SummaryRole::Measure { measure_type, .. } => Some((column.name.as_str(), measure_type)),
        })
    }

    fn overflow(&self, measure: usize, key: &[u8]) -> Overflow {
        let (name, measure_type) = self.measures().nth(measure).expect("a part has as many cells as its plan measures");
        let beyond = match measure_type {
            MeasureType::Float64 => "float64",
            MeasureType::Decimal { .. } => "38 digits",
            MeasureType::Int64 | MeasureType::Date | MeasureType::Timestamp => "int64",
        };
        let key = unpack(key, self.key_types()).iter().map(show).collect::<Vec<_>>().join(", ");
        Overflow { table: self.plan.table.clone(), measure: name.to_owned(), key, beyond }
    }
}

impl Part {
    /// A part of no rows.
    pub fn empty(plan: &SummaryPlan) -> Part {
        Part::of_shape(Shape::of(plan))
    }

    pub(crate) fn of_shape(shape: Arc<Shape>) -> Part {
        let cells = shape
            .plan
            .columns
            .iter()
            .filter_map(|column| match &column.role {
                SummaryRole::Key { .. } => None,
                SummaryRole::Measure { call, measure_type } => Some(Cells::new(call, *measure_type)),
            })
            .collect();
        Part { shape, groups: Groups::default(), cells }
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes this part that of both. The error is that of a sum beyond 128 bits; the part is of no use then.
    ///
    /// # Panics
    ///
    /// If the parts are of different plans.
    pub fn merge(&mut self, other: Part) -> Result<(), Overflow> {
        assert!(
            Arc::ptr_eq(&self.shape, &other.shape) || self.shape == other.shape,
            "parts of two plans cannot be merged: `{}` and `{}`",
            self.shape.plan.id,
            other.shape.plan.id
        );
        let mut smaller = other;
        if smaller.len() > self.len() {
            std::mem::swap(self, &mut smaller);
        }
        let number_here = self.groups.absorb(&smaller.groups);
        let groups = self.groups.len();
        for (measure, (cells, others)) in self.cells.iter_mut().zip(smaller.cells).enumerate() {
            cells.resize(groups);
            cells
                .absorb(others, &number_here)
                .map_err(|group| self.shape.overflow(measure, smaller.groups.key(group)))?;
        }
        Ok(())
    }

    /// The rows, sorted by their keys in the order of the plan (text by its bytes). Sums beyond int64,
    /// float64 or 38 digits are refused.
    pub fn into_rows(self) -> Result<Vec<Row>, Overflow> {
        let mut keyed: Vec<(Vec<Value>, usize)> =
            (0..self.len()).map(|group| (unpack(self.groups.key(group), self.shape.key_types()), group)).collect();
        keyed.sort_by(|(left, _), (right, _)| compare_keys(left, right));
        keyed.into_iter().map(|(key, group)| self.row(key, group)).collect()
    }

    fn row(&self, key: Vec<Value>, group: usize) -> Result<Row, Overflow> {
        let mut keys = key.into_iter();
        let mut measures = self.cells.iter().zip(self.shape.measures()).enumerate();
        let mut row = Row::with_capacity(self.shape.plan.columns.len());
        for column in &self.shape.plan.columns {
            if column.is_key() {
                row.extend(keys.next());
            } else if let Some((measure, (cells, (_, measure_type)))) = measures.next() {
                let value = cells.value(group, measure_type);
                row.push(value.map_err(|_| self.shape.overflow(measure, self.groups.key(group)))?);
            }
        }
        Ok(row)
    }
}

/// Appends one key's text to a packed key. Numbers stand in eight bytes, dates in four, bools in one.
pub(crate) fn pack_text(packed: &mut Vec<u8>, text: &[u8]) {
    packed.extend_from_slice(&(text.len() as u32).to_le_bytes());
    packed.extend_from_slice(text);
}

fn unpack(packed: &[u8], key_types: impl Iterator<Item = KeyType>) -> Vec<Value> {
    const PACKED: &str = "`pack_key` wrote this key with the same types";
    let mut rest = packed;
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at(count);
        rest = left;
        taken
    };
    key_types
        .map(|key_type| match key_type {
            KeyType::Text { .. } => {
                let length = u32::from_le_bytes(take(4).try_into().expect(PACKED));
                Value::Text(String::from_utf8_lossy(take(length as usize)).into_owned())
            }
            KeyType::Int64 => Value::Int64(i64::from_le_bytes(take(8).try_into().expect(PACKED))),
            KeyType::Timestamp => Value::Timestamp(i64::from_le_bytes(take(8).try_into().expect(PACKED))),
            KeyType::Date => Value::Date(i32::from_le_bytes(take(4).try_into().expect(PACKED))),
            KeyType::Bool => Value::Bool(take(1) == [1]),
        })
        .collect()
}

fn compare_keys(left: &[Value], right: &[Value]) -> Ordering {
    left.iter().zip(right).map(|(a, b)| compare_values(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn compare_values(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Int64(a), Value::Int64(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => {
            unreachable!("the keys of one plan have one type in each position, and none is null, a float or a decimal")
        }
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Int64(number) => number.to_string(),
        Value::Float64(number) => number.to_string(),
        Value::Decimal { units, scale } => decimal::to_text(*units, *scale),
        Value::Text(text) => format!("'{text}'"),
        Value::Bool(flag) => flag.to_string(),
        Value::Date(days) => format!("day {days} since 1970-01-01"),
        Value::Timestamp(micros) => format!("{micros} µs since 1970-01-01"),
    }
}
