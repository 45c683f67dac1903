//! What the design of pipeline.toml has and this version does not do yet. Such a key is refused in words.

pub(super) const FEED: &[&str] = &["stream"];
