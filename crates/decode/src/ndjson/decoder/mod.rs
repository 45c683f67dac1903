//! One chunk to columns and bad rows.
//!
//! It builds the columns that it was asked for and no others; of all other values it knows that they are JSON. Row by
//! row, so that a row that does not fit leaves nothing behind.

mod building;

use std::collections::HashMap;

use bytes::Bytes;

use self::building::Building;
use super::cutter::MAX_CHUNK_LINES;
use super::grammar::{Fault, Json};
use super::keys::KeyId;
use crate::builder::{ColumnBuilder, likely_row_count};
use crate::columns::{BadRow, DecodedChunk};
use crate::contract::{Column, ValueRules};
use crate::reason::shown;
use crate::values::{Form, FormatError, NullWords};

/// Decodes the chunks of a feed's files. Threads share it by reference.
#[derive(Clone, Debug)]
pub struct Decoder {
    nulls: NullWords,
    columns: Vec<NeededColumn>,
    /// How many keys must be in a row so that nothing is to be completed: those that are required or needed.
    awaited_keys: usize,
    /// What the contract says of each of its keys, and where to find it by name.
    keys: Vec<ContractKey>,
    key_ids: HashMap<Vec<u8>, KeyId>,
}

#[derive(Clone, Debug)]
struct NeededColumn {
    name: String,
    form: Form,
}

#[derive(Clone, Debug)]
struct ContractKey {
    name: String,
    required: bool,
    /// Indexes of the needed columns that are made of it: mostly one or none.
    columns: Vec<u32>,
    awaited: bool,
}

impl Decoder {
    /// `contract` are all columns of the feed, `needed` those of them that somebody needs, in the order in which they
    /// shall come out.
    ///
    /// # Errors
    ///
    /// A needed column has a format that cannot read it; [`check_format`](crate::contract::check_format) says so
    /// earlier.
    pub fn new(rules: &ValueRules, contract: &[Column], needed: &[Column]) -> Result<Self, FormatError> {
        let needed_column =
            |column: &Column| Ok(NeededColumn { name: column.name.clone(), form: Form::new(column, rules)? });
        let mut decoder = Self {
            nulls: NullWords::new(&rules.null_values),
            columns: needed.iter().map(needed_column).collect::<Result<_, _>>()?,
            awaited_keys: 0,
            keys: Vec::new(),
            key_ids: HashMap::new(),
        };
        for column in contract {
            decoder.key_of(column).required |= column.required;
        }
        for (index, column) in (0..).zip(needed) {
            decoder.key_of(column).columns.push(index);
        }
        for key in &mut decoder.keys {
            key.awaited = key.required || !key.columns.is_empty();
        }
        decoder.awaited_keys = decoder.keys.iter().filter(|key| key.awaited).count();
        Ok(decoder)
    }

    fn key_of(&mut self, column: &Column) -> &mut ContractKey {
        let next_id = self.keys.len() as KeyId;
        let id = *self.key_ids.entry(column.from.clone().into_bytes()).or_insert(next_id);
        if id == next_id {
            self.keys.push(ContractKey {
                name: column.from.clone(),
                required: false,
                columns: Vec::new(),
                awaited: false,
            });
        }
        &mut self.keys[id as usize]
    }

