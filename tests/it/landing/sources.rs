//! Whole pulls: sizes, folders, done markers, names, and what the account may do.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use millrace::pipeline::{After, Folders};
use millrace::records::pulled::PulledKey;
use millrace::stations::sftp::{READ_BYTES, SshConnector};

use super::{Place, bytes_of_length, write_with_time};
use crate::sshd::Sshd;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_every_size_land_as_they_are_and_leave_their_source() {
    let Some(sshd) = Sshd::start() else { return };
    let archive = sshd.out().join("archive");
    for after in [After::Keep, After::Delete, After::Move(archive.to_str().unwrap().to_owned())] {
        let sizes = [0, 1, 30_000, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES + 7];
        for size in sizes {
            write_with_time(&sshd.out().join(format!("{size}.csv")), &bytes_of_length(size), 60);
        }
        let place = Place::new(&sshd, after.clone(), Arc::new(SshConnector::default())).await;
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
        let mut place = Place::new(&sshd, after.clone(), Arc::new(SshConnector::default())).await;
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
    let mut place = Place::new(&sshd, After::Delete, Arc::new(SshConnector::default())).await;
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
    let mut place =
        Place::new(&sshd, After::Move(archive.to_str().unwrap().to_owned()), Arc::new(SshConnector::default())).await;
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
    let mut place = Place::new(&sshd, After::Delete, Arc::new(SshConnector::default())).await;
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
