//! The rows of one chunk and where their cells stand.
//!
//! It knows no columns and no values. Blank lines are passed over here, so that rows have the same numbers everywhere.

use super::CsvLayout;
use super::scan::{BLOCK, Marks, Scanner};

/// Walks the rows of a chunk.
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
    blocks: &'a [[u8; BLOCK]],
    quote: u8,
    scanner: Scanner,
    /// What is left of the current block.
    marks: Marks,
    /// Where the current block begins.
    block_start: usize,
    /// Where the next row begins.
    row_start: usize,
    /// Where the first cells of the current row end; the length is as many as the reader asked to keep.
    cell_ends: Vec<u32>,
}

/// One row; its cells are in the [`Rows`] that returned it, until it returns the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub start: usize,
    /// Before the line end.
    pub end: usize,
    pub cell_count: usize,
    /// It may have quotes; without, no cell is quoted.
    pub quoted: bool,
    /// It may have literal quotes.
    pub stray: bool,
    /// The data ends inside quotes.
    pub unclosed: bool,
}

/// A cell without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// From `start` to `end` in the chunk, as it is.
    Plain { start: usize, end: usize },
    /// The same between quotes.
    Quoted { start: usize, end: usize },
    /// Between quotes, with doubled quotes that mean one.
    Doubled { start: usize, end: usize },
}

impl<'a> Rows<'a> {
    /// Keeps the places of the first `kept_cells` cells of each row.
    pub fn new(bytes: &'a [u8], layout: &CsvLayout, kept_cells: usize) -> Self {
        let mut rows = Self {
            bytes,
            blocks: bytes.as_chunks().0,
            quote: layout.quote,
            scanner: Scanner::new(layout),
            marks: Marks::default(),
            block_start: 0,
            row_start: 0,
            cell_ends: vec![0; kept_cells],
        };
        rows.scan_block();
        rows
    }

    #[inline]
    fn scan_block(&mut self) {
        self.marks = match self.blocks.get(self.block_start / BLOCK) {
            Some(block) => self.scanner.scan(block),
            None => self
                .scanner
                .scan_short(&self.bytes[self.block_start.min(self.bytes.len())..]),
        };
    }

    /// Where the next row begins, blank lines before it included.
    pub fn position(&self) -> usize {
        self.row_start
    }

    /// The next row that is not blank.
    #[inline]
    pub fn next_row(&mut self) -> Option<Row> {
        let mut row = self.empty_row();
        loop {
            row.quoted |= self.marks.quoted;
            row.stray |= self.marks.stray;
            if self.marks.row_ends == 0 {
                self.keep_cell_ends(&mut row.cell_count, self.marks.delimiters);
                self.block_start += BLOCK;
                if self.block_start >= self.bytes.len() {
                    return self.last_row(row);
                }
                self.scan_block();
                continue;
            }
            let bit = self.marks.row_ends.trailing_zeros();
            let before = (1 << bit) - 1;
            self.keep_cell_ends(&mut row.cell_count, self.marks.delimiters & before);
            self.marks.delimiters &= !before;
            self.marks.row_ends &= self.marks.row_ends - 1;
            let line_feed = self.block_start + bit as usize;
            self.row_start = line_feed + 1;
            row.end = line_feed;
            if line_feed > row.start && self.bytes[line_feed - 1] == b'\r' {
                row.end -= 1;
            }
            if row.end > row.start {
                self.end_last_cell(&mut row);
                return Some(row);
            }
            row = self.empty_row();
        }
    }

    /// The bytes of a row, without its line end.
    pub fn raw(&self, row: &Row) -> &'a [u8] {
        &self.bytes[row.start..row.end]
    }

    /// Cell `index` of the row, which must be kept and there.
    #[inline]
    pub fn cell(&self, row: &Row, index: usize) -> Cell {
        let (start, end) = self.bounds(row, index);
        if !row.quoted || start == end || self.bytes[start] != self.quote {
            return Cell::Plain { start, end };
        }
        // A row with an unclosed quote, or with text after a closing one, never comes here.
        let (start, end) = (start + 1, end - 1);
        match memchr::memchr(self.quote, &self.bytes[start..end]) {
            None => Cell::Quoted { start, end },
            Some(_) => Cell::Doubled { start, end },
        }
    }

    /// The first kept cell with text after its closing quote, or, in an unclosed row, the one that is never closed.
    pub fn broken_cell(&self, row: &Row) -> Option<usize> {
        if !row.quoted {
            return None;
        }
        (0..row.cell_count.min(self.cell_ends.len())).find(|&index| {
            let (start, end) = self.bounds(row, index);
            start < end && self.bytes[start] == self.quote && !self.is_closed(row, start + 1, end)
        })
    }

    /// Whether the quoted cell whose text begins at `start` closes right before `end`.
    #[inline]
    fn is_closed(&self, row: &Row, start: usize, end: usize) -> bool {
        let ends_with_quote = end > start && self.bytes[end - 1] == self.quote;
        if !row.stray && !row.unclosed {
            // Text after the closing quote either has no quote at its end, or that one is literal.
            return ends_with_quote;
        }
        let mut at = start;
        while let Some(offset) = memchr::memchr(self.quote, &self.bytes[at..end]) {
            let quote = at + offset;
            if self.bytes.get(quote + 1) != Some(&self.quote) || quote + 1 >= end {
                return quote + 1 == end;
            }
            at = quote + 2;
        }
        false
    }

    #[inline]
    fn bounds(&self, row: &Row, index: usize) -> (usize, usize) {
        let start = if index == 0 {
            row.start
        } else {
            self.cell_ends[index - 1] as usize + 1
        };
        (start, self.cell_ends[index] as usize)
    }

    fn empty_row(&self) -> Row {
        Row {
            start: self.row_start,
            end: self.row_start,
            cell_count: 0,
            quoted: false,
            stray: false,
            unclosed: false,
        }
    }

    /// The row at the end of the data, if it has any bytes.
    #[cold]
    fn last_row(&mut self, mut row: Row) -> Option<Row> {
        self.row_start = self.bytes.len();
        if row.start == self.bytes.len() {
            return None;
        }
        row.end = self.bytes.len();
        row.unclosed = self.scanner.is_inside();
        self.end_last_cell(&mut row);
        Some(row)
    }

    #[inline]
    fn end_last_cell(&mut self, row: &mut Row) {
        if let Some(end) = self.cell_ends.get_mut(row.cell_count) {
            *end = row.end as u32;
        }
        row.cell_count += 1;
    }

    #[inline]
    fn keep_cell_ends(&mut self, cell_count: &mut usize, mut delimiters: u64) {
        while delimiters != 0 {
            if let Some(end) = self.cell_ends.get_mut(*cell_count) {
                *end = (self.block_start + delimiters.trailing_zeros() as usize) as u32;
            }
            *cell_count += 1;
            delimiters &= delimiters - 1;
        }
    }
}

/// The text of a cell with doubled quotes, appended to `text`.
pub(super) fn undouble(mut cell: &[u8], quote: u8, text: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(quote, cell) {
        text.extend_from_slice(&cell[..=at]);
        cell = cell.get(at + 2..).unwrap_or_default();
    }
    text.extend_from_slice(cell);
}
