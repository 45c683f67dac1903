//! Event Hubs' client against a broker of ours: what every hub does, and what goes wrong on the way. Azure itself is met by
//! none of these tests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use millrace::settings::{EVENT_HUB_CONNECTION, LANDING_STORAGE, STAGING_SHARE, Settings, WAREHOUSE};
use millrace::stations::hub::event_hubs::{EventHubs, Patience};
use millrace::stations::hub::{HubError, HubLocation, HubReader, HubSender, NewEvent, ReadLimit};

use crate::broker::{BEARER, Broker, KEY};
use crate::hub_conformance::{Hub, suite, suite_of_letting_go};

mod login;
mod python;
mod trouble;

const HUB: &str = "files";
const GROUP: &str = "millrace";
const WIDE: ReadLimit = ReadLimit { events: 10_000, bytes: 64 << 20 };

/// Long enough for a busy machine.
const PATIENT: Patience = Patience { answer: Duration::from_secs(20), silence: Duration::from_secs(5), tries: 3 };
/// Where something never comes, and is waited for.
const SHORT: Patience = Patience { answer: Duration::from_secs(5), silence: Duration::from_secs(1), tries: 3 };

/// As the settings open it.
fn client(connection: &str, patience: Patience) -> EventHubs {
    let values = [
        (LANDING_STORAGE, "file:/none"),
        (STAGING_SHARE, "file:/none"),
        (WAREHOUSE, "sqlite:/none"),
        (EVENT_HUB_CONNECTION, connection),
    ];
    let settings = Settings::from_values(values.map(|(name, value)| (name.to_owned(), value.to_owned())));
    match settings.ends().unwrap().hub {
        HubLocation::EventHubs(location) => EventHubs::new(location, patience).unwrap(),
        HubLocation::Journal(directory) => panic!("a journal in {}", directory.display()),
    }
}

fn keyed(bodies: impl IntoIterator<Item = impl ToString>) -> Vec<NewEvent> {
    let event = |body: String| NewEvent { partition_key: Some("key".to_owned()), body: Bytes::from(body) };
    bodies.into_iter().map(|body| event(body.to_string())).collect()
}

/// The bodies of a hub of one partition, read as a sweep reads it: from where the last read ended.
async fn all_bodies(client: &EventHubs) -> Vec<String> {
    let last = client.bounds(HUB, "0").await.unwrap().last_enqueued.unwrap();
    let (mut bodies, mut from) = (Vec::new(), 0);
    while from <= last {
        let events = client.read(HUB, GROUP, "0", from, WIDE).await.unwrap();
        assert!(events.iter().map(|event| event.sequence_number).eq(from..from + events.len() as u64), "{events:?}");
        from += events.len() as u64;
        bodies.extend(events.into_iter().map(|event| String::from_utf8(event.body.to_vec()).unwrap()));
    }
    bodies
}

/// The error and what it comes from, as a log has it.
fn told(error: &HubError) -> String {
    let mut text = format!("{error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let all = format!("{text} {error:?}");
    assert!(!all.contains(KEY) && !all.contains("sig=") && !all.contains(BEARER), "{all}");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_hubs_conforms() {
    let broker = Broker::start(&[("conformance", 4)]).await;
    let client = client(&broker.connection_string(), PATIENT);
    suite(&Hub { sender: &client, reader: &client, name: "conformance", group: GROUP }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_hubs_conforms_when_events_are_let_go_of() {
    let broker = Broker::start(&[("conformance", 4)]).await;
    let client = client(&broker.connection_string(), SHORT);
    let hub = Hub { sender: &client, reader: &client, name: "conformance", group: GROUP };
    suite_of_letting_go(&hub, &broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_batch_holds_goes_in_several_and_comes_back_whole() {
    let broker = Broker::start(&[(HUB, 1)]).await;
    let client = client(&broker.connection_string(), PATIENT);
    let bodies: Vec<String> = (0..70).map(|number| format!("{number:0>60000}")).collect();
    let sent = client.send_many(HUB, keyed(&bodies)).await.unwrap();
    assert_eq!(sent.values().sum::<u64>(), 70);
    assert_eq!(all_bodies(&client).await, bodies);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_read_at_the_same_time_as_others_send() {
    let broker = Broker::start(&[(HUB, 1)]).await;
    let client = Arc::new(client(&broker.connection_string(), PATIENT));
    client.send_many(HUB, keyed(0..50)).await.unwrap();
    let readers = (0..4).map(|_| all_bodies(&client));
    let senders = (50..60).map(|number| client.send(HUB, "key", Bytes::from(number.to_string())));
    let (read, sent) = tokio::join!(futures::future::join_all(readers), futures::future::join_all(senders));
    assert!(sent.into_iter().all(|sent| sent.is_ok()));
    for bodies in read {
        assert!(bodies.len() >= 50 && bodies[..50].iter().enumerate().all(|(at, body)| at.to_string() == *body));
    }
    assert_eq!(all_bodies(&client).await.len(), 60);
}
