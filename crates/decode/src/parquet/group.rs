//! One row group, chunk by chunk.

use std::sync::Arc;

use bytes::Bytes;

use super::column::ColumnReader;
use super::convert::LONGEST_SHOWN;
use super::file::Needed;
use super::footer::Footer;
use super::output::{BadCell, Output, take_out};
use super::pages::{Budget, Pages};
use super::source::RangeSource;
use super::stored::Family;
use super::widening::Widening;
use super::{CHUNK_ROWS, CHUNK_TEXT_BYTES, ParquetError};
use crate::columns::{BadRow, ColumnValues, DecodedChunk};
use crate::json::{push_name, push_value};
use crate::reason::shown;

/// Bytes of a text that a bad row shows where the bad rows of the chunk have already shown very much.
const SHORT_TEXT_BYTES: usize = 40;

/// Reads the rows of one row group, from the first to the last.
pub struct GroupReader {
    needed: Arc<Needed>,
    /// One for each needed column; `None` where nothing has to be read.
    columns: Vec<Option<ColumnReader>>,
    group: usize,
    next_number: usize,
    next_row: u64,
    row_count: u64,
}

/// Some rows of a row group.
#[derive(Debug)]
pub struct GroupChunk {
    /// The row group, and the chunk within it, counted from 0. A file is cut in the same way each time: the pairs, in
    /// their order, are the file's rows in theirs.
    pub group: usize,
    pub number: usize,
    /// The number of the first row within the row group, counted from 0.
    pub first_row: u64,
    pub decoded: DecodedChunk,
}

impl GroupReader {
    pub(super) fn new(
        source: &Arc<dyn RangeSource>,
        footer: &Footer,
        needed: &Arc<Needed>,
        group: usize,
        row_count: u64,
    ) -> Result<Self, ParquetError> {
        let is_read = |widening: &Widening| *widening != Widening::Nothing;
        let leaf_of = |column: &super::output::NeededColumn| {
            column.found.filter(|(_, widening)| is_read(widening)).map(|(leaf, _)| leaf)
        };
        let wanted: Vec<usize> = needed.columns.iter().filter_map(leaf_of).map(|leaf| leaf.index).collect();
        let mut chunks = footer.chunks(group, &wanted)?.into_iter();
        let budget = Budget::default();
        let mut columns = Vec::with_capacity(needed.columns.len());
        for column in &needed.columns {
            let Some((leaf, chunk)) = leaf_of(column).and_then(|leaf| Some((leaf, chunks.next()?))) else {
                columns.push(None);
                continue;
            };
            let place = format!("row group {}, column `{}`", group + 1, shown(column.from.as_bytes()));
            let source = Arc::clone(source);
            let pages = Pages::new(source, chunk, row_count, leaf.optional, place, budget.clone())?;
            columns.push(Some(ColumnReader::new(pages, Family::new(&leaf))));
        }
        Ok(Self { needed: Arc::clone(needed), columns, group, next_number: 0, next_row: 0, row_count })
    }

    /// The next rows: [`CHUNK_ROWS`] of them, or fewer where the group ends or its strings are long. `None` after the
    /// last. After an error there is nothing to be had from this reader.
    pub fn next_chunk(&mut self) -> Result<Option<GroupChunk>, ParquetError> {
        let left = usize::try_from(self.row_count - self.next_row).unwrap_or(usize::MAX).min(CHUNK_ROWS);
        if left == 0 {
            return Ok(None);
        }
        let needed = Arc::clone(&self.needed);
        let mut outputs: Vec<Output> =
            needed.columns.iter().map(|column| Output::new(column, &needed.nulls, left)).collect();
        let mut row_count = 0;
        let mut text_bytes = 0;
        while row_count < left && (row_count == 0 || text_bytes < CHUNK_TEXT_BYTES) {
            row_count +=
                self.read_rows(left - row_count, CHUNK_TEXT_BYTES - text_bytes.min(CHUNK_TEXT_BYTES), &mut outputs)?;
            text_bytes = outputs.iter().map(Output::text_bytes).sum();
        }
        let finished = outputs.into_iter().map(|output| output.finish(row_count)).collect();
        let chunk = GroupChunk {
            group: self.group,
            number: self.next_number,
            first_row: self.next_row,
            decoded: self.put_together(row_count, finished),
        };
        self.next_number += 1;
        self.next_row += row_count as u64;
        Ok(Some(chunk))
    }

    /// Reads some rows of all columns, at most `most`, and says how many.
    fn read_rows(&mut self, most: usize, text_budget: usize, outputs: &mut [Output]) -> Result<usize, ParquetError> {
        let mut rows = most;
        for reader in self.columns.iter_mut().flatten() {
            rows = rows.min(reader.ready()?);
        }
        for reader in self.columns.iter().flatten() {
            rows = reader.rows_within(rows, text_budget);
        }
        for (reader, output) in self.columns.iter_mut().zip(outputs) {
            if let Some(reader) = reader {
                output.append(&reader.rows(rows));
                reader.advance(rows);
            }
        }
        Ok(rows)
    }

    fn put_together(&self, row_count: usize, finished: Vec<(ColumnValues, Vec<BadCell>)>) -> DecodedChunk {
        let (mut columns, bad_cells): (Vec<ColumnValues>, Vec<Vec<BadCell>>) = finished.into_iter().unzip();
        let mut bad_rows: Vec<usize> = bad_cells.iter().flatten().map(|cell| cell.row).collect();
        bad_rows.sort_unstable();
        bad_rows.dedup();
        let bad = self.say_bad_rows(&bad_rows, &columns, bad_cells);
        if !bad_rows.is_empty() {
            columns.iter_mut().for_each(|column| take_out(column, &bad_rows));
        }
        DecodedChunk { bytes: Bytes::new(), row_count: row_count as u32, columns, bad, unknown_keys: Vec::new() }
    }

    fn say_bad_rows(&self, bad_rows: &[usize], columns: &[ColumnValues], cells: Vec<Vec<BadCell>>) -> Vec<BadRow> {
        let mut cells: Vec<_> = cells.into_iter().map(|cells| cells.into_iter().peekable()).collect();
        let mut said_bytes = 0;
        let say = |row: &usize| {
            let mut raw = String::from("{");
            let mut reason = None;
            for ((needed, column), cells) in self.needed.columns.iter().zip(columns).zip(&mut cells) {
                push_name(&mut raw, &needed.from);
                match cells.next_if(|cell| cell.row == *row) {
                    None => {
                        // A dictionary's text may stand in every row.
                        let is_much = said_bytes + raw.len() >= CHUNK_TEXT_BYTES;
                        let longest = if is_much { SHORT_TEXT_BYTES } else { LONGEST_SHOWN };
                        push_value(&mut raw, needed.form.column_type, column, &[], *row, longest);
                    }
                    Some(cell) => {
                        raw.push_str(&cell.raw);
                        reason = reason.or(Some(cell.reason));
                    }
                }
            }
            raw.push('}');
            said_bytes += raw.len();
            BadRow { row: *row as u32, raw: raw.into_bytes(), reason: reason.unwrap_or_default() }
        };
        bad_rows.iter().map(say).collect()
    }
}
