//! Everything a pull needs besides a server, in a temporary directory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use tokio::time::Instant;

use super::server::Server;
use crate::clock::Clock;
use crate::functions::pull::*;
use crate::names::{BlobName, ETag};
use crate::pipeline::{After, Folders, Login, SecretReference, SftpUrl};
use crate::secret::Secret;
use crate::stations::containers::{BlobFacts, Containers, StorageLocation};
use crate::stations::sftp::{Credential, EndpointLogin};
use crate::stations::share::{DirectoryShare, StagedFile};

pub const SETTLE: Duration = Duration::from_secs(30);

pub struct Place {
    pub server: Server,
    pub stations: PullStations,
    pub share: DirectoryShare,
    pub clock: Clock,
    pub sources: Vec<PullSource>,
    _directory: tempfile::TempDir,
}

/// A source of feed `flights` that looks for `*.csv` in `/out`.
pub fn source(after: After) -> PullSource {
    let feed = FeedName::new("flights").unwrap();
    let secret = SecretReference { setting: "SECRET".into() };
    let url = SftpUrl { user: "partner".into(), host: "memory".into(), port: 22, directory: "/out".into() };
    let source = SftpSource {
        name: None,
        url,
        host_keys: vec![],
        login: Login::Password(secret),
        include: vec!["*.csv".into()],
        exclude: vec!["*.tmp.csv".into()],
        folders: Folders::Left,
        newer_than: None,
        done_marker: None,
        settle: SETTLE,
        after,
        parallel: 2,
    };
    let password = Credential { setting: "SECRET".into(), secret: Secret::new("secret") };
    let endpoint = SftpEndpoint {
        feed: feed.clone(),
        host: "memory".into(),
        port: 22,
        user: "partner".into(),
        host_keys: vec![],
        login: EndpointLogin::Password(password),
        directory: "/out".into(),
    };
    PullSource { feed, source, endpoint: Ok(endpoint) }
}

impl Place {
    pub async fn new(server: Server, after: After) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let location = StorageLocation::Directory(directory.path().join("storage"));
        let containers = Containers::open(&location).await.unwrap();
        let share = DirectoryShare::open(&directory.path().join("share")).await.unwrap();
        let stations = PullStations {
            connector: Arc::new(server.clone()),
            share: Arc::new(share.clone()),
            landing: containers.landing,
            state: containers.state,
        };
        let clock = Clock::set_to(DateTime::from_timestamp_millis(Utc::now().timestamp_millis()).unwrap());
        Place { server, stations, share, clock, sources: vec![source(after)], _directory: directory }
    }

    pub async fn pull_until(&self, deadline: Instant) -> PullReport {
        pull(&self.sources, &self.stations, &self.clock, deadline).await
    }

    /// One tick, with more time than it needs. The report is that of the first source.
    pub async fn tick(&self) -> SourceReport {
        let mut report = self.pull_until(Instant::now() + Duration::from_secs(60)).await;
        assert_eq!(report.share_failure, None);
        report.sources.remove(0)
    }

    /// A tick after everything has settled.
    pub async fn later_tick(&self) -> SourceReport {
        self.clock.advance(TimeDelta::from_std(SETTLE).unwrap());
        self.tick().await
    }

    /// The two looks that a new file needs.
    pub async fn two_ticks(&self) -> SourceReport {
        self.tick().await;
        self.later_tick().await
    }

    pub async fn landed(&self) -> Vec<BlobFacts> {
        self.stations.landing.list("", None).try_collect().await.unwrap()
    }

    pub async fn body(&self, blob: &str) -> Option<Bytes> {
        self.stations.landing.get(&BlobName::new(blob).unwrap()).await.unwrap()
    }

    pub async fn etag(&self, blob: &str) -> Option<ETag> {
        let facts = self.stations.landing.head(&BlobName::new(blob).unwrap()).await.unwrap();
        facts.map(|facts| facts.etag)
    }

    /// The names of the records below `pulled/flights/`.
    pub async fn records(&self) -> Vec<String> {
        let records: Vec<BlobFacts> = self.stations.state.list("pulled/", None).try_collect().await.unwrap();
        records.iter().map(|facts| facts.name.as_str().trim_start_matches("pulled/flights/").to_owned()).collect()
    }

    pub async fn staged(&self) -> Vec<StagedFile> {
        self.share.list().await.unwrap()
    }
}
