//! Decoded chunks in, summary parts out, by Polars.
//!
//! - [`plan`]: what a summary is: its keys, its measures, how they merge.
//! - [`typing`]: a summary's SQL against the feed's contract: which type each output has.
//! - [`summarise`]: one decoded chunk to one part for each summary, and the rows that rules and keys refuse.
//! - [`decimal`]: exact decimals, as text and summed.
//! - [`part`]: what a file contributes to a summary; merging is associative, commutative and exact.
//!
//! It knows no network, no async and no SQL server.

mod cells;
pub mod decimal;
mod expression;
mod frame;
mod groups;
pub mod part;
pub mod plan;
pub mod summarise;
pub mod typing;
mod view;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod exact_decimals;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rejections;
#[cfg(test)]
mod testing;
