//! Bytes of a partner's file in, typed columns and bad rows out.
//!
//! The way through this crate:
//!
//! 1. [`inflate`]: refuses what is no text, and undoes the compression, piece by piece.
//! 2. [`csv::RowCutter`]: cuts the stream into chunks at row ends that follow the quotes.
//! 3. [`csv::Header`]: the first row, matched against the [`contract`].
//! 4. [`csv::Decoder`]: one chunk to [`columns`], only those that somebody asked for; rows that do not fit become
//!    [`BadRow`](columns::BadRow)s.
//!
//! It knows no Polars, no network, no async and no threads: whoever calls it brings the bytes and the cores.

mod builder;
pub mod columns;
pub mod contract;
pub mod csv;
mod cutter;
pub mod inflate;
mod lanes;
pub mod ndjson;
mod reason;
mod values;