    /// Decodes the rows of a chunk.
    ///
    /// # Panics
    ///
    /// With a chunk of 2 GiB or more, which no [`RowCutter`](super::RowCutter) makes.
    pub fn decode(&self, chunk: Bytes) -> DecodedChunk {
        assert!(chunk.len() < i32::MAX as usize, "a chunk of 2 GiB cannot be addressed");
        let is_utf8 = simdutf8::basic::from_utf8(&chunk).is_ok();
        let mut building = Building::new(self, &chunk, likely_row_count(&chunk).min(MAX_CHUNK_LINES));
        let json = building.json;
        let mut bad = Vec::new();
        let mut row_count = 0;
        let mut good_rows = 0;
        let mut line_start = 0;
        while line_start < chunk.len() {
            let start = json.blanks(line_start);
            if json.at(start) == b'\n' {
                line_start = start + 1;
                continue;
            }
            row_count += 1;
            let ended = if is_utf8 { Ok(()) } else { insist_on_utf8(line(&chunk, line_start)) };
            let ended = match ended {
                Ok(()) => building.row(start, row_count).map_err(|fault| say_fault(json, line_start, fault)),
                Err(reason) => Err(reason),
            };
            let (end, reason) = match ended {
                Ok(end) => (end, building.misfit.take()),
                Err(reason) => {
                    building.keys.forget_unconfirmed();
                    (line_start + line(&chunk, line_start).len(), Some(reason))
                }
            };
            match reason {
                None => good_rows += 1,
                Some(reason) => {
                    for builder in &mut building.builders {
                        builder.truncate(good_rows);
                    }
                    building.misfit = None;
                    let raw = without_cr(&chunk[line_start..end]).to_vec();
                    bad.push(BadRow { row: row_count - 1, raw, reason });
                }
            }
            line_start = end + 1;
        }
        let columns = building.builders.into_iter().map(ColumnBuilder::finish).collect();
        let unknown_keys = building.keys.into_unknown();
        DecodedChunk { bytes: chunk, row_count, columns, bad, unknown_keys }
    }

    /// The raw bytes of rows that later steps found bad, in the order of `row_numbers`, which count as in
    /// [`BadRow::row`]. A row that is not there is empty.
    pub fn raw_rows(&self, chunk: &[u8], row_numbers: &[u32]) -> Vec<Vec<u8>> {
        let mut wanted: Vec<(u32, usize)> = row_numbers.iter().copied().zip(0..).collect();
        wanted.sort_unstable();
        let mut raw_rows = vec![Vec::new(); row_numbers.len()];
        let mut wanted = wanted.into_iter().peekable();
        let json = Json { bytes: chunk };
        let mut row_number = 0;
        let mut line_start = 0;
        while wanted.peek().is_some() && line_start < chunk.len() {
            let line = line(chunk, line_start);
            let is_blank = json.blanks(line_start) == line_start + line.len();
            line_start += line.len() + 1;
            if is_blank {
                continue;
            }
            while let Some((_, index)) = wanted.next_if(|(number, _)| *number == row_number) {
                raw_rows[index] = without_cr(line).to_vec();
            }
            row_number += 1;
        }
        raw_rows
    }
}

/// From `start` to before the line feed, or the end of the chunk.
fn line(chunk: &[u8], start: usize) -> &[u8] {
    let rest = &chunk[start..];
    memchr::memchr(b'\n', rest).map_or(rest, |end| &rest[..end])
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn insist_on_utf8(line: &[u8]) -> Result<(), String> {
    let fault = match simdutf8::compat::from_utf8(line) {
        Ok(_) => return Ok(()),
        Err(fault) => fault,
    };
    Err(format!("not valid UTF-8 at byte {}", fault.valid_up_to() + 1))
}

/// Bytes are counted from 1, in the row.
#[cold]
fn say_fault(json: Json, line_start: usize, fault: Fault) -> String {
    let Fault { what, at } = fault;
    let place = at - line_start + 1;
    let rest = &json.bytes[at.min(json.bytes.len())..];
    let found = rest[..rest.len().min(4)].utf8_chunks().next();
    let found = found.and_then(|part| part.valid().chars().next()).filter(|found| *found != '\n');
    match found {
        _ if !what.starts_with("expected") => format!("not a JSON object: {what} at byte {place}"),
        Some(found) => {
            let found = shown(found.encode_utf8(&mut [0; 4]).as_bytes());
            format!("not a JSON object: {what} at byte {place}, found `{found}`")
        }
        None => format!("not a JSON object: {what} at byte {place}, where the line ends"),
    }
}

#[cfg(test)]
mod tests;
