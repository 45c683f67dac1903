//! Whole files, in and out.

mod by_hand;
mod damage;
mod foreign;
mod hostile;
mod types;
mod written;

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Repetition;
use parquet::data_type::DataType;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{PrimitiveTypeBuilder, Type};

use super::*;
use crate::columns::{ColumnValues, DecodedChunk, Values};
use crate::contract::{Column, ColumnType, DecimalType, ValueRules};

/// A value of any type, as tests compare them.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Text(String),
    Int(i64),
    Float(f64),
    Decimal(i128),
    Bool(bool),
    Days(i32),
    Micros(i64),
}

type Field = PrimitiveTypeBuilder<'static>;

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn column(name: &str, column_type: ColumnType) -> Column {
    Column::new(name, column_type)
}

fn decimal(precision: u8, scale: u8) -> ColumnType {
    ColumnType::Decimal(DecimalType::new(precision, scale).unwrap())
}

fn open(file: impl Into<Bytes>) -> Result<ParquetFile, ParquetError> {
    ParquetFile::open(Arc::new(file.into()))
}

/// All chunks of a file, in order.
fn read_chunks(file: &Bytes, rules: &ValueRules, columns: &[Column]) -> Result<Vec<GroupChunk>, ParquetError> {
    let file = open(file.clone())?;
    file.check(columns)?;
    let decoder = match file.decoder(rules, columns) {
        Ok(decoder) => decoder,
        Err(DecoderError::File(error)) => return Err(error),
        Err(DecoderError::Format(error)) => panic!("{error}"),
    };
    let mut chunks = Vec::new();
    for group in 0..file.groups().len() {
        let mut reader = decoder.group(group)?;
        while let Some(chunk) = reader.next_chunk()? {
            chunks.push(chunk);
        }
    }
    Ok(chunks)
}

fn cells_of(chunk: &DecodedChunk, column: &ColumnValues) -> Vec<Cell> {
    let cell = |index| match &column.values {
        _ if column.is_null(index) => Cell::Null,
        Values::String { views, unescaped } => {
            Cell::Text(String::from_utf8(views[index].text(&chunk.bytes, unescaped).into_owned()).unwrap())
        }
        Values::Int64(values) => Cell::Int(values[index]),
        Values::Float64(values) => Cell::Float(values[index]),
        Values::Decimal(values) => Cell::Decimal(values[index]),
        Values::Bool(values) => Cell::Bool(values[index]),
        Values::Date(values) => Cell::Days(values[index]),
        Values::Timestamp(values) => Cell::Micros(values[index]),
    };
    let bits_fit = |bits: &Vec<u8>| {
        let rows = column.values.len();
        bits.len() == rows.div_ceil(8) && (rows.is_multiple_of(8) || bits[rows / 8] >> (rows % 8) == 0)
    };
    assert!(column.validity.as_ref().is_none_or(bits_fit), "the bits end with the rows");
    assert_eq!(column.values.len(), chunk.good_row_count());
    (0..column.values.len()).map(cell).collect()
}

/// The good rows of a file column by column, and the bad ones with their reasons.
type Whole = (Vec<Vec<Cell>>, Vec<(u64, String)>);

fn read_with(file: &Bytes, rules: &ValueRules, columns: &[Column]) -> Result<Whole, ParquetError> {
    let mut whole = vec![Vec::new(); columns.len()];
    let mut bad = Vec::new();
    for chunk in read_chunks(file, rules, columns)? {
        for (cells, column) in whole.iter_mut().zip(&chunk.decoded.columns) {
            cells.extend(cells_of(&chunk.decoded, column));
        }
        bad.extend(chunk.decoded.bad.into_iter().map(|bad| (chunk.first_row + u64::from(bad.row), bad.reason)));
    }
    Ok((whole, bad))
}

/// Of a file that must have no bad rows.
fn read(file: &Bytes, columns: &[Column]) -> Result<Vec<Vec<Cell>>, ParquetError> {
    let (cells, bad) = read_with(file, &ValueRules::default(), columns)?;
    assert_eq!(bad, []);
    Ok(cells)
}

fn read_column(file: &Bytes, name: &str, column_type: ColumnType) -> Vec<Cell> {
    read(file, &[column(name, column_type)]).unwrap().remove(0)
}

/// A file with one column `c`, by the crate `parquet`. `None`s are nulls, and without any the column is required.
fn crate_file<T: DataType>(
    properties: WriterProperties,
    physical: parquet::basic::Type,
    adorn: impl Fn(Field) -> Field,
    groups: &[Vec<Option<T::T>>],
) -> Bytes {
    let optional = groups.iter().flatten().any(Option::is_none);
    let repetition = if optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let field = adorn(Type::primitive_type_builder("c", physical).with_repetition(repetition)).build().unwrap();
    let schema = Type::group_type_builder("schema").with_fields(vec![Arc::new(field)]).build().unwrap();
    let mut file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).unwrap();
    for rows in groups {
        let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.is_some())).collect();
        let values: Vec<T::T> = rows.iter().flatten().cloned().collect();
        let mut group = file.next_row_group().unwrap();
        let mut writer = group.next_column().unwrap().unwrap();
        writer.typed::<T>().write_batch(&values, optional.then_some(&levels), None).unwrap();
        writer.close().unwrap();
        group.close().unwrap();
    }
    file.into_inner().unwrap().into()
}
