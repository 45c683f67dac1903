//! What one invocation of a function may take.

use std::time::Duration;

use super::body::BodyLimits;

/// Limits of one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub body: BodyLimits,
    /// Invocations at a time; more wait their turn, as the host's answer to a refusal would be a failure.
    pub concurrency: usize,
    /// From the arrival of the request. It must end before the host's `functionTimeout`, which kills the process and every
    /// other invocation with it.
    pub deadline: Duration,
}

/// 1 MiB: what an envelope of a timer, a blob's address or an HTTP request has no reason to pass.
pub const SMALL_BODY: BodyLimits = BodyLimits { string_bytes: None, kept_bytes: 1 << 20, read_bytes: 1 << 20 };

/// A blob's content that should not have come is read past: up to 8 GiB of base64 are read, 1 MiB is kept.
pub const ADDRESS_BODY: BodyLimits =
    BodyLimits { string_bytes: Some(64 << 10), kept_bytes: 1 << 20, read_bytes: 8 << 30 };

/// A batch of 100 messages of 64 KiB in base64, with their metadata, is below 16 MiB.
pub const BATCH_BODY: BodyLimits = BodyLimits { string_bytes: None, kept_bytes: 32 << 20, read_bytes: 32 << 20 };

/// 100 events, `maxEventBatchSize` of host.json, of 1 MiB each, the most that Event Hubs takes, are 134 MiB in base64. A
/// batch that is refused would come again for ever.
pub const STREAM_BODY: BodyLimits = BodyLimits { string_bytes: None, kept_bytes: 160 << 20, read_bytes: 160 << 20 };
