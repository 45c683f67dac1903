//! Dates and times by a format of the user's, in the letters of strftime; chrono reads them.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};

use super::Misfit;
use super::calendar::{NO_SUCH_TIME, Timestamp, days_of_calendar};
use crate::contract::ColumnType;

/// A format, taken apart once.
#[derive(Clone, Debug)]
pub(crate) struct Strftime {
    items: Vec<Item<'static>>,
}

/// Why a format cannot read values of a column. In the words of pipeline.toml's reader.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("only dates and timestamps have a format, and this is a {0}")]
    NoFormat(&'static str),
    #[error("`{0}` is no format of strftime")]
    Unknown(String),
    #[error("`{format}` does not say the whole {what}")]
    Incomplete { format: String, what: &'static str },
}

impl Strftime {
    /// # Errors
    /// Letters that strftime does not know, and formats that leave the day, or a timestamp's hour, open: a value is
    /// written by the format and must come back.
    pub fn new(format: &str, column_type: ColumnType) -> Result<Self, FormatError> {
        let items = StrftimeItems::new(format).parse_to_owned();
        let items = items.map_err(|_| FormatError::Unknown(format.to_owned()))?;
        let this = Self { items };
        let incomplete = |what| FormatError::Incomplete { format: format.to_owned(), what };
        let sample = NaiveDate::from_ymd_opt(2013, 11, 27).expect("it is a day");
        match column_type {
            ColumnType::Date => {
                let mut text = String::new();
                let written = std::fmt::Write::write_fmt(
                    &mut text,
                    format_args!("{}", sample.format_with_items(this.items.iter())),
                );
                let came_back = written.is_ok().then(|| this.parse_date(text.as_bytes()));
                if came_back != Some(Ok(days_of_calendar(sample).expect("it is in range"))) {
                    return Err(incomplete("date"));
                }
            }
            ColumnType::Timestamp => {
                let time = NaiveTime::from_hms_opt(22, 0, 0).expect("it is a time");
                let offset = FixedOffset::east_opt(0).expect("it is an offset");
                let moment = DateTime::<FixedOffset>::from_naive_utc_and_offset(sample.and_time(time), offset);
                let mut text = String::new();
                let written = std::fmt::Write::write_fmt(
                    &mut text,
                    format_args!("{}", moment.format_with_items(this.items.iter())),
                );
                let came_back = written.is_ok().then(|| this.parse_timestamp(text.as_bytes()));
                let came_back = came_back.and_then(Result::ok).map(|timestamp| timestamp.local_micros);
                if came_back != Some(moment.timestamp_micros()) {
                    return Err(incomplete("date and hour"));
                }
            }
            other => return Err(FormatError::NoFormat(other.name())),
        }
        Ok(this)
    }

    /// Days since 1970-01-01.
    pub fn parse_date(&self, text: &[u8]) -> Result<i32, Misfit> {
        let date = self.parsed(text)?.to_naive_date().map_err(|_| Misfit::Form)?;
        days_of_calendar(date)
    }

    /// The wall clock of the text, and its offset where the format has one.
    pub fn parse_timestamp(&self, text: &[u8]) -> Result<Timestamp, Misfit> {
        let parsed = self.parsed(text)?;
        let offset_seconds = parsed.offset();
        let local: NaiveDateTime =
            parsed.to_naive_datetime_with_offset(offset_seconds.unwrap_or(0)).map_err(|_| Misfit::Form)?;
        if local.and_utc().timestamp_subsec_nanos() >= 1_000_000_000 {
            return Err(NO_SUCH_TIME);
        }
        days_of_calendar(local.date())?;
        Ok(Timestamp { local_micros: local.and_utc().timestamp_micros(), offset_seconds })
    }

    fn parsed(&self, text: &[u8]) -> Result<Parsed, Misfit> {
        let text = std::str::from_utf8(text).map_err(|_| Misfit::Form)?;
        let mut parsed = Parsed::new();
        match parse(&mut parsed, text, self.items.iter()) {
            Ok(()) => Ok(parsed),
            Err(_) => Err(Misfit::Form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_its_format_says() {
        let german = Strftime::new("%d.%m.%Y", ColumnType::Date).unwrap();
        assert_eq!(german.parse_date(b"01.01.2013"), Ok(15_706));
        assert_eq!(german.parse_date(b"1.1.2013"), Ok(15_706));
        for text in ["2013-01-01", "31.02.2013", "01.01.2013 ", "01.01.13x", ""] {
            assert!(german.parse_date(text.as_bytes()).is_err(), "{text}");
        }
        let american = Strftime::new("%m/%d/%y", ColumnType::Date).unwrap();
        assert_eq!(american.parse_date(b"01/01/13"), Ok(15_706));
        let packed = Strftime::new("%Y%m%d", ColumnType::Date).unwrap();
        assert_eq!(packed.parse_date(b"20130101"), Ok(15_706));
    }

    #[test]
    fn a_timestamp_may_say_its_offset() {
        let plain = Strftime::new("%d.%m.%Y %H:%M", ColumnType::Timestamp).unwrap();
        let written = plain.parse_timestamp(b"01.01.1970 00:01").unwrap();
        assert_eq!(written, Timestamp { local_micros: 60_000_000, offset_seconds: None });
        let with_offset = Strftime::new("%Y-%m-%d %H:%M:%S%.f %z", ColumnType::Timestamp).unwrap();
        let written = with_offset.parse_timestamp(b"1970-01-01 01:00:00.25 +0100").unwrap();
        assert_eq!(written.utc_micros(), Ok(250_000));
        let epoch = Strftime::new("%s", ColumnType::Timestamp).unwrap();
        assert_eq!(epoch.parse_timestamp(b"60").unwrap().utc_micros(), Ok(60_000_000));
    }

    #[test]
    fn a_format_must_say_the_whole_value() {
        let refused = |format, column_type| Strftime::new(format, column_type).unwrap_err().to_string();
        assert_eq!(refused("%d.%m.", ColumnType::Date), "`%d.%m.` does not say the whole date");
        assert_eq!(refused("%d.%m.%Y", ColumnType::Timestamp), "`%d.%m.%Y` does not say the whole date and hour");
        assert_eq!(refused("%Q", ColumnType::Date), "`%Q` is no format of strftime");
        assert!(refused("%d", ColumnType::String).contains("only dates and timestamps"));
    }
}
