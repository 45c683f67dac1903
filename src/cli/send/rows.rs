//! A file's rows, read by a thread of its own while those before them are sent.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use millrace_decode::inflate::{Compression, InflateError, Inflater, Refusal, sniff};
use millrace_decode::ndjson::{CutError, RowCutter};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

/// Sent at a time: large enough that a request or a sync is for many rows.
const CHUNK_BYTES: usize = 2 << 20;
/// No hub takes a larger event: 20 MB in the largest tier, where it is allowed
/// (<https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas>).
const LONGEST_ROW_BYTES: usize = 20 << 20;
const READ_BYTES: usize = 256 << 10;

/// Some whole lines of the file.
pub struct Chunk {
    pub bytes: Bytes,
    /// Of the file, compressed as it is.
    pub read_bytes: u64,
}

pub struct Rows {
    size_bytes: Option<u64>,
    chunks: mpsc::Receiver<anyhow::Result<Chunk>>,
}

impl Rows {
    pub fn read(path: &Path) -> anyhow::Result<Rows> {
        let unreadable = || format!("{} cannot be read", path.display());
        let (chunks_in, chunks) = mpsc::channel(2);
        let reader = |input: Box<dyn Read + Send>, compression| Reader {
            path: path.to_owned(),
            input,
            compression,
            read_bytes: 0,
            chunks: chunks_in,
        };
        let (reader, size_bytes) = if path.as_os_str() == "-" {
            (reader(Box::new(io::stdin()), None), None)
        } else {
            let file = File::open(path).with_context(unreadable)?;
            let facts = file.metadata().with_context(unreadable)?;
            let compression = Compression::of_name(&path.to_string_lossy());
            (reader(Box::new(file), Some(compression)), facts.is_file().then_some(facts.len()))
        };
        // Not a task: the runtime would wait for it at its end, and stdin may stay open for ever.
        thread::spawn(move || reader.run());
        Ok(Rows { size_bytes, chunks })
    }

    /// Of the file, compressed as it is; `None` where nobody knows.
    pub fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    /// `None` at the end.
    pub async fn next(&mut self) -> Option<anyhow::Result<Chunk>> {
        self.chunks.recv().await
    }
}

struct Reader {
    path: PathBuf,
    input: Box<dyn Read + Send>,
    /// `None`: what the first bytes say.
    compression: Option<Compression>,
    read_bytes: u64,
    chunks: mpsc::Sender<anyhow::Result<Chunk>>,
}

/// Why reading stops before the end.
enum Stop {
    Fault(anyhow::Error),
    /// Nobody takes the rows any more.
    Abandoned,
}

impl From<InflateError> for Stop {
    fn from(error: InflateError) -> Self {
        Stop::Fault(error.into())
    }
}

impl From<CutError> for Stop {
    fn from(error: CutError) -> Self {
        Stop::Fault(error.into())
    }
}

impl Reader {
    fn run(mut self) {
        if let Err(Stop::Fault(fault)) = self.read() {
            let fault = fault.context(format!("{} cannot be read", self.path.display()));
            // Whoever no longer listens has a fault of its own.
            let _ = self.chunks.blocking_send(Err(fault));
        }
    }

    fn read(&mut self) -> Result<(), Stop> {
        let mut piece = vec![0; READ_BYTES];
        let count = self.fill(&mut piece)?;
        let compression = self.compression_of(&piece[..count])?;
        let mut inflater = Inflater::new(compression);
        let mut cutter = RowCutter::new(CHUNK_BYTES, LONGEST_ROW_BYTES);
        let mut next = count;
        while next > 0 {
            self.read_bytes += next as u64;
            inflater.push(&piece[..next], &mut |text: &[u8]| {
                cutter.push(text, &mut |chunk| hand_over(&self.chunks, self.read_bytes, chunk))
            })?;
            next = self.fill(&mut piece)?;
        }
        inflater.finish()?;
        cutter.finish(&mut |chunk| hand_over(&self.chunks, self.read_bytes, chunk))
    }

    fn fill(&mut self, piece: &mut [u8]) -> Result<usize, Stop> {
        loop {
            match self.input.read(piece) {
                Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome.map_err(|error| Stop::Fault(error.into())),
            }
        }
    }

    fn compression_of(&self, first_bytes: &[u8]) -> Result<Compression, Stop> {
        match (sniff(first_bytes, self.compression.unwrap_or(Compression::None)), self.compression) {
            (Ok(()), declared) => Ok(declared.unwrap_or(Compression::None)),
            (Err(Refusal::UnderPlainName { found, .. }), None) => Ok(found),
            (Err(refusal), _) => Err(Stop::Fault(anyhow!(refusal))),
        }
    }
}

fn hand_over(chunks: &mpsc::Sender<anyhow::Result<Chunk>>, read_bytes: u64, bytes: Bytes) -> Result<(), Stop> {
    chunks.blocking_send(Ok(Chunk { bytes, read_bytes })).map_err(|_| Stop::Abandoned)
}

/// The rows of some whole lines, with the number of each line, counted from 1. Empty lines are no rows.
pub fn rows_of(chunk: &Bytes) -> Vec<(u64, Bytes)> {
    let mut rows = Vec::new();
    let mut begin = 0;
    let ends = memchr::memchr_iter(b'\n', chunk).chain([chunk.len()]);
    for (line, end) in (1..).zip(ends) {
        let row = chunk[begin..end].strip_suffix(b"\r").unwrap_or(&chunk[begin..end]);
        if !row.trim_ascii().is_empty() {
            rows.push((line, chunk.slice_ref(row)));
        }
        begin = (end + 1).min(chunk.len());
    }
    rows
}

/// The text of a row's column; `None` if the row has none, or is no object.
pub fn key_of(row: &[u8], column: &str) -> Option<String> {
    let values: HashMap<String, &RawValue> = serde_json::from_slice(row).ok()?;
    let json = values.get(column)?.get();
    if json == "null" {
        return None;
    }
    Some(serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line_that_is_not_empty_and_knows_its_number() {
        let rows = |text: &'static str| {
            let rows = rows_of(&Bytes::from_static(text.as_bytes()));
            rows.into_iter().map(|(line, row)| format!("{line} {}", str::from_utf8(&row).unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(rows("{}\n\n {\"a\":1} \r\n \t\nhalf"), ["1 {}", "3  {\"a\":1} ", "5 half"]);
        assert_eq!(rows("{}\n"), ["1 {}"]);
        assert_eq!(rows(""), [""; 0]);
    }

    #[test]
    fn a_key_is_the_text_of_a_value() {
        let row = br#"{"s":"a\"b","n":12.50,"b":true,"o":{"x":1},"nil":null}"#;
        let key = |column| key_of(row, column);
        assert_eq!(key("s").unwrap(), "a\"b");
        assert_eq!(key("n").unwrap(), "12.50");
        assert_eq!(key("b").unwrap(), "true");
        assert_eq!(key("o").unwrap(), "{\"x\":1}");
        assert_eq!((key("nil"), key("none"), key_of(b"{\"s\":", "s")), (None, None, None));
    }
}
