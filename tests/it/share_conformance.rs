//! What every implementation of a share must do; run on a directory, and on Azure Files over REST at a fake of the service.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};

use millrace::names::FeedName;
use millrace::stations::share::{DirectoryShare, Share, ShareError, StagedName, remove_orphans};

use crate::files_server::{FilesServer, Login};

/// Of a block as a pull writes it, and more than Azure takes at once.
const BLOCK_BYTES: usize = 4 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let open = || async {
        let share = DirectoryShare::open(&directory.path().join("staging")).await.unwrap();
        Arc::new(share) as Arc<dyn Share>
    };
    suite([open().await, open().await]).await;
    assert_eq!(std::fs::read_dir(directory.path().join("staging")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure_files_conforms_with_the_accounts_key() {
    let server = FilesServer::start();
    suite([server.share(Login::Key), server.share(Login::Key)]).await;
    assert_eq!(server.file_names(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure_files_conforms_with_a_signature_and_in_directories() {
    let server = FilesServer::start();
    let below = "a b/München #1 50%";
    suite([server.share_below(Login::AccountSignature, below), server.share_below(Login::ShareSignature, below)]).await;
    assert_eq!(server.file_names(), [""; 0]);
}

/// Runs the whole suite on a share on which nothing is staged, reached by two clients that know nothing of each other, and
/// leaves nothing there.
///
/// # Panics
/// Where the share does not conform.
pub async fn suite(clients: [Arc<dyn Share>; 2]) {
    let [share, other] = &clients;
    staged_bytes_are_read_as_they_were_written(share.as_ref()).await;
    what_is_not_there_is_gone(share.as_ref()).await;
    a_write_leaves_no_hole_and_goes_beyond_no_end(share.as_ref()).await;
    a_large_write_is_one_write(share.as_ref()).await;
    another_process_goes_on_where_one_stopped(share.as_ref(), other.as_ref()).await;
    two_who_stage_one_file_harm_neither(share.as_ref(), other.as_ref()).await;
    a_copy_that_was_removed_begins_anew(share.as_ref(), other.as_ref()).await;
    staged_files_are_listed_once_each_and_go_when_they_are_old(share.as_ref()).await;
}

fn name(path: &str) -> StagedName {
    StagedName::of(&FeedName::new("flights").unwrap(), path.as_bytes(), 10, 1_700_000_000)
}

fn is_gone<T>(outcome: &Result<T, ShareError>) -> bool {
    matches!(outcome, Err(ShareError::Gone { .. }))
}

/// Bytes of which each place has its own.
fn bytes_of_length(length: usize) -> Bytes {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<u8>>().into()
}

async fn staged_bytes_are_read_as_they_were_written(share: &dyn Share) {
    let name = name("written");
    assert_eq!(share.length(&name).await.unwrap(), None);
    share.write_at(&name, 0, Bytes::from_static(b"01234"), 10).await.unwrap();
    assert_eq!(share.length(&name).await.unwrap(), Some(5));
    share.write_at(&name, 5, Bytes::from_static(b"56789"), 10).await.unwrap();
    share.write_at(&name, 3, Bytes::from_static(b"34"), 10).await.unwrap();
    share.sync(&name).await.unwrap();
    assert_eq!(share.length(&name).await.unwrap(), Some(10));
    assert_eq!(share.read(&name, 2..7).await.unwrap(), "23456");
    assert_eq!(share.read(&name, 0..10).await.unwrap(), "0123456789");
    share.delete(&name).await.unwrap();
    assert_eq!(share.length(&name).await.unwrap(), None);
}

async fn what_is_not_there_is_gone(share: &dyn Share) {
    let name = name("gone");
    assert!(is_gone(&share.read(&name, 0..1).await));
    share.delete(&name).await.unwrap();
    share.write_at(&name, 0, Bytes::from_static(b"0123"), 10).await.unwrap();
    assert!(is_gone(&share.read(&name, 3..5).await), "the rest of the file is not staged yet");
    for _ in 0..2 {
        share.delete(&name).await.unwrap();
        assert!(is_gone(&share.read(&name, 0..1).await));
    }
}

async fn a_write_leaves_no_hole_and_goes_beyond_no_end(share: &dyn Share) {
    let name = name("holes");
    let write = |offset, bytes| share.write_at(&name, offset, Bytes::from_static(bytes), 4);
    assert!(write(1, b"x").await.is_err());
    assert_eq!(share.length(&name).await.unwrap().unwrap_or(0), 0);
    write(0, b"01").await.unwrap();
    assert!(write(3, b"3").await.is_err());
    assert!(write(2, b"234").await.is_err());
    assert_eq!(share.length(&name).await.unwrap(), Some(2));
    share.delete(&name).await.unwrap();
}

async fn a_large_write_is_one_write(share: &dyn Share) {
    let name = name("large");
    let body = bytes_of_length(2 * BLOCK_BYTES + 77);
    let half = BLOCK_BYTES / 2 + 5;
    share.write_at(&name, 0, body.slice(..half), body.len() as u64).await.unwrap();
    share.write_at(&name, half as u64, body.slice(half..), body.len() as u64).await.unwrap();
    assert_eq!(share.length(&name).await.unwrap(), Some(body.len() as u64));
    for start in (0..body.len()).step_by(BLOCK_BYTES) {
        let end = body.len().min(start + BLOCK_BYTES);
        let read = share.read(&name, start as u64..end as u64).await.unwrap();
        assert!(read == body.slice(start..end), "{start}..{end}");
    }
    share.delete(&name).await.unwrap();
}

async fn another_process_goes_on_where_one_stopped(one: &dyn Share, other: &dyn Share) {
    let name = name("resumed");
    one.write_at(&name, 0, Bytes::from_static(b"0123"), 8).await.unwrap();
    assert_eq!(other.length(&name).await.unwrap(), Some(4));
    other.write_at(&name, 4, Bytes::from_static(b"4567"), 8).await.unwrap();
    assert_eq!(other.read(&name, 0..8).await.unwrap(), "01234567");
    assert_eq!(one.read(&name, 2..6).await.unwrap(), "2345");
    assert_eq!(one.length(&name).await.unwrap(), Some(8));
    one.delete(&name).await.unwrap();
    assert!(is_gone(&other.read(&name, 0..1).await));
}

/// Two pulls of the same file, in step and out of it. They write the same bytes in the same places.
async fn two_who_stage_one_file_harm_neither(one: &dyn Share, other: &dyn Share) {
    let name = name("both");
    let body = bytes_of_length(64);
    let whole = body.len() as u64;
    let stage = async |share: &dyn Share, step: usize| {
        for start in (0..body.len()).step_by(step) {
            let part = body.slice(start..body.len().min(start + step));
            share.write_at(&name, start as u64, part, whole).await.unwrap();
        }
    };
    tokio::join!(stage(one, 8), stage(other, 8));
    for share in [one, other] {
        assert_eq!(share.length(&name).await.unwrap(), Some(whole));
        assert_eq!(share.read(&name, 0..whole).await.unwrap(), body);
    }
    stage(one, 24).await;
    assert_eq!(other.length(&name).await.unwrap(), Some(whole), "a late write takes nothing back");
    assert_eq!(other.read(&name, 0..whole).await.unwrap(), body);
    one.delete(&name).await.unwrap();
    assert_eq!(other.length(&name).await.unwrap(), None);
}

async fn a_copy_that_was_removed_begins_anew(one: &dyn Share, other: &dyn Share) {
    let name = name("removed");
    one.write_at(&name, 0, Bytes::from_static(b"0123"), 12).await.unwrap();
    one.write_at(&name, 4, Bytes::from_static(b"4567"), 12).await.unwrap();
    other.delete(&name).await.unwrap();
    assert!(one.write_at(&name, 8, Bytes::from_static(b"89ab"), 12).await.is_err(), "there is nothing to add to");
    assert_eq!(one.length(&name).await.unwrap().unwrap_or(0), 0);
    other.delete(&name).await.unwrap();
    other.write_at(&name, 0, Bytes::from_static(b"0123"), 12).await.unwrap();
    assert!(one.write_at(&name, 8, Bytes::from_static(b"89ab"), 12).await.is_err(), "it would leave a hole");
    assert_eq!(one.length(&name).await.unwrap(), Some(4));
    one.delete(&name).await.unwrap();
}

async fn staged_files_are_listed_once_each_and_go_when_they_are_old(share: &dyn Share) {
    let names: Vec<StagedName> = (0..7).map(|number| name(&number.to_string())).collect();
    for (number, name) in names.iter().enumerate() {
        for at in 0..=number {
            share.write_at(name, at as u64, Bytes::from_static(b"x"), 10).await.unwrap();
        }
    }
    let mut listed = share.list().await.unwrap();
    listed.sort_by_key(|file| file.size_bytes);
    let now = Utc::now();
    assert!(listed.iter().all(|file| (now - file.last_modified).abs() < TimeDelta::hours(1)), "{listed:?}");
    let listed: Vec<_> = listed.into_iter().map(|file| (file.name, file.size_bytes)).collect();
    assert_eq!(listed, names.iter().cloned().zip(1..=7).collect::<Vec<_>>());
    assert_eq!(remove_orphans(share, now + TimeDelta::days(6)).await.unwrap(), 0);
    assert_eq!(remove_orphans(share, now + TimeDelta::days(8)).await.unwrap(), 7);
    assert_eq!(share.list().await.unwrap(), []);
}
