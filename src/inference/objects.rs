//! NDJSON and Parquet: files that name and type their columns themselves.

use std::sync::Arc;

use millrace_decode::contract::ColumnType;
use millrace_decode::parquet::{ParquetFile, RangeSource};
use serde_json::Value;

use super::column::{ColumnGuess, ColumnTexts};
use super::{Guess, InferenceError};

/// Keys that one file may have before they are data and no columns.
const MOST_KEYS: usize = 500;

pub fn look_like_objects(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// One key of the objects.
struct Key {
    name: String,
    seen: usize,
    texts: ColumnTexts,
    numbers: bool,
    whole_numbers: bool,
    booleans: bool,
    strings: bool,
    nested: bool,
}

impl Key {
    fn new(name: &str) -> Self {
        Key {
            name: name.to_owned(),
            seen: 0,
            texts: ColumnTexts::new(name, false),
            numbers: false,
            whole_numbers: true,
            booleans: false,
            strings: false,
            nested: false,
        }
    }

    fn see(&mut self, value: &Value) {
        self.seen += 1;
        match value {
            Value::Null => {}
            Value::Bool(_) => self.booleans = true,
            Value::Number(number) => {
                self.numbers = true;
                self.whole_numbers &= number.is_i64();
            }
            Value::String(text) => {
                self.strings = true;
                self.texts.see(text);
            }
            Value::Array(_) | Value::Object(_) => self.nested = true,
        }
    }

    fn guess(self, rows: usize) -> ColumnGuess {
        let kinds = [self.numbers, self.booleans, self.strings, self.nested].into_iter().filter(|kind| *kind).count();
        let plain = |column_type: &str, why: &str| (column_type.to_owned(), why.to_owned());
        let mut guess = self.texts.guess();
        let (column_type, why) = match () {
            () if kinds == 0 => plain("string", "null in every object of the sample: look it up"),
            () if kinds > 1 && !self.nested => plain("string", "of several types in the sample: kept as text"),
            () if self.nested && !self.strings => plain("json", "objects or arrays, kept as their JSON text"),
            () if self.nested => plain("string", "text, objects or arrays: the latter are kept as their JSON text"),
            () if self.booleans => plain("bool", ""),
            () if self.numbers && self.whole_numbers => plain("int64", ""),
            () if self.numbers => plain("float64", ""),
            () => (guess.column_type.clone(), guess.why.clone()),
        };
        if column_type != guess.column_type {
            guess.format = None;
        }
        guess.null_words.clear();
        guess.required = false;
        guess.why = match why {
            why if why.is_empty() && self.seen < rows => format!("in {} of {rows} objects", self.seen),
            why => why,
        };
        ColumnGuess { column_type, ..guess }
    }
}

pub fn of_ndjson(text: &str) -> Result<Guess, InferenceError> {
    let mut keys: Vec<Key> = Vec::new();
    let (mut rows, mut broken) = (0, 0);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Ok(Value::Object(object)) = serde_json::from_str(line) else {
            broken += 1;
            continue;
        };
        rows += 1;
        for (name, value) in &object {
            let position = match keys.iter().position(|key| key.name == *name) {
                Some(position) => position,
                None if keys.len() == MOST_KEYS => continue,
                None => {
                    keys.push(Key::new(name));
                    keys.len() - 1
                }
            };
            keys[position].see(value);
        }
    }
    if rows == 0 {
        return Err(InferenceError::NoObjects);
    }
    let mut notes = vec![format!("{rows} objects were looked at")];
    if broken > 0 {
        notes.push(format!("{broken} lines are no JSON objects: such rows are bad"));
    }
    if keys.len() == MOST_KEYS {
        notes.push(format!("more than {MOST_KEYS} keys: the rest is left out"));
    }
    let columns = keys.into_iter().map(|key| key.guess(rows)).collect();
    Ok(Guess { format: "ndjson", keys: Vec::new(), columns, notes })
}

pub fn of_parquet(file: &Arc<dyn RangeSource>) -> Result<Guess, InferenceError> {
    let file = ParquetFile::open(file.clone())?;
    let mut notes = vec![format!("{} rows, by its footer", file.row_count())];
    let mut columns = Vec::new();
    for column in file.columns() {
        let Some(column_type) = column.possible else {
            notes.push(format!("column `{}` is left out: {} is not read", column.name, column.found));
            continue;
        };
        let why = match column_type {
            ColumnType::String | ColumnType::Json => String::new(),
            _ => format!("{} in the file", column.found),
        };
        columns.push(ColumnGuess {
            from: column.name,
            column_type: column_type.to_string(),
            format: None,
            required: true,
            why,
            null_words: Default::default(),
            decimal_comma: false,
            distinct: 0,
        });
    }
    Ok(Guess { format: "parquet", keys: Vec::new(), columns, notes })
}
