//! Where files and facts stand on their way. The data passes the stations in this order.

pub mod azure_storage;
pub mod containers;
pub mod hub;
pub mod sftp;
pub mod share;
pub mod warehouse;

/// What a caller does about an error: every station's error answers this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// A service is away or busy: fail the invocation, the platform delivers again.
    Retry,
    /// Trying again changes nothing: write a dead letter and succeed.
    Reject,
}
