mod at_source;
mod dry_run;
mod folders;
mod killed;
mod markers;
mod names;
pub(super) mod place;
mod server;

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use tokio::time::Instant;

use super::{PullStations, pull};
use crate::clock::Clock;
use crate::names::{BlobName, SourceName};
use crate::pipeline::After;
use place::{Place, SETTLE, source};
use server::Server;

#[tokio::test]
async fn a_file_is_pulled_once_it_has_looked_the_same_twice() {
    let place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "content", 100);
    let first = place.tick().await;
    assert_eq!((first.seen, first.settling, first.pulled), (1, 1, 0));
    let too_soon = place.tick().await;
    assert_eq!((too_soon.settling, too_soon.pulled), (1, 0));
    let settled = place.later_tick().await;
    assert_eq!((settled.settling, settled.pulled, settled.pulled_bytes, settled.failed), (0, 1, 7, 0));
    assert_eq!(place.body("flights/a.csv").await.unwrap(), "content");
    assert_eq!(place.records().await, ["a.csv/7-100.landed"]);
    assert_eq!(place.staged().await, []);
    assert_eq!(place.server.names(), ["/out/a.csv"]);
}

#[tokio::test]
async fn a_file_that_grows_starts_over() {
    let place = Place::new(Server::default(), After::Keep).await;
    for length in 1..5 {
        place.server.put("/out/a.csv", &"x".repeat(length), 100);
        assert_eq!(place.later_tick().await.pulled, 0);
        assert_eq!(place.records().await.len(), 1, "the looks at shorter versions are gone");
    }
    assert_eq!(place.later_tick().await.pulled, 1);
    assert_eq!(place.body("flights/a.csv").await.unwrap(), "xxxx");
}

#[tokio::test]
async fn only_what_the_feed_wants_is_seen() {
    let place = Place::new(Server::default(), After::Keep).await;
    for name in ["/out/a.csv", "/out/a.txt", "/out/b.tmp.csv", "/out/.millrace-0123.csv", "/elsewhere/c.csv"] {
        place.server.put(name, "x", 100);
    }
    let report = place.two_ticks().await;
    assert_eq!((report.seen, report.pulled), (1, 1));
    assert_eq!(place.landed().await.len(), 1);
}

#[tokio::test]
async fn known_files_cost_no_reading_of_records() {
    let place = Place::new(Server::default(), After::Keep).await;
    for number in 0..50 {
        place.server.put(&format!("/out/{number}.csv"), "x", 100);
    }
    assert_eq!(place.two_ticks().await.pulled, 50);
    let records: Vec<_> = place.stations.state.list("pulled/", None).try_collect().await.unwrap();
    for record in &records {
        place.stations.state.put(&record.name, Bytes::from_static(b"unreadable")).await.unwrap();
    }
    let report = place.later_tick().await;
    assert_eq!((report.known, report.pulled, report.unchanged, report.failed), (50, 0, 0, 0));
}

#[tokio::test]
async fn an_older_version_sent_again_with_its_old_time_is_pulled_again() {
    let place = Place::new(Server::default(), After::Keep).await;
    for (body, modified) in [("version A", 100), ("version B!", 200), ("version A", 100)] {
        place.server.put("/out/a.csv", body, modified);
        assert_eq!(place.two_ticks().await.pulled, 1, "{body}");
        assert_eq!(place.body("flights/a.csv").await.unwrap(), body);
    }
}

#[tokio::test]
async fn a_file_that_was_only_touched_does_not_land_again() {
    let place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "content", 100);
    place.two_ticks().await;
    let etag = place.etag("flights/a.csv").await;
    place.server.put("/out/a.csv", "content", 200);
    let report = place.two_ticks().await;
    assert_eq!((report.pulled, report.unchanged), (0, 1));
    assert_eq!(place.etag("flights/a.csv").await, etag);
    assert_eq!(place.records().await, ["a.csv/7-200.landed"]);
    place.server.put("/out/a.csv", "CONTENT", 300);
    assert_eq!(place.two_ticks().await.pulled, 1);
    assert_eq!(place.body("flights/a.csv").await.unwrap(), "CONTENT");
}

