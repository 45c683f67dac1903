//! From an SFTP server into landing: a large file over this machine's loopback and over a line with a round trip of 50 ms, and many
//! small ones, beside the `sftp` command that fetches the same files from the same server in the same run.
//!
//! `cargo bench --bench pull` starts OpenSSH's server (`apt-get install openssh-server openssh-client`). `MILLRACE_BENCH_MB=2048` and
//! `MILLRACE_BENCH_FILES=1000` set the sizes. A pull hashes what it carries and writes it twice, into staging and into landing, which
//! are directories here; where Azurite is installed (`./test` does), the large file lands there too.

#[expect(dead_code, reason = "the tests' emulator has more to it")]
#[path = "../../tests/it/azurite.rs"]
mod azurite;
#[path = "../load/memory.rs"]
mod memory;
#[expect(dead_code, reason = "the tests' server has more to it")]
#[path = "../../tests/it/sshd.rs"]
mod sshd;
mod wire;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use millrace::clock::Clock;
use millrace::functions::pull::{PullSource, PullStations, pull};
use millrace::names::FeedName;
use millrace::pipeline::{After, Folders, Login, SecretReference, SftpSource, SftpUrl};
use millrace::stations::containers::{Containers, StorageLocation};
use millrace::stations::sftp::{SftpEndpoint, SshConnector};
use millrace::stations::share::DirectoryShare;

use memory::PeakMemory;
use sshd::Sshd;

const ROUND_TRIP: Duration = Duration::from_millis(50);
const SMALL_FILE_BYTES: usize = 10_000;
const LIMIT: Duration = Duration::from_secs(3600);

fn main() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let megabytes: usize = number("MILLRACE_BENCH_MB", 512);
    let files: usize = number("MILLRACE_BENCH_FILES", 10_000);
    let Some(sshd) = Sshd::start() else { return };
    make_files(&sshd, megabytes, files);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");

    let far = wire::delayed(sshd.port, ROUND_TRIP / 2);
    let lines = [("loopback", sshd.port), ("a round trip of 50 ms", far)];
    for (line, port) in lines {
        println!("one file of {megabytes} MB over {line}");
        let peer = fetched_by_sftp(&sshd, port, "large/*");
        println!("  sftp:     {:.2} s, {:.0} MB/s", peer.as_secs_f64(), megabytes as f64 / peer.as_secs_f64());
        let (took, memory) = runtime.block_on(pulled(&sshd, port, "large", 1, None));
        report(megabytes, took, peer, memory);
    }
    if let Some(azurite) = azurite::azurite() {
        println!("the same over loopback into Azurite");
        let storage = azurite::storage(&azurite.account().by_key());
        let (took, memory) = runtime.block_on(pulled(&sshd, sshd.port, "large", 1, Some(storage)));
        let speed = megabytes as f64 / took.as_secs_f64();
        println!("  millrace: {:.2} s, {speed:.0} MB/s, peak private memory {:.0} MB", took.as_secs_f64(), mb(memory));
    }
    println!("{files} files of {SMALL_FILE_BYTES} bytes over loopback");
    let peer = fetched_by_sftp(&sshd, sshd.port, "small/*");
    println!("  sftp:     {:.2} s, {:.0} files/s", peer.as_secs_f64(), files as f64 / peer.as_secs_f64());
    let (took, memory) = runtime.block_on(pulled(&sshd, sshd.port, "small", files, None));
    println!(
        "  millrace: {:.2} s, {:.0} files/s, {:.2} times as fast, peak private memory {:.0} MB",
        took.as_secs_f64(),
        files as f64 / took.as_secs_f64(),
        peer.as_secs_f64() / took.as_secs_f64(),
        mb(memory)
    );
}

