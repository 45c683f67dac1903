//! Counts, times and names as sentences need them.

use chrono::{DateTime, SecondsFormat, Utc};
use indicatif::HumanCount;

/// `1 file`, `1,234 files`
pub fn counted(count: u64, one: &str, several: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {several}", HumanCount(count)) }
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
    fn a_name_cannot_move_the_cursor() {
        assert_eq!(shown("a\u{1b}[2Jü\n.csv"), "a\\u{1b}[2Jü\\n.csv");
    }
}
