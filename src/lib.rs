//! millrace carries partner files from SFTP to Azure SQL, exactly once, as an Azure Functions custom handler.
//!
//! ARCHITECTURE.md draws the map and follows one file through it.

pub mod clock;
pub mod file_ranges;
pub mod identity;
pub mod names;
pub mod secret;

pub mod app;
pub mod cli;
pub mod counting;
pub mod faults;
pub mod functions;
pub mod handler;
pub mod inference;
pub mod operations;
pub mod pipeline;
pub mod records;
pub mod settings;
#[cfg(feature = "dev")]
pub mod standin;
pub mod stations;
pub mod telemetry;
pub mod words;
