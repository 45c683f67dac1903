//! One file's bytes to UTF-8, piece by piece.
//!
//! What comes out depends on the bytes alone, never on how they were pushed.

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use super::DAMAGE;

/// A piece of output is at most this long, unless it is input that was UTF-8 already.
const PIECE_BYTES: usize = 64 * 1024;

/// With less room than this a piece is handed out: more than one turn of any decoder writes, and [`DAMAGE`].
const LEAST_ROOM: usize = 64;

/// The longest byte order mark.
const MARK_BYTES: usize = 3;

/// Why a file cannot be in the declared encoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    #[error(
        "the file is {}, by its byte order mark, but declared as {}; write `encoding = \"{}\"` for the feed",
        .found.name(),
        .declared.name(),
        .found.name().to_ascii_lowercase()
    )]
    OtherMark { declared: &'static Encoding, found: &'static Encoding },
}

/// Turns one file's bytes into UTF-8.
///
/// UTF-8 is handed through as it is, damage included. In any other encoding each sequence of bytes that means nothing
/// becomes one [`DAMAGE`], be it an unpaired surrogate, an undefined byte, or half a character at the end. ASCII bytes
/// behind a damaged character are kept, so that damage never takes a delimiter or a line end with it.
///
/// A byte order mark comes out as U+FEFF; whoever reads the text drops it.
#[derive(Debug)]
pub struct Transcoder {
    encoding: &'static Encoding,
    way: Way,
    /// The first bytes, until there are enough of them to tell a byte order mark.
    head: Vec<u8>,
    begun: bool,
}

#[derive(Debug)]
enum Way {
    Through,
    Decode(Box<Decoding>),
}

struct Decoding {
    decoder: Decoder,
    piece: Box<[u8]>,
    /// How much of the piece is text.
    filled: usize,
}

impl std::fmt::Debug for Decoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoding").field("encoding", &self.decoder.encoding()).finish_non_exhaustive()
    }
}

impl Transcoder {
    pub fn new(encoding: &'static Encoding) -> Self {
        let decoding = || Decoding {
            decoder: encoding.new_decoder_without_bom_handling(),
            piece: vec![0; PIECE_BYTES].into_boxed_slice(),
            filled: 0,
        };
        let way = if encoding == UTF_8 { Way::Through } else { Way::Decode(Box::new(decoding())) };
        Self { encoding, way, head: Vec::with_capacity(MARK_BYTES), begun: false }
    }

    /// Takes the next bytes of the file and hands out what they become; some may be held for the next call.
    pub fn push<E: From<EncodingError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.begun {
            return self.way.take(input, out);
        }
        let missing = MARK_BYTES - self.head.len();
        let (head, rest) = input.split_at(missing.min(input.len()));
        self.head.extend_from_slice(head);
        if self.head.len() < MARK_BYTES {
            return Ok(());
        }
        self.begin(out)?;
        self.way.take(rest, out)
    }

    /// Says that the file is over and hands out what is left.
    pub fn finish<E: From<EncodingError>>(mut self, out: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if !self.begun {
            self.begin(out)?;
        }
        match self.way {
            Way::Through => Ok(()),
            Way::Decode(mut decoding) => decoding.take(&[], true, out),
        }
    }

    fn begin<E: From<EncodingError>>(&mut self, out: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.begun = true;
        let head = std::mem::take(&mut self.head);
        if let Some((found, _)) = Encoding::for_bom(&head)
            && found != self.encoding
        {
            return Err(EncodingError::OtherMark { declared: self.encoding, found }.into());
        }
        self.way.take(&head, out)
    }
}

impl Way {
    fn take<E>(&mut self, input: &[u8], out: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match self {
            _ if input.is_empty() => Ok(()),
            Way::Through => out(input),
            Way::Decode(decoding) => decoding.take(input, false, out),
        }
    }
}

