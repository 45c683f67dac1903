//! Names that partners' systems make up, all the way: pulled, landed, announced, and in the message.

use std::fs;

use millrace::clock::Clock;
use millrace::names::BlobName;
use millrace::records::landed::{FILES_HUB, LandedFile};
use millrace::stations::containers::{Containers, StorageLocation};
use millrace::stations::hub::journal::JournalHub;
use serde_json::json;

use crate::flights::{FILES, assert_same_summaries, text_of, truth};
use crate::support::Place;

const ODD_NAMES: [&str; 13] = [
    "50%#1~ ü.csv",
    " blank before.csv",
    "quo\"te'd & $(rm).csv",
    "100%.csv",
    "%41%2F.csv",
    "what?.csv",
    "back\\slash.csv",
    "..two dots.csv",
    "new\nline.csv",
    "航班 рейс.csv",
    "Case.csv",
    "case.csv",
    "semi;colon+plus=.csv",
];

#[tokio::test]
async fn every_name_goes_the_whole_way() {
    let place = Place::new();
    let text = text_of(FILES[0]);
    let header = text.lines().next().unwrap();
    let mut lines = text.lines().skip(1);
    let mut texts = Vec::new();
    for name in ODD_NAMES {
        let rows: Vec<&str> = lines.by_ref().take(50).collect();
        texts.push(format!("{header}\n{}\n", rows.join("\n")));
        fs::write(place.inbox().join("flights").join(name), texts.last().unwrap()).unwrap();
    }
    let output = place.once();
    let count = ODD_NAMES.len();
    assert_eq!(output["files"], json!({"pulled": count, "loaded": count, "unchanged": 0, "dead_lettered": 0}));
    assert_same_summaries(&output["summaries"], &truth(&texts));

    let containers = Containers::open(&StorageLocation::Directory(place.workspace().join("storage"))).await.unwrap();
    let mut announced = Vec::new();
    let hub = JournalHub::new(place.workspace().join("hub"), Clock::System);
    for partition in 0..hub.partition_count(FILES_HUB).await.unwrap() {
        for event in hub.read(FILES_HUB, partition, 0, 1_000, 1 << 20).await.unwrap() {
            announced.push(LandedFile::decode(&event.body).unwrap());
        }
    }
    for (name, text) in ODD_NAMES.iter().zip(&texts) {
        let readable = name.replace('\\', "%5C").replace('\n', "%0A").replace("%41%2F", "%2541%252F");
        let blob = BlobName::new(format!("flights/{readable}")).unwrap();
        assert_eq!(containers.landing.get(&blob).await.unwrap().unwrap(), text.as_str(), "{blob}");
        let facts = containers.landing.head(&blob).await.unwrap().unwrap();
        let message = announced.iter().find(|message| message.blob == blob).unwrap();
        assert_eq!((&message.etag, message.size_bytes), (&facts.etag, text.len() as u64));
        assert!(message.sha256.is_some(), "{blob}: the record of the pull is found by the blob's name");
    }
    assert_eq!(place.once()["files"]["unchanged"], count, "all are known by their names");
}
