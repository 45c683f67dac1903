//! A dry run says what the next pull does, and does nothing itself.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use futures::TryStreamExt;

use super::place::{Place, SETTLE, source};
use super::server::{Server, path};
use crate::functions::pull::{Action, DryRunStations, SourcePlan, dry_run};
use crate::names::SourceName;
use crate::pipeline::{After, Folders};
use crate::stations::containers::BlobFacts;
use crate::stations::sftp::{RefusedName, RemoteEntry};

async fn look(place: &Place) -> Vec<SourcePlan> {
    let stations = DryRunStations {
        connector: Arc::new(place.server.clone()),
        landing: place.stations.landing.clone(),
        state: place.stations.state.clone(),
    };
    dry_run(&place.sources, &stations, &place.clock).await
}

/// Path, action, reason and words of each file of the first source.
async fn told(place: &Place) -> Vec<(String, Action, &'static str, String)> {
    let plan = look(place).await.remove(0);
    assert_eq!(plan.fault, None);
    plan.files.into_iter().map(|file| (file.path, file.action, file.reason, file.why)).collect()
}

async fn everything(place: &Place) -> (Vec<String>, Vec<String>, Vec<BlobFacts>) {
    let records: Vec<BlobFacts> = place.stations.state.list("", None).try_collect().await.unwrap();
    let records = records.into_iter().map(|facts| format!("{} {}", facts.name, facts.etag)).collect();
    (place.server.names(), records, place.landed().await)
}

#[tokio::test]
async fn each_file_is_told_what_becomes_of_it_and_why() {
    let mut place = Place::new(Server::default(), After::Keep).await;
    let feed = &mut place.sources[0].source;
    feed.done_marker = Some(".done".into());
    feed.newer_than = DateTime::from_timestamp(50, 0);
    for (name, modified) in [
        ("landed.csv", 100),
        ("landed.csv.done", 100),
        ("corrected.csv", 100),
        ("corrected.csv.done", 100),
        ("unmarked.csv", 100),
        ("marked early.csv", 100),
        ("marked early.csv.done", 99),
        ("x.tmp.csv", 100),
        ("notes.txt", 100),
        ("old.csv", 49),
        ("folder/a.csv", 100),
    ] {
        place.server.put(&format!("/out/{name}"), "x", modified);
    }
    place.two_ticks().await;
    place.server.put("/out/corrected.csv", "xy", 300);
    place.server.put("/out/corrected.csv.done", "", 300);
    place.clock.advance(TimeDelta::seconds(10));
    place.tick().await;
    place.server.put("/out/new.csv", "x", 100);
    place.server.put_oddity("/out", RemoteEntry::Link(path("/out/link")));
    let evil = RefusedName { text: "../evil".into(), rule: "it has a `/` in it" };
    place.server.put_oddity("/out", RemoteEntry::Refused(evil));
    let before = everything(&place).await;

    let told = told(&place).await;
    let since = place.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let settling = format!("settling since {since}: taken once it has not changed for 30s");
    let new = "seen for the first time now: taken once it has not changed for 30s";
    let marker = "a done marker, which is never pulled itself";
    let expected = [
        ("../evil", Action::Leave, "bad_name", "the server's name for it is refused: it has a `/` in it"),
        ("corrected.csv", Action::Leave, "settling", settling.as_str()),
        ("corrected.csv.done", Action::Leave, "done_marker", marker),
        ("folder", Action::Leave, "folder", "a folder, and `recursive` is false"),
        ("landed.csv", Action::Leave, "landed", "landed already as flights/landed.csv, with the same size and time"),
        ("landed.csv.done", Action::Leave, "done_marker", marker),
        ("link", Action::Leave, "link", "a symbolic link, which is not followed"),
        (
            "marked early.csv",
            Action::Leave,
            "unmarked",
            "waits for its done marker: `marked early.csv.done` is from 1970-01-01T00:01:39Z, before the file",
        ),
        ("marked early.csv.done", Action::Leave, "done_marker", marker),
        ("new.csv", Action::Leave, "first_seen", new),
        ("notes.txt", Action::Leave, "not_included", "no glob of `include` takes it"),
        ("old.csv", Action::Leave, "older", "older than newer_than = 1970-01-01T00:00:50Z"),
        ("unmarked.csv", Action::Leave, "unmarked", "waits for its done marker `unmarked.csv.done`"),
        ("x.tmp.csv", Action::Leave, "excluded", "excluded by `*.tmp.csv`"),
    ];
    let expected: Vec<_> =
        expected.map(|(path, action, reason, why)| (path.to_owned(), action, reason, why.to_owned())).to_vec();
    assert_eq!(told, expected);
    assert_eq!(everything(&place).await, before, "a dry run writes nothing");
}

