//! Dates and timestamps in their fixed forms.
//!
//! Neither allocates nor branches on each digit: eight bytes are judged together.

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

use super::Misfit;

/// RFC 3339, with `T` or a blank between date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp {
    /// Microseconds since 1970-01-01 of the clock that wrote it.
    pub local_micros: i64,
    /// How far that clock was ahead of UTC; `None` where the text does not say.
    pub offset_seconds: Option<i32>,
}

/// A wall clock that the zone's clocks skipped.
const SKIPPED_TIME: Misfit = Misfit::Limits("the clocks of the feed's timezone skipped it");
const NO_SUCH_DAY: Misfit = Misfit::Limits("no such day");
pub(super) const NO_SUCH_TIME: Misfit = Misfit::Limits("no such time of day");
const YEAR_OUT_OF_RANGE: Misfit = Misfit::Limits("year out of range");

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;
const FIRST_DAY: i64 = -719_162; // 0001-01-01
const LAST_DAY: i64 = 2_932_896; // 9999-12-31

impl Timestamp {
    /// Microseconds since 1970-01-01 UTC; a text without an offset is taken as UTC.
    #[inline]
    pub fn utc_micros(self) -> Result<i64, Misfit> {
        let Some(offset_seconds) = self.offset_seconds else {
            return Ok(self.local_micros);
        };
        let micros = self.local_micros - i64::from(offset_seconds) * MICROS_PER_SECOND;
        micros_of_calendar(micros)
    }

    /// As [`Timestamp::utc_micros`]; a text without an offset is taken as the wall clock of `zone`. Where clocks were
    /// set back, an hour comes twice: the first is meant.
    #[inline]
    pub fn utc_micros_in(self, zone: Tz) -> Result<i64, Misfit> {
        if self.offset_seconds.is_some() || zone == Tz::UTC {
            return self.utc_micros();
        }
        self.utc_micros_of_wall_clock(zone)
    }

    fn utc_micros_of_wall_clock(self, zone: Tz) -> Result<i64, Misfit> {
        let local = DateTime::from_timestamp_micros(self.local_micros).ok_or(YEAR_OUT_OF_RANGE)?.naive_utc();
        let offset = zone.offset_from_local_datetime(&local).earliest().ok_or(SKIPPED_TIME)?;
        Timestamp { offset_seconds: Some(offset.fix().local_minus_utc()), ..self }.utc_micros()
    }
}

/// Microseconds since 1970-01-01, if they are in the years from 1 to 9999.
pub(crate) fn micros_of_calendar(micros: i64) -> Result<i64, Misfit> {
    let calendar = FIRST_DAY * MICROS_PER_DAY..(LAST_DAY + 1) * MICROS_PER_DAY;
    if calendar.contains(&micros) { Ok(micros) } else { Err(YEAR_OUT_OF_RANGE) }
}

/// Days since 1970-01-01, if they are in the years from 1 to 9999.
pub(crate) fn check_days(days: i32) -> Result<i32, Misfit> {
    let calendar = FIRST_DAY..LAST_DAY + 1;
    if calendar.contains(&i64::from(days)) { Ok(days) } else { Err(YEAR_OUT_OF_RANGE) }
}

/// Days since 1970-01-01.
pub(super) fn days_of_calendar(date: NaiveDate) -> Result<i32, Misfit> {
    const DAYS_BEFORE_1970: i32 = 719_163; // chrono counts from the day before 0001-01-01
    check_days(date.num_days_from_ce() - DAYS_BEFORE_1970)
}

/// `YYYY-MM-DD` as days since 1970-01-01.
#[inline]
pub(crate) fn parse_date(text: &[u8]) -> Result<i32, Misfit> {
    let text: &[u8; 10] = text.try_into().map_err(|_| Misfit::Form)?;
    let (year, month, day) = split_date(text).ok_or(Misfit::Form)?;
    days(year, month, day)
}

/// `YYYY-MM-DDTHH:MM:SS`, a fraction of one to nine digits or none, and `Z`, `+HH:MM`, `-HH:MM` or nothing. What the
/// fraction has below microseconds is cut off. A leap second is no time of day, as no type of ours can tell it apart.
#[inline]
pub(crate) fn parse_timestamp(text: &[u8]) -> Result<Timestamp, Misfit> {
    let (date, rest) = text.split_first_chunk::<10>().ok_or(Misfit::Form)?;
    let [b'T' | b' ' | b't', rest @ ..] = rest else {
        return Err(Misfit::Form);
    };
    let (time, rest) = rest.split_first_chunk::<8>().ok_or(Misfit::Form)?;
    let (year, month, day) = split_date(date).ok_or(Misfit::Form)?;
    let [hour, minute, second] = pairs(*time, b':').ok_or(Misfit::Form)?;
    let (micros, zone) = parse_fraction(rest)?;
    let offset_seconds = parse_offset(zone)?;
    let days = days(year, month, day)?;
    if hour > 23 || minute > 59 || second > 59 {
        return Err(NO_SUCH_TIME);
    }
    let seconds = i64::from(days) * SECONDS_PER_DAY + i64::from(hour * 3600 + minute * 60 + second);
    Ok(Timestamp { local_micros: seconds * MICROS_PER_SECOND + micros, offset_seconds })
}

