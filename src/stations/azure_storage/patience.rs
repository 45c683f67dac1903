//! How often a request is tried, and how long lies in between. Pure.

use std::time::Duration;

const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Whoever is told to come back later than this tells its own caller instead, so that an invocation never sleeps it away.
const LONGEST_WISH: Duration = Duration::from_secs(60);

/// The pause after the try of this number (from one), or `None` where it was the last. `wish` is the service's
/// `Retry-After`; `chance` lies in 0..1 and keeps many clients from coming back together.
pub fn pause_after(try_number: u32, wish: Option<Duration>, chance: f64) -> Option<Duration> {
    if try_number >= TRIES || wish.is_some_and(|wish| wish > LONGEST_WISH) {
        return None;
    }
    let doubled = FIRST_PAUSE.saturating_mul(1 << (try_number - 1)).min(LONGEST_PAUSE);
    let own = doubled.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
    Some(wish.map_or(own, |wish| wish.max(own)))
}

/// `Retry-After` in seconds; the other form, a date, is not used by storage.
pub fn wish_of(retry_after: Option<&str>) -> Option<Duration> {
    retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs)
}

/// Trouble that passes by itself.
pub fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(number: u64) -> Option<Duration> {
        Some(Duration::from_millis(number))
    }

    #[test]
    fn pauses_grow_to_a_bound_and_end() {
        let longest: Vec<_> = (1..=6).map(|number| pause_after(number, None, 1.0)).collect();
        let expected =
            [milliseconds(250), milliseconds(500), milliseconds(1000), milliseconds(2000), milliseconds(4000), None];
        assert_eq!(longest, expected);
        assert_eq!(pause_after(1, None, 0.0), milliseconds(125));
    }

    #[test]
    fn a_wish_of_the_service_is_kept_or_ends_the_tries() {
        assert_eq!(pause_after(1, wish_of(Some("3")), 0.5), milliseconds(3000));
        assert_eq!(pause_after(1, wish_of(Some("0")), 0.0), milliseconds(125));
        assert_eq!(pause_after(1, wish_of(Some("61")), 0.5), None);
        assert_eq!(wish_of(Some("Wed, 21 Oct 2026 07:28:00 GMT")), None);
    }
}
