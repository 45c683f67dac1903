//! `format` of a date or timestamp column. It is written in the letters of strftime; people who write those of Java,
//! Excel or Oracle are told what they mean here.

use millrace_decode::contract::{Column, ColumnType, FormatError, check_format};

use super::section::{Found, Section};

/// Reports a format by which the column's values could not be read.
pub(super) fn check_column_format(section: &Section<'_>, column: &Column, written: Found<&str>) {
    // Chrono would read the digits as a number of nanoseconds: in 07.5, 5 of them.
    if written.value.contains("%f") {
        let problem = "`%f` counts nanoseconds, so that `.5` would not be half a second";
        let remedy = match written.value.contains(".%f") {
            true => format!(
                "write `format = \"{}\"`, where the point belongs to the fraction",
                written.value.replace(".%f", "%.f")
            ),
            false => "write `%3f`, `%6f` or `%9f`, by how many digits there are".to_owned(),
        };
        section.fault(written.line, problem, remedy);
        return;
    }
    let Err(error) = check_format(column) else {
        return;
    };
    match error {
        FormatError::NoFormat(type_name) => {
            let problem = format!("only dates and timestamps have a `format`, and this is of type `{type_name}`");
            section.fault(written.line, problem, "leave it out");
        }
        FormatError::Unknown(_) | FormatError::Incomplete { .. } => {
            section.fault(written.line, error.to_string(), remedy(column, written.value));
        }
    }
}

fn remedy(column: &Column, format: &str) -> String {
    let translated = translated(format).map(|format| Column { format: Some(format), ..column.clone() });
    if let Some(Column { format: Some(format), .. }) = translated.filter(|column| check_format(column).is_ok()) {
        return format!("write it in the letters of strftime: `format = \"{format}\"`");
    }
    match column.column_type {
        ColumnType::Date => "write day, month and year, as `format = \"%d.%m.%Y\"` does".to_owned(),
        _ => "write the date and the time, as `format = \"%d.%m.%Y %H:%M:%S\"` does; `%I` needs `%p`".to_owned(),
    }
}

/// `dd.MM.yyyy`, `YYYY-MM-DD HH24:MI:SS` and their like, in the letters of strftime. `None` if a letter means nothing.
fn translated(format: &str) -> Option<String> {
    if format.contains('%') {
        return None;
    }
    let mut written = String::new();
    // In Excel's German letters T and J are day and year, and tt elsewhere is am or pm.
    let german = format.contains(['j', 'J']);
    let half_days = !german && ["a", "tt", "AM", "PM"].iter().any(|mark| format.contains(mark));
    // M and m are minutes behind an hour, and a month elsewhere.
    let mut hour_before = false;
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        let run = rest.len() - rest.trim_start_matches(letter).len();
        let mut length = run;
        let is_fraction = written.ends_with("%S.");
        let token = match (letter, run) {
            ('\'', _) => {
                let (literal, _) = rest[1..].split_once('\'')?;
                length = literal.len() + 2;
                literal
            }
            ('S' | 's' | 'f' | 'F' | 'n', _) if is_fraction => {
                written.pop();
                "%.f"
            }
            ('t' | 'T', 1 | 2) if german => "%d",
            ('y' | 'Y' | 'u' | 'j' | 'J', 2) => "%y",
            ('y' | 'Y' | 'u' | 'j' | 'J', 1 | 4) => "%Y",
            ('M', 1) if rest.starts_with("MI") => {
                length = 2;
                "%M"
            }
            ('M', 1) if rest.starts_with("MON") => {
                length = 3;
                "%b"
            }
            ('A' | 'P', 1) if rest[1..].starts_with('M') => {
                length = 2;
                "%p"
            }
            ('M' | 'm', 1 | 2) if hour_before => {
                hour_before = false;
                "%M"
            }
            ('M' | 'm', 1 | 2) => "%m",
            ('M' | 'm', 3) => "%b",
            ('M' | 'm', 4) => "%B",
            ('d' | 'D', 1 | 2) => "%d",
            ('H' | 'h', 1 | 2) => {
                hour_before = true;
                let (half, digits) = match &rest[run..] {
                    behind if behind.starts_with("24") => (false, 2),
                    behind if behind.starts_with("12") => (true, 2),
                    _ => (letter == 'h' && half_days, 0),
                };
                length += digits;
                if half { "%I" } else { "%H" }
            }
            ('s' | 'S', 1 | 2) => "%S",
            ('a', 1) | ('t', 2) => "%p",
            ('E', 1..=3) => "%a",
            ('E', 4) => "%A",
            ('z' | 'Z' | 'X' | 'x', _) => "%z",
            ('T', 1) => "T",
            (other, _) if other.is_alphabetic() => return None,
            _ => &rest[..run],
        };
        written.push_str(token);
        rest = &rest[length..];
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formats_of_other_systems_are_understood() {
        for (theirs, ours) in [
            ("dd.MM.yyyy", "%d.%m.%Y"),
            ("d.M.yy", "%d.%m.%y"),
            ("YYYY-MM-DD", "%Y-%m-%d"),
            ("TT.MM.JJJJ", "%d.%m.%Y"),
            ("tt.mm.jj hh:mm", "%d.%m.%y %H:%M"),
            ("dd/mm/yyyy", "%d/%m/%Y"),
            ("DD-MON-YYYY", "%d-%b-%Y"),
            ("yyyy-MM-dd HH:mm:ss", "%Y-%m-%d %H:%M:%S"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "%Y-%m-%dT%H:%M:%S%.f%z"),
            ("yyyy-MM-ddTHH:mm:ss.ffffff", "%Y-%m-%dT%H:%M:%S%.f"),
            ("YYYY-MM-DD HH24:MI:SS", "%Y-%m-%d %H:%M:%S"),
            ("DD.MM.YYYY HH:MM", "%d.%m.%Y %H:%M"),
            ("HH:mm dd.MM.yyyy", "%H:%M %d.%m.%Y"),
            ("MM/dd/yyyy hh:mm:ss a", "%m/%d/%Y %I:%M:%S %p"),
            ("MM/DD/YYYY HH12:MI AM", "%m/%d/%Y %I:%M %p"),
            ("ÄÄ", ""),
            ("yyyy'", ""),
            ("%d.MM.yyyy", ""),
        ] {
            assert_eq!(translated(theirs).unwrap_or_default(), ours, "{theirs}");
        }
    }
    proptest! {
        #[test]
        fn whatever_stands_there_is_translated_or_not(format in "[%'.yMdhHmsSaAPtTjJ0-9:ä -]{0,12}|\\PC{0,12}") {
            let translated = translated(&format).unwrap_or_default();
            let column = Column { format: Some(translated), ..Column::new("a", ColumnType::Timestamp) };
            // Only that it comes to an end; most are refused.
            let _ = check_format(&column);
        }
    }
}
