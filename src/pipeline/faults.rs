//! What is wrong with a pipeline.toml, in words for the person who wrote it: where, what, and what to write instead.
//! Knows nothing of feeds or summaries.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// One fault of a pipeline.toml.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    /// Which feed, column, source or summary; empty for the file itself.
    pub place: String,
    pub problem: String,
    /// What to do about it. `None` where the problem says that itself.
    pub remedy: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.problem)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// Every fault of a file, by line. Prints as `pipeline.toml:14: …`, one fault a line.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct PipelineFaults {
    pub file_name: String,
    /// At least one.
    pub faults: Vec<Fault>,
}

impl fmt::Display for PipelineFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.faults.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:{fault}", self.file_name)?;
        }
        Ok(())
    }
}

/// Why a pipeline.toml could not be taken from disk.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("cannot read `{}`; name the file by MILLRACE_PIPELINE, or write one with `millrace init`", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Faults(#[from] PipelineFaults),
}

/// Collects faults while the file is walked, and knows on which line each byte of it stands.
pub(super) struct Report<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    faults: RefCell<Vec<Fault>>,
}

impl<'t> Report<'t> {
    pub fn new(text: &'t str) -> Self {
        let line_starts =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        Report { text, line_starts: line_starts.collect(), faults: RefCell::default() }
    }

    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The line, counted from 1, of the byte at `offset`.
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    pub fn fault(&self, line: usize, place: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.push(line, place, problem.into(), Some(remedy.into()));
    }

    /// For problems in somebody else's words, which hold the remedy or have none.
    pub fn fault_in_words(&self, line: usize, place: &str, problem: impl Into<String>) {
        self.push(line, place, problem.into(), None);
    }

    fn push(&self, line: usize, place: &str, problem: String, remedy: Option<String>) {
        self.faults.borrow_mut().push(Fault { line, place: place.to_owned(), problem, remedy });
    }

    /// How many faults there are so far: a step that adds none was clean.
    pub fn count(&self) -> usize {
        self.faults.borrow().len()
    }

    /// All faults by line, those of one line in the order in which they were found, each once.
    pub fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.line);
        let mut seen = HashSet::new();
        faults.retain(|fault| seen.insert(fault.clone()));
        faults
    }
}

/// The candidate that somebody who wrote `word` most likely meant.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let lower_word = word.to_lowercase();
    let tolerated = match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower_word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", or else the other remedy.
pub(super) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    otherwise: impl FnOnce() -> String,
) -> String {
    match nearest(word, candidates) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => otherwise(),
    }
}

/// "`a`, `b` and `c`"
pub(super) fn listed<'c>(words: impl IntoIterator<Item = &'c str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_knows_its_line() {
        let report = Report::new("ab\ncd\n\nef");
        assert_eq!([0, 2, 3, 6, 7, 8].map(|offset| report.line(offset)), [1, 1, 2, 3, 4, 4]);
    }

    #[test]
    fn a_word_nearby_is_suggested_and_a_strange_one_is_not() {
        assert_eq!(nearest("flaot64", ["int64", "float64"]), Some("float64"));
        assert_eq!(nearest("CARRIER", ["carrier", "origin"]), Some("carrier"));
        assert_eq!(nearest("ab", ["xy", "cd"]), None);
        assert_eq!(nearest("surprise", ["carrier", "origin"]), None);
    }

    #[test]
    fn a_list_reads_like_a_sentence() {
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
