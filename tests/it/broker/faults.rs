//! What a broker does wrong when it is told.

use std::time::Duration;

/// Each fault that counts down strikes as often as it says.
#[derive(Debug, Default)]
pub struct Faults {
    /// Batches that are stored and never acknowledged.
    pub lost_acknowledgements: usize,
    /// Batches that are refused for being too many at once.
    pub busy: usize,
    /// Producers' links that are detached instead of taking a batch.
    pub detached_producers: usize,
    /// Consumers' links that are detached after so many events.
    pub detach_consumer_after: Option<usize>,
    /// Consumers are sent nothing, as often as one attaches.
    pub silent_consumers: usize,
    /// Between two events for a consumer.
    pub slowness: Duration,
    /// Every token is refused.
    pub refuses_tokens: bool,
    /// Offsets as a geo-replicated namespace has them.
    pub is_geo_replicated: bool,
    /// No hub has this consumer group; any other is there.
    pub missing_group: Option<String>,
    /// Requests for properties that are never answered.
    pub unanswered_questions: usize,
}

/// Counts a fault down. Whether it strikes.
pub fn strikes(fault: &mut usize) -> bool {
    let strikes = *fault > 0;
    *fault = fault.saturating_sub(1);
    strikes
}
