//! What the design of pipeline.toml has and this version does not do yet. Such a key is refused in words, unless its
//! value is what this version does anyway.

use std::fmt;

use toml::de::DeValue;

pub(super) struct LaterKey {
    pub name: &'static str,
    /// The one value that this version accepts.
    pub default: Until,
}

/// What must hold until the key is supported.
#[derive(Clone, Copy)]
pub(super) enum Until {
    Flag(bool),
    /// No value is accepted.
    Absent,
}

impl Until {
    pub fn holds(self, value: &DeValue<'_>) -> bool {
        match (self, value) {
            (Until::Flag(default), DeValue::Boolean(flag)) => *flag == default,
            _ => false,
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Until::Flag(flag) => write!(f, "{flag}"),
            Until::Absent => Ok(()),
        }
    }
}

const fn later(name: &'static str, default: Until) -> LaterKey {
    LaterKey { name, default }
}

pub(super) const FEED: &[LaterKey] = &[later("stream", Until::Absent)];

pub(super) const SFTP: &[LaterKey] =
    &[later("recursive", Until::Flag(false)), later("newer_than", Until::Absent), later("done_marker", Until::Absent)];
