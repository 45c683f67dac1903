//! Typed rows as Parquet: what a feed with `curated = true` keeps.
//!
//! Every type of the contract has one Parquet type, which Spark, DuckDB, Arrow and Azure's services read: INT64, DOUBLE,
//! DECIMAL (in an INT64 up to 18 digits, in sixteen bytes beyond), BOOLEAN, DATE, TIMESTAMP(MICROS, UTC), STRING, JSON.
//! All columns are optional. The same rows added in the same order make the same bytes, however they were chunked.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType, ZstdLevel};
use parquet::data_type as stored;
use parquet::errors::ParquetError as CrateError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::columns::{ColumnValues, DecodedChunk, StringView, Values};
use crate::contract::{Column, ColumnType};

/// Rows of a row group; the last one has fewer.
pub const GROUP_ROWS: usize = 131_072;
/// A row group ends early where its strings reach this.
pub const GROUP_TEXT_BYTES: usize = 64 << 20;

const CREATED_BY: &str = concat!("millrace ", env!("CARGO_PKG_VERSION"));
const ZSTD_LEVEL: i32 = 3;
/// Digits that an INT64 holds.
const INT64_DIGITS: u8 = 18;
const WIDE_DECIMAL_BYTES: usize = 16;

/// Writes typed rows to a sink. It holds one row group: values as they are, then compressed column by column.
pub struct CuratedWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<BufferedColumn>,
    buffered_rows: usize,
    buffered_text_bytes: usize,
    rows: u64,
}

/// What a [`CuratedWriter`] has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub rows: u64,
    pub size_bytes: u64,
}

