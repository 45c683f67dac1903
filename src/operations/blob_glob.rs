//! Which landed files a person means by `--blob`.

use globset::{Glob, GlobMatcher};

use crate::names::{BlobName, FeedName};

/// A glob on a blob's full name, or on what follows the feed's name; what a shell would take for a pattern may also be the
/// name itself.
#[derive(Clone, Debug)]
pub struct BlobGlob {
    feed_prefix: String,
    literal: String,
    glob: GlobMatcher,
}

impl BlobGlob {
    /// # Errors
    /// What globset has to say about a pattern that is none.
    pub fn new(feed: &FeedName, text: &str) -> Result<Self, globset::Error> {
        let feed_prefix = format!("{feed}/");
        Ok(BlobGlob { feed_prefix, literal: text.to_owned(), glob: Glob::new(text)?.compile_matcher() })
    }

    pub fn is_match(&self, blob: &BlobName) -> bool {
        let name = blob.as_str();
        let below = name.strip_prefix(&self.feed_prefix).unwrap_or(name);
        [name, below].into_iter().any(|name| name == self.literal || self.glob.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(glob: &str, blob: &str) -> bool {
        let feed = FeedName::new("flights").unwrap();
        BlobGlob::new(&feed, glob).unwrap().is_match(&BlobName::new(blob).unwrap())
    }

    #[test]
    fn a_glob_may_name_the_feed_or_leave_it_out() {
        assert!(is_match("flights/2013-*", "flights/2013-01.csv"));
        assert!(is_match("2013-*", "flights/2013-01.csv"));
        assert!(is_match("*", "flights/acme/1.csv"));
        assert!(!is_match("2014-*", "flights/2013-01.csv"));
    }

    #[test]
    fn a_name_that_looks_like_a_glob_means_itself() {
        assert!(is_match("report[1].csv", "flights/report[1].csv"));
        assert!(is_match("50%#1~ ü.csv", "flights/50%#1~ ü.csv"));
    }
}
