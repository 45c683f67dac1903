//! Folders below the source's directory.

use std::time::Duration;

use chrono::DateTime;

use super::place::Place;
use super::server::{Server, path};
use crate::functions::pull::wanted::DEPTH_LIMIT;
use crate::names::SourceName;
use crate::pipeline::{After, Folders};
use crate::stations::sftp::{RefusedName, RemoteEntry};

async fn recursive(after: After) -> Place {
    let mut place = Place::new(Server::default(), after).await;
    let source = &mut place.sources[0].source;
    source.folders = Folders::Read;
    source.include = vec!["**/*.csv".into()];
    source.exclude = vec!["**/old/**".into()];
    place
}

async fn blobs(place: &Place) -> Vec<String> {
    place.landed().await.into_iter().map(|facts| facts.name.into()).collect()
}

#[tokio::test]
async fn files_of_folders_land_below_folders() {
    let place = recursive(After::Keep).await;
    for name in ["/out/a.csv", "/out/2026/01/a.csv", "/out/2026/b.txt", "/out/old/c.csv", "/out/2026/old/d.csv"] {
        place.server.put(name, name, 100);
    }
    let report = place.two_ticks().await;
    assert_eq!((report.seen, report.pulled, report.failed), (2, 2, 0), "{report:?}");
    assert_eq!(blobs(&place).await, ["flights/2026/01/a.csv", "flights/a.csv"]);
    assert_eq!(place.body("flights/2026/01/a.csv").await.unwrap(), "/out/2026/01/a.csv");
    assert_eq!(place.later_tick().await.known, 2);
}

#[tokio::test]
async fn without_recursive_folders_are_left() {
    let place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/2026/a.csv", "x", 100);
    let report = place.two_ticks().await;
    assert_eq!((report.seen, report.failed), (0, 0));
}

#[tokio::test]
async fn what_is_moved_keeps_its_folder_and_is_not_seen_again() {
    let place = recursive(After::Move("/out/archive".into())).await;
    place.server.put("/out/2026/a.csv", "x", 100);
    place.server.put("/out/a.csv", "x", 100);
    let report = place.two_ticks().await;
    assert_eq!((report.pulled, report.finished, report.failed), (2, 2, 0));
    assert_eq!(place.server.names(), ["/out/archive/2026/a.csv", "/out/archive/a.csv"]);
    assert_eq!(place.later_tick().await.seen, 0);
}

#[tokio::test]
async fn a_folder_that_may_not_be_listed_is_told_and_holds_up_no_other() {
    let place = recursive(After::Keep).await;
    place.server.put("/out/closed/a.csv", "x", 100);
    place.server.put("/out/open/b.csv", "x", 100);
    place.tick().await;
    place.server.close("/out/closed");
    let report = place.later_tick().await;
    assert_eq!((report.pulled, report.failed), (1, 1));
    let message = &report.failures[0].message;
    assert!(message.starts_with("`closed` is left at its source: the folder cannot be listed: "), "{message}");
    let records = place.records().await;
    assert!(records[0].starts_with("closed%2Fa.csv/1-100.look-"), "its first look still counts: {records:?}");
    assert_eq!(records[1..], ["open%2Fb.csv/1-100.landed"]);
}

#[tokio::test]
async fn links_and_names_that_lead_out_are_never_followed() {
    let place = recursive(After::Keep).await;
    place.server.put("/secret/a.csv", "x", 100);
    place.server.put_oddity("/out", RemoteEntry::Link(path("/out/link")));
    let evil = RefusedName { text: "../secret".into(), rule: "it has a `/` in it" };
    place.server.put_oddity("/out", RemoteEntry::Refused(evil));
    place.server.before_each_call(|operation, path, _| {
        assert_eq!((operation, path.to_string().as_str()), ("list", "/out"));
        Ok(())
    });
    let report = place.tick().await;
    assert_eq!((report.seen, report.failed), (0, 1));
    assert!(report.failures[0].message.contains("`../secret` is left at its source"), "{:?}", report.failures);
}

#[tokio::test]
async fn a_servers_circle_ends_at_the_depth_that_is_read() {
    let place = recursive(After::Keep).await;
    let mut deep = "/out".to_owned();
    for _ in 0..DEPTH_LIMIT + 5 {
        deep.push_str("/d");
        place.server.put(&format!("{deep}/a.csv"), "x", 100);
    }
    let report = place.tick().await;
    assert_eq!((report.seen, report.failed), (DEPTH_LIMIT, 1), "{:?}", report.failures);
    assert!(report.failures[0].message.contains("below 32 others"), "{:?}", report.failures);
}

#[tokio::test]
async fn a_tree_that_does_not_fit_the_time_says_what_to_do() {
    let place = recursive(After::Keep).await;
    place.server.put("/out/2026/a.csv", "x", 100);
    let report = place.pull_until(tokio::time::Instant::now()).await;
    let message = &report.sources[0].failures[0].message;
    assert!(message.contains("when 1 folders had been listed") && message.contains("exclude"), "{message}");
}

#[tokio::test]
async fn sources_of_one_feed_are_told_apart_by_their_names() {
    let mut place = recursive(After::Delete).await;
    place.sources[0].source.name = Some(SourceName::new("acme").unwrap());
    let mut other = super::place::source(After::Keep);
    other.source.name = Some(SourceName::new("acme_2").unwrap());
    other.endpoint.as_mut().unwrap().directory = "/other".into();
    place.sources.push(other);
    place.server.put("/out/a.csv", "of acme", 100);
    place.server.put("/other/a.csv", "of acme_2", 100);
    place.two_ticks().await;
    assert_eq!(place.body("flights/acme/a.csv").await.unwrap(), "of acme");
    assert_eq!(place.body("flights/acme_2/a.csv").await.unwrap(), "of acme_2");
    assert_eq!(place.server.names(), ["/other/a.csv"]);
    let again = place.pull_until(tokio::time::Instant::now() + Duration::from_secs(60)).await;
    assert_eq!(again.sources.iter().map(|source| source.known).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn files_older_than_the_feed_wants_stay() {
    let mut place = Place::new(Server::default(), After::Delete).await;
    place.sources[0].source.newer_than = DateTime::from_timestamp(200, 0);
    place.server.put("/out/old.csv", "x", 199);
    place.server.put("/out/new.csv", "x", 200);
    let report = place.two_ticks().await;
    assert_eq!((report.seen, report.pulled, report.failed), (1, 1, 0));
    assert_eq!(place.server.names(), ["/out/old.csv"]);
}
