//! Counts, times and names as sentences need them.

use chrono::{DateTime, SecondsFormat, Utc};
use indicatif::{HumanBytes, HumanCount};

/// `1 file`, `1,234 files`
pub fn counted(count: u64, one: &str, several: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {several}", HumanCount(count)) }
}

/// `1,234`
pub fn number(count: u64) -> String {
    HumanCount(count).to_string()
}

/// `1.21 GiB`
pub fn size(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// `4 min ago`, `just now`
pub fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - time).num_seconds() {
        ..60 => "just now".to_owned(),
        seconds @ 60..7_200 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

/// `2026-01-31T08:00:00Z`
pub fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A name on one line, whatever is in it.
pub fn shown(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_control() { text.extend(character.escape_default()) } else { text.push(character) }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_agrees_with_its_noun() {
        assert_eq!(counted(0, "copy", "copies"), "0 copies");
        assert_eq!(counted(1, "copy", "copies"), "1 copy");
        assert_eq!(counted(1_234, "copy", "copies"), "1,234 copies");
    }

    #[test]
    fn an_age_is_told_in_the_unit_that_says_most() {
        let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(30);
        let told = |seconds: i64| ago(now - chrono::TimeDelta::seconds(seconds), now);
        for (seconds, words) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "1 min ago"),
            (7_199, "119 min ago"),
            (7_200, "2 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(told(seconds), words);
        }
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        assert_eq!(shown("a\u{1b}[2Jü\n.csv"), "a\\u{1b}[2Jü\\n.csv");
    }
}
