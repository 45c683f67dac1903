//! Bytes of a partner's file in, typed columns and bad rows out.
//!
//! The way through this crate:
//!
//! 1. [`inflate`]: refuses what is no text, and undoes the compression, piece by piece.
//! 2. [`csv::ChunkReader`]: brings the [`text`] to UTF-8, skips what stands before the header, matches the header against
//!    the [`contract`], and cuts the rows after it into chunks at row ends that follow the quotes.
//! 3. [`csv::Decoder`]: one chunk to [`columns`], only those that somebody asked for; rows that do not fit become
//!    [`BadRow`](columns::BadRow)s.
//!
//! It knows no Polars, no network, no async and no threads: whoever calls it brings the bytes and the cores.

mod builder;
pub mod columns;
pub mod contract;
pub mod csv;
mod cutter;
pub mod inflate;
mod json;
mod lanes;
mod names;
pub mod ndjson;
pub mod parquet;
mod reason;
pub mod text;
mod values;
