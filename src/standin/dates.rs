//! What JSON.NET's reader takes for a time (`DateTimeUtils.TryParseDateTimeIso`), and how it comes out again.

use chrono::{DateTime, NaiveDateTime, Timelike, Utc};
use serde_json::Value;

enum Time {
    /// Without an offset.
    Bare(NaiveDateTime),
    /// Ending in `Z`.
    Utc(DateTime<Utc>),
    /// With an offset, which becomes the host's own: Azure's hosts stand at UTC.
    Moved(DateTime<Utc>),
}

/// Every text in the value that is a time, in the form in which it is written again.
pub(super) fn normalised(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(round_trip(text).unwrap_or_else(|| text.clone())),
        Value::Array(elements) => elements.iter().map(normalised).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), normalised(member))).collect())
        }
        other => other.clone(),
    }
}

/// `DateTime.ToString()` by the invariant culture, if the text is a time.
/// [?] The culture is the host's; Azure's workers are said to run with the invariant one.
pub(super) fn general(text: &str) -> Option<String> {
    let naive = match parse(text)? {
        Time::Bare(time) => time,
        Time::Utc(time) | Time::Moved(time) => time.naive_utc(),
    };
    Some(naive.format("%m/%d/%Y %H:%M:%S").to_string())
}

fn round_trip(text: &str) -> Option<String> {
    Some(match parse(text)? {
        Time::Bare(time) => written(time),
        Time::Utc(time) => format!("{}Z", written(time.naive_utc())),
        Time::Moved(time) => format!("{}+00:00", written(time.naive_utc())),
    })
}

/// With as much of a fraction as there is, of seven digits at most.
fn written(time: NaiveDateTime) -> String {
    let fraction = format!(".{:07}", time.nanosecond() / 100);
    format!("{}{}", time.format("%FT%T"), fraction.trim_end_matches('0').trim_end_matches('.'))
}

fn parse(text: &str) -> Option<Time> {
    let bytes = text.as_bytes();
    if !(19..=40).contains(&bytes.len()) || bytes[10] != b'T' || !bytes[0].is_ascii_digit() {
        return None;
    }
    if let Ok(time) = text.parse::<NaiveDateTime>() {
        return Some(Time::Bare(time));
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    Some(if text.ends_with('Z') { Time::Utc(time) } else { Time::Moved(time) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_what_it_came_with() {
        for (text, expected) in [
            ("2026-08-22T06:00:00", "2026-08-22T06:00:00"),
            ("2026-08-22T06:00:00.50", "2026-08-22T06:00:00.5"),
            ("2026-08-22T06:00:00.000Z", "2026-08-22T06:00:00Z"),
            ("2026-08-22T06:00:00+02:00", "2026-08-22T04:00:00+00:00"),
        ] {
            assert_eq!(round_trip(text).as_deref(), Some(expected), "{text}");
        }
        for text in
            ["2026-08-22", "2026-08-22 06:00:00", "2026-08-22T06:00", "x026-08-22T06:00:00Z", "2026-08-22T06:00:00ZZ"]
        {
            assert_eq!(round_trip(text), None, "{text}");
        }
    }
}
