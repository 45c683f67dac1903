//! One chunk to columns and bad rows.
//!
//! It builds the columns that it was asked for and no others: of the remaining cells it knows only how many there are
//! and that their quotes are whole. Row by row, so that a row that does not fit leaves nothing behind.

use bytes::Bytes;
use encoding_rs::UTF_8;

use super::rows::{Cell, Rows, undouble};
use super::{CsvLayout, Header};
use crate::builder::{ColumnBuilder, likely_row_count};
use crate::columns::{BadRow, DecodedChunk};
use crate::contract::{Column, ColumnType, ValueRules};
use crate::reason::{self, shown};
use crate::text::DAMAGE;
use crate::values::{Form, FormatError, Misfit, NullWords};

/// Decodes the chunks of one file. Threads share it by reference.
#[derive(Clone, Debug)]
pub struct Decoder {
    layout: CsvLayout,
    nulls: NullWords,
    header: Header,
    columns: Vec<NeededColumn>,
}

#[derive(Clone, Debug)]
struct NeededColumn {
    name: String,
    form: Form,
    /// Where it stands in the file; `None` where the header has no such column.
    position: Option<usize>,
}

/// What becomes of one chunk.
struct Building<'a> {
    chunk: &'a [u8],
    /// Every string in the chunk is sure to be UTF-8; otherwise each is asked.
    is_utf8: bool,
    /// One for each needed column.
    builders: Vec<ColumnBuilder<'a>>,
    /// For cells whose text does not stand in the chunk.
    scratch: Vec<u8>,
}

impl Decoder {
    /// `columns` are those that somebody needs, in the order in which they shall come out. One that the header does not
    /// have is null in every row: [`Header::check`] has refused the file if it may not be missing.
    ///
    /// # Errors
    ///
    /// A column has a format that cannot read it; [`check_format`](crate::contract::check_format) says so earlier.
    ///
    /// # Panics
    ///
    /// With a layout that [`CsvLayout::check`] refuses.
    pub fn new(
        layout: &CsvLayout,
        rules: &ValueRules,
        header: &Header,
        columns: &[Column],
    ) -> Result<Self, FormatError> {
        layout.insist();
        let needed = |column: &Column| {
            let form = Form::new(column, rules)?;
            Ok(NeededColumn { name: column.name.clone(), form, position: header.position(column) })
        };
        Ok(Self {
            layout: layout.clone(),
            nulls: NullWords::new(&rules.null_values),
            header: header.clone(),
            columns: columns.iter().map(needed).collect::<Result<_, _>>()?,
        })
    }

    /// Decodes the rows of a chunk, which must not have the header in it.
    ///
    /// # Panics
    ///
    /// With a chunk of 2 GiB or more, which no [`RowCutter`](super::RowCutter) makes.
    pub fn decode(&self, chunk: Bytes) -> DecodedChunk {
        assert!(chunk.len() < i32::MAX as usize, "a chunk of 2 GiB cannot be addressed");
        let mut building = self.start(&chunk);
        let mut rows = Rows::new(&chunk, &self.layout, self.header.names().len());
        let mut bad = Vec::new();
        let mut row_count = 0;
        let mut good_rows = 0;
        while rows.advance() {
            match self.decode_row(&rows, &mut building) {
                Ok(()) => good_rows += 1,
                Err(reason) => {
                    for builder in &mut building.builders {
                        builder.truncate(good_rows);
                    }
                    bad.push(BadRow { row: row_count, raw: rows.raw().to_vec(), reason });
                }
            }
            row_count += 1;
        }
        let columns = self.columns.iter().zip(building.builders);
        let columns = columns.map(|(column, builder)| match column.position {
            Some(_) => builder.finish(),
            None => ColumnBuilder::all_null(&column.form, good_rows),
        });
        let columns = columns.collect();
        DecodedChunk { bytes: chunk, row_count, columns, bad, unknown_keys: Vec::new() }
    }

