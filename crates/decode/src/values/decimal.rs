//! Decimals: exact, in 128 bits.

use super::Misfit;
use crate::contract::DecimalType;

/// 10^0 to 10^38; all of them fit.
pub(crate) const POWERS_OF_TEN: [i128; 39] = {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < 39 {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

const TOO_MANY_DIGITS: Misfit = Misfit::Limits("more digits than the type has");
const TOO_FINE: Misfit = Misfit::Limits("more digits behind the point than the type has");

/// A sign or none, digits with at most one `separator` among them, and perhaps an exponent (`1.5E+3`, as some systems
/// print decimals). Zeros beyond the type's scale are fine, other digits are not: nothing is rounded.
///
/// Returns the value in units of 10^-scale.
pub(crate) fn parse_decimal(text: &[u8], decimal: DecimalType, separator: u8) -> Result<i128, Misfit> {
    let (negative, text) = super::number::split_sign(text);
    let exponent_at = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = match exponent_at {
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let mut digits = Digits::default();
    let mut fraction_digits = 0;
    let mut seen_separator = false;
    let mut digit_count = 0;
    for &byte in mantissa {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            digits.push(digit)?;
            digit_count += 1;
            fraction_digits += i32::from(seen_separator);
        } else if byte == separator && !seen_separator {
            seen_separator = true;
        } else {
            return Err(Misfit::Form);
        }
    }
    if digit_count == 0 {
        return Err(Misfit::Form);
    }
    let shift = i32::from(decimal.scale) - fraction_digits + exponent;
    let value = digits.shifted(shift)?;
    let value = if negative { -value } else { value };
    if fits(value, decimal) { Ok(value) } else { Err(TOO_MANY_DIGITS) }
}

/// Whether the type has as many digits.
pub(crate) fn fits(value: i128, decimal: DecimalType) -> bool {
    value.unsigned_abs() < POWERS_OF_TEN[usize::from(decimal.precision)].unsigned_abs()
}

/// A value in units of 10^-`from_scale` in units of the type, if it is one of its values.
pub(crate) fn rescale(value: i128, from_scale: i32, decimal: DecimalType) -> Result<i128, Misfit> {
    let mut digits = Digits { value: value.unsigned_abs(), trailing_zeros: 0 };
    digits.strip();
    let shifted = digits.shifted(i32::from(decimal.scale) - from_scale)?;
    let value = if value < 0 { -shifted } else { shifted };
    if fits(value, decimal) { Ok(value) } else { Err(TOO_MANY_DIGITS) }
}

fn parse_exponent(text: &[u8]) -> Result<i32, Misfit> {
    let (negative, digits) = super::number::split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Misfit::Form);
    }
    // Beyond any decimal, and far from the ends of the integers it is added to.
    let exponent = digits.iter().fold(0, |sum: i32, digit| (sum * 10 + i32::from(digit - b'0')).min(100_000));
    Ok(if negative { -exponent } else { exponent })
}

/// Digits without the zeros at their end, which are counted.
#[derive(Default)]
struct Digits {
    value: u128,
    trailing_zeros: i32,
}

impl Digits {
    fn push(&mut self, digit: u8) -> Result<(), Misfit> {
        if digit == 0 {
            self.trailing_zeros = self.trailing_zeros.saturating_add(i32::from(self.value != 0));
            return Ok(());
        }
        let power = usize::try_from(self.trailing_zeros + 1).unwrap_or(usize::MAX);
        let power = POWERS_OF_TEN.get(power).ok_or(TOO_MANY_DIGITS)?.unsigned_abs();
        let value = self.value.checked_mul(power).and_then(|value| value.checked_add(u128::from(digit)));
        self.value = value.filter(|value| *value < 1 << 127).ok_or(TOO_MANY_DIGITS)?;
        self.trailing_zeros = 0;
        Ok(())
    }

    fn strip(&mut self) {
        while self.value != 0 && self.value.is_multiple_of(10) {
            self.value /= 10;
            self.trailing_zeros += 1;
        }
    }

