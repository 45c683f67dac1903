//! How a reason speaks of what stands in a file: on one line, short, and with nothing that a terminal would act on.

use std::fmt::Write;

use encoding_rs::{Encoding, UTF_8};

use crate::contract::ColumnType;
use crate::values::Misfit;

/// Characters of a value that a reason shows.
const SHOWN_CHARACTERS: usize = 40;

/// The text as a reason shows it: control characters and bytes that are no UTF-8 escaped, the end of a long one left
/// out.
pub(crate) fn shown(text: &[u8]) -> String {
    let mut shown = String::new();
    let mut characters = 0;
    for part in text.utf8_chunks() {
        for character in part.valid().chars() {
            if characters == SHOWN_CHARACTERS {
                return shown + "…";
            }
            characters += 1;
            match character {
                '"' | '\'' | '\\' => shown.push(character),
                _ => shown.extend(character.escape_debug()),
            }
        }
        if !part.invalid().is_empty() && characters == SHOWN_CHARACTERS {
            return shown + "…";
        }
        for byte in part.invalid() {
            characters += 1;
            let _ = write!(shown, "\\x{byte:02x}"); // writing to a String cannot fail
        }
    }
    shown
}

/// Says that the bytes of a text are none in the file's encoding: "`caf\xe9` is not valid UTF-8".
#[cold]
pub(crate) fn not_text(text: &[u8], encoding: &'static Encoding) -> String {
    let shown = match encoding == UTF_8 {
        true => shown(text),
        // The bytes are not the file's: each that is no UTF-8 stands for some that could not be read.
        false => shown(String::from_utf8_lossy(text).as_bytes()),
    };
    format!("`{shown}` is not valid {}", encoding.name())
}

/// Names that a message lists at most.
const LISTED_NAMES: usize = 50;

/// The names one after the other, each in backticks.
pub(crate) fn listed(names: &[String]) -> String {
    let quoted = |name: &String| format!("`{}`", shown(name.as_bytes()));
    let mut list = names.iter().take(LISTED_NAMES).map(quoted).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED_NAMES {
        list += &format!(" and {} more", names.len() - LISTED_NAMES);
    }
    list
}

/// Why the text is no value of the column.
#[cold]
pub(crate) fn misfit(column: &str, text: &[u8], column_type: ColumnType, misfit: Misfit) -> String {
    let article = match column_type {
        ColumnType::Int64 => "an",
        _ => "a",
    };
    let detail = match misfit {
        Misfit::Form => String::new(),
        Misfit::Limits(detail) => format!(": {detail}"),
    };
    format!("column `{column}`: `{}` is not {article} {column_type}{detail}", shown(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_on_one_line_and_short() {
        assert_eq!(shown(b"say \"no\"\n\x1b[31m\xe2\x80\xae\xff"), "say \"no\"\\n\\u{1b}[31m\\u{202e}\\xff");
        assert_eq!(shown("ü".repeat(41).as_bytes()), "ü".repeat(40) + "…");
        assert_eq!(shown("ü".repeat(40).as_bytes()), "ü".repeat(40));
    }

    #[test]
    fn a_list_of_names_has_an_end() {
        let names: Vec<String> = (0..52).map(|number| format!("c{number}")).collect();
        assert_eq!(listed(&names[..2]), "`c0`, `c1`");
        assert!(listed(&names).ends_with("`c48`, `c49` and 2 more"));
    }

    #[test]
    fn a_reason_names_column_value_and_type() {
        assert_eq!(
            misfit("dep_delay", b"abc", ColumnType::Float64, Misfit::Form),
            "column `dep_delay`: `abc` is not a float64"
        );
        assert_eq!(
            misfit("born", b"2013-02-30", ColumnType::Date, Misfit::Limits("no such day")),
            "column `born`: `2013-02-30` is not a date: no such day"
        );
    }
}
