//! Raw events to parts: what `stream` does between the hub and the commit.
//!
//! An event is one row: a JSON object, over as many lines as its sender likes. It is decoded by the feed's contract as a
//! line of NDJSON would be, whatever format the feed's files have.

use bytes::Bytes;
use millrace_decode::ndjson;
use millrace_frames::part::Part;
use tokio::task::spawn_blocking;

use super::budget::Budget;
use super::memory::Cost;
use super::{CountError, FeedCounter, joined, worker};
use crate::pipeline::{Feed, Pipeline};
use crate::stations::warehouse::SummaryPart;
use std::sync::Arc;

/// Events that are counted at a time. More lines than a chunk of NDJSON may have would be too many for the decoder.
pub const MOST_EVENTS: usize = 5_000;

/// What counting one feed's events takes, made once.
#[derive(Clone)]
pub struct EventCounter {
    counter: Arc<FeedCounter>,
    decoder: Arc<ndjson::Decoder>,
}

/// What some events came to.
#[derive(Debug)]
pub struct CountedEvents {
    /// One for each summary of the feed.
    pub parts: Vec<SummaryPart>,
    /// In the order of the events.
    pub bad: Vec<BadEvent>,
    /// Keys that the contract does not name.
    pub unknown_columns: Vec<String>,
}

/// An event that counts in no summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEvent {
    /// Its position among the events that were counted.
    pub position: usize,
    pub reason: String,
}

impl EventCounter {
    pub fn new(pipeline: &Pipeline, feed: &Feed) -> Result<Self, CountError> {
        let counter = FeedCounter::new(pipeline, feed)?;
        let decoder = ndjson::Decoder::new(&feed.values, &feed.columns, &counter.needed)?;
        Ok(EventCounter { counter: Arc::new(counter), decoder: Arc::new(decoder) })
    }

    pub fn feed(&self) -> &Feed {
        &self.counter.feed
    }

    /// Parts of no events at all: what is known to be gone counts this.
    pub fn nothing(&self) -> CountedEvents {
        let parts = self.counter.plans.iter().map(|plan| SummaryPart { plan: plan.clone(), rows: Vec::new() });
        CountedEvents { parts: parts.collect(), bad: Vec::new(), unknown_columns: Vec::new() }
    }

    /// Counts events, at most [`MOST_EVENTS`].
    ///
    /// # Errors
    /// Those of an expression or a sum that some event breaks, which is to be looked for by halves.
    pub async fn count(&self, bodies: Vec<Bytes>, budget: &Budget) -> Result<CountedEvents, CountError> {
        let _memory = budget.room(Cost::of_text(bodies.iter().map(Bytes::len).sum())).await;
        let counter = self.clone();
        joined(spawn_blocking(move || counter.count_now(&bodies))).await
    }

    fn count_now(&self, bodies: &[Bytes]) -> Result<CountedEvents, CountError> {
        let Lines { text, positions, mut bad } = lines_of(bodies);
        let mut totals: Vec<Part> = self.counter.empty_parts();
        let mut chunk = self.decoder.decode(text.into());
        let unknown_columns = std::mem::take(&mut chunk.unknown_keys);
        let rejected = worker::add_chunk(&self.counter, &chunk, &mut totals)?;
        let undecoded = chunk.bad.into_iter().map(|row| (row.row, row.reason));
        let refused = rejected.into_iter().map(|row| (row.row, row.reason));
        bad.extend(
            undecoded.chain(refused).map(|(row, reason)| BadEvent { position: positions[row as usize], reason }),
        );
        bad.sort_by_key(|event| event.position);
        let parts = self
            .counter
            .plans
            .iter()
            .zip(totals)
            .map(|(plan, part)| Ok(SummaryPart { plan: plan.clone(), rows: part.into_rows()? }));
        Ok(CountedEvents { parts: parts.collect::<Result<_, CountError>>()?, bad, unknown_columns })
    }
}

/// Events as lines of NDJSON.
struct Lines {
    text: Vec<u8>,
    /// Of each line, which event it is.
    positions: Vec<usize>,
    /// Events that are no line.
    bad: Vec<BadEvent>,
}

fn lines_of(bodies: &[Bytes]) -> Lines {
    let mut lines = Lines { text: Vec::new(), positions: Vec::with_capacity(bodies.len()), bad: Vec::new() };
    for (position, body) in bodies.iter().enumerate() {
        match one_line(body) {
            Ok(line) => {
                lines.text.extend_from_slice(&line);
                lines.text.push(b'\n');
                lines.positions.push(position);
            }
            Err(reason) => lines.bad.push(BadEvent { position, reason: reason.to_owned() }),
        }
    }
    lines
}

/// An event's body in one line. Line ends outside strings are white space to JSON; inside them they are a fault, which the
/// decoder would not see once they are blanks.
pub fn one_line(body: &Bytes) -> Result<Bytes, &'static str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").map_or_else(|| body.clone(), |rest| body.slice_ref(rest));
    if body.iter().all(|byte| byte.is_ascii_whitespace()) {
        return Err("the event is empty; an event is one JSON object");
    }
    if memchr::memchr2(b'\n', b'\r', &body).is_none() {
        return Ok(body);
    }
    let mut line = body.to_vec();
    let (mut in_string, mut escaped) = (false, false);
    for byte in &mut line {
        match *byte {
            b'\n' | b'\r' if in_string => return Err("a line end stands inside a string; JSON writes it as \\n"),
            b'\n' | b'\r' => *byte = b' ',
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    Ok(line.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(body: &'static str) -> Result<String, &'static str> {
        one_line(&Bytes::from_static(body.as_bytes())).map(|line| String::from_utf8(line.to_vec()).unwrap())
    }

    #[test]
    fn an_event_over_several_lines_is_one_row() {
        assert_eq!(line("{\r\n \"a\": \"x\\\"\",\n \"b\": 2\n}").unwrap(), "{   \"a\": \"x\\\"\",  \"b\": 2 }");
        assert_eq!(line("\u{feff}{\"a\": 1}").unwrap(), "{\"a\": 1}");
    }

    #[test]
    fn a_line_end_inside_a_string_is_a_fault_and_no_blank() {
        assert!(line("{\"a\": \"x\ny\"}").unwrap_err().contains("inside a string"));
    }

    #[test]
    fn nothing_is_no_event() {
        assert!(line("").is_err());
        assert!(line(" \n ").is_err());
    }
}
