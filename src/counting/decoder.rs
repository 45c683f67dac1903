//! How chunks of text become columns, whichever format they are in. The reader makes it, and the workers share it.

use std::sync::Arc;

use bytes::Bytes;
use millrace_decode::columns::DecodedChunk;
use millrace_decode::{csv, ndjson};

/// A chunk as a worker gets it.
pub enum Work {
    /// Whole rows of text, to be decoded.
    Text(Bytes, Arc<TextDecoder>),
    /// Rows that reading the file has decoded.
    Decoded(DecodedChunk),
}

/// Decodes the chunks of one file.
pub enum TextDecoder {
    Csv(csv::Decoder),
    Ndjson(ndjson::Decoder),
}

impl TextDecoder {
    pub fn decode(&self, chunk: Bytes) -> DecodedChunk {
        match self {
            TextDecoder::Csv(decoder) => decoder.decode(chunk),
            TextDecoder::Ndjson(decoder) => decoder.decode(chunk),
        }
    }

    pub fn raw_rows(&self, chunk: &[u8], rows: &[u32]) -> Vec<Vec<u8>> {
        match self {
            TextDecoder::Csv(decoder) => decoder.raw_rows(chunk, rows),
            TextDecoder::Ndjson(decoder) => decoder.raw_rows(chunk, rows),
        }
    }
}
