//! The rows of a chunk that decoded and count nowhere all the same, each with the first reason that was found.

use millrace_decode::columns::DecodedChunk;

use super::RejectedRow;

/// The rows refused so far, by their position in the columns; the first reason stands.
pub(super) struct Rejections {
    pub(super) row_count: usize,
    /// Empty while there is none.
    refused: Vec<bool>,
    reasons: Vec<(usize, String)>,
}

impl Rejections {
    pub(super) fn new(row_count: usize) -> Rejections {
        Rejections { row_count, refused: Vec::new(), reasons: Vec::new() }
    }

    #[inline]
    pub(super) fn holds(&self, row: usize) -> bool {
        !self.refused.is_empty() && self.refused[row]
    }

    pub(super) fn reject_unless(&mut self, is_good: impl Fn(usize) -> bool, reason: impl Fn(usize) -> String) {
        for row in 0..self.row_count {
            if is_good(row) || self.holds(row) {
                continue;
            }
            self.refused.resize(self.row_count, false);
            self.refused[row] = true;
            self.reasons.push((row, reason(row)));
        }
    }

    /// In the chunk's own numbering, which counts the rows that did not decode. One walk over both lists, where
    /// `DecodedChunk::row_of` would walk for every row.
    pub(super) fn into_rows(mut self, chunk: &DecodedChunk) -> Vec<RejectedRow> {
        self.reasons.sort_by_key(|(position, _)| *position);
        let mut undecoded = chunk.bad.iter().map(|bad| bad.row as usize).peekable();
        let mut passed = 0;
        self.reasons
            .into_iter()
            .map(|(position, reason)| {
                while undecoded.next_if(|row| *row <= position + passed).is_some() {
                    passed += 1;
                }
                RejectedRow { row: (position + passed) as u32, reason }
            })
            .collect()
    }
}
