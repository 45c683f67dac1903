//! The running values of one measure, one for each group.
//!
//! Integer sums are made in 128 bits, decimal ones in more. Float sums carry what rounding lost (Neumaier), so that the order and the cuts of
//! the rows show only far below 1e-9, even where large values cancel.

use crate::decimal::ExactSum;
use crate::part::Value;
use crate::plan::{AggregateCall, MeasureType, Merge};
use crate::view::{ColumnView, ValuesView};

/// A group number that stands for "this row counts in no group".
pub(crate) const SKIPPED: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(crate) enum Cells {
    Count(Vec<u64>),
    IntSum(Vec<Option<i128>>),
    FloatSum(Vec<Option<FloatSum>>),
    DecimalSum { scale: u8, values: Vec<Option<ExactSum>> },
    IntExtreme { merge: Merge, values: Vec<Option<i64>> },
    FloatExtreme { merge: Merge, values: Vec<Option<f64>> },
    DecimalExtreme { merge: Merge, scale: u8, values: Vec<Option<i128>> },
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FloatSum {
    sum: f64,
    lost: f64,
}

impl FloatSum {
    #[inline]
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// A sum left 128 bits, or what its column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Cells {
    pub(crate) fn new(call: &AggregateCall, measure_type: MeasureType) -> Cells {
        match (call, measure_type) {
            (AggregateCall::CountRows | AggregateCall::Count(_), _) => Cells::Count(Vec::new()),
            (AggregateCall::Sum(_), MeasureType::Float64) => Cells::FloatSum(Vec::new()),
            (AggregateCall::Sum(_), MeasureType::Decimal { scale, .. }) => {
                Cells::DecimalSum { scale, values: Vec::new() }
            }
            (AggregateCall::Sum(_), _) => Cells::IntSum(Vec::new()),
            (AggregateCall::Min(_) | AggregateCall::Max(_), MeasureType::Float64) => {
                Cells::FloatExtreme { merge: call.merge(), values: Vec::new() }
            }
            (AggregateCall::Min(_) | AggregateCall::Max(_), MeasureType::Decimal { scale, .. }) => {
                Cells::DecimalExtreme { merge: call.merge(), scale, values: Vec::new() }
            }
            (AggregateCall::Min(_) | AggregateCall::Max(_), _) => {
                Cells::IntExtreme { merge: call.merge(), values: Vec::new() }
            }
        }
    }

    pub(crate) fn resize(&mut self, groups: usize) {
        match self {
            Cells::Count(cells) => cells.resize(groups, 0),
            Cells::IntSum(cells) => cells.resize(groups, None),
            Cells::FloatSum(cells) => cells.resize(groups, None),
            Cells::DecimalSum { values, .. } => values.resize(groups, None),
            Cells::IntExtreme { values, .. } => values.resize(groups, None),
            Cells::FloatExtreme { values, .. } => values.resize(groups, None),
            Cells::DecimalExtreme { values, .. } => values.resize(groups, None),
        }
    }

    /// Counts the rows of each group.
    pub(crate) fn count_rows(&mut self, group_of_row: &[u32]) {
        if let Cells::Count(cells) = self {
            for group in group_of_row.iter().filter(|group| **group != SKIPPED) {
                cells[*group as usize] += 1;
            }
        }
    }

    /// Folds a column in: row i belongs to group `group_of_row[i]`. Fewer than 2^32 rows, so no sum of int64 can
    /// leave 128 bits.
    pub(crate) fn fold(&mut self, group_of_row: &[u32], column: &ColumnView) {
        let rows = || {
            group_of_row
                .iter()
                .enumerate()
                .filter(|(row, group)| **group != SKIPPED && column.is_valid(*row))
                .map(|(row, group)| (row, *group as usize))
        };
        match (self, &column.values) {
            (Cells::Count(cells), _) => rows().for_each(|(_, group)| cells[group] += 1),
            (Cells::IntSum(cells), ValuesView::Int64(numbers)) => {
                rows().for_each(|(row, group)| *cells[group].get_or_insert(0) += i128::from(numbers[row]));
            }
            (Cells::FloatSum(cells), ValuesView::Float64(numbers)) => {
                rows().for_each(|(row, group)| cells[group].get_or_insert_default().add(numbers[row]));
            }
            (Cells::DecimalSum { values, .. }, ValuesView::Decimal(units)) => {
                rows().for_each(|(row, group)| values[group].get_or_insert_default().add(units[row]));
            }
            (Cells::IntExtreme { merge, values }, ValuesView::Int64(numbers)) => {
                rows().for_each(|(row, group)| keep(*merge, &mut values[group], numbers[row]));
            }
            (Cells::IntExtreme { merge, values }, ValuesView::Date(days)) => {
                rows().for_each(|(row, group)| keep(*merge, &mut values[group], i64::from(days[row])));
            }
            (Cells::FloatExtreme { merge, values }, ValuesView::Float64(numbers)) => {
                rows().for_each(|(row, group)| keep_float(*merge, &mut values[group], numbers[row]));
            }
            (Cells::DecimalExtreme { merge, values, .. }, ValuesView::Decimal(units)) => {
                rows().for_each(|(row, group)| keep(*merge, &mut values[group], units[row]));
            }
            _ => unreachable!("`Summariser::new` compared the plan's types with those of its expressions"),
        }
    }

    /// Merges `other` in: its group i is group `number_here[i]`. The error holds that i.
    pub(crate) fn absorb(&mut self, other: Cells, number_here: &[u32]) -> Result<(), usize> {
        let here = |group: usize| number_here[group] as usize;
        match (self, other) {
            (Cells::Count(cells), Cells::Count(others)) => {
                for (group, count) in others.into_iter().enumerate() {
                    cells[here(group)] = cells[here(group)].checked_add(count).ok_or(group)?;
                }
            }
            (Cells::IntSum(cells), Cells::IntSum(others)) => {
                for (group, sum) in present(others) {
                    let cell = cells[here(group)].get_or_insert(0);
                    *cell = cell.checked_add(sum).ok_or(group)?;
                }
            }
            (Cells::FloatSum(cells), Cells::FloatSum(others)) => {
                for (group, sum) in present(others) {
                    let cell = cells[here(group)].get_or_insert_default();
                    cell.add(sum.sum);
                    cell.lost += sum.lost;
                }
            }
            (Cells::DecimalSum { values, .. }, Cells::DecimalSum { values: others, .. }) => {
                present(others).for_each(|(group, sum)| values[here(group)].get_or_insert_default().add_sum(sum));
            }
            (Cells::IntExtreme { merge, values }, Cells::IntExtreme { values: others, .. }) => {
                present(others).for_each(|(group, value)| keep(*merge, &mut values[here(group)], value));
            }
            (Cells::FloatExtreme { merge, values }, Cells::FloatExtreme { values: others, .. }) => {
                present(others).for_each(|(group, value)| keep_float(*merge, &mut values[here(group)], value));
            }
            (Cells::DecimalExtreme { merge, values, .. }, Cells::DecimalExtreme { values: others, .. }) => {
                present(others).for_each(|(group, value)| keep(*merge, &mut values[here(group)], value));
            }
            _ => unreachable!("`Part::merge` compared the plans"),
        }
        Ok(())
    }

    pub(crate) fn value(&self, group: usize, measure_type: MeasureType) -> Result<Value, TooLarge> {
        match self {
            Cells::Count(cells) => i64::try_from(cells[group]).map(Value::Int64).map_err(|_| TooLarge),
            Cells::IntSum(cells) => match cells[group] {
                None => Ok(Value::Null),
                Some(sum) => i64::try_from(sum).map(Value::Int64).map_err(|_| TooLarge),
            },
            Cells::FloatSum(cells) => match cells[group].map(FloatSum::total) {
                None => Ok(Value::Null),
                Some(sum) if sum.is_finite() => Ok(Value::Float64(sum)),
                Some(_) => Err(TooLarge),
            },
            Cells::DecimalSum { scale, values } => match values[group].map(ExactSum::total) {
                None => Ok(Value::Null),
                Some(Some(units)) => Ok(Value::Decimal { units, scale: *scale }),
                Some(None) => Err(TooLarge),
            },
            Cells::IntExtreme { values, .. } => Ok(match (values[group], measure_type) {
                (None, _) => Value::Null,
                (Some(days), MeasureType::Date) => Value::Date(i32::try_from(days).map_err(|_| TooLarge)?),
                (Some(micros), MeasureType::Timestamp) => Value::Timestamp(micros),
                (Some(number), _) => Value::Int64(number),
            }),
            Cells::FloatExtreme { values, .. } => Ok(values[group].map_or(Value::Null, Value::Float64)),
            Cells::DecimalExtreme { scale, values, .. } => {
                Ok(values[group].map_or(Value::Null, |units| Value::Decimal { units, scale: *scale }))
            }
        }
    }
}

fn present<T>(cells: Vec<Option<T>>) -> impl Iterator<Item = (usize, T)> {
    cells.into_iter().enumerate().filter_map(|(group, cell)| Some((group, cell?)))
}

#[inline]
fn keep<T: Ord + Copy>(merge: Merge, cell: &mut Option<T>, value: T) {
    let kept = cell.map_or(value, |held| if merge == Merge::Min { held.min(value) } else { held.max(value) });
    *cell = Some(kept);
}

#[inline]
fn keep_float(merge: Merge, cell: &mut Option<f64>, value: f64) {
    // -0.0 becomes 0.0, so that the order of equal values cannot show.
    let value = value + 0.0;
    let kept = cell.map_or(value, |held| if merge == Merge::Min { held.min(value) } else { held.max(value) });
    *cell = Some(kept);
}
