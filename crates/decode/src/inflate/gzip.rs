//! Gzip: one member or several, one after the other, checked by their checksums.

use flate2::{Decompress, FlushDecompress, Status};

use super::{InflateError, InflateLimits, PIECE_BYTES, RATIO_FROM_BYTES};

const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The largest window there is; a stream with a smaller one reads the same.
const WINDOW_BITS: u8 = 15;

#[derive(Debug)]
pub(super) struct Gunzip {
    limits: InflateLimits,
    decompress: Decompress,
    piece: Vec<u8>,
    place: Place,
    consumed_bytes: u64,
    output_bytes: u64,
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
            limits,
            decompress: Decompress::new_gzip(WINDOW_BITS),
            piece: vec![0; PIECE_BYTES],
            place: Place::Before { first: true, seen: 0 },
            consumed_bytes: 0,
            output_bytes: 0,
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
                    let zeros = input.iter().take_while(|byte| **byte == 0).count();
                    if zeros < input.len() {
                        return Err(self.trailing_garbage().into());
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub fn finish(self) -> Result<(), InflateError> {
        match self.place {
            Place::Before { first: false, seen: 0 } | Place::Padding => Ok(()),
            _ => Err(InflateError::Truncated { compressed_bytes: self.consumed_bytes }),
        }
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
            let error = if first { InflateError::NotGzip } else { self.trailing_garbage() };
            return Err(error.into());
        }
        if seen + 1 < MAGIC.len() {
            self.place = Place::Before { first, seen: seen + 1 };
            self.consumed_bytes += 1;
            return Ok(());
        }
        self.consumed_bytes -= seen as u64; // the decompressor counts them
        self.place = Place::Member;
        self.decompress.reset(true);
        self.inflate(&MAGIC, out).map(|_| ())
    }

    /// Decompresses to the end of the member or of the input. Returns how much of the input it took.
    fn inflate<E: From<InflateError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut taken = 0;
        loop {
            let (in_before, out_before) = (self.decompress.total_in(), self.decompress.total_out());
            let result = self.decompress.decompress(&input[taken..], &mut self.piece, FlushDecompress::None);
            let consumed = (self.decompress.total_in() - in_before) as usize;
            let produced = (self.decompress.total_out() - out_before) as usize;
            taken += consumed;
            self.consumed_bytes += consumed as u64;
            self.output_bytes += produced as u64;
            let status = result.map_err(|error| match error.message() {
                Some("incorrect data check" | "incorrect length check") => self.damaged("its checksum does not match"),
                _ => self.damaged("it does not follow the format"),
            })?;
            self.check_limits()?;
            if produced > 0 {
                out(&self.piece[..produced])?;
            }
            if status == Status::StreamEnd {
                self.place = Place::Before { first: false, seen: 0 };
                return Ok(taken);
            }
            if taken == input.len() && produced < self.piece.len() {
                return Ok(taken);
            }
            if consumed == 0 && produced == 0 {
                return Err(self.damaged("it leads nowhere").into());
            }
        }
    }

    fn check_limits(&self) -> Result<(), InflateError> {
        let InflateLimits { max_output_bytes, max_ratio } = self.limits;
        let (compressed_bytes, output_bytes) = (self.consumed_bytes, self.output_bytes);
        if output_bytes > max_output_bytes {
            return Err(InflateError::TooLarge { max_output_bytes });
        }
        if output_bytes > RATIO_FROM_BYTES && output_bytes / max_ratio.max(1) > compressed_bytes {
            return Err(InflateError::TooDense { compressed_bytes, output_bytes, max_ratio });
        }
        Ok(())
    }

    fn damaged(&self, detail: &'static str) -> InflateError {
        InflateError::Damaged { compressed_bytes: self.consumed_bytes, detail }
    }

    fn trailing_garbage(&self) -> InflateError {
        InflateError::TrailingGarbage { compressed_bytes: self.consumed_bytes }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression as Level, FlushCompress};
    use proptest::prelude::*;

    use super::*;
    use crate::inflate::{Compression, Inflater};

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut compress = Compress::new_gzip(Level::default(), WINDOW_BITS);
        let mut file = Vec::with_capacity(text.len() + 1024);
        let status = compress.compress_vec(text, &mut file, FlushCompress::Finish).unwrap();
        assert_eq!(status, Status::StreamEnd);
        file
    }

    fn inflate_with<'a>(
        pushes: impl IntoIterator<Item = &'a [u8]>,
        limits: InflateLimits,
    ) -> Result<Vec<u8>, InflateError> {
        let mut text = Vec::new();
        let mut inflater = Inflater::with_limits(Compression::Gzip, limits);
        for push in pushes {
            inflater.push(push, &mut |piece: &[u8]| {
                assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES);
                text.extend_from_slice(piece);
                Ok::<(), InflateError>(())
            })?;
        }
        inflater.finish()?;
        Ok(text)
    }

    fn inflate(file: &[u8]) -> Result<Vec<u8>, InflateError> {
        let whole = inflate_with([file], InflateLimits::default());
        let byte_by_byte = inflate_with(file.chunks(1), InflateLimits::default());
        assert_eq!(whole, byte_by_byte);
        whole
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
        let error = InflateError::TrailingGarbage { compressed_bytes: member.len() as u64 };
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
            assert_eq!(error, InflateError::Truncated { compressed_bytes: length as u64 });
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
        assert_eq!(inflate(b"a,b\n1,2\n"), Err(InflateError::NotGzip));
        assert_eq!(inflate(b"\x1f\x8c"), Err(InflateError::NotGzip));
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
        let limits = |max_output_bytes, max_ratio| InflateLimits { max_output_bytes, max_ratio };
        assert_eq!(inflate_with([&file[..]], limits(1 << 20, 10)).unwrap().len(), 1 << 20);
        let max_output_bytes = (1 << 20) - 1;
        assert_eq!(
            inflate_with([&file[..]], limits(max_output_bytes, 10)),
            Err(InflateError::TooLarge { max_output_bytes })
        );
        let bomb = gzip(&vec![0; 65 << 20]);
        let error = inflate_with([&bomb[..]], limits(u64::MAX, 900)).unwrap_err();
        assert!(matches!(error, InflateError::TooDense { max_ratio: 900, .. }), "{error}");
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
            let mut rest = &file[..];
            let mut pushes = Vec::new();
            for cut in cuts {
                let (left, right) = rest.split_at(cut.min(rest.len()));
                pushes.push(left);
                rest = right;
            }
            pushes.push(rest);
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
