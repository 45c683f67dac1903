//! How a feed's files write values, whatever their format: nulls, times without an offset, decimal commas.

use chrono_tz::{TZ_VARIANTS, Tz};
use millrace_decode::contract::ValueRules;
use millrace_decode::csv::CsvLayout;

use super::Format;
use super::faults::nearest;
use super::format::FileFormat;
use super::section::Section;

/// `file_format` and `format` are `None` where they are at fault: then nothing is said that depends on them.
pub(super) fn value_rules(feed: &Section<'_>, file_format: Option<FileFormat>, format: Option<&Format>) -> ValueRules {
    let defaults = match file_format {
        Some(FileFormat::Csv) | None => ValueRules::of_csv(),
        Some(FileFormat::Ndjson | FileFormat::Parquet) => ValueRules::default(),
    };
    let decimal_separator = decimal_separator(feed).unwrap_or(defaults.decimal_separator);
    if let Some(Format::Csv(layout)) = format {
        check_separator(feed, decimal_separator, layout);
    }
    ValueRules {
        null_values: null_values(feed).unwrap_or(defaults.null_values),
        timezone: timezone(feed).unwrap_or(defaults.timezone),
        decimal_separator,
    }
}

fn null_values(feed: &Section<'_>) -> Option<Vec<String>> {
    if !feed.has("null_values") {
        return None;
    }
    let written = feed.texts("null_values", "null_values = [\"NA\"]")?;
    Some(written.iter().map(|null| null.value.to_owned()).collect())
}

fn decimal_separator(feed: &Section<'_>) -> Option<u8> {
    const EXAMPLE: &str = "decimal_separator = \",\"";
    let written = feed.text("decimal_separator", EXAMPLE)?;
    match written.value {
        "." => Some(b'.'),
        "," => Some(b','),
        other => {
            let problem = format!("`decimal_separator` is `{other}`, but only a point or a comma can be one");
            feed.fault(written.line, problem, format!("write `{EXAMPLE}` for 1,5 or leave it out for 1.5"));
            None
        }
    }
}

/// A number's separator must not end its cell, nor open a quoted one.
fn check_separator(feed: &Section<'_>, separator: u8, layout: &CsvLayout) {
    let line_beside = |other: &str| match feed.has("decimal_separator") {
        true => feed.line_of("decimal_separator"),
        false => feed.line_of(other),
    };
    if layout.delimiter == separator {
        feed.fault(
            line_beside("delimiter"),
            "`decimal_separator` and `delimiter` are the same character",
            match separator {
                b',' => "write the `delimiter` that parts the cells, mostly `delimiter = \";\"`",
                _ => "write `decimal_separator = \",\"`, or another `delimiter`",
            },
        );
    } else if layout.quote == Some(separator) {
        feed.fault(
            line_beside("quote"),
            "`decimal_separator` and `quote` are the same character",
            "write another `quote`, or `quote = \"\"` where no cell is quoted",
        );
    }
}

fn timezone(feed: &Section<'_>) -> Option<Tz> {
    let written = feed.text("timezone", "timezone = \"Europe/Berlin\"")?;
    match written.value.parse() {
        Ok(timezone) => Some(timezone),
        Err(_) => {
            feed.fault(written.line, format!("unknown timezone `{}`", written.value), timezone_remedy(written.value));
            None
        }
    }
}

fn timezone_remedy(written: &str) -> String {
    if let Some(hours) = hours_ahead(written) {
        return match hours {
            0 => "write `timezone = \"UTC\"`".to_owned(),
            // IANA's sign is POSIX's: what is to be added to have UTC.
            hours => format!("write `timezone = \"Etc/GMT{:+}\"`, whose sign is the other way round", -hours),
        };
    }
    let is_city = |timezone: &&Tz| {
        let city = timezone.name().rsplit('/').next().unwrap_or_default();
        city.eq_ignore_ascii_case(&written.replace(' ', "_"))
    };
    // Abbreviations are all near to one another, and none means one place: only a whole name is set right.
    let candidates = || TZ_VARIANTS.iter().map(|timezone| timezone.name()).filter(|_| written.contains('/'));
    let city = TZ_VARIANTS.iter().find(is_city).map(|timezone| timezone.name());
    match city.or_else(|| nearest(written, candidates())) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "write a name of the IANA database, such as `Europe/Berlin`, `America/New_York` or `UTC`".to_owned(),
    }
}

/// Of an offset as people write it: `+02:00`, `UTC+2`, `GMT-5`. `None` if it is something else, or no whole hours that
/// some place has.
fn hours_ahead(written: &str) -> Option<i32> {
    let upper_case = written.to_ascii_uppercase();
    let offset = upper_case.trim_start_matches("UTC").trim_start_matches("GMT").trim();
    if offset == "Z" {
        return Some(0);
    }
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let hours = match (digits.len(), digits.strip_suffix("00")) {
        (1 | 2, _) => digits,
        (4 | 5, Some(hours)) => hours.trim_end_matches(':'),
        _ => return None,
    };
    let hours: i32 = hours.bytes().all(|byte| byte.is_ascii_digit()).then(|| hours.parse().ok())??;
    let hours = sign * hours;
    (-12..=14).contains(&hours).then_some(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_no_timezone_but_says_which_is() {
        for (written, hours) in [("+02:00", 2), ("UTC+1", 1), ("gmt -5", -5), ("+1400", 14), ("Z", 0), ("UTC+00:00", 0)]
        {
            assert_eq!(hours_ahead(written), Some(hours), "{written}");
        }
        for written in ["", "+", "+05:30", "+15", "-13", "+1:0", "+ 1", "UTC", "+-1", "Ä", "+²"] {
            assert_eq!(hours_ahead(written), None, "{written}");
        }
        for hours in (-12..=14).filter(|hours| *hours != 0) {
            let remedy = timezone_remedy(&format!("{hours:+}"));
            let name = remedy.split('"').nth(1).unwrap();
            let timezone: Tz = name.parse().unwrap();
            assert!(timezone.name().ends_with(&format!("{:+}", -hours)), "{remedy}");
        }
    }

    #[test]
    fn a_city_finds_its_timezone() {
        assert_eq!(timezone_remedy("berlin"), "did you mean `Europe/Berlin`?");
        assert_eq!(timezone_remedy("New York"), "did you mean `America/New_York`?");
        assert_eq!(timezone_remedy("Europe/Belrin"), "did you mean `Europe/Berlin`?");
        assert_eq!(timezone_remedy("europe/berlin"), "did you mean `Europe/Berlin`?");
    }
}
