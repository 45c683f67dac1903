//! A pull that is killed at any instant loses nothing and lands nothing twice.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use super::place::Place;
use super::server::Server;
use crate::pipeline::After;

/// Runs a future for so many steps and then drops it where it stands, as a kill would: what it has asked of a disk or a
/// server still happens, and nothing else does.
struct Killed<F> {
    running: Pin<Box<F>>,
    steps_left: usize,
}

impl<F: Future> Future for Killed<F> {
    /// `None`: killed.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.steps_left == 0 {
            return Poll::Ready(None);
        }
        self.steps_left -= 1;
        self.running.as_mut().poll(context).map(Some)
    }
}

const BODY_BYTES: usize = 3500;

async fn survives_a_kill_after(steps: usize, after: &After, done_marker: Option<&str>) -> bool {
    let mut place = Place::new(Server::default(), after.clone()).await;
    place.sources[0].source.parallel = 1;
    place.sources[0].source.done_marker = done_marker.map(str::to_owned);
    let bodies = ["first ", "second "].map(|text| text.repeat(BODY_BYTES / text.len()));
    place.server.put("/out/1.csv", &bodies[0], 100);
    place.server.put("/out/2.csv", &bodies[1], 100);
    if let Some(marker) = done_marker {
        place.server.put(&format!("/out/1.csv{marker}"), "", 100);
        place.server.put(&format!("/out/2.csv{marker}"), "", 100);
    }
    place.tick().await;

    place.clock.advance(chrono::TimeDelta::seconds(30));
    let was_killed = pin!(Killed { running: Box::pin(place.tick()), steps_left: steps }).await.is_none();
    let landed_by_the_killed = place.landed().await;

    for _ in 0..4 {
        let report = place.later_tick().await;
        assert_eq!(report.failed, 0, "after {steps} steps: {:?}", report.failures);
    }
    let landed = place.landed().await;
    assert_eq!(landed.len(), 2, "after {steps} steps");
    for facts in &landed_by_the_killed {
        assert!(landed.contains(facts), "after {steps} steps, {} landed twice", facts.name);
    }
    for (number, body) in bodies.iter().enumerate() {
        let blob = format!("flights/{}.csv", number + 1);
        assert_eq!(place.body(&blob).await.unwrap(), body.as_str(), "after {steps} steps");
    }
    let folder = match after {
        After::Keep => Some("/out"),
        After::Delete => None,
        After::Move(archive) => Some(archive.as_str()),
    };
    let with_marker = |file: String| [Some(file.clone()), done_marker.map(|marker| file + marker)];
    let expected_at_source: Vec<String> = folder
        .into_iter()
        .flat_map(|folder| [format!("{folder}/1.csv"), format!("{folder}/2.csv")])
        .flat_map(with_marker)
        .flatten()
        .collect();
    assert_eq!(place.server.names(), expected_at_source, "after {steps} steps");
    let expected_records = match after {
        After::Keep => vec!["1.csv/3498-100.landed", "2.csv/3500-100.landed"],
        After::Delete | After::Move(_) => vec![],
    };
    assert_eq!(place.records().await, expected_records, "after {steps} steps");
    was_killed
}

async fn survives_a_kill_anywhere(after: After, done_marker: Option<&str>) {
    let mut steps = 0;
    while survives_a_kill_after(steps, &after, done_marker).await {
        steps += 1;
    }
    assert!(steps > 10, "a pull of two files takes more than {steps} steps");
}

#[tokio::test]
async fn a_pull_that_keeps_survives_a_kill_anywhere() {
    survives_a_kill_anywhere(After::Keep, None).await;
}

#[tokio::test]
async fn a_pull_that_deletes_survives_a_kill_anywhere() {
    survives_a_kill_anywhere(After::Delete, None).await;
}

#[tokio::test]
async fn a_pull_that_moves_survives_a_kill_anywhere() {
    survives_a_kill_anywhere(After::Move("/archive".into()), None).await;
}

#[tokio::test]
async fn a_pull_that_takes_done_markers_along_survives_a_kill_anywhere() {
    survives_a_kill_anywhere(After::Delete, Some(".done")).await;
    survives_a_kill_anywhere(After::Move("/archive".into()), Some(".done")).await;
}

#[tokio::test]
async fn a_file_that_was_staged_whole_is_not_transferred_again() {
    let place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "content", 100);
    place.tick().await;
    place.server.before_each_call(|operation, _, _| if operation == "stat" { Err(()) } else { Ok(()) });
    assert_eq!(place.later_tick().await.failed, 1);
    assert_eq!(place.staged().await[0].size_bytes, 7);
    place.server.undisturbed();
    let report = place.tick().await;
    assert_eq!((report.pulled, report.resumed_bytes, report.pulled_bytes), (1, 7, 0));
    assert_eq!(place.body("flights/a.csv").await.unwrap(), "content");
}

#[tokio::test]
async fn a_file_that_landed_without_its_record_does_not_land_again() {
    let place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "content", 100);
    place.two_ticks().await;
    let etag = place.etag("flights/a.csv").await;
    let record = crate::names::BlobName::new("pulled/flights/a.csv/7-100.landed").unwrap();
    place.stations.state.delete(&record).await.unwrap();
    let report = place.two_ticks().await;
    assert_eq!((report.pulled, report.unchanged), (0, 1));
    assert_eq!(place.etag("flights/a.csv").await, etag);
    assert_eq!(place.records().await, ["a.csv/7-100.landed"]);
}

#[tokio::test]
async fn a_deletion_whose_records_were_left_is_over() {
    let place = Place::new(Server::default(), After::Keep).await;
    place.server.put("/out/a.csv", "content", 100);
    place.two_ticks().await;
    let [landed, finishing] = ["landed", "finishing"]
        .map(|state| crate::names::BlobName::new(format!("pulled/flights/a.csv/7-100.{state}")).unwrap());
    let body = place.stations.state.get(&landed).await.unwrap().unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap().replace("\"keep\"", "\"delete\"");
    for left in [vec![&landed, &finishing], vec![&finishing]] {
        place.server.put("/out/a.csv", "the next", 200);
        for record in left {
            place.stations.state.put(record, body.clone().into()).await.unwrap();
        }
        let report = place.tick().await;
        assert_eq!((report.finished, report.failed), (0, 0));
        assert_eq!(place.server.names(), ["/out/a.csv"], "the next file of this name is another file");
        assert_eq!(place.records().await, [""; 0]);
    }
}
