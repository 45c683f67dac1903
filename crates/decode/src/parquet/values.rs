//! The values of a data page, encoding by encoding, in batches.

use std::collections::VecDeque;

use super::Broken;
use super::delta::Deltas;
use super::dictionary::Dictionary;
use super::hybrid::Hybrid;
use super::stored::{Family, Span, Stored, check_indices, ends_early, read_plain, read_split, take_span};

/// Where the texts of a batch stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextsIn {
    Page,
    Dictionary,
    /// In [`Batch::bytes`].
    Batch,
}

/// Values that have been decoded and not been used, without their nulls.
pub(super) struct Batch {
    pub stored: Stored,
    pub texts_in: TextsIn,
    /// Entries of the dictionary, instead of `stored`: texts only.
    pub entries: Vec<u32>,
    pub is_entries: bool,
    pub bytes: Vec<u8>,
}

impl Batch {
    pub fn new(family: Family) -> Self {
        Self {
            stored: Stored::new(family),
            texts_in: TextsIn::Page,
            entries: Vec::new(),
            is_entries: false,
            bytes: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        if self.is_entries { self.entries.len() } else { self.stored.len() }
    }

    fn clear(&mut self) {
        self.stored.clear();
        self.entries.clear();
        self.is_entries = false;
        self.bytes.clear();
    }
}

/// Texts that have to be put together are put together so many bytes at a time.
const BATCH_BYTES: usize = 4 << 20;
/// Entries up to which texts stay entries of their dictionary.
pub(super) const MAX_MEMO_ENTRIES: usize = 1 << 16;

/// Where the values of a page have been read to. The page's bytes are given anew each time.
pub(super) enum Decoder {
    /// There are none: all are null.
    Nothing,
    Plain {
        position: usize,
    },
    PlainBits {
        bit: usize,
    },
    Runs(Hybrid),
    Entries(Hybrid),
    Deltas(Deltas),
    Lengths {
        lengths: Deltas,
        position: usize,
    },
    Prefixes {
        prefixes: Deltas,
        suffixes: Deltas,
        position: usize,
        last: Vec<u8>,
        pending: VecDeque<(u32, u32)>,
    },
    Split {
        start: usize,
        next: usize,
        count: usize,
    },
}

/// Why the values of a page are not read.
pub(super) enum Undecodable {
    Broken(Broken),
    Unsupported(String),
}

impl From<Broken> for Undecodable {
    fn from(broken: Broken) -> Self {
        Undecodable::Broken(broken)
    }
}

impl Decoder {
    /// Of the values in `bytes` from `start` on.
    pub fn new(encoding: i32, family: Family, bytes: &[u8], start: usize) -> Result<Self, Undecodable> {
        let Some(first) = bytes.get(start) else {
            return Ok(Decoder::Nothing);
        };
        Ok(match (encoding, family) {
            (0, Family::Bool) => {
                Decoder::PlainBits { bit: start.checked_mul(8).ok_or_else(|| Broken::new("is too long"))? }
            }
            (0, _) => Decoder::Plain { position: start },
            // A length stands before the runs, and they end with the page.
            (3, Family::Bool) => Decoder::Runs(Hybrid::new(1, start + 4)?),
            (2 | 8, family) if family != Family::Bool => Decoder::Entries(Hybrid::new(*first, start + 1)?),
            (5, Family::Int32 { .. } | Family::Int64) => Decoder::Deltas(Deltas::new(bytes, start)?),
            (6, Family::ByteArray) => {
                let lengths = Deltas::new(bytes, start)?;
                let position = lengths.end(bytes)?;
                Decoder::Lengths { lengths, position }
            }
            (7, Family::ByteArray | Family::Fixed(_)) => {
                let prefixes = Deltas::new(bytes, start)?;
                let suffixes = Deltas::new(bytes, prefixes.end(bytes)?)?;
                let position = suffixes.end(bytes)?;
                Decoder::Prefixes { prefixes, suffixes, position, last: Vec::new(), pending: VecDeque::new() }
            }
            (9, family) => {
                let Some(width) = family.width() else { return Err(unsupported(encoding)) };
                Decoder::Split { start, next: 0, count: (bytes.len() - start) / width }
            }
            _ => return Err(unsupported(encoding)),
        })
    }

