//! What is kept in storage beside the data, in container `millrace-state`: it makes work cheap to find and failures easy
//! to explain. The ledger in the warehouse, never a record, decides whether work is done.

pub mod attempts;
pub mod dead_letters;
pub mod landed;
pub mod loaded;
pub mod pulled;
pub mod quarantine;
