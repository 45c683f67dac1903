//! How pages are compressed. What a page claims is what it may inflate to, and no byte more.

use std::io::Read;

use super::Broken;

/// The codec of a column chunk, by its number in the format.
pub(super) enum Codec {
    None,
    Snappy(snap::raw::Decoder),
    Gzip,
    Brotli,
    /// Blocks within the frames of Hadoop, as older writers have them.
    Lz4Hadoop,
    Zstd(zstd::bulk::Decompressor<'static>),
    Lz4,
}

impl Codec {
    /// `None` for numbers of no codec that is read.
    pub fn new(number: i32) -> Option<Self> {
        Some(match number {
            0 => Codec::None,
            1 => Codec::Snappy(snap::raw::Decoder::new()),
            2 => Codec::Gzip,
            4 => Codec::Brotli,
            5 => Codec::Lz4Hadoop,
            6 => Codec::Zstd(zstd::bulk::Decompressor::new().ok()?),
            7 => Codec::Lz4,
            _ => return None,
        })
    }

    pub fn is_none(&self) -> bool {
        matches!(self, Codec::None)
    }

    /// Appends to `out` the `length` bytes that `page` inflates to.
    pub fn inflate(&mut self, page: &[u8], length: usize, out: &mut Vec<u8>) -> Result<(), Broken> {
        let start = out.len();
        out.reserve_exact(length);
        let inflated = match self {
            Codec::None => {
                out.extend_from_slice(page);
                page.len()
            }
            Codec::Snappy(decoder) => {
                out.resize(start + length, 0);
                decoder.decompress(page, &mut out[start..]).map_err(broken)?
            }
            Codec::Gzip => read_up_to(flate2::bufread::MultiGzDecoder::new(page), length, out)?,
            Codec::Brotli if has_large_window(page) => {
                return Err(Broken::new("a page asks for a window that brotli in Parquet does not have"));
            }
            Codec::Brotli => read_up_to(brotli::Decompressor::new(page, 4096), length, out)?,
            Codec::Lz4Hadoop => {
                out.resize(start + length, 0);
                inflate_hadoop(page, &mut out[start..])?
            }
            Codec::Zstd(decompressor) => {
                // Into bytes of its own length: it would fill whatever room a longer vector has.
                out.resize(start + length, 0);
                decompressor.decompress_to_buffer(page, &mut out[start..]).map_err(broken)?
            }
            Codec::Lz4 => {
                out.resize(start + length, 0);
                lz4_flex::block::decompress_into(page, &mut out[start..]).map_err(broken)?
            }
        };
        match inflated == length {
            true => Ok(()),
            false => Err(Broken::new(format!("a page inflates to {inflated} bytes and claims {length}"))),
        }
    }
}

fn broken(error: impl std::fmt::Display) -> Broken {
    Broken::new(format!("a page cannot be inflated: {error}"))
}

/// Reads one byte more than it should, so that a page that is too long is seen.
fn read_up_to(reader: impl Read, length: usize, out: &mut Vec<u8>) -> Result<usize, Broken> {
    reader.take(length as u64 + 1).read_to_end(out).map_err(broken)
}

/// Whether a brotli stream is of the kind beyond RFC 7932 whose window has up to 1 GiB: the decoder would take it, and
/// fill the window before any byte comes out.
fn has_large_window(page: &[u8]) -> bool {
    page.first().is_some_and(|first| first & 0x7f == 0x11)
}

/// Blocks, each after its inflated and its stored length in big endian. A few writers left these out.
fn inflate_hadoop(page: &[u8], out: &mut [u8]) -> Result<usize, Broken> {
    match inflate_frames(page, out) {
        Some(inflated) if inflated == out.len() => Ok(inflated),
        _ => lz4_flex::block::decompress_into(page, out).map_err(broken),
    }
}

fn inflate_frames(mut page: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut inflated = 0_usize;
    while !page.is_empty() {
        let (head, rest) = page.split_first_chunk::<8>()?;
        let [i0, i1, i2, i3, s0, s1, s2, s3] = *head;
        let length = u32::from_be_bytes([i0, i1, i2, i3]) as usize;
        let stored = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
        let block = rest.get(..stored)?;
        let target = out.get_mut(inflated..inflated.checked_add(length)?)?;
        if lz4_flex::block::decompress_into(block, target).ok()? != length {
            return None;
        }
        inflated += length;
        page = &rest[stored..];
    }
    Some(inflated)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn inflate(number: i32, page: &[u8], length: usize) -> Result<Vec<u8>, Broken> {
        let mut out = b"before".to_vec();
        Codec::new(number).unwrap().inflate(page, length, &mut out)?;
        assert!(out.capacity() <= 2 * length + 64, "{} bytes reserved for {length}", out.capacity());
        Ok(out.split_off(6))
    }

    fn pages(text: &[u8]) -> Vec<(i32, Vec<u8>)> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(text).unwrap();
        let mut brotli = Vec::new();
        brotli::CompressorReader::new(text, 4096, 5, 22).read_to_end(&mut brotli).unwrap();
        let lz4 = lz4_flex::block::compress(text);
        let lengths = [(text.len() as u32).to_be_bytes(), (lz4.len() as u32).to_be_bytes()].concat();
        vec![
            (0, text.to_vec()),
            (1, snap::raw::Encoder::new().compress_vec(text).unwrap()),
            (2, gzip.finish().unwrap()),
            (4, brotli),
            (5, [&lengths[..], &lz4].concat()),
            (5, lz4.clone()),
            (6, zstd::bulk::compress(text, 1).unwrap()),
            (7, lz4),
        ]
    }

    #[test]
    fn every_codec_gives_back_the_page() {
        let text = b"to be or not to be or to be or not ".repeat(100);
        for (number, page) in pages(&text) {
            assert_eq!(inflate(number, &page, text.len()).as_deref(), Ok(&text[..]), "codec {number}");
        }
        assert!(Codec::new(3).is_none());
        assert!(Codec::new(8).is_none());
    }

    #[test]
    fn a_page_inflates_to_what_it_claims_and_no_byte_more() {
        let bomb = vec![0; 8 << 20];
        for (number, page) in pages(&bomb) {
            for length in [0, 1000, bomb.len() - 1, bomb.len() + 1] {
                assert!(inflate(number, &page, length).is_err(), "codec {number} into {length}");
            }
            assert!(inflate(number, &page[..page.len() - 1], bomb.len()).is_err(), "codec {number} cut short");
        }
    }

    #[test]
    fn a_brotli_page_with_a_window_beyond_the_standard_does_not_fill_the_memory_before_it_is_too_long() {
        let text = b"to be or not to be or to be or not ".repeat(100);
        let large =
            brotli::enc::BrotliEncoderParams { large_window: true, lgwin: 25, quality: 5, ..Default::default() };
        let mut page = Vec::new();
        brotli::BrotliCompress(&mut &text[..], &mut page, &large).unwrap();
        let error = inflate(4, &page, text.len()).unwrap_err();
        assert_eq!(error, Broken::new("a page asks for a window that brotli in Parquet does not have"));
    }
}
