//! Partners' Parquet files, and our own.
//!
//! [`ParquetFile::open`] reads a footer, [`ParquetFile::check`] holds it against the contract, and a [`Decoder`] turns
//! row group after row group into [`DecodedChunk`](crate::columns::DecodedChunk)s: only the needed columns, page by
//! page. [`CuratedWriter`] writes typed rows.
//!
//! # Why the reading is our own
//!
//! The crate `parquet` writes for us, and reads for us in tests. Partners' bytes it does not see: its gzip and brotli
//! pages inflate without bound, its schema reads recurse and reserve as the file says, and pages that contradict
//! themselves (a dictionary's indices without a dictionary, levels beyond the page) make it panic. Here every length
//! is held against what is there before anything is allocated. A dictionary's strings come out as views of one copy,
//! which is also much quicker.
//!
//! # Memory
//!
//! A row group's reader holds, for each needed column: what is read ahead (1 MiB), one page as it is stored and one
//! inflated (at most [`MAX_PAGE_BYTES`] each; writers make pages of about 1 MiB), one dictionary (at most
//! [`MAX_DICTIONARY_BYTES`] and [`MAX_DICTIONARY_ENTRIES`]), and the rows of one chunk: at most [`CHUNK_ROWS`], and
//! fewer where strings reach [`CHUNK_TEXT_BYTES`]. All columns' pages and dictionaries together stay below
//! [`MAX_OPEN_BYTES`], or the file is refused. How large a column chunk or a row group is does not matter.

mod codec;
mod column;
mod convert;
mod delta;
mod dictionary;
mod file;
mod footer;
mod group;
mod hybrid;
mod output;
mod pages;
mod schema;
mod source;
mod stored;
mod thrift;
mod tree;
mod values;
mod widening;
mod write;

pub use file::{ColumnInfo, Decoder, DecoderError, GroupInfo, ParquetFile};
pub use group::{GroupChunk, GroupReader};
pub use source::{RangeSource, SourceError};
pub use widening::MisfitColumn;
pub use write::{CuratedWriter, GROUP_ROWS, GROUP_TEXT_BYTES, WriteError, Written};

use crate::names::{MissingColumn, say_wanted};
use crate::reason::listed;

/// The largest footer that is read.
pub const MAX_FOOTER_BYTES: u64 = 64 << 20;
/// The most columns, nested ones counted by their leaves, that a file may have.
pub const MAX_COLUMNS: usize = 20_000;
/// The most row groups that a file may have.
pub const MAX_ROW_GROUPS: usize = 200_000;
/// The largest page, stored and inflated.
pub const MAX_PAGE_BYTES: usize = 128 << 20;
/// The largest dictionary, inflated.
pub const MAX_DICTIONARY_BYTES: usize = 64 << 20;
/// The most entries of a dictionary.
pub const MAX_DICTIONARY_ENTRIES: usize = 4 << 20;
/// The most bytes that the pages and dictionaries of one row group's reader take at a time.
pub const MAX_OPEN_BYTES: usize = 512 << 20;
/// The most rows of a chunk.
pub const CHUNK_ROWS: usize = 65_536;
/// A chunk ends where its strings reach this.
pub const CHUNK_TEXT_BYTES: usize = 64 << 20;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum ParquetError {
    /// Its bytes could not be had. Nothing is said about the file.
    #[error("the file's bytes could not be read")]
    Source(#[source] SourceError),
    #[error("the file is no Parquet: {0}")]
    NotParquet(&'static str),
    #[error("{0} is encrypted; ask for the file without Parquet's encryption")]
    Encrypted(String),
    /// It contradicts itself or ends early.
    #[error("the file is damaged: {place}: {what}")]
    Damaged { place: String, what: String },
    /// It may be whole, but is more than is read.
    #[error("{place}: {what}")]
    TooLarge { place: String, what: String },
    /// It uses a part of the format that is not read.
    #[error("{place}: {what}")]
    Unsupported { place: String, what: String },
    #[error("the file's schema names {} more than once", listed(.names))]
    Duplicates { names: Vec<String> },
    #[error("the file's schema lacks {}; it has {}", say_wanted(.missing), listed(.found))]
    Missing { missing: Vec<MissingColumn>, found: Vec<String> },
    #[error("{}", widening::say_misfits(.0))]
    Misfits(Vec<MisfitColumn>),
}

/// Something about a page or a footer that cannot be, before it is known where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken(String);

impl Broken {
    #[cold]
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    fn at(self, place: impl Into<String>) -> ParquetError {
        ParquetError::Damaged { place: place.into(), what: self.0 }
    }
}

#[cfg(test)]
mod tests;
