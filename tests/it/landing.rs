//! From OpenSSH's own server into landing: the client, and pulls over a connection that breaks.

use std::fs::FileTimes;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use millrace::clock::Clock;
use millrace::functions::pull::{PullReport, PullSource, PullStations, pull};
use millrace::names::{BlobName, FeedName};
use millrace::pipeline::{After, Folders, Login, SecretReference, SftpSource, SftpUrl};
use millrace::records::pulled::PulledKey;
use millrace::stations::containers::{BlobFacts, Container, Containers, StorageLocation};
use millrace::stations::sftp::{
    Connector, EndpointLogin, PAGE_ENTRIES, READ_BYTES, RemoteBytes, RemoteEntry, RemoteFile, RemotePages, RemotePath,
    Sftp, SftpEndpoint, SftpError, SshConnector,
};
use millrace::stations::share::DirectoryShare;
use tokio::time::Instant;

use crate::sshd::{HOST_KEY_TYPES, PASSPHRASE, Sshd, credential};

fn remote(path: &Path) -> RemotePath {
    RemotePath::new(path.as_os_str().as_bytes()).unwrap()
}

fn bytes_of_length(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

async fn read_all(sftp: &dyn Sftp, file: &RemoteFile, offset: u64) -> Vec<u8> {
    let blocks: Vec<bytes::Bytes> = sftp.read(file, offset).await.unwrap().try_collect().await.unwrap();
    assert!(blocks.iter().all(|block| block.len() <= READ_BYTES));
    blocks.concat()
}

async fn list(sftp: &dyn Sftp, directory: &Path) -> Result<Vec<RemoteEntry>, SftpError> {
    let pages: Vec<Vec<RemoteEntry>> = sftp.list(&remote(directory)).await?.try_collect().await?;
    Ok(pages.concat())
}

#[tokio::test]
async fn the_client_tells_files_from_folders_and_links_whatever_their_names() {
    let Some(sshd) = Sshd::start() else { return };
    let out = sshd.out();
    let odd = std::ffi::OsStr::from_bytes(b"M\xfcnchen.csv");
    for name in [odd, "50%#1~ \u{fc}.csv".as_ref(), "plain.csv".as_ref()] {
        std::fs::write(out.join(name), "content").unwrap();
    }
    std::fs::create_dir(out.join("folder")).unwrap();
    std::os::unix::fs::symlink("plain.csv", out.join("link.csv")).unwrap();
    std::os::unix::fs::symlink("/etc", out.join("etc")).unwrap();
    let sftp = SshConnector.connect(&sshd.endpoint()).await.unwrap();

    let listed = list(sftp.as_ref(), &out).await.unwrap();
    let mut others = listed.clone();
    others.retain(|entry| !matches!(entry, RemoteEntry::File(_)));
    assert_eq!(others.len(), 3);
    for expected in [
        RemoteEntry::Directory(remote(&out.join("folder"))),
        RemoteEntry::Link(remote(&out.join("link.csv"))),
        RemoteEntry::Link(remote(&out.join("etc"))),
    ] {
        assert!(others.contains(&expected), "{others:?}");
    }
    let mut files: Vec<RemoteFile> = listed
        .into_iter()
        .filter_map(|entry| match entry {
            RemoteEntry::File(file) => Some(file),
            _ => None,
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let names: Vec<&[u8]> = files.iter().map(|file| file.path.name()).collect();
    assert_eq!(names, ["50%#1~ \u{fc}.csv".as_bytes(), odd.as_bytes(), b"plain.csv"]);
    for file in &files {
        assert_eq!(sftp.stat(&file.path).await.unwrap().as_ref(), Some(file));
        assert_eq!(read_all(sftp.as_ref(), file, 3).await, b"tent");
    }
    for not_regular in ["folder", "link.csv", "nothing"] {
        assert_eq!(sftp.stat(&remote(&out.join(not_regular))).await.unwrap(), None, "{not_regular}");
    }
    let missing = list(sftp.as_ref(), &out.join("missing")).await.unwrap_err();
    assert!(matches!(missing, SftpError::Gone { .. }), "{missing}");
}

#[tokio::test]
async fn the_client_lists_many_files_page_by_page() {
    let Some(sshd) = Sshd::start() else { return };
    for number in 0..2 * PAGE_ENTRIES + 500 {
        std::fs::write(sshd.out().join(format!("{number}.csv")), "").unwrap();
    }
    let sftp = SshConnector.connect(&sshd.endpoint()).await.unwrap();
    let pages: Vec<Vec<RemoteEntry>> = sftp.list(&remote(&sshd.out())).await.unwrap().try_collect().await.unwrap();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [PAGE_ENTRIES, PAGE_ENTRIES, 500]);

    let mut given_up = sftp.list(&remote(&sshd.out())).await.unwrap();
    given_up.next().await.unwrap().unwrap();
    drop(given_up);
    assert!(sftp.stat(&remote(&sshd.out().join("0.csv"))).await.unwrap().is_some(), "the session still serves");
}

#[tokio::test]
async fn the_client_reads_from_any_offset_and_one_byte_beyond_what_it_expects() {
    let Some(sshd) = Sshd::start() else { return };
    let body = bytes_of_length(2 * READ_BYTES + 12_345);
    let path = sshd.out().join("large.bin");
    std::fs::write(&path, &body).unwrap();
    let sftp = SshConnector.connect(&sshd.endpoint()).await.unwrap();
    let file = sftp.stat(&remote(&path)).await.unwrap().unwrap();
    for offset in [0, 1, READ_BYTES, body.len() - 1, body.len()] {
        assert!(read_all(sftp.as_ref(), &file, offset as u64).await == body[offset..], "from {offset}");
    }
    let as_expected = RemoteFile { size_bytes: 10, ..file.clone() };
    assert_eq!(read_all(sftp.as_ref(), &as_expected, 4).await, body[4..11]);

    let mut given_up = sftp.read(&file, 0).await.unwrap();
    given_up.next().await.unwrap().unwrap();
    drop(given_up);
    assert_eq!(sftp.stat(&file.path).await.unwrap(), Some(file), "the session still serves");
}

#[tokio::test]
async fn the_client_moves_and_removes_and_overwrites_nothing() {
    let Some(sshd) = Sshd::start() else { return };
    let out = sshd.out();
    let [a, b, moved] = ["a", "b", "archive/2013/a"].map(|name| out.join(name));
    std::fs::write(&a, "a").unwrap();
    std::fs::write(&b, "b").unwrap();
    let sftp = SshConnector.connect(&sshd.endpoint()).await.unwrap();
    let occupied = sftp.rename(&remote(&a), &remote(&b)).await.unwrap_err();
    assert!(matches!(occupied, SftpError::Occupied { .. }), "{occupied}");
    for _ in 0..2 {
        sftp.create_directory(&remote(moved.parent().unwrap())).await.unwrap();
    }
    sftp.rename(&remote(&a), &remote(&moved)).await.unwrap();
    assert_eq!(std::fs::read_to_string(&moved).unwrap(), "a");
    sftp.remove(&remote(&b)).await.unwrap();
    assert!(!b.exists());
    for gone in [sftp.rename(&remote(&a), &remote(&b)).await, sftp.remove(&remote(&b)).await] {
        assert!(matches!(gone, Err(SftpError::Gone { .. })), "{gone:?}");
    }
}

#[tokio::test]
async fn any_pinned_key_of_the_server_will_do_and_no_other() {
    let Some(sshd) = Sshd::start() else { return };
    for (kind, fingerprint) in HOST_KEY_TYPES.iter().zip(&sshd.host_keys) {
        let endpoint = SftpEndpoint { host_keys: vec!["SHA256:old".into(), fingerprint.clone()], ..sshd.endpoint() };
        assert!(SshConnector.connect(&endpoint).await.is_ok(), "{kind}");
    }
    let endpoint = SftpEndpoint { host_keys: vec!["SHA256:old".into()], ..sshd.endpoint() };
    let error = SshConnector.connect(&endpoint).await.err().unwrap();
    let (port, offered) = (sshd.port, &sshd.host_keys[0]);
    assert_eq!(
        error.to_string(),
        format!(
            "host key of 127.0.0.1:{port} is {offered}, which feed `flights` does not pin; if the partner confirms the \
             change, add it: host_key = [\"{offered}\", \"SHA256:old\"]"
        )
    );
}

#[tokio::test]
async fn a_failed_login_names_who_where_and_which_setting() {
    let Some(sshd) = Sshd::start() else { return };
    let connect = async |login: EndpointLogin| {
        let outcome = SshConnector.connect(&SftpEndpoint { login, ..sshd.endpoint() }).await;
        outcome.map(|_| ()).map_err(|error| error.to_string())
    };
    let key = |text: &str| EndpointLogin::PrivateKey { key: credential("FLIGHTS_KEY", text), passphrase: None };
    let with_passphrase = |passphrase: &str| EndpointLogin::PrivateKey {
        key: credential("FLIGHTS_KEY", &sshd.encrypted_user_key),
        passphrase: Some(credential("FLIGHTS_PASSPHRASE", passphrase)),
    };
    assert_eq!(connect(key(&sshd.user_key.trim().replace('\n', "\\n"))).await, Ok(()));
    assert_eq!(connect(with_passphrase(PASSPHRASE)).await, Ok(()));

    let wrong_passphrase = connect(with_passphrase("wrong")).await.unwrap_err();
    assert!(wrong_passphrase.contains("`FLIGHTS_PASSPHRASE`"), "{wrong_passphrase}");
    assert!(wrong_passphrase.contains("passphrase is not the right one"), "{wrong_passphrase}");
    let no_passphrase = connect(key(&sshd.encrypted_user_key)).await.unwrap_err();
    assert!(no_passphrase.contains("names no passphrase"), "{no_passphrase}");
    let password = connect(EndpointLogin::Password(credential("FLIGHTS_PASSWORD", "hunter2"))).await.unwrap_err();
    let server = format!("127.0.0.1:{}", sshd.port);
    for part in [server.as_str(), "`FLIGHTS_PASSWORD`", "it takes: publickey"] {
        assert!(password.contains(part), "{password}");
    }
    assert!(!password.contains("hunter2"));

    let stranger = Sshd::start().unwrap();
    let refused = connect(key(&stranger.user_key)).await.unwrap_err();
    assert!(refused.contains("refused the login") && refused.contains("`FLIGHTS_KEY`"), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_away_is_told_by_its_name() {
    let Some(sshd) = Sshd::start() else { return };
    // Nobody listens at tcpmux.
    let endpoint = SftpEndpoint { port: 1, ..sshd.endpoint() };
    let error = SshConnector.connect(&endpoint).await.err().unwrap();
    assert!(matches!(error, SftpError::Connect { .. }), "{error}");
    assert!(error.to_string().contains(&endpoint.server()), "{error}");
}

/// Sessions that break after so many calls and blocks, all sessions counted together.
struct Breaking {
    calls_left: Arc<AtomicI64>,
}

struct BreakingSession {
    session: Arc<dyn Sftp>,
    calls_left: Arc<AtomicI64>,
}

fn count(calls_left: &AtomicI64, path: &RemotePath) -> Result<(), SftpError> {
    if calls_left.fetch_sub(1, Ordering::Relaxed) > 0 {
        return Ok(());
    }
    let (server, operation, source) = ("a breaking line".into(), "test", "the line is cut".into());
    Err(SftpError::Lost { server, operation, path: path.clone(), source })
}

#[async_trait]
impl Connector for Breaking {
    async fn connect(&self, endpoint: &SftpEndpoint) -> Result<Arc<dyn Sftp>, SftpError> {
        let session = SshConnector.connect(endpoint).await?;
        Ok(Arc::new(BreakingSession { session, calls_left: Arc::clone(&self.calls_left) }))
    }
}

#[async_trait]
impl Sftp for BreakingSession {
    async fn list(&self, directory: &RemotePath) -> Result<RemotePages, SftpError> {
        count(&self.calls_left, directory)?;
        self.session.list(directory).await
    }

    async fn stat(&self, path: &RemotePath) -> Result<Option<RemoteFile>, SftpError> {
        count(&self.calls_left, path)?;
        self.session.stat(path).await
    }

    async fn read(&self, file: &RemoteFile, offset: u64) -> Result<RemoteBytes, SftpError> {
        count(&self.calls_left, &file.path)?;
        let (calls_left, path) = (Arc::clone(&self.calls_left), file.path.clone());
        let blocks = self.session.read(file, offset).await?;
        Ok(blocks.map(move |block| count(&calls_left, &path).and(block)).boxed())
    }

    async fn rename(&self, from: &RemotePath, to: &RemotePath) -> Result<(), SftpError> {
        count(&self.calls_left, from)?;
        self.session.rename(from, to).await
    }

    async fn remove(&self, path: &RemotePath) -> Result<(), SftpError> {
        count(&self.calls_left, path)?;
        self.session.remove(path).await
    }

    async fn create_directory(&self, path: &RemotePath) -> Result<(), SftpError> {
        count(&self.calls_left, path)?;
        self.session.create_directory(path).await
    }
}

struct Place {
    sources: Vec<PullSource>,
    stations: PullStations,
    landing: Container,
    _directory: tempfile::TempDir,
}

impl Place {
    async fn new(sshd: &Sshd, after: After, connector: Arc<dyn Connector>) -> Place {
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

    async fn tick(&self) -> PullReport {
        pull(&self.sources, &self.stations, &Clock::System, Instant::now() + Duration::from_secs(120)).await
    }

    async fn landed(&self) -> Vec<BlobFacts> {
        self.landing.list("", None).try_collect().await.unwrap()
    }

    async fn body(&self, name: &str) -> Vec<u8> {
        self.landing.get(&BlobName::new(name).unwrap()).await.unwrap().unwrap().to_vec()
    }
}

fn write_with_time(path: &Path, body: &[u8], seconds_ago: u64) {
    std::fs::write(path, body).unwrap();
    let time = SystemTime::now() - Duration::from_secs(seconds_ago);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_every_size_land_as_they_are_and_leave_their_source() {
    let Some(sshd) = Sshd::start() else { return };
    let archive = sshd.out().join("archive");
    for after in [After::Keep, After::Delete, After::Move(archive.to_str().unwrap().to_owned())] {
        let sizes = [0, 1, 30_000, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES + 7];
        for size in sizes {
            write_with_time(&sshd.out().join(format!("{size}.csv")), &bytes_of_length(size), 60);
        }
        let place = Place::new(&sshd, after.clone(), Arc::new(SshConnector)).await;
        let report = place.tick().await;
        assert_eq!((report.sources[0].pulled, report.failed()), (sizes.len(), 0), "{report:?}");
        for size in sizes {
            assert!(place.body(&format!("flights/{size}.csv")).await == bytes_of_length(size), "{size} bytes");
            assert_eq!(sshd.out().join(format!("{size}.csv")).exists(), after == After::Keep);
            assert_eq!(archive.join(format!("{size}.csv")).exists(), matches!(after, After::Move(_)));
        }
        let again = place.tick().await;
        assert_eq!((again.sources[0].pulled, again.unfinished(), again.failed()), (0, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_are_read_and_links_in_them_are_not_followed() {
    let Some(sshd) = Sshd::start() else { return };
    let out = sshd.out();
    let below = |path: &str| out.join(path);
    for folder in ["2026/01", "old", "M\u{fc}nchen #1"] {
        std::fs::create_dir_all(below(folder)).unwrap();
    }
    for path in ["top.csv", "2026/01/a.csv", "old/b.csv", "M\u{fc}nchen #1/50%~.csv", "2026/notes.txt"] {
        write_with_time(&below(path), path.as_bytes(), 60);
    }
    std::os::unix::fs::symlink(&out, below("2026/circle")).unwrap();
    std::os::unix::fs::symlink(below("top.csv"), below("2026/link.csv")).unwrap();
    let archive = After::Move(below("archive").to_str().unwrap().to_owned());
    for after in [After::Keep, archive] {
        let mut place = Place::new(&sshd, after.clone(), Arc::new(SshConnector)).await;
        let source = &mut place.sources[0].source;
        source.folders = Folders::Read;
        (source.include, source.exclude) = (vec!["**/*.csv".into()], vec!["old/**".into()]);
        let report = place.tick().await;
        assert_eq!((report.sources[0].pulled, report.failed()), (3, 0), "{report:?}");
        for path in ["top.csv", "2026/01/a.csv", "M\u{fc}nchen #1/50%~.csv"] {
            assert_eq!(place.body(&format!("flights/{path}")).await, path.as_bytes());
            assert_eq!(below("archive").join(path).exists(), after != After::Keep);
        }
        assert_eq!(place.tick().await.sources[0].pulled, 0);
    }
    assert!(below("old/b.csv").exists() && below("2026/circle").is_symlink());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_and_its_done_marker_come_and_go_together() {
    let Some(sshd) = Sshd::start() else { return };
    let out = sshd.out();
    let mut place = Place::new(&sshd, After::Delete, Arc::new(SshConnector)).await;
    place.sources[0].source.done_marker = Some(".done".into());
    write_with_time(&out.join("a.csv"), b"a", 60);
    write_with_time(&out.join("b.csv"), b"b", 60);
    write_with_time(&out.join("b.csv.done"), b"", 120);
    let waiting = place.tick().await;
    assert_eq!((waiting.sources[0].unmarked, waiting.sources[0].pulled, waiting.failed()), (2, 0, 0));
    for name in ["a.csv.done", "b.csv.done"] {
        write_with_time(&out.join(name), b"", 60);
    }
    let report = place.tick().await;
    assert_eq!((report.sources[0].pulled, report.sources[0].finished, report.failed()), (2, 2, 0), "{report:?}");
    assert_eq!(place.landed().await.len(), 2);
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_any_bytes_are_pulled_and_taken_away() {
    let Some(sshd) = Sshd::start() else { return };
    let out = sshd.out();
    let longest = [b'x'; 255];
    let names: [&[u8]; 12] = [
        "50%#1~ \u{fc}.csv".as_bytes(),
        b"M\xfcnchen.csv",
        b"\xff\xfe",
        b" blanks ",
        b"quo\"te'd",
        b"back\\slash?",
        b"new\nline",
        b"dots..",
        b"%41",
        b"Case",
        b"case",
        &longest,
    ];
    for name in names {
        write_with_time(&out.join(std::ffi::OsStr::from_bytes(name)), name, 60);
    }
    let archive = out.join("archive");
    let mut place = Place::new(&sshd, After::Move(archive.to_str().unwrap().to_owned()), Arc::new(SshConnector)).await;
    place.sources[0].source.include = vec![];
    let report = place.tick().await;
    assert_eq!((report.sources[0].pulled, report.sources[0].finished, report.failed()), (12, 12, 0), "{report:?}");
    for name in names {
        let key = PulledKey::new(&place.sources[0].feed, None, name);
        assert_eq!(place.body(key.landing_blob().unwrap().as_str()).await, name);
        assert!(archive.join(std::ffi::OsStr::from_bytes(name)).exists(), "{}", String::from_utf8_lossy(name));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_account_lands_its_files_and_says_why_they_stay() {
    let Some(sshd) = Sshd::start_read_only() else { return };
    for number in 0..3 {
        write_with_time(&sshd.out().join(format!("{number}.csv")), b"x", 60);
    }
    let mut place = Place::new(&sshd, After::Delete, Arc::new(SshConnector)).await;
    place.sources[0].source.parallel = 1;
    for pulled in [3, 0] {
        let report = place.tick().await;
        assert_eq!((report.sources[0].pulled, report.failed()), (pulled, 1), "{report:?}");
        let message = &report.sources[0].failures[0].message;
        assert!(message.contains("`after = \"delete\"` is not allowed: ask the partner"), "{message}");
    }
    place.sources[0].source.after = After::Keep;
    let report = place.tick().await;
    assert_eq!((report.sources[0].known, report.failed()), (3, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_breaks_anywhere_delays_files_and_neither_loses_nor_repeats_them() {
    let Some(sshd) = Sshd::start() else { return };
    let bodies = [bytes_of_length(READ_BYTES + 1), bytes_of_length(5000)];
    let mut calls = 0;
    loop {
        for (number, body) in bodies.iter().enumerate() {
            write_with_time(&sshd.out().join(format!("{number}.csv")), body, 60);
        }
        let calls_left = Arc::new(AtomicI64::new(calls));
        let breaking = Breaking { calls_left: Arc::clone(&calls_left) };
        let place = Place::new(&sshd, After::Delete, Arc::new(breaking)).await;
        let broken = place.tick().await;
        let landed_before = place.landed().await;

        calls_left.store(i64::MAX, Ordering::Relaxed);
        for _ in 0..2 {
            let report = place.tick().await;
            assert_eq!(report.failed(), 0, "after {calls} calls: {report:?}");
        }
        let landed = place.landed().await;
        assert!(landed_before.iter().all(|facts| landed.contains(facts)), "after {calls} calls a file landed twice");
        for (number, body) in bodies.iter().enumerate() {
            assert!(place.body(&format!("flights/{number}.csv")).await == *body, "after {calls} calls");
        }
        assert_eq!(std::fs::read_dir(sshd.out()).unwrap().count(), 0, "after {calls} calls the source is not empty");
        if broken.failed() == 0 {
            break;
        }
        calls += 1;
    }
    assert!(calls > 15, "two files take more than {calls} calls");
}
