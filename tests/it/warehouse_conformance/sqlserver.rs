//! The SQL Server of these tests: `MILLRACE_TEST_SQLSERVER` holds the connection string of a database that is made for them.
//! Every case empties it, so cases wait for each other.

use millrace::settings::{Settings, WAREHOUSE};
use millrace::stations::warehouse::location::WarehouseLocation;
use millrace::stations::warehouse::sqlserver::SqlServerWarehouse;
use millrace::stations::warehouse::sqlserver::location::{SqlLogin, SqlServerLocation, Transport};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

pub const VARIABLE: &str = "MILLRACE_TEST_SQLSERVER";

static DATABASE: Mutex<()> = Mutex::const_new(());

/// Where the server is. `None`, after words on stderr: there is none.
pub fn location() -> Option<SqlServerLocation> {
    let Ok(text) = std::env::var(VARIABLE) else {
        eprintln!(
            "skipped: no SQL Server to test against. {VARIABLE}='Server=tcp:127.0.0.1,1433;Database=millrace_test;User \
             ID=sa;Password=…;TrustServerCertificate=True' cargo test --release --workspace --test it sqlserver"
        );
        return None;
    };
    let location = Settings::from_values([(WAREHOUSE.to_owned(), text)]).warehouse().unwrap();
    let WarehouseLocation::SqlServer(location) = location else { panic!("{VARIABLE} is no connection string") };
    let database = location.database.as_deref().unwrap_or_default();
    assert!(
        database.contains("test"),
        "every case empties the database of {VARIABLE}: its name must have `test` in it, and `{database}` has not"
    );
    Some(*location)
}

/// The database, for one case alone, without anything in it.
pub async fn empty() -> Option<(MutexGuard<'static, ()>, SqlServerLocation)> {
    let location = location()?;
    let guard = DATABASE.lock().await;
    let mut raw = Raw::connect(&location).await;
    for schema in ["dbo", "millrace"] {
        let tables = format!(
            "SELECT '[{schema}].[' + [t].[name] + ']' FROM sys.tables AS [t] WHERE SCHEMA_NAME([t].[schema_id]) = \
             '{schema}'"
        );
        for table in raw.texts(&tables).await {
            raw.run(&format!("DROP TABLE {table}")).await;
        }
    }
    raw.run("IF SCHEMA_ID('millrace') IS NOT NULL DROP SCHEMA [millrace]").await;
    Some((guard, location))
}

pub async fn empty_for_a_case() -> Option<(MutexGuard<'static, ()>, SqlServerWarehouse)> {
    let (guard, location) = empty().await?;
    Some((guard, SqlServerWarehouse::new(location).unwrap()))
}

/// The database, for a case that only Microsoft's server can pass: others that speak its language and its protocol may hold no
/// U+0000 in a text, or read decimals wrongly from a bulk load.
pub async fn empty_of_microsoft() -> Option<(MutexGuard<'static, ()>, SqlServerLocation)> {
    let (guard, location) = empty().await?;
    let version = Raw::connect(&location).await.texts("SELECT @@VERSION").await.concat();
    if version.starts_with("Microsoft") {
        return Some((guard, location));
    }
    eprintln!("skipped: {VARIABLE} names no SQL Server of Microsoft's, but {}", version.lines().next().unwrap_or("?"));
    None
}

pub async fn empty_for_a_case_of_microsoft() -> Option<(MutexGuard<'static, ()>, SqlServerWarehouse)> {
    let (guard, location) = empty_of_microsoft().await?;
    Some((guard, SqlServerWarehouse::new(location).unwrap()))
}

/// The database in the hands of somebody else.
pub struct Raw(Client<Compat<TcpStream>>);

impl Raw {
    pub async fn connect(location: &SqlServerLocation) -> Self {
        let SqlLogin::Password { user, password } = &location.login else { panic!("the tests take a SQL login") };
        let mut config = Config::new();
        config.host(&location.host);
        config.port(location.port);
        config.database(location.database.as_deref().unwrap());
        config.authentication(AuthMethod::sql_server(user, password.reveal()));
        match location.transport {
            Transport::Plain => config.encryption(EncryptionLevel::NotSupported),
            Transport::TrustingAnyone | Transport::Checked { .. } => config.trust_cert(),
        }
        let socket = TcpStream::connect((location.host.as_str(), location.port)).await.unwrap();
        Raw(Client::connect(config, socket.compat_write()).await.unwrap())
    }

    pub async fn run(&mut self, sql: &str) {
        self.rows(sql).await;
    }

    pub async fn rows(&mut self, sql: &str) -> Vec<Row> {
        self.0.simple_query(sql).await.unwrap().into_first_result().await.unwrap()
    }

    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        self.rows(sql).await.iter().map(|row| row.get::<&str, _>(0).unwrap_or("null").to_owned()).collect()
    }
}
