//! The grammar, block by block: which delimiters and line ends of 64 bytes stand outside quotes.
//!
//! It knows nothing of chunks, columns or values, and no byte string is an error to it: what is wrong with a quoted
//! cell is found by whoever reads the cell.
//!
//! A block without quotes costs three comparisons for each byte, sixteen at a time. In a block with quotes the n-th one
//! opens if n is odd, so that a running XOR of the quote bits marks what is inside; this holds as long as each quote
//! that would open stands at the start of a cell or doubles the one before it. Where one does not, the block is walked
//! byte by byte.

use super::CsvLayout;
pub(super) use crate::lanes::BLOCK;
use crate::lanes::find;

/// What stands in a block; bit i is byte i.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Delimiters outside quotes.
    pub delimiters: u64,
    /// LFs outside quotes.
    pub row_ends: u64,
    /// Whether the block has a quote, be it literal, or lies inside quotes.
    pub quoted: bool,
    /// Whether one of the quotes is literal, that is, stands inside an unquoted cell or after a closing quote.
    pub stray: bool,
}

/// Follows the quotes through a stream of bytes.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    delimiter: u8,
    quote: u8,
    /// Otherwise `quote` means nothing. A mask of 64 bits would be at hand, but then the compiler loads this whole struct
    /// into a vector for each block, which costs the cutter two thirds of its speed.
    has_quote: bool,
    /// The next byte is inside quotes.
    inside: bool,
    /// A quote as the next byte would open: the last byte ended a cell, or was the quote that closed one (then the next
    /// is its double and opens again). Only of meaning outside.
    may_open: bool,
}

impl Scanner {
    /// At the start of a row.
    pub fn new(layout: &CsvLayout) -> Self {
        Self {
            delimiter: layout.delimiter,
            quote: layout.quote_byte(),
            has_quote: layout.quote.is_some(),
            inside: false,
            may_open: true,
        }
    }

    /// Whether the bytes seen so far end inside quotes.
    pub fn is_inside(&self) -> bool {
        self.inside
    }

    /// Scans one block.
    #[inline(always)]
    pub fn scan(&mut self, block: &[u8; BLOCK]) -> Marks {
        self.scan_first(block, BLOCK)
    }

    /// Scans fewer bytes than a block has.
    #[inline(never)]
    pub fn scan_short(&mut self, bytes: &[u8]) -> Marks {
        let mut block = [0; BLOCK];
        block[..bytes.len()].copy_from_slice(bytes);
        self.scan_first(&block, bytes.len())
    }

    /// Scans `bytes` and returns what follows the last row end in them, as an offset.
    pub fn last_row_end(&mut self, bytes: &[u8]) -> Option<usize> {
        if bytes.is_empty() {
            return None;
        }
        if !self.has_quote || memchr::memchr(self.quote, bytes).is_none() {
            if self.inside {
                return None;
            }
            let last_byte = bytes[bytes.len() - 1];
            self.may_open = last_byte == self.delimiter || last_byte == b'\n';
            return memchr::memrchr(b'\n', bytes).map(|at| at + 1);
        }
        let mut found = None;
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            let marks = self.scan(block);
            if marks.row_ends != 0 {
                found = Some(index * BLOCK + BLOCK - marks.row_ends.leading_zeros() as usize);
            }
        }
        let marks = self.scan_short(rest);
        if marks.row_ends != 0 {
            found = Some(blocks.len() * BLOCK + BLOCK - marks.row_ends.leading_zeros() as usize);
        }
        found
    }

    /// Scans `bytes` up to the first row end and returns what follows it, as an offset; without one, scans all.
    pub fn first_row_end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, piece) in bytes.chunks(BLOCK).enumerate() {
            let marks = self.scan_short(piece);
            if marks.row_ends != 0 {
                self.inside = false;
                self.may_open = true;
                return Some(index * BLOCK + marks.row_ends.trailing_zeros() as usize + 1);
            }
        }
        None
    }

    /// Scans the first `length` bytes of the block; the others must be 0 or, with `length` 64, there are none.
    #[inline(always)] // marks that are returned through memory cost the decoder a tenth of its speed
    fn scan_first(&mut self, block: &[u8; BLOCK], length: usize) -> Marks {
        if length == 0 {
            return Marks::default();
        }
        let [mut quotes, mut delimiters, mut line_feeds] = find(block, [self.quote, self.delimiter, b'\n']);
        if length < BLOCK {
            // Only a layout with NUL for a delimiter sees the padding.
            let real = (1 << length) - 1;
            quotes &= real;
            delimiters &= real;
            line_feeds &= real;
        }
        let last = length - 1;
        if quotes == 0 || !self.has_quote {
            if self.inside {
                return Marks { quoted: true, ..Marks::default() };
            }
            self.may_open = (delimiters | line_feeds) >> last & 1 == 1;
            return Marks { delimiters, row_ends: line_feeds, quoted: false, stray: false };
        }
        let inside = running_xor(quotes) ^ if self.inside { u64::MAX } else { 0 };
        let opening = quotes & inside;
        let lets_open = delimiters | line_feeds | quotes;
        if opening & !(lets_open << 1 | u64::from(self.may_open)) != 0 {
            return self.walk(&block[..length]);
        }
        self.inside = inside >> last & 1 == 1;
        self.may_open = lets_open >> last & 1 == 1;
        Marks { delimiters: delimiters & !inside, row_ends: line_feeds & !inside, quoted: true, stray: false }
    }

    /// The grammar itself, byte by byte.
    #[cold]
    fn walk(&mut self, bytes: &[u8]) -> Marks {
        let mut marks = Marks { quoted: self.inside, ..Marks::default() };
        for (index, &byte) in bytes.iter().enumerate() {
            marks.quoted |= byte == self.quote;
            if self.inside {
                self.inside = byte != self.quote;
                self.may_open = true;
            } else if byte == self.quote && self.may_open {
                self.inside = true;
            } else {
                marks.stray |= byte == self.quote;
                marks.delimiters |= u64::from(byte == self.delimiter) << index;
                marks.row_ends |= u64::from(byte == b'\n') << index;
                self.may_open = byte == self.delimiter || byte == b'\n';
            }
        }
        marks
    }
}

