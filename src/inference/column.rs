//! The texts of one column to its type.

use std::collections::{BTreeMap, HashSet};

use chrono::{NaiveDate, NaiveDateTime};

/// What a column seems to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnGuess {
    /// As the file calls it.
    pub from: String,
    /// As pipeline.toml writes it: `int64`, `decimal(18,2)`.
    pub column_type: String,
    /// strftime, for dates and timestamps in another form than ISO's.
    pub format: Option<String>,
    pub required: bool,
    /// Why this type; empty where it is plain.
    pub why: String,
    /// Texts that stand for nothing in it.
    pub null_words: HashSet<String>,
    /// Its numbers have a comma before their fraction.
    pub decimal_comma: bool,
    /// Different values that were seen, as far as they were counted.
    pub distinct: usize,
}

/// Words that people write for nothing.
const NULL_WORDS: [&str; 12] =
    ["NA", "N/A", "#N/A", "NULL", "Null", "null", "None", "NaN", "nan", "-", "\\N", "(null)"];

/// Different values that are counted.
const MOST_DISTINCT: usize = 1_000;

const DATE_FORMATS: [&str; 7] = ["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y"];
const TIMESTAMP_FORMATS: [&str; 8] = [
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%Y-%m-%d %H:%M",
    "%Y%m%d%H%M%S",
];

/// A column while its texts come by.
pub struct ColumnTexts {
    from: String,
    commas_are_free: bool,
    /// Texts that are no null word and not empty.
    values: usize,
    null_words: BTreeMap<&'static str, usize>,
    distinct: HashSet<String>,
    /// What all values so far could be.
    is_bool: bool,
    is_integer: bool,
    leading_zeros: bool,
    is_decimal: bool,
    is_comma_decimal: bool,
    saw_comma: bool,
    fraction: Fraction,
    is_date: bool,
    is_timestamp: bool,
    date_formats: Vec<&'static str>,
    timestamp_formats: Vec<&'static str>,
    is_exponential: bool,
}

/// How many digits stand behind the point.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fraction {
    Unknown,
    Always(usize),
    Varies,
}

impl ColumnTexts {
    /// `commas_are_free`: the file's delimiter is another character, so that a comma may stand in a number.
    pub fn new(from: &str, commas_are_free: bool) -> Self {
        ColumnTexts {
            from: from.to_owned(),
            commas_are_free,
            values: 0,
            null_words: BTreeMap::new(),
            distinct: HashSet::new(),
            is_bool: true,
            is_integer: true,
            leading_zeros: false,
            is_decimal: true,
            is_comma_decimal: commas_are_free,
            saw_comma: false,
            fraction: Fraction::Unknown,
            is_date: true,
            is_timestamp: true,
            date_formats: DATE_FORMATS.to_vec(),
            timestamp_formats: TIMESTAMP_FORMATS.to_vec(),
            is_exponential: false,
        }
    }

    pub fn see(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(word) = NULL_WORDS.iter().find(|word| **word == text) {
            *self.null_words.entry(word).or_default() += 1;
            return;
        }
        self.values += 1;
        if self.distinct.len() < MOST_DISTINCT {
            self.distinct.insert(text.to_owned());
        }
        let text = text.trim_matches([' ', '\t']);
        self.is_bool &= text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
        self.see_number(text);
        self.is_date &= NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() && text.len() == 10;
        self.is_timestamp &= is_rfc_3339(text);
        self.date_formats.retain(|format| NaiveDate::parse_from_str(text, format).is_ok_and(is_plausible));
        self.timestamp_formats
            .retain(|format| NaiveDateTime::parse_from_str(text, format).is_ok_and(|time| is_plausible(time.date())));
    }

