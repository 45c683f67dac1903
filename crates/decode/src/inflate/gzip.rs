//! Gzip: one member or several, one after the other, checked by their checksums.

use super::deflate::{Deflate, Wrapper};
use super::meter::Meter;
use super::{Compression, InflateError, InflateLimits};

const MAGIC: [u8; 2] = [0x1f, 0x8b];

#[derive(Debug)]
pub(super) struct Gunzip {
    meter: Meter,
    deflate: Deflate,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before a member, of whose magic `seen` bytes came; `first` until there was a whole member.
    Before {
        first: bool,
        seen: usize,
    },
    Member,
    /// In the zeros that tapes and block devices leave behind the last member.
    Padding,
}

impl Gunzip {
    pub fn new(limits: InflateLimits) -> Self {
        Self {
            meter: Meter::new(Compression::Gzip, limits),
            deflate: Deflate::new(Wrapper::Gzip),
            place: Place::Before { first: true, seen: 0 },
        }
    }

    pub fn push<E: From<InflateError>>(
        &mut self,
        mut input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(&next) = input.first() {
            match self.place {
                Place::Before { first, seen } => {
                    self.look_for_member(next, first, seen, out)?;
                    input = &input[1..];
                }
                Place::Member => {
                    let taken = self.inflate(input, out)?;
                    input = &input[taken..];
                }
                Place::Padding => {
                    if input.iter().any(|byte| *byte != 0) {
                        return Err(self.meter.trailing_garbage().into());
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<(), InflateError> {
        match self.place {
            Place::Before { first: false, seen: 0 } | Place::Padding => return Ok(()),
            Place::Before { seen, .. } => self.meter.took(seen),
            Place::Member => {}
        }
        Err(self.meter.truncated())
    }

    /// Takes one byte where a member may begin. Its magic is looked at here and not by the decompressor, which could
    /// not tell garbage behind a whole member from a damaged one.
    fn look_for_member<E: From<InflateError>>(
        &mut self,
        byte: u8,
        first: bool,
        seen: usize,
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if byte == 0 && !first && seen == 0 {
            self.place = Place::Padding;
            return Ok(());
        }
        if byte != MAGIC[seen] {
            let error = if first { self.meter.another_format() } else { self.meter.trailing_garbage() };
            return Err(error.into());
        }
        if seen + 1 < MAGIC.len() {
            self.place = Place::Before { first, seen: seen + 1 };
            return Ok(());
        }
        self.place = Place::Member;
        self.deflate.reset();
        self.inflate(&MAGIC, out).map(|_| ())
    }

    /// Decompresses to the end of the member or of the input. Returns how much of the input it took.
    fn inflate<E: From<InflateError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<usize, E> {
        let step = self.deflate.run(input, &mut self.meter, out)?;
        if step.ended {
            self.place = Place::Before { first: false, seen: 0 };
        }
        Ok(step.taken)
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression as Level, FlushCompress, Status};
    use proptest::prelude::*;

    use super::*;
    use crate::inflate::testing::{self, split};

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut compress = Compress::new_gzip(Level::default(), 15);
        let mut file = Vec::with_capacity(text.len() + 1024);
        let status = compress.compress_vec(text, &mut file, FlushCompress::Finish).unwrap();
        assert_eq!(status, Status::StreamEnd);
        file
    }

    fn inflate_with<'a>(
        pushes: impl IntoIterator<Item = &'a [u8]>,
        limits: InflateLimits,
    ) -> Result<Vec<u8>, InflateError> {
        testing::inflate_with(Compression::Gzip, pushes, limits)
    }

    fn inflate(file: &[u8]) -> Result<Vec<u8>, InflateError> {
        testing::inflate(Compression::Gzip, file)
    }

    #[test]
    fn members_are_read_one_after_the_other() {
        let file = [gzip(b"first "), gzip(b""), gzip(b"second")].concat();
        assert_eq!(inflate(&file).unwrap(), b"first second");
    }

    #[test]
    fn zeros_behind_the_last_member_are_padding() {
        let file = [gzip(b"text"), vec![0; 500]].concat();
        assert_eq!(inflate(&file).unwrap(), b"text");
    }

    #[test]
    fn anything_else_behind_the_last_member_is_refused() {
        let member = gzip(b"text");
        let compressed_bytes = member.len() as u64;
        let error = InflateError::TrailingGarbage { compression: Compression::Gzip, compressed_bytes };
        assert_eq!(inflate(&[&member[..], b"x"].concat()), Err(error.clone()));
        assert_eq!(inflate(&[&member[..], b"\0\0x"].concat()), Err(error.clone()));
        assert_eq!(inflate(&[&member[..], b"\0\0", &member].concat()), Err(error));
        assert!(matches!(inflate(&[&member[..], b"\x1fx"].concat()), Err(InflateError::TrailingGarbage { .. })));
    }

    #[test]
    fn a_file_cut_off_anywhere_is_refused() {
        let member = gzip(b"some text, some more text, and yet some more text");
        for length in 0..member.len() {
            let error = inflate(&member[..length]).unwrap_err();
            let compressed_bytes = length as u64;
            assert_eq!(error, InflateError::Truncated { compression: Compression::Gzip, compressed_bytes });
        }
        let error = inflate(&[&member[..], &member[..20]].concat()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the gzip stream ends in the middle, after {} compressed bytes: the file was cut off",
                member.len() + 20
            )
        );
    }

    #[test]
    fn what_is_no_gzip_is_refused() {
        let error = InflateError::AnotherFormat { compression: Compression::Gzip };
        assert_eq!(inflate(b"a,b\n1,2\n"), Err(error.clone()));
        assert_eq!(inflate(b"\x1f\x8c"), Err(error));
    }

    #[test]
    fn a_wrong_checksum_is_damage() {
        for from_the_end in [8, 4] {
            let mut file = gzip(b"some text");
            let at = file.len() - from_the_end;
            file[at] ^= 1;
            let error = inflate(&file).unwrap_err();
            assert!(error.to_string().ends_with("its checksum does not match"), "{error}");
        }
    }

    #[test]
    fn a_file_that_grows_too_much_is_refused_before_it_is_handed_out() {
        let file = gzip(&vec![b'x'; 1 << 20]);
        testing::check_limits(Compression::Gzip, &file, 1 << 20);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_bytes(
            texts in prop::collection::vec("[a-c\n]{0,400}", 1..4),
            cuts in prop::collection::vec(0_usize..300, 0..6),
            padding in 0_usize..4,
        ) {
            let mut file: Vec<u8> = texts.iter().flat_map(|text| gzip(text.as_bytes())).collect();
            file.resize(file.len() + padding, 0);
            let pushes = split(&file, &cuts);
            prop_assert_eq!(inflate_with(pushes, InflateLimits::default()), Ok(texts.concat().into_bytes()));
        }

        #[test]
        fn damage_is_an_error_and_no_panic(at in 0_usize..60, flip in 1_u8.., text in "[a-z]{20,40}") {
            let mut file = gzip(text.as_bytes());
            let at = at % file.len();
            file[at] ^= flip;
            let byte_by_byte = inflate_with(file.chunks(1), InflateLimits::default());
            let inflated = inflate_with([&file[..]], InflateLimits::default());
            prop_assert_eq!(byte_by_byte.is_ok(), inflated.is_ok());
            if let Ok(inflated) = inflated {
                prop_assert_eq!(inflated, text.into_bytes(), "the header has bytes of no meaning");
            }
        }
    }
}
