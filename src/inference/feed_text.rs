//! The guess as TOML, with comments.

use std::collections::HashSet;
use std::fmt::Write;

use millrace_decode::inflate::Compression;

use super::Guess;
use super::column::ColumnGuess;
use super::delimited::quoted;
use super::sample::Sample;
use crate::pipeline::is_column_name;

/// A feed's name by the letters of a file's: `orders-2026-11.csv.gz` is `orders`.
pub fn feed_name(file_name: &str) -> String {
    let base = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = base.split('.').next().unwrap_or_default();
    let words: Vec<String> = stem
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| word.len() > 1)
        .map(str::to_ascii_lowercase)
        .collect();
    let name: String = words.join("_").chars().take(63).collect();
    match name.is_empty() {
        true => "my_feed".to_owned(),
        false => crate::pipeline::as_feed_name(&name),
    }
}

/// The feed alone, without comments; pipeline.toml takes it as it is.
pub fn write(name: &str, guess: &Guess, sample: &Sample) -> String {
    lines(name, guess, sample).into_iter().map(|line| format!("{}\n", line.text)).collect()
}

/// A line of TOML and what is said of it.
struct Line {
    text: String,
    comment: String,
}

fn line(text: impl Into<String>, comment: impl Into<String>) -> Line {
    Line { text: text.into(), comment: comment.into() }
}

fn lines(name: &str, guess: &Guess, sample: &Sample) -> Vec<Line> {
    let compression = match sample.compression {
        Compression::None => String::new(),
        other => format!("the {} around it is undone by the file's name", other.name()),
    };
    let mut lines = vec![
        line("[[feed]]", ""),
        line(format!("name = {}", quoted(name)), "the folder below landing/, and what summaries call it"),
        line(format!("format = {}", quoted(guess.format)), compression),
    ];
    for key in &guess.keys {
        lines.push(line(format!("{} = {}", key.name, key.value), &key.why));
    }
    lines.push(line("", ""));
    lines.push(line("[feed.columns]", ""));
    let mut taken = HashSet::new();
    for column in &guess.columns {
        let name = column_name(&column.from, &mut taken);
        lines.push(line(column_text(&name, column), &column.why));
    }
    lines
}

fn column_text(name: &str, column: &ColumnGuess) -> String {
    let column_type = quoted(&column.column_type);
    if name == column.from && column.format.is_none() {
        return format!("{name} = {column_type}");
    }
    let mut text = format!("{name} = {{ type = {column_type}");
    if name != column.from {
        let _ = write!(text, ", from = {}", quoted(&column.from)); // writing to a String cannot fail
    }
    if let Some(format) = &column.format {
        let _ = write!(text, ", format = {}", quoted(format)); // writing to a String cannot fail
    }
    text + " }"
}

/// A name that SQL takes without quotes, as near to the file's as can be; each only once.
fn column_name(from: &str, taken: &mut HashSet<String>) -> String {
    let mut name: String = if is_column_name(from) {
        from.to_owned()
    } else {
        let words: Vec<String> = from
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        words.join("_").chars().take(50).collect()
    };
    if !is_column_name(&name) {
        name = format!("column_{name}").trim_end_matches('_').to_owned();
    }
    let stem = name.clone();
    let mut number = 2;
    while !taken.insert(name.to_lowercase()) {
        name = format!("{stem}_{number}");
        number += 1;
    }
    name
}

/// For people: what was guessed from what, each guess with its reason, and what trying it said.
pub fn with_comments(name: &str, file_name: &str, sample: &Sample, guess: &Guess, tried: &[String]) -> String {
    let lines = lines(name, guess, sample);
    let width = lines.iter().filter(|line| !line.comment.is_empty()).map(|line| line.text.chars().count()).max();
    let width = width.unwrap_or(0).min(60);
    let mut text = format!("# Guessed from {file_name}: read it over before you use it.\n");
    for note in guess.notes.iter().chain(tried) {
        let _ = writeln!(text, "# {note}."); // writing to a String cannot fail
    }
    for Line { text: toml, comment } in lines {
        let written = match comment.is_empty() {
            true => writeln!(text, "{toml}"),
            false => writeln!(text, "{toml:<width$}  # {comment}"),
        };
        let _ = written; // writing to a String cannot fail
    }
    text
}
