//! At which ages a file that was never loaded is announced again: grace · 2ᵏ, so that a database that is away for a day
//! brings no storm.

use chrono::{DateTime, TimeDelta, Utc};

/// A file is given this long to be announced and loaded in the ordinary way.
const GRACE: TimeDelta = TimeDelta::minutes(10);

/// When the sweep announces a waiting file next, if it is still waiting then.
pub fn next_announcement(landed: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    // After 24 doublings, three centuries have passed.
    landed + GRACE * (1_i32 << step(now - landed).min(24))
}

/// Whether a file reached one of its ages since it was looked at last.
pub fn is_due(landed: DateTime<Utc>, last_look: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    step(now - landed) > last_look.map_or(0, |look| step(look - landed))
}

/// How many of the ages grace · 2ᵏ an age has reached.
fn step(age: TimeDelta) -> u32 {
    match u64::try_from(age.num_seconds() / GRACE.num_seconds()) {
        Ok(graces) => u64::BITS - graces.leading_zeros(),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_due_at_the_grace_and_at_each_doubling_of_it() {
        let landed = DateTime::UNIX_EPOCH;
        let mut due_at = Vec::new();
        for tick in 1..=40 {
            let now = landed + TimeDelta::minutes(5) * tick;
            if is_due(landed, Some(now - TimeDelta::minutes(5)), now) {
                due_at.push(tick * 5);
            }
        }
        assert_eq!(due_at, [10, 20, 40, 80, 160]);
    }

    #[test]
    fn the_next_announcement_is_the_next_doubling() {
        let landed = DateTime::UNIX_EPOCH;
        for (age, next) in [(0, 10), (9, 10), (10, 20), (19, 20), (20, 40), (79, 80), (80, 160)] {
            let now = landed + TimeDelta::minutes(age);
            assert_eq!(next_announcement(landed, now), landed + TimeDelta::minutes(next), "at {age} minutes");
        }
    }

    #[test]
    fn a_look_that_was_long_ago_or_never_makes_a_file_due_once() {
        let landed = DateTime::UNIX_EPOCH;
        let now = landed + TimeDelta::days(3);
        assert!(is_due(landed, Some(landed + TimeDelta::minutes(1)), now));
        assert!(is_due(landed, None, now));
        assert!(!is_due(landed, None, landed + TimeDelta::minutes(9)), "it has its grace");
        assert!(!is_due(landed, Some(now), now));
        assert!(!is_due(now + TimeDelta::minutes(1), None, now), "a clock that is behind makes nothing due");
    }
}
