//! How the warehouse reaches an SQL Server: logins, certificates, redirects, and what it does about errors. The servers are
//! parts of one: they speak the protocol and hold nothing. What needs a database is in `warehouse_conformance`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use millrace::identity::Principal;
use millrace::names::FeedName;
use millrace::secret::Secret;
use millrace::stations::warehouse::sqlserver::location::{SqlLogin, SqlServerLocation, Transport};
use millrace::stations::warehouse::sqlserver::{Retrying, SqlServerWarehouse, Tokens};
use millrace::stations::warehouse::{Source, Warehouse, WarehouseError};
use mssql_mock_tds::protocol::{
    PacketHeader, PacketType, build_done_token, build_login_ack, build_prelogin_response, build_terminal_error_tokens,
};
use mssql_mock_tds::{
    ColumnDefinition, ColumnValue, ConnectionStore, MockTdsServer, QueryResponse, Row, SqlDataType, TerminalError,
    create_test_identity,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use self::tls::{as_servers_wrap_tls, certificates, read_packet};

mod standing;
mod tls;

/// Part of the statement that every call begins with, and of no other. The servers look for upper-case letters.
const VERSION: &str = "SELECT MAX([";
const RETRIES: usize = 2;

fn location(port: u16) -> SqlServerLocation {
    SqlServerLocation {
        host: "127.0.0.1".to_owned(),
        port,
        database: Some("sales".to_owned()),
        login: SqlLogin::Password { user: "app".to_owned(), password: Secret::new("hidden") },
        transport: Transport::Plain,
        application_name: "millrace".to_owned(),
        login_timeout: Duration::from_secs(30),
        command_timeout: Some(Duration::from_secs(30)),
    }
}

fn warehouse(location: SqlServerLocation) -> SqlServerWarehouse {
    SqlServerWarehouse::with(location, None, Retrying::immediate(RETRIES))
}

/// The error of a call; a server that answers has no schema.
async fn refusal(warehouse: &SqlServerWarehouse) -> WarehouseError {
    warehouse.units(&FeedName::new("flights").unwrap(), None, 1).await.unwrap_err()
}

/// With its causes.
fn words(error: &WarehouseError) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    assert!(!words.contains("hidden"), "{words}");
    words
}

fn is_reached(error: &WarehouseError) -> bool {
    matches!(error, WarehouseError::NotMigrated { .. })
}

struct Running {
    port: u16,
    connections: Arc<tokio::sync::Mutex<ConnectionStore>>,
    registry: Arc<tokio::sync::Mutex<mssql_mock_tds::QueryRegistry>>,
}

impl Running {
    /// Runs a server that answers, to who asks for its version, that it has no schema.
    async fn start(server: MockTdsServer) -> Self {
        let running = Running {
            port: server.local_addr().port(),
            connections: server.connection_store(),
            registry: server.query_registry(),
        };
        running.has_version(0).await;
        tokio::spawn(server.run());
        running
    }

    async fn has_version(&self, version: i64) {
        let columns = vec![ColumnDefinition::new("version", SqlDataType::BigInt)];
        let answer = QueryResponse::new(columns, vec![Row::new(vec![ColumnValue::BigInt(version)])]);
        self.registry.lock().await.register(VERSION, answer);
    }

    async fn plain() -> Self {
        Running::start(MockTdsServer::new("127.0.0.1:0").await.unwrap()).await
    }

    async fn fails_with(&self, number: u32) {
        let error = TerminalError::new(number, 16, "as the test says");
        self.registry.lock().await.register(VERSION, QueryResponse::error_only(error));
    }

    /// How many connections have logged in.
    async fn logins(&self) -> usize {
        self.connections.lock().await.all().values().filter(|connection| connection.authenticated).count()
    }
}

