//! The end of a file: its schema, and where the column chunks of its row groups are.
//!
//! The schema is read at once. Of the row groups only their lengths are kept, and where in the footer they stand: what
//! they say of their columns is read when one is opened, and only of the needed columns.

use bytes::Bytes;

use super::schema::FileColumn;
use super::source::{RangeSource, read_exactly};
use super::thrift::{Kind, ThriftError, ThriftReader};
use super::tree::{Element, columns_of};
use super::{Broken, MAX_COLUMNS, MAX_FOOTER_BYTES, MAX_ROW_GROUPS, ParquetError};

/// A footer, checked.
#[derive(Clone, Debug)]
pub(super) struct Footer {
    bytes: Bytes,
    pub columns: Vec<FileColumn>,
    pub groups: Vec<Group>,
    /// Where the footer begins, and no page may reach.
    data_end: u64,
}

/// One row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub row_count: u64,
    /// Where its struct stands in the footer.
    position: usize,
}

/// Where the pages of one column of one row group are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ColumnChunk {
    pub codec: i32,
    pub start: u64,
    pub end: u64,
}

const MAGIC: &[u8; 4] = b"PAR1";
const ENCRYPTED_MAGIC: &[u8; 4] = b"PARE";
const TAIL_BYTES: u64 = 8;
/// Read at once, in the hope that the footer is no longer.
const FIRST_READ_BYTES: u64 = 64 << 10;
/// More rows than any file has, and few enough that counting them comes to an end.
const MAX_ROWS: u64 = 1 << 40;
impl Footer {
    pub fn read(source: &dyn RangeSource) -> Result<Self, ParquetError> {
        let size = source.size_bytes();
        if size < TAIL_BYTES + MAGIC.len() as u64 {
            return Err(ParquetError::NotParquet("it is too short"));
        }
        let end = read_exactly(source, size - size.min(FIRST_READ_BYTES)..size)?;
        let tail = end.last_chunk::<8>().ok_or(ParquetError::NotParquet("it is too short"))?;
        let [l0, l1, l2, l3, magic @ ..] = tail;
        if magic == ENCRYPTED_MAGIC {
            return Err(ParquetError::Encrypted("the file".to_owned()));
        }
        if magic != MAGIC {
            return Err(ParquetError::NotParquet("it does not end with `PAR1`, and may have been cut off"));
        }
        let length = u64::from(u32::from_le_bytes([*l0, *l1, *l2, *l3]));
        if length > size - TAIL_BYTES - MAGIC.len() as u64 {
            let what = format!("claims {length} bytes in a file of {size}");
            return Err(Broken::new(what).at("footer"));
        }
        if length > MAX_FOOTER_BYTES {
            let what = format!("takes {length} bytes, more than the {MAX_FOOTER_BYTES} that are read");
            return Err(ParquetError::TooLarge { place: "footer".to_owned(), what });
        }
        let data_end = size - TAIL_BYTES - length;
        let bytes = match (end.len() as u64).checked_sub(TAIL_BYTES + length) {
            // Of its own, so that the rest of what was read is not kept.
            Some(start) => Bytes::copy_from_slice(&end[start as usize..end.len() - TAIL_BYTES as usize]),
            None => read_exactly(source, data_end..size - TAIL_BYTES)?,
        };
        Self::parse(bytes, data_end)
    }

    fn parse(bytes: Bytes, data_end: u64) -> Result<Self, ParquetError> {
        let mut parsed = Parsed::default();
        parsed.read_file(&mut ThriftReader::new(&bytes)).map_err(Fault::into_error)?;
        let Parsed { elements, groups, row_count } = parsed;
        let columns = columns_of(&elements).map_err(Fault::into_error)?;
        let groups_rows = groups.iter().try_fold(0_u64, |sum, group| sum.checked_add(group.row_count));
        if groups_rows.is_none_or(|rows| rows > MAX_ROWS) {
            let what = format!("claims more than {MAX_ROWS} rows");
            return Err(ParquetError::TooLarge { place: "footer".to_owned(), what });
        }
        if groups_rows != row_count {
            return Err(Broken::new("its row groups have not as many rows as the file").at("footer"));
        }
        Ok(Self { bytes, columns, groups, data_end })
    }

    /// What the row group `index` says of the column chunks numbered `wanted`, in that order.
    pub fn chunks(&self, index: usize, wanted: &[usize]) -> Result<Vec<ColumnChunk>, ParquetError> {
        let place = || format!("row group {}", index + 1);
        let group = self.groups.get(index).ok_or_else(|| Broken::new("is not there").at(place()))?;
        let mut found = vec![None; wanted.len()];
        let mut slots: Vec<(usize, usize)> = wanted.iter().copied().zip(0..).collect();
        slots.sort_unstable();
        let mut slots = slots.into_iter().peekable();
        let mut reader = ThriftReader::at(&self.bytes, group.position);
        let mut last_id = 0;
        let mut read = || -> Result<(), Fault> {
            while let Some(field) = reader.next_field(&mut last_id)? {
                if (field.id, field.kind) != (1, Kind::List) {
                    reader.skip(field.kind)?;
                    continue;
                }
                for column in 0..reader.list_of_structs()? {
                    if slots.peek().is_none_or(|(wanted, _)| *wanted != column) {
                        reader.skip(Kind::Struct)?;
                        continue;
                    }
                    let chunk = self.read_chunk(&mut reader, group.row_count)?;
                    while let Some((_, slot)) = slots.next_if(|(wanted, _)| *wanted == column) {
                        found[slot] = Some(chunk);
                    }
                }
            }
            Ok(())
        };
        read().map_err(|fault| fault.into_error_at(&place()))?;
        let found: Option<Vec<ColumnChunk>> = found.into_iter().collect();
        found.ok_or_else(|| Broken::new("has fewer columns than the schema").at(place()))
    }

