//! From OpenSSH's own server into landing: the client, whole pulls, and pulls over a connection that breaks.

mod account;
mod awkward;
mod breaking;
mod client;
mod sources;
mod wire;

use std::fs::FileTimes;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use millrace::clock::Clock;
use millrace::functions::pull::{PullReport, PullSource, PullStations, pull};
use millrace::names::{BlobName, FeedName};
use millrace::pipeline::{After, Folders, Login, SecretReference, SftpSource, SftpUrl};
use millrace::stations::containers::{BlobFacts, Container, Containers, StorageLocation};
use millrace::stations::sftp::{Connector, RemotePath};
use millrace::stations::share::DirectoryShare;
use tokio::time::Instant;

use crate::sshd::Sshd;

fn remote(path: &Path) -> RemotePath {
    RemotePath::new(path.as_os_str().as_bytes()).unwrap()
}

pub fn bytes_of_length(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub struct Place {
    pub sources: Vec<PullSource>,
    pub stations: PullStations,
    landing: Container,
    _directory: tempfile::TempDir,
}

impl Place {
    pub async fn new(sshd: &Sshd, after: After, connector: Arc<dyn Connector>) -> Place {
        let endpoint = sshd.endpoint();
        let source = SftpSource {
            name: None,
            url: SftpUrl {
                user: endpoint.user.clone(),
                host: endpoint.host.clone(),
                port: endpoint.port,
                directory: endpoint.directory.clone(),
            },
            host_keys: endpoint.host_keys.clone(),
            login: Login::Password(SecretReference { setting: "FLIGHTS_KEY".into() }),
            include: vec!["*.csv".into()],
            exclude: vec![],
            folders: Folders::Left,
            newer_than: None,
            done_marker: None,
            settle: Duration::ZERO,
            after,
            parallel: 4,
        };
        let directory = tempfile::tempdir().unwrap();
        let location = StorageLocation::Directory(directory.path().join("storage"));
        let containers = Containers::open(&location).await.unwrap();
        let share = DirectoryShare::open(&directory.path().join("share")).await.unwrap();
        let landing = containers.landing.clone();
        let stations =
            PullStations { connector, share: Arc::new(share), landing: containers.landing, state: containers.state };
        let sources = vec![PullSource { feed: FeedName::new("flights").unwrap(), source, endpoint: Ok(endpoint) }];
        Place { sources, stations, landing, _directory: directory }
    }

    pub async fn tick(&self) -> PullReport {
        pull(&self.sources, &self.stations, &Clock::System, Instant::now() + Duration::from_secs(120)).await
    }

    async fn landed(&self) -> Vec<BlobFacts> {
        self.landing.list("", None).try_collect().await.unwrap()
    }

    pub async fn body(&self, name: &str) -> Vec<u8> {
        self.landing.get(&BlobName::new(name).unwrap()).await.unwrap().unwrap().to_vec()
    }
}

pub fn write_with_time(path: &Path, body: &[u8], seconds_ago: u64) {
    std::fs::write(path, body).unwrap();
    let time = SystemTime::now() - Duration::from_secs(seconds_ago);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}
