//! One stored value to one of the contract's, or to the words that say what it is.

use crate::columns::StringView;
use crate::contract::DecimalType;
use crate::json::{head, push_decimal, push_string};
use crate::values::decimal::{POWERS_OF_TEN, fits, rescale};
use crate::values::{Misfit, calendar, check_json, trim};

/// Why a stored value is none.
pub(super) enum Fault {
    Misfit(Misfit),
    NotUtf8,
}

impl From<Misfit> for Fault {
    fn from(misfit: Misfit) -> Self {
        Fault::Misfit(misfit)
    }
}

pub(super) const NOT_FINITE: Misfit = Misfit::Limits("not finite");
pub(super) const OUT_OF_RANGE: Misfit = Misfit::Limits("out of range");
const TOO_MANY_DIGITS: Misfit = Misfit::Limits("more digits than the type has");
const JULIAN_DAY_OF_1970: i64 = 2_440_588;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Bytes of a text that a bad row shows; longer ones are not what somebody would mend by hand, and a dictionary holds
/// one for very many rows.
pub(super) const LONGEST_SHOWN: usize = 64 << 10;

/// A stored value in words.
pub(super) struct Shown {
    pub text: Vec<u8>,
    /// As JSON.
    pub raw: String,
}

/// Reads texts as values of another type.
pub(super) fn parsed<T>(
    nulls: &[Vec<u8>],
    parse: impl Fn(&[u8]) -> Result<T, Misfit>,
) -> impl FnMut(&[u8]) -> Result<Option<T>, Fault> {
    move |text| if is_null(text, nulls) { Ok(None) } else { Ok(Some(parse(trim(text))?)) }
}

fn is_null(text: &[u8], nulls: &[Vec<u8>]) -> bool {
    nulls.iter().any(|null| null == text)
}

/// The view of a text, which is appended to `unescaped` if it is long; `None` where it means null.
#[inline]
pub(super) fn view_of(
    text: &[u8],
    nulls: &[Vec<u8>],
    is_json: bool,
    unescaped: &mut Vec<u8>,
) -> Result<Option<StringView>, Fault> {
    if is_null(text, nulls) {
        return Ok(None);
    }
    if simdutf8::basic::from_utf8(text).is_err() {
        return Err(Fault::NotUtf8);
    }
    if is_json {
        check_json(text)?;
    }
    if text.len() <= StringView::INLINE_BYTES {
        return Ok(Some(StringView::new(text, 0, text.len(), 0)));
    }
    let start = unescaped.len();
    unescaped.extend_from_slice(text);
    Ok(Some(StringView::new(unescaped, start, unescaped.len(), 1)))
}

/// A value in units of 10^-`scale` in units of the type.
pub(super) fn to_decimal(value: i128, scale: i32, decimal: DecimalType) -> Result<i128, Misfit> {
    // By far the most frequent, and no division.
    let power = usize::try_from(i32::from(decimal.scale) - scale).ok().and_then(|power| POWERS_OF_TEN.get(power));
    let Some(power) = power else {
        return rescale(value, scale, decimal);
    };
    let scaled = value.checked_mul(*power).ok_or(TOO_MANY_DIGITS)?;
    if fits(scaled, decimal) { Ok(scaled) } else { Err(TOO_MANY_DIGITS) }
}

/// A whole number in two's complement. Bytes that only repeat the sign may stand before it.
pub(super) fn big_endian(bytes: &[u8]) -> Result<i128, Misfit> {
    let sign = match bytes.first() {
        None => return Err(Misfit::Form),
        Some(first) if first & 0x80 != 0 => u8::MAX,
        Some(_) => 0,
    };
    let (ahead, low) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut sixteen = [sign; 16];
    sixteen[16 - low.len()..].copy_from_slice(low);
    let fits = ahead.iter().all(|byte| *byte == sign) && (sixteen[0] & 0x80 != 0) == (sign != 0);
    if fits { Ok(i128::from_be_bytes(sixteen)) } else { Err(TOO_MANY_DIGITS) }
}

/// Nanoseconds of the day, and the Julian day, in little endian.
pub(super) fn int96_micros(twelve: &[u8]) -> Result<i64, Misfit> {
    let (Some(nanos), Some(day)) = (twelve.first_chunk::<8>(), twelve.last_chunk::<4>()) else {
        return Err(Misfit::Form);
    };
    let days = i64::from(u32::from_le_bytes(*day)) - JULIAN_DAY_OF_1970;
    let micros = i64::from_le_bytes(*nanos).div_euclid(1000);
    let micros = days.checked_mul(MICROS_PER_DAY).and_then(|midnight| midnight.checked_add(micros));
    calendar::micros_of_calendar(micros.ok_or(OUT_OF_RANGE)?)
}

pub(super) fn show_int(int: impl std::fmt::Display) -> Shown {
    let raw = int.to_string();
    Shown { text: raw.clone().into_bytes(), raw }
}

pub(super) fn show_number(int: i64, unit: &str) -> Shown {
    Shown { text: format!("{int} {unit}").into_bytes(), raw: int.to_string() }
}

pub(super) fn show_decimal(value: i128, scale: i32) -> Shown {
    let raw = match usize::try_from(scale) {
        Ok(scale) if scale < POWERS_OF_TEN.len() => {
            let mut raw = String::new();
            push_decimal(&mut raw, value, scale);
            raw
        }
        _ => format!("{value}e{}", -i64::from(scale)),
    };
    Shown { text: raw.clone().into_bytes(), raw }
}

pub(super) fn show_text(text: &[u8]) -> Shown {
    let kept = head(text, LONGEST_SHOWN);
    let mut whole = String::with_capacity(kept.len());
    for part in kept.utf8_chunks() {
        whole.push_str(part.valid());
        whole.extend(part.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    if kept.len() < text.len() {
        whole.push('…');
    }
    let mut raw = String::with_capacity(whole.len() + 2);
    push_string(&mut raw, &whole);
    Shown { text: kept.to_vec(), raw }
}

pub(super) fn show_bytes(bytes: &[u8]) -> Shown {
    let kept = &bytes[..bytes.len().min(LONGEST_SHOWN)];
    let mut hex: String = kept.iter().map(|byte| format!("{byte:02x}")).collect();
    if kept.len() < bytes.len() {
        hex.push('…');
    }
    Shown { text: format!("0x{hex}").into_bytes(), raw: format!("\"0x{hex}\"") }
}
