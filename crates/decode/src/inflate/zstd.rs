//! Zstandard: one frame or several, one after the other, skippable ones passed over. Checksums are checked where a frame
//! has one.
//!
//! What a frame asks for is read from its header before the decompressor sees it: a window is memory.

use std::fmt;

use zstd::stream::raw::{DParameter, Decoder, Operation};

use super::meter::Meter;
use super::{Compression, InflateError, InflateLimits, PIECE_BYTES};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Of skippable frames, behind a first byte of 0x50 to 0x5f.
const SKIPPABLE_MAGIC: [u8; 3] = [0x2a, 0x4d, 0x18];

/// What `zstd -22 --ultra` asks for and the `zstd` program reads without being told. Without `--ultra` or `--long` it is
/// 8 MiB.
const MAX_WINDOW_LOG: u32 = 27;

pub(super) struct Unzstd {
    meter: Meter,
    decoder: Decoder<'static>,
    piece: Vec<u8>,
    place: Place,
    /// The first bytes of a frame, until they say what it asks for.
    head: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before or in the header of a frame; `first` until there was a whole frame.
    Head {
        first: bool,
    },
    Frame,
    /// In a skippable frame, of which so many bytes are left.
    Skipping {
        rest: u64,
    },
    /// In zeros behind the last frame.
    Padding,
}

/// What the first bytes of a frame are.
enum Head {
    /// More of them are needed.
    Incomplete,
    Frame {
        window_bytes: u64,
        has_dictionary: bool,
    },
    Skippable {
        length: u64,
    },
    Reserved,
    NoFrame,
}

impl Unzstd {
    pub fn new(limits: InflateLimits) -> Self {
        let mut decoder = Decoder::new().expect("there is memory for a decompressor");
        decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG)).expect("libzstd reads windows of this size");
        Self {
            meter: Meter::new(Compression::Zstd, limits),
            decoder,
            piece: vec![0; PIECE_BYTES],
            place: Place::Head { first: true },
            head: Vec::new(),
        }
    }

    pub fn push<E: From<InflateError>>(
        &mut self,
        mut input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(&next) = input.first() {
            let taken = match self.place {
                Place::Head { first } => {
                    self.look_for_frame(next, first, out)?;
                    1
                }
                Place::Frame => self.decompress(input, out)?,
                Place::Skipping { rest } => {
                    let skipped = usize::try_from(rest).unwrap_or(usize::MAX).min(input.len());
                    self.meter.took(skipped);
                    self.skip(rest - skipped as u64);
                    skipped
                }
                Place::Padding if input.iter().all(|byte| *byte == 0) => return Ok(()),
                Place::Padding => return Err(self.meter.trailing_garbage().into()),
            };
            input = &input[taken..];
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<(), InflateError> {
        match self.place {
            Place::Head { first: false } if self.head.is_empty() => return Ok(()),
            Place::Padding => return Ok(()),
            Place::Head { .. } => self.meter.took(self.head.len()),
            Place::Frame | Place::Skipping { .. } => {}
        }
        Err(self.meter.truncated())
    }

    /// Takes one byte where a frame may begin, or of its header.
    fn look_for_frame<E: From<InflateError>>(
        &mut self,
        byte: u8,
        first: bool,
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if byte == 0 && !first && self.head.is_empty() {
            self.place = Place::Padding;
            return Ok(());
        }
        self.head.push(byte);
        match read_head(&self.head) {
            Head::Incomplete => Ok(()),
            Head::NoFrame if first => Err(self.meter.another_format().into()),
            Head::NoFrame => Err(self.meter.trailing_garbage().into()),
            Head::Reserved => Err(self.meter.damaged("a frame header has bits of no meaning").into()),
            Head::Frame { has_dictionary: true, .. } => Err(InflateError::Dictionary.into()),
            Head::Frame { window_bytes, .. } if window_bytes > 1 << MAX_WINDOW_LOG => {
                Err(InflateError::WindowTooLarge { window_bytes, max_window_bytes: 1 << MAX_WINDOW_LOG }.into())
            }
            Head::Frame { .. } => {
                self.place = Place::Frame;
                let head = std::mem::take(&mut self.head);
                self.decompress(&head, out).map(|_| ())
            }
            Head::Skippable { length } => {
                self.meter.took(self.head.len());
                self.head.clear();
                self.skip(length);
                Ok(())
            }
        }
    }

    fn skip(&mut self, rest: u64) {
        self.place = if rest == 0 { Place::Head { first: false } } else { Place::Skipping { rest } };
    }

    /// Decompresses to the end of the frame or of the input. Returns how much of the input it took.
    fn decompress<E: From<InflateError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut taken = 0;
        loop {
            let step = self.decoder.run_on_buffers(&input[taken..], &mut self.piece);
            let step = step.map_err(|error| {
                self.meter.took(input.len() - taken); // how far it read, it does not say
                match error.to_string().as_str() {
                    "Restored data doesn't match checksum" => self.meter.damaged("its checksum does not match"),
                    "Allocation error : not enough memory" => self.meter.damaged("there is no memory for its window"),
                    _ => self.meter.damaged("it does not follow the format"),
                }
            })?;
            taken += step.bytes_read;
            self.meter.took(step.bytes_read);
            self.meter.made(step.bytes_written)?;
            if step.bytes_written > 0 {
                out(&self.piece[..step.bytes_written])?;
            }
            if step.remaining == 0 {
                self.place = Place::Head { first: false };
                return Ok(taken);
            }
            if taken == input.len() && step.bytes_written < self.piece.len() {
                return Ok(taken);
            }
            if step.bytes_read == 0 && step.bytes_written == 0 {
                return Err(self.meter.damaged("it leads nowhere").into());
            }
        }
    }
}

