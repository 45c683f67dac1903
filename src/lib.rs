//! millrace carries partner files from SFTP to Azure SQL, exactly once, as an Azure Functions custom handler.
//!
//! ARCHITECTURE.md draws the map; the modules stand here in the order in which a file passes them.

pub mod names;
pub mod clock;
pub mod secret;

pub mod settings;
pub mod pipeline;
pub mod stations;
pub mod records;
pub mod counting;
pub mod functions;
pub mod handler;
pub mod app;
#[cfg(feature = "dev")]
pub mod standin;
pub mod cli;
pub mod telemetry;
