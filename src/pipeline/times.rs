//! Points in time as people write them: `2026-01-31`, `2026-01-31T08:00:00Z`, `2026-01-31 08:00:00+01:00`.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// A date begins at midnight UTC; a time needs its offset. `None` if it is neither.
pub(crate) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let date: NaiveDate = text.parse().ok()?;
    Some(date.and_time(NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_has_an_offset() {
        for (text, expected) in [
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00Z"),
            ("2026-01-31 08:00:00+01:00", "2026-01-31T07:00:00Z"),
        ] {
            assert_eq!(parse_time(text), Some(expected.parse().unwrap()), "{text}");
        }
        for text in ["", "soon", "2026-02-30", "31.01.2026", "2026-01-31T08:00:00", "08:00:00", "2026-01"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
