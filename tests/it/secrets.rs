//! Looks for secrets in whatever somebody may read.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A secret that a scenario uses, and what it is, for the message.
pub struct Planted {
    pub what: &'static str,
    pub text: String,
}

impl Planted {
    pub fn new(what: &'static str, text: impl Into<String>) -> Self {
        Planted { what, text: text.into() }
    }

    /// Each line of a secret of several lines, as it is, as base64 and in a URL. A line that every key has is none.
    fn forms(&self) -> Vec<String> {
        let lines = self.text.split(['\n', '\r']).flat_map(|line| line.split("\\n"));
        let telling = lines.filter(|line| line.len() >= 8 && !line.starts_with("-----"));
        telling
            .flat_map(|line| {
                [line.to_owned(), BASE64_STANDARD.encode(line), utf8_percent_encode(line, NON_ALPHANUMERIC).to_string()]
            })
            .collect()
    }
}

/// What is printed, logged or stored as `name` holds none of the secrets.
#[track_caller]
pub fn assert_keeps(name: &str, text: &[u8], secrets: &[Planted]) {
    let text = String::from_utf8_lossy(text);
    for secret in secrets {
        for form in secret.forms() {
            if let Some(at) = text.find(&form) {
                let line = text[..at].rfind('\n').map_or(0, |begin| begin + 1);
                let line = text[line..].lines().next().unwrap_or_default();
                panic!("{name} shows {}: {line}", secret.what);
            }
        }
    }
}

#[test]
fn a_secret_is_found_in_every_form() {
    let key = Planted::new("a private key", "-----BEGIN KEY-----\nabcdefgh/+\n-----END KEY-----\n");
    for shown in ["x abcdefgh/+ x", "YWJjZGVmZ2gvKw==", "?key=abcdefgh%2F%2B"] {
        let found = std::panic::catch_unwind(|| assert_keeps("log", shown.as_bytes(), std::slice::from_ref(&key)));
        assert!(found.is_err(), "{shown}");
    }
    assert_keeps("log", b"-----BEGIN KEY----- ***", &[key]);
}
