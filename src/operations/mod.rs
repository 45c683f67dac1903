//! What people do by hand with files that have landed: take their counts back, erase them, let them count again, hold the
//! tables against their parts, ask where a file is, land events that were bad, and try the ends. Each takes its stations as
//! arguments, as the functions do, and says what it did in types; words for a terminal are the command line's.

pub mod blob_glob;
pub mod connect;
pub mod erasure;
pub mod landing_check;
pub mod met;
pub mod replay_quarantine;
pub mod retract;
pub mod side_by_side;
pub mod stream_start;
pub mod whereabouts;

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::names::BlobName;
use crate::records::pulled::PulledError;
use crate::stations::containers::ContainerError;
use crate::stations::share::ShareError;
use crate::stations::warehouse::WarehouseError;

#[derive(Debug, Error)]
pub enum OperationError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Pulled(#[from] PulledError),
    #[error(transparent)]
    Share(#[from] ShareError),
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    #[error("`{blob}` is counted anew again and again while it is retracted: stop its sender, then run this again")]
    Moving { blob: BlobName },
}