/// `.` and one to nine digits, or nothing; returns microseconds and what follows.
#[inline]
fn parse_fraction(text: &[u8]) -> Result<(i64, &[u8]), Misfit> {
    let [b'.', rest @ ..] = text else {
        return Ok((0, text));
    };
    let mut micros = 0;
    let mut length = 0;
    while let Some(byte) = rest.get(length)
        && byte.is_ascii_digit()
    {
        micros = micros * 10 + i64::from(byte - b'0');
        length += 1;
        if length > 9 {
            return Err(Misfit::Form);
        }
    }
    const MICROS: [i64; 7] = [0, 100_000, 10_000, 1_000, 100, 10, 1];
    let micros = match length {
        0 => return Err(Misfit::Form),
        1..=6 => micros * MICROS[length],
        7 => micros / 10,
        8 => micros / 100,
        _ => micros / 1000,
    };
    Ok((micros, &rest[length..]))
}

/// `Z`, `+HH:MM`, `-HH:MM` or nothing, as seconds ahead of UTC.
#[inline]
fn parse_offset(text: &[u8]) -> Result<Option<i32>, Misfit> {
    match *text {
        [] => Ok(None),
        [b'Z' | b'z'] => Ok(Some(0)),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let [hours, minutes, _] = pairs([h1, h2, b':', m1, m2, b':', b'0', b'0'], b':').ok_or(Misfit::Form)?;
            if hours > 23 || minutes > 59 {
                return Err(Misfit::Form);
            }
            let seconds = (hours * 3600 + minutes * 60) as i32;
            Ok(Some(if sign == b'-' { -seconds } else { seconds }))
        }
        _ => Err(Misfit::Form),
    }
}

/// Year, month and day of `YYYY-MM-DD`.
#[inline(always)]
fn split_date(text: &[u8; 10]) -> Option<(u32, u32, u32)> {
    let [c1, c2, rest @ ..] = *text;
    let (c1, c2) = (c1.wrapping_sub(b'0'), c2.wrapping_sub(b'0'));
    let [year, month, day] = pairs(rest, b'-')?;
    if c1 > 9 || c2 > 9 {
        return None;
    }
    Some((u32::from(c1) * 1000 + u32::from(c2) * 100 + year, month, day))
}

/// The three numbers of two digits that stand on both sides of two separators: `YY-MM-DD`, `HH:MM:SS`.
#[inline(always)]
fn pairs(text: [u8; 8], separator: u8) -> Option<[u32; 3]> {
    const HIGHEST_BITS: u64 = 0x8080_8080_8080_8080;
    // What lifts a byte that is more than it may be, 9 for a digit and 0 for a separator, to its highest bit.
    const LIMITS: u64 = u64::from_le_bytes([0x76, 0x76, 0x7f, 0x76, 0x76, 0x7f, 0x76, 0x76]);
    let zeros = u64::from_le_bytes([b'0', b'0', separator, b'0', b'0', separator, b'0', b'0']);
    let values = u64::from_le_bytes(text) ^ zeros;
    if (((values & !HIGHEST_BITS) + LIMITS) | values) & HIGHEST_BITS != 0 {
        return None;
    }
    // Each byte is a number now: its digit times ten and the next digit. None is more than 99.
    let numbers = (values * 10) + (values >> 8);
    Some([numbers, numbers >> 24, numbers >> 48].map(|number| u32::from(number as u8)))
}

