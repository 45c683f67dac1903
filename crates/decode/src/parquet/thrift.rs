//! Thrift's compact protocol, as far as footers and page headers are written in it.
//!
//! It reads from bytes that are there and never allocates: what a count claims costs nothing until its elements come.

/// Why bytes are no Thrift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThriftError {
    /// They end in the middle: more of them might help.
    End,
    Malformed,
}

/// What a field or an element is, by its number in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    True,
    False,
    Byte,
    Int,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub id: i16,
    pub kind: Kind,
}

/// Structs within structs; the format itself needs six.
const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug)]
pub(super) struct ThriftReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> ThriftReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// As if all before `position` had been read.
    pub fn at(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The next field of a struct, or `None` at its end. `last_id` is 0 when a struct begins.
    pub fn next_field(&mut self, last_id: &mut i16) -> Result<Option<Field>, ThriftError> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let id = match head >> 4 {
            0 => i16::try_from(self.int()?).map_err(|_| ThriftError::Malformed)?,
            delta => last_id.checked_add(i16::from(delta)).ok_or(ThriftError::Malformed)?,
        };
        *last_id = id;
        Ok(Some(Field { id, kind: Kind::new(head & 0x0f)? }))
    }

    /// An integer of any width, in zigzag.
    pub fn int(&mut self) -> Result<i64, ThriftError> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// An integer of 32 bits.
    pub fn int32(&mut self) -> Result<i32, ThriftError> {
        i32::try_from(self.int()?).map_err(|_| ThriftError::Malformed)
    }

    /// A byte that stands for itself.
    pub fn byte(&mut self) -> Result<u8, ThriftError> {
        let byte = *self.bytes.get(self.position).ok_or(ThriftError::End)?;
        self.position += 1;
        Ok(byte)
    }

    pub fn binary(&mut self) -> Result<&'a [u8], ThriftError> {
        let length = usize::try_from(self.varint()?).map_err(|_| ThriftError::Malformed)?;
        let end = self.position.checked_add(length).ok_or(ThriftError::Malformed)?;
        let binary = self.bytes.get(self.position..end).ok_or(ThriftError::End)?;
        self.position = end;
        Ok(binary)
    }

    /// How many elements follow, and of which kind.
    pub fn list(&mut self) -> Result<(usize, Kind), ThriftError> {
        let head = self.byte()?;
        // Some writers leave the kind of an empty list open.
        if head == 0 {
            return Ok((0, Kind::Byte));
        }
        let count = match head >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| ThriftError::Malformed)?,
            count => usize::from(count),
        };
        Ok((count, Kind::new(head & 0x0f)?))
    }

    /// A list whose elements must be structs.
    pub fn list_of_structs(&mut self) -> Result<usize, ThriftError> {
        match self.list()? {
            (count, Kind::Struct) | (count @ 0, _) => Ok(count),
            _ => Err(ThriftError::Malformed),
        }
    }

    /// Passes a field's value.
    pub fn skip(&mut self, kind: Kind) -> Result<(), ThriftError> {
        self.skip_within(kind, MAX_DEPTH)
    }

    fn skip_within(&mut self, kind: Kind, depth: usize) -> Result<(), ThriftError> {
        let depth = depth.checked_sub(1).ok_or(ThriftError::Malformed)?;
        match kind {
            Kind::True | Kind::False => {}
            Kind::Byte => drop(self.byte()?),
            Kind::Int => drop(self.varint()?),
            Kind::Double => self.pass(8)?,
            Kind::Uuid => self.pass(16)?,
            Kind::Binary => drop(self.binary()?),
            Kind::Struct => {
                let mut last_id = 0;
                while let Some(field) = self.next_field(&mut last_id)? {
                    self.skip_within(field.kind, depth)?;
                }
            }
            Kind::List => {
                let (count, kind) = self.list()?;
                for _ in 0..count {
                    self.skip_element(kind, depth)?;
                }
            }
            Kind::Map => {
                let count = self.varint()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let (key, value) = (Kind::new(kinds >> 4)?, Kind::new(kinds & 0x0f)?);
                for _ in 0..count {
                    self.skip_element(key, depth)?;
                    self.skip_element(value, depth)?;
                }
            }
        }
        Ok(())
    }

    /// An element takes a byte at least, so that no count can keep us longer than its bytes last.
    fn skip_element(&mut self, kind: Kind, depth: usize) -> Result<(), ThriftError> {
        match kind {
            Kind::True | Kind::False => self.pass(1),
            other => self.skip_within(other, depth),
        }
    }

    fn pass(&mut self, length: usize) -> Result<(), ThriftError> {
        if self.bytes.len().saturating_sub(self.position) < length {
            return Err(ThriftError::End);
        }
        self.position += length;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, ThriftError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(ThriftError::Malformed)
    }
}

impl Kind {
    fn new(number: u8) -> Result<Self, ThriftError> {
        Ok(match number {
            1 => Kind::True,
            2 => Kind::False,
            3 => Kind::Byte,
            4..=6 => Kind::Int,
            7 => Kind::Double,
            8 => Kind::Binary,
            9 | 10 => Kind::List,
            11 => Kind::Map,
            12 => Kind::Struct,
            13 => Kind::Uuid,
            _ => return Err(ThriftError::Malformed),
        })
    }

    /// Of a field that holds true or false.
    pub fn bool(self) -> Option<bool> {
        match self {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_is_read_field_by_field() {
        // 1: i32 = -3, 2: binary "ab", 4: true, 20: list<i32> of two
        let bytes = [0x15, 5, 0x18, 2, b'a', b'b', 0x21, 0x09, 40, 0x25, 2, 4, 0, 99];
        let mut reader = ThriftReader::new(&bytes);
        let mut last_id = 0;
        assert_eq!(reader.next_field(&mut last_id), Ok(Some(Field { id: 1, kind: Kind::Int })));
        assert_eq!(reader.int32(), Ok(-3));
        assert_eq!(reader.next_field(&mut last_id), Ok(Some(Field { id: 2, kind: Kind::Binary })));
        assert_eq!(reader.binary(), Ok(&b"ab"[..]));
        assert_eq!(reader.next_field(&mut last_id), Ok(Some(Field { id: 4, kind: Kind::True })));
        assert_eq!(reader.next_field(&mut last_id), Ok(Some(Field { id: 20, kind: Kind::List })));
        assert_eq!(reader.skip(Kind::List), Ok(()));
        assert_eq!(reader.next_field(&mut last_id), Ok(None));
        assert_eq!(reader.position(), bytes.len() - 1);
    }

    #[test]
    fn what_ends_early_asks_for_more() {
        for bytes in [&[][..], &[0x15], &[0x15, 0x80], &[0x18, 9, b'a'], &[0x19, 0xfc, 0xff, 0xff, 0x7f]] {
            assert_eq!(ThriftReader::new(bytes).skip(Kind::Struct), Err(ThriftError::End), "{bytes:?}");
        }
    }

    #[test]
    fn depth_and_numbers_have_an_end() {
        assert_eq!(ThriftReader::new(&[0x1c; 100_000]).skip(Kind::Struct), Err(ThriftError::Malformed));
        assert_eq!(ThriftReader::new(&[0x19; 100_000]).skip(Kind::Struct), Err(ThriftError::Malformed));
        assert_eq!(ThriftReader::new(&[0xff; 20]).int(), Err(ThriftError::Malformed));
        assert_eq!(ThriftReader::new(&[0x1f]).skip(Kind::Struct), Err(ThriftError::Malformed));
    }
}
