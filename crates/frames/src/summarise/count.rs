//! One summary over one chunk: which rows it cannot count, and the part that the others make.

use millrace_decode::columns::DecodedChunk;
use polars::prelude::{PolarsResult, Series};

use super::prepare::{Key, Plan, Slot};
use super::refused::Rejections;
use crate::cells::SKIPPED;
use crate::expression::OutputType;
use crate::part::{Part, pack_text};
use crate::plan::KeyType;
use crate::view::{ColumnView, ValuesView, utf16_units, without_trailing_blanks};

/// The columns of one chunk, decoded and evaluated.
pub(super) struct Views<'a> {
    pub(super) chunk: &'a DecodedChunk,
    pub(super) evaluated: &'a [(Series, OutputType)],
}

impl<'a> Views<'a> {
    pub(super) fn column(&self, slot: Slot) -> PolarsResult<ColumnView<'a>> {
        match slot {
            Slot::Decoded(position) => Ok(ColumnView::of_decoded(self.chunk, position)),
            Slot::Computed(number) => {
                let (series, output) = &self.evaluated[number];
                ColumnView::of_series(series, *output)
            }
        }
    }
}

impl Plan {
    /// Rejects the rows that this summary cannot count: those that pass WHERE and have a key that is null or too long,
    /// or a measure that is no finite number.
    pub(super) fn look(&self, views: &Views, rejections: &mut Rejections) -> PolarsResult<()> {
        let filter = self.filter.map(|slot| views.column(slot)).transpose()?;
        let passes = |row: usize| filter.as_ref().is_none_or(|filter| filter.is_true(row));
        for Key { name, expression, key_type, slot } in &self.keys {
            let column = views.column(*slot)?;
            if column.may_hold_nulls() {
                rejections.reject_unless(
                    |row| column.is_valid(row) || !passes(row),
                    |_| null_key(name, expression, *key_type, &self.table),
                );
            }
            if let (KeyType::Text { max_utf16 }, ValuesView::Text(text)) = (key_type, &column.values) {
                let longest = usize::from(*max_utf16);
                let units = |row| text.with_bytes(row, |bytes| utf16_units(without_trailing_blanks(bytes)));
                rejections.reject_unless(
                    // No text has more UTF-16 units than bytes.
                    |row| text.length(row) <= longest || !column.is_valid(row) || units(row) <= longest || !passes(row),
                    |row| {
                        let units = units(row);
                        format!(
                            "key `{name}` of summary `{}` has {units} UTF-16 units, its key_length is {longest}",
                            self.table
                        )
                    },
                );
            }
        }
        for (name, slot) in &self.may_be_infinite {
            let column = views.column(*slot)?;
            if let ValuesView::Float64(numbers) = &column.values {
                rejections.reject_unless(
                    |row| numbers[row].is_finite() || !column.is_valid(row) || !passes(row),
                    |_| format!("measure `{name}` of summary `{}` is not finite", self.table),
                );
            }
        }
        Ok(())
    }

    pub(super) fn count(&self, views: &Views, rejections: &Rejections) -> PolarsResult<Part> {
        let mut part = Part::of_shape(self.shape.clone());
        let groups = self.group(views, rejections, &mut part)?;
        for (measure, cells) in self.measures.iter().zip(&mut part.cells) {
            cells.resize(part.groups.len());
            match measure {
                None => cells.count_rows(&groups),
                Some(slot) => cells.fold(&groups, &views.column(*slot)?),
            }
        }
        Ok(part)
    }

    /// The number of each row's group.
    fn group(&self, views: &Views, rejections: &Rejections, part: &mut Part) -> PolarsResult<Vec<u32>> {
        let filter = self.filter.map(|slot| views.column(slot)).transpose()?;
        let keys: Vec<ColumnView> = self.keys.iter().map(|key| views.column(key.slot)).collect::<PolarsResult<_>>()?;
        let mut packed = Vec::with_capacity(64);
        let groups = (0..rejections.row_count)
            .map(|row| {
                let skipped = rejections.holds(row) || filter.as_ref().is_some_and(|filter| !filter.is_true(row));
                if skipped {
                    return SKIPPED;
                }
                packed.clear();
                for key in &keys {
                    pack_key(&mut packed, &key.values, row);
                }
                part.groups.number_of(&packed)
            })
            .collect();
        Ok(groups)
    }
}

#[inline]
fn pack_key(packed: &mut Vec<u8>, values: &ValuesView, row: usize) {
    match values {
        ValuesView::Text(text) => text.with_bytes(row, |bytes| pack_text(packed, without_trailing_blanks(bytes))),
        ValuesView::Int64(numbers) => packed.extend_from_slice(&numbers[row].to_le_bytes()),
        ValuesView::Date(days) => packed.extend_from_slice(&days[row].to_le_bytes()),
        ValuesView::Bool(flags) => packed.push(u8::from(flags.get(row))),
        ValuesView::Float64(_) | ValuesView::Decimal(_) => {
            unreachable!("`Summariser::new` takes no float64 and no decimal as a key")
        }
    }
}

fn null_key(name: &str, expression: &str, key_type: KeyType, table: &str) -> String {
    let substitute = match key_type {
        KeyType::Text { .. } => "'unknown'",
        KeyType::Int64 => "0",
        KeyType::Bool => "FALSE",
        KeyType::Date => "DATE '1970-01-01'",
        KeyType::Timestamp => "TIMESTAMP '1970-01-01 00:00:00'",
    };
    format!(
        "key `{name}` of summary `{table}` is null; write COALESCE({expression}, {substitute}) in the summary to count \
         such rows"
    )
}
