//! Retry policies of function.json: how often an invocation is tried again, and after which pause. The loop that obeys
//! them is the invoker's.

use std::time::Duration;

use serde_json::Value;

use super::definition::parse_span;

#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Tries after the first; `None`: without end (`-1`).
    limit: Option<u32>,
    pauses: Pauses,
}

#[derive(Clone, Debug, PartialEq)]
enum Pauses {
    Fixed(Duration),
    Exponential { minimum: Duration, maximum: Duration },
}

impl RetryPolicy {
    pub(super) fn read(retry: &Value) -> Result<Self, String> {
        let limit = match retry["maxRetryCount"].as_i64() {
            Some(-1) => None,
            Some(count) if (0..=i64::from(u32::MAX)).contains(&count) => Some(count as u32),
            _ => return Err("retry.maxRetryCount must be a whole number, or -1 for no end".to_owned()),
        };
        let span = |member: &str| {
            let text = retry[member].as_str().and_then(parse_span);
            text.ok_or_else(|| format!("retry.{member} must be `hh:mm:ss` above zero"))
        };
        let pauses = match retry["strategy"].as_str() {
            Some("fixedDelay") => Pauses::Fixed(span("delayInterval")?),
            Some("exponentialBackoff") => {
                Pauses::Exponential { minimum: span("minimumInterval")?, maximum: span("maximumInterval")? }
            }
            _ => return Err("retry.strategy must be `fixedDelay` or `exponentialBackoff`".to_owned()),
        };
        Ok(RetryPolicy { limit, pauses })
    }

    /// As `RetryContext.MaxRetryCount` shows it.
    pub fn limit(&self) -> i64 {
        self.limit.map_or(-1, i64::from)
    }

    /// How long to wait before try number `retry` after the first; `None`: give up.
    pub fn pause_before(&self, retry: u32) -> Option<Duration> {
        if self.limit.is_some_and(|limit| retry > limit) {
            return None;
        }
        Some(match self.pauses {
            Pauses::Fixed(pause) => pause,
            Pauses::Exponential { minimum, maximum } => {
                minimum.saturating_mul(1_u32.checked_shl(retry - 1).unwrap_or(u32::MAX)).min(maximum)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pauses_double_up_to_the_maximum_and_end() {
        let policy = RetryPolicy::read(&json!({
            "strategy": "exponentialBackoff", "maxRetryCount": 4,
            "minimumInterval": "00:00:05", "maximumInterval": "00:00:30",
        }))
        .unwrap();
        let pauses: Vec<_> = (1..=5).map(|retry| policy.pause_before(retry).map(|pause| pause.as_secs())).collect();
        assert_eq!(pauses, [Some(5), Some(10), Some(20), Some(30), None]);
        assert_eq!(policy.limit(), 4);
    }

    #[test]
    fn minus_one_has_no_end() {
        let policy =
            RetryPolicy::read(&json!({"strategy": "fixedDelay", "maxRetryCount": -1, "delayInterval": "00:00:02"}))
                .unwrap();
        assert_eq!(policy.pause_before(u32::MAX), Some(Duration::from_secs(2)));
        assert_eq!(policy.limit(), -1);
    }

    #[test]
    fn a_policy_that_says_too_little_is_refused() {
        for retry in [
            json!({}),
            json!({"strategy": "fixedDelay", "maxRetryCount": 3}),
            json!({"strategy": "fixedDelay", "maxRetryCount": -2, "delayInterval": "00:00:02"}),
            json!({"strategy": "never", "maxRetryCount": 3}),
        ] {
            assert!(RetryPolicy::read(&retry).is_err(), "{retry}");
        }
    }
}
