//! One column chunk, page by page: headers read and held against what is there, bodies inflated.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::codec::Codec;
use super::footer::ColumnChunk;
use super::source::{RangeSource, Stretch};
use super::thrift::{Kind, ThriftError, ThriftReader};
use super::{Broken, MAX_DICTIONARY_BYTES, MAX_DICTIONARY_ENTRIES, MAX_OPEN_BYTES, MAX_PAGE_BYTES, ParquetError};

/// The pages of a column chunk that have not been read.
pub(super) struct Pages {
    stretch: Stretch,
    codec: Codec,
    /// Whether the data pages have definition levels.
    optional: bool,
    /// Values that are still to come, nulls included.
    values_left: u64,
    page_number: u32,
    place: String,
    budget: Budget,
}

pub(super) enum Page {
    Dictionary(DictionaryPage),
    Data(DataPage),
}

/// Entries in the plain encoding.
pub(super) struct DictionaryPage {
    pub bytes: Bytes,
    pub count: usize,
    pub lease: Lease,
}

pub(super) struct DataPage {
    pub bytes: Bytes,
    /// Nulls included; never 0.
    pub count: usize,
    /// By its number in the format.
    pub encoding: i32,
    /// Where in the bytes the definition levels stand, if there are any.
    pub levels: Option<Range<usize>>,
    /// Where the values begin; they reach to the end.
    pub values_start: usize,
    pub lease: Lease,
}

