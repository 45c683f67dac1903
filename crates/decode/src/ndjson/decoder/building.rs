//! One row to a value in each column.
//!
//! It knows where a row begins and finds where it ends. The row is read to its end even when a value does not fit, so
//! that only whole objects are said to have the keys that they have.

use super::super::grammar::{Fault, Json, unescape};
use super::super::keys::{KeyId, Keys};
use super::Decoder;
use crate::builder::ColumnBuilder;
use crate::contract::ColumnType;
use crate::reason::{self, shown};
use crate::values::Misfit;

/// What becomes of one chunk.
pub(super) struct Building<'a> {
    decoder: &'a Decoder,
    pub json: Json<'a>,
    pub keys: Keys<'a>,
    /// For each key of the contract the last row that has it, counted from 1.
    last_seen: Vec<u32>,
    /// One for each needed column.
    pub builders: Vec<ColumnBuilder<'a>>,
    /// Why the current row, although an object, is bad; some builders may then have a value too many.
    pub misfit: Option<String>,
    /// For texts that do not stand in the chunk.
    scratch: Vec<u8>,
}

/// Where a value stands, and what it is.
#[derive(Clone, Copy, Debug)]
struct Value {
    kind: Kind,
    start: usize,
    /// After its last byte, closing quote included.
    end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    Number,
    String,
    /// A string with escapes.
    Escaped,
    /// An array or object.
    Nested,
}

impl<'a> Building<'a> {
    pub fn new(decoder: &'a Decoder, chunk: &'a [u8], capacity: usize) -> Self {
        let json = Json { bytes: chunk };
        Self {
            decoder,
            json,
            keys: Keys::new(json, &decoder.key_ids),
            last_seen: vec![0; decoder.keys.len()],
            builders: decoder.columns.iter().map(|column| ColumnBuilder::new(&column.form, capacity)).collect(),
            misfit: None,
            scratch: Vec::new(),
        }
    }

    /// Reads the row that begins at `start` and adds a value to each builder, or says what is wrong with its values in
    /// `misfit`. Returns where its line feed stands.
    #[inline]
    pub fn row(&mut self, start: usize, row: u32) -> Result<usize, Fault> {
        let json = self.json;
        if json.at(start) != b'{' {
            return Err(Fault { what: "expected `{`", at: start });
        }
        let mut found = 0;
        let mut at = json.blanks(start + 1);
        if json.at(at) != b'}' {
            at = start;
            let mut previous = None;
            loop {
                let (key, value_at) = self.keys.next(at, previous)?;
                at = match self.last_seen.get_mut(key as usize) {
                    None => json.value(value_at, 1)?,
                    Some(last_seen) if *last_seen == row => {
                        self.say_double(key);
                        json.value(value_at, 1)?
                    }
                    Some(last_seen) => {
                        *last_seen = row;
                        let contract = &self.decoder.keys[key as usize];
                        found += usize::from(contract.awaited);
                        if contract.columns.is_empty() {
                            json.value(value_at, 1)?
                        } else {
                            self.value(&contract.columns, value_at)?
                        }
                    }
                };
                at = json.blanks(at);
                match json.at(at) {
                    b',' => previous = Some(key),
                    b'}' => break,
                    _ => return Err(Fault { what: "expected `,` or `}`", at }),
                }
            }
        }
        let end = json.blanks(at + 1);
        if json.at(end) != b'\n' {
            return Err(Fault { what: "expected nothing after the object", at: end });
        }
        self.keys.confirm();
        if found < self.decoder.awaited_keys {
            self.fill(row);
        }
        Ok(end)
    }

    /// Reads the value at `at` and adds it to the columns of the key. Returns what follows it.
    #[inline]
    fn value(&mut self, columns: &[u32], at: usize) -> Result<usize, Fault> {
        let value = read_value(self.json, at)?;
        for &column in columns {
            if self.misfit.is_none() {
                self.push(column as usize, value);
            }
        }
        Ok(value.end)
    }

    /// Adds a value to a column.
    #[inline]
    fn push(&mut self, column: usize, value: Value) {
        let builder = &mut self.builders[column];
        let chunk = self.json.bytes;
        let Value { kind, start, end } = value;
        let column_type = self.decoder.columns[column].form.column_type;
        let pushed = match kind {
            Kind::Null => {
                builder.push_null();
                Ok(())
            }
            Kind::Number => builder.push_number(chunk, start, end),
            Kind::Bool if !is_text(column_type) => builder.push(chunk, start, end),
            Kind::Bool | Kind::Nested => builder.push_json(chunk, start, end),
            Kind::String if self.decoder.nulls.contains(&chunk[start + 1..end - 1]) => {
                builder.push_null();
                Ok(())
            }
            Kind::String if column_type == ColumnType::Json => builder.push_json(chunk, start, end),
            Kind::String => builder.push(chunk, start + 1, end - 1),
            Kind::Escaped => {
                self.scratch.clear();
                unescape(&chunk[start + 1..end - 1], &mut self.scratch);
                if self.decoder.nulls.contains(&self.scratch) {
                    builder.push_null();
                    Ok(())
                } else if column_type == ColumnType::Json {
                    builder.push_json(chunk, start, end)
                } else {
                    builder.push_unescaped(&self.scratch)
                }
            }
        };
        if let Err(misfit) = pushed {
            self.say_misfit(column, value, misfit);
        }
    }

    /// Completes a row that lacks keys of the contract.
    #[inline(never)]
    fn fill(&mut self, row: u32) {
        for (key, last_seen) in self.decoder.keys.iter().zip(&self.last_seen) {
            if self.misfit.is_some() || *last_seen == row {
                continue;
            }
            if key.required {
                self.misfit = Some(format!("lacks `{}`", shown(key.name.as_bytes())));
            }
            for &column in &key.columns {
                self.builders[column as usize].push_null();
            }
        }
    }

    #[cold]
    fn say_double(&mut self, key: KeyId) {
        let name = &self.decoder.keys[key as usize].name;
        self.misfit.get_or_insert_with(|| format!("has `{}` twice", shown(name.as_bytes())));
    }

    #[cold]
    fn say_misfit(&mut self, column: usize, value: Value, misfit: Misfit) {
        let Value { kind, start, end } = value;
        let text = match kind {
            Kind::Escaped => &self.scratch,
            Kind::String => &self.json.bytes[start + 1..end - 1],
            _ => &self.json.bytes[start..end],
        };
        let column = &self.decoder.columns[column];
        self.misfit = Some(reason::misfit(&column.name, text, column.form.column_type, misfit));
    }
}

#[inline(always)]
fn read_value(json: Json, start: usize) -> Result<Value, Fault> {
    if json.at(start) == b'"' {
        let text = json.string(start + 1)?;
        let kind = if text.escaped { Kind::Escaped } else { Kind::String };
        return Ok(Value { kind, start, end: text.end + 1 });
    }
    let (kind, end) = match json.at(start) {
        b'-' | b'0'..=b'9' => (Kind::Number, json.number(start)?),
        b'{' | b'[' => (Kind::Nested, json.nested(start, 1)?),
        b't' => (Kind::Bool, json.literal(start, b"true")?),
        b'f' => (Kind::Bool, json.literal(start, b"false")?),
        _ => (Kind::Null, json.literal(start, b"null")?),
    };
    Ok(Value { kind, start, end })
}

fn is_text(column_type: ColumnType) -> bool {
    matches!(column_type, ColumnType::String | ColumnType::Json)
}
