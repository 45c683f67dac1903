//! What happens to files at their source once they have landed.

use bytes::Bytes;

use super::place::Place;
use super::server::Server;
use crate::pipeline::After;

async fn place(after: After) -> Place {
    let place = Place::new(Server::default(), after).await;
    place.server.put("/out/a.csv", "content", 1_700_000_000);
    place
}

fn archive() -> After {
    After::Move("/archive/flights".into())
}

#[tokio::test]
async fn a_landed_file_is_deleted_and_forgotten_so_that_its_name_can_come_again() {
    let place = place(After::Delete).await;
    for body in ["content", "content", "other"] {
        place.server.put("/out/a.csv", body, 1_700_000_000);
        let report = place.two_ticks().await;
        assert_eq!((report.pulled + report.unchanged, report.finished, report.failed), (1, 1, 0));
        assert_eq!((place.server.names(), place.records().await), (vec![], vec![]));
        assert_eq!(place.body("flights/a.csv").await.unwrap(), body);
    }
}

#[tokio::test]
async fn a_landed_file_is_moved_and_overwrites_nothing_in_the_archive() {
    let place = place(archive()).await;
    let mut expected = Vec::new();
    for (body, name) in [
        ("1", "/archive/flights/a.csv"),
        ("2", "/archive/flights/a.csv.20231114T221320Z"),
        ("33", "/archive/flights/a.csv.20231114T221320Z.2"),
    ] {
        place.server.put("/out/a.csv", body, 1_700_000_000);
        assert_eq!(place.two_ticks().await.finished, 1);
        assert_eq!(place.server.body(name).unwrap(), body);
        expected.push(name);
        assert_eq!(place.server.names(), expected);
    }
}

#[tokio::test]
async fn files_that_landed_before_the_feed_said_delete_go_too() {
    let mut place = place(After::Keep).await;
    assert_eq!(place.two_ticks().await.pulled, 1);
    place.sources[0].source.after = After::Delete;
    let report = place.tick().await;
    assert_eq!((report.known, report.finished), (1, 1));
    assert_eq!((place.server.names(), place.records().await), (vec![], vec![]));
}

/// The partner replaces the file just before it is renamed to its private name.
fn replace_before_rename(place: &Place, newer: &'static str, newest: Option<&'static str>) {
    let mut renames = 0;
    place.server.before_each_call(move |operation, path, files| {
        renames += usize::from(operation == "rename");
        if operation == "rename" && renames == 1 {
            files.insert(path.clone(), (Bytes::from_static(newer.as_bytes()), 1_700_000_100));
        }
        if let (2, "rename", Some(newest)) = (renames, operation, newest) {
            let original = super::server::path("/out/a.csv");
            files.insert(original, (Bytes::from_static(newest.as_bytes()), 1_700_000_200));
        }
        Ok(())
    });
}

#[tokio::test]
async fn a_version_that_slips_in_before_the_deletion_goes_back_and_is_pulled() {
    for after in [After::Delete, archive()] {
        let place = place(after).await;
        replace_before_rename(&place, "newer", None);
        let report = place.two_ticks().await;
        assert_eq!((report.pulled, report.finished, report.failed), (1, 0, 0));
        assert_eq!(place.server.names(), ["/out/a.csv"]);
        place.server.undisturbed();
        assert_eq!(place.two_ticks().await.pulled, 1);
        assert_eq!(place.body("flights/a.csv").await.unwrap(), "newer");
        assert_eq!(place.records().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_version_that_cannot_go_back_is_pulled_from_where_it_is_before_the_newest_one() {
    for after in [After::Delete, archive()] {
        let place = place(after).await;
        replace_before_rename(&place, "newer", Some("the newest"));
        assert_eq!(place.two_ticks().await.pulled, 1);
        place.server.undisturbed();
        let at_source = place.server.names();
        assert_eq!(at_source.len(), 2, "{at_source:?}");
        assert_eq!(place.body("flights/a.csv").await.unwrap(), "content");

        let report = place.later_tick().await;
        assert_eq!((report.pulled, report.finished, report.failed), (1, 1, 0), "{report:?}");
        assert_eq!(place.body("flights/a.csv").await.unwrap(), "newer");

        let report = place.two_ticks().await;
        assert_eq!((report.pulled, report.finished, report.failed), (1, 1, 0));
        assert_eq!(place.body("flights/a.csv").await.unwrap(), "the newest");
        assert_eq!(place.records().await, [""; 0]);
        assert!(place.server.names().iter().all(|name| name.starts_with("/archive/")));
    }
}

#[tokio::test]
async fn what_has_begun_is_finished_even_if_the_feed_now_says_keep() {
    let mut place = place(After::Delete).await;
    place.server.before_each_call(|operation, _, _| if operation == "remove" { Err(()) } else { Ok(()) });
    assert_eq!(place.two_ticks().await.failed, 1);
    assert!(place.server.names()[0].starts_with("/out/.millrace-"), "{:?}", place.server.names());
    place.server.undisturbed();
    place.sources[0].source.after = After::Keep;
    assert_eq!(place.tick().await.finished, 1);
    assert_eq!((place.server.names(), place.records().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_read_only_account_lands_its_files_and_says_why_they_stay() {
    for after in [After::Delete, archive()] {
        let mut place = Place::new(Server::read_only(), after).await;
        for number in 0..20 {
            place.server.put(&format!("/out/{number}.csv"), "content", 100);
        }
        place.sources[0].source.parallel = 1;
        let report = place.two_ticks().await;
        assert_eq!((report.pulled, report.finished, report.failed), (20, 0, 1), "one refusal tells for the folder");
        let message = &report.failures[0].message;
        assert!(
            message.contains("is not allowed: ask the partner") && message.contains("`after = \"keep\"`"),
            "{message}"
        );
        let again = place.tick().await;
        assert_eq!((again.known, again.pulled, again.failed), (20, 0, 1));
        place.sources[0].source.after = After::Keep;
        let kept = place.tick().await;
        assert_eq!((kept.known, kept.pulled, kept.failed), (20, 0, 0), "the remedy works");
        assert_eq!(place.landed().await.len(), 20);
        assert_eq!(place.server.names().len(), 20);
    }
}

#[tokio::test]
async fn a_move_onto_itself_is_refused() {
    let place = place(After::Move("/out".into())).await;
    let report = place.two_ticks().await;
    assert_eq!(report.failed, 1);
    assert!(report.failures[0].message.contains("name another directory"), "{:?}", report.failures);
    assert_eq!(place.server.names(), ["/out/a.csv"]);
}
