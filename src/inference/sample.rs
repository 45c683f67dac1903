//! The beginning of a file, decompressed, as text in UTF-8.

use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use millrace_decode::inflate::{self, Compression, InflateError, Inflater, sniff};
use millrace_decode::parquet::RangeSource;

use super::InferenceError;

/// Bytes of text that are looked at.
const SAMPLE_BYTES: usize = 8 << 20;

/// Compressed bytes that are read at a time.
const RANGE_BYTES: u64 = 1 << 20;

/// The first bytes of every Parquet file.
const PARQUET: &[u8] = b"PAR1";

pub struct Sample {
    pub content: Content,
    pub compression: Compression,
    /// Of text: what it was before it was UTF-8.
    pub encoding: &'static Encoding,
    pub why_encoding: &'static str,
    /// The sample is all there is.
    pub whole: bool,
}

pub enum Content {
    Text(String),
    Parquet(Arc<dyn RangeSource>),
}

/// What ends the decompression early.
enum Stop {
    Enough,
    Inflate(InflateError),
}

impl From<InflateError> for Stop {
    fn from(error: InflateError) -> Self {
        Stop::Inflate(error)
    }
}

impl Sample {
    pub fn take(file_name: &str, file: Arc<dyn RangeSource>) -> Result<Sample, InferenceError> {
        let compression = Compression::of_name(file_name);
        let (bytes, whole) = beginning(file.as_ref(), compression)?;
        if bytes.is_empty() {
            return Err(InferenceError::Empty);
        }
        if bytes.starts_with(PARQUET) {
            if compression != Compression::None {
                return Err(InferenceError::CompressedParquet);
            }
            let content = Content::Parquet(file);
            let sample = Sample { content, compression, encoding: UTF_8, why_encoding: "", whole };
            return Ok(sample);
        }
        let (encoding, why_encoding) = guess_encoding(&bytes);
        inflate::sniff_content(&bytes, inflate::Content::Text { encoding }).or_else(|refusal| {
            // That the text is NDJSON, or some other text, is for the guess to say.
            if matches!(refusal, inflate::Refusal::AnotherContent { what, .. } if what.contains("JSON")) {
                Ok(())
            } else {
                Err(refusal)
            }
        })?;
        let (text, _) = encoding.decode_with_bom_removal(&bytes);
        let text = if whole { text.into_owned() } else { whole_lines(&text).to_owned() };
        Ok(Sample { content: Content::Text(text), compression, encoding, why_encoding, whole })
    }
}

/// The first decompressed bytes, and whether they are all.
fn beginning(file: &dyn RangeSource, compression: Compression) -> Result<(Vec<u8>, bool), InferenceError> {
    let mut bytes = Vec::new();
    let mut inflater = Inflater::new(compression);
    let mut offset = 0;
    while offset < file.size_bytes() {
        let end = file.size_bytes().min(offset + RANGE_BYTES);
        let range = file.read(offset..end).map_err(InferenceError::Source)?;
        if offset == 0 {
            sniff(&range, compression)?;
        }
        offset = end;
        let pushed = inflater.push(&range, &mut |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            if bytes.len() < SAMPLE_BYTES { Ok(()) } else { Err(Stop::Enough) }
        });
        match pushed {
            Ok(()) => {}
            Err(Stop::Enough) => return Ok((bytes, false)),
            Err(Stop::Inflate(error)) => return Err(error.into()),
        }
    }
    inflater.finish()?;
    Ok((bytes, true))
}

fn guess_encoding(bytes: &[u8]) -> (&'static Encoding, &'static str) {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return (encoding, "by its byte order mark");
    }
    // Text in UTF-16 has a zero in every second byte, as long as it is mostly Latin.
    let head = &bytes[..bytes.len().min(4096)];
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    if zeros(1) * 5 > head.len() {
        return (UTF_16LE, "every second byte is zero");
    }
    if zeros(0) * 5 > head.len() {
        return (UTF_16BE, "every second byte is zero");
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => (UTF_8, "its bytes are UTF-8"),
        // The sample may end within a character.
        Err(error) if error.error_len().is_none() => (UTF_8, "its bytes are UTF-8"),
        Err(_) => {
            (WINDOWS_1252, "its bytes are not UTF-8, and this is what most systems write then: look at the umlauts")
        }
    }
}

fn whole_lines(text: &str) -> &str {
    match text.rfind('\n') {
        Some(end) => &text[..=end],
        None => text,
    }
}
