//! One table of the file while it is read: typed access to its keys, each with its line. Keys that nobody knows are
//! reported when the table is opened.

use chrono::{DateTime, Utc};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::faults::{Report, did_you_mean, listed};
use super::times::parse_time;

/// What may stand in a table.
pub(super) type Keys = &'static [&'static str];

pub(super) struct Section<'a> {
    pub report: &'a Report<'a>,
    pub table: &'a DeTable<'a>,
    /// Of the table's header.
    pub line: usize,
    pub place: String,
}

/// A value with the line on which it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<T> {
    pub value: T,
    pub line: usize,
}

/// A table that was not opened yet.
#[derive(Clone, Copy)]
pub(super) struct Unopened<'a> {
    pub table: &'a DeTable<'a>,
    pub line: usize,
}

impl<'a> Section<'a> {
    pub fn open(report: &'a Report<'a>, unopened: Unopened<'a>, place: String, keys: Keys) -> Self {
        let section = Section { report, table: unopened.table, line: unopened.line, place };
        for key in unopened.table.keys() {
            let name = key.get_ref().as_ref();
            let line = report.line(key.span().start);
            if !keys.contains(&name) {
                section.unknown_key(name, line, keys);
            }
        }
        section
    }

    fn unknown_key(&self, name: &str, line: usize, keys: Keys) {
        let known = || keys.iter().copied();
        let remedy = did_you_mean(name, known(), || format!("known here: {}", listed(known())));
        self.report.fault(line, &self.place, format!("unknown key `{name}`"), remedy);
    }

    pub fn fault(&self, line: usize, problem: impl Into<String>, remedy: impl Into<String>) {
        self.report.fault(line, &self.place, problem, remedy);
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn find(&self, key: &str) -> Option<Found<&'a DeValue<'a>>> {
        self.table.get(key).map(|value| self.found(value))
    }

    fn found(&self, value: &'a Spanned<DeValue<'a>>) -> Found<&'a DeValue<'a>> {
        Found { value: value.get_ref(), line: self.report.line(value.span().start) }
    }

    fn wrong_type(&self, line: usize, key: &str, expected: &str, value: &DeValue<'_>, example: &str) {
        let problem = format!("`{key}` must be {expected}, but {} stands here", kind(value));
        self.fault(line, problem, format!("write `{example}`"));
    }

    /// The line of a key's value, or else of the table.
    pub fn line_of(&self, key: &str) -> usize {
        self.find(key).map_or(self.line, |found| found.line)
    }

    /// A key that must be there: the remedy is an example of the line.
    pub fn missing(&self, key: &str, example: &str) {
        self.fault(self.line, format!("`{key}` is missing"), format!("write `{example}`"));
    }

    /// `None` if it is absent, or is no string (which is reported).
    pub fn text(&self, key: &str, example: &str) -> Option<Found<&'a str>> {
        let found = self.find(key)?;
        match found.value {
            DeValue::String(text) => Some(Found { value: text.as_ref(), line: found.line }),
            other => {
                self.wrong_type(found.line, key, "a string", other, example);
                None
            }
        }
    }

    pub fn required_text(&self, key: &str, example: &str) -> Option<Found<&'a str>> {
        if !self.has(key) {
            self.missing(key, example);
        }
        self.text(key, example)
    }

    /// Strings of an array; empty if the key is absent. `None` if something else stands there (which is reported).
    pub fn texts(&self, key: &str, example: &str) -> Option<Vec<Found<&'a str>>> {
        let Some(found) = self.find(key) else {
            return Some(Vec::new());
        };
        let DeValue::Array(values) = found.value else {
            self.wrong_type(found.line, key, "an array of strings", found.value, example);
            return None;
        };
        let mut texts = Vec::new();
        let mut clean = true;
        for value in values.iter().map(|value| self.found(value)) {
            match value.value {
                DeValue::String(text) => texts.push(Found { value: text.as_ref(), line: value.line }),
                other => {
                    self.wrong_type(value.line, key, "an array of strings", other, example);
                    clean = false;
                }
            }
        }
        clean.then_some(texts)
    }

    /// A string, or an array of strings.
    pub fn text_or_texts(&self, key: &str, example: &str) -> Option<Vec<Found<&'a str>>> {
        match self.find(key)?.value {
            DeValue::String(_) => self.text(key, example).map(|text| vec![text]),
            _ => self.texts(key, example),
        }
    }

    pub fn flag(&self, key: &str, example: &str) -> Option<bool> {
        let found = self.find(key)?;
        match found.value {
            DeValue::Boolean(flag) => Some(*flag),
            other => {
                self.wrong_type(found.line, key, "true or false", other, example);
                None
            }
        }
    }

    /// A date or a time with its offset, in quotes or as TOML writes it.
    pub fn time(&self, key: &str, example: &str) -> Option<Found<DateTime<Utc>>> {
        let found = self.find(key)?;
        let text = match found.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            other => {
                self.wrong_type(found.line, key, "a date or time", other, example);
                return None;
            }
        };
        let time = parse_time(&text);
        if time.is_none() {
            self.fault(
                found.line,
                format!("`{key}` is `{text}`, which is neither a date nor a time with its offset"),
                format!("write `{example}`, which begins at midnight UTC, or a time such as `2026-01-01T08:00:00Z`"),
            );
        }
        time.map(|value| Found { value, line: found.line })
    }

    pub fn whole_number(&self, key: &str, example: &str) -> Option<Found<i64>> {
        let found = self.find(key)?;
        let number = whole(found.value);
        if number.is_none() {
            self.wrong_type(found.line, key, "a whole number", found.value, example);
        }
        number.map(|value| Found { value, line: found.line })
    }

    pub fn number(&self, key: &str, example: &str) -> Option<Found<f64>> {
        let found = self.find(key)?;
        let number = match found.value {
            DeValue::Integer(_) => whole(found.value).map(|number| number as f64),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong_type(found.line, key, "a number", found.value, example);
        }
        number.map(|value| Found { value, line: found.line })
    }

    /// The table under a key. `None` if it is absent, or is no table (which is reported).
    pub fn subtable(&self, key: &str, example: &str) -> Option<Unopened<'a>> {
        let found = self.find(key)?;
        match found.value {
            DeValue::Table(table) => Some(Unopened { table, line: found.line }),
            other => {
                self.wrong_type(found.line, key, "a table", other, example);
                None
            }
        }
    }

    /// The tables `[[key]]`; empty if there are none.
    pub fn tables(&self, key: &str, header: &str) -> Vec<Unopened<'a>> {
        let Some(found) = self.find(key) else { return Vec::new() };
        let DeValue::Array(values) = found.value else {
            self.wrong_type(found.line, key, "an array of tables", found.value, header);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for value in values.iter().map(|value| self.found(value)) {
            match value.value {
                DeValue::Table(table) => tables.push(Unopened { table, line: value.line }),
                other => self.wrong_type(value.line, key, "an array of tables", other, header),
            }
        }
        tables
    }

    /// Keys and values in the order of the file.
    pub fn in_order(&self) -> Vec<(Found<&'a str>, Found<&'a DeValue<'a>>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| {
                let name = Found { value: key.get_ref().as_ref(), line: self.report.line(key.span().start) };
                (name, self.found(value))
            })
            .collect()
    }

    /// A string as it stands in the file, quotes and escapes included.
    pub fn raw(&self, key: &str) -> Option<(&'a str, usize)> {
        let span = self.table.get(key)?.span();
        Some((self.report.text().get(span.clone())?, self.report.line(span.start)))
    }
}

pub(super) fn whole(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

/// What stands there, for messages. The value itself is never shown: it may be a secret.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