/// Why rows are not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("the curated file could not be written")]
    Sink(#[source] io::Error),
    #[error("the curated file could not be encoded")]
    Encoding(#[source] CrateError),
}

impl From<CrateError> for WriteError {
    fn from(error: CrateError) -> Self {
        match error {
            CrateError::External(source) => match source.downcast::<io::Error>() {
                Ok(error) => WriteError::Sink(*error),
                Err(source) => WriteError::Encoding(CrateError::External(source)),
            },
            other => WriteError::Encoding(other),
        }
    }
}

impl<W: Write + Send> CuratedWriter<W> {
    /// A file of these columns, by their names in the contract.
    pub fn new(sink: W, columns: &[Column]) -> Result<Self, WriteError> {
        let fields = columns.iter().map(field_of).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("curated").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_max_row_group_row_count(None)
            .build();
        Ok(Self {
            file: SerializedFileWriter::new(sink, Arc::new(schema), Arc::new(properties))?,
            columns: columns.iter().map(|column| BufferedColumn::new(column.column_type)).collect(),
            buffered_rows: 0,
            buffered_text_bytes: 0,
            rows: 0,
        })
    }

    /// Adds the rows of a chunk for which `keep` is true. Chunk and mask are of the columns' good rows.
    ///
    /// # Panics
    ///
    /// With a chunk of other columns than the writer's, or a mask of another length than the columns.
    pub fn add(&mut self, chunk: &DecodedChunk, keep: &[bool]) -> Result<(), WriteError> {
        assert_eq!(chunk.columns.len(), self.columns.len(), "the chunk has the columns of the file");
        assert_eq!(keep.len(), chunk.good_row_count(), "the mask has a place for each good row");
        let kept: Vec<usize> = (0..keep.len()).filter(|row| keep[*row]).collect();
        let mut kept = &kept[..];
        while !kept.is_empty() {
            let (now, later) = kept.split_at(self.rows_that_fit(chunk, kept));
            for (buffered, column) in self.columns.iter_mut().zip(&chunk.columns) {
                buffered.add(column, &chunk.bytes, now);
            }
            self.buffered_rows += now.len();
            kept = later;
            if self.buffered_rows >= GROUP_ROWS || self.buffered_text_bytes >= GROUP_TEXT_BYTES {
                self.write_group()?;
            }
        }
        Ok(())
    }

    /// Writes what is left and the footer.
    pub fn finish(mut self) -> Result<Written, WriteError> {
        if self.buffered_rows > 0 {
            self.write_group()?;
        }
        self.file.finish()?;
        Ok(Written { rows: self.rows, size_bytes: self.file.bytes_written() as u64 })
    }

    /// How many of the rows, one at least, the current row group still takes; counts the bytes of their texts.
    fn rows_that_fit(&mut self, chunk: &DecodedChunk, rows: &[usize]) -> usize {
        let rows = &rows[..rows.len().min(GROUP_ROWS - self.buffered_rows)];
        let columns: Vec<&[StringView]> = chunk
            .columns
            .iter()
            .filter_map(|column| match &column.values {
                Values::String { views, .. } => Some(&views[..]),
                _ => None,
            })
            .collect();
        if columns.is_empty() {
            return rows.len();
        }
        for (count, row) in rows.iter().enumerate() {
            self.buffered_text_bytes += columns.iter().map(|views| views[*row].length as usize).sum::<usize>();
            if self.buffered_text_bytes >= GROUP_TEXT_BYTES {
                return count + 1;
            }
        }
        rows.len()
    }

    fn write_group(&mut self) -> Result<(), WriteError> {
        let mut group = self.file.next_row_group()?;
        for column in &mut self.columns {
            let Some(mut writer) = group.next_column()? else { break };
            column.write(&mut writer)?;
            writer.close()?;
        }
        group.close()?;
        self.rows += self.buffered_rows as u64;
        self.buffered_rows = 0;
        self.buffered_text_bytes = 0;
        Ok(())
    }
}

fn field_of(column: &Column) -> Result<TypePtr, CrateError> {
    let (physical, logical) = match column.column_type {
        ColumnType::String => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Json => (PhysicalType::BYTE_ARRAY, Some(LogicalType::Json)),
        ColumnType::Int64 => (PhysicalType::INT64, None),
        ColumnType::Float64 => (PhysicalType::DOUBLE, None),
        ColumnType::Bool => (PhysicalType::BOOLEAN, None),
        ColumnType::Date => (PhysicalType::INT32, Some(LogicalType::Date)),
        ColumnType::Timestamp => (PhysicalType::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        ColumnType::Decimal(decimal) => {
            let physical = match decimal.precision {
                ..=INT64_DIGITS => PhysicalType::INT64,
                _ => PhysicalType::FIXED_LEN_BYTE_ARRAY,
            };
            (physical, Some(LogicalType::decimal(i32::from(decimal.scale), i32::from(decimal.precision))))
        }
    };
    let mut field = Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical);
    if let ColumnType::Decimal(decimal) = column.column_type {
        field = field.with_precision(i32::from(decimal.precision)).with_scale(i32::from(decimal.scale));
    }
    if physical == PhysicalType::FIXED_LEN_BYTE_ARRAY {
        field = field.with_length(WIDE_DECIMAL_BYTES as i32);
    }
    Ok(Arc::new(field.build()?))
}

/// One column of the row group that comes next.
struct BufferedColumn {
    /// 1 for each value and 0 for each null.
    levels: Vec<i16>,
    values: BufferedValues,
}

/// Without the nulls.
enum BufferedValues {
    Int64(Vec<i64>),
    Int32(Vec<i32>),
    Double(Vec<f64>),
    Bool(Vec<bool>),
    WideDecimal(Vec<i128>),
    Text { bytes: Vec<u8>, lengths: Vec<u32> },
}

impl BufferedColumn {
    fn new(column_type: ColumnType) -> Self {
        let values = match column_type {
            ColumnType::String | ColumnType::Json => BufferedValues::Text { bytes: Vec::new(), lengths: Vec::new() },
            ColumnType::Int64 | ColumnType::Timestamp => BufferedValues::Int64(Vec::new()),
            ColumnType::Decimal(decimal) if decimal.precision <= INT64_DIGITS => BufferedValues::Int64(Vec::new()),
            ColumnType::Decimal(_) => BufferedValues::WideDecimal(Vec::new()),
            ColumnType::Float64 => BufferedValues::Double(Vec::new()),
            ColumnType::Bool => BufferedValues::Bool(Vec::new()),
            ColumnType::Date => BufferedValues::Int32(Vec::new()),
        };
        Self { levels: Vec::new(), values }
    }

    fn add(&mut self, column: &ColumnValues, chunk: &[u8], rows: &[usize]) {
        self.levels.extend(rows.iter().map(|row| i16::from(!column.is_null(*row))));
        let rows = rows.iter().copied().filter(|row| !column.is_null(*row));
        match (&mut self.values, &column.values) {
            (BufferedValues::Int64(to), Values::Int64(from) | Values::Timestamp(from)) => {
                to.extend(rows.map(|row| from[row]));
            }
            // As many digits as an INT64 holds.
            (BufferedValues::Int64(to), Values::Decimal(from)) => to.extend(rows.map(|row| from[row] as i64)),
            (BufferedValues::WideDecimal(to), Values::Decimal(from)) => to.extend(rows.map(|row| from[row])),
            (BufferedValues::Double(to), Values::Float64(from)) => to.extend(rows.map(|row| from[row])),
            (BufferedValues::Bool(to), Values::Bool(from)) => to.extend(rows.map(|row| from[row])),
            (BufferedValues::Int32(to), Values::Date(from)) => to.extend(rows.map(|row| from[row])),
            (BufferedValues::Text { bytes, lengths }, Values::String { views, unescaped }) => {
                for row in rows {
                    views[row].append_to(bytes, chunk, unescaped);
                    lengths.push(views[row].length);
                }
            }
            _ => panic!("the chunk has columns of the file's types"),
        }
    }

    /// Hands everything to the writer and is empty.
    fn write(&mut self, writer: &mut SerializedColumnWriter) -> Result<(), CrateError> {
        let levels = std::mem::take(&mut self.levels);
        let levels = Some(&levels[..]);
        match &mut self.values {
            BufferedValues::Int64(values) => {
                writer.typed::<stored::Int64Type>().write_batch(values, levels, None)?;
                values.clear();
            }
            BufferedValues::Int32(values) => {
                writer.typed::<stored::Int32Type>().write_batch(values, levels, None)?;
                values.clear();
            }
            BufferedValues::Double(values) => {
                writer.typed::<stored::DoubleType>().write_batch(values, levels, None)?;
                values.clear();
            }
            BufferedValues::Bool(values) => {
                writer.typed::<stored::BoolType>().write_batch(values, levels, None)?;
                values.clear();
            }
            BufferedValues::WideDecimal(values) => {
                let wide: Vec<u8> = values.drain(..).flat_map(i128::to_be_bytes).collect();
                let wide = Bytes::from(wide);
                let value = |start| stored::ByteArray::from(wide.slice(start..start + WIDE_DECIMAL_BYTES)).into();
                let values: Vec<stored::FixedLenByteArray> =
                    (0..wide.len()).step_by(WIDE_DECIMAL_BYTES).map(value).collect();
                writer.typed::<stored::FixedLenByteArrayType>().write_batch(&values, levels, None)?;
            }
            BufferedValues::Text { bytes, lengths } => {
                let bytes = Bytes::from(std::mem::take(bytes));
                let mut start = 0;
                let text = |length: u32| {
                    let end = start + length as usize;
                    let text = bytes.slice(start..end);
                    start = end;
                    stored::ByteArray::from(text)
                };
                let texts: Vec<stored::ByteArray> = lengths.drain(..).map(text).collect();
                writer.typed::<stored::ByteArrayType>().write_batch(&texts, levels, None)?;
            }
        }
        Ok(())
    }
}
