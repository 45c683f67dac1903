//! Text of one cell to one value, form by form.
//!
//! Nothing here knows columns, rows or null values; the same forms serve every file format.

pub(crate) mod calendar;
pub(crate) mod decimal;
mod form;
mod nulls;
pub(crate) mod number;
mod strftime;

pub(crate) use form::Form;
pub(crate) use nulls::NullWords;
pub use strftime::FormatError;

use serde::de::IgnoredAny;

/// Why a text is no value of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It does not look like one.
    Form,
    /// It looks like one and is none, for the reason given.
    Limits(&'static str),
}

/// `true`, `false`, `1` or `0`, in any case.
pub(crate) fn parse_bool(text: &[u8]) -> Result<bool, Misfit> {
    match text {
        b"1" | b"true" => Ok(true),
        b"0" | b"false" => Ok(false),
        _ if text.eq_ignore_ascii_case(b"true") => Ok(true),
        _ if text.eq_ignore_ascii_case(b"false") => Ok(false),
        _ => Err(Misfit::Form),
    }
}

/// Whether the text is one JSON value, with blanks around it or not.
pub(crate) fn check_json(text: &[u8]) -> Result<(), Misfit> {
    match serde_json::from_slice::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(Misfit::Form),
    }
}

/// The text without blanks and tabs around it.
#[inline]
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bool_has_four_spellings_in_any_case() {
        for text in ["true", "TRUE", "True", "1"] {
            assert_eq!(parse_bool(text.as_bytes()), Ok(true));
        }
        for text in ["false", "FALSE", "fAlse", "0"] {
            assert_eq!(parse_bool(text.as_bytes()), Ok(false));
        }
        for text in ["", "yes", "t", "01", "2", "true "] {
            assert_eq!(parse_bool(text.as_bytes()), Err(Misfit::Form));
        }
    }

    #[test]
    fn blanks_and_tabs_around_a_text_are_trimmed_and_nothing_else() {
        assert_eq!(trim(b" \t1 2 \t"), b"1 2");
        assert_eq!(trim(b" \t "), b"");
        assert_eq!(trim(b"\n1"), b"\n1");
    }
}
