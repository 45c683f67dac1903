//! Connection strings, `Key=Value;…`, as Azure's services and ADO write them.
//!
//! Knows the grammar, and no service's keys. Its errors name keys, never values: most of those are secrets.

use thiserror::Error;

use crate::secret::Secret;

/// The pairs of a connection string.
#[derive(Clone, Debug)]
pub struct ConnectionString {
    pairs: Vec<(String, Secret)>,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BadConnectionString {
    /// Counted from one. The text is not shown: it may be the rest of a secret that held a `;`.
    #[error("its part {part} has no `=`")]
    NoValue { part: usize },
    #[error("its part {part} has no key before the `=`")]
    NoKey { part: usize },
    #[error("it has the key `{key}` twice")]
    Twice { key: String },
    #[error("the value of `{key}` begins with a quote that does not end, or goes on after it")]
    Quote { key: String },
}

impl ConnectionString {
    /// A value may stand in quotes, single or double, and holds a doubled one as one: ADO's way to hold a `;`.
    pub fn parse(text: &str) -> Result<Self, BadConnectionString> {
        let mut pairs: Vec<(String, Secret)> = Vec::new();
        let mut rest = text;
        let mut part = 0;
        while !rest.is_empty() {
            part += 1;
            let end_of_part = rest.find(';').unwrap_or(rest.len());
            let Some(equals) = rest[..end_of_part].find('=') else {
                if !rest[..end_of_part].trim().is_empty() {
                    return Err(BadConnectionString::NoValue { part });
                }
                rest = after_separator(rest, end_of_part);
                continue;
            };
            let key = rest[..equals].trim();
            if key.is_empty() {
                return Err(BadConnectionString::NoKey { part });
            }
            if pairs.iter().any(|(known, _)| is_same_key(known, key)) {
                return Err(BadConnectionString::Twice { key: key.to_owned() });
            }
            let (value, length) =
                value_at(&rest[equals + 1..]).ok_or_else(|| BadConnectionString::Quote { key: key.to_owned() })?;
            pairs.push((key.to_owned(), Secret::new(value)));
            rest = after_separator(rest, equals + 1 + length);
        }
        Ok(ConnectionString { pairs })
    }

    /// The value of a key, whatever the case of its letters; `None` too where it is empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(known, _)| is_same_key(known, key));
        found.map(|(_, value)| value.reveal()).filter(|value| !value.is_empty())
    }

    /// Whether a key's value is `true`, in any case.
    pub fn says_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The keys in their order, as they are written.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(key, _)| key.as_str())
    }
}

fn is_same_key(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn after_separator(text: &str, end_of_part: usize) -> &str {
    text.get(end_of_part + 1..).unwrap_or_default()
}

/// The value that `text` begins with, and how many bytes it takes up to its `;` or the end.
fn value_at(text: &str) -> Option<(String, usize)> {
    let blanks = text.len() - text.trim_start().len();
    let quote = match text[blanks..].chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ => {
            let length = text.find(';').unwrap_or(text.len());
            return Some((text[..length].trim().to_owned(), length));
        }
    };
    let mut value = String::new();
    let mut at = blanks + 1;
    loop {
        let length = text[at..].find(quote)?;
        value.push_str(&text[at..at + length]);
        at += length + 1;
        if !text[at..].starts_with(quote) {
            break;
        }
        value.push(quote);
        at += 1;
    }
    let length = at + text[at..].find(';').unwrap_or(text.len() - at);
    text[at..length].trim().is_empty().then_some((value, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let parsed = ConnectionString::parse(text).unwrap();
        parsed.pairs.iter().map(|(key, value)| (key.clone(), value.reveal().to_owned())).collect()
    }

    #[test]
    fn a_value_goes_to_the_semicolon_and_may_hold_equals_signs() {
        let text = "AccountName=acme; AccountKey = a+b/c== ;;BlobEndpoint=http://127.0.0.1:10000/acme;";
        let expected =
            [("AccountName", "acme"), ("AccountKey", "a+b/c=="), ("BlobEndpoint", "http://127.0.0.1:10000/acme")];
        assert_eq!(pairs(text), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_quoted_value_may_hold_what_would_end_it() {
        for (text, expected) in [
            (r#"Password="a;b";User ID=x"#, "a;b"),
            (r#"Password= 'a"b;c' ;User ID=x"#, "a\"b;c"),
            (r#"Password="say ""ja"" ;";User ID=x"#, "say \"ja\" ;"),
            ("Password='';User ID=x", ""),
            ("Password=a\"b;User ID=x", "a\"b"),
        ] {
            let pairs = pairs(text);
            assert_eq!(pairs[0], ("Password".to_owned(), expected.to_owned()), "{text}");
            assert_eq!(pairs[1], ("User ID".to_owned(), "x".to_owned()), "{text}");
        }
    }

    #[test]
    fn a_key_is_found_in_any_case_and_an_empty_value_is_none() {
        let parsed = ConnectionString::parse("usedevelopmentstorage=TRUE;AccountKey=").unwrap();
        assert!(parsed.says_true("UseDevelopmentStorage"));
        assert_eq!(parsed.get("AccountKey"), None);
        assert_eq!(parsed.keys().collect::<Vec<_>>(), ["usedevelopmentstorage", "AccountKey"]);
    }

    #[test]
    fn what_is_no_connection_string_is_refused_without_its_text() {
        for (text, expected) in [
            ("secret", "its part 1 has no `=`"),
            ("A=1;secret;B=2", "its part 2 has no `=`"),
            ("=secret", "its part 1 has no key before the `=`"),
            ("AccountKey=one;accountkey=secret", "it has the key `accountkey` twice"),
            (
                "Password=\"secret;B=2",
                "the value of `Password` begins with a quote that does not end, or goes on after it",
            ),
            (
                "Password='a'secret",
                "the value of `Password` begins with a quote that does not end, or goes on after it",
            ),
        ] {
            assert_eq!(ConnectionString::parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_connection_string_never_prints_its_values() {
        let parsed = ConnectionString::parse("AccountKey=secret").unwrap();
        assert!(!format!("{parsed:?}").contains("secret"));
    }
}
