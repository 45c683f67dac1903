//! One column of one row group, batch by batch.
//!
//! A batch is what has been decoded of one page and not been used. It never reaches over a page's end, so that texts can
//! point into the page.

use bytes::Bytes;

use super::dictionary::Dictionary;
use super::hybrid::Hybrid;
use super::pages::{DataPage, Lease, Page, Pages};
use super::stored::{Family, Span, Stored};
use super::values::{Batch, Decoder, TextsIn, Undecodable};
use super::{Broken, ParquetError};

/// Rows of a batch at most.
const BATCH_ROWS: usize = 4096;

pub(super) struct ColumnReader {
    pages: Pages,
    family: Family,
    dictionary: Option<Dictionary>,
    page: Option<OpenPage>,
    batch: Batch,
    /// For each row of the batch whether it has a value.
    defined: Vec<bool>,
    /// Rows of the batch that have been used.
    rows_used: usize,
    /// Values of the batch that have been used.
    values_used: usize,
    /// Rows up to which the batch has values; behind them stand rows whose values are still to be decoded.
    rows_ready: usize,
}

/// A data page that is being read.
struct OpenPage {
    bytes: Bytes,
    levels: Option<Hybrid>,
    levels_end: usize,
    decoder: Decoder,
    rows_left: usize,
    _lease: Lease,
}

/// Rows of a batch, as they are handed on.
pub(super) struct Rows<'a> {
    /// `None` where all have a value.
    pub defined: Option<&'a [bool]>,
    pub values: RowValues<'a>,
    pub row_count: usize,
}

