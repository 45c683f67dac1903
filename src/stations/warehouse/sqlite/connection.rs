//! One connection at a time, opened when it is first needed, worked on off the async threads.
//!
//! A connection with any error is thrown away, and so is one whose caller went away in the middle of a transaction:
//! closing it rolls back, as SQL Server's locks die with their transaction.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::decimals;
use crate::names::FeedName;
use crate::stations::warehouse::WarehouseError;

/// How long a call waits for a writer in another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at a file that another process is switching to its write-ahead log.
const SWITCH_PAUSE: Duration = Duration::from_millis(10);
const CACHED_STATEMENTS: usize = 64;

/// Where the file is, and the connection that nobody uses now.
#[derive(Debug)]
pub struct Connections {
    path: PathBuf,
    idle: Arc<Mutex<Option<Connection>>>,
}

/// What to do where there is no file.
#[derive(Clone, Debug)]
pub enum Access {
    /// Make it, for `migrate`.
    Create,
    /// Answer that the feed's schema is missing, and leave the disk as it is.
    Existing { feed: FeedName },
    /// Somebody has just seen it.
    There,
}

/// The one connection, for the time of one call.
pub struct Lease {
    path: PathBuf,
    access: Access,
    idle: OwnedMutexGuard<Option<Connection>>,
    connection: Option<Connection>,
}

impl Connections {
    pub fn new(path: PathBuf) -> Self {
        Connections { path, idle: Arc::default() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the connection; touches no file.
    pub async fn lease(&self, access: Access) -> Lease {
        let mut idle = Arc::clone(&self.idle).lock_owned().await;
        let connection = idle.take();
        Lease { path: self.path.clone(), access, idle, connection }
    }

    /// One piece of work on its own.
    pub async fn run<T: Send + 'static>(
        &self,
        access: Access,
        operation: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, WarehouseError> + Send + 'static,
    ) -> Result<T, WarehouseError> {
        let mut lease = self.lease(access).await;
        let found = lease.run(operation, work).await?;
        lease.give_back();
        Ok(found)
    }
}

impl Lease {
    /// Runs `work` on a thread that may block. After an error the connection is gone, and its transaction with it.
    pub async fn run<T: Send + 'static>(
        &mut self,
        operation: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, WarehouseError> + Send + 'static,
    ) -> Result<T, WarehouseError> {
        let open = self.connection.take();
        let (path, access) = (self.path.clone(), self.access.clone());
        let worked = tokio::task::spawn_blocking(move || {
            let mut connection = match open {
                Some(connection) => connection,
                None => open_file(&path, &access)?,
            };
            let found = work(&mut connection)?;
            Ok::<_, WarehouseError>((connection, found))
        });
        let (connection, found) =
            worked.await.map_err(|panic| WarehouseError::Database { operation, source: panic.into() })??;
        self.connection = Some(connection);
        Ok(found)
    }

    /// Keeps the connection for the next call. A lease that is dropped instead closes it.
    pub fn give_back(mut self) {
        *self.idle = self.connection.take().filter(Connection::is_autocommit);
    }
}

/// Names the operation in which SQLite failed.
pub fn failed(operation: &'static str) -> impl FnOnce(rusqlite::Error) -> WarehouseError {
    move |error| WarehouseError::Database { operation, source: error.into() }
}

fn open_file(path: &Path, access: &Access) -> Result<Connection, WarehouseError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match access {
        Access::Existing { feed } if !path.exists() => return Err(WarehouseError::NotMigrated { feed: feed.clone() }),
        Access::Existing { .. } | Access::There => {}
        Access::Create => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| WarehouseError::Database {
                    operation: "creating the folder of the database",
                    source: error.into(),
                })?;
            }
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
    }
    let connection = Connection::open_with_flags(path, flags).map_err(failed("opening the database"))?;
    prepare(&connection, access).map_err(failed("preparing the connection"))?;
    Ok(connection)
}

fn prepare(connection: &Connection, access: &Access) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // A misspelt quoted name is an error, not a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    connection.execute_batch(include_str!("sql/connection.sql"))?;
    decimals::register(connection)?;
    // The file remembers that it has a log: only who creates it switches it.
    if let Access::Create = access {
        switch_to_log(connection)?;
    }
    Ok(())
}

/// SQLite does not wait for other connections when it switches the journal, so we do.
fn switch_to_log(connection: &Connection) -> Result<(), rusqlite::Error> {
    let began = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && began.elapsed() < BUSY_TIMEOUT =>
            {
                thread::sleep(SWITCH_PAUSE);
            }
            switched => return switched,
        }
    }
}
