//! The texts that mean null, whatever a column holds.

/// The empty text is by far the most frequent and is asked first.
#[derive(Clone, Debug)]
pub(crate) struct NullWords {
    empty: bool,
    others: Vec<Vec<u8>>,
    longest: usize,
}

impl NullWords {
    pub fn new(words: &[String]) -> Self {
        let others: Vec<Vec<u8>> =
            words.iter().filter(|word| !word.is_empty()).map(|word| word.clone().into_bytes()).collect();
        Self {
            empty: words.iter().any(String::is_empty),
            longest: others.iter().map(Vec::len).max().unwrap_or(0),
            others,
        }
    }

    #[inline]
    pub fn contains(&self, text: &[u8]) -> bool {
        if text.is_empty() {
            return self.empty;
        }
        text.len() <= self.longest && self.others.iter().any(|word| word == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_means_null_as_a_whole_or_not_at_all() {
        let words = |words: &[&str]| NullWords::new(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let nulls = words(&["NA", "", "null"]);
        assert!(["NA", "", "null"].iter().all(|text| nulls.contains(text.as_bytes())));
        assert!(["na", "N", " ", "nulls"].iter().all(|text| !nulls.contains(text.as_bytes())));
        assert!(!words(&[]).contains(b"") && !words(&["NA"]).contains(b""));
    }
}
