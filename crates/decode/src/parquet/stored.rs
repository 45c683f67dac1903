//! Values as they are stored, without their nulls, and the plain encoding.

use super::Broken;
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
    pub fn width(self) -> Option<usize> {
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
    pub fn extend_from(&mut self, dictionary: &Stored, indices: &[u32]) -> Result<(), Broken> {
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

pub(super) fn check_indices(indices: &[u32], entry_count: usize) -> Result<(), Broken> {
    match indices.iter().max() {
        Some(index) if *index as usize >= entry_count => {
            Err(Broken::new(format!("entry {index} of a dictionary of {entry_count} is wanted")))
        }
        _ => Ok(()),
    }
}

#[cold]
pub(super) fn ends_early() -> Broken {
    Broken::new("its values end early")
}

/// The next `length` bytes.
#[inline]
pub(super) fn take_span(bytes: &[u8], position: &mut usize, length: i64) -> Result<Span, Broken> {
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
pub(super) fn read_split(bytes: &[u8], values: std::ops::Range<usize>, all: usize, family: Family, out: &mut Vec<u8>) {
    let width = family.width().unwrap_or(0);
    for value in values {
        out.extend((0..width).filter_map(|byte| bytes.get(byte * all + value)));
    }
}
