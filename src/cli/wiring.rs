//! Settings and pipeline.toml to stations.

use std::sync::Arc;

use anyhow::Context;

use crate::clock::Clock;
use crate::functions::pull::{PullSource, PullStations};

use crate::pipeline::{Feed, Login, Pipeline, SecretReference, SftpSource};
use crate::secret::Secret;
use crate::settings::{EMBEDDED_SFTP, EVENT_HUB_CONNECTION, EmbeddedSftp, Settings, SettingsError};
use crate::stations::containers::Containers;
use crate::stations::hub::event_hubs::{EventHubs, OpenError, Patience};
use crate::stations::hub::journal::JournalHub;
use crate::stations::hub::{HubLocation, HubReader, HubSender};
use crate::stations::sftp::{Credential, EndpointLogin, SftpEndpoint, SshConnector};
use crate::stations::share::{self, Share};
use crate::stations::warehouse::location::WarehouseLocation;
use crate::stations::warehouse::sqlite::SqliteWarehouse;
use crate::stations::warehouse::sqlserver::SqlServerWarehouse;
use crate::stations::warehouse::{FeedMeaning, Schema, Warehouse};

/// All stations but the sftp servers, which are as many as there are sources.
pub struct Stations {
    pub containers: Containers,
    pub share: Arc<dyn Share>,
    pub hub: Arc<dyn HubSender>,
    pub hub_reader: Arc<dyn HubReader>,
    pub warehouse: Arc<dyn Warehouse>,
}

impl Stations {
    /// Opens what must exist; the warehouse is not touched before somebody asks it.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let ends = settings.ends()?;
        let containers = Containers::open(&ends.storage).await?;
        let share = share::open(&ends.share).await?;
        let (hub, hub_reader) = hub(ends.hub, Patience::default()).context(EVENT_HUB_CONNECTION)?;
        Ok(Stations { containers, share, hub, hub_reader, warehouse: warehouse(ends.warehouse)? })
    }

    pub fn pull(&self) -> PullStations {
        PullStations {
            connector: Arc::new(SshConnector::default()),
            share: self.share.clone(),
            landing: self.containers.landing.clone(),
            state: self.containers.state.clone(),
        }
    }
}

/// Both sides of one namespace.
pub type Hubs = (Arc<dyn HubSender>, Arc<dyn HubReader>);

/// Connects to nothing yet.
pub fn hub(location: HubLocation, patience: Patience) -> Result<Hubs, OpenError> {
    Ok(match location {
        HubLocation::Journal(directory) => {
            let hub = JournalHub::new(directory, clock());
            (Arc::new(hub.clone()), Arc::new(hub))
        }
        HubLocation::EventHubs(location) => {
            let hubs = EventHubs::new(location, patience)?;
            (Arc::new(hubs.clone()), Arc::new(hubs))
        }
    })
}

fn warehouse(location: WarehouseLocation) -> anyhow::Result<Arc<dyn Warehouse>> {
    Ok(match location {
        WarehouseLocation::Sqlite(file) => Arc::new(SqliteWarehouse::new(file)),
        WarehouseLocation::SqlServer(location) => Arc::new(SqlServerWarehouse::new(*location)?),
    })
}

/// Every source of every feed, with the server and the secrets that open it. A source whose secret is missing says so when
/// it is pulled, and stops no other.
pub fn pull_sources(pipeline: &Pipeline, settings: &Settings) -> Result<Vec<PullSource>, SettingsError> {
    let embedded = settings.embedded_sftp()?;
    let mut sources = Vec::new();
    for feed in &pipeline.feeds {
        for source in &feed.sources {
            let (source, endpoint) = match &embedded {
                Some(server) => at_embedded(feed, source, server),
                None => (source.clone(), declared(feed, source, settings).map_err(|error| error.to_string())),
            };
            sources.push(PullSource { feed: feed.name.clone(), source, endpoint });
        }
    }
    Ok(sources)
}

fn declared(feed: &Feed, source: &SftpSource, settings: &Settings) -> Result<SftpEndpoint, SettingsError> {
    let credential = |reference: &SecretReference| -> Result<Credential, SettingsError> {
        Ok(Credential { setting: reference.setting.clone(), secret: settings.secret(reference)? })
    };
    let login = match &source.login {
        Login::Password(password) => EndpointLogin::Password(credential(password)?),
        Login::PrivateKey { key, passphrase } => EndpointLogin::PrivateKey {
            key: credential(key)?,
            passphrase: passphrase.as_ref().map(credential).transpose()?,
        },
    };
    Ok(SftpEndpoint {
        feed: feed.name.clone(),
        host: source.url.host.clone(),
        port: source.url.port,
        user: source.url.user.clone(),
        host_keys: source.host_keys.clone(),
        login,
        directory: source.url.directory.clone(),
    })
}

/// The embedded server serves `<inbox>/<feed>/`, and `<inbox>/<feed>/<source>/` where a feed has several.
fn at_embedded(feed: &Feed, source: &SftpSource, server: &EmbeddedSftp) -> (SftpSource, Result<SftpEndpoint, String>) {
    let directory = embedded_directory(feed, source);
    let mut at_server = source.clone();
    at_server.url.host = server.host.clone();
    at_server.url.port = server.port;
    at_server.url.user = server.user.clone();
    at_server.url.directory = directory.clone();
    at_server.host_keys = vec![server.host_key.clone()];
    let password = Credential { setting: EMBEDDED_SFTP.to_owned(), secret: Secret::new(server.password.clone()) };
    let endpoint = SftpEndpoint {
        feed: feed.name.clone(),
        host: server.host.clone(),
        port: server.port,
        user: server.user.clone(),
        host_keys: vec![server.host_key.clone()],
        login: EndpointLogin::Password(password),
        directory,
    };
    (at_server, Ok(endpoint))
}

/// Where a source's files are on the embedded server.
pub fn embedded_directory(feed: &Feed, source: &SftpSource) -> String {
    match &source.name {
        Some(name) if feed.sources.len() > 1 => format!("/{}/{name}", feed.name),
        _ => format!("/{}", feed.name),
    }
}

/// What the warehouse must hold for this pipeline.
pub fn schema(pipeline: &Pipeline) -> Schema {
    let meanings = pipeline.feeds.iter().map(|feed| meaning(pipeline, feed)).collect();
    Schema { meanings, summaries: pipeline.summaries.clone() }
}

fn meaning(pipeline: &Pipeline, feed: &Feed) -> FeedMeaning {
    FeedMeaning { feed: feed.name.clone(), fingerprint: pipeline.fingerprint(&feed.name) }
}

/// The system's clock; commands and the handler have no other.
pub fn clock() -> Clock {
    Clock::System
}
