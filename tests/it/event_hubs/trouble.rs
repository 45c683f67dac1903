//! What goes wrong on the way: events may come to a hub twice, and none is lost or read out of its order.

use super::*;

async fn over_one_partition(patience: Patience) -> (Broker, EventHubs) {
    let broker = Broker::start(&[(HUB, 1)]).await;
    let client = client(&broker.connection_string(), patience);
    (broker, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_acknowledgement_is_made_up_for_over_a_new_connection() {
    let (broker, client) = over_one_partition(SHORT).await;
    client.send(HUB, "key", Bytes::from("before")).await.unwrap();
    let connections = broker.connections();
    broker.faults().lost_acknowledgements = 1;
    client.send(HUB, "key", Bytes::from("lost")).await.unwrap();
    assert!(broker.connections() > connections, "it went on over a connection that had lost an answer");
    client.send(HUB, "key", Bytes::from("after")).await.unwrap();
    assert_eq!(all_bodies(&client).await, ["before", "lost", "lost", "after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_never_acknowledges_fails_the_send_and_says_where_to_look() {
    let (broker, client) = over_one_partition(Patience { tries: 2, ..SHORT }).await;
    broker.faults().lost_acknowledgements = 1000;
    let error = client.send(HUB, "key", Bytes::from("lost")).await.unwrap_err();
    assert!(matches!(error, HubError::Send { .. }), "{error:?}");
    assert!(told(&error).contains("no answer within 5 seconds: is port 5671"), "{}", told(&error));
    assert_eq!(broker.given(HUB, "0"), 2, "as often as it was tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_detached_while_it_sends_is_made_anew() {
    let (broker, client) = over_one_partition(SHORT).await;
    client.send(HUB, "key", Bytes::from("before")).await.unwrap();
    broker.faults().detached_producers = 1;
    client.send(HUB, "key", Bytes::from("in the middle")).await.unwrap();
    assert_eq!(broker.faults().detached_producers, 0);
    assert_eq!(all_bodies(&client).await, ["before", "in the middle"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_detached_while_it_reads_loses_nothing_and_repeats_nothing() {
    let (broker, client) = over_one_partition(SHORT).await;
    client.send_many(HUB, keyed(0..30)).await.unwrap();
    for after in [1, 7, 29] {
        broker.faults().detach_consumer_after = Some(after);
        assert!(all_bodies(&client).await.into_iter().eq((0..30).map(|number| number.to_string())));
        assert_eq!(broker.faults().detach_consumer_after, None, "the link was never detached");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_is_made_anew() {
    let (broker, client) = over_one_partition(SHORT).await;
    client.send_many(HUB, keyed(0..10)).await.unwrap();
    assert_eq!(all_bodies(&client).await.len(), 10);
    broker.cut();
    client.send(HUB, "key", Bytes::from("10")).await.unwrap();
    broker.cut();
    assert!(all_bodies(&client).await.into_iter().eq((0..=10).map(|number| number.to_string())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_busy_is_asked_again_and_stores_once() {
    let (broker, client) = over_one_partition(PATIENT).await;
    broker.faults().busy = 1;
    client.send(HUB, "key", Bytes::from("once")).await.unwrap();
    assert_eq!(broker.faults().busy, 0);
    assert_eq!(all_bodies(&client).await, ["once"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_not_answered_is_asked_over_a_new_connection() {
    let (broker, client) = over_one_partition(SHORT).await;
    broker.faults().unanswered_questions = 1;
    assert_eq!(client.properties(HUB).await.unwrap().partitions, ["0"]);
    assert_eq!(broker.connections(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_where_events_must_be_is_an_error_and_never_an_empty_answer() {
    let (broker, client) = over_one_partition(SHORT).await;
    client.send_many(HUB, keyed(0..3)).await.unwrap();
    broker.faults().silent_consumers = 1;
    assert_eq!(all_bodies(&client).await, ["0", "1", "2"], "one silence is overcome");
    broker.faults().silent_consumers = 1000;
    let error = client.read(HUB, GROUP, "0", 1, WIDE).await.unwrap_err();
    assert!(told(&error).contains("partition 0 says that it has numbers 1 to 2, and sent none"), "{}", told(&error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_hub_is_waited_for() {
    let (broker, client) = over_one_partition(SHORT).await;
    client.send_many(HUB, keyed(0..20)).await.unwrap();
    broker.faults().slowness = Duration::from_millis(20);
    assert!(all_bodies(&client).await.into_iter().eq((0..20).map(|number| number.to_string())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_a_geo_replicated_namespace_are_refused() {
    let (broker, client) = over_one_partition(PATIENT).await;
    broker.faults().is_geo_replicated = true;
    client.send(HUB, "key", Bytes::from("x")).await.unwrap();
    for refused in [client.bounds(HUB, "0").await.map(|_| ()), client.read(HUB, GROUP, "0", 0, WIDE).await.map(|_| ())]
    {
        assert!(matches!(refused, Err(HubError::GeoReplicated { .. })), "{refused:?}");
    }
}
