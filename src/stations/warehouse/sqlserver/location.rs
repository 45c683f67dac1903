//! Where an Azure SQL database or SQL Server is, and as whom to go there. It knows no connection string: settings parse it.

use std::path::PathBuf;
use std::time::Duration;

use crate::identity::Principal;
use crate::secret::Secret;

/// SQL Server's port.
pub const DEFAULT_PORT: u16 = 1433;
/// A serverless database takes about a minute to wake, and holds the login meanwhile or refuses it.
pub const SHORTEST_LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two answers of the server. Above it is the function's own time limit.
pub const DEFAULT_COMMAND_TIMEOUT: Duration = Duration::from_secs(300);

/// One database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlServerLocation {
    pub host: String,
    pub port: u16,
    /// `None`: the login's default database.
    pub database: Option<String>,
    pub login: SqlLogin,
    pub transport: Transport,
    pub application_name: String,
    pub login_timeout: Duration,
    /// `None`: without end.
    pub command_timeout: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlLogin {
    Password {
        user: String,
        password: Secret,
    },
    /// A token of Entra ID.
    Entra(Principal),
}

/// What lies between us and the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Encrypted, and the certificate is checked.
    Checked {
        /// The name in the certificate, where it is not the server's.
        host_name: Option<String>,
        /// A file of certificates to trust beside the system's.
        authorities: Option<PathBuf>,
    },
    /// Encrypted with whomever: `TrustServerCertificate=true`.
    TrustingAnyone,
    /// Not encrypted: only within one machine.
    Plain,
}
