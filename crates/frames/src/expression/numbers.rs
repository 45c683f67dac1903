//! The numbers that stand in an expression's SQL, as decimals. Polars makes a float of each that has a point; up to
//! fifteen digits the float's shortest text is the number that was written, beyond that the SQL has to say which.

use millrace_decode::contract::DecimalType;

/// Digits that every decimal number keeps on its way through a float64.
const FLOAT_DIGITS: usize = 15;

/// What an expression's SQL writes as numbers.
pub(super) struct Numbers {
    /// The first with a point and more digits than a float keeps.
    too_long: Option<String>,
}

/// A number that was written out: its units of 10^-scale, and the smallest type that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) units: i128,
    pub(super) decimal: DecimalType,
}

impl Numbers {
    pub(super) fn in_sql(sql: &str) -> Numbers {
        Numbers { too_long: first_long_number(sql).map(str::to_owned) }
    }

    /// A float that stood as a number in the SQL. The error is that number, or one beside it that no float keeps.
    pub(super) fn of_float(&self, float: f64) -> Result<Written, String> {
        if let Some(number) = &self.too_long {
            return Err(number.clone());
        }
        let text = float.to_string();
        Written::of_text(&text).filter(|_| significant_digits(&text) <= FLOAT_DIGITS).ok_or(text)
    }
}

impl Written {
    /// `None` beyond 38 digits.
    pub(super) fn of_integer(units: i128) -> Option<Written> {
        Written::of_text(&units.to_string())
    }

    /// A sign or none, and digits with at most one point. `None` for anything else, and beyond 38 digits.
    pub(super) fn of_text(text: &str) -> Option<Written> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let whole = whole.trim_start_matches('0');
        let are_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if !are_digits || unsigned.bytes().all(|byte| byte == b'.') {
            return None;
        }
        let scale = u8::try_from(fraction.len()).ok()?;
        let precision = u8::try_from(whole.len() + fraction.len()).ok()?.max(1);
        let decimal = DecimalType::new(precision, scale)?;
        let units = whole.bytes().chain(fraction.bytes()).fold(0, |units, byte| units * 10 + i128::from(byte - b'0'));
        Some(Written { units: if text.starts_with('-') { -units } else { units }, decimal })
    }

    /// In units of the type, where it holds the number as it was written.
    pub(super) fn units_of(self, decimal: DecimalType) -> Option<i128> {
        let units = if decimal.scale >= self.decimal.scale {
            self.units.checked_mul(10_i128.pow(u32::from(decimal.scale - self.decimal.scale)))?
        } else {
            let power = 10_i128.pow(u32::from(self.decimal.scale - decimal.scale));
            (self.units % power == 0).then_some(self.units / power)?
        };
        (units.unsigned_abs() < 10_u128.pow(u32::from(decimal.precision))).then_some(units)
    }
}

fn significant_digits(number: &str) -> usize {
    number.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count()
}

/// Outside of quotes, where names and strings stand.
fn first_long_number(sql: &str) -> Option<&str> {
    let mut quote = None;
    let is_between_numbers = |c: char| match quote {
        Some(open) => {
            quote = quote.filter(|_| c != open);
            true
        }
        None => {
            quote = matches!(c, '\'' | '"' | '`').then_some(c);
            !(c.is_ascii_digit() || c == '.')
        }
    };
    sql.split(is_between_numbers).find(|digits| digits.contains('.') && significant_digits(digits) > FLOAT_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(units: i128, precision: u8, scale: u8) -> Written {
        Written { units, decimal: DecimalType::new(precision, scale).unwrap() }
    }

    #[test]
    fn a_number_has_the_smallest_type_that_holds_it() {
        for (text, expected) in [
            ("10.50", written(1050, 4, 2)),
            ("-0.05", written(-5, 2, 2)),
            ("+007", written(7, 1, 0)),
            ("0", written(0, 1, 0)),
            (".5", written(5, 1, 1)),
            ("5.", written(5, 1, 0)),
        ] {
            assert_eq!(Written::of_text(text), Some(expected), "{text}");
        }
        for text in ["", "-", ".", "1e3", "1.2.3", "1_000", " 1", &"9".repeat(39), &"9".repeat(300)] {
            assert_eq!(Written::of_text(text), None, "{text}");
        }
        assert!(Written::of_text(&"9".repeat(38)).is_some());
    }

    #[test]
    fn a_number_is_never_rounded_into_a_type() {
        let decimal = |precision, scale| DecimalType::new(precision, scale).unwrap();
        assert_eq!(written(105, 3, 1).units_of(decimal(18, 2)), Some(1050));
        assert_eq!(written(1050, 4, 2).units_of(decimal(18, 1)), Some(105));
        assert_eq!(written(1055, 4, 2).units_of(decimal(18, 1)), None);
        assert_eq!(written(100, 3, 0).units_of(decimal(4, 2)), None);
        assert_eq!(written(1, 1, 0).units_of(decimal(38, 38)), None);
    }

    #[test]
    fn a_float_of_up_to_fifteen_digits_is_the_number_that_was_written() {
        for text in ["10.5", "0.1", "1.15", "999999999999.999", "0.000000000000000000000000000001", "-123456789.012345"]
        {
            let found = Numbers::in_sql(text).of_float(text.parse().unwrap());
            assert_eq!(found.ok(), Written::of_text(text), "{text}");
        }
        for text in ["0.1000000000000000000001", "1234567890123456.7", "a > 1.5 AND b > 12345678901234567.25"] {
            assert!(Numbers::in_sql(text).of_float(1.5).is_err(), "{text}");
        }
        assert!(Numbers::in_sql("1.5").of_float(1.0 / 3.0).is_err());
        assert!(Numbers::in_sql("1.5").of_float(1e300).is_err());
    }

    #[test]
    fn digits_in_names_strings_and_whole_numbers_are_not_counted() {
        for sql in [
            "'1234567890.1234567890'",
            "\"1234567890.1234567890\"",
            "column_1234567890.x1234567890 > 1",
            "f.x12345678901234567890 > 1",
            "12345678901234567890",
            "1.5 + 1234567890 + 1.234567890",
        ] {
            assert_eq!(first_long_number(sql), None, "{sql}");
        }
        assert_eq!(first_long_number("x>.12345678901234567"), Some(".12345678901234567"));
        assert_eq!(first_long_number("'it''s' || 1234567890.1234567890)"), Some("1234567890.1234567890"));
    }
}
