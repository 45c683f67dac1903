//! From the encoding that a feed declares to UTF-8, which is all that the rest of this crate reads.
//!
//! It knows bytes and characters, and nothing of lines, cells or columns. It never guesses: a byte order mark may
//! contradict what is declared, and then the file is refused, but nothing else about the bytes is taken for a hint.

mod label;
mod transcoder;

pub use encoding_rs::Encoding;
pub use label::{ENCODING_NAMES, LabelError, encoding_of_label};
pub use transcoder::{EncodingError, Transcoder};

/// What the [`Transcoder`] writes where the file has bytes that its encoding does not know. It stands nowhere in UTF-8,
/// so that whoever reads the text comes upon it.
pub const DAMAGE: u8 = 0xff;