impl fmt::Debug for Unzstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unzstd").field("meter", &self.meter).field("place", &self.place).finish_non_exhaustive()
    }
}

/// Reads a frame header (RFC 8878, 3.1.1.1 and 3.1.2) as far as it came.
fn read_head(head: &[u8]) -> Head {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    if let [0x50..=0x5f, magic @ ..] = head {
        let seen = magic.len().min(SKIPPABLE_MAGIC.len());
        return match head.get(4..8) {
            _ if magic[..seen] != SKIPPABLE_MAGIC[..seen] => Head::NoFrame,
            Some(length) => Head::Skippable { length: number(length) },
            None => Head::Incomplete,
        };
    }
    let seen = head.len().min(MAGIC.len());
    if head[..seen] != MAGIC[..seen] {
        return Head::NoFrame;
    }
    let Some((descriptor, rest)) = head[seen..].split_first() else { return Head::Incomplete };
    if descriptor & 0b1000 != 0 {
        return Head::Reserved;
    }
    let is_single_segment = descriptor & 0b10_0000 != 0;
    let window_length = usize::from(!is_single_segment);
    let dictionary_length = [0, 1, 2, 4][usize::from(descriptor & 0b11)];
    let size_length = [window_length ^ 1, 2, 4, 8][usize::from(descriptor >> 6)];
    if rest.len() < window_length + dictionary_length + size_length {
        return Head::Incomplete;
    }
    let (window, rest) = rest.split_at(window_length);
    let (dictionary, size) = rest.split_at(dictionary_length);
    let window_bytes = match window {
        [window] => {
            let base = 1_u64 << (10 + (window >> 3));
            base + base / 8 * u64::from(window & 0b111)
        }
        // A frame of two bytes for its size does not write the first 256 of them; here a window is what is asked.
        _ => number(size),
    };
    Head::Frame { window_bytes, has_dictionary: number(dictionary) != 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zstd::stream::raw::{CParameter, Encoder};

    use super::*;
    use crate::inflate::testing::{self, split};

    /// One frame with a checksum.
    fn frame_with(text: &[u8], parameters: &[CParameter]) -> Vec<u8> {
        let mut encoder = Encoder::new(3).unwrap();
        encoder.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
        for parameter in parameters {
            encoder.set_parameter(*parameter).unwrap();
        }
        let mut file = vec![0; text.len() + 1024];
        let step = encoder.run_on_buffers(text, &mut file).unwrap();
        assert_eq!(step.bytes_read, text.len());
        let mut written = step.bytes_written;
        let mut rest = zstd::stream::raw::OutBuffer::around(&mut file[written..]);
        assert_eq!(encoder.finish(&mut rest, false).unwrap(), 0);
        written += rest.pos();
        file.truncate(written);
        file
    }

    fn frame(text: &[u8]) -> Vec<u8> {
        frame_with(text, &[])
    }

    fn skippable(content: &[u8]) -> Vec<u8> {
        [&b"\x5a\x2a\x4d\x18"[..], &(content.len() as u32).to_le_bytes(), content].concat()
    }

    fn inflate_with<'a>(
        pushes: impl IntoIterator<Item = &'a [u8]>,
        limits: InflateLimits,
    ) -> Result<Vec<u8>, InflateError> {
        testing::inflate_with(Compression::Zstd, pushes, limits)
    }

    fn inflate(file: &[u8]) -> Result<Vec<u8>, InflateError> {
        testing::inflate(Compression::Zstd, file)
    }

    #[test]
    fn frames_are_read_one_after_the_other_and_skippable_ones_passed_over() {
        let file = [skippable(b"index"), frame(b"first "), skippable(b""), frame(b""), frame(b"second")].concat();
        assert_eq!(inflate(&file).unwrap(), b"first second");
        assert_eq!(inflate(&skippable(b"nothing else")).unwrap(), b"");
    }

    #[test]
    fn zeros_behind_the_last_frame_are_padding() {
        assert_eq!(inflate(&[frame(b"text"), vec![0; 500]].concat()).unwrap(), b"text");
    }

    #[test]
    fn anything_else_behind_the_last_frame_is_refused() {
        let file = frame(b"text");
        let compressed_bytes = file.len() as u64;
        let error = InflateError::TrailingGarbage { compression: Compression::Zstd, compressed_bytes };
        for garbage in [&b"x"[..], b"\0\0x", b"\x28\xb5\x2fx", b"\x5a\x2ax"] {
            assert_eq!(inflate(&[&file[..], garbage].concat()), Err(error.clone()));
        }
    }

    #[test]
    fn a_file_cut_off_anywhere_is_refused() {
        let file = [skippable(b"index"), frame(b"some text, some more text, and yet some more text")].concat();
        for length in (0..file.len()).filter(|length| *length != skippable(b"index").len()) {
            let error = inflate(&file[..length]).unwrap_err();
            let compressed_bytes = length as u64;
            assert_eq!(error, InflateError::Truncated { compression: Compression::Zstd, compressed_bytes });
        }
        assert_eq!(
            inflate(&file[..30]).unwrap_err().to_string(),
            "the zstd stream ends in the middle, after 30 compressed bytes: the file was cut off"
        );
    }

    #[test]
    fn what_is_no_zstd_is_refused() {
        let error = InflateError::AnotherFormat { compression: Compression::Zstd };
        for file in [&b"a,b\n1,2\n"[..], b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfc", b"P,Q\n", b"\x27\xb5\x2f\xfd"] {
            assert_eq!(inflate(file), Err(error.clone()));
        }
    }

    #[test]
    fn a_wrong_checksum_is_damage() {
        let mut file = frame(b"some text");
        *file.last_mut().unwrap() ^= 1;
        let error = inflate(&file).unwrap_err();
        let compressed_bytes = file.len() as u64;
        let detail = "its checksum does not match";
        assert_eq!(error, InflateError::Damaged { compression: Compression::Zstd, compressed_bytes, detail });
    }

    #[test]
    fn a_frame_that_asks_for_a_large_window_is_refused_by_name() {
        let window = |window_log| frame_with(b"text", &[CParameter::WindowLog(window_log)]);
        assert_eq!(inflate(&window(27)).unwrap(), b"text");
        assert_eq!(
            inflate(&window(28)).unwrap_err().to_string(),
            "the file was compressed with --long or --ultra so that reading it takes 256 MiB of memory, more than the \
             128 MiB that are allowed"
        );
        let single_segment = b"\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff";
        let error = inflate(single_segment).unwrap_err();
        assert!(matches!(error, InflateError::WindowTooLarge { window_bytes: u64::MAX, .. }), "{error}");
    }

    #[test]
    fn a_frame_with_a_dictionary_is_refused_by_name() {
        assert_eq!(inflate(b"\x28\xb5\x2f\xfd\x01\x58\x07"), Err(InflateError::Dictionary));
    }

    #[test]
    fn a_file_that_grows_too_much_is_refused_before_it_is_handed_out() {
        let file = frame(&vec![b'x'; 1 << 20]);
        testing::check_limits(Compression::Zstd, &file, 1 << 20);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_bytes(
            texts in prop::collection::vec("[a-c\n]{0,400}", 1..4),
            cuts in prop::collection::vec(0_usize..300, 0..6),
            padding in 0_usize..4,
        ) {
            let mut file: Vec<u8> = texts.iter().flat_map(|text| frame(text.as_bytes())).collect();
            file.resize(file.len() + padding, 0);
            let inflated = inflate_with(split(&file, &cuts), InflateLimits::default());
            prop_assert_eq!(inflated, Ok(texts.concat().into_bytes()));
        }

        #[test]
        fn damage_is_an_error_and_no_panic(at in 0_usize..60, flip in 1_u8.., text in "[a-z]{20,40}") {
            let mut file = frame(text.as_bytes());
            let at = at % file.len();
            file[at] ^= flip;
            let byte_by_byte = inflate_with(file.chunks(1), InflateLimits::default());
            let inflated = inflate_with([&file[..]], InflateLimits::default());
            prop_assert_eq!(byte_by_byte.is_ok(), inflated.is_ok());
            if let Ok(inflated) = inflated {
                prop_assert_eq!(inflated, text.into_bytes(), "the header has bits of no meaning");
            }
        }
    }
}
