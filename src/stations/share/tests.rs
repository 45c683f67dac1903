use std::time::{Duration, SystemTime};

use super::*;

async fn share() -> (tempfile::TempDir, DirectoryShare) {
    let directory = tempfile::tempdir().unwrap();
    let share = DirectoryShare::open(&directory.path().join("staging")).await.unwrap();
    (directory, share)
}

fn name(path: &[u8]) -> StagedName {
    StagedName::of(&FeedName::new("flights").unwrap(), path, 10, 1_700_000_000)
}

#[test]
fn every_version_of_a_file_has_a_staged_name_of_its_own() {
    let feed = FeedName::new("flights").unwrap();
    let names = [
        StagedName::of(&feed, b"/out/a.csv", 10, 5),
        StagedName::of(&feed, b"/out/A.csv", 10, 5),
        StagedName::of(&feed, b"/out/\xff.csv", 10, 5),
        StagedName::of(&feed, b"/out/a.csv", 11, 5),
        StagedName::of(&feed, b"/out/a.csv", 10, 6),
        StagedName::of(&FeedName::new("events").unwrap(), b"/out/a.csv", 10, 5),
    ];
    assert_eq!(names.iter().collect::<std::collections::HashSet<_>>().len(), names.len());
}

#[tokio::test]
async fn staged_bytes_are_read_as_they_were_written() {
    let (_directory, share) = share().await;
    let name = name(b"/out/a.csv");
    assert_eq!(share.length(&name).await.unwrap(), None);
    share.write_at(&name, 0, Bytes::from_static(b"01234")).await.unwrap();
    share.write_at(&name, 5, Bytes::from_static(b"56789")).await.unwrap();
    share.write_at(&name, 3, Bytes::from_static(b"34")).await.unwrap();
    share.sync(&name).await.unwrap();
    assert_eq!(share.length(&name).await.unwrap(), Some(10));
    assert_eq!(share.read(&name, 2..7).await.unwrap(), "23456");
    assert!(matches!(share.read(&name, 8..11).await, Err(ShareError::Gone { .. })));
    share.delete(&name).await.unwrap();
    share.delete(&name).await.unwrap();
    assert!(matches!(share.read(&name, 0..1).await, Err(ShareError::Gone { .. })));
}

#[tokio::test]
async fn a_write_never_leaves_a_hole() {
    let (_directory, share) = share().await;
    let name = name(b"/out/a.csv");
    assert!(share.write_at(&name, 1, Bytes::from_static(b"x")).await.is_err());
    assert_eq!(share.length(&name).await.unwrap(), Some(0));
}

#[tokio::test]
async fn orphans_go_after_seven_days_and_strangers_stay() {
    let (directory, share) = share().await;
    let (old, new) = (name(b"/old"), name(b"/new"));
    for staged in [&old, &new] {
        share.write_at(staged, 0, Bytes::from_static(b"x")).await.unwrap();
    }
    let eight_days_ago = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    let stranger = directory.path().join("staging/README");
    std::fs::write(&stranger, "not ours").unwrap();
    for file in [&stranger, &share_path(&directory, &old)] {
        std::fs::File::options().write(true).open(file).unwrap().set_modified(eight_days_ago).unwrap();
    }
    assert_eq!(remove_orphans(&share, Utc::now()).await.unwrap(), 1);
    assert!(stranger.exists());
    let left: Vec<StagedName> = share.list().await.unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(left, [new]);
}

fn share_path(directory: &tempfile::TempDir, name: &StagedName) -> std::path::PathBuf {
    directory.path().join("staging").join(name.as_str())
}
