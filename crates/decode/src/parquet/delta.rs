//! Numbers stored as differences, packed block by block.

use super::Broken;
use super::hybrid::load;

/// Reads the encoding `DELTA_BINARY_PACKED`. It keeps only where it is; the bytes are given anew each time.
#[derive(Clone, Debug)]
pub(super) struct Deltas {
    miniblocks: usize,
    miniblock_values: usize,
    /// Values of the whole that have not been read.
    left: usize,
    value: i64,
    /// The first value stands in the header, not in a block.
    first_is_next: bool,
    min_delta: i64,
    /// Where the next block, or the next miniblock of this one, begins.
    position: usize,
    /// Where the widths of this block's remaining miniblocks stand.
    widths: std::ops::Range<usize>,
    width: u32,
    /// Where in the bytes the current miniblock begins, and how many of its values are left.
    miniblock: usize,
    miniblock_left: usize,
}

/// Far more than any writer uses.
const MAX_BLOCK_VALUES: usize = 1 << 20;

fn ends_early() -> Broken {
    Broken::new("differences of numbers end early")
}

impl Deltas {
    pub fn new(bytes: &[u8], start: usize) -> Result<Self, Broken> {
        let mut position = start;
        let block_values = read_count(bytes, &mut position)?;
        let miniblocks = read_count(bytes, &mut position)?;
        let left = read_count(bytes, &mut position)?;
        let value = read_zigzag(bytes, &mut position)?;
        if miniblocks == 0 || block_values > MAX_BLOCK_VALUES || block_values % miniblocks != 0 {
            return Err(Broken::new("differences of numbers have impossible blocks"));
        }
        let miniblock_values = block_values / miniblocks;
        if miniblock_values == 0 || !miniblock_values.is_multiple_of(8) {
            return Err(Broken::new("differences of numbers have impossible blocks"));
        }
        Ok(Self {
            miniblocks,
            miniblock_values,
            left,
            value,
            first_is_next: left > 0,
            min_delta: 0,
            position,
            widths: 0..0,
            width: 0,
            miniblock: position,
            miniblock_left: 0,
        })
    }

    /// Appends `count` values. Those of 32 bits are the low half.
    pub fn read<T>(
        &mut self,
        bytes: &[u8],
        count: usize,
        out: &mut Vec<T>,
        number_as: impl Fn(i64) -> T,
    ) -> Result<(), Broken> {
        if count > self.left {
            return Err(ends_early());
        }
        self.left -= count;
        let mut missing = count;
        if self.first_is_next && missing > 0 {
            self.first_is_next = false;
            out.push(number_as(self.value));
            missing -= 1;
        }
        while missing > 0 {
            if self.miniblock_left == 0 {
                self.start_miniblock(bytes)?;
            }
            let taken = missing.min(self.miniblock_left);
            let first = self.miniblock_values - self.miniblock_left;
            let end_bit = (first + taken) * self.width as usize;
            if self.miniblock + end_bit.div_ceil(8) > bytes.len() {
                return Err(ends_early());
            }
            let mut bit = first * self.width as usize;
            for _ in 0..taken {
                let delta = number_at(bytes, self.miniblock + bit / 8, bit % 8, self.width);
                bit += self.width as usize;
                self.value = self.value.wrapping_add(self.min_delta).wrapping_add(delta as i64);
                out.push(number_as(self.value));
            }
            self.miniblock_left -= taken;
            missing -= taken;
        }
        Ok(())
    }

    /// Where the bytes of all values end, counted from the start of `bytes`.
    pub fn end(&self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut ahead = self.clone();
        let mut left = ahead.left.saturating_sub(usize::from(ahead.first_is_next));
        left = left.saturating_sub(ahead.miniblock_left);
        while left > 0 {
            ahead.start_miniblock(bytes)?;
            left = left.saturating_sub(ahead.miniblock_values);
        }
        if ahead.position > bytes.len() { Err(ends_early()) } else { Ok(ahead.position) }
    }

    fn start_miniblock(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        if self.widths.is_empty() {
            self.min_delta = read_zigzag(bytes, &mut self.position)?;
            self.widths = self.position..self.position + self.miniblocks;
            self.position = self.widths.end;
        }
        let width = self.widths.next().and_then(|at| bytes.get(at)).ok_or_else(ends_early)?;
        if *width > 64 {
            return Err(Broken::new("differences of numbers are too wide"));
        }
        self.width = u32::from(*width);
        self.miniblock = self.position;
        self.miniblock_left = self.miniblock_values;
        self.position += self.miniblock_values * self.width as usize / 8;
        Ok(())
    }
}

/// A number of up to 64 bits that begins at bit `shift` of the byte at `start`.
#[inline]
fn number_at(bytes: &[u8], start: usize, shift: usize, width: u32) -> u64 {
    let low = load(bytes, start) >> shift;
    let number = match shift {
        0 => low,
        _ => low | load(bytes, start + 8) << (64 - shift),
    };
    match width {
        0 => 0,
        _ => number & u64::MAX >> (64 - width),
    }
}

fn read_varint(bytes: &[u8], position: &mut usize) -> Result<u64, Broken> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*position).ok_or_else(ends_early)?;
        *position += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Broken::new("differences of numbers are not readable"))
}

fn read_zigzag(bytes: &[u8], position: &mut usize) -> Result<i64, Broken> {
    let number = read_varint(bytes, position)?;
    Ok((number >> 1) as i64 ^ -((number & 1) as i64))
}

fn read_count(bytes: &[u8], position: &mut usize) -> Result<usize, Broken> {
    // No page has more values than a 32-bit integer counts.
    let count = read_varint(bytes, position)?;
    u32::try_from(count).map(|count| count as usize).map_err(|_| Broken::new("differences of numbers are too many"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], counts: &[usize]) -> Result<Vec<i64>, Broken> {
        let mut deltas = Deltas::new(bytes, 0)?;
        let mut out = Vec::new();
        for count in counts {
            deltas.read(bytes, *count, &mut out, |number| number)?;
        }
        Ok(out)
    }

    #[test]
    fn the_example_of_the_format_is_read() {
        // 7, 5, 3, 1, 2, 3, 4, 5: the first value, then differences from -2 on in two bits.
        let mut bytes = vec![128, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111];
        bytes.resize(bytes.len() + 6, 0);
        assert_eq!(read(&bytes, &[3, 0, 5]).unwrap(), [7, 5, 3, 1, 2, 3, 4, 5]);
        let deltas = Deltas::new(&bytes, 0).unwrap();
        assert_eq!(deltas.end(&bytes), Ok(bytes.len()));
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert!(read(&[], &[]).is_err());
        assert!(read(&[128, 1, 0, 8, 14], &[]).is_err(), "no miniblocks");
        assert!(read(&[128, 1, 3, 8, 14], &[]).is_err(), "a part of a miniblock");
        assert!(read(&[128, 1, 4, 1, 14], &[2]).is_err(), "more than there are");
        assert!(read(&[128, 1, 4, 2, 14, 0, 65, 0, 0, 0, 1], &[2]).is_err(), "too wide");
        assert!(read(&[128, 1, 4, 2, 14, 0, 64, 0, 0, 0, 1], &[2]).is_err(), "too short");
    }
}