/// Their values, without the nulls.
pub(super) enum RowValues<'a> {
    Ints(&'a [i64]),
    Floats(&'a [f64]),
    Bools(&'a [bool]),
    Texts { spans: &'a [Span], bytes: &'a [u8] },
    Entries { entries: &'a [u32], dictionary: &'a Dictionary },
}

impl ColumnReader {
    pub fn new(pages: Pages, family: Family) -> Self {
        Self {
            pages,
            family,
            dictionary: None,
            page: None,
            batch: Batch::new(family),
            defined: Vec::new(),
            rows_used: 0,
            values_used: 0,
            rows_ready: 0,
        }
    }

    /// How many rows can be taken at once. There is one at least: who asks knows that there are more rows.
    pub fn ready(&mut self) -> Result<usize, ParquetError> {
        if self.rows_used == self.rows_ready {
            if self.rows_used == self.defined.len() {
                self.start_batch()?;
            }
            self.decode_values()?;
        }
        Ok(self.rows_ready - self.rows_used)
    }

    /// Of the next `rows` rows, which are ready, as many as have texts of no more than `budget` bytes, but one.
    pub fn rows_within(&self, rows: usize, budget: usize) -> usize {
        let RowValues::Texts { spans, .. } = self.rows(rows).values else { return rows };
        let mut texts = spans.iter();
        let mut bytes = 0_usize;
        for (row, defined) in self.defined[self.rows_used..].iter().take(rows).enumerate() {
            if *defined {
                bytes += texts.next().map_or(0, |span| span.length as usize);
            }
            if bytes > budget {
                return row.max(1);
            }
        }
        rows
    }

    /// The next rows, which must be ready.
    pub fn rows(&self, row_count: usize) -> Rows<'_> {
        let defined = &self.defined[self.rows_used..self.rows_used + row_count];
        let value_count = defined.iter().filter(|defined| **defined).count();
        let range = self.values_used..self.values_used + value_count;
        let values = match (&self.batch.stored, &self.dictionary) {
            (Stored::Texts(_), Some(dictionary)) if self.batch.is_entries => {
                RowValues::Entries { entries: &self.batch.entries[range], dictionary }
            }
            (Stored::Ints(values), _) => RowValues::Ints(&values[range]),
            (Stored::Floats(values), _) => RowValues::Floats(&values[range]),
            (Stored::Bools(values), _) => RowValues::Bools(&values[range]),
            (Stored::Texts(spans), dictionary) => {
                let bytes = match self.batch.texts_in {
                    TextsIn::Page => self.page.as_ref().map(|page| &page.bytes[..]),
                    TextsIn::Dictionary => dictionary.as_ref().map(|dictionary| &dictionary.bytes[..]),
                    TextsIn::Batch => Some(&self.batch.bytes[..]),
                };
                RowValues::Texts { spans: &spans[range], bytes: bytes.unwrap_or_default() }
            }
        };
        Rows { defined: (value_count < row_count).then_some(defined), values, row_count }
    }

    /// The next rows, which must be ready, have been used.
    pub fn advance(&mut self, row_count: usize) {
        let defined = &self.defined[self.rows_used..self.rows_used + row_count];
        self.values_used += defined.iter().filter(|defined| **defined).count();
        self.rows_used += row_count;
    }

    /// Learns which of the next rows have values.
    fn start_batch(&mut self) -> Result<(), ParquetError> {
        while self.page.as_ref().is_none_or(|page| page.rows_left == 0) {
            self.open_page()?;
        }
        let Self { page: Some(page), defined, pages, .. } = self else { return Ok(()) };
        let row_count = page.rows_left.min(BATCH_ROWS);
        page.rows_left -= row_count;
        defined.clear();
        match &mut page.levels {
            None => defined.resize(row_count, true),
            Some(levels) => {
                let bytes = &page.bytes[..page.levels_end];
                let read = levels.read(bytes, row_count, defined, |level| level != 0);
                read.map_err(|broken| pages.broken(broken))?;
            }
        }
        self.rows_used = 0;
        self.rows_ready = 0;
        Ok(())
    }

    /// Decodes values for the rows of the batch that have none yet.
    fn decode_values(&mut self) -> Result<(), ParquetError> {
        let Some(page) = &mut self.page else { return Ok(()) };
        let waiting = &self.defined[self.rows_ready..];
        let wanted = waiting.iter().filter(|defined| **defined).count();
        let dictionary = self.dictionary.as_ref();
        let read = page.decoder.read(&page.bytes, self.family, dictionary, wanted, &mut self.batch);
        read.map_err(|broken| self.pages.broken(broken))?;
        self.values_used = 0;
        let mut missing = self.batch.len();
        if missing == 0 && wanted > 0 {
            return Err(self.pages.broken(Broken::new("its values end early")));
        }
        self.rows_ready = match missing == wanted {
            true => self.defined.len(),
            // To the first row whose value did not come.
            false => {
                let first = waiting.iter().position(|defined| match (*defined, missing) {
                    (true, 0) => true,
                    (true, _) => {
                        missing -= 1;
                        false
                    }
                    (false, _) => false,
                });
                self.rows_ready + first.unwrap_or(0)
            }
        };
        Ok(())
    }

    fn open_page(&mut self) -> Result<(), ParquetError> {
        // The old one's part of the budget is free before the new one's is asked for.
        self.page = None;
        let data = loop {
            match self.pages.next()? {
                None => {
                    let broken = Broken::new("there are fewer values than rows");
                    return Err(self.pages.broken(broken));
                }
                Some(Page::Data(data)) => break data,
                Some(Page::Dictionary(_)) if self.dictionary.is_some() => {
                    return Err(self.pages.broken(Broken::new("it is a second dictionary")));
                }
                Some(Page::Dictionary(page)) => {
                    let dictionary = Dictionary::new(page, self.family);
                    self.dictionary = Some(dictionary.map_err(|broken| self.pages.broken(broken))?);
                }
            }
        };
        let DataPage { bytes, count, encoding, levels, values_start, lease } = data;
        let decoder = match Decoder::new(encoding, self.family, &bytes, values_start) {
            Ok(decoder) => decoder,
            Err(Undecodable::Broken(broken)) => return Err(self.pages.broken(broken)),
            Err(Undecodable::Unsupported(what)) => return Err(self.pages.unsupported(what)),
        };
        let levels_end = levels.as_ref().map_or(0, |range| range.end);
        let levels = levels.map(|range| Hybrid::new(1, range.start)).transpose();
        let levels = levels.map_err(|broken| self.pages.broken(broken))?;
        self.page = Some(OpenPage { bytes, levels, levels_end, decoder, rows_left: count, _lease: lease });
        Ok(())
    }
}
