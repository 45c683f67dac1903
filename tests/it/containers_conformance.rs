//! What every implementation of a container must do; run on a directory here, and on whatever other store a test can reach.

use bytes::Bytes;
use futures::TryStreamExt;

use millrace::names::{BlobName, ETag};
use millrace::stations::containers::{BlobFacts, Condition, Container, ContainerError, Containers, StorageLocation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let location = StorageLocation::Directory(directory.path().to_owned());
    let containers = Containers::open(&location).await.unwrap();
    suite(&containers.landing).await;
    assert_eq!(containers.landing.list("", None).try_collect::<Vec<_>>().await.unwrap(), []);
}

/// Runs the whole suite on a container in which nothing begins with `conformance/`, and leaves nothing there.
///
/// # Panics
/// Where the container does not conform.
pub async fn suite(container: &Container) {
    a_record_is_read_as_it_was_written(container).await;
    a_record_is_created_once(container).await;
    an_upload_is_seen_whole_or_not_at_all(container).await;
    a_commit_needs_its_condition(container).await;
    of_two_uploads_under_one_condition_one_wins(container).await;
    two_commits_have_different_versions(container).await;
    a_version_is_deleted_and_no_other(container).await;
    a_read_names_the_version_it_wants(container).await;
    odd_names_come_back_as_they_were(container).await;
    a_list_is_sorted_and_goes_on_after_a_name(container).await;
    for facts in names_below(container, "conformance/", None).await {
        container.delete(&facts.name).await.unwrap();
    }
}

fn blob(name: &str) -> BlobName {
    BlobName::new(format!("conformance/{name}")).unwrap()
}

async fn names_below(container: &Container, prefix: &str, after: Option<&str>) -> Vec<BlobFacts> {
    container.list(prefix, after).try_collect().await.unwrap()
}

async fn upload(
    container: &Container,
    name: &BlobName,
    body: &str,
    condition: Condition,
) -> Result<ETag, ContainerError> {
    let mut upload = container.upload(name).await.unwrap();
    for block in body.as_bytes().chunks(3) {
        upload.write(Bytes::copy_from_slice(block)).await.unwrap();
    }
    assert_eq!(upload.size_bytes(), body.len() as u64);
    upload.commit(condition).await
}

fn is_superseded<T>(outcome: &Result<T, ContainerError>) -> bool {
    matches!(outcome, Err(ContainerError::Superseded { .. }))
}

async fn a_record_is_read_as_it_was_written(container: &Container) {
    let name = blob("record.json");
    assert_eq!(container.get(&name).await.unwrap(), None);
    assert_eq!(container.head(&name).await.unwrap(), None);
    for body in ["{}", "", "{\"longer\":1}"] {
        let etag = container.put(&name, Bytes::from_static(body.as_bytes())).await.unwrap();
        assert_eq!(container.get(&name).await.unwrap().unwrap(), body);
        let facts = container.head(&name).await.unwrap().unwrap();
        assert_eq!((facts.name, facts.etag, facts.size_bytes), (name.clone(), etag, body.len() as u64));
    }
    container.delete(&name).await.unwrap();
    container.delete(&name).await.unwrap();
    assert_eq!(container.get(&name).await.unwrap(), None);
}

async fn a_record_is_created_once(container: &Container) {
    let name = blob("once");
    assert!(container.put_new(&name, Bytes::from_static(b"first")).await.unwrap());
    assert!(!container.put_new(&name, Bytes::from_static(b"second")).await.unwrap());
    assert_eq!(container.get(&name).await.unwrap().unwrap(), "first");
}

async fn an_upload_is_seen_whole_or_not_at_all(container: &Container) {
    let name = blob("upload/whole.csv");
    let mut begun = container.upload(&name).await.unwrap();
    begun.write(Bytes::from_static(b"half ")).await.unwrap();
    assert_eq!(container.head(&name).await.unwrap(), None);
    assert_eq!(names_below(container, "conformance/upload/", None).await, []);
    begun.write(Bytes::from_static(b"and half")).await.unwrap();
    let etag = begun.commit(Condition::Absent).await.unwrap();
    assert_eq!(container.read(&name, 0..13, &etag).await.unwrap(), "half and half");
    assert_eq!(names_below(container, "conformance/upload/", None).await[0].etag, etag);

    let dropped = blob("upload/dropped.csv");
    container.upload(&dropped).await.unwrap().write(Bytes::from_static(b"x")).await.unwrap();
    container.upload(&dropped).await.unwrap().abort().await.unwrap();
    assert_eq!(names_below(container, "conformance/upload/", None).await.len(), 1);
}

async fn a_commit_needs_its_condition(container: &Container) {
    let name = blob("condition.csv");
    let unknown = ETag::new("0x0").unwrap();
    assert!(is_superseded(&upload(container, &name, "one", Condition::Is(unknown.clone())).await));
    let first = upload(container, &name, "one", Condition::Absent).await.unwrap();
    assert!(is_superseded(&upload(container, &name, "two", Condition::Absent).await));
    assert!(is_superseded(&upload(container, &name, "two", Condition::Is(unknown)).await));
    assert_eq!(container.get(&name).await.unwrap().unwrap(), "one");
    let second = upload(container, &name, "two", Condition::Is(first.clone())).await.unwrap();
    assert!(is_superseded(&upload(container, &name, "three", Condition::Is(first)).await));
    assert_eq!(container.head(&name).await.unwrap().unwrap().etag, second);
}

