//! Deflate, in whatever it is wrapped: one stream of it, piece by piece, until it ends.

use flate2::{Decompress, FlushDecompress, Status};

use super::meter::Meter;
use super::{InflateError, PIECE_BYTES};

/// The largest window there is; a stream with a smaller one reads the same.
const WINDOW_BITS: u8 = 15;

#[derive(Debug)]
pub(super) struct Deflate {
    decompress: Decompress,
    wrapper: Wrapper,
    piece: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapper {
    Gzip,
    None,
}

/// How far a stream was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// How much of the input it took: all of it, unless the stream has ended.
    pub taken: usize,
    pub ended: bool,
}

impl Deflate {
    pub fn new(wrapper: Wrapper) -> Self {
        let decompress = match wrapper {
            Wrapper::Gzip => Decompress::new_gzip(WINDOW_BITS),
            Wrapper::None => Decompress::new(false),
        };
        Self { decompress, wrapper, piece: vec![0; PIECE_BYTES] }
    }

    /// Before each further stream.
    pub fn reset(&mut self) {
        self.decompress.reset(self.wrapper == Wrapper::Gzip);
    }

    /// Compressed bytes of this stream so far.
    pub fn total_in(&self) -> u64 {
        self.decompress.total_in()
    }

    /// Uncompressed bytes of this stream so far.
    pub fn total_out(&self) -> u64 {
        self.decompress.total_out()
    }

    /// Decompresses to the end of the stream or of the input.
    pub fn run<E: From<InflateError>>(
        &mut self,
        input: &[u8],
        meter: &mut Meter,
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Step, E> {
        let mut taken = 0;
        loop {
            let (in_before, out_before) = (self.decompress.total_in(), self.decompress.total_out());
            let result = self.decompress.decompress(&input[taken..], &mut self.piece, FlushDecompress::None);
            let consumed = (self.decompress.total_in() - in_before) as usize;
            let produced = (self.decompress.total_out() - out_before) as usize;
            taken += consumed;
            meter.took(consumed);
            let status = result.map_err(|error| match error.message() {
                Some("incorrect data check" | "incorrect length check") => meter.damaged("its checksum does not match"),
                _ => meter.damaged("it does not follow the format"),
            })?;
            meter.made(produced)?;
            if produced > 0 {
                out(&self.piece[..produced])?;
            }
            if status == Status::StreamEnd {
                return Ok(Step { taken, ended: true });
            }
            if taken == input.len() && produced < self.piece.len() {
                return Ok(Step { taken, ended: false });
            }
            if consumed == 0 && produced == 0 {
                return Err(meter.damaged("it leads nowhere").into());
            }
        }
    }
}
