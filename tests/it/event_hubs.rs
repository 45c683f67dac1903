//! Event Hubs' client against a broker of ours: what every hub does, and what goes wrong on the way.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use millrace::secret::Secret;
use millrace::stations::hub::event_hubs::{EventHubs, EventHubsLocation, Login, Patience, SharedAccess};
use millrace::stations::hub::{HubError, HubReader, HubSender, NewEvent, ReadLimit};

use crate::broker::{Broker, KEY, KEY_NAME};
use crate::hub_conformance::{Hub, LetsGo, suite, suite_of_letting_go};

const HUB: &str = "files";
const GROUP: &str = "millrace";
const WIDE: ReadLimit = ReadLimit { events: 10_000, bytes: 64 << 20 };

/// Long enough for a busy machine wherever no answer is lost.
const PATIENT: Patience =
    Patience { answer: Duration::from_secs(20), silence: Duration::from_secs(2), tries: 3 };
/// For what never comes.
const SHORT: Patience = Patience { answer: Duration::from_secs(3), silence: Duration::from_millis(500), tries: 3 };

fn client(broker: &Broker, patience: Patience) -> EventHubs {
    client_with_key(broker, patience, KEY_NAME)
}

fn client_with_key(broker: &Broker, patience: Patience, key_name: &str) -> EventHubs {
    let access = SharedAccess::Key { name: key_name.to_owned(), key: Secret::new(KEY.to_owned()) };
    let location = EventHubsLocation {
        namespace: "127.0.0.1".to_owned(),
        address: Some(broker.address()),
        login: Login::SharedAccess { access, hub: None },
    };
    EventHubs::new(location, patience).unwrap()
}

async fn bodies(client: &EventHubs, partition: &str, from: u64) -> Vec<Bytes> {
    let events = client.read(HUB, GROUP, partition, from, WIDE).await.unwrap();
    events.into_iter().map(|event| event.body).collect()
}

fn keyed(bodies: &[&'static str]) -> Vec<NewEvent> {
    let event = |body: &&'static str| NewEvent {
        partition_key: Some("key".to_owned()),
        body: Bytes::from_static(body.as_bytes()),
    };
    bodies.iter().map(event).collect()
}

/// Tells holes at the end of a partition from events that are late: Event Hubs cannot, and says so.
struct Quiet<'b>(&'b Broker);

#[async_trait]
impl LetsGo for Quiet<'_> {
    async fn forget_before(&self, hub: &str, partition: &str, number: u64) {
        self.0.forget_before(hub, partition, number).await;
    }

    async fn compact(&self, hub: &str, partition: &str, first: u64, last: u64) {
        self.0.compact(hub, partition, first, last).await;
    }

    async fn make_anew(&self, hub: &str) {
        self.0.make_anew(hub).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_hubs_conforms() {
    let broker = Broker::start(&[("conformance", 4)]).await;
    let client = client(&broker, PATIENT);
    suite(&Hub { sender: &client, reader: &client, name: "conformance", group: GROUP }).await;
}
