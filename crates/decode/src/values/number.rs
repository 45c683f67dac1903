//! Integers and floats.

use super::Misfit;

/// An optional sign and digits.
#[inline]
pub(crate) fn parse_int64(text: &[u8]) -> Result<i64, Misfit> {
    let (negative, digits) = split_sign(text);
    // Eighteen digits always fit.
    if digits.is_empty() || digits.len() > 18 {
        return parse_long_int64(negative, digits);
    }
    let mut number = 0_i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Misfit::Form);
        }
        number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
    }
    Ok(if negative { -number } else { number })
}

#[cold]
fn parse_long_int64(negative: bool, digits: &[u8]) -> Result<i64, Misfit> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Misfit::Form);
    }
    // Downwards, as there is one negative number more.
    let mut number = 0_i64;
    for &byte in digits {
        let next = number.checked_mul(10).and_then(|number| number.checked_sub(i64::from(byte - b'0')));
        number = next.ok_or(OUT_OF_RANGE)?;
    }
    if negative { Ok(number) } else { number.checked_neg().ok_or(OUT_OF_RANGE) }
}

const OUT_OF_RANGE: Misfit = Misfit::Limits("out of range");

/// The largest power of ten, and the largest integers, that a float64 holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
const EXACT_DIGITS: usize = 15;

/// A finite decimal number, perhaps with a decimal `separator` and an exponent; rounded to the nearest float64.
#[inline]
pub(crate) fn parse_float64(text: &[u8], separator: u8) -> Result<f64, Misfit> {
    let (negative, digits) = split_sign(text);
    let mut mantissa = 0_u64;
    let mut digit_count = 0;
    let mut point = None;
    for (index, &byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            digit_count += 1;
        } else if byte == separator && point.is_none() {
            point = Some(index);
        } else {
            return parse_any_float64(text, separator);
        }
    }
    if digit_count == 0 || digit_count > EXACT_DIGITS {
        return parse_any_float64(text, separator);
    }
    // Both numbers are exact, so that the one division rounds correctly.
    let decimals = point.map_or(0, |point| digits.len() - 1 - point);
    let number = mantissa as f64 / EXACT_POWERS[decimals];
    Ok(if negative { -number } else { number })
}

fn parse_any_float64(text: &[u8], separator: u8) -> Result<f64, Misfit> {
    if separator != b'.' {
        if text.contains(&b'.') {
            return Err(Misfit::Form);
        }
        let pointed: Vec<u8> = text.iter().map(|byte| if *byte == separator { b'.' } else { *byte }).collect();
        return parse_any_float64(&pointed, b'.');
    }
    let (_, digits) = split_sign(text);
    let text = std::str::from_utf8(text).map_err(|_| Misfit::Form)?;
    let number = text.parse::<f64>().map_err(|_| Misfit::Form)?;
    if number.is_finite() {
        return Ok(number);
    }
    match digits.first() {
        Some(b'0'..=b'9' | b'.') => Err(OUT_OF_RANGE),
        _ => Err(Misfit::Limits("not finite")),
    }
}

pub(super) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_int64_is_an_optional_sign_and_digits() {
        assert_eq!(parse_int64(b"0"), Ok(0));
        assert_eq!(parse_int64(b"+0012"), Ok(12));
        assert_eq!(parse_int64(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(parse_int64(b"9223372036854775807"), Ok(i64::MAX));
        assert_eq!(parse_int64(b"0000000000000000000000001"), Ok(1));
        for text in ["", "-", "+-1", "12.0", "1e3", "1 2", "0x1", "1_000", "٣", "1234567890123456789x"] {
            assert_eq!(parse_int64(text.as_bytes()), Err(Misfit::Form), "{text}");
        }
        for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999999"] {
            assert_eq!(parse_int64(text.as_bytes()), Err(OUT_OF_RANGE), "{text}");
        }
    }

    #[test]
    fn a_float64_has_a_point_and_an_exponent_and_is_finite() {
        for (text, number) in [("1", 1.0), ("-.5", -0.5), ("2.", 2.0), ("+1.5e3", 1500.0), ("1E-2", 0.01), ("-0", 0.0)]
        {
            assert_eq!(parse_float64(text.as_bytes(), b'.'), Ok(number), "{text}");
        }
        for text in ["", ".", "-", "1,5", "1.2.3", "e5", "0x10", "1f", " 1", "1_0", "\u{ff11}"] {
            assert_eq!(parse_float64(text.as_bytes(), b'.'), Err(Misfit::Form), "{text}");
        }
        for text in ["nan", "NaN", "inf", "-Infinity"] {
            assert_eq!(parse_float64(text.as_bytes(), b'.'), Err(Misfit::Limits("not finite")), "{text}");
        }
        assert_eq!(parse_float64(b"1e999", b'.'), Err(OUT_OF_RANGE));
    }

    #[test]
    fn a_float64_may_have_a_comma() {
        assert_eq!(parse_float64(b"-1,5", b','), Ok(-1.5));
        assert_eq!(parse_float64(b"12345678901234,5e-1", b','), Ok(1_234_567_890_123.45));
        for text in ["1.5", "1.500,5", "1,5,0", "12345678901234567.5"] {
            assert_eq!(parse_float64(text.as_bytes(), b','), Err(Misfit::Form), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_int64_comes_back(number: i64) {
            prop_assert_eq!(parse_int64(number.to_string().as_bytes()), Ok(number));
        }

        #[test]
        fn a_float64_comes_back(number in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            prop_assert_eq!(parse_float64(number.to_string().as_bytes(), b'.'), Ok(number));
            prop_assert_eq!(parse_float64(format!("{number:e}").as_bytes(), b'.'), Ok(number));
        }

        #[test]
        fn a_short_decimal_is_rounded_as_the_standard_library_does(text in "[+-]?[0-9]{0,12}[.]?[0-9]{0,8}") {
            prop_assert_eq!(parse_float64(text.as_bytes(), b'.').ok(), text.parse::<f64>().ok());
        }
    }
}