#[tokio::test]
async fn a_password_opens_the_database_and_the_connection_is_kept() {
    let server = Running::plain().await;
    let warehouse = warehouse(location(server.port));
    let error = refusal(&warehouse).await;
    assert!(is_reached(&error), "{}", words(&error));
    server.has_version(1).await;
    for _ in 0..3 {
        assert_eq!(warehouse.units(&FeedName::new("flights").unwrap(), None, 1).await.unwrap(), []);
    }
    assert!(!format!("{warehouse:?}").contains("hidden"));
    let connections = server.connections.lock().await;
    let databases: Vec<_> = connections.all().values().map(|connection| connection.received_database.clone()).collect();
    // The first was closed with the call that was refused.
    assert_eq!(databases, vec![Some("sales".to_owned()); 2]);
}

#[derive(Default)]
struct Numbered(AtomicUsize);

#[async_trait]
impl Tokens for Numbered {
    async fn token(&self) -> Result<Secret, Source> {
        Ok(Secret::new(format!("hidden token {}", self.0.fetch_add(1, Ordering::SeqCst))))
    }
}

#[tokio::test]
async fn each_connection_has_a_token_of_its_own() {
    let server = Running::plain().await;
    let mut location = location(server.port);
    location.login = SqlLogin::Entra(Principal::DeveloperTools);
    let warehouse = SqlServerWarehouse::with(location, Some(Arc::new(Numbered::default())), Retrying::immediate(0));
    for _ in 0..2 {
        assert!(is_reached(&refusal(&warehouse).await));
    }
    let connections = server.connections.lock().await;
    let tokens: Vec<_> = connections.all().values().filter_map(|one| one.received_token_as_string()).collect();
    assert_eq!(tokens, ["hidden token 0", "hidden token 1"]);
}

struct NobodyIsLoggedIn;

#[async_trait]
impl Tokens for NobodyIsLoggedIn {
    async fn token(&self) -> Result<Secret, Source> {
        Err("log in with `az login`".into())
    }
}

#[tokio::test]
async fn without_a_token_the_error_says_what_to_do() {
    let mut location = location(1);
    location.login = SqlLogin::Entra(Principal::DeveloperTools);
    let warehouse = SqlServerWarehouse::with(location, Some(Arc::new(NobodyIsLoggedIn)), Retrying::immediate(0));
    assert!(words(&refusal(&warehouse).await).ends_with("no token for the login: log in with `az login`"));
}

#[tokio::test]
async fn a_certificate_is_checked_unless_settings_trust_anyone() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, identity) = certificates(folder.path());
    let identity = create_test_identity(&identity.certificate, &identity.key).unwrap();
    let server = MockTdsServer::new_with_tls("127.0.0.1:0", Some(identity)).await.unwrap();
    let server = Running::start(server).await;
    let port = as_servers_wrap_tls(server.port).await;
    let through = |transport: Transport| {
        let mut location = location(port);
        location.transport = transport;
        warehouse(location)
    };
    let checked = |host_name: Option<&str>, authorities: Option<&PathBuf>| Transport::Checked {
        host_name: host_name.map(str::to_owned),
        authorities: authorities.cloned(),
    };
    let stranger = words(&refusal(&through(checked(Some("localhost"), None))).await);
    assert!(stranger.contains("certificate"), "{stranger}");
    let other_name = words(&refusal(&through(checked(None, Some(&authority)))).await);
    assert!(other_name.contains("certificate"), "{other_name}");
    assert_eq!(server.logins().await, 0, "nobody logged in");

    let error = refusal(&through(checked(Some("localhost"), Some(&authority)))).await;
    assert!(is_reached(&error), "{}", words(&error));
    let error = refusal(&through(Transport::TrustingAnyone)).await;
    assert!(is_reached(&error), "{}", words(&error));
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_gets_no_password() {
    let server = Running::plain().await;
    let mut location = location(server.port);
    location.transport = Transport::TrustingAnyone;
    let error = refusal(&warehouse(location)).await;
    assert!(!is_reached(&error), "{}", words(&error));
    assert_eq!(server.logins().await, 0, "nobody logged in");
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let end = Running::plain().await;
    let gate = MockTdsServer::new_with_redirection("127.0.0.1:0", "localhost", end.port).await.unwrap();
    let gate = Running::start(gate).await;
    let error = refusal(&warehouse(location(gate.port))).await;
    assert!(is_reached(&error), "{}", words(&error));
    let connections = end.connections.lock().await;
    let names: Vec<_> = connections.all().values().filter_map(|one| one.received_server_name.clone()).collect();
    assert_eq!(names.len(), 1);
    assert!(names[0].starts_with("localhost"), "it is told under which name it was reached: {names:?}");
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let circle = MockTdsServer::new_with_redirection(&format!("127.0.0.1:{port}"), "127.0.0.1", port).await.unwrap();
    let circle = Running::start(circle).await;
    let error = words(&refusal(&warehouse(location(circle.port))).await);
    assert!(error.contains("sent us on to another server 5 times"), "{error}");
}

