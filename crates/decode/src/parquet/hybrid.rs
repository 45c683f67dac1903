//! Runs and packed bits: how levels, dictionary indices and booleans are stored.

use super::Broken;

/// Reads numbers of `width` bits from bytes that hold runs of equal numbers and groups of eight packed ones.
///
/// It keeps only where it is; the bytes are given anew each time, and must be the same.
#[derive(Clone, Debug)]
pub(super) struct Hybrid {
    width: u32,
    /// Where the next run begins.
    next_run: usize,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Equal {
        number: u32,
        left: usize,
    },
    /// The next number begins with this bit of the bytes.
    Packed {
        bit: usize,
        left: usize,
    },
}

pub(super) const MAX_WIDTH: u32 = 32;

impl Hybrid {
    /// Runs that begin at `start`, of numbers of up to [`MAX_WIDTH`] bits.
    pub fn new(width: u8, start: usize) -> Result<Self, Broken> {
        let width = u32::from(width);
        if width > MAX_WIDTH {
            return Err(Broken::new(format!("numbers of {width} bits are too wide")));
        }
        Ok(Self { width, next_run: start, run: Run::Equal { number: 0, left: 0 } })
    }

    /// Appends `count` numbers.
    pub fn read<T>(
        &mut self,
        bytes: &[u8],
        count: usize,
        out: &mut Vec<T>,
        number_as: impl Fn(u32) -> T,
    ) -> Result<(), Broken>
    where
        T: Clone,
    {
        let mut missing = count;
        while missing > 0 {
            let taken = match &mut self.run {
                Run::Equal { left: 0, .. } | Run::Packed { left: 0, .. } => {
                    self.start_run(bytes)?;
                    continue;
                }
                Run::Equal { number, left } => {
                    let taken = missing.min(*left);
                    *left -= taken;
                    out.resize(out.len() + taken, number_as(*number));
                    taken
                }
                Run::Packed { bit, left } => {
                    let taken = missing.min(*left);
                    *left -= taken;
                    unpack(bytes, *bit, self.width, taken, out, &number_as)?;
                    *bit += taken * self.width as usize;
                    taken
                }
            };
            missing -= taken;
        }
        Ok(())
    }

    fn start_run(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let ends_early = || Broken::new("runs of numbers end early");
        let mut head = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = *bytes.get(self.next_run).ok_or_else(ends_early)?;
            self.next_run += 1;
            head |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            if shift == 28 {
                return Err(Broken::new("a run of numbers is not readable"));
            }
        }
        let count = usize::try_from(head >> 1).map_err(|_| ends_early())?;
        if head & 1 == 1 {
            let bit = self.next_run.checked_mul(8).ok_or_else(ends_early)?;
            self.run = Run::Packed { bit, left: count.checked_mul(8).ok_or_else(ends_early)? };
            // Some writers leave out what the last group has too much: what is missing is seen when it is wanted.
            self.next_run = count
                .checked_mul(self.width as usize)
                .and_then(|length| self.next_run.checked_add(length))
                .ok_or_else(ends_early)?;
            return Ok(());
        }
        let length = self.width.div_ceil(8) as usize;
        let stored = bytes.get(self.next_run..self.next_run + length).ok_or_else(ends_early)?;
        let mut number = [0; 4];
        number[..length].copy_from_slice(stored);
        self.next_run += length;
        self.run = Run::Equal { number: u32::from_le_bytes(number), left: count };
        Ok(())
    }
}

/// Appends `count` numbers of `width` bits (at most [`MAX_WIDTH`]), the first of which begins at `bit`.
fn unpack<T: Clone>(
    bytes: &[u8],
    bit: usize,
    width: u32,
    count: usize,
    out: &mut Vec<T>,
    number_as: &impl Fn(u32) -> T,
) -> Result<(), Broken> {
    if width == 0 {
        out.resize(out.len() + count, number_as(0));
        return Ok(());
    }
    let end_bit = count.checked_mul(width as usize).and_then(|bits| bits.checked_add(bit));
    if end_bit.is_none_or(|end| end.div_ceil(8) > bytes.len()) {
        return Err(Broken::new("packed numbers end early"));
    }
    let mask = u32::MAX >> (32 - width);
    let mut bit = bit;
    out.extend((0..count).map(|_| {
        let number = (load(bytes, bit / 8) >> (bit % 8)) as u32 & mask;
        bit += width as usize;
        number_as(number)
    }));
    Ok(())
}

/// Eight bytes from `start` on, with zeros beyond the end.
#[inline]
pub(super) fn load(bytes: &[u8], start: usize) -> u64 {
    let rest = bytes.get(start..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => {
            let mut eight = [0; 8];
            eight[..rest.len()].copy_from_slice(rest);
            u64::from_le_bytes(eight)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(width: u8, bytes: &[u8], counts: &[usize]) -> Result<Vec<u32>, Broken> {
        let mut hybrid = Hybrid::new(width, 0)?;
        let mut out = Vec::new();
        for count in counts {
            hybrid.read(bytes, *count, &mut out, |number| number)?;
        }
        Ok(out)
    }

    #[test]
    fn runs_and_packed_groups_follow_each_other() {
        // Three times 5; then 0 to 7 packed in three bits; then 2 without end.
        let bytes = [6, 5, 3, 0b1000_1000, 0b1100_0110, 0b1111_1010, 200, 1, 2];
        assert_eq!(read(3, &bytes, &[2, 3, 0, 6, 3]).unwrap(), [5, 5, 5, 0, 1, 2, 3, 4, 5, 6, 7, 2, 2, 2]);
    }

    #[test]
    fn numbers_of_every_width_are_unpacked() {
        for width in 1..=32_u32 {
            let numbers: Vec<u32> =
                (0..24_u32).map(|n| n.wrapping_mul(2_654_435_761) & (u32::MAX >> (32 - width))).collect();
            let mut bits = vec![0_u8; 3 * width as usize];
            for (index, number) in numbers.iter().enumerate() {
                for bit in 0..width as usize {
                    let at = index * width as usize + bit;
                    bits[at / 8] |= ((number >> bit & 1) as u8) << (at % 8);
                }
            }
            let bytes = [&[7][..], &bits].concat();
            assert_eq!(read(width as u8, &bytes, &[5, 1, 18]).unwrap(), numbers, "{width} bits");
        }
    }

    #[test]
    fn numbers_without_bits_are_zero() {
        assert_eq!(read(0, &[8], &[4]).unwrap(), [0; 4]);
        assert_eq!(read(0, &[3], &[8]).unwrap(), [0; 8]);
    }

    #[test]
    fn what_is_missing_is_said() {
        for bytes in [&[][..], &[0x80], &[6], &[0xff, 0xff, 0xff, 0xff, 0xff, 1], &[3, 1, 1], &[0, 1, 0]] {
            assert!(read(3, bytes, &[8]).is_err(), "{bytes:?}");
        }
        assert!(Hybrid::new(33, 0).is_err());
    }
}