fn report(megabytes: usize, took: Duration, peer: Duration, memory: u64) {
    println!(
        "  millrace: {:.2} s, {:.0} MB/s, {:.2} times as fast, peak private memory {:.0} MB",
        took.as_secs_f64(),
        megabytes as f64 / took.as_secs_f64(),
        peer.as_secs_f64() / took.as_secs_f64(),
        mb(memory)
    );
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Bytes that nothing could compress, an hour old.
fn make_files(sshd: &Sshd, megabytes: usize, files: usize) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut write = |path: &Path, bytes: usize| {
        let mut file = BufWriter::new(File::create(path).expect("a file can be made"));
        for _ in 0..bytes / 8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            file.write_all(&state.to_le_bytes()).expect("the file can be written");
        }
        let file = file.into_inner().expect("the file can be written");
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).expect("its time can be set");
    };
    for folder in ["large", "small"] {
        fs::create_dir_all(sshd.out().join(folder)).expect("a folder can be made");
    }
    write(&sshd.out().join("large/large.csv"), megabytes * 1_000_000);
    for number in 0..files {
        write(&sshd.out().join(format!("small/{number:06}.csv")), SMALL_FILE_BYTES);
    }
}

/// As somebody fetches files by hand.
fn fetched_by_sftp(sshd: &Sshd, port: u16, files: &str) -> Duration {
    let place = tempfile::tempdir().expect("a temporary directory");
    let key = place.path().join("key");
    fs::write(&key, &sshd.user_key).expect("the key can be written");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).expect("its permissions can be set");
    fs::write(place.path().join("batch"), format!("get {}/{files} {}\n", sshd.out().display(), place.path().display()))
        .expect("the batch can be written");
    let began = Instant::now();
    let fetched = Command::new("sftp")
        .args(["-q", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"])
        .arg("-i")
        .arg(&key)
        .arg("-P")
        .arg(port.to_string())
        .arg("-b")
        .arg(place.path().join("batch"))
        .arg(format!("{}@127.0.0.1", sshd.endpoint().user))
        .stdout(Stdio::null())
        .status()
        .expect("sftp starts");
    assert!(fetched.success(), "sftp: {fetched}");
    began.elapsed()
}

/// One tick of the function, in which everything is new and settled.
async fn pulled(
    sshd: &Sshd,
    port: u16,
    folder: &str,
    files: usize,
    storage: Option<StorageLocation>,
) -> (Duration, u64) {
    let place = tempfile::tempdir().expect("a temporary directory");
    let location = storage.unwrap_or_else(|| StorageLocation::Directory(place.path().join("storage")));
    let containers = Containers::open(&location).await.expect("storage opens");
    let share = DirectoryShare::open(&place.path().join("share")).await.expect("the share opens");
    let stations = PullStations {
        connector: Arc::new(SshConnector::default()),
        share: Arc::new(share),
        landing: containers.landing,
        state: containers.state,
    };
    let directory = sshd.out().join(folder).display().to_string();
    let endpoint = SftpEndpoint { port, directory: directory.clone(), ..sshd.endpoint() };
    let source = SftpSource {
        name: None,
        url: SftpUrl { user: endpoint.user.clone(), host: endpoint.host.clone(), port, directory },
        host_keys: endpoint.host_keys.clone(),
        login: Login::Password(SecretReference { setting: "none".to_owned() }),
        include: vec!["*.csv".to_owned()],
        exclude: Vec::new(),
        folders: Folders::Left,
        newer_than: None,
        done_marker: None,
        settle: Duration::ZERO,
        after: After::Keep,
        parallel: 4,
    };
    let feed = FeedName::new("flights").expect("a good name");
    let sources = vec![PullSource { feed, source, endpoint: Ok(endpoint) }];
    let memory = PeakMemory::watch();
    let began = Instant::now();
    let report = pull(&sources, &stations, &Clock::System, tokio::time::Instant::now() + LIMIT).await;
    let took = began.elapsed();
    assert_eq!((report.sources[0].pulled, report.failed()), (files, 0), "{report:?}");
    (took, memory.end())
}