#[tokio::test]
async fn what_would_be_pulled_is_what_is_pulled() {
    for (after, afterwards) in [
        (After::Keep, ""),
        (After::Delete, "; then deleted there"),
        (After::Move("/archive".into()), "; then moved to /archive there"),
    ] {
        let mut place = Place::new(Server::default(), after).await;
        place.sources[0].source.name = Some(SourceName::new("acme").unwrap());
        place.server.put("/out/50%#1~ ü.csv", "x", 100);
        place.tick().await;
        place.clock.advance(TimeDelta::from_std(SETTLE).unwrap());
        let before = everything(&place).await;
        let why = format!("to flights/acme/50%#1~ ü.csv{afterwards}");
        assert_eq!(told(&place).await, [("50%#1~ ü.csv".to_owned(), Action::Pull, "settled", why)]);
        assert_eq!(everything(&place).await, before, "a dry run writes nothing");
        assert_eq!(place.tick().await.pulled, 1);
        assert!(place.body("flights/acme/50%#1~ ü.csv").await.is_some());
    }
}

#[tokio::test]
async fn a_correction_says_that_it_replaces() {
    let place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "x", 100);
    place.two_ticks().await;
    place.server.put("/out/a.csv", "xy", 200);
    place.tick().await;
    place.clock.advance(TimeDelta::from_std(SETTLE).unwrap());
    let why = "to flights/a.csv, in place of an earlier version".to_owned();
    assert_eq!(told(&place).await, [("a.csv".to_owned(), Action::Pull, "settled", why)]);
}

#[tokio::test]
async fn what_is_left_to_do_at_the_source_is_told() {
    let mut place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "x", 100);
    place.server.put("/out/b.csv", "x", 100);
    place.two_ticks().await;
    place.sources[0].source.after = After::Delete;
    // The deletion of one begins, and its connection breaks.
    place.server.before_each_call(|operation, _, _| if operation == "remove" { Err(()) } else { Ok(()) });
    place.tick().await;
    place.server.undisturbed();
    place.sources[0].source.after = After::Move("/archive".into());
    let told = told(&place).await;
    let begun = "its deletion there has begun, since it has landed as flights/a.csv".to_owned();
    let next = "to /archive there, since it has landed as flights/b.csv".to_owned();
    assert_eq!(told[0].2, "being_finished", "the private name");
    assert_eq!(told[1], ("a.csv".to_owned(), Action::Delete, "being_finished", begun));
    assert_eq!(told[2], ("b.csv".to_owned(), Action::Move, "landed", next));
}

#[tokio::test]
async fn folders_that_are_read_are_told_by_what_is_in_them() {
    let mut place = Place::new(Server::default(), After::Move("/out/archive".into())).await;
    let feed = &mut place.sources[0].source;
    (feed.folders, feed.include, feed.exclude) = (Folders::Read, vec!["**/*.csv".into()], vec!["old/**".into()]);
    feed.settle = Duration::ZERO;
    for name in ["2026/a.csv", "old/b.csv", "archive/c.csv", "closed/d.csv"] {
        place.server.put(&format!("/out/{name}"), "x", 100);
    }
    place.server.close("/out/closed");
    let told: Vec<(String, &str)> = told(&place).await.into_iter().map(|row| (row.0, row.2)).collect();
    let expected = [("2026/a.csv", "settled"), ("archive", "archive"), ("closed", "unlisted"), ("old", "excluded")];
    assert_eq!(told, expected.map(|(path, reason)| (path.to_owned(), reason)));
}

#[tokio::test]
async fn one_sources_fault_stands_beside_the_others_files() {
    let mut place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "x", 100);
    let mut secretless = source(After::Keep);
    secretless.endpoint = Err("setting `SECRET` is missing".into());
    let mut lost = source(After::Keep);
    lost.endpoint.as_mut().unwrap().directory = "/lost".into();
    place.server.close("/lost");
    place.sources.extend([secretless, lost]);
    let plans = look(&place).await;
    assert_eq!(plans.iter().map(|plan| plan.files.len()).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(plans[0].fault, None);
    assert_eq!(plans[1].fault.as_deref(), Some("setting `SECRET` is missing"));
    let fault = plans[2].fault.as_deref().unwrap();
    assert!(fault.contains("does not let this account do that: list of `/lost`"), "{fault}");
}
