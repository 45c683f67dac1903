//! Names as SQL Server, SQLite, Polars and Spark all take them.

use sqlparser::keywords::ALL_KEYWORDS;

pub(super) const IDENTIFIER_RULE: &str =
    "a name begins with a letter or _, goes on with letters, digits or _, and has at most 63 characters";

/// Tables, and columns of tables, with this prefix are millrace's own.
pub(super) const RESERVED_PREFIX: &str = "millrace_";

/// `[A-Za-z_][A-Za-z0-9_]{0,62}`
pub(super) fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    text.len() <= 63
        && characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a name must be quoted to be taken for a name everywhere.
pub(super) fn needs_quotes(name: &str) -> bool {
    !is_identifier(name) || ALL_KEYWORDS.binary_search(&name.to_ascii_uppercase().as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_ascii_and_short() {
        for good in ["a", "_a", "Flight_2", &"x".repeat(63)] {
            assert!(is_identifier(good), "{good}");
        }
        for bad in ["", "2a", "a-b", "a b", "größe", &"x".repeat(64)] {
            assert!(!is_identifier(bad), "{bad}");
        }
    }

    #[test]
    fn a_keyword_is_quoted_whatever_its_case() {
        assert!(needs_quotes("year") && needs_quotes("Order") && !needs_quotes("carrier"));
    }
}