/// Bit i of the result is the XOR of the bits 0 to i.
#[inline]
fn running_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scanner() -> Scanner {
        Scanner::new(&CsvLayout::default())
    }

    /// Offsets of the row ends and delimiters that count, and whether the text ends inside quotes.
    fn marks_of(text: &str) -> (Vec<usize>, Vec<usize>, bool) {
        let mut scanner = scanner();
        let marks = scanner.scan_short(text.as_bytes());
        let set = |bits: u64| (0..64).filter(|bit| bits >> bit & 1 == 1).collect();
        (set(marks.delimiters), set(marks.row_ends), scanner.is_inside())
    }

    #[test]
    fn delimiters_and_line_ends_inside_quotes_do_not_count() {
        assert_eq!(marks_of("a,\"b,\n\",c\nd"), (vec![1, 7], vec![9], false));
    }

    #[test]
    fn a_doubled_quote_stays_inside() {
        assert_eq!(marks_of("\"a\"\",\n\",\"\"\n"), (vec![7], vec![10], false));
        assert_eq!(marks_of("\"\"\",\n"), (vec![], vec![], true));
    }

    #[test]
    fn a_quote_inside_an_unquoted_cell_is_literal() {
        assert_eq!(marks_of("5\" pipe,6\"\n"), (vec![7], vec![10], false));
    }

    #[test]
    fn a_quote_after_text_after_a_closing_quote_is_literal() {
        assert_eq!(marks_of("\"a\"x\",\"b\"\n"), (vec![5], vec![9], false));
    }

    #[test]
    fn without_a_quote_in_the_layout_no_character_is_special() {
        let layout = CsvLayout { quote: None, ..CsvLayout::default() };
        let mut scanner = Scanner::new(&layout);
        let marks = scanner.scan_short(b"\"a,\0\nb\"\",\"\n\0");
        assert_eq!(marks, Marks { delimiters: 1 << 2 | 1 << 8, row_ends: 1 << 4 | 1 << 10, ..Marks::default() });
        assert!(!scanner.is_inside());
        assert_eq!(scanner.last_row_end(b"\0\"\na\""), Some(3));
    }

    #[test]
    fn an_unclosed_quote_swallows_the_rest() {
        assert_eq!(marks_of("a,\"b\nc,d\n"), (vec![1], vec![], true));
    }

    /// Mostly the bytes that matter.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            4 => Just(b'"'), 3 => Just(b','), 2 => Just(b'\n'), 1 => Just(b'\r'), 4 => Just(b'x'), 1 => any::<u8>()
        ];
        prop::collection::vec(byte, 0..200)
    }

    proptest! {
        #[test]
        fn a_block_says_what_a_walk_says(text in text(), start_inside: bool, start_may_open: bool) {
            let mut by_block = Scanner { inside: start_inside, may_open: start_may_open, ..scanner() };
            let mut by_byte = by_block.clone();
            for piece in text.chunks(BLOCK) {
                let marks = by_block.scan_short(piece);
                prop_assert_eq!(marks, by_byte.walk(piece));
                prop_assert_eq!(by_block.inside, by_byte.inside);
                prop_assert!(by_block.inside || by_block.may_open == by_byte.may_open);
            }
        }

        #[test]
        fn any_cut_leaves_the_same_row_ends(text in text(), cut in 0_usize..200) {
            let (left, right) = text.split_at(cut.min(text.len()));
            let mut whole = scanner();
            let mut parts = scanner();
            let expected = whole.last_row_end(&text);
            let in_left = parts.last_row_end(left);
            let in_right = parts.last_row_end(right).map(|end| end + left.len());
            prop_assert_eq!(in_right.or(in_left), expected);
            prop_assert_eq!(parts.inside, whole.inside);

            let mut forward = scanner();
            let mut end = 0;
            while let Some(length) = forward.first_row_end(&text[end..]) {
                end += length;
            }
            prop_assert_eq!(end, expected.unwrap_or(0));
        }
    }
}
