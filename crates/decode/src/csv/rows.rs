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
    next_start: usize,
    row: Row,
    /// Where the first cells of the current row end; the length is as many as the reader asked to keep.
    cell_ends: Vec<u32>,
}

/// The row that a [`Rows`] stands at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    start: usize,
    /// Before the line end.
    end: usize,
    pub cell_count: usize,
    /// It may have quotes; without, no cell is quoted.
    pub quoted: bool,
    /// It may have literal quotes.
    stray: bool,
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
            quote: layout.quote_byte(),
            scanner: Scanner::new(layout),
            marks: Marks::default(),
            block_start: 0,
            next_start: 0,
            row: Row::default(),
            cell_ends: vec![0; kept_cells],
        };
        rows.scan_block();
        rows
    }

    #[inline]
    fn scan_block(&mut self) {
        self.marks = match self.blocks.get(self.block_start / BLOCK) {
            Some(block) => self.scanner.scan(block),
            None => self.scanner.scan_short(&self.bytes[self.block_start.min(self.bytes.len())..]),
        };
    }

    /// Where the next row begins, blank lines before it included.
    pub fn position(&self) -> usize {
        self.next_start
    }

    /// Goes to the next row that is not blank, if there is one.
    ///
    /// The row is left in `self`: returned through memory it would cost the decoder a tenth of its speed.
    pub fn advance(&mut self) -> bool {
        let mut start = self.next_start;
        let mut cell_count = 0;
        let (mut quoted, mut stray) = (false, false);
        loop {
            quoted |= self.marks.quoted;
            stray |= self.marks.stray;
            if self.marks.row_ends == 0 {
                cell_count = self.keep_cell_ends(cell_count, self.marks.delimiters);
                self.block_start += BLOCK;
                if self.block_start >= self.bytes.len() {
                    return self.advance_to_end(start, cell_count, quoted, stray);
                }
                self.scan_block();
                continue;
            }
            let bit = self.marks.row_ends.trailing_zeros();
            let before = (1 << bit) - 1;
            cell_count = self.keep_cell_ends(cell_count, self.marks.delimiters & before);
            self.marks.delimiters &= !before;
            self.marks.row_ends &= self.marks.row_ends - 1;
            let line_feed = self.block_start + bit as usize;
            let is_crlf = line_feed > start && self.bytes[line_feed - 1] == b'\r';
            let end = line_feed - usize::from(is_crlf);
            self.next_start = line_feed + 1;
            if end > start {
                self.end_row(Row { start, end, cell_count, quoted, stray, unclosed: false });
                return true;
            }
            start = self.next_start;
            (quoted, stray) = (false, false);
        }
    }

    /// The current row.
    #[inline]
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// The bytes of the row, without its line end.
    pub fn raw(&self) -> &'a [u8] {
        &self.bytes[self.row.start..self.row.end]
    }

    /// Cell `index` of the row, which must be kept and there.
    #[inline]
    pub fn cell(&self, index: usize) -> Cell {
        let (start, end) = self.bounds(index);
        if !self.row.quoted || start == end || self.bytes[start] != self.quote {
            return Cell::Plain { start, end };
        }
        // A row with an unclosed quote, or with text after a closing one, never comes here.
        let (start, end) = (start + 1, end - 1);
        match memchr::memchr(self.quote, &self.bytes[start..end]) {
            None => Cell::Quoted { start, end },
            Some(_) => Cell::Doubled { start, end },
        }
    }

    /// The first kept cell with text after its closing quote. Of an unclosed row it is the last cell that is broken.
    pub fn broken_cell(&self) -> Option<usize> {
        if !self.row.quoted {
            return None;
        }
        (0..self.row.cell_count.min(self.cell_ends.len())).find(|&index| {
            let (start, end) = self.bounds(index);
            start < end && self.bytes[start] == self.quote && !self.is_closed(start + 1, end)
        })
    }

    /// Whether the quoted cell whose text begins at `start` closes right before `end`.
    #[inline]
    fn is_closed(&self, start: usize, end: usize) -> bool {
        let ends_with_quote = end > start && self.bytes[end - 1] == self.quote;
        if !self.row.stray {
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
    fn bounds(&self, index: usize) -> (usize, usize) {
        let start = if index == 0 { self.row.start } else { self.cell_ends[index - 1] as usize + 1 };
        (start, self.cell_ends[index] as usize)
    }

    /// To the row at the end of the data, if it has any bytes.
    #[cold]
    fn advance_to_end(&mut self, start: usize, cell_count: usize, quoted: bool, stray: bool) -> bool {
        let end = self.bytes.len();
        self.next_start = end;
        self.marks = Marks::default();
        if start == end {
            return false;
        }
        self.end_row(Row { start, end, cell_count, quoted, stray, unclosed: self.scanner.is_inside() });
        true
    }

    /// The last cell ends with the row.
    #[inline]
    fn end_row(&mut self, row: Row) {
        if let Some(end) = self.cell_ends.get_mut(row.cell_count) {
            *end = row.end as u32;
        }
        self.row = Row { cell_count: row.cell_count + 1, ..row };
    }

    /// Keeps the places of the delimiters; returns how many the row then has.
    #[inline]
    fn keep_cell_ends(&mut self, mut count: usize, mut delimiters: u64) -> usize {
        while delimiters != 0 {
            if let Some(end) = self.cell_ends.get_mut(count) {
                *end = (self.block_start + delimiters.trailing_zeros() as usize) as u32;
            }
            count += 1;
            delimiters &= delimiters - 1;
        }
        count
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