async fn of_two_uploads_under_one_condition_one_wins(container: &Container) {
    let name = blob("race.csv");
    let start = upload(container, &name, "start", Condition::Absent).await.unwrap();
    let rivals = (0..8).map(|rival| {
        let (name, condition) = (name.clone(), Condition::Is(start.clone()));
        async move { upload(container, &name, &format!("rival {rival}"), condition).await }
    });
    let outcomes = futures::future::join_all(rivals).await;
    let winners: Vec<&ETag> = outcomes.iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| is_superseded(outcome)).count(), 7);
    assert_eq!(container.head(&name).await.unwrap().unwrap().etag, *winners[0]);
}

async fn two_commits_have_different_versions(container: &Container) {
    let name = blob("versions");
    let mut seen = std::collections::HashSet::new();
    let mut present = upload(container, &name, "0000", Condition::Absent).await.unwrap();
    for number in 1..50 {
        let etag = upload(container, &name, &format!("{number:04}"), Condition::Is(present.clone())).await.unwrap();
        assert!(seen.insert(std::mem::replace(&mut present, etag)), "version {number} has the ETag of another");
        let etag = container.put(&name, Bytes::from(format!("{number:04}"))).await.unwrap();
        assert!(seen.insert(std::mem::replace(&mut present, etag)), "record {number} has the ETag of another");
    }
}

async fn a_version_is_deleted_and_no_other(container: &Container) {
    let name = blob("folder/deleted.csv");
    let first = upload(container, &name, "one", Condition::Absent).await.unwrap();
    let second = upload(container, &name, "two", Condition::Is(first.clone())).await.unwrap();
    assert!(is_superseded(&container.delete_version(&name, &first).await));
    assert_eq!(container.head(&name).await.unwrap().unwrap().etag, second);
    container.delete_version(&name, &second).await.unwrap();
    assert_eq!(container.head(&name).await.unwrap(), None);
    container.delete_version(&name, &second).await.unwrap();
}

async fn a_read_names_the_version_it_wants(container: &Container) {
    let name = blob("read.csv");
    let first = upload(container, &name, "0123456789", Condition::Absent).await.unwrap();
    assert_eq!(container.read(&name, 2..5, &first).await.unwrap(), "234");
    assert_eq!(container.read(&name, 4..4, &first).await.unwrap(), "");
    assert!(matches!(container.read(&name, 8..11, &first).await, Err(ContainerError::OutOfRange { .. })));
    let second = upload(container, &name, "abcdefghij", Condition::Is(first.clone())).await.unwrap();
    assert!(is_superseded(&container.read(&name, 2..5, &first).await));
    assert_eq!(container.read(&name, 2..5, &second).await.unwrap(), "cde");
    container.delete(&name).await.unwrap();
    assert!(matches!(container.read(&name, 2..5, &second).await, Err(ContainerError::Gone { .. })));
}

async fn odd_names_come_back_as_they_were(container: &Container) {
    let odd = [
        "50%#1~ ü.csv",
        "a b",
        "%41",
        "%2F",
        "?q=1&x",
        "[0]{1}^`\"|<>",
        "x\\y",
        "日本語/ß.csv",
        "e\u{301}",
        "...",
        "1:",
        "c:\\d",
    ];
    let odd: Vec<BlobName> = odd.iter().map(|name| blob(&format!("odd/{name}"))).collect();
    // What a store would change is refused by its name, and nothing else.
    let (refused, odd): (Vec<BlobName>, Vec<BlobName>) =
        odd.into_iter().partition(|name| container.objection(name).is_some());
    assert!(refused.iter().all(|name| name.as_str().contains('\\')), "{refused:?}");
    for name in &refused {
        assert!(matches!(container.head(name).await, Err(ContainerError::Name { .. })));
    }
    for name in &odd {
        let etag = upload(container, name, "odd", Condition::Absent).await.unwrap();
        assert_eq!(container.read(name, 0..3, &etag).await.unwrap(), "odd");
    }
    let listed = names_below(container, "conformance/odd/", None).await;
    let mut expected = odd;
    expected.sort();
    assert_eq!(listed.iter().map(|facts| facts.name.clone()).collect::<Vec<_>>(), expected);
    for facts in listed {
        assert_eq!(container.head(&facts.name).await.unwrap().unwrap(), facts);
    }
}

async fn a_list_is_sorted_and_goes_on_after_a_name(container: &Container) {
    let names = ["list/a", "list/a.b/1", "list/a.b/2/x", "list/a0", "list/b", "list/b/", "list/bc/d", "listing"];
    let names: Vec<BlobName> = names.into_iter().filter(|name| !name.ends_with('/')).map(blob).collect();
    for name in &names {
        container.put(name, Bytes::from_static(b"x")).await.unwrap();
    }
    let expect = async |prefix: &str, after: Option<&str>| {
        let prefix = format!("conformance/{prefix}");
        let after = after.map(|name| format!("conformance/{name}"));
        let listed = names_below(container, &prefix, after.as_deref()).await;
        let expected: Vec<&BlobName> = names
            .iter()
            .filter(|name| name.as_str().starts_with(&prefix) && after.as_deref().is_none_or(|a| name.as_str() > a))
            .collect();
        assert_eq!(listed.iter().map(|facts| &facts.name).collect::<Vec<_>>(), expected, "{prefix} after {after:?}");
    };
    for prefix in
        ["list", "list/", "list/a", "list/a.", "list/a.b/", "list/b", "list/zzz", "list/a/none/", "none/at/all"]
    {
        expect(prefix, None).await;
        for after in ["", "list/a", "list/a.b", "list/a.b/1", "list/a.b/2", "list/a.c", "list/b", "list/bc/d", "zzz"] {
            expect(prefix, Some(after)).await;
        }
    }
}
