//! What is told of staged names, and of directories alone; what every share must do is in `tests/it/share_conformance.rs`.

use std::time::{Duration, SystemTime};

use super::*;

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
async fn strangers_in_a_directory_stay_and_its_own_files_age_by_their_times() {
    let directory = tempfile::tempdir().unwrap();
    let share = DirectoryShare::open(&directory.path().join("staging")).await.unwrap();
    let feed = FeedName::new("flights").unwrap();
    let (old, new) = (StagedName::of(&feed, b"/old", 1, 0), StagedName::of(&feed, b"/new", 1, 0));
    for staged in [&old, &new] {
        share.write_at(staged, 0, Bytes::from_static(b"x"), 1).await.unwrap();
    }
    let eight_days_ago = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    let stranger = directory.path().join("staging/README");
    std::fs::write(&stranger, "not ours").unwrap();
    for file in [&stranger, &directory.path().join("staging").join(old.as_str())] {
        std::fs::File::options().write(true).open(file).unwrap().set_modified(eight_days_ago).unwrap();
    }
    assert_eq!(remove_orphans(&share, Utc::now()).await.unwrap(), 1);
    assert!(stranger.exists());
    let left: Vec<StagedName> = share.list().await.unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(left, [new]);
}