    /// The raw bytes of rows that later steps found bad, in the order of `row_numbers`, which count as in
    /// [`BadRow::row`]. A row that is not there is empty.
    pub fn raw_rows(&self, chunk: &[u8], row_numbers: &[u32]) -> Vec<Vec<u8>> {
        let mut wanted: Vec<(u32, usize)> = row_numbers.iter().copied().zip(0..).collect();
        wanted.sort_unstable();
        let mut raw_rows = vec![Vec::new(); row_numbers.len()];
        let mut rows = Rows::new(chunk, &self.layout, 0);
        let mut row_number = 0;
        let mut wanted = wanted.into_iter().peekable();
        while wanted.peek().is_some() && rows.advance() {
            while let Some((_, index)) = wanted.next_if(|(number, _)| *number == row_number) {
                raw_rows[index] = rows.raw().to_vec();
            }
            row_number += 1;
        }
        raw_rows
    }

    fn start<'a>(&'a self, chunk: &'a [u8]) -> Building<'a> {
        // A row has a byte for each of its cells at least. Beyond that many rows a column grows as any vector does.
        let capacity = likely_row_count(chunk).min(chunk.len() / self.header.names().len().max(1) + 1);
        let builder = |column: &'a NeededColumn| {
            let capacity = if column.position.is_some() { capacity } else { 0 };
            ColumnBuilder::new(&column.form, capacity)
        };
        Building {
            chunk,
            is_utf8: self.columns.iter().any(NeededColumn::is_text) && simdutf8::basic::from_utf8(chunk).is_ok(),
            builders: self.columns.iter().map(builder).collect(),
            scratch: Vec::new(),
        }
    }

    /// Adds a value to each builder, or says why the row is bad; then some builders may have a value too many.
    #[inline]
    fn decode_row(&self, rows: &Rows, building: &mut Building) -> Result<(), String> {
        let row = rows.row();
        if row.quoted {
            self.check_quotes(rows)?;
        }
        if row.cell_count != self.header.names().len() {
            return Err(self.header.say_wrong_width(row.cell_count));
        }
        let Building { chunk, is_utf8, builders, scratch } = building;
        for (column, builder) in self.columns.iter().zip(builders) {
            let Some(position) = column.position else { continue };
            let (start, end) = match rows.cell(position) {
                Cell::Plain { start, end } if self.nulls.contains(&chunk[start..end]) => {
                    builder.push_null();
                    continue;
                }
                Cell::Plain { start, end } | Cell::Quoted { start, end } => (start, end),
                Cell::Doubled { start, end } => {
                    scratch.clear();
                    undouble(&chunk[start..end], self.layout.quote_byte(), scratch);
                    self.insist_on_utf8(column, scratch, *is_utf8)?;
                    builder.push_unescaped(scratch).map_err(|misfit| self.say(column, scratch, misfit))?;
                    continue;
                }
            };
            let text = &chunk[start..end];
            self.insist_on_utf8(column, text, *is_utf8)?;
            builder.push(chunk, start, end).map_err(|misfit| self.say(column, text, misfit))?;
        }
        Ok(())
    }

    #[inline]
    fn check_quotes(&self, rows: &Rows) -> Result<(), String> {
        let row = rows.row();
        if row.unclosed {
            return Err(self.say_broken(row.cell_count - 1, "a quote is opened and never closed"));
        }
        match rows.broken_cell() {
            None => Ok(()),
            Some(index) => Err(self.say_broken(index, "text after the closing quote")),
        }
    }

    #[cold]
    fn say_broken(&self, index: usize, what: &str) -> String {
        match self.header.names().get(index) {
            Some(name) => format!("column `{}`: {what}", shown(name.as_bytes())),
            None => format!("cell {}: {what}", index + 1),
        }
    }

    #[inline]
    fn insist_on_utf8(&self, column: &NeededColumn, text: &[u8], is_utf8: bool) -> Result<(), String> {
        if is_utf8 || !column.is_text() || simdutf8::basic::from_utf8(text).is_ok() {
            return Ok(());
        }
        Err(self.say_not_text(column, text))
    }

    #[cold]
    fn say(&self, column: &NeededColumn, text: &[u8], misfit: Misfit) -> String {
        if self.layout.encoding != UTF_8 && text.contains(&DAMAGE) {
            return self.say_not_text(column, text);
        }
        reason::misfit(&column.name, text, column.form.column_type, misfit)
    }

    #[cold]
    fn say_not_text(&self, column: &NeededColumn, text: &[u8]) -> String {
        format!("column `{}`: {}", column.name, reason::not_text(text, self.layout.encoding))
    }
}

impl NeededColumn {
    fn is_text(&self) -> bool {
        matches!(self.form.column_type, ColumnType::String | ColumnType::Json)
    }
}

#[cfg(test)]
mod tests;