    /// Puts the next values into the batch: `count` of them, or fewer (but one) where they are large.
    pub fn read(
        &mut self,
        bytes: &[u8],
        family: Family,
        dictionary: Option<&Dictionary>,
        count: usize,
        batch: &mut Batch,
    ) -> Result<(), Broken> {
        batch.clear();
        batch.texts_in = TextsIn::Page;
        if count == 0 {
            return Ok(());
        }
        let number = |number: i64| match family {
            Family::Int32 { signed: true } => i64::from(number as i32),
            Family::Int32 { signed: false } => i64::from(number as u32),
            _ => number,
        };
        match (self, &mut batch.stored) {
            (Decoder::Plain { position }, stored) => read_plain(bytes, position, family, count, stored),
            (Decoder::PlainBits { bit }, Stored::Bools(values)) => {
                let end = bit.checked_add(count).filter(|end| end.div_ceil(8) <= bytes.len()).ok_or_else(ends_early)?;
                values.extend((*bit..end).map(|bit| bytes[bit / 8] >> (bit % 8) & 1 == 1));
                *bit = end;
                Ok(())
            }
            (Decoder::Runs(runs), Stored::Bools(values)) => runs.read(bytes, count, values, |number| number == 1),
            (Decoder::Entries(indices), stored) => {
                let dictionary = dictionary.ok_or_else(|| Broken::new("it needs a dictionary, and there is none"))?;
                indices.read(bytes, count, &mut batch.entries, |index| index)?;
                if matches!(stored, Stored::Texts(_)) && dictionary.len() <= MAX_MEMO_ENTRIES {
                    batch.is_entries = true;
                    return check_indices(&batch.entries, dictionary.len());
                }
                batch.texts_in = TextsIn::Dictionary;
                stored.extend_from(&dictionary.entries, &batch.entries)
            }
            (Decoder::Deltas(deltas), Stored::Ints(values)) => deltas.read(bytes, count, values, number),
            (Decoder::Lengths { lengths, position }, Stored::Texts(spans)) => {
                let mut texts = Vec::with_capacity(count);
                lengths.read(bytes, count, &mut texts, |length| length)?;
                for length in texts {
                    spans.push(take_span(bytes, position, length)?);
                }
                Ok(())
            }
            (Decoder::Split { start, next, count: all }, stored) => {
                let values = *next..*next + count;
                *next = values.end;
                if *next > *all {
                    return Err(ends_early());
                }
                batch.texts_in = TextsIn::Batch;
                read_split(bytes.get(*start..).unwrap_or_default(), values, *all, family, &mut batch.bytes);
                read_plain(&batch.bytes, &mut 0, family, count, stored)
            }
            (Decoder::Prefixes { prefixes, suffixes, position, last, pending }, Stored::Texts(spans)) => {
                batch.texts_in = TextsIn::Batch;
                if pending.len() < count {
                    let missing = count - pending.len();
                    let (mut starts, mut ends) = (Vec::new(), Vec::new());
                    prefixes.read(bytes, missing, &mut starts, length_of)?;
                    suffixes.read(bytes, missing, &mut ends, length_of)?;
                    pending.extend(starts.into_iter().zip(ends));
                }
                while spans.len() < count && batch.bytes.len() < BATCH_BYTES {
                    let Some((prefix, suffix)) = pending.pop_front() else { break };
                    let suffix = take_span(bytes, position, i64::from(suffix))?;
                    if prefix as usize > last.len() {
                        return Err(Broken::new("a text begins with more of the one before than that has"));
                    }
                    last.truncate(prefix as usize);
                    last.extend_from_slice(suffix.of(bytes));
                    spans.push(Span { start: batch.bytes.len() as u32, length: last.len() as u32 });
                    batch.bytes.extend_from_slice(last);
                }
                Ok(())
            }
            _ => Err(ends_early()),
        }
    }
}

fn unsupported(encoding: i32) -> Undecodable {
    let name = match encoding {
        4 => "BIT_PACKED",
        10 => "ALP",
        _ => return Undecodable::Unsupported(format!("is in an encoding that is not read (number {encoding})")),
    };
    Undecodable::Unsupported(format!("is in the encoding {name}, which is not read"))
}

/// A length that is none becomes one that no page has.
fn length_of(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
