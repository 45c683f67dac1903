//! Done markers: a file waits for its own, and takes it along.

use bytes::Bytes;

use super::place::Place;
use super::server::{Server, path};
use crate::pipeline::After;

async fn place(after: After) -> Place {
    let mut place = Place::new(Server::default(), after).await;
    place.sources[0].source.done_marker = Some(".done".into());
    place.server.put("/out/a.csv", "content", 200);
    place
}

#[tokio::test]
async fn a_file_waits_for_a_marker_that_is_not_older() {
    let place = place(After::Keep).await;
    assert_eq!(place.tick().await.settling, 1);
    let waiting = place.later_tick().await;
    assert_eq!((waiting.unmarked, waiting.settling, waiting.pulled, waiting.failed), (1, 0, 0, 0));
    place.server.put("/out/a.csv.done", "", 199);
    assert_eq!(place.tick().await.unmarked, 1, "a marker of an earlier version says nothing");
    place.server.put("/out/a.csv.done", "", 200);
    assert_eq!(place.tick().await.pulled, 1, "the file had settled meanwhile");
    assert_eq!(place.landed().await.len(), 1, "the marker itself is not pulled");
    assert_eq!(place.server.names(), ["/out/a.csv", "/out/a.csv.done"]);
    assert_eq!(place.tick().await.known, 1);
}

#[tokio::test]
async fn a_file_that_waits_is_no_reason_for_another_tick() {
    let place = place(After::Keep).await;
    place.two_ticks().await;
    let report = place.pull_until(tokio::time::Instant::now() + std::time::Duration::from_secs(60)).await;
    assert_eq!((report.unfinished(), report.failed()), (0, 0));
}

#[tokio::test]
async fn a_marker_goes_with_its_file_and_after_it() {
    let archived = ["/archive/a.csv", "/archive/a.csv.done"];
    for (after, expected) in [(After::Delete, &[][..]), (After::Move("/archive".into()), &archived[..])] {
        let place = place(after).await;
        place.server.put("/out/a.csv.done", "ok", 200);
        let mut seen = Vec::new();
        let (sender, receiver) = std::sync::mpsc::channel();
        place.server.before_each_call(move |operation, path, _| {
            if operation == "rename" || operation == "remove" {
                sender.send(format!("{operation} {path}")).unwrap();
            }
            Ok(())
        });
        let report = place.two_ticks().await;
        assert_eq!((report.pulled, report.finished, report.failed), (1, 1, 0));
        assert_eq!(place.server.names(), expected);
        assert_eq!(place.records().await, [""; 0]);
        seen.extend(receiver.try_iter());
        assert_eq!(seen[0], "rename /out/a.csv");
        assert_eq!(seen[2], "rename /out/a.csv.done", "{seen:?}");
    }
}

#[tokio::test]
async fn the_next_files_marker_stays() {
    let place = place(After::Delete).await;
    place.server.put("/out/a.csv.done", "", 200);
    place.tick().await;
    // The partner sends the next file, marker and all, as soon as the first one is gone.
    place.server.before_each_call(|operation, removed, files| {
        if operation == "remove" && removed.to_string().starts_with("/out/.millrace-") {
            files.entry(path("/out/a.csv")).or_insert((Bytes::from_static(b"the next"), 300));
            files.insert(path("/out/a.csv.done"), (Bytes::new(), 300));
        }
        Ok(())
    });
    let report = place.later_tick().await;
    assert_eq!((report.pulled, report.finished, report.failed), (1, 1, 0));
    place.server.undisturbed();
    assert_eq!(place.server.names(), ["/out/a.csv", "/out/a.csv.done"]);
    assert_eq!(place.two_ticks().await.pulled, 1);
    assert_eq!(place.body("flights/a.csv").await.unwrap(), "the next");
    assert_eq!((place.server.names(), place.records().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_marker_that_was_left_by_a_kill_goes_in_the_next_tick() {
    let place = place(After::Delete).await;
    place.server.put("/out/a.csv.done", "", 200);
    let mut removals = 0;
    place.server.before_each_call(move |operation, _, _| {
        removals += usize::from(operation == "remove");
        if operation == "remove" && removals == 2 { Err(()) } else { Ok(()) }
    });
    assert_eq!(place.two_ticks().await.failed, 1);
    assert_eq!(place.server.names().len(), 1, "the marker, under its private name");
    place.server.undisturbed();
    assert_eq!(place.tick().await.failed, 0);
    assert_eq!((place.server.names(), place.records().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_marker_without_its_file_stays_and_says_nothing() {
    let place = place(After::Delete).await;
    place.server.put("/out/gone.csv.done", "", 100);
    let report = place.two_ticks().await;
    assert_eq!((report.seen, report.unmarked, report.failed), (1, 1, 0));
    assert_eq!(place.server.names(), ["/out/a.csv", "/out/gone.csv.done"]);
}
