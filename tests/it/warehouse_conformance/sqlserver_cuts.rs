//! A connection that breaks during COMMIT leaves the outcome unknown: the ledger answers. A door between the warehouse and the
//! server cuts it there, before the server hears of the COMMIT, or after it has carried it out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use chrono::DateTime;
use millrace::stations::warehouse::sqlserver::location::{SqlServerLocation, Transport};
use millrace::stations::warehouse::sqlserver::{Retrying, SqlServerWarehouse};
use millrace::stations::warehouse::{
    LedgerEvent, Outcome, QuarantinedEvents, RetractionOrder, RetractionOutcome, StreamOutcome, Warehouse,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::fixture::{Stage, day, unique};
use super::sqlserver::empty;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    No = 0,
    /// The server never hears of the COMMIT.
    Before = 1,
    /// The client never hears of its success.
    After = 2,
}

/// A door that cuts the next connection with a COMMIT on it as it is told, once.
struct Door {
    port: u16,
    cut: Arc<AtomicU8>,
}

impl Door {
    async fn to(location: &SqlServerLocation) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = Door { port: listener.local_addr().unwrap().port(), cut: Arc::default() };
        let (cut, server) = (Arc::clone(&door.cut), (location.host.clone(), location.port));
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect((server.0.as_str(), server.1)).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&cut)));
            }
        });
        door
    }

    fn cuts(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    fn has_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst) == Cut::No as u8
    }
}

/// Statements go as UTF-16, and this one in a packet of its own.
fn is_commit(packet: &[u8]) -> bool {
    let words: Vec<u8> = "COMMIT TRANSACTION".encode_utf16().flat_map(u16::to_le_bytes).collect();
    packet.windows(words.len()).any(|window| window == words)
}

