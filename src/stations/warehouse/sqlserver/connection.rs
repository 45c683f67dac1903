//! Connections to the server: made when they are needed, few, closed when they idle, so that a serverless database pauses.
//!
//! A connection with any error is thrown away, and so is one whose caller went away in the middle of its work: the server
//! rolls its transaction back, and its locks go with it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bb8::{ManageConnection, Pool, PooledConnection};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_util::compat::TokioAsyncWriteCompatExt;

use super::errors::{Fault, SqlError, failed};
use super::location::{SqlLogin, SqlServerLocation, Transport};
use super::session::Session;
use crate::identity::{Scope, TokenSource};
use crate::secret::Secret;
use crate::stations::warehouse::Source;

/// A small database allows thirty workers at a time, and commits of one feed wait for each other anyway.
const MOST_CONNECTIONS: u32 = 8;
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks for idle ones.
const IDLE_LOOKS: Duration = Duration::from_secs(15);
/// For a connection that others use: longer than a commit waits for its locks.
const WAIT_FOR_FREE: Duration = Duration::from_secs(600);
/// Azure SQL sends a client on once; more than a few is a circle.
const MOST_REDIRECTS: usize = 5;

/// Hands out the token of each new connection.
#[async_trait]
pub trait SqlTokens: Send + Sync {
    async fn token(&self) -> Result<Secret, Source>;
}

#[async_trait]
impl SqlTokens for TokenSource {
    async fn token(&self) -> Result<Secret, Source> {
        Ok(TokenSource::token(self, Scope::Sql).await?.text)
    }
}

/// Makes connections.
pub struct Connector {
    location: SqlServerLocation,
    tokens: Option<Arc<dyn SqlTokens>>,
}

/// The pool. Nothing is connected before somebody asks.
pub struct Connections {
    connector: Arc<Connector>,
    pool: OnceCell<Pool<Slots>>,
}

/// A place in the pool. Connecting is the caller's, who is to hear why it failed: the pool itself would try until its time
/// is up and then only say that it is.
#[derive(Default)]
pub struct Slot {
    session: Option<Session>,
    state: SlotState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SlotState {
    #[default]
    Clean,
    /// Somebody works on it, or did not come to an end.
    AtWork,
}

pub struct Slots;

impl ManageConnection for Slots {
    type Connection = Slot;
    type Error = SqlError;

    async fn connect(&self) -> Result<Slot, SqlError> {
        Ok(Slot::default())
    }

    async fn is_valid(&self, slot: &mut Slot) -> Result<(), SqlError> {
        match &mut slot.session {
            Some(session) => session.is_alive().await,
            None => Ok(()),
        }
    }

    fn has_broken(&self, slot: &mut Slot) -> bool {
        slot.state == SlotState::AtWork
    }
}

/// One connection, for the time of one piece of work.
pub struct Lease {
    slot: PooledConnection<'static, Slots>,
}

impl Connections {
    pub fn new(location: SqlServerLocation, tokens: Option<Arc<dyn SqlTokens>>) -> Self {
        Connections { connector: Arc::new(Connector { location, tokens }), pool: OnceCell::new() }
    }

    pub async fn lease(&self) -> Result<Lease, Fault> {
        let pool = self.pool.get_or_init(|| async {
            Pool::builder()
                .max_size(MOST_CONNECTIONS)
                .idle_timeout(IDLE_LIMIT)
                .reaper_rate(IDLE_LOOKS)
                .connection_timeout(WAIT_FOR_FREE)
                .test_on_check_out(true)
                .build_unchecked(Slots)
        });
        let slot =
            pool.await.get_owned().await.map_err(|_| SqlError::Busy).map_err(failed("waiting for a connection"))?;
        let mut lease = Lease { slot };
        lease.slot.state = SlotState::AtWork;
        if lease.slot.session.is_none() {
            let session = self.connector.connect().await.map_err(failed("connecting"))?;
            lease.slot.session = Some(session);
            lease.session().prepare().await?;
        }
        Ok(lease)
    }
}

impl Lease {
    pub fn session(&mut self) -> &mut Session {
        self.slot.session.as_mut().expect("a lease is made with its session")
    }

    /// Keeps the connection for the next piece of work. A lease that is dropped instead closes it.
    pub fn give_back(mut self) {
        self.slot.state = SlotState::Clean;
    }
}

impl Connector {
    async fn connect(&self) -> Result<Session, SqlError> {
        let mut config = self.config().await?;
        let location = &self.location;
        let (mut host, mut port) = (location.host.clone(), location.port);
        for _ in 0..=MOST_REDIRECTS {
            let socket = self.reach(&host, port).await?;
            match Client::connect(config.clone(), socket.compat_write()).await {
                Err(tiberius::error::Error::Routing { host: next_host, port: next_port }) => {
                    tracing::debug!(host = next_host, port = next_port, "the server sends us on");
                    config.host(&next_host);
                    config.port(next_port);
                    (host, port) = (next_host, next_port);
                }
                connected => return Ok(Session::new(connected?)),
            }
        }
        Err(SqlError::Redirects { host: location.host.clone(), port: location.port, times: MOST_REDIRECTS })
    }

    async fn reach(&self, host: &str, port: u16) -> Result<TcpStream, SqlError> {
        let limit = self.location.login_timeout;
        let connecting = tokio::time::timeout(limit, TcpStream::connect((host, port)));
        let connected = connecting.await.map_err(|_| SqlError::ConnectLate { host: host.to_owned(), port, limit })?;
        let told = |source| SqlError::Connect { host: host.to_owned(), port, source };
        let socket = connected.map_err(told)?;
        socket.set_nodelay(true).map_err(told)?;
        Ok(socket)
    }

    /// With a token of now: it is a new connection's.
    async fn config(&self) -> Result<Config, SqlError> {
        let location = &self.location;
        let mut config = Config::new();
        config.host(&location.host);
        config.port(location.port);
        if let Some(database) = &location.database {
            config.database(database);
        }
        config.application_name(&location.application_name);
        config.handshake_timeout(Some(location.login_timeout));
        config.command_timeout(location.command_timeout);
        match &location.transport {
            Transport::Checked { host_name, authorities } => {
                config.encryption(EncryptionLevel::Required);
                if let Some(name) = host_name {
                    config.hostname_in_certificate(name);
                }
                if let Some(file) = authorities {
                    config.trust_cert_ca(file.display());
                }
            }
            Transport::TrustingAnyone => {
                config.encryption(EncryptionLevel::Required);
                config.trust_cert();
            }
            Transport::Plain => config.encryption(EncryptionLevel::NotSupported),
        }
        config.authentication(self.authentication().await?);
        Ok(config)
    }

    async fn authentication(&self) -> Result<AuthMethod, SqlError> {
        if let SqlLogin::Password { user, password } = &self.location.login {
            return Ok(AuthMethod::sql_server(user, password.reveal()));
        }
        let tokens = self.tokens.as_ref().expect("a login by Entra ID comes with its tokens");
        let token = tokens.token().await.map_err(|source| SqlError::Token { source })?;
        Ok(AuthMethod::aad_token(token.reveal()))
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("location", &self.connector.location).finish_non_exhaustive()
    }
}
