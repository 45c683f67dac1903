//! Six stories, one file each. A function takes its stations as arguments and never builds one.

pub mod announce;
pub mod load;
pub mod pull;
pub mod status;
pub mod stream;
pub mod sweep;
