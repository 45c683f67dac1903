//! Many bytes looked at together, one bit for each: what makes the text formats fast.
//!
//! It knows no format. Here are this crate's only unsafe lines; each function has a twin for other machines that does
//! the same.

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

/// Bytes of a vector.
pub(crate) const VECTOR: usize = 16;

/// Where each of the needles stands in the block.
#[cfg(target_arch = "x86_64")]
#[inline]
#[expect(unsafe_code, reason = "without SSE2 events are decoded at three fifths of the speed")]
pub(crate) fn find<const N: usize>(block: &[u8; BLOCK], needles: [u8; N]) -> [u64; N] {
    // Measured against `find_in_words`: the CSV cutter does 6.4 GB/s instead of 1.0 where there are quotes, and the
    // decoder 2.6 instead of 1.6.
    // SAFETY: every x86_64 processor has SSE2.
    unsafe { find_sse2(block, needles) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn find<const N: usize>(block: &[u8; BLOCK], needles: [u8; N]) -> [u64; N] {
    find_in_words(block, needles)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn find_sse2<const N: usize>(block: &[u8; BLOCK], needles: [u8; N]) -> [u64; N] {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    let mut found = [0; N];
    // Loops, not `map`: closures would not be compiled into the caller, which costs half the speed.
    let (vectors, _) = block.as_chunks::<16>();
    for (index, vector) in vectors.iter().enumerate() {
        let vector = u128::from_le_bytes(*vector);
        let vector = _mm_set_epi64x((vector >> 64) as i64, vector as i64);
        for (bits, needle) in found.iter_mut().zip(needles) {
            let equal = _mm_cmpeq_epi8(vector, _mm_set1_epi8(needle.cast_signed()));
            *bits |= u64::from(_mm_movemask_epi8(equal) as u16) << (index * 16);
        }
    }
    found
}

/// The same for any machine, eight bytes at a time.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn find_in_words<const N: usize>(block: &[u8; BLOCK], needles: [u8; N]) -> [u64; N] {
    let mut found = [0; N];
    let (words, _) = block.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        for (bits, needle) in found.iter_mut().zip(needles) {
            *bits |= gather(equal(u64::from_le_bytes(*word), needle)) << (index * 8);
        }
    }
    found
}

/// Which bytes of the vector cannot be plain text in a JSON string: quotes, backslashes and control characters.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(unsafe_code, reason = "without SSE2 events in NDJSON are decoded at three quarters of the speed")]
pub(crate) fn find_text_ends(vector: &[u8; VECTOR]) -> u16 {
    // Measured against `find_text_ends_in_words`: 1.70 GB/s instead of 1.29.
    // SAFETY: every x86_64 processor has SSE2.
    unsafe { find_text_ends_sse2(vector) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn find_text_ends(vector: &[u8; VECTOR]) -> u16 {
    find_text_ends_in_words(vector)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn find_text_ends_sse2(vector: &[u8; VECTOR]) -> u16 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let vector = u128::from_le_bytes(*vector);
    let vector = _mm_set_epi64x((vector >> 64) as i64, vector as i64);
    let quotes = _mm_cmpeq_epi8(vector, _mm_set1_epi8(b'"'.cast_signed()));
    let backslashes = _mm_cmpeq_epi8(vector, _mm_set1_epi8(b'\\'.cast_signed()));
    let controls = _mm_cmpeq_epi8(_mm_min_epu8(vector, _mm_set1_epi8(0x1f)), vector);
    _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls)) as u16
}

/// The same for any machine, eight bytes at a time.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn find_text_ends_in_words(vector: &[u8; VECTOR]) -> u16 {
    let mut found = 0;
    let (words, _) = vector.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The highest bit of a byte is 1 now where the lower seven are at least a blank's.
        let above_controls = ((word & (EACH * 0x7f)) + EACH * 0x60) | word;
        let ends = (!above_controls >> 7 & EACH) | equal(word, b'"') | equal(word, b'\\');
        found |= (gather(ends) as u16) << (index * 8);
    }
    found
}

#[cfg(any(test, not(target_arch = "x86_64")))]
const EACH: u64 = 0x0101_0101_0101_0101;

/// 1 in each byte of the word that is the needle, 0 in the others.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn equal(word: u64, needle: u8) -> u64 {
    // A byte that is the needle is 0 now; only then does its highest bit survive the next line.
    let differing = word ^ EACH.wrapping_mul(u64::from(needle));
    let low_bits = EACH * 0x7f;
    let not_equal = ((differing & low_bits) + low_bits) | differing | low_bits;
    !not_equal >> 7
}

/// The lowest bits of the eight bytes side by side.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn gather(bits: u64) -> u64 {
    bits.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn needles_are_found_in_vectors_and_in_words(bytes: [u8; 32], needle: u8) {
            let mut block = [needle; BLOCK];
            block[16..48].copy_from_slice(&bytes);
            let by_byte = |needle| (0..BLOCK).fold(0, |bits, index| bits | u64::from(block[index] == needle) << index);
            let expected = [by_byte(needle), by_byte(b',')];
            prop_assert_eq!(find(&block, [needle, b',']), expected);
            prop_assert_eq!(find_in_words(&block, [needle, b',']), expected);
        }

        #[test]
        fn text_ends_are_found_in_vectors_and_in_words(bytes: [u8; VECTOR]) {
            let ends = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
            let expected = (0..VECTOR).fold(0, |bits, index| bits | u16::from(ends(bytes[index])) << index);
            prop_assert_eq!(find_text_ends(&bytes), expected);
            prop_assert_eq!(find_text_ends_in_words(&bytes), expected);
        }
    }
}