/// What a statement's error number makes of the connection, and of the call.
#[tokio::test]
async fn an_error_closes_its_connection_and_its_number_decides_about_another_try() {
    let server = Running::plain().await;
    let warehouse = warehouse(location(server.port));
    for (number, tries) in [
        (40613, 1 + RETRIES),
        (40501, 1 + RETRIES),
        (1205, 1 + RETRIES),
        (2627, 1 + RETRIES),
        (102, 1),
        (40544, 1),
        (40615, 1),
    ] {
        server.fails_with(number).await;
        let before = server.logins().await;
        let error = refusal(&warehouse).await;
        let words = words(&error);
        assert!(words.contains(&format!("as the test says (error {number})")), "{words}");
        assert!(matches!(error, WarehouseError::Database { .. }), "{words}");
        assert_eq!(server.logins().await - before, tries, "{number}");
    }
    server.fails_with(8115).await;
    let error = refusal(&warehouse).await;
    assert!(matches!(error, WarehouseError::Data { .. }), "{}", words(&error));
}

/// A server that answers logins with these numbers, 0 for a welcome, and hangs up.
async fn logins(numbers: Vec<u32>) -> (u16, Arc<Mutex<Vec<u32>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answered = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&answered);
    tokio::spawn(async move {
        for number in numbers {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_packet(&mut socket).await.unwrap();
            socket.write_all(&build_prelogin_response()).await.unwrap();
            read_packet(&mut socket).await.unwrap();
            told.lock().unwrap().push(number);
            let answer = match number {
                0 => [build_login_ack(), build_done_token(0)].concat(),
                number => build_terminal_error_tokens(&TerminalError::new(number, 14, "not now")).to_vec(),
            };
            socket.write_all(&packet(&answer)).await.unwrap();
        }
    });
    (port, answered)
}

fn packet(tokens: &[u8]) -> BytesMut {
    let mut packet = BytesMut::new();
    let length = u16::try_from(8 + tokens.len()).unwrap();
    PacketHeader::new(PacketType::TabularResult, length, 1).write(&mut packet);
    packet.extend_from_slice(tokens);
    packet
}

#[tokio::test]
async fn a_sleeping_database_is_waited_for_and_a_refused_login_tried_once_more() {
    for (script, tries, last) in [
        (vec![40613, 40613, 40613, 0], 3, "error 40613"),
        (vec![4060, 40613, 102, 0], 3, "error 102"),
        (vec![18456, 18456, 0], 2, "error 18456"),
        (vec![18456, 40615, 0], 2, "error 40615"),
        (vec![40615, 0], 1, "error 40615"),
    ] {
        let (port, answered) = logins(script.clone()).await;
        let error = words(&refusal(&warehouse(location(port))).await);
        assert!(error.contains(last) && error.starts_with("warehouse: connecting failed"), "{error}");
        assert_eq!(*answered.lock().unwrap(), script[..tries]);
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_left_after_the_login_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut location = location(listener.local_addr().unwrap().port());
    location.login_timeout = Duration::from_millis(50);
    let warehouse = SqlServerWarehouse::with(location, None, Retrying::immediate(0));
    let error = words(&refusal(&warehouse).await);
    assert!(
        error.starts_with("warehouse: connecting failed") && error.contains("did not complete within 50ms"),
        "{error}"
    );
}

#[tokio::test]
async fn where_nobody_listens_the_error_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = words(&refusal(&warehouse(location(port))).await);
    assert!(error.contains(&format!("connecting to 127.0.0.1:{port} failed")), "{error}");
}
