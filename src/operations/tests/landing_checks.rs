//! Landing beside the ledger.

use super::{Place, blob, feed};
use crate::operations::landing_check::check_landing;
use crate::operations::side_by_side::SideBySide;
use crate::records::loaded;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_name_comes_once_with_what_each_side_knows() {
    let place = Place::new().await;
    let names = ["flights/a.csv", "flights/a.csv.gz", "flights/a/b.csv", "flights/b.csv", "flights/ü.csv"];
    for (position, name) in names.into_iter().enumerate() {
        let etag = place.land(&blob(name), "x").await;
        if position % 2 == 0 {
            place.count(&blob(name), &etag, "AA").await;
        }
    }
    place.containers.landing.delete(&blob("flights/a/b.csv")).await.unwrap();
    let mut pairs = SideBySide::new(&feed(), &place.containers.landing, &place.warehouse);
    let mut seen = Vec::new();
    while let Some(pair) = pairs.next().await.unwrap() {
        seen.push((pair.blob.to_string(), pair.unit.is_some(), pair.landed.is_some()));
    }
    let expected = [(true, true), (false, true), (true, false), (false, true), (true, true)];
    let expected: Vec<_> =
        names.into_iter().zip(expected).map(|(name, (unit, landed))| (name.to_owned(), unit, landed)).collect();
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_what_is_gone_and_what_is_lost_is_told_apart() {
    let place = Place::new().await;
    let etag = place.land(&blob("flights/counted.csv"), "x").await;
    place.count(&blob("flights/counted.csv"), &etag, "AA").await;
    place.land(&blob("flights/counted.csv"), "a correction").await;
    place.land(&blob("flights/waiting.csv"), "x").await;
    let gone = place.land(&blob("flights/gone.csv"), "x").await;
    place.count(&blob("flights/gone.csv"), &gone, "UA").await;
    place.containers.landing.delete(&blob("flights/gone.csv")).await.unwrap();
    let lost = place.land(&blob("flights/lost.csv"), "x").await;
    let marker = loaded::read(&place.containers.state, &blob("flights/gone.csv"), &gone).await.unwrap().unwrap();
    let marker = loaded::LoadedMarker { blob: blob("flights/lost.csv"), etag: lost, ..marker };
    loaded::write(&place.containers.state, &marker).await.unwrap();

    let check = check_landing(&place.meaning(), &place.containers, &place.warehouse).await.unwrap();
    assert_eq!((check.landed, check.counted, check.dead, check.retracted), (3, 0, 0, 0));
    assert_eq!(check.waiting.first, [blob("flights/counted.csv"), blob("flights/waiting.csv")]);
    assert_eq!(check.lost.first, [blob("flights/lost.csv")]);
    assert_eq!(check.gone.first, [blob("flights/gone.csv")]);
    assert_eq!(check.older_meaning.count, 0);
}
