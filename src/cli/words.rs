//! Counts, times and names as sentences need them.

pub use crate::words::{counted, moment, shown};