#[tokio::test]
async fn an_interrupted_transfer_goes_on_where_it_stopped() {
    let place = Place::new(Server::default(), After::Keep).await;
    let body: String = (0..5000).map(|number| char::from(b'a' + (number % 26) as u8)).collect();
    place.server.put("/out/a.csv", &body, 100);
    place.tick().await;
    let mut reads = 0;
    place.server.before_each_call(move |operation, _, _| {
        reads += usize::from(operation == "read");
        if reads == 4 { Err(()) } else { Ok(()) }
    });
    let interrupted = place.later_tick().await;
    assert_eq!((interrupted.pulled, interrupted.failed), (0, 1));
    assert!(interrupted.failures[0].message.contains("lost"), "{:?}", interrupted.failures);
    assert_eq!(place.staged().await[0].size_bytes, 3000);
    place.server.undisturbed();
    let report = place.tick().await;
    assert_eq!((report.pulled, report.resumed_bytes, report.pulled_bytes), (1, 3000, 2000));
    assert_eq!(place.body("flights/a.csv").await.unwrap(), body);
}

#[tokio::test]
async fn what_does_not_fit_the_time_waits() {
    let place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "content", 100);
    place.tick().await;
    place.clock.advance(chrono::TimeDelta::seconds(30));
    let late = place.pull_until(Instant::now()).await;
    assert_eq!((late.sources[0].waiting, late.sources[0].pulled, late.unfinished()), (1, 0, 1));
    assert_eq!(place.tick().await.pulled, 1);
}

#[tokio::test]
async fn a_transfer_that_does_not_fit_the_time_stops_and_is_kept() {
    let mut place = Place::new(Server::silent_after(2), After::Keep).await;
    place.server.put("/out/a.csv", &"0123456789".repeat(500), 100);
    place.sources[0].source.settle = Duration::ZERO;
    let report = place.pull_until(Instant::now() + Duration::from_millis(300)).await;
    assert_eq!((report.sources[0].waiting, report.failed()), (1, 0), "{report:?}");
    let staged: Vec<u64> = place.staged().await.iter().map(|file| file.size_bytes).collect();
    assert_eq!(staged, [2000]);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_pulled_is_left_for_the_next_tick() {
    let place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "content", 100);
    place.tick().await;
    place.server.before_each_call(|operation, path, files| {
        if operation == "stat" {
            files.insert(path.clone(), (Bytes::from_static(b"newer content"), 200));
        }
        Ok(())
    });
    let report = place.later_tick().await;
    assert_eq!((report.pulled, report.changed, report.failed), (0, 1, 0));
    assert_eq!((place.landed().await, place.staged().await), (vec![], vec![]));
    place.server.undisturbed();
    assert_eq!(place.two_ticks().await.pulled, 1);
    assert_eq!(place.body("flights/a.csv").await.unwrap(), "newer content");
}

#[tokio::test]
async fn a_file_that_changes_between_list_and_read_is_left_for_the_next_tick() {
    for newer in ["longer than before", "short"] {
        let place = Place::new(Server::default(), After::Keep).await;
        place.server.put("/out/a.csv", "content", 100);
        place.tick().await;
        place.server.before_each_call(move |operation, path, files| {
            if operation == "open" {
                files.insert(path.clone(), (Bytes::from_static(newer.as_bytes()), 100));
            }
            Ok(())
        });
        let report = place.later_tick().await;
        assert_eq!((report.pulled, report.changed), (0, 1));
        assert_eq!((place.landed().await, place.staged().await), (vec![], vec![]));
    }
}

#[tokio::test]
async fn what_lands_meanwhile_is_never_overwritten() {
    let place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "content", 100);
    place.tick().await;
    let landing = place.stations.landing.clone();
    let runtime = tokio::runtime::Handle::current();
    place.server.before_each_call(move |operation, _, _| {
        if operation == "open" {
            let landing = landing.clone();
            let upload = async move {
                landing.put(&BlobName::new("flights/a.csv").unwrap(), Bytes::from_static(b"by hand")).await.unwrap();
            };
            let runtime = runtime.clone();
            std::thread::spawn(move || runtime.block_on(upload)).join().unwrap();
        }
        Ok(())
    });
    let report = place.later_tick().await;
    assert_eq!((report.pulled, report.changed), (0, 1));
    assert_eq!(place.body("flights/a.csv").await.unwrap(), "by hand");
}