    fn read_chunk(&self, reader: &mut ThriftReader, row_count: u64) -> Result<ColumnChunk, Fault> {
        let mut last_id = 0;
        let mut chunk = None;
        while let Some(field) = reader.next_field(&mut last_id)? {
            match (field.id, field.kind) {
                (1, Kind::Binary) if !reader.binary()?.is_empty() => {
                    return Err(Fault::Unsupported("a column's data stands in another file"));
                }
                (1, Kind::Binary) => {}
                (3, Kind::Struct) => chunk = Some(self.read_chunk_metadata(reader, row_count)?),
                (8, _) => return Err(Fault::Encrypted),
                (_, kind) => reader.skip(kind)?,
            }
        }
        chunk.ok_or(Fault::Broken("a column has no metadata"))
    }

    fn read_chunk_metadata(&self, reader: &mut ThriftReader, row_count: u64) -> Result<ColumnChunk, Fault> {
        let (mut codec, mut values, mut length) = (None, None, None);
        let (mut first_page, mut dictionary) = (None, None);
        let mut last_id = 0;
        while let Some(field) = reader.next_field(&mut last_id)? {
            match (field.id, field.kind) {
                (4, Kind::Int) => codec = Some(reader.int32()?),
                (5, Kind::Int) => values = Some(reader.int()?),
                (7, Kind::Int) => length = Some(reader.int()?),
                (9, Kind::Int) => first_page = Some(reader.int()?),
                (11, Kind::Int) => dictionary = Some(reader.int()?),
                (_, kind) => reader.skip(kind)?,
            }
        }
        let (Some(codec), Some(values), Some(length), Some(first_page)) = (codec, values, length, first_page) else {
            return Err(Fault::Broken("a column's metadata is incomplete"));
        };
        if u64::try_from(values) != Ok(row_count) {
            return Err(Fault::Broken("a column has not as many values as rows"));
        }
        // Some writers say 0 where there is no dictionary.
        let start = dictionary.filter(|start| (1..first_page).contains(start)).unwrap_or(first_page);
        let end = start.checked_add(length).and_then(|end| u64::try_from(end).ok());
        match (u64::try_from(start), end) {
            (Ok(start), Some(end)) if start <= end && end <= self.data_end => Ok(ColumnChunk { codec, start, end }),
            _ => Err(Fault::Broken("a column's pages lie outside the file")),
        }
    }
}

/// Why a footer is refused, before it is known where.
pub(super) enum Fault {
    Thrift(ThriftError),
    Broken(&'static str),
    Unsupported(&'static str),
    TooLarge(String),
    Encrypted,
}

impl From<ThriftError> for Fault {
    fn from(error: ThriftError) -> Self {
        Fault::Thrift(error)
    }
}

impl Fault {
    fn into_error(self) -> ParquetError {
        self.into_error_at("footer")
    }

    fn into_error_at(self, place: &str) -> ParquetError {
        match self {
            Fault::Thrift(ThriftError::End) => Broken::new("ends early").at(place),
            Fault::Thrift(ThriftError::Malformed) => Broken::new("is not readable").at(place),
            Fault::Broken(what) => Broken::new(what).at(place),
            Fault::Unsupported(what) => ParquetError::Unsupported { place: place.to_owned(), what: what.to_owned() },
            Fault::TooLarge(what) => ParquetError::TooLarge { place: place.to_owned(), what },
            Fault::Encrypted => ParquetError::Encrypted("a column".to_owned()),
        }
    }
}

/// What the footer holds, before it is checked.
#[derive(Default)]
struct Parsed<'a> {
    elements: Vec<Element<'a>>,
    groups: Vec<Group>,
    row_count: Option<u64>,
}

impl<'a> Parsed<'a> {
    fn read_file(&mut self, reader: &mut ThriftReader<'a>) -> Result<(), Fault> {
        let mut last_id = 0;
        while let Some(field) = reader.next_field(&mut last_id)? {
            match (field.id, field.kind) {
                (2, Kind::List) => {
                    let count = reader.list_of_structs()?;
                    // Nested columns have nodes between the root and the leaves.
                    if count > 3 * MAX_COLUMNS {
                        return Err(Fault::TooLarge(format!("the schema has {count} nodes, too many to read")));
                    }
                    for _ in 0..count {
                        self.elements.push(Element::read(reader)?);
                    }
                }
                (3, Kind::Int) => self.row_count = u64::try_from(reader.int()?).ok(),
                (4, Kind::List) => {
                    let count = reader.list_of_structs()?;
                    if count > MAX_ROW_GROUPS {
                        let what = format!("{count} row groups are more than the {MAX_ROW_GROUPS} that are read");
                        return Err(Fault::TooLarge(what));
                    }
                    for _ in 0..count {
                        self.groups.push(Group::read(reader)?);
                    }
                }
                (8, Kind::Struct) => return Err(Fault::Encrypted),
                (_, kind) => reader.skip(kind)?,
            }
        }
        Ok(())
    }
}

impl Group {
    fn read(reader: &mut ThriftReader) -> Result<Self, Fault> {
        let position = reader.position();
        let mut row_count = None;
        let mut last_id = 0;
        while let Some(field) = reader.next_field(&mut last_id)? {
            match (field.id, field.kind) {
                (3, Kind::Int) => row_count = u64::try_from(reader.int()?).ok(),
                (_, kind) => reader.skip(kind)?,
            }
        }
        let row_count = row_count.ok_or(Fault::Broken("a row group has no number of rows"))?;
        Ok(Self { row_count, position })
    }
}