    fn see_number(&mut self, text: &str) {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_integer = all_digits(digits);
        self.is_integer &= is_integer && digits.len() <= 18;
        self.leading_zeros |= is_integer && digits.len() > 1 && digits.starts_with('0');
        let parts = |separator| match digits.split_once(separator) {
            Some((whole, fraction)) => (whole.is_empty() || all_digits(whole)) && all_digits(fraction),
            None => is_integer,
        };
        let exponential = digits.parse::<f64>().is_ok_and(f64::is_finite) && digits.contains(['e', 'E']);
        self.is_exponential |= exponential;
        self.is_decimal &= parts('.') || exponential;
        self.is_comma_decimal &= parts(',');
        self.saw_comma |= digits.contains(',');
        let separator = if digits.contains(',') { ',' } else { '.' };
        let here = digits.split_once(separator).map_or(0, |(_, fraction)| fraction.len());
        self.fraction = match self.fraction {
            Fraction::Unknown => Fraction::Always(here),
            Fraction::Always(digits) if digits == here => Fraction::Always(digits),
            _ => Fraction::Varies,
        };
    }

    pub fn guess(self) -> ColumnGuess {
        let (column_type, format, why) = self.type_and_why();
        // In a column of strings a word may be meant.
        let null_words = match column_type.as_str() {
            "string" => HashSet::new(),
            _ => self.null_words.keys().map(|word| (*word).to_owned()).collect(),
        };
        let decimal_comma = self.saw_comma && (column_type == "float64" || column_type.starts_with("decimal"));
        ColumnGuess {
            from: self.from,
            column_type,
            format,
            required: true,
            why,
            null_words,
            decimal_comma,
            distinct: self.distinct.len(),
        }
    }

    fn type_and_why(&self) -> (String, Option<String>, String) {
        let plain = |name: &str| (name.to_owned(), None, String::new());
        if self.values == 0 {
            return ("string".to_owned(), None, "no value in the sample: look it up".to_owned());
        }
        if self.is_bool {
            return plain("bool");
        }
        if self.is_date {
            return plain("date");
        }
        if self.is_timestamp {
            return plain("timestamp");
        }
        if let Some(&format) = self.timestamp_formats.first() {
            return ("timestamp".to_owned(), Some(format.to_owned()), doubtful(format, &self.timestamp_formats));
        }
        if let Some(&format) = self.date_formats.first() {
            return ("date".to_owned(), Some(format.to_owned()), doubtful(format, &self.date_formats));
        }
        if self.is_integer && self.leading_zeros {
            return ("string".to_owned(), None, "digits with zeros before them: a code, not a number".to_owned());
        }
        if self.is_integer {
            return plain("int64");
        }
        if self.is_decimal || (self.is_comma_decimal && self.saw_comma) {
            return match self.fraction {
                Fraction::Always(scale @ 1..=6) if !self.is_exponential => (
                    format!("decimal(18,{scale})"),
                    None,
                    format!("always {scale} digits behind the point: exact; or float64"),
                ),
                _ => plain("float64"),
            };
        }
        if self.commas_are_free && self.saw_comma && self.distinct.iter().all(|text| is_grouped_number(text)) {
            return ("string".to_owned(), None, "numbers with separators of thousands are not read".to_owned());
        }
        plain("string")
    }
}

/// Eight digits are a date only in years that people write.
fn is_plausible(date: NaiveDate) -> bool {
    let year = chrono::Datelike::year(&date);
    (1900..2100).contains(&year)
}

fn is_rfc_3339(text: &str) -> bool {
    let text = text.replacen(' ', "T", 1);
    chrono::DateTime::parse_from_rfc3339(&text).is_ok()
        || NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").is_ok()
}

fn is_grouped_number(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+' | ' ' | '\''))
        && text.contains(|c: char| c.is_ascii_digit())
}

/// Day and month can change places as long as no day is above 12.
fn doubtful(chosen: &str, possible: &[&str]) -> String {
    match possible.iter().find(|format| **format != chosen) {
        Some(other) => format!("could be {other} too: no day in the sample is above 12"),
        None => String::new(),
    }
}