#[tokio::test]
async fn one_sources_trouble_is_no_other_sources_trouble() {
    let mut place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "content", 100);
    let mut others = ["bad_secret", "bad_glob", "dead_server"].map(|name| {
        let mut other = source(After::Keep);
        other.source.name = Some(SourceName::new(name).unwrap());
        other
    });
    others[0].endpoint = Err("setting `SECRET` is not set".to_owned());
    others[1].source.include = vec!["[".into()];
    others[2].endpoint.as_mut().unwrap().host = "dead".into();
    place.sources.extend(others);
    place.tick().await;
    place.clock.advance(chrono::TimeDelta::from_std(SETTLE).unwrap());
    let report = place.pull_until(Instant::now() + Duration::from_secs(60)).await;
    assert_eq!(report.sources.iter().map(|source| source.pulled).collect::<Vec<_>>(), [1, 0, 0, 0]);
    assert_eq!(report.failed(), 3);
    assert_eq!(report.sources[1].failures[0].message, "setting `SECRET` is not set");
    assert!(report.sources[2].failures[0].message.starts_with("`[` is no glob"), "{:?}", report.sources[2].failures);
    let dead = &report.sources[3].failures[0].message;
    assert!(dead.starts_with("server dead:22 cannot be reached"), "{dead}");
}

#[tokio::test]
async fn a_server_that_is_away_is_a_failure_of_its_source() {
    let place = Place::new(Server::away(), After::Keep).await;
    let report = place.tick().await;
    assert_eq!(report.failed, 1);
    assert_eq!(report.failures[0].path, None);
    assert!(report.failures[0].message.contains("memory:22 cannot be reached"), "{:?}", report.failures);
}

#[tokio::test]
async fn files_of_a_named_source_land_below_its_name() {
    let mut place = Place::new(Server::default(), After::Keep).await;
    place.sources[0].source.name = Some(SourceName::new("acme").unwrap());
    place.server.put("/out/50%#1~ ü.csv", "content", 100);
    place.server.put("/out/empty.csv", "", 100);
    assert_eq!(place.two_ticks().await.pulled, 2);
    let landed: Vec<String> = place.landed().await.into_iter().map(|facts| facts.name.into()).collect();
    assert_eq!(landed, ["flights/acme/50%#1~ ü.csv", "flights/acme/empty.csv"]);
    assert_eq!(place.later_tick().await.known, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_pulls_at_the_same_time_land_each_file_once() {
    let place = Place::new(Server::default(), After::Delete).await;
    for number in 0..20 {
        place.server.put(&format!("/out/{number}.csv"), &format!("content {number}").repeat(500), 100);
    }
    place.tick().await;
    place.clock.advance(chrono::TimeDelta::from_std(SETTLE).unwrap());
    tokio::join!(place.tick(), place.tick());
    let versions = place.landed().await;
    place.two_ticks().await;
    place.two_ticks().await;
    let landed = place.landed().await;
    assert_eq!(landed.len(), 20);
    for facts in &versions {
        assert!(landed.contains(facts), "{} landed twice", facts.name);
    }
    for number in 0..20 {
        let body = place.body(&format!("flights/{number}.csv")).await.unwrap();
        assert_eq!(body, format!("content {number}").repeat(500));
    }
    assert_eq!((place.server.names(), place.records().await), (vec![], vec![]));
}

/// The handler runs a pull on whichever thread is free.
#[test]
fn a_pull_can_move_between_threads() {
    fn can_move<T: Send>(make: impl FnOnce(&'static PullStations) -> T) {
        let _ = make;
    }
    can_move(|stations| pull(&[], stations, &Clock::System, Instant::now()));
}
