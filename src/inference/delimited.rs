//! CSV: which character stands between cells, which line is the header, and what stands around the rows.

use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord};

use super::column::{ColumnGuess, ColumnTexts};
use super::sample::Sample;
use super::{Guess, InferenceError};

const DELIMITERS: [(u8, &str); 4] = [(b',', "a comma"), (b';', "a semicolon"), (b'\t', "a tab"), (b'|', "a bar")];

/// Rows by which the delimiter is chosen.
const ROWS_TO_CHOOSE: usize = 1_000;

/// Lines before the header, and rows after the last one, that may be something else.
const MOST_AROUND: usize = 20;

pub fn of_csv(text: &str, sample: &Sample) -> Result<Guess, InferenceError> {
    let delimiter = DELIMITERS.into_iter().max_by_key(|(delimiter, _)| evidence(text, *delimiter));
    let (delimiter, its_name) = delimiter.unwrap_or(DELIMITERS[0]);
    let records: Vec<StringRecord> = records(text, delimiter).collect();
    let width = usual_width(&records);
    let Some(first) = records.iter().position(|record| record.len() == width) else {
        return Err(InferenceError::Empty);
    };

    let mut guess = Guess { format: "csv", keys: Vec::new(), columns: Vec::new(), notes: Vec::new() };
    if sample.encoding != encoding_rs::UTF_8 {
        guess.set("encoding", quoted(&sample.encoding.name().to_ascii_lowercase()), sample.why_encoding);
    }
    if delimiter != b',' {
        guess.set("delimiter", quoted(&char::from(delimiter).to_string()), format!("{its_name} in every row"));
    }
    let mut rows = &records[first..];
    if first > 0 && first <= MOST_AROUND {
        let line = line_of(&rows[0], text);
        guess.set("skip_rows", (line - 1).to_string(), format!("the first line with {width} cells is line {line}"));
    }
    if sample.whole {
        let after = rows.iter().rev().take_while(|record| record.len() != width).count();
        if after > 0 && after <= MOST_AROUND && after < rows.len() {
            guess.set(
                "skip_footer",
                after.to_string(),
                format!("the last {after} rows have other cells than the rest"),
            );
            rows = &rows[..rows.len() - after];
        }
    }
    let names = match is_header(&rows[0], &rows[1..]) {
        true => {
            let names = rows[0].iter().map(|name| name.trim().to_owned()).collect();
            rows = &rows[1..];
            names
        }
        false => {
            guess.set("header", "false", "the first row looks like the others: give the columns names of yours");
            (1..=width).map(|number| format!("column_{number}")).collect::<Vec<String>>()
        }
    };
    guess.columns = columns(&names, rows, width, delimiter != b',');
    settle_values(&mut guess);
    guess.notes.push(format!("{} rows were looked at", rows.len()));
    Ok(guess)
}

/// The line on which a record begins, counted from 1; blank lines before it are none of its own.
fn line_of(record: &StringRecord, text: &str) -> usize {
    let begins = record.position().map_or(0, |position| position.byte() as usize);
    let blank = text[begins..].bytes().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    text[..begins + blank].matches('\n').count() + 1
}

fn records(text: &str, delimiter: u8) -> impl Iterator<Item = StringRecord> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
        .into_records()
        .map_while(Result::ok)
}

/// How much speaks for a delimiter: rows of the usual width, if they have more than one cell.
fn evidence(text: &str, delimiter: u8) -> usize {
    let records: Vec<StringRecord> = records(text, delimiter).take(ROWS_TO_CHOOSE).collect();
    let width = usual_width(&records);
    match width {
        0 | 1 => 0,
        // Rows decide; the number of cells only where they agree.
        _ => records.iter().filter(|record| record.len() == width).count() * 1_000 + width.min(999),
    }
}

fn usual_width(records: &[StringRecord]) -> usize {
    let mut rows_of_width: HashMap<usize, usize> = HashMap::new();
    for record in records.iter().take(ROWS_TO_CHOOSE) {
        *rows_of_width.entry(record.len()).or_default() += 1;
    }
    rows_of_width.into_iter().max_by_key(|(width, rows)| (*rows, *width)).map_or(0, |(width, _)| width)
}

/// A header has a different word in each cell, and no cell that is a value of the type of those below it.
fn is_header(first: &StringRecord, rows: &[StringRecord]) -> bool {
    let mut names: Vec<&str> = first.iter().map(str::trim).collect();
    names.sort_unstable();
    let different = names.windows(2).all(|pair| pair[0] != pair[1]);
    let words = first.iter().all(|name| name.chars().any(char::is_alphabetic) || name.trim().is_empty());
    if !different || !words || first.iter().all(|name| name.trim().is_empty()) {
        return false;
    }
    let typed = |position: usize, with_first: bool| {
        let mut texts = ColumnTexts::new("", true);
        if with_first {
            texts.see(first.get(position).unwrap_or_default());
        }
        rows.iter().take(ROWS_TO_CHOOSE).for_each(|row| texts.see(row.get(position).unwrap_or_default()));
        texts.guess().column_type
    };
    let spoils_a_type = (0..first.len()).any(|position| typed(position, false) != typed(position, true));
    // Where every column is text anyway, a first row of words is a header more often than not.
    spoils_a_type || rows.is_empty() || (0..first.len()).all(|position| typed(position, false) == "string")
}

fn columns(names: &[String], rows: &[StringRecord], width: usize, commas_are_free: bool) -> Vec<ColumnGuess> {
    let mut texts: Vec<ColumnTexts> = names.iter().map(|name| ColumnTexts::new(name, commas_are_free)).collect();
    for row in rows.iter().filter(|row| row.len() == width) {
        texts.iter_mut().zip(row).for_each(|(texts, cell)| texts.see(cell));
    }
    texts.into_iter().map(ColumnTexts::guess).collect()
}

/// What the columns say of the whole feed: its null words, and its decimal separator.
fn settle_values(guess: &mut Guess) {
    let mut words: Vec<String> = guess.columns.iter().flat_map(|column| column.null_words.iter().cloned()).collect();
    words.sort();
    words.dedup();
    if !words.is_empty() {
        let list: Vec<String> = std::iter::once(String::new()).chain(words).map(|word| quoted(&word)).collect();
        guess.set("null_values", format!("[{}]", list.join(", ")), "they stand where numbers or dates should");
    }
    if guess.columns.iter().any(|column| column.decimal_comma) {
        guess.set("decimal_separator", quoted(","), "numbers have a comma before their fraction");
    }
}

/// As TOML writes a string.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
