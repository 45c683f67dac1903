//! Why a file could not be counted, and what a person does about it.

use millrace_decode::contract::FormatError;
use millrace_decode::csv::CsvError;
use millrace_decode::inflate::{InflateError, Refusal};
use millrace_decode::ndjson::CutError;
use millrace_decode::parquet::{ParquetError, WriteError};
use millrace_frames::part::Overflow;
use millrace_frames::summarise::SummariseError;
use thiserror::Error;

use super::tally::FirstBadRow;
use crate::names::FeedName;
use crate::stations::Disposition;
use crate::stations::containers::ContainerError;

#[derive(Debug, Error)]
pub enum CountError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Inflate(#[from] InflateError),
    #[error(transparent)]
    Csv(#[from] CsvError),
    #[error(transparent)]
    Ndjson(#[from] CutError),
    #[error(transparent)]
    Parquet(ParquetError),
    #[error("the file has columns that the contract does not name: {}", .columns.join(", "))]
    UnknownColumns { columns: Vec<String> },
    #[error("the event has keys that the contract does not name: {}", .keys.join(", "))]
    UnknownEventKeys { keys: Vec<String> },
    #[error("{}", too_many(*.rejected, *.read, *.limit, .first))]
    TooManyBadRows { rejected: u64, read: u64, limit: f64, first: Option<FirstBadRow>, quarantine: Option<String> },
    #[error(transparent)]
    Overflow(#[from] Overflow),
    #[error("a summary could not be computed")]
    Summarise(#[from] SummariseError),
    /// `check` refuses such a pipeline.toml.
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("the temporary disk failed, where the file is decompressed")]
    Spool { source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the curated file could not be written")]
    Curate { source: WriteError },
    #[error("summaries of feed `{feed}` cannot be planned")]
    Plan { feed: FeedName, source: Box<dyn std::error::Error + Send + Sync> },
    /// Another stage failed and says why, or the process is stopping.
    #[error("counting was stopped")]
    Stopped,
}

fn too_many(rejected: u64, read: u64, limit: f64, first: &Option<FirstBadRow>) -> String {
    let example = match first {
        Some(first) => format!("; the first is row {}: {}", first.row, first.reason),
        None => String::new(),
    };
    format!("{rejected} of {read} rows are bad, more than max_reject_ratio = {limit} allows{example}")
}

impl CountError {
    pub fn disposition(&self) -> Disposition {
        match self {
            CountError::Container(error) => error.disposition(),
            CountError::Stopped | CountError::Spool { .. } => Disposition::Retry,
            _ => Disposition::Reject,
        }
    }

    /// What a person can do about a file that was rejected.
    pub fn remedy(&self) -> &'static str {
        match self {
            CountError::Container(_) => "see that the blob is there and can be read, then retry the dead letter",
            CountError::Refused(refusal) => refusal.remedy(),
            CountError::Inflate(error) => error.remedy(),
            CountError::Csv(CsvError::Cut(_)) => {
                "look for an unclosed quote, or set `quote`, `delimiter` and `skip_footer` of the feed right"
            }
            CountError::Csv(CsvError::Encoding(_)) => {
                "set the feed's `encoding` in pipeline.toml, run `millrace migrate` and retry the dead letter; or ask the \
                 sender for the encoding that was agreed"
            }
            CountError::Ndjson(_) => "ask the sender for one JSON object a line",
            CountError::Csv(CsvError::Header(_)) | CountError::UnknownColumns { .. } => {
                "correct the file, or [feed.columns] in pipeline.toml, then run `millrace migrate` and retry the dead letter"
            }
            CountError::UnknownEventKeys { .. } => {
                "correct what sends it, or [feed.columns] in pipeline.toml, then `millrace replay FEED --quarantine`"
            }
            CountError::Parquet(ParquetError::Missing { .. } | ParquetError::Misfits(_)) => {
                "correct the file, or [feed.columns] in pipeline.toml, then run `millrace migrate` and retry the dead letter"
            }
            CountError::Parquet(_) => {
                "ask the sender for the file again, written anew; a new version is taken by itself"
            }
            CountError::TooManyBadRows { .. } => {
                "read the rows in quarantine; have the file corrected, or mend the contract or raise max_reject_ratio \
                 and retry the dead letter"
            }
            CountError::Overflow(_) => "sum a smaller unit, or cast to float64 in the summary's SQL",
            CountError::Summarise(_)
            | CountError::Format(_)
            | CountError::Spool { .. }
            | CountError::Curate { .. }
            | CountError::Plan { .. }
            | CountError::Stopped => "see the reason; correct the summary in pipeline.toml, then retry the dead letter",
        }
    }

    /// The row at fault, counted from 1 without the header, where there is one.
    pub fn row(&self) -> Option<u64> {
        match self {
            CountError::TooManyBadRows { first, .. } => first.as_ref().map(|first| first.row),
            _ => None,
        }
    }

    /// Where the bad rows are.
    pub fn quarantine(&self) -> Option<&str> {
        match self {
            CountError::TooManyBadRows { quarantine, .. } => quarantine.as_deref(),
            _ => None,
        }
    }
}
