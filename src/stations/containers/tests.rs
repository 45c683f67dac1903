use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use super::*;

async fn containers() -> (tempfile::TempDir, Containers) {
    let directory = tempfile::tempdir().unwrap();
    let containers = Containers::open(&StorageLocation::Directory(directory.path().into())).await.unwrap();
    (directory, containers)
}

fn blob(name: &str) -> BlobName {
    BlobName::new(name).unwrap()
}

#[tokio::test]
async fn a_directorys_address_is_a_file_url() {
    let (_directory, containers) = containers().await;
    assert!(containers.landing.url().starts_with("file:///"));
    assert!(containers.landing.url().ends_with("/landing"));
}

#[tokio::test]
async fn a_directory_refuses_the_names_it_cannot_hold() {
    let (_directory, containers) = containers().await;
    for name in ["a//b", "/a", "a/", "..", "a/../b", "a\nb", "x#1", "a/x#22", "c:", "disc:", &"x".repeat(256)] {
        let error = containers.landing.put(&blob(name), Bytes::new()).await.unwrap_err();
        assert!(matches!(error, ContainerError::Name { .. }), "{name}: {error}");
        assert!(matches!(containers.landing.head(&blob(name)).await, Err(ContainerError::Name { .. })), "{name}");
    }
    containers.landing.put(&blob("a"), Bytes::new()).await.unwrap();
    let below = containers.landing.put(&blob("a/b"), Bytes::new()).await.unwrap_err();
    assert!(matches!(below, ContainerError::Name { .. }), "{below:?}");
    containers.landing.put(&blob("c/d"), Bytes::new()).await.unwrap();
    let above = containers.landing.put(&blob("c"), Bytes::new()).await.unwrap_err();
    assert!(matches!(above, ContainerError::Name { .. }), "{above:?}");
}

#[tokio::test]
async fn whoever_only_looks_leaves_no_trace() {
    let parent = tempfile::tempdir().unwrap();
    let location = StorageLocation::Directory(parent.path().join("storage"));
    let nothing = Containers::look_at(&location).await.unwrap();
    assert_eq!(nothing.state.list("", None).try_collect::<Vec<_>>().await.unwrap(), []);
    assert_eq!(nothing.state.get(&blob("a")).await.unwrap(), None);
    assert!(nothing.landing.objection(&blob("a/../b")).is_some());
    assert!(!parent.path().join("storage").exists());

    Containers::open(&location).await.unwrap().state.put(&blob("a"), Bytes::from_static(b"x")).await.unwrap();
    let something = Containers::look_at(&location).await.unwrap();
    assert_eq!(something.state.get(&blob("a")).await.unwrap().unwrap(), "x");
    assert_eq!(something.state.url(), Containers::open(&location).await.unwrap().state.url());
}

#[tokio::test]
async fn what_object_store_lists_has_our_versions() {
    let (directory, containers) = containers().await;
    let store = LocalFileSystem::new_with_prefix(directory.path().join("landing")).unwrap();
    containers.landing.put(&blob("flights/50%#1~ ü.csv"), Bytes::from_static(b"x")).await.unwrap();
    let ours: Vec<BlobFacts> = containers.landing.list("", None).try_collect().await.unwrap();
    let theirs: Vec<object_store::ObjectMeta> = store.list(None).try_collect().await.unwrap();
    assert_eq!(theirs.len(), 1);
    assert_eq!(theirs[0].location.as_ref(), ours[0].name.as_str());
    assert_eq!(theirs[0].e_tag.as_deref(), Some(quoted(&ours[0].etag).as_str()));
    assert_eq!(theirs[0].last_modified, ours[0].last_modified);
}

#[cfg(unix)]
#[tokio::test]
async fn a_list_passes_over_what_no_blob_can_be_named() {
    use std::os::unix::ffi::OsStrExt;
    let (directory, containers) = containers().await;
    let landing = directory.path().join("landing");
    std::fs::write(landing.join(std::ffi::OsStr::from_bytes(b"not\xffutf8")), "x").unwrap();
    std::fs::write(landing.join("line\nfeed"), "x").unwrap();
    std::fs::write(landing.join("upload.csv#12"), "x").unwrap();
    std::os::unix::fs::symlink("nowhere", landing.join("broken")).unwrap();
    std::fs::write(landing.join("plain.csv"), "x").unwrap();
    let listed: Vec<BlobFacts> = containers.landing.list("", None).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|facts| facts.name.as_str()).collect::<Vec<_>>(), ["plain.csv"]);
}

#[tokio::test]
async fn a_list_of_many_goes_on_over_its_batches() {
    let (directory, containers) = containers().await;
    let landing = directory.path().join("landing");
    for number in 0..2500 {
        std::fs::write(landing.join(format!("{number:04}")), "x").unwrap();
    }
    let listed: Vec<BlobFacts> = containers.landing.list("", Some("0009")).try_collect().await.unwrap();
    let expected: Vec<String> = (10..2500).map(|number| format!("{number:04}")).collect();
    assert_eq!(listed.iter().map(|facts| facts.name.as_str()).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn an_upload_that_died_is_an_orphan_for_a_week() {
    let (directory, containers) = containers().await;
    let mut upload = containers.landing.upload(&blob("flights/1.csv")).await.unwrap();
    upload.write(Bytes::from_static(b"half")).await.unwrap();
    // As a killed process leaves it: nothing is dropped.
    std::mem::forget(upload);
    let uploads = directory.path().join(".uploads/landing");
    let orphan = std::fs::read_dir(&uploads).unwrap().next().unwrap().unwrap().path();
    let location = StorageLocation::Directory(directory.path().into());

    let reopened = Containers::open(&location).await.unwrap();
    assert!(orphan.exists());
    assert_eq!(reopened.landing.list("", None).try_collect::<Vec<_>>().await.unwrap(), []);

    let eight_days_ago = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    std::fs::File::options().write(true).open(&orphan).unwrap().set_modified(eight_days_ago).unwrap();
    Containers::open(&location).await.unwrap();
    assert!(!orphan.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_come_and_go_in_one_folder_at_the_same_time() {
    let (_directory, containers) = containers().await;
    let state = &containers.state;
    let rounds = (0..8).map(|writer| async move {
        for round in 0..50 {
            let name = blob(&format!("looks/deep/folder/{writer}"));
            state.put(&name, Bytes::from(format!("{round}"))).await.unwrap();
            state.delete(&name).await.unwrap();
        }
    });
    futures::future::join_all(rounds).await;
    assert_eq!(state.list("", None).try_collect::<Vec<_>>().await.unwrap(), []);
}
