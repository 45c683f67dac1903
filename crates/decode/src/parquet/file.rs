//! A file as its footer tells it, held against the contract.

use std::sync::Arc;

use super::footer::Footer;
use super::group::GroupReader;
use super::output::NeededColumn;
use super::schema::Shape;
use super::source::RangeSource;
use super::widening::{MisfitColumn, Widening, natural_type};
use super::{Broken, ParquetError};
use crate::contract::{Column, ColumnType, FormatError, ValueRules};
use crate::names::missing_columns;
use crate::values::Form;

/// A Parquet file whose footer has been read.
#[derive(Clone)]
pub struct ParquetFile {
    source: Arc<dyn RangeSource>,
    footer: Arc<Footer>,
    names: Vec<String>,
}

/// A column of a file, without a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnInfo {
    pub name: String,
    /// Its type in the file, as tools print it, such as `TIMESTAMP(MILLIS,UTC)`; or that it is nested.
    pub found: String,
    /// The type of the contract that holds all that the column can; `None` where it cannot be read.
    pub possible: Option<ColumnType>,
}

/// What is known of a row group before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// The number of its first row in the file, counted from 0.
    pub first_row: u64,
    pub row_count: u64,
}

/// Decodes the row groups of one file. Threads share it by reference, and each reads groups of its own.
#[derive(Clone)]
pub struct Decoder {
    source: Arc<dyn RangeSource>,
    footer: Arc<Footer>,
    needed: Arc<Needed>,
}

/// What shall come out.
pub(super) struct Needed {
    pub columns: Vec<NeededColumn>,
    /// Texts that mean null.
    pub nulls: Vec<Vec<u8>>,
}

impl ParquetFile {
    /// Reads the footer: the end of the file, and nothing else.
    pub fn open(source: Arc<dyn RangeSource>) -> Result<Self, ParquetError> {
        let footer = Footer::read(&*source)?;
        let names: Vec<String> = footer.columns.iter().map(|column| column.name.clone()).collect();
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        let mut twice: Vec<String> =
            sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
        twice.dedup();
        if !twice.is_empty() {
            return Err(ParquetError::Duplicates { names: twice });
        }
        Ok(Self { source, footer: Arc::new(footer), names })
    }

    /// All names at the top of the schema, in the file's order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns as they are, in the file's order: for whoever writes a contract for the file.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = ColumnInfo> {
        self.footer.columns.iter().map(|column| ColumnInfo {
            name: column.name.clone(),
            found: column.shape.to_string(),
            possible: match &column.shape {
                Shape::Flat(leaf) => natural_type(leaf),
                Shape::Nested(_) => None,
            },
        })
    }

    /// The row groups, in the file's order.
    pub fn groups(&self) -> Vec<GroupInfo> {
        let mut first_row = 0;
        let info = |row_count| {
            let info = GroupInfo { first_row, row_count };
            first_row += row_count;
            info
        };
        self.footer.groups.iter().map(|group| group.row_count).map(info).collect()
    }

    /// Rows of the whole file.
    pub fn row_count(&self) -> u64 {
        self.footer.groups.iter().map(|group| group.row_count).sum()
    }

    /// Whether all required columns are there, and those that are there of types that become the contract's without
    /// loss. Returns the names that no column of the contract reads.
    ///
    /// # Errors
    ///
    /// [`ParquetError::Missing`] or [`ParquetError::Misfits`], each with all columns at once.
    pub fn check(&self, contract: &[Column]) -> Result<Vec<String>, ParquetError> {
        let is_missing = |column: &&Column| column.required && self.position(&column.from).is_none();
        let missing = missing_columns(contract.iter().filter(is_missing), &self.names);
        if !missing.is_empty() {
            return Err(ParquetError::Missing { missing, found: self.names.clone() });
        }
        self.check_types(contract)?;
        let is_unknown = |name: &&String| !contract.iter().any(|column| column.from == **name);
        Ok(self.names.iter().filter(is_unknown).cloned().collect())
    }

    /// A decoder of the columns that somebody needs, in the order in which they shall come out. One that the file does
    /// not have is null in every row: [`ParquetFile::check`] has refused the file if it may not be missing.
    ///
    /// # Errors
    ///
    /// [`DecoderError::Format`]: a column has a format that cannot read it;
    /// [`check_format`](crate::contract::check_format) says so earlier. [`DecoderError::File`]: a column is of a type that
    /// does not become the contract's.
    pub fn decoder(&self, rules: &ValueRules, columns: &[Column]) -> Result<Decoder, DecoderError> {
        self.check_types(columns).map_err(DecoderError::File)?;
        let needed = |column: &Column| {
            let found = self.position(&column.from).and_then(|position| match self.footer.columns[position].shape {
                Shape::Flat(leaf) => Widening::new(&leaf, column.column_type).map(|widening| (leaf, widening)),
                Shape::Nested(_) => None,
            });
            let form = Form::new(column, rules)?;
            Ok(NeededColumn { name: column.name.clone(), from: column.from.clone(), form, found })
        };
        let columns = columns.iter().map(needed).collect::<Result<_, _>>().map_err(DecoderError::Format)?;
        let nulls = rules.null_values.iter().map(|word| word.clone().into_bytes()).collect();
        Ok(Decoder {
            source: Arc::clone(&self.source),
            footer: Arc::clone(&self.footer),
            needed: Arc::new(Needed { columns, nulls }),
        })
    }

    fn position(&self, from: &str) -> Option<usize> {
        self.names.iter().position(|name| name == from)
    }

    fn check_types(&self, contract: &[Column]) -> Result<(), ParquetError> {
        let misfits: Vec<MisfitColumn> = contract
            .iter()
            .filter_map(|column| {
                let position = self.position(&column.from)?;
                MisfitColumn::new(&self.footer.columns[position], column)
            })
            .collect();
        if misfits.is_empty() { Ok(()) } else { Err(ParquetError::Misfits(misfits)) }
    }
}

/// Why there is no decoder.
#[derive(Debug, thiserror::Error)]
pub enum DecoderError {
    #[error(transparent)]
    Format(FormatError),
    #[error(transparent)]
    File(ParquetError),
}

impl Decoder {
    /// A reader of the row group `index`, counted from 0. Nothing is read before its first chunk.
    pub fn group(&self, index: usize) -> Result<GroupReader, ParquetError> {
        let Some(group) = self.footer.groups.get(index) else {
            return Err(Broken::new("is not there").at(format!("row group {}", index + 1)));
        };
        GroupReader::new(&self.source, &self.footer, &self.needed, index, group.row_count)
    }
}
