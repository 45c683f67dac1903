//! A sample of a partner's file to a `[[feed]]` for pipeline.toml, with what was guessed and why.
//!
//! It guesses once, for a person to read and correct; what pulls, checks and counts never guesses. It reads ranges of one
//! file and knows no station.

mod column;
mod delimited;
mod feed_text;
mod objects;
mod sample;
#[cfg(test)]
mod tests;
mod trial;

use std::sync::Arc;

use millrace_decode::csv::CsvError;
use millrace_decode::inflate::{InflateError, Refusal};
use millrace_decode::parquet::{ParquetError, RangeSource, SourceError};
use thiserror::Error;

use column::ColumnGuess;
use sample::{Content, Sample};

/// Why there is nothing to guess.
#[derive(Debug, Error)]
pub enum InferenceError {
    #[error("the file cannot be read")]
    Source(#[source] SourceError),
    #[error("{0}; {remedy}", remedy = .0.remedy())]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Inflate(#[from] InflateError),
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    #[error(transparent)]
    Csv(#[from] CsvError),
    #[error("the file is empty: there is nothing to guess from")]
    Empty,
    #[error("no line of the sample is a JSON object, though the file begins like one")]
    NoObjects,
    #[error("a Parquet file is read where it lies: decompress it first")]
    CompressedParquet,
}

/// What a file seems to be.
struct Guess {
    /// `csv`, `ndjson` or `parquet`.
    format: &'static str,
    keys: Vec<FeedKey>,
    columns: Vec<ColumnGuess>,
    /// For people, one line each.
    notes: Vec<String>,
}

/// A key of the feed that is not its default.
struct FeedKey {
    name: &'static str,
    /// As TOML writes it.
    value: String,
    why: String,
}

impl Guess {
    fn set(&mut self, name: &'static str, value: impl Into<String>, why: impl Into<String>) {
        self.keys.push(FeedKey { name, value: value.into(), why: why.into() });
    }
}

/// The `[[feed]]` for a file of this name, ready to be pasted into pipeline.toml, and what trying it on the sample said.
pub fn infer(file_name: &str, file: Arc<dyn RangeSource>) -> Result<String, InferenceError> {
    let sample = Sample::take(file_name, file)?;
    let guess = match &sample.content {
        Content::Parquet(file) => objects::of_parquet(file)?,
        Content::Text(text) if objects::look_like_objects(text) => objects::of_ndjson(text)?,
        Content::Text(text) => delimited::of_csv(text, &sample)?,
    };
    let name = feed_text::feed_name(file_name);
    let feed = feed_text::write(&name, &guess, &sample);
    let tried = trial::try_on(&feed, &sample);
    Ok(feed_text::with_comments(&name, file_name, &sample, &guess, &tried))
}
