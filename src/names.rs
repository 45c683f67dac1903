//! Names and versions that travel through the whole program. Each is checked once, where it enters.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256 as Sha256Hasher};
use thiserror::Error;

/// A name that does not have the form it must have.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{kind} `{name}` {rule}")]
pub struct BadName {
    kind: &'static str,
    name: String,
    rule: &'static str,
}

impl BadName {
    /// What the name does not keep to: `must have …`.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    text.len() <= 63
        && characters.next().is_some_and(|first| first.is_ascii_lowercase())
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

const IDENTIFIER_RULE: &str = "must begin with a-z, go on with a-z, 0-9 or _, and have at most 63 characters";

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

text_name! {
    /// `[a-z][a-z0-9_]{0,62}`: the landing prefix, and the table name in the summaries' SQL.
    FeedName
}
text_name! {
    /// The name of one SFTP source of a feed, of the same form.
    SourceName
}
text_name! {
    /// A blob's full name below its container: `flights/2013-01.csv`.
    BlobName
}
text_name! {
    /// A blob's version as its store names it, without quotes.
    ETag
}
text_name! {
    /// 64 lower-case hex digits.
    Sha256
}

impl FeedName {
    pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
        let name = name.into();
        if is_identifier(&name) {
            Ok(FeedName(name))
        } else {
            Err(BadName { kind: "feed", name, rule: IDENTIFIER_RULE })
        }
    }
}

impl SourceName {
    pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
        let name = name.into();
        if is_identifier(&name) {
            Ok(SourceName(name))
        } else {
            Err(BadName { kind: "source", name, rule: IDENTIFIER_RULE })
        }
    }
}

impl BlobName {
    /// Azure allows 1 to 1,024 characters
    /// (<https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>).
    pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
        let name = name.into();
        if (1..=1024).contains(&name.chars().count()) {
            Ok(BlobName(name))
        } else {
            Err(BadName { kind: "blob", name, rule: "must have 1 to 1,024 characters" })
        }
    }

    /// What stands before the first `/`: the feed's name, if it is one.
    pub fn feed(&self) -> Option<FeedName> {
        let (prefix, _) = self.0.split_once('/')?;
        FeedName::new(prefix).ok()
    }
}

impl ETag {
    /// Takes an ETag as headers carry it, with or without quotes.
    pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
        let text = text.into();
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&text);
        if bare.is_empty() {
            return Err(BadName { kind: "ETag", name: text, rule: "must not be empty" });
        }
        Ok(ETag(bare.to_owned()))
    }
}

impl Sha256 {
    pub fn new(hex_digits: impl Into<String>) -> Result<Self, BadName> {
        let text = hex_digits.into();
        let is_hash = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_hash {
            Ok(Sha256(text))
        } else {
            Err(BadName { kind: "SHA-256", name: text, rule: "must have 64 lower-case hex digits" })
        }
    }

    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self::from_digest(Sha256Hasher::digest(bytes.as_ref()).as_slice())
    }

    /// The name of several fields together: each is preceded by its length, so that no two lists share a hash.
    pub fn of_fields(fields: &[&[u8]]) -> Self {
        let mut hasher = Sha256Hasher::new();
        for field in fields {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        Self::from_digest(hasher.finalize().as_slice())
    }

    pub fn from_digest(digest: &[u8]) -> Self {
        Sha256(hex::encode(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_name_is_a_plain_identifier() {
        assert!(FeedName::new("flights_2").is_ok());
        for bad in ["", "Flights", "2flights", "fl-ights", "a/b", &"a".repeat(64)] {
            assert!(FeedName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_etag_loses_its_quotes() {
        assert_eq!(ETag::new("\"0x8D\"").unwrap().as_str(), "0x8D");
        assert_eq!(ETag::new("0x8D").unwrap().as_str(), "0x8D");
        assert!(ETag::new("\"\"").is_err());
    }

    #[test]
    fn a_blob_knows_its_feed() {
        assert_eq!(BlobName::new("flights/acme/1.csv").unwrap().feed().unwrap().as_str(), "flights");
        assert!(BlobName::new("loose.csv").unwrap().feed().is_none());
    }

    #[test]
    fn lists_that_join_to_the_same_text_have_different_hashes() {
        assert_ne!(Sha256::of_fields(&[b"ab", b"c"]), Sha256::of_fields(&[b"a", b"bc"]));
    }
}
