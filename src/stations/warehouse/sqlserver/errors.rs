//! What went wrong on the way to the database or in it, and what to do about it: the table of error numbers. It knows no
//! work: who did what is in the [`Fault`].

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::stations::warehouse::{Source, WarehouseError};

/// Something that a connection answered, or that there is none.
#[derive(Debug, Error)]
pub enum SqlError {
    #[error("connecting to {host}:{port} failed; {WAY_THERE}")]
    Connect { host: String, port: u16, source: io::Error },
    #[error("{host}:{port} did not answer within {} seconds; {WAY_THERE}", limit.as_secs())]
    ConnectLate { host: String, port: u16, limit: Duration },
    #[error("{host}:{port} sent us on to another server {times} times")]
    Redirects { host: String, port: u16, times: usize },
    #[error("no token for the login")]
    Token { source: Source },
    #[error("{}", words(.0))]
    Tds(tiberius::error::Error),
    #[error("all connections are in use")]
    Busy,
    #[error("the server takes no bulk load")]
    NoBulkLoad,
    #[error("the lock `{resource}` was not to be had: sp_getapplock answered {code}, {}", lock_words(*.code))]
    Lock { resource: String, code: i32 },
    #[error("the database holds {found}, which is not {expected}")]
    NotOurs { found: String, expected: &'static str },
}

/// What the client says of a server without TLS.
const NO_ENCRYPTION: &str = "does not allow the requested encryption level";

const WAY_THERE: &str = "check `Server` in `Warehouse`, the server's networking page and the firewalls on the way (ports 1433, \
                         and 11000 to 11999 within Azure)";

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Close the connection, wait at least so long, and begin again on a new one.
    Reconnect {
        first_pause: Duration,
    },
    /// The same for a server that was not reached.
    ReachAgain,
    /// Begin the transaction again.
    RetryTransaction,
    /// A row was there already: the ledger says whose it is.
    ReadLedger,
    /// A login was refused: a second try, with a token asked for anew, then no more.
    LoginAgain,
    /// The values are at fault, and would be again.
    RefuseData,
    Never,
}

const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The server says itself that it is busy, and for how long one should wait.
const BUSY_PAUSE: Duration = Duration::from_secs(10);

/// By Microsoft's lists of transient errors
/// (<https://learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-errors-issues>) and those of in-memory tables.
pub fn verdict_of_number(number: u32) -> Verdict {
    match number {
        40501 => Verdict::Reconnect { first_pause: BUSY_PAUSE },
        615 | 926 | 4060 | 4221 | 10928 | 10929 | 40143 | 40197 | 40540 | 40613 | 49918 | 49919 | 49920 => {
            Verdict::Reconnect { first_pause: FIRST_PAUSE }
        }
        // Transport errors that the server reports of others.
        20 | 64 | 121 | 233 | 10053 | 10054 | 10060 | 11001 => Verdict::Reconnect { first_pause: FIRST_PAUSE },
        1205 | 1222 | 3960 | 41301 | 41302 | 41305 | 41325 | 41839 => Verdict::RetryTransaction,
        2601 | 2627 => Verdict::ReadLedger,
        18456 => Verdict::LoginAgain,
        245 | 547 | 2628 | 8115 | 8152 => Verdict::RefuseData,
        // 40544 (full), 40549 to 40553 (too long, too large), 40615 (firewall) and all that nobody listed.
        _ => Verdict::Never,
    }
}

impl SqlError {
    pub fn verdict(&self) -> Verdict {
        match self {
            SqlError::Connect { .. } | SqlError::ConnectLate { .. } | SqlError::Token { .. } => Verdict::ReachAgain,
            SqlError::Tds(error) => verdict_of_tds(error),
            // Waited for too long, cancelled, or chosen as the victim of a deadlock.
            SqlError::Lock { code: -3..=-1, .. } => Verdict::RetryTransaction,
            // Then without.
            SqlError::NoBulkLoad => Verdict::RetryTransaction,
            SqlError::Redirects { .. } | SqlError::Busy | SqlError::Lock { .. } | SqlError::NotOurs { .. } => {
                Verdict::Never
            }
        }
    }

    /// The number that the server gave.
    pub fn number(&self) -> Option<u32> {
        match self {
            SqlError::Tds(error) => error.code(),
            _ => None,
        }
    }
}

fn verdict_of_tds(error: &tiberius::error::Error) -> Verdict {
    match error {
        tiberius::error::Error::Server(token) => verdict_of_number(token.code()),
        tiberius::error::Error::Protocol(told) if told.contains(NO_ENCRYPTION) => Verdict::Never,
        // A connection that broke between two tokens is told as a breach of the protocol.
        tiberius::error::Error::Io { .. } | tiberius::error::Error::Protocol(_) => {
            Verdict::Reconnect { first_pause: FIRST_PAUSE }
        }
        _ => Verdict::Never,
    }
}

/// The server's own words and its number, or what the client says.
fn words(error: &tiberius::error::Error) -> String {
    match error {
        tiberius::error::Error::Server(token) => {
            let remedy = remedy_of_number(token.code()).map(|remedy| format!("; {remedy}")).unwrap_or_default();
            format!("{} (error {}){remedy}", token.message(), token.code())
        }
        tiberius::error::Error::Tls(_) => format!(
            "{error}; where the server has a certificate of its own, name its authority: TrustServerCertificateCA=<file> in \
             `Warehouse`"
        ),
        tiberius::error::Error::Protocol(told) if told.contains(NO_ENCRYPTION) => format!(
            "{error}: it offers no TLS, without which no password goes to it; Encrypt=False in `Warehouse` is for a server on this \
             machine alone"
        ),
        other => other.to_string(),
    }
}

