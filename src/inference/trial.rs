//! The guessed feed, tried on the sample that it was guessed from.

use std::collections::BTreeMap;

use bytes::Bytes;
use millrace_decode::columns::DecodedChunk;
use millrace_decode::csv::{self, CsvLayout, DEFAULT_MAX_ROW_BYTES};
use millrace_decode::ndjson;

use super::InferenceError;
use super::sample::{Content, Sample};
use crate::pipeline::{Feed, Format, Pipeline};

const CHUNK_BYTES: usize = 1 << 20;

/// What became of the rows.
#[derive(Default)]
struct Tried {
    rows: u64,
    bad: u64,
    /// By how often they came.
    reasons: BTreeMap<String, u64>,
}

impl Tried {
    fn add(&mut self, chunk: &DecodedChunk) {
        self.rows += u64::from(chunk.row_count);
        self.bad += chunk.bad.len() as u64;
        for bad in &chunk.bad {
            *self.reasons.entry(bad.reason.clone()).or_default() += 1;
        }
    }
}

/// What there is to say of it, one line each.
pub fn try_on(feed: &str, sample: &Sample) -> Vec<String> {
    let pipeline = match Pipeline::parse("the guess", feed) {
        Ok(pipeline) => pipeline,
        Err(faults) => return faults.to_string().lines().map(|fault| format!("not complete: {fault}")).collect(),
    };
    let Some(feed) = pipeline.feeds.first() else { return Vec::new() };
    let Content::Text(text) = &sample.content else { return Vec::new() };
    match decode(feed, text) {
        Ok(tried) if tried.bad == 0 => vec![format!("read like this, all {} rows of the sample are good", tried.rows)],
        Ok(tried) => {
            let mut said = vec![format!("read like this, {} of {} rows of the sample are bad", tried.bad, tried.rows)];
            let mut reasons: Vec<(String, u64)> = tried.reasons.into_iter().collect();
            reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            said.extend(reasons.into_iter().take(5).map(|(reason, count)| format!("  {count} × {reason}")));
            said
        }
        Err(error) => vec![format!("read like this, the sample is refused: {error}")],
    }
}

/// The text is UTF-8 by now, whatever the file is.
fn decode(feed: &Feed, text: &str) -> Result<Tried, InferenceError> {
    let mut tried = Tried::default();
    match &feed.format {
        Format::Csv(layout) => {
            let layout = CsvLayout { encoding: encoding_rs::UTF_8, ..layout.clone() };
            let mut reader = csv::ChunkReader::new(&layout, &feed.columns, CHUNK_BYTES, DEFAULT_MAX_ROW_BYTES);
            let mut out = |header: &csv::Header, chunk: Bytes| {
                // `Pipeline::parse` has checked the formats.
                if let Ok(decoder) = csv::Decoder::new(&layout, &feed.values, header, &feed.columns) {
                    tried.add(&decoder.decode(chunk));
                }
                Ok::<(), InferenceError>(())
            };
            reader.push(text.as_bytes(), &mut out)?;
            reader.finish(&mut out)?;
        }
        Format::Ndjson | Format::Parquet => {
            if let Ok(decoder) = ndjson::Decoder::new(&feed.values, &feed.columns, &feed.columns) {
                tried.add(&decoder.decode(Bytes::copy_from_slice(text.as_bytes())));
            }
        }
    }
    Ok(tried)
}
