//! The whole way of a CSV file's text: bytes as they come out of the compression in, chunks of data rows out.
//!
//! It brings together what stands around the rows: the encoding, lines before the header, the header, the footer. Of
//! the rows themselves it knows only where they end.

use bytes::Bytes;

use super::footer::{FooterHolder, end_of_row};
use super::{CsvLayout, CutError, Header, HeaderError, HeaderRow, RowCutter};
use crate::contract::Column;
use crate::text::{EncodingError, Transcoder};

/// Why a file cannot be read, as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    #[error(transparent)]
    Cut(#[from] CutError),
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// Reads one file, from its first byte to its last.
///
/// It hands out chunks of whole data rows in UTF-8, each with the header that they belong to. However the bytes are
/// pushed, the chunks are the same. It holds as much as [`RowCutter`] does, and what may be the footer.
#[derive(Debug)]
pub struct ChunkReader {
    transcoder: Transcoder,
    text: TextReader,
}

/// Reads what the transcoder writes.
#[derive(Debug)]
struct TextReader {
    /// Lines that are still to be skipped.
    lines_to_skip: u32,
    cutter: RowCutter,
    rows: RowReader,
}

/// Reads what the cutter cuts.
#[derive(Debug)]
struct RowReader {
    layout: CsvLayout,
    contract: Vec<Column>,
    header: Option<FileHeader>,
    footer: FooterHolder,
}

#[derive(Debug)]
struct FileHeader {
    header: Header,
    unknown_columns: Vec<String>,
}

/// What ended the transcoder: its own error or that of a later step.
enum Stop<E> {
    Encoding(EncodingError),
    Later(E),
}

impl<E> From<EncodingError> for Stop<E> {
    fn from(error: EncodingError) -> Self {
        Stop::Encoding(error)
    }
}

impl<E: From<CsvError>> Stop<E> {
    fn into_error(self) -> E {
        match self {
            Stop::Encoding(error) => CsvError::Encoding(error).into(),
            Stop::Later(error) => error,
        }
    }
}

impl ChunkReader {
    /// `contract` holds all columns of the feed. For the limits see [`RowCutter::new`].
    ///
    /// # Panics
    ///
    /// As [`RowCutter::new`] does.
    pub fn new(layout: &CsvLayout, contract: &[Column], target_bytes: usize, max_row_bytes: usize) -> Self {
        let header = match layout.header {
            HeaderRow::Present => None,
            HeaderRow::Absent => {
                Some(FileHeader { header: Header::of_contract(contract), unknown_columns: Vec::new() })
            }
        };
        let rows = RowReader {
            layout: layout.clone(),
            contract: contract.to_vec(),
            header,
            footer: FooterHolder::new(layout),
        };
        let cutter = RowCutter::new(layout, target_bytes, max_row_bytes);
        Self {
            transcoder: Transcoder::new(layout.encoding),
            text: TextReader { lines_to_skip: layout.skip_rows, cutter, rows },
        }
    }

    /// Takes the next bytes of the file, however many, and hands out the chunks that they complete. No chunk is empty,
    /// though one may hold nothing but blank lines.
    pub fn push<E: From<CsvError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(&Header, Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { transcoder, text } = self;
        transcoder.push(input, &mut |piece: &[u8]| text.push(piece, out).map_err(Stop::Later)).map_err(Stop::into_error)
    }

    /// Says that the file is over and hands out what is left. Returns the names of the file's columns that the contract
    /// does not know.
    pub fn finish<E: From<CsvError>>(
        self,
        out: &mut impl FnMut(&Header, Bytes) -> Result<(), E>,
    ) -> Result<Vec<String>, E> {
        let Self { transcoder, mut text } = self;
        transcoder.finish(&mut |piece: &[u8]| text.push(piece, out).map_err(Stop::Later)).map_err(Stop::into_error)?;
        text.finish(out)
    }

    /// The header, once it was read. It is there before the first chunk is.
    pub fn header(&self) -> Option<&Header> {
        self.text.rows.header.as_ref().map(|file| &file.header)
    }

    /// The names in the header that no column of the contract reads.
    pub fn unknown_columns(&self) -> &[String] {
        self.text.rows.header.as_ref().map_or(&[], |file| &file.unknown_columns)
    }
}

impl TextReader {
    fn push<E: From<CsvError>>(
        &mut self,
        mut text: &[u8],
        out: &mut impl FnMut(&Header, Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        while self.lines_to_skip > 0 {
            let Some(line_end) = memchr::memchr(b'\n', text) else {
                self.cutter.pass_over(text.len());
                return Ok(());
            };
            self.cutter.pass_over(line_end + 1);
            text = &text[line_end + 1..];
            self.lines_to_skip -= 1;
        }
        let Self { cutter, rows, .. } = self;
        cutter.push(text, &mut |chunk| rows.push(chunk, out))
    }

    fn finish<E: From<CsvError>>(
        self,
        out: &mut impl FnMut(&Header, Bytes) -> Result<(), E>,
    ) -> Result<Vec<String>, E> {
        let Self { cutter, mut rows, .. } = self;
        cutter.finish(&mut |chunk| rows.push(chunk, out))?;
        rows.finish(out)
    }
}

impl RowReader {
    fn push<E: From<CsvError>>(
        &mut self,
        mut chunk: Bytes,
        out: &mut impl FnMut(&Header, Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let header = match &self.header {
            Some(file) => &file.header,
            None => {
                let (header, rows_begin) = match Header::read(&self.layout, &chunk) {
                    // Nothing but blank lines so far.
                    Err(HeaderError::Empty { .. }) => return Ok(()),
                    read => read.map_err(CsvError::from)?,
                };
                let unknown_columns = header.check(&self.layout, &self.contract).map_err(CsvError::from)?;
                chunk = chunk.slice(rows_begin..);
                &self.header.insert(FileHeader { header, unknown_columns }).header
            }
        };
        while let Some(piece) = first_rows_of_many(&mut chunk, &self.layout) {
            self.footer.push(piece, &mut |chunk| out(header, chunk))?;
        }
        if chunk.is_empty() {
            return Ok(());
        }
        self.footer.push(chunk, &mut |chunk| out(header, chunk))
    }

    fn finish<E: From<CsvError>>(
        self,
        out: &mut impl FnMut(&Header, Bytes) -> Result<(), E>,
    ) -> Result<Vec<String>, E> {
        let Some(FileHeader { header, unknown_columns }) = self.header else {
            let skip_rows = self.layout.skip_rows;
            return Err(CsvError::Header(HeaderError::Empty { skip_rows }).into());
        };
        self.footer.finish(&mut |chunk| out(&header, chunk))?;
        Ok(unknown_columns)
    }
}

/// Rows of a chunk. Without this limit a file of rows of two bytes, all of them bad, would fill the memory with reasons a
/// hundred times as long. Rows of 32 bytes and more never meet it in chunks of 2 MiB.
const MAX_CHUNK_ROWS: usize = 1 << 16;

/// Cuts as many rows as a chunk may have off one that has more.
fn first_rows_of_many(chunk: &mut Bytes, layout: &CsvLayout) -> Option<Bytes> {
    if memchr::memchr_iter(b'\n', chunk).count() <= MAX_CHUNK_ROWS {
        return None;
    }
    let end = end_of_row(chunk, layout, MAX_CHUNK_ROWS);
    (end < chunk.len()).then(|| chunk.split_to(end))
}

#[cfg(test)]
mod tests;
