//! Names that partners' systems make up, and directories full of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::place::{Place, source};
use super::server::{Server, path};
use crate::functions::pull::PullSource;
use crate::names::{BlobName, ETag, Sha256};
use crate::pipeline::{After, Folders};
use crate::records::pulled::{self, AtSource, FileVersion, LandedFile, Landing, PulledKey, RecordState};

const ODD_NAMES: [&[u8]; 25] = [
    "50%#1~ ü.csv".as_bytes(),
    b" leading and trailing ",
    b"quo\"te'd`$(rm).csv",
    b"100%",
    b"%41%.csv",
    b"%2e%2E",
    b"report#12",
    b"a?b=c&d.csv",
    b"back\\slash.csv",
    b"...hidden",
    b"ends with a dot.",
    b"...",
    b"new\nline\ttab\x1b[31m.csv",
    "航班 рейс 🛫.csv".as_bytes(),
    "u\u{308}.csv".as_bytes(),
    "\u{fc}.csv".as_bytes(),
    b"M\xfcnchen.csv",
    b"\xff\xfe\x80",
    b"Case.csv",
    b"case.csv",
    b"CON",
    b"C:",
    b"~",
    b"*[x]{y}!.csv",
    b"=x",
];

fn everything(place: &mut Place) {
    let PullSource { source, .. } = &mut place.sources[0];
    (source.include, source.exclude) = (vec![], vec![]);
}

#[tokio::test]
async fn every_name_lands_as_its_own_blob_and_is_known_afterwards() {
    for after in [After::Keep, After::Delete, After::Move("/archive".into())] {
        let mut place = Place::new(Server::default(), after.clone()).await;
        everything(&mut place);
        place.sources[0].source.folders = Folders::Read;
        let mut expected = HashMap::new();
        for (number, name) in ODD_NAMES.into_iter().enumerate() {
            for below in [name.to_vec(), [b"in/".as_slice(), name, b"/", name].concat()] {
                let body = format!("{number} {}", below.len());
                place.server.put_path(path([b"/out/".as_slice(), &below].concat()), &body, 100);
                expected.insert(below, body);
            }
        }
        let report = place.two_ticks().await;
        assert_eq!((report.pulled, report.failed), (expected.len(), 0), "{report:?}");
        let landed = place.landed().await;
        assert_eq!(landed.len(), expected.len());
        for (below, body) in &expected {
            let key = PulledKey::new(&place.sources[0].feed, None, below);
            let blob = key.landing_blob().unwrap();
            assert_eq!(place.body(blob.as_str()).await.unwrap(), body.as_str(), "{blob}");
            assert_eq!(PulledKey::of_blob(&blob), Some(key));
            if after == After::Keep {
                let etag = place.etag(blob.as_str()).await.unwrap();
                let record = pulled::of_blob(&place.stations.state, &blob, &etag).await.unwrap().unwrap();
                assert_eq!(record.path, *below, "{blob}");
            }
        }
        let again = place.later_tick().await;
        let known = if after == After::Keep { expected.len() } else { 0 };
        assert_eq!((again.known, again.pulled, again.failed), (known, 0, 0));
        if let After::Move(_) = after {
            assert_eq!(place.server.names().len(), expected.len());
        }
    }
}

#[tokio::test]
async fn a_name_that_no_blob_can_have_stays_and_is_told_whatever_becomes_of_the_others() {
    let mut place = Place::new(Server::default(), After::Delete).await;
    everything(&mut place);
    let longest = [b'x'; 255];
    let too_long = [0xff_u8; 255];
    for name in [&longest[..], &too_long[..]] {
        place.server.put_path(path([b"/out/".as_slice(), name].concat()), "x", 100);
    }
    for _ in 0..3 {
        let report = place.later_tick().await;
        assert_eq!((report.failed, report.unmarked, report.waiting), (1, 0, 0), "{report:?}");
        let failure = &report.failures[0];
        assert!(failure.message.contains("cannot be landed and is left at its source: in a directory, no part"));
        assert!(failure.message.ends_with("ask for another name, or exclude it"), "{}", failure.message);
    }
    assert_eq!(place.landed().await.len(), 1);
    assert_eq!(place.server.names().len(), 1);
    assert_eq!(place.records().await, [""; 0]);
}

#[tokio::test]
async fn a_blobs_name_has_no_more_characters_than_azure_takes() {
    let mut place = Place::new(Server::default(), After::Keep).await;
    everything(&mut place);
    place.sources[0].source.folders = Folders::Read;
    place.server.put(&format!("/out{}/a.csv", format!("/{}", "y".repeat(240)).repeat(5)), "x", 100);
    let report = place.two_ticks().await;
    assert_eq!((report.seen, report.pulled, report.failed), (1, 0, 1));
    assert!(report.failures[0].message.contains("a blob's name must have 1 to 1,024 characters"), "{report:?}");
}

#[tokio::test]
async fn ten_thousand_known_files_cost_one_list_and_no_request_each() {
    const FILES: usize = 10_000;
    let place = Place::new(Server::default(), After::Keep).await;
    let feed = &source(After::Keep).feed;
    for number in 0..FILES {
        let name = format!("{number}.csv");
        place.server.put(&format!("/out/{name}"), "x", 100);
        let key = PulledKey::new(feed, None, name.as_bytes());
        let landing = Landing {
            sha256: Sha256::of("x"),
            blob: BlobName::new(format!("flights/{name}")).unwrap(),
            etag: ETag::new("1").unwrap(),
            first_seen: place.clock.now(),
            landed_at: place.clock.now(),
            at_source: AtSource::Keep,
            done_marker: None,
        };
        let landed = LandedFile::new(&key, FileVersion { size_bytes: 1, modified: 100 }, landing);
        // The name tells all: a record that were read would be refused.
        let record = landed.record_name(RecordState::Landed).blob();
        place.stations.state.put(&record, Bytes::from_static(b"unreadable")).await.unwrap();
    }
    let calls = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
    let counted = Arc::clone(&calls);
    place.server.before_each_call(move |operation, _, _| {
        *counted.lock().unwrap().entry(operation.to_owned()).or_default() += 1;
        Ok(())
    });
    let report = place.tick().await;
    assert_eq!((report.seen, report.known, report.failed), (FILES, FILES, 0));
    assert_eq!(*calls.lock().unwrap(), HashMap::from([("list".to_owned(), 1)]));
}
