//! Where the warehouse is, as settings say it.

use std::path::PathBuf;

use super::sqlserver::location::SqlServerLocation;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarehouseLocation {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A database of Azure SQL or SQL Server.
    SqlServer(Box<SqlServerLocation>),
}