    /// The digits times 10^`shift`, which must be whole.
    fn shifted(&self, shift: i32) -> Result<i128, Misfit> {
        if self.value == 0 {
            return Ok(0);
        }
        let shift = self.trailing_zeros.saturating_add(shift);
        let power = usize::try_from(shift).map_err(|_| TOO_FINE)?;
        let power = POWERS_OF_TEN.get(power).ok_or(TOO_MANY_DIGITS)?.unsigned_abs();
        let value = self.value.checked_mul(power).ok_or(TOO_MANY_DIGITS)?;
        i128::try_from(value).map_err(|_| TOO_MANY_DIGITS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str, precision: u8, scale: u8) -> Result<i128, Misfit> {
        parse_decimal(text.as_bytes(), DecimalType::new(precision, scale).unwrap(), b'.')
    }

    #[test]
    fn a_decimal_counts_units_of_its_scale() {
        for (text, units) in [
            ("12.5", 1250),
            ("-0.01", -1),
            ("+7", 700),
            (".5", 50),
            ("5.", 500),
            ("0012.500000", 1250),
            ("1.25E1", 1250),
            ("1E+2", 10_000),
            ("12500e-3", 1250),
            ("0e99999999999", 0),
            ("-0", 0),
        ] {
            assert_eq!(parse(text, 18, 2), Ok(units), "{text}");
        }
        let most = "9".repeat(38);
        assert_eq!(parse(&most, 38, 0), Ok(POWERS_OF_TEN[38] - 1));
        assert_eq!(parse(&format!("0.{most}"), 38, 38), Ok(POWERS_OF_TEN[38] - 1));
    }

    #[test]
    fn nothing_is_rounded_and_nothing_wraps() {
        assert_eq!(parse("0.005", 18, 2), Err(TOO_FINE));
        assert_eq!(parse("1e-3", 18, 2), Err(TOO_FINE));
        assert_eq!(parse("100", 4, 2), Err(TOO_MANY_DIGITS));
        assert_eq!(parse("99.99", 4, 2), Ok(9999));
        assert_eq!(parse("1e99999", 38, 0), Err(TOO_MANY_DIGITS));
        for digits in [39, 40, 77, 1000] {
            assert_eq!(parse(&"9".repeat(digits), 38, 0), Err(TOO_MANY_DIGITS));
            assert_eq!(parse(&format!("1{}", "0".repeat(digits)), 38, 0), Err(TOO_MANY_DIGITS));
        }
        for text in ["", "-", ".", "1,5", "1.2.3", "1e", "e5", "0x1", "1_0", "NaN", " 1"] {
            assert_eq!(parse(text, 18, 2), Err(Misfit::Form), "{text}");
        }
    }

    #[test]
    fn the_separator_may_be_a_comma() {
        let decimal = DecimalType::new(18, 2).unwrap();
        assert_eq!(parse_decimal(b"12,5", decimal, b','), Ok(1250));
        assert_eq!(parse_decimal(b"12.5", decimal, b','), Err(Misfit::Form));
    }

    #[test]
    fn a_scale_is_changed_without_loss_or_not_at_all() {
        let decimal = DecimalType::new(6, 2).unwrap();
        assert_eq!(rescale(12_500, 3, decimal), Ok(1250));
        assert_eq!(rescale(12, 0, decimal), Ok(1200));
        assert_eq!(rescale(12_505, 3, decimal), Err(TOO_FINE));
        assert_eq!(rescale(10_000, 0, decimal), Err(TOO_MANY_DIGITS));
        assert_eq!(rescale(i128::MIN, 0, decimal), Err(TOO_MANY_DIGITS));
    }

    proptest! {
        #[test]
        fn a_decimal_comes_back(units in -(POWERS_OF_TEN[18] - 1)..POWERS_OF_TEN[18], scale in 0_u8..=18) {
            let one = POWERS_OF_TEN[usize::from(scale)];
            let (whole, fraction) = (units.abs() / one, units.abs() % one);
            let sign = if units < 0 { "-" } else { "" };
            let text = if scale == 0 {
                format!("{sign}{whole}")
            } else {
                format!("{sign}{whole}.{fraction:0width$}", width = usize::from(scale))
            };
            prop_assert_eq!(parse(&text, 18, scale), Ok(units));
        }
    }
}