async fn pass(mut client: TcpStream, mut server: TcpStream, cut: Arc<AtomicU8>) {
    let (mut from_client, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(length @ 1..) = read else { return };
                let packet = &from_client[..length];
                let cut = if is_commit(packet) { cut.swap(Cut::No as u8, Ordering::SeqCst) } else { Cut::No as u8 };
                if cut == Cut::Before as u8 {
                    return;
                }
                server.write_all(packet).await.unwrap();
                if cut == Cut::After as u8 {
                    assert_ne!(server.read(&mut from_server).await.unwrap(), 0);
                    return;
                }
            }
            read = server.read(&mut from_server) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&from_server[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Goes through a door; `None` where there is no server, or one whose conversation is encrypted.
async fn through_a_door(location: &SqlServerLocation) -> Option<(Door, SqlServerWarehouse)> {
    if location.transport != Transport::Plain {
        eprintln!("skipped: the conversation with this server is encrypted, and a door cannot tell a COMMIT in it");
        return None;
    }
    let door = Door::to(location).await;
    let location = SqlServerLocation { host: "127.0.0.1".to_owned(), port: door.port, ..location.clone() };
    Some((door, SqlServerWarehouse::with(location, None, Retrying::immediate(3))))
}

#[tokio::test]
async fn a_file_whose_commit_was_not_answered_counts_once_and_says_what_it_displaced() {
    let Some((_guard, location)) = empty().await else { return };
    let Some((door, warehouse)) = through_a_door(&location).await else { return };
    for cut in [Cut::Before, Cut::After] {
        let stage = Stage::new(&warehouse).await;
        stage.count("1.csv", "a", vec![day(1, "UA", 9, 9, 9.0)]).await;
        stage.count("2.csv", "a", vec![day(1, "UA", 1, 10, 1.0)]).await;
        let first = stage.recorded("1.csv").await;
        door.cuts(cut);
        let outcome = stage.count("1.csv", "b", vec![day(1, "UA", 2, 20, 2.0)]).await;
        assert!(door.has_cut());
        assert_eq!(outcome, Outcome::Committed { displaced: first }, "{cut:?}");
        assert_eq!(stage.rows().await, [day(1, "UA", 3, 30, 2.0)], "{cut:?}");
        assert_eq!(warehouse.history(&stage.unit("1.csv"), 9).await.unwrap().len(), 2, "{cut:?}");
    }
}

#[tokio::test]
async fn a_batch_whose_commit_was_not_answered_counts_once_and_keeps_its_file_of_bad_events() {
    let Some((_guard, location)) = empty().await else { return };
    let Some((door, warehouse)) = through_a_door(&location).await else { return };
    for cut in [Cut::Before, Cut::After] {
        let stage = Stage::new(&warehouse).await;
        let unit = stage.partition("0");
        stage.add(&unit, 4, vec![day(1, "UA", 5, 50, 1.0)]).await;
        let mut load = stage.events(&unit, Some(5), 9, vec![vec![day(1, "UA", 4, 40, 2.0)]]);
        let file = QuarantinedEvents { name: unique("bad"), first: 7, last: 7, events: 1 };
        load.quarantine = Some(file.clone());
        door.cuts(cut);
        assert_eq!(stage.commit_stream(&load).await.unwrap(), StreamOutcome::Committed, "{cut:?}");
        assert!(door.has_cut());
        assert_eq!(stage.rows().await, [day(1, "UA", 9, 90, 2.0)], "{cut:?}");
        let files = warehouse.stream_quarantine(&stage.feed, None, 9).await.unwrap();
        assert_eq!(files, [(unit, file)], "{cut:?}");
    }
}

#[tokio::test]
async fn a_retraction_whose_commit_was_not_answered_is_done_once_and_says_what_it_took_back() {
    let Some((_guard, location)) = empty().await else { return };
    let Some((door, warehouse)) = through_a_door(&location).await else { return };
    for cut in [Cut::Before, Cut::After] {
        let stage = Stage::new(&warehouse).await;
        stage.count("1.csv", "a", vec![day(1, "UA", 2, 20, 2.0)]).await;
        let counted = stage.recorded("1.csv").await.unwrap();
        let unit = counted.unit.clone();
        let order = RetractionOrder {
            unit: unit.clone(),
            counted: Some(counted.etag.clone()),
            version: counted.etag,
            id: unique("retraction"),
            at: DateTime::UNIX_EPOCH,
        };
        door.cuts(cut);
        let outcome = warehouse.retract(&order).await.unwrap();
        assert!(door.has_cut());
        let RetractionOutcome::Retracted { taken_back } = outcome else { panic!("{cut:?}: {outcome:?}") };
        assert_eq!(taken_back.iter().map(|table| table.keys).collect::<Vec<_>>(), [1], "{cut:?}");
        assert!(stage.rows().await.is_empty(), "{cut:?}");

        door.cuts(cut);
        let restored = warehouse.restore(&unit, DateTime::UNIX_EPOCH).await.unwrap();
        assert!(door.has_cut());
        assert!(restored.is_some_and(|record| record.load_id == counted.load_id), "{cut:?}");
        let events: Vec<_> = warehouse.history(&unit, 9).await.unwrap().into_iter().map(|entry| entry.event).collect();
        assert_eq!(events, [LedgerEvent::Restored, LedgerEvent::Retracted, LedgerEvent::Committed], "{cut:?}");
    }
}

#[tokio::test]
async fn a_migration_whose_commit_was_not_answered_tells_what_it_did() {
    let Some((_guard, location)) = empty().await else { return };
    let Some((door, warehouse)) = through_a_door(&location).await else { return };
    let stage = Stage::new(&warehouse).await;
    for cut in [Cut::Before, Cut::After] {
        door.cuts(cut);
        let report = warehouse.migrate(&stage.schema(&format!("{cut:?}"))).await.unwrap();
        assert!(door.has_cut());
        assert_eq!(report.changes.len(), 1, "{cut:?}: {report:?}");
    }
    let generation = warehouse.generation(&stage.schema("After").meanings[0]).await.unwrap();
    assert_eq!(generation, stage.generation + 2);
}
