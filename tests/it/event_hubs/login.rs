//! Who is let in, and who is told why not.

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::{Duration as TimeSpan, OffsetDateTime};
use azure_messaging_eventhubs::{ConsumerClient, OpenReceiverOptions, StartLocation, StartPosition};
use futures::StreamExt;

use super::*;

/// An identity whose token is this.
#[derive(Debug)]
struct Bearer(&'static str);

#[async_trait::async_trait]
impl TokenCredential for Bearer {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://eventhubs.azure.net/.default"]);
        Ok(AccessToken::new(self.0, OffsetDateTime::now_utc() + TimeSpan::hours(1)))
    }
}

fn with_bearer(broker: &Broker, token: &'static str) -> EventHubs {
    EventHubs::with_tokens("127.0.0.1".to_owned(), Some(broker.address()), Arc::new(Bearer(token)), PATIENT).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identitys_token_opens_a_hub() {
    let broker = Broker::start(&[(HUB, 1)]).await;
    let client = with_bearer(&broker, BEARER);
    client.send_many(HUB, keyed(0..3)).await.unwrap();
    assert_eq!(all_bodies(&client).await, ["0", "1", "2"]);
    let tokens = broker.tokens();
    assert!(!tokens.is_empty() && tokens.iter().all(|token| token.kind == "jwt"), "{tokens:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_fails_at_once_and_says_what_to_check() {
    let broker = Broker::start(&[(HUB, 1)]).await;
    let other_key = broker.connection_string().replace("SharedAccessKeyName=Root", "SharedAccessKeyName=No");
    for client in [client(&other_key, PATIENT), with_bearer(&broker, "another")] {
        let before = broker.connections();
        let sent = client.send(HUB, "key", Bytes::from("x")).await.unwrap_err();
        assert!(told(&sent).contains("check the key, or the roles of the identity"), "{}", told(&sent));
        assert_eq!(broker.connections(), before + 1, "no other connection helps");
        let read = client.bounds(HUB, "0").await.unwrap_err();
        assert!(told(&read).contains("Azure Event Hubs Data Receiver"), "{}", told(&read));
    }
    assert_eq!(broker.given(HUB, "0"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_refused_later_stops_what_is_opened_then() {
    let broker = Broker::start(&[(HUB, 1)]).await;
    let client = client(&broker.connection_string(), PATIENT);
    client.send(HUB, "key", Bytes::from("before")).await.unwrap();
    broker.faults().refuses_tokens = true;
    broker.cut();
    let error = client.send(HUB, "key", Bytes::from("refused")).await.unwrap_err();
    assert!(told(&error).contains("check the key"), "{}", told(&error));
    broker.faults().refuses_tokens = false;
    client.send(HUB, "key", Bytes::from("after")).await.unwrap();
    assert_eq!(all_bodies(&client).await, ["before", "after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_not_there_says_so() {
    let broker = Broker::start(&[(HUB, 1)]).await;
    let client = client(&broker.connection_string(), PATIENT);
    let error = client.bounds("nowhere", "0").await.unwrap_err();
    assert!(told(&error).contains("does the namespace have this hub"), "{}", told(&error));
    assert!(told(&error).contains("`nowhere`"), "{}", told(&error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_string_of_one_hub_opens_no_other() {
    let broker = Broker::start(&[(HUB, 1), ("other", 1)]).await;
    let client = client(&format!("{}EntityPath={HUB}", broker.connection_string()), PATIENT);
    client.send(HUB, "key", Bytes::from("x")).await.unwrap();
    let error = client.send("other", "key", Bytes::from("x")).await.unwrap_err();
    assert!(told(&error).contains("opens hub `files` alone"), "{}", told(&error));
    assert_eq!(broker.given("other", "0"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_group_that_another_reader_owns_is_left_to_it() {
    let broker = Broker::start(&[(HUB, 1)]).await;
    let client = client(&broker.connection_string(), SHORT);
    client.send_many(HUB, keyed(0..3)).await.unwrap();
    let owner = ConsumerClient::builder()
        .with_consumer_group(GROUP.to_owned())
        .with_custom_endpoint(broker.address())
        .open("127.0.0.1", HUB.to_owned(), Arc::new(Bearer(BEARER)))
        .await
        .unwrap();
    let options = OpenReceiverOptions {
        owner_level: Some(1),
        start_position: Some(StartPosition { location: StartLocation::Earliest, inclusive: false }),
        ..Default::default()
    };
    let owned = owner.open_receiver_on_partition("0".to_owned(), Some(options)).await.unwrap();
    // It is attached by the first event that it asks for.
    let mut events = std::pin::pin!(owned.stream_events());
    let mut next = async || tokio::time::timeout(PATIENT.answer, events.next()).await.unwrap().unwrap().unwrap();
    for body in ["0", "1", "2"] {
        assert_eq!(next().await.event_data().body().unwrap(), body.as_bytes());
    }
    let error = client.read(HUB, GROUP, "0", 0, WIDE).await.unwrap_err();
    assert!(told(&error).contains("repair_group must be a group that nobody else reads through"), "{}", told(&error));
    assert_eq!(client.read(HUB, "another", "0", 0, WIDE).await.unwrap().len(), 3);
    // The owner was not thrown out.
    client.send(HUB, "key", Bytes::from("for the owner")).await.unwrap();
    assert_eq!(next().await.event_data().body().unwrap(), b"for the owner");
}
