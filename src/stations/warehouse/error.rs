//! What can go wrong in a warehouse, and what a caller does about it.

use thiserror::Error;

use crate::names::{BlobName, FeedName};
use crate::stations::Disposition;

/// Where an error came from.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Error)]
pub enum WarehouseError {
    #[error("warehouse has no schema for feed `{feed}` as pipeline.toml declares it: run `millrace migrate`")]
    NotMigrated { feed: FeedName },
    #[error("warehouse has schema version {found}, this program knows up to {known}: deploy the newer version")]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "feed `{feed}` was counted by generation {committed}, newer than this handler's {ours}: deploy the newer version"
    )]
    OlderGeneration { feed: FeedName, committed: i64, ours: i64 },
    #[error("table `{table}`: {reason}")]
    Data { table: String, reason: String },
    #[error("asking for the landed version of `{blob}` failed")]
    LandedVersion { blob: BlobName, source: Source },
    #[error("warehouse: {operation} failed")]
    Database { operation: &'static str, source: Source },
}

impl WarehouseError {
    pub fn disposition(&self) -> Disposition {
        match self {
            WarehouseError::Data { .. } => Disposition::Reject,
            WarehouseError::NotMigrated { .. }
            | WarehouseError::NewerSchema { .. }
            | WarehouseError::OlderGeneration { .. }
            | WarehouseError::LandedVersion { .. }
            | WarehouseError::Database { .. } => Disposition::Retry,
        }
    }
}
