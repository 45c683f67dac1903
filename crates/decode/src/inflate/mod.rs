//! Undoes compression, piece by piece, so that nobody holds a whole file; and tells what is no text before it is read
//! as such.
//!
//! It knows bytes and nothing of what they mean.

mod deflate;
mod gzip;
mod meter;
mod sniff;
#[cfg(test)]
mod testing;
mod zip;
mod zstd;

pub use sniff::{Content, Refusal, sniff, sniff_content};

use gzip::Gunzip;
use zip::Unzip;
use zstd::Unzstd;

/// How a file is compressed, which its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    /// An archive with one file in it.
    Zip,
}

impl Compression {
    /// By the end of a file's name, in any case.
    pub fn of_name(file_name: &str) -> Self {
        let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension.to_ascii_lowercase().as_str() {
            "gz" => Compression::Gzip,
            "zst" | "zstd" => Compression::Zstd,
            "zip" => Compression::Zip,
            _ => Compression::None,
        }
    }

    /// As messages and records name it.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Zip => "zip",
        }
    }

    /// What a name ends in that says so.
    pub fn ending(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
            Compression::Zip => ".zip",
        }
    }

    /// What such a file is, for messages.
    fn noun(self) -> &'static str {
        match self {
            Compression::None => "file",
            Compression::Gzip => "gzip stream",
            Compression::Zstd => "zstd stream",
            Compression::Zip => "zip archive",
        }
    }
}

/// How much a compressed file may grow. Beyond, it is a bomb, or nothing that one load could carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateLimits {
    /// Uncompressed bytes of one file.
    pub max_output_bytes: u64,
    /// Uncompressed bytes for each compressed one.
    pub max_ratio: u64,
    /// The ratio is asked once more uncompressed bytes than this came out: a small file may be as dull as it likes.
    pub ratio_from_bytes: u64,
}

impl Default for InflateLimits {
    /// 256 GiB, and from 64 MiB 1,000 to 1: deflate reaches 1,032 with zeros, rows of a partner hardly ever 100.
    fn default() -> Self {
        Self { max_output_bytes: 256 << 30, max_ratio: 1000, ratio_from_bytes: 64 << 20 }
    }
}

/// Why a stream cannot be decompressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    #[error("this is no {}: it does not begin like one", .compression.noun())]
    AnotherFormat { compression: Compression },
    #[error(
        "the {} ends in the middle, after {compressed_bytes} compressed bytes: the file was cut off",
        .compression.noun()
    )]
    Truncated { compression: Compression, compressed_bytes: u64 },
    #[error(
        "the {} is damaged within its first {compressed_bytes} compressed bytes: {detail}",
        .compression.noun()
    )]
    Damaged { compression: Compression, compressed_bytes: u64, detail: &'static str },
    #[error(
        "after {compressed_bytes} compressed bytes the {} is over, but something else follows",
        .compression.noun()
    )]
    TrailingGarbage { compression: Compression, compressed_bytes: u64 },
    #[error("the file grows beyond {max_output_bytes} bytes when decompressed, which is the limit")]
    TooLarge { max_output_bytes: u64 },
    #[error(
        "{compressed_bytes} compressed bytes grew to {output_bytes}, more than {max_ratio} to 1: this looks like a \
         decompression bomb"
    )]
    TooDense { compressed_bytes: u64, output_bytes: u64, max_ratio: u64 },
    #[error(
        "the file was compressed with --long or --ultra so that reading it takes {} MiB of memory, more than the {} MiB \
         that are allowed",
        .window_bytes >> 20,
        .max_window_bytes >> 20
    )]
    WindowTooLarge { window_bytes: u64, max_window_bytes: u64 },
    #[error("the file was compressed with a zstd dictionary, without which it cannot be read")]
    Dictionary,
    #[error("the zip archive holds no file")]
    NoMember,
    #[error("the zip archive holds more than one file: `{first}`, `{second}` and perhaps others")]
    SeveralMembers { first: String, second: String },
    #[error("`{member}` in the zip archive is encrypted with a password")]
    Encrypted { member: String },
    #[error("`{member}` in the zip archive is compressed with {method}; only deflate is read")]
    Method { member: String, method: &'static str },
    #[error("`{member}` in the zip archive is stored uncompressed, and its header does not say how long it is")]
    SizeUnknown { member: String },
}

impl InflateError {
    /// What a person can do about the file.
    pub fn remedy(&self) -> &'static str {
        match self {
            InflateError::AnotherFormat { .. } => {
                "ask the sender to name the file as it is compressed: .gz, .zst or .zip, or none of them"
            }
            InflateError::Truncated { .. } => {
                "ask the sender for the whole file again, and to rename it into place only once it is written"
            }
            InflateError::Damaged { .. } | InflateError::TrailingGarbage { .. } => {
                "ask the sender for the file again; SFTP clients must transfer in binary mode"
            }
            InflateError::TooLarge { .. } => "ask the sender to split the file into smaller ones",
            InflateError::TooDense { .. } => {
                "if the file is what it should be, ask the sender for it uncompressed, or in smaller files"
            }
            InflateError::WindowTooLarge { .. } => {
                "ask the sender to compress without --ultra, or with --long=27 at most"
            }
            InflateError::Dictionary => "ask the sender to compress without -D",
            InflateError::NoMember => "ask the sender for an archive with one file in it",
            InflateError::SeveralMembers { .. } => {
                "ask the sender for one archive for each file, or for files that end in .gz"
            }
            InflateError::Encrypted { .. } => {
                "ask the sender for an archive without a password: SFTP encrypts the transfer"
            }
            InflateError::Method { .. } => {
                "ask the sender to zip with deflate, the common method, or to send the file as .gz"
            }
            InflateError::SizeUnknown { .. } => {
                "ask the sender to compress the file in the archive, or to send it as .gz"
            }
        }
    }
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
    Zstd(Box<Unzstd>),
    Zip(Box<Unzip>),
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
            Compression::Zstd => Way::Zstd(Box::new(Unzstd::new(limits))),
            Compression::Zip => Way::Zip(Box::new(Unzip::new(limits))),
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
            Way::Zstd(unzstd) => unzstd.push(input, out),
            Way::Zip(unzip) => unzip.push(input, out),
        }
    }

    /// Says that the file is over, and learns whether it was whole.
    pub fn finish(self) -> Result<(), InflateError> {
        match self.way {
            Way::Through => Ok(()),
            Way::Gzip(gunzip) => gunzip.finish(),
            Way::Zstd(unzstd) => unzstd.finish(),
            Way::Zip(unzip) => unzip.finish(),
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
        assert_eq!(Compression::of_name("2013-01.ndjson.zst"), Compression::Zstd);
        assert_eq!(Compression::of_name("2013-01.csv.Zstd"), Compression::Zstd);
        assert_eq!(Compression::of_name("2013-01.Zip"), Compression::Zip);
        assert_eq!(Compression::of_name("csvgz"), Compression::None);
        let names = [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Zip].map(Compression::name);
        assert_eq!(names, ["none", "gzip", "zstd", "zip"]);
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
