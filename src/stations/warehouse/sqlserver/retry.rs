//! How often and after which pauses something is tried again, by what the error says.

use std::time::Duration;

use super::errors::{Fault, Verdict};
use crate::stations::warehouse::WarehouseError;

/// The pauses between tries; as many tries as there are pauses, and one.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// A serverless database takes about a minute to wake.
    pub reconnect: Vec<Duration>,
    /// Where there is no way to the server, or no token.
    pub reach: Vec<Duration>,
    pub transaction: Vec<Duration>,
    /// Shorter pauses than the server asks for are not taken, but in tests.
    pub heeds_first_pause: Heed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heed {
    AsTold,
    Not,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let reconnect = [5, 10, 20, 40, 60].map(Duration::from_secs).to_vec();
        RetryPolicy {
            reach: reconnect.clone(),
            reconnect,
            transaction: [50, 200, 500, 1_000, 2_000].map(Duration::from_millis).to_vec(),
            heeds_first_pause: Heed::AsTold,
        }
    }
}

impl RetryPolicy {
    /// Somebody waits for the answer: what a server says of itself is waited for, and one that says nothing is not.
    pub fn for_a_trial() -> Self {
        let reconnect = [5, 10, 20, 40].map(Duration::from_secs).to_vec();
        RetryPolicy { reconnect, reach: Vec::new(), ..RetryPolicy::default() }
    }

    /// Without a pause, for tests.
    pub fn immediate(times: usize) -> Self {
        let pauses = vec![Duration::ZERO; times];
        let (reconnect, reach) = (pauses.clone(), pauses.clone());
        RetryPolicy { reconnect, reach, transaction: pauses, heeds_first_pause: Heed::Not }
    }
}

/// The tries of one piece of work.
pub struct Retries<'a> {
    policy: &'a RetryPolicy,
    reconnects: usize,
    reaches: usize,
    transactions: usize,
    logins: usize,
}

impl<'a> Retries<'a> {
    pub fn new(policy: &'a RetryPolicy) -> Self {
        Retries { policy, reconnects: 0, reaches: 0, transactions: 0, logins: 0 }
    }

    /// Waits until the next try.
    ///
    /// # Errors
    /// What the fault says to the caller, where there is no next try.
    pub async fn after(&mut self, fault: Fault) -> Result<(), WarehouseError> {
        let Some(pause) = self.pause(fault.verdict()) else { return Err(fault.into()) };
        if let Fault::Sql { operation, error } = &fault {
            tracing::warn!(
                operation,
                error = error as &dyn std::error::Error,
                pause_seconds = pause.as_secs_f64(),
                "the warehouse is tried again"
            );
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }

    fn pause(&mut self, verdict: Verdict) -> Option<Duration> {
        match verdict {
            Verdict::Reconnect { first_pause } => {
                let pause = *self.policy.reconnect.get(self.reconnects)?;
                self.reconnects += 1;
                Some(match self.policy.heeds_first_pause {
                    Heed::AsTold => pause.max(first_pause),
                    Heed::Not => pause,
                })
            }
            Verdict::ReachAgain => {
                self.reaches += 1;
                self.policy.reach.get(self.reaches - 1).copied()
            }
            Verdict::RetryTransaction | Verdict::ReadLedger => {
                let pause = *self.policy.transaction.get(self.transactions)?;
                self.transactions += 1;
                Some(pause)
            }
            Verdict::LoginAgain => {
                self.logins += 1;
                (self.logins == 1).then_some(*self.policy.transaction.first()?)
            }
            Verdict::RefuseData | Verdict::Never => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(policy: &RetryPolicy, verdict: Verdict) -> Vec<u64> {
        let mut retries = Retries::new(policy);
        std::iter::from_fn(|| retries.pause(verdict)).take(99).map(|pause| pause.as_secs()).collect()
    }

    #[test]
    fn a_sleeping_database_gets_more_than_a_minute_in_growing_pauses() {
        let policy = RetryPolicy::default();
        let five = Verdict::Reconnect { first_pause: Duration::from_secs(5) };
        assert_eq!(pauses(&policy, five), [5, 10, 20, 40, 60]);
        let ten = Verdict::Reconnect { first_pause: Duration::from_secs(10) };
        assert_eq!(pauses(&policy, ten), [10, 10, 20, 40, 60]);
    }

    #[test]
    fn a_trial_waits_for_a_sleeping_database_and_not_for_a_server_that_is_not_there() {
        let five = Verdict::Reconnect { first_pause: Duration::from_secs(5) };
        assert_eq!(pauses(&RetryPolicy::for_a_trial(), five), [5, 10, 20, 40]);
        assert_eq!(pauses(&RetryPolicy::for_a_trial(), Verdict::ReachAgain), [] as [u64; 0]);
        assert_eq!(pauses(&RetryPolicy::default(), Verdict::ReachAgain), [5, 10, 20, 40, 60]);
    }

    #[test]
    fn what_would_fail_again_is_not_tried_and_a_login_once() {
        let policy = RetryPolicy::default();
        assert_eq!(pauses(&policy, Verdict::Never), [] as [u64; 0]);
        assert_eq!(pauses(&policy, Verdict::RefuseData), [] as [u64; 0]);
        assert_eq!(pauses(&policy, Verdict::LoginAgain).len(), 1);
        assert_eq!(pauses(&policy, Verdict::RetryTransaction).len(), 5);
    }
}