impl Decoding {
    fn take<E>(
        &mut self,
        mut input: &[u8],
        is_last: bool,
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let end = self.piece.len() - 1; // there is always room for damage
            let room = &mut self.piece[self.filled..end];
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(input, room, is_last);
            input = &input[read..];
            self.filled += written;
            if let DecoderResult::Malformed(..) = result {
                self.piece[self.filled] = DAMAGE;
                self.filled += 1;
            }
            let is_empty = result == DecoderResult::InputEmpty;
            let is_full = result == DecoderResult::OutputFull || self.piece.len() - self.filled < LEAST_ROOM;
            if (is_empty || is_full) && self.filled > 0 {
                let filled = std::mem::take(&mut self.filled);
                out(&self.piece[..filled])?;
            }
            if is_empty {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{BIG5, EUC_JP, GB18030, ISO_2022_JP, SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1252, WINDOWS_1253};
    use proptest::prelude::*;

    use super::*;

    fn transcode(encoding: &'static Encoding, pushes: &[&[u8]]) -> Result<Vec<u8>, EncodingError> {
        let mut text = Vec::new();
        let mut out = |piece: &[u8]| {
            assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES);
            text.extend_from_slice(piece);
            Ok::<(), EncodingError>(())
        };
        let mut transcoder = Transcoder::new(encoding);
        for push in pushes {
            transcoder.push(push, &mut out)?;
        }
        transcoder.finish(&mut out)?;
        Ok(text)
    }

    fn utf_16le(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn utf_8_comes_out_as_the_very_bytes_that_went_in() {
        let file = b"a,\xff\xc3b\n".repeat(3);
        let mut transcoder = Transcoder::new(UTF_8);
        transcoder.push(b"a,b", &mut |_| Ok::<(), EncodingError>(())).unwrap();
        let mut same = false;
        let mut out = |piece: &[u8]| {
            same = std::ptr::eq(piece, file.as_slice());
            Ok::<(), EncodingError>(())
        };
        transcoder.push(&file, &mut out).unwrap();
        assert!(same);
    }

    #[test]
    fn other_encodings_become_utf_8() {
        assert_eq!(transcode(WINDOWS_1252, &[b"caf\xe9 \x80"]).unwrap(), "café €".as_bytes());
        assert_eq!(transcode(UTF_16LE, &[&utf_16le("zwölf 😀")]).unwrap(), "zwölf 😀".as_bytes());
        assert_eq!(transcode(UTF_16BE, &[b"\0a\xd8\x3d\xde\0"]).unwrap(), "a😀".as_bytes());
        assert_eq!(transcode(SHIFT_JIS, &[b"\x93\xfa\x96\x7b"]).unwrap(), "日本".as_bytes());
    }

    #[test]
    fn damage_is_marked_and_takes_nothing_with_it() {
        assert_eq!(transcode(UTF_16LE, &[b"a\0\x3d\xd8,\0\0\xde\n\0"]).unwrap(), b"a\xff,\xff\n");
        assert_eq!(transcode(UTF_16LE, &[b"a\0\n"]).unwrap(), b"a\xff");
        assert_eq!(transcode(UTF_16LE, &[b"a\0\x3d\xd8"]).unwrap(), b"a\xff");
        assert_eq!(transcode(WINDOWS_1253, &[b"a\xd2b"]).unwrap(), b"a\xffb");
        assert_eq!(transcode(SHIFT_JIS, &[b"\x93,\x93\n"]).unwrap(), b"\xff,\xff\n");
    }

    #[test]
    fn a_mark_of_another_encoding_refuses_the_file() {
        let refusal = |encoding, file: &[u8]| transcode(encoding, &[file]).unwrap_err().to_string();
        assert_eq!(
            refusal(WINDOWS_1252, b"\xef\xbb\xbfa"),
            "the file is UTF-8, by its byte order mark, but declared as windows-1252; write `encoding = \"utf-8\"` for \
             the feed"
        );
        assert!(refusal(UTF_16LE, b"\xfe\xff").contains("`encoding = \"utf-16be\"`"));
        assert!(refusal(UTF_8, b"\xff\xfea\0").contains("`encoding = \"utf-16le\"`"));
    }

    #[test]
    fn the_declared_mark_comes_out_as_a_character() {
        for (encoding, mark) in [(UTF_8, &b"\xef\xbb\xbf"[..]), (UTF_16LE, b"\xff\xfe"), (UTF_16BE, b"\xfe\xff")] {
            assert_eq!(transcode(encoding, &[mark]).unwrap(), "\u{feff}".as_bytes());
        }
        assert_eq!(transcode(UTF_8, &[]).unwrap(), b"");
    }

    #[test]
    fn a_long_file_comes_out_in_pieces() {
        let text = "wölf, ".repeat(PIECE_BYTES);
        assert_eq!(transcode(UTF_16LE, &[&utf_16le(&text)]).unwrap(), text.as_bytes());
        let damage = b"\0\xde".repeat(PIECE_BYTES * 2);
        assert_eq!(transcode(UTF_16LE, &[&damage]).unwrap(), vec![DAMAGE; PIECE_BYTES * 2]);
    }

    fn encoding() -> impl Strategy<Value = &'static Encoding> {
        prop::sample::select(vec![
            UTF_8,
            UTF_16LE,
            UTF_16BE,
            WINDOWS_1252,
            WINDOWS_1253,
            SHIFT_JIS,
            EUC_JP,
            BIG5,
            GB18030,
            ISO_2022_JP,
        ])
    }

    /// Bytes of which many encodings make something.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let some = prop::sample::select(b"a,\n\r\"\0\x1b$B(\x81\x30\xd8\xdc\xde\xff\xfe\xef\xbb\xbf\xe4".to_vec());
        prop::collection::vec(prop_oneof![4 => some, 1 => any::<u8>()], 0..80)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_split_gives_the_same_text(
            encoding in encoding(), file in bytes(), cuts in prop::collection::vec(0_usize..40, 0..8)
        ) {
            let mut pushes = Vec::new();
            let mut rest = &file[..];
            for cut in cuts {
                let (left, right) = rest.split_at(cut.min(rest.len()));
                pushes.push(left);
                rest = right;
            }
            pushes.push(rest);
            prop_assert_eq!(transcode(encoding, &[&file]), transcode(encoding, &pushes));
        }

        #[test]
        fn what_is_written_in_an_encoding_is_read_in_it(encoding in encoding(), text in "[a-zé,\"\n日ü€]{0,40}") {
            // Of the text what the encoding has; encoding_rs writes no UTF-16.
            let has = |character: &char| !encoding.encode(character.encode_utf8(&mut [0; 4])).2;
            let text: String = text.chars().filter(has).collect();
            let written = match encoding.name() {
                "UTF-16LE" => utf_16le(&text),
                "UTF-16BE" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
                _ => encoding.encode(&text).0.into_owned(),
            };
            prop_assert_eq!(transcode(encoding, &[&written]).unwrap(), text.as_bytes());
        }

        #[test]
        fn everything_but_damage_is_utf_8(encoding in encoding(), file in bytes()) {
            prop_assume!(encoding != UTF_8);
            let Ok(text) = transcode(encoding, &[&file]) else { return Ok(()) };
            prop_assert!(text.split(|byte| *byte == DAMAGE).all(|part| std::str::from_utf8(part).is_ok()));
        }
    }
}
