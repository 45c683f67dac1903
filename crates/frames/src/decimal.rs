//! Decimals as summaries keep them: whole units of 10^-scale, their one text, and their exact sum.

use millrace_decode::contract::DecimalType;

/// 10^38: the first number of units that no decimal holds.
const LIMIT: i128 = 10_i128.pow(DecimalType::MAX_PRECISION as u32);

/// `units` of 10^-`scale` as text with exactly `scale` digits behind the point: `-12.50`. Every value has one text.
pub fn to_text(units: i128, scale: u8) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// The other way round. `None`: a text that [`to_text`] writes for no value of this scale and 38 digits.
pub fn from_text(text: &str, scale: u8) -> Option<i128> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match scale {
        0 => (unsigned, ""),
        _ => unsigned.split_once('.')?,
    };
    let has_other_text = whole.is_empty() || (whole.len() > 1 && whole.starts_with('0'));
    if has_other_text || fraction.len() != usize::from(scale) {
        return None;
    }
    let units = whole.bytes().chain(fraction.bytes()).try_fold(0_i128, |units, byte| {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        units.checked_mul(10)?.checked_add(digit).filter(|units| *units < LIMIT)
    })?;
    match (unsigned.len() < text.len(), units) {
        (true, 0) => None,
        (true, units) => Some(-units),
        (false, units) => Some(units),
    }
}

/// A sum of decimals of one scale. It may pass any limit on its way, so that neither the order nor the grouping of what
/// is added can show; only a total beyond 38 digits is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExactSum {
    /// The sum without what left 128 bits.
    low: i128,
    /// How often 2^128 is missing in it. Each addition counts at most one, so that no number of rows fills it.
    missing: i64,
}

impl ExactSum {
    pub fn add(&mut self, units: i128) {
        let (low, left) = self.low.overflowing_add(units);
        self.low = low;
        self.missing += i64::from(left) * if units < 0 { -1 } else { 1 };
    }

    pub fn add_sum(&mut self, other: ExactSum) {
        self.add(other.low);
        self.missing += other.missing;
    }

    /// In units; `None` beyond 38 digits.
    pub fn total(self) -> Option<i128> {
        (self.missing == 0 && self.low.unsigned_abs() < LIMIT.unsigned_abs()).then_some(self.low)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_decimal_has_one_text() {
        for (units, scale, text) in [
            (1250, 2, "12.50"),
            (-1250, 2, "-12.50"),
            (-5, 2, "-0.05"),
            (0, 2, "0.00"),
            (7, 0, "7"),
            (0, 0, "0"),
            (-1, 38, "-0.00000000000000000000000000000000000001"),
            (LIMIT - 1, 0, "99999999999999999999999999999999999999"),
            (1 - LIMIT, 38, "-0.99999999999999999999999999999999999999"),
        ] {
            assert_eq!(to_text(units, scale), text);
            assert_eq!(from_text(text, scale), Some(units), "{text}");
        }
        for text in
            ["", "-", "12", "12.5", "12.500", "012.50", ".50", "-0.00", "+1.00", "1,00", "1.0x", "--1.00", "1.-1"]
        {
            assert_eq!(from_text(text, 2), None, "{text}");
        }
        assert_eq!(from_text("1.", 0), None);
        assert_eq!(from_text(&LIMIT.to_string(), 0), None);
        assert_eq!(from_text(&"9".repeat(5_000), 0), None);
    }

    #[test]
    fn a_total_of_more_than_38_digits_is_none() {
        let of = |units: &[i128]| {
            let mut sum = ExactSum::default();
            units.iter().for_each(|units| sum.add(*units));
            sum.total()
        };
        assert_eq!(of(&[]), Some(0));
        assert_eq!(of(&[LIMIT - 1]), Some(LIMIT - 1));
        assert_eq!(of(&[LIMIT - 1, 1]), None);
        assert_eq!(of(&[1 - LIMIT, -1]), None);
        assert_eq!(of(&[LIMIT - 1, LIMIT - 1, LIMIT - 1, LIMIT - 1]), None);
    }

    proptest! {
        #[test]
        fn a_decimal_is_read_back_as_it_was_written(units in 1 - LIMIT..LIMIT, scale in 0_u8..=38) {
            prop_assert_eq!(from_text(&to_text(units, scale), scale), Some(units));
        }

        #[test]
        fn no_order_and_no_grouping_shows_in_a_sum(
            units in prop::collection::vec(1 - LIMIT..LIMIT, 0..12),
            cut in any::<prop::sample::Index>(),
            order in any::<prop::sample::Index>(),
        ) {
            let mut whole = ExactSum::default();
            units.iter().for_each(|units| whole.add(*units));
            let mut turned = units.clone();
            turned.rotate_left(order.index(units.len().max(1)).min(units.len()));
            let (left, right) = turned.split_at(cut.index(units.len() + 1));
            let (mut merged, mut rest) = (ExactSum::default(), ExactSum::default());
            left.iter().for_each(|units| merged.add(*units));
            right.iter().for_each(|units| rest.add(*units));
            merged.add_sum(rest);
            prop_assert_eq!(merged, whole);

            // What is added and taken away again leaves nothing, whatever lay between.
            units.iter().for_each(|units| merged.add(-units));
            prop_assert_eq!(merged, ExactSum::default());
        }
    }
}