/// What a person can do about what the server answered.
fn remedy_of_number(number: u32) -> Option<&'static str> {
    Some(match number {
        18456 => {
            "check user and password in `Warehouse`; an identity needs a user in this very database: CREATE USER, as `millrace \
             migrate --print` ends"
        }
        916 => "the login has no user in this database: CREATE USER there, as `millrace migrate --print` ends",
        911 | 4060 => "check `Database` in `Warehouse`, and that the login has a user in it (CREATE USER)",
        18470 | 18486 => "the login is disabled or locked: have it enabled (ALTER LOGIN)",
        18487 | 18488 => "the password has expired: set a new one, there and in `Warehouse`",
        40532 | 40531 => "check `Server` in `Warehouse`: the user's name may need `@<server>` behind it",
        40615 | 40914 => "let this machine's address or network through on the server's networking page",
        47073 => "the server is reached by its private endpoint only: run this within its network",
        40613 => "a serverless database takes about a minute to wake: try again",
        229 | 230 | 262 | 297 | 300 => {
            "the user lacks a right: `millrace migrate --print` ends with those that the app needs; `migrate` itself needs the \
             rights of an owner"
        }
        _ => return None,
    })
}

fn lock_words(code: i32) -> &'static str {
    match code {
        -1 => "others held it for too long",
        -2 => "the request was cancelled",
        -3 => "it was the victim of a deadlock",
        _ => "which is a fault in the request",
    }
}

/// An error with what it interrupted.
#[derive(Debug)]
pub enum Fault {
    /// What the caller is told as it is.
    Refused(WarehouseError),
    Sql {
        operation: &'static str,
        error: SqlError,
    },
}

impl From<WarehouseError> for Fault {
    fn from(error: WarehouseError) -> Self {
        Fault::Refused(error)
    }
}

impl Fault {
    pub fn verdict(&self) -> Verdict {
        match self {
            Fault::Refused(_) => Verdict::Never,
            Fault::Sql { error, .. } => error.verdict(),
        }
    }

    /// A value that no column takes is the fault of `table`'s rows, and no reason to try again.
    pub fn of_table(self, table: &str) -> Fault {
        match self {
            Fault::Sql { operation, error } if error.verdict() == Verdict::RefuseData => {
                Fault::Refused(WarehouseError::Data {
                    table: table.to_owned(),
                    reason: format!("{operation}: {error}"),
                })
            }
            other => other,
        }
    }
}

impl From<Fault> for WarehouseError {
    fn from(fault: Fault) -> Self {
        match fault.of_table("millrace") {
            Fault::Refused(error) => error,
            Fault::Sql { operation, error } => WarehouseError::Database { operation, source: error.into() },
        }
    }
}

/// Names the operation in which the database failed.
pub fn failed<E: Into<SqlError>>(operation: &'static str) -> impl FnOnce(E) -> Fault {
    move |error| Fault::Sql { operation, error: error.into() }
}

impl From<tiberius::error::Error> for SqlError {
    fn from(error: tiberius::error::Error) -> Self {
        SqlError::Tds(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_number_has_its_remedy() {
        let reconnect = [
            615, 926, 4060, 4221, 40197, 40613, 49918, 49919, 49920, 10928, 10929, 40143, 40540, 20, 64, 121, 233,
            10053, 10054, 10060, 11001,
        ];
        for number in reconnect {
            assert_eq!(verdict_of_number(number), Verdict::Reconnect { first_pause: FIRST_PAUSE }, "{number}");
        }
        assert_eq!(verdict_of_number(40501), Verdict::Reconnect { first_pause: BUSY_PAUSE });
        for number in [1205, 1222, 3960, 41301, 41302, 41305, 41325, 41839] {
            assert_eq!(verdict_of_number(number), Verdict::RetryTransaction, "{number}");
        }
        for number in [2601, 2627] {
            assert_eq!(verdict_of_number(number), Verdict::ReadLedger, "{number}");
        }
        for number in [547, 245, 8115, 8152, 2628] {
            assert_eq!(verdict_of_number(number), Verdict::RefuseData, "{number}");
        }
        for number in [40544, 40549, 40550, 40551, 40552, 40553, 40615, 102, 208] {
            assert_eq!(verdict_of_number(number), Verdict::Never, "{number}");
        }
        assert_eq!(verdict_of_number(18456), Verdict::LoginAgain);
    }

    #[test]
    fn a_connection_that_broke_is_made_anew_and_a_certificate_is_not_tried_again() {
        let broken = io::Error::from(io::ErrorKind::ConnectionReset);
        let reconnect = Verdict::Reconnect { first_pause: FIRST_PAUSE };
        assert_eq!(SqlError::Tds(broken.into()).verdict(), reconnect);
        assert_eq!(SqlError::Tds(tiberius::error::Error::Protocol("never got DONE".into())).verdict(), reconnect);
        assert_eq!(SqlError::Tds(tiberius::error::Error::Tls("unknown issuer".to_owned())).verdict(), Verdict::Never);
        let no_tls = tiberius::error::Error::Protocol(format!("Server {NO_ENCRYPTION}.").into());
        assert_eq!(SqlError::Tds(no_tls).verdict(), Verdict::Never);
    }

    #[test]
    fn a_lock_that_others_held_is_tried_again_and_a_wrong_request_is_not() {
        let lock = |code| SqlError::Lock { resource: "feed:x".to_owned(), code };
        for code in [-1, -2, -3] {
            assert_eq!(lock(code).verdict(), Verdict::RetryTransaction);
        }
        assert_eq!(lock(-999).verdict(), Verdict::Never);
        assert!(lock(-1).to_string().contains("others held it for too long"));
    }
}
