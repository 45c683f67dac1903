//! The values of a data page, encoding by encoding, in batches.

use std::collections::VecDeque;

use super::Broken;
use super::delta::Deltas;
use super::dictionary::Dictionary;
use super::hybrid::Hybrid;
use super::schema::{Leaf, Logical, Physical};

/// How values look once they are decoded, whatever their encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Integers of 32 bits, sign extended, or not where they have no sign.
    Int32 {
        signed: bool,
    },
    /// Integers of 64 bits; those without sign by their bits.
    Int64,
    Float,
    Double,
    Bool,
    /// Bytes, each value with a length of its own.
    ByteArray,
    /// Bytes, so many for each value.
    Fixed(usize),
}

/// Values without their nulls.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Bools(Vec<bool>),
    /// Where the bytes of each stand in the page, in the dictionary or in the batch's own bytes.
    Texts(Vec<Span>),
}

/// Where a text stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u32,
    pub length: u32,
}

impl Span {
    /// The text; none where the bytes are not those that it was found in.
    #[inline]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes.get(start..start + self.length as usize).unwrap_or_default()
    }
}

impl Family {
    pub fn new(leaf: &Leaf) -> Self {
        match leaf.physical {
            Physical::Boolean => Family::Bool,
            Physical::Int32 => {
                Family::Int32 { signed: !matches!(leaf.logical, Logical::Integer { signed: false, .. }) }
            }
            Physical::Int64 => Family::Int64,
            Physical::Float => Family::Float,
            Physical::Double => Family::Double,
            Physical::ByteArray => Family::ByteArray,
            Physical::Int96 => Family::Fixed(12),
            Physical::Fixed(width) => Family::Fixed(width),
        }
    }

    /// Bytes of a value in the plain encoding, where all take the same.
    fn width(self) -> Option<usize> {
        match self {
            Family::Int32 { .. } | Family::Float => Some(4),
            Family::Int64 | Family::Double => Some(8),
            Family::Fixed(width) => Some(width),
            Family::Bool | Family::ByteArray => None,
        }
    }
}

impl Stored {
    pub fn new(family: Family) -> Self {
        match family {
            Family::Int32 { .. } | Family::Int64 => Stored::Ints(Vec::new()),
            Family::Float | Family::Double => Stored::Floats(Vec::new()),
            Family::Bool => Stored::Bools(Vec::new()),
            Family::ByteArray | Family::Fixed(_) => Stored::Texts(Vec::new()),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Stored::Ints(values) => values.len(),
            Stored::Floats(values) => values.len(),
            Stored::Bools(values) => values.len(),
            Stored::Texts(spans) => spans.len(),
        }
    }

    pub fn clear(&mut self) {
        match self {
            Stored::Ints(values) => values.clear(),
            Stored::Floats(values) => values.clear(),
            Stored::Bools(values) => values.clear(),
            Stored::Texts(spans) => spans.clear(),
        }
    }

    /// Appends the entries that stand at `indices`.
    fn extend_from(&mut self, dictionary: &Stored, indices: &[u32]) -> Result<(), Broken> {
        match (self, dictionary) {
            (Stored::Ints(values), Stored::Ints(entries)) => look_up(values, entries, indices),
            (Stored::Floats(values), Stored::Floats(entries)) => look_up(values, entries, indices),
            (Stored::Texts(spans), Stored::Texts(entries)) => look_up(spans, entries, indices),
            _ => Err(Broken::new("the dictionary is of another type than the column")),
        }
    }
}

fn look_up<T: Copy>(values: &mut Vec<T>, entries: &[T], indices: &[u32]) -> Result<(), Broken> {
    check_indices(indices, entries.len())?;
    values.extend(indices.iter().filter_map(|index| entries.get(*index as usize).copied()));
    Ok(())
}

fn check_indices(indices: &[u32], entry_count: usize) -> Result<(), Broken> {
    match indices.iter().max() {
        Some(index) if *index as usize >= entry_count => {
            Err(Broken::new(format!("entry {index} of a dictionary of {entry_count} is wanted")))
        }
        _ => Ok(()),
    }
}

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

#[cold]
fn ends_early() -> Broken {
    Broken::new("its values end early")
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

/// The next `length` bytes.
#[inline]
fn take_span(bytes: &[u8], position: &mut usize, length: i64) -> Result<Span, Broken> {
    let start = *position;
    let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
    let end = end.filter(|end| *end <= bytes.len()).ok_or_else(ends_early)?;
    *position = end;
    // A page is far shorter than 4 GiB.
    Ok(Span { start: start as u32, length: (end - start) as u32 })
}

/// Appends `count` values in the plain encoding, which begin at `position`.
pub(super) fn read_plain(
    bytes: &[u8],
    position: &mut usize,
    family: Family,
    count: usize,
    stored: &mut Stored,
) -> Result<(), Broken> {
    let Some(width) = family.width() else {
        let Stored::Texts(spans) = stored else { return Err(ends_early()) };
        // Each has a length of four bytes, so that no count reserves more than the page allows.
        spans.reserve(count.min(bytes.len() / 4));
        for _ in 0..count {
            let rest = bytes.get(*position..).and_then(|rest| rest.first_chunk::<4>());
            let length = u32::from_le_bytes(*rest.ok_or_else(ends_early)?);
            *position += 4;
            spans.push(take_span(bytes, position, i64::from(length))?);
        }
        return Ok(());
    };
    let end = count.checked_mul(width).and_then(|length| position.checked_add(length)).ok_or_else(ends_early)?;
    let plain = bytes.get(*position..end).ok_or_else(ends_early)?;
    match (family, stored) {
        (Family::Int32 { signed: true }, Stored::Ints(values)) => {
            values.extend(plain.as_chunks().0.iter().map(|four| i64::from(i32::from_le_bytes(*four))));
        }
        (Family::Int32 { signed: false }, Stored::Ints(values)) => {
            values.extend(plain.as_chunks().0.iter().map(|four| i64::from(u32::from_le_bytes(*four))));
        }
        (Family::Int64, Stored::Ints(values)) => {
            values.extend(plain.as_chunks().0.iter().map(|eight| i64::from_le_bytes(*eight)));
        }
        (Family::Float, Stored::Floats(values)) => {
            values.extend(plain.as_chunks().0.iter().map(|four| f64::from(f32::from_le_bytes(*four))));
        }
        (Family::Double, Stored::Floats(values)) => {
            values.extend(plain.as_chunks().0.iter().map(|eight| f64::from_le_bytes(*eight)));
        }
        (Family::Fixed(_), Stored::Texts(spans)) => {
            let first = *position;
            spans.extend((0..count).map(|index| Span { start: (first + index * width) as u32, length: width as u32 }));
        }
        _ => return Err(ends_early()),
    }
    *position = end;
    Ok(())
}

/// Puts together values whose bytes stand apart: first the first byte of each, then the second of each.
fn read_split(bytes: &[u8], values: std::ops::Range<usize>, all: usize, family: Family, out: &mut Vec<u8>) {
    let width = family.width().unwrap_or(0);
    for value in values {
        out.extend((0..width).filter_map(|byte| bytes.get(byte * all + value)));
    }
}
