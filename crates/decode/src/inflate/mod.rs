//! Undoes compression, piece by piece, so that nobody holds a whole file; and tells what is no text before it is read
//! as such.
//!
//! It knows bytes and nothing of what they mean.

mod gzip;
mod sniff;

pub use sniff::{Refusal, sniff, sniff_text};

use gzip::Gunzip;

/// How a file is compressed, which its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    None,
    Gzip,
}

impl Compression {
    /// By the end of a file's name, in any case.
    pub fn of_name(file_name: &str) -> Self {
        let extension = file_name.rsplit_once('.').map(|(_, extension)| extension);
        match extension {
            Some(extension) if extension.eq_ignore_ascii_case("gz") => Compression::Gzip,
            _ => Compression::None,
        }
    }

    /// As messages and records name it.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
        }
    }
}

/// How much a compressed file may grow. Beyond, it is a bomb, or nothing that one load could carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateLimits {
    /// Uncompressed bytes of one file.
    pub max_output_bytes: u64,
    /// Uncompressed bytes for each compressed one. Asked once more than 64 MiB came out: a small file may be as dull as
    /// it likes.
    pub max_ratio: u64,
}

impl Default for InflateLimits {
    /// 256 GiB, and 1,000 to 1: deflate reaches 1,032 with zeros, rows of a partner hardly ever 100.
    fn default() -> Self {
        Self { max_output_bytes: 256 << 30, max_ratio: 1000 }
    }
}

/// Below this output no ratio is asked.
const RATIO_FROM_BYTES: u64 = 64 << 20;

/// Why a stream cannot be decompressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    #[error("this is no gzip stream: it does not begin like one")]
    NotGzip,
    #[error("the gzip stream ends in the middle, after {compressed_bytes} compressed bytes: the file was cut off")]
    Truncated { compressed_bytes: u64 },
    #[error("the gzip stream is damaged within its first {compressed_bytes} compressed bytes: {detail}")]
    Damaged { compressed_bytes: u64, detail: &'static str },
    #[error("after {compressed_bytes} compressed bytes the gzip stream is over, but something else follows")]
    TrailingGarbage { compressed_bytes: u64 },
    #[error("the file grows beyond {max_output_bytes} bytes when decompressed, which is the limit")]
    TooLarge { max_output_bytes: u64 },
    #[error(
        "{compressed_bytes} compressed bytes grew to {output_bytes}, more than {max_ratio} to 1: this looks like a \
         decompression bomb"
    )]
    TooDense { compressed_bytes: u64, output_bytes: u64, max_ratio: u64 },
}

/// Decompresses one file, from its first byte to its last.
#[derive(Debug)]
pub struct Inflater {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Through,
    Gzip(Box<Gunzip>),
}

/// A piece of output is at most this long.
const PIECE_BYTES: usize = 128 * 1024;

impl Inflater {
    /// With the limits of [`InflateLimits::default`].
    pub fn new(compression: Compression) -> Self {
        Self::with_limits(compression, InflateLimits::default())
    }

    /// The limits are for compressed files; without compression what comes out is what somebody has already stored.
    pub fn with_limits(compression: Compression, limits: InflateLimits) -> Self {
        let way = match compression {
            Compression::None => Way::Through,
            Compression::Gzip => Way::Gzip(Box::new(Gunzip::new(limits))),
        };
        Self { way }
    }

    /// Takes the next bytes of the file, however many, and hands out what they become, in pieces of at most 128 KiB.
    pub fn push<E: From<InflateError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match &mut self.way {
            Way::Through => input.chunks(PIECE_BYTES).try_for_each(out),
            Way::Gzip(gunzip) => gunzip.push(input, out),
        }
    }

    /// Says that the file is over, and learns whether it was whole.
    pub fn finish(self) -> Result<(), InflateError> {
        match self.way {
            Way::Through => Ok(()),
            Way::Gzip(gunzip) => gunzip.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_how_a_file_is_compressed() {
        assert_eq!(Compression::of_name("flights/2013-01.csv"), Compression::None);
        assert_eq!(Compression::of_name("flights/2013-01.csv.gz"), Compression::Gzip);
        assert_eq!(Compression::of_name("2013-01.CSV.GZ"), Compression::Gzip);
        assert_eq!(Compression::of_name("csvgz"), Compression::None);
        assert_eq!(Compression::Gzip.name(), "gzip");
        assert_eq!(Compression::None.name(), "none");
    }

    #[test]
    fn what_is_not_compressed_comes_out_as_it_is_but_in_pieces() {
        let file = vec![7; PIECE_BYTES * 2 + 1];
        let mut lengths = Vec::new();
        let mut inflater = Inflater::new(Compression::None);
        let mut out = |piece: &[u8]| {
            lengths.push(piece.len());
            Ok::<(), InflateError>(())
        };
        inflater.push(&file, &mut out).unwrap();
        inflater.finish().unwrap();
        assert_eq!(lengths, [PIECE_BYTES, PIECE_BYTES, 1]);
    }
}