/// Days before each month of a year that is no leap year; the months count from 1.
const DAYS_BEFORE: [u16; 14] = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/// Days since 1970-01-01, in the calendar of today also before 1582.
#[inline]
fn days(year: u32, month: u32, day: u32) -> Result<i32, Misfit> {
    if year == 0 {
        return Err(YEAR_OUT_OF_RANGE);
    }
    if month == 0 || month > 12 {
        return Err(NO_SUCH_DAY);
    }
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let before = u32::from(DAYS_BEFORE[month as usize]);
    let mut length = u32::from(DAYS_BEFORE[month as usize + 1]) - before;
    length += u32::from(is_leap && month == 2);
    if day == 0 || day > length {
        return Err(NO_SUCH_DAY);
    }
    let past = year - 1;
    let leap_days = past / 4 - past / 100 + past / 400 + u32::from(is_leap && month > 2);
    Ok((past * 365 + leap_days + before + day - 1) as i32 + FIRST_DAY as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Result<i64, Misfit> {
        parse_timestamp(text.as_bytes()).and_then(Timestamp::utc_micros)
    }

    #[test]
    fn every_day_from_year_1_to_9999_follows_the_one_before() {
        let mut expected = FIRST_DAY as i32;
        for year in 1..=9999_u32 {
            let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            for month in 1..=12 {
                let length = [31, 28 + u32::from(is_leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
                for day in 1..=length {
                    assert_eq!(days(year, month, day), Ok(expected), "{year}-{month}-{day}");
                    expected += 1;
                }
                assert_eq!(days(year, month, length + 1), Err(NO_SUCH_DAY));
            }
        }
        assert_eq!(i64::from(expected), LAST_DAY + 1);
    }

    #[test]
    fn a_date_is_days_since_1970() {
        assert_eq!(parse_date(b"1970-01-01"), Ok(0));
        assert_eq!(parse_date(b"2013-01-01"), Ok(15_706));
        assert_eq!(parse_date(b"1969-12-31"), Ok(-1));
        for text in ["", "2013-1-01", "2013/01/01", "20130101", "2013-01-01 ", "2013-01-0x", "2013-01-011"] {
            assert_eq!(parse_date(text.as_bytes()), Err(Misfit::Form), "{text}");
        }
        for text in ["2013-02-29", "2013-13-01", "2013-00-10", "2013-04-31", "1900-02-29", "2013-01-00"] {
            assert_eq!(parse_date(text.as_bytes()), Err(NO_SUCH_DAY), "{text}");
        }
        assert_eq!(parse_date(b"0000-01-01"), Err(YEAR_OUT_OF_RANGE));
    }

    #[test]
    fn a_timestamp_is_microseconds_since_1970_utc() {
        let morning = 15_706 * SECONDS_PER_DAY * MICROS_PER_SECOND + 36_000 * MICROS_PER_SECOND;
        for text in [
            "2013-01-01T10:00:00Z",
            "2013-01-01t10:00:00z",
            "2013-01-01 10:00:00",
            "2013-01-01 12:30:00+02:30",
            "2013-01-01T05:00:00.000-05:00",
            "2013-01-01T10:00:00.000000999Z",
        ] {
            assert_eq!(utc(text), Ok(morning), "{text}");
        }
        assert_eq!(utc("2013-01-01T10:00:00.1234567"), Ok(morning + 123_456));
        assert_eq!(utc("1969-12-31T23:59:59.5Z"), Ok(-500_000));
    }

    #[test]
    fn a_wall_clock_is_that_of_the_zone() {
        let berlin = |text: &str| parse_timestamp(text.as_bytes()).and_then(|t| t.utc_micros_in(Tz::Europe__Berlin));
        assert_eq!(berlin("2013-01-01 13:00:00"), utc("2013-01-01T12:00:00Z"));
        assert_eq!(berlin("2013-07-01 13:00:00"), utc("2013-07-01T11:00:00Z"));
        assert_eq!(berlin("2013-07-01 13:00:00Z"), utc("2013-07-01T13:00:00Z"), "an offset in the text counts");
        assert_eq!(berlin("2013-10-27 02:30:00"), utc("2013-10-27T00:30:00Z"), "the first of the two");
        assert_eq!(berlin("2013-03-31 02:30:00"), Err(SKIPPED_TIME));
    }

    #[test]
    fn what_is_no_rfc_3339_is_no_timestamp() {
        for text in [
            "2013-01-01",
            "2013-01-01T10:00",
            "2013-01-01T10:00:00.",
            "2013-01-01T10:00:00.1234567890",
            "2013-01-01T10:00:00+0200",
            "2013-01-01T10:00:00+24:00",
            "2013-01-01T10:00:00 Z",
            "2013-01-01_10:00:00",
            "2013-01-01T10:00:0xZ",
            "2013-01-01T10:00:00,5Z",
            "",
        ] {
            assert_eq!(utc(text), Err(Misfit::Form), "{text}");
        }
        for text in ["2013-01-01T24:00:00Z", "2013-01-01T23:60:00Z", "2016-12-31T23:59:60Z"] {
            assert_eq!(utc(text), Err(NO_SUCH_TIME), "{text}");
        }
        assert_eq!(utc("2013-02-29T00:00:00Z"), Err(NO_SUCH_DAY));
    }

    #[test]
    fn an_offset_leads_out_of_no_calendar() {
        assert_eq!(utc("0001-01-01T00:00:00+00:01"), Err(YEAR_OUT_OF_RANGE));
        assert_eq!(utc("9999-12-31T23:59:59-00:01"), Err(YEAR_OUT_OF_RANGE));
        assert!(utc("0001-01-01T00:00:00-00:01").is_ok());
    }
}
