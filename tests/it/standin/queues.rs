//! Queue triggers, and Event Grid's messages for landed blobs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn put(bench: &Bench, text: &str) {
    bench.queues.open("landed").unwrap().send(&STANDARD.encode(text)).unwrap();
}

fn left(bench: &Bench, queue: &str) -> Vec<String> {
    bench.queues.open(queue).unwrap().peek_all().unwrap()
}

async fn bench(host: Value, note: Value) -> Bench {
    // Without a timer a host is idle as soon as there is nothing to deliver.
    Bench::new(host, &[("note", queue())], json!({"/note": note})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_comes_once_with_its_members_among_the_metadata() {
    let bench = bench(json!({}), json!([{}])).await;
    put(&bench, r#"{"orderId": 7, "DequeueCount": 99, "sys": "forged"}"#);
    bench.run_until_idle().await.unwrap();
    let seen = bench.seen("/note");
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].body["Data"]["message"],
        json!(r#"{"orderId": 7, "DequeueCount": 99, "sys": "forged"}"#).to_string()
    );
    let metadata = &seen[0].body["Metadata"];
    assert_eq!(
        (&metadata["orderId"], &metadata["DequeueCount"], &metadata["sys"]),
        (&json!("\"7\""), &json!("\"99\""), &json!("\"forged\""))
    );
    assert!(metadata["PopReceipt"].is_string() && metadata["InsertionTime"].is_string());
    assert!(left(&bench, "landed").is_empty());
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/note").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_fails_too_often_is_in_the_poison_queue() {
    let bench = bench(json!({"extensions": {"queues": {"maxDequeueCount": 3}}}), json!([{"status": 500}])).await;
    put(&bench, "bad");
    let (outcome, events) = bench.start(Until::Idle).outcome().await;
    outcome.unwrap();
    let counts: Vec<_> = bench.seen("/note").iter().map(|seen| seen.body["Metadata"]["DequeueCount"].clone()).collect();
    assert_eq!(counts, ["1", "2", "3"]);
    assert!(left(&bench, "landed").is_empty());
    assert_eq!(left(&bench, "landed-poison"), [STANDARD.encode("bad")]);
    assert!(
        events.iter().any(
            |event| matches!(event, HostEvent::MessagePoisoned { queue, tries: 3, .. } if queue == "landed-poison")
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_on_a_queue_is_warned_of_and_not_obeyed() {
    let mut with_policy = queue();
    with_policy["retry"] = json!({"strategy": "fixedDelay", "maxRetryCount": 9, "delayInterval": "00:01:00"});
    let bench = Bench::new(json!({}), &[("note", with_policy)], json!({"/note": [{"status": 500}, {}]})).await;
    put(&bench, "x");
    let (outcome, events) = bench.start(Until::Idle).outcome().await;
    outcome.unwrap();
    let seen = bench.seen("/note");
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|request| request.body["Metadata"]["RetryContext"].is_null()));
    let id = |request: &Seen| request.header("X-Azure-Functions-InvocationId").unwrap();
    assert_ne!(id(&seen[0]), id(&seen[1]), "it is another invocation");
    assert!(
        events
            .iter()
            .any(|event| matches!(event, HostEvent::Warning { message } if message.contains("function 'note'")))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_no_base64_is_poison_without_a_call() {
    let bench = bench(json!({}), json!([{}])).await;
    bench.queues.open("landed").unwrap().send("{\"plain\": true}").unwrap();
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/note").len(), 0);
    assert_eq!(left(&bench, "landed-poison"), ["{\"plain\": true}"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_under_way_when_the_handler_dies_comes_again() {
    let bench = bench(json!({}), json!([{"exit": 1}, {}])).await;
    put(&bench, "x");
    bench.run_until_idle().await.unwrap();
    let counts: Vec<_> = bench.seen("/note").iter().map(|seen| seen.body["Metadata"]["DequeueCount"].clone()).collect();
    assert_eq!(counts, ["1", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_landed_version_is_an_event_in_the_queue_that_the_function_names() {
    let functions = [("pull", timer()), ("announce", queue())];
    let bench = Bench::new(json!({}), &functions, json!({"/pull": nothing_pending()})).await;
    bench.land("flights/a b.csv", "x").await;
    bench.run_until_idle().await.unwrap();
    bench.land("flights/a b.csv", "another version").await;
    bench.run_until_idle().await.unwrap();
    bench.run_until_idle().await.unwrap();
    let seen = bench.seen("/announce");
    assert_eq!(seen.len(), 2);
    let event = |request: &Seen| -> Value {
        let text: String = serde_json::from_str(request.body["Data"]["message"].as_str().unwrap()).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let (first, second) = (event(&seen[0]), event(&seen[1]));
    assert_eq!(first["eventType"], "Microsoft.Storage.BlobCreated");
    assert!(first["data"]["url"].as_str().unwrap().ends_with("/landing/flights/a%20b.csv"));
    assert_eq!(second["data"]["contentLength"], 15);
    assert_ne!(first["data"]["eTag"], second["data"]["eTag"]);
    // The event's id has taken the place of the message's.
    assert_eq!(seen[0].body["Metadata"]["Id"], json!(first["id"]).to_string());
}
