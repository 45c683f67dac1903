//! Containers on Azurite, as settings name them, and what a service does that a test can only make it do.

mod identity;
pub mod proxy;
mod scenario;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use millrace::names::{BlobName, ETag};
use millrace::stations::Disposition;
use millrace::stations::containers::{BlobFacts, Condition, Container, ContainerError, Containers};

use crate::azurite::{azurite, storage};
use crate::containers_conformance::suite;

async fn open(connection: &str) -> Containers {
    Containers::open(&storage(connection)).await.unwrap()
}

fn blob(name: &str) -> BlobName {
    BlobName::new(name).unwrap()
}

async fn names(container: &Container, prefix: &str, after: Option<&str>) -> Vec<String> {
    let listed: Vec<BlobFacts> = container.list(prefix, after).try_collect().await.unwrap();
    listed.into_iter().map(|facts| facts.name.as_str().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azurite_conforms_by_account_key() {
    let Some(azurite) = azurite() else { return };
    suite(&open(&azurite.account().by_key()).await.landing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azurite_conforms_by_signature() {
    let Some(azurite) = azurite() else { return };
    suite(&open(&azurite.account().by_signature()).await.landing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azurite_conforms_as_development_storage() {
    let Some(azurite) = azurite() else { return };
    if !azurite.is_development_storage() {
        eprintln!("SKIPPED: port 10000 is taken, where UseDevelopmentStorage=true looks for Azurite. Free it");
        return;
    }
    suite(&open("UseDevelopmentStorage=true").await.landing).await;
}

#[tokio::test]
async fn a_look_creates_nothing_and_finds_what_is_not_there_empty() {
    let Some(azurite) = azurite() else { return };
    let account = azurite.account();
    let location = storage(&account.by_key());
    let seen = Containers::look_at(&location).await.unwrap();
    assert_eq!(names(&seen.landing, "", None).await, Vec::<String>::new());
    assert_eq!(seen.landing.head(&blob("a")).await.unwrap(), None);
    assert_eq!(seen.state.get(&blob("a")).await.unwrap(), None);
    let error = seen.state.put(&blob("a"), Bytes::from_static(b"x")).await.unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("404 ContainerNotFound"), "{reason}");
    assert!(
        reason.ends_with("create the container, or give the app the right to do it and start it again"),
        "{reason}"
    );

    let opened = Containers::open(&location).await.unwrap();
    assert_eq!(opened.landing.url(), format!("http://127.0.0.1:{}/{}/landing", azurite.port, account.name));
    opened.state.put(&blob("a"), Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(seen.state.get(&blob("a")).await.unwrap().unwrap(), "x");
    Containers::open(&location).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_goes_on_over_pages_of_five_thousand() {
    let Some(azurite) = azurite() else { return };
    let landing = open(&azurite.account().by_key()).await.landing;
    let expected: Vec<String> = (0..5003).map(|number| format!("many/{number:05}")).collect();
    let put = async |name: &String| landing.put(&blob(name), Bytes::from_static(b"x")).await;
    let puts = futures::stream::iter(&expected).map(put);
    puts.buffer_unordered(16).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(names(&landing, "many/", None).await, expected);
    assert_eq!(names(&landing, "", Some("many/00001")).await, expected[2..]);
    assert_eq!(names(&landing, "many/", Some("many/05001")).await, expected[5002..]);
}

#[tokio::test]
async fn names_that_no_path_holds_are_blobs_like_others() {
    let Some(azurite) = azurite() else { return };
    let landing = open(&azurite.account().by_key()).await.landing;
    let odd = [" blank ", "a//b", "a/b/", "c#1", "c:", "e/ /f", &"n".repeat(300)];
    for name in odd {
        let mut upload = landing.upload(&blob(name)).await.unwrap();
        upload.write(Bytes::from_static(b"odd")).await.unwrap();
        let etag = upload.commit(Condition::Absent).await.unwrap();
        assert_eq!(landing.read(&blob(name), 1..3, &etag).await.unwrap(), "dd", "{name}");
    }
    assert_eq!(names(&landing, "", None).await, odd);
    for name in odd {
        let facts = landing.head(&blob(name)).await.unwrap().unwrap();
        landing.delete_version(&facts.name, &facts.etag).await.unwrap();
    }
    assert_eq!(names(&landing, "", None).await, Vec::<String>::new());
    for name in ["..", "a/./b", "a\nb"] {
        let error = landing.head(&blob(name)).await.unwrap_err();
        assert!(matches!(error, ContainerError::Name { .. }), "{name}: {error}");
    }
}

/// Bytes that count how many of their kind there are.
struct Counted {
    bytes: Vec<u8>,
    held: Arc<AtomicUsize>,
}

impl Counted {
    fn bytes(length: usize, fill: u8, held: &Arc<AtomicUsize>) -> Bytes {
        held.fetch_add(length, Ordering::SeqCst);
        Bytes::from_owner(Counted { bytes: vec![fill; length], held: Arc::clone(held) })
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes.len(), Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_upload_holds_a_few_blocks_and_keeps_their_order() {
    const MIB: usize = 1 << 20;
    let Some(azurite) = azurite() else { return };
    let landing = open(&azurite.account().by_key()).await.landing;
    let name = blob("flights/large.csv");
    let held = Arc::new(AtomicUsize::new(0));
    let mut upload = landing.upload(&name).await.unwrap();
    // As pulls write; then larger, smaller and odd ones.
    let sizes =
        [4 * MIB; 12].into_iter().chain([9 * MIB, MIB, 3 * MIB + 1, 7, 0, 5 * MIB, MIB - 3]).collect::<Vec<_>>();
    let mut most = 0;
    for (number, size) in sizes.iter().enumerate() {
        upload.write(Counted::bytes(*size, number as u8, &held)).await.unwrap();
        most = most.max(held.load(Ordering::SeqCst));
    }
    let etag = upload.commit(Condition::Absent).await.unwrap();
    assert_eq!(held.load(Ordering::SeqCst), 0, "a block is let go once it is there");
    // Two blocks on their way, of pieces of 9 MiB at most, and the one being written.
    assert!(most <= 20 * MIB, "{} MiB were held", most / MIB);

    let mut offset = 0;
    for (number, size) in sizes.iter().enumerate() {
        let (begin, end) = (offset, offset + *size as u64);
        let bytes = landing.read(&name, begin..end, &etag).await.unwrap();
        assert!(bytes.iter().all(|byte| *byte == number as u8), "piece {number}");
        offset = end;
    }
    assert_eq!(landing.head(&name).await.unwrap().unwrap().size_bytes, offset);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rivals_commit_wins_and_ours_is_superseded() {
    let Some(azurite) = azurite() else { return };
    let landing = open(&azurite.account().by_key()).await.landing;
    let name = blob("flights/rivals.csv");
    let mut ours = landing.upload(&name).await.unwrap();
    ours.write(vec![1; 5 << 20].into()).await.unwrap();
    let mut theirs = landing.upload(&name).await.unwrap();
    theirs.write(vec![2; 9 << 20].into()).await.unwrap();
    let won = theirs.commit(Condition::Absent).await.unwrap();
    assert!(matches!(ours.commit(Condition::Absent).await, Err(ContainerError::Superseded { .. })));
    assert_eq!(landing.head(&name).await.unwrap().unwrap().etag, won);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_that_a_rival_threw_away_are_left_to_another_try() {
    let Some(azurite) = azurite() else { return };
    let landing = open(&azurite.account().by_key()).await.landing;
    let name = blob("flights/thrown.csv");
    let mut ours = landing.upload(&name).await.unwrap();
    // Two blocks may be on their way: with the third, one has arrived.
    ours.write(vec![1; 12 << 20].into()).await.unwrap();
    // A commit throws away all blocks that wait. The rival's blob went since, so our condition holds.
    let theirs = landing.upload(&name).await.unwrap().commit(Condition::Absent).await.unwrap();
    landing.delete_version(&name, &theirs).await.unwrap();
    let error = ours.commit(Condition::Absent).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry, "{error:?}");
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("400 InvalidBlockList"), "{reason}");
    assert_eq!(landing.head(&name).await.unwrap(), None);
}

#[tokio::test]
async fn an_empty_upload_is_an_empty_blob() {
    let Some(azurite) = azurite() else { return };
    let landing = open(&azurite.account().by_key()).await.landing;
    let name = blob("flights/empty.csv");
    let etag = landing.upload(&name).await.unwrap().commit(Condition::Absent).await.unwrap();
    assert_eq!(landing.head(&name).await.unwrap().unwrap().size_bytes, 0);
    assert_eq!(landing.read(&name, 0..0, &etag).await.unwrap(), "");
    assert!(matches!(landing.read(&name, 0..1, &etag).await, Err(ContainerError::OutOfRange { .. })));
    let unknown = ETag::new("0x0").unwrap();
    assert!(matches!(landing.read(&name, 0..1, &unknown).await, Err(ContainerError::Superseded { .. })));
}