/// What the columns of one row group's reader may keep open together.
#[derive(Clone, Default)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// A part of the budget, until it is dropped.
pub(super) struct Lease {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    fn lease(&self, bytes: usize) -> Result<Lease, Refusal> {
        // The lease first, so that it is given back if it is too much.
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let lease = Lease { budget: self.clone(), bytes };
        if before + bytes > MAX_OPEN_BYTES {
            return Err(Refusal::TooLarge(format!(
                "the pages that belong to the same rows take more than the {MAX_OPEN_BYTES} bytes that are kept in \
                 memory; ask for smaller pages"
            )));
        }
        Ok(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Why a page is refused, before it is known where.
enum Refusal {
    Broken(Broken),
    TooLarge(String),
    Unsupported(String),
    Source(ParquetError),
}

impl From<Broken> for Refusal {
    fn from(broken: Broken) -> Self {
        Refusal::Broken(broken)
    }
}

impl From<ParquetError> for Refusal {
    fn from(error: ParquetError) -> Self {
        Refusal::Source(error)
    }
}

const RLE: i32 = 3;
const FIRST_HEADER_READ_BYTES: usize = 1 << 10;
/// Headers may hold statistics, and these the longest strings of a page.
const MAX_HEADER_BYTES: usize = 1 << 20;

impl Pages {
    /// `place` names the column in messages.
    pub fn new(
        source: Arc<dyn RangeSource>,
        chunk: ColumnChunk,
        row_count: u64,
        optional: bool,
        place: String,
        budget: Budget,
    ) -> Result<Self, ParquetError> {
        let Some(codec) = Codec::new(chunk.codec) else {
            let what = match chunk.codec {
                3 => "is compressed by LZO, which is not read; ask for zstd or snappy".to_owned(),
                other => format!("is compressed by a codec unknown to this version (number {other})"),
            };
            return Err(ParquetError::Unsupported { place, what });
        };
        let stretch = Stretch::new(source, chunk.start..chunk.end);
        Ok(Self { stretch, codec, optional, values_left: row_count, page_number: 0, place, budget })
    }

    /// The next page, or `None` when all values have come.
    pub fn next(&mut self) -> Result<Option<Page>, ParquetError> {
        while self.values_left > 0 {
            let page = self.read().map_err(|refusal| self.place(refusal))?;
            self.page_number += 1;
            if page.is_some() {
                return Ok(page);
            }
        }
        Ok(None)
    }

    /// Puts the column and the page into words: for whoever finds out later what is wrong with it.
    pub fn broken(&self, broken: Broken) -> ParquetError {
        broken.at(format!("{}, page {}", self.place, self.page_number))
    }

    /// As [`Pages::broken`], of what is not wrong but not read either.
    pub fn unsupported(&self, what: String) -> ParquetError {
        ParquetError::Unsupported { place: format!("{}, page {}", self.place, self.page_number), what }
    }

    fn place(&self, refusal: Refusal) -> ParquetError {
        let place = format!("{}, page {}", self.place, self.page_number + 1);
        match refusal {
            Refusal::Broken(broken) => broken.at(place),
            Refusal::TooLarge(what) => ParquetError::TooLarge { place, what },
            Refusal::Unsupported(what) => ParquetError::Unsupported { place, what },
            Refusal::Source(error) => error,
        }
    }

    /// Reads one page; `None` for one that holds no values.
    fn read(&mut self) -> Result<Option<Page>, Refusal> {
        let header = self.read_header()?;
        let lease = self.budget.lease(header.stored + header.inflated)?;
        let Some(stored) = self.stretch.take(header.stored)? else {
            return Err(Broken::new("is cut off").into());
        };
        if let Some(crc) = header.crc {
            let mut actual = flate2::Crc::new();
            actual.update(&stored);
            if actual.sum() != crc {
                return Err(Broken::new("its bytes do not agree with its checksum").into());
            }
        }
        match header.kind {
            Some(PageKind::Dictionary { count }) => {
                let bytes = self.inflate(stored, header.inflated, 0, true)?;
                Ok(Some(Page::Dictionary(DictionaryPage { bytes, count, lease })))
            }
            Some(PageKind::Data { count: 0, .. } | PageKind::DataV2 { count: 0, .. }) | None => Ok(None),
            Some(PageKind::Data { count, encoding, level_encoding }) => {
                self.count_values(count)?;
                let bytes = self.inflate(stored, header.inflated, 0, true)?;
                let (levels, values_start) = match self.optional {
                    true => split_levels(&bytes, level_encoding)?,
                    false => (None, 0),
                };
                Ok(Some(Page::Data(DataPage { bytes, count, encoding, levels, values_start, lease })))
            }
            Some(PageKind::DataV2 { count, encoding, level_bytes, is_compressed }) => {
                self.count_values(count)?;
                let values_start = level_bytes.end;
                if values_start > stored.len() || values_start > header.inflated {
                    return Err(Broken::new("its levels are longer than itself").into());
                }
                let bytes = self.inflate(stored, header.inflated, values_start, is_compressed)?;
                let levels = self.optional.then_some(level_bytes);
                Ok(Some(Page::Data(DataPage { bytes, count, encoding, levels, values_start, lease })))
            }
        }
    }

    fn count_values(&mut self, count: usize) -> Result<(), Broken> {
        let left = self.values_left.checked_sub(count as u64);
        self.values_left = left.ok_or_else(|| Broken::new("has more values than its row group has rows"))?;
        Ok(())
    }

    /// The bytes, of which the first `plain` are never compressed.
    fn inflate(&mut self, stored: Bytes, inflated: usize, plain: usize, is_compressed: bool) -> Result<Bytes, Broken> {
        if self.codec.is_none() || !is_compressed {
            return Ok(stored);
        }
        let mut bytes = Vec::with_capacity(inflated);
        bytes.extend_from_slice(&stored[..plain]);
        // A page of nulls only may have no values at all, not even compressed ones.
        if inflated > plain {
            self.codec.inflate(&stored[plain..], inflated - plain, &mut bytes)?;
        }
        Ok(bytes.into())
    }

    fn read_header(&mut self) -> Result<Header, Refusal> {
        let mut length = FIRST_HEADER_READ_BYTES;
        loop {
            let ahead = self.stretch.peek(length)?;
            if ahead.is_empty() {
                return Err(Broken::new("is missing: there are fewer values than rows").into());
            }
            let mut reader = ThriftReader::new(&ahead[..ahead.len().min(MAX_HEADER_BYTES)]);
            match RawHeader::read(&mut reader) {
                Ok(header) => {
                    let read = reader.position();
                    self.stretch.take(read)?;
                    return header.checked();
                }
                Err(ThriftError::End) if ahead.len() >= length && length < MAX_HEADER_BYTES => {
                    length = (ahead.len() + 1).clamp(2 * length, MAX_HEADER_BYTES);
                }
                Err(ThriftError::End) => return Err(Broken::new("its header ends early").into()),
                Err(ThriftError::Malformed) => return Err(Broken::new("its header is not readable").into()),
            }
        }
    }
}

/// Definition levels of version 1: a length of four bytes, then runs.
fn split_levels(bytes: &[u8], encoding: i32) -> Result<(Option<Range<usize>>, usize), Refusal> {
    if encoding != RLE {
        return Err(Refusal::Unsupported("its levels are in an encoding that has long been given up".to_owned()));
    }
    let length = bytes.first_chunk::<4>().map(|length| u32::from_le_bytes(*length) as usize);
    match length.and_then(|length| length.checked_add(4)) {
        Some(end) if end <= bytes.len() => Ok((Some(4..end), end)),
        _ => Err(Broken::new("its levels are longer than itself").into()),
    }
}

/// A page's header as it stands there.
#[derive(Default)]
struct RawHeader {
    kind: Option<i64>,
    inflated: Option<i64>,
    stored: Option<i64>,
    crc: Option<u32>,
    data: Option<[i64; 8]>,
    data_v2: Option<[i64; 8]>,
    dictionary: Option<[i64; 8]>,
}

/// One that can be true.
struct Header {
    kind: Option<PageKind>,
    inflated: usize,
    stored: usize,
    crc: Option<u32>,
}

enum PageKind {
    Dictionary { count: usize },
    Data { count: usize, encoding: i32, level_encoding: i32 },
    DataV2 { count: usize, encoding: i32, level_bytes: Range<usize>, is_compressed: bool },
}

impl RawHeader {
    fn read(reader: &mut ThriftReader) -> Result<Self, ThriftError> {
        let mut header = Self::default();
        let mut last_id = 0;
        while let Some(field) = reader.next_field(&mut last_id)? {
            match (field.id, field.kind) {
                (1, Kind::Int) => header.kind = Some(reader.int()?),
                (2, Kind::Int) => header.inflated = Some(reader.int()?),
                (3, Kind::Int) => header.stored = Some(reader.int()?),
                (4, Kind::Int) => header.crc = Some(reader.int32()? as u32),
                (5, Kind::Struct) => header.data = Some(read_numbers(reader)?),
                (7, Kind::Struct) => header.dictionary = Some(read_numbers(reader)?),
                (8, Kind::Struct) => header.data_v2 = Some(read_numbers(reader)?),
                (_, kind) => reader.skip(kind)?,
            }
        }
        Ok(header)
    }

    /// Holds what the header claims against the limits.
    fn checked(self) -> Result<Header, Refusal> {
        let size = |claimed: Option<i64>| -> Result<usize, Refusal> {
            let size = claimed.and_then(|claimed| usize::try_from(claimed).ok());
            let size = size.ok_or_else(|| Broken::new("its header names no size"))?;
            if size > MAX_PAGE_BYTES {
                return Err(Refusal::TooLarge(format!(
                    "a page of {size} bytes is more than the {MAX_PAGE_BYTES} that are read; ask for smaller pages"
                )));
            }
            Ok(size)
        };
        let (stored, inflated) = (size(self.stored)?, size(self.inflated)?);
        let number = |numbers: &[i64; 8], id: usize| -> Result<usize, Broken> {
            let number = i32::try_from(numbers[id]).ok().and_then(|number| usize::try_from(number).ok());
            number.ok_or_else(|| Broken::new("its header is incomplete"))
        };
        let incomplete = || Broken::new("its header is incomplete");
        let kind = match self.kind {
            Some(0) => {
                let data = self.data.ok_or_else(incomplete)?;
                Some(PageKind::Data {
                    count: number(&data, 1)?,
                    encoding: number(&data, 2)? as i32,
                    level_encoding: number(&data, 3)? as i32,
                })
            }
            // An index of pages: nothing that is read.
            Some(1) => None,
            Some(2) => {
                let dictionary = self.dictionary.ok_or_else(incomplete)?;
                let count = number(&dictionary, 1)?;
                if inflated > MAX_DICTIONARY_BYTES || count > MAX_DICTIONARY_ENTRIES {
                    return Err(Refusal::TooLarge(format!(
                        "a dictionary of {count} entries in {inflated} bytes is more than the {MAX_DICTIONARY_ENTRIES} \
                         in {MAX_DICTIONARY_BYTES} that are read; ask for the column without dictionary"
                    )));
                }
                Some(PageKind::Dictionary { count })
            }
            Some(3) => {
                let data = self.data_v2.ok_or_else(incomplete)?;
                let (level_bytes, repetition_bytes) = (number(&data, 5)?, number(&data, 6)?);
                let is_compressed = data[7] != 0;
                let level_bytes = repetition_bytes..repetition_bytes.saturating_add(level_bytes);
                let encoding = number(&data, 4)? as i32;
                Some(PageKind::DataV2 { count: number(&data, 1)?, encoding, level_bytes, is_compressed })
            }
            _ => return Err(Broken::new("its header is of no known kind").into()),
        };
        Ok(Header { kind, inflated, stored, crc: self.crc })
    }
}

const ABSENT: i64 = i64::MIN;

/// The integers and truth values of a struct, by their numbers from 1 to 7.
fn read_numbers(reader: &mut ThriftReader) -> Result<[i64; 8], ThriftError> {
    let mut numbers = [ABSENT; 8];
    let mut last_id = 0;
    while let Some(field) = reader.next_field(&mut last_id)? {
        let slot = usize::try_from(field.id).ok().and_then(|id| numbers.get_mut(id));
        match (slot, field.kind) {
            (Some(slot), Kind::Int) => *slot = reader.int()?,
            (Some(slot), Kind::True | Kind::False) => *slot = i64::from(field.kind == Kind::True),
            (_, kind) => reader.skip(kind)?,
        }
    }
    Ok(numbers)
}
