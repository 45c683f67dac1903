//! Event Hubs triggers: which events come together, in which form, and where the checkpoint is.

use chrono::{SecondsFormat, Utc};

use super::*;

fn trigger(options: Value) -> Value {
    let mut binding = json!({
        "type": "eventHubTrigger", "direction": "in", "name": "events", "eventHubName": "files", "connection": "C",
        "cardinality": "many", "dataType": "binary",
    });
    for (key, value) in options.as_object().unwrap() {
        binding[key] = value.clone();
    }
    json!({"bindings": [binding]})
}

fn event_hubs(options: Value) -> Value {
    json!({"extensions": {"eventHubs": options}})
}

async fn bench(host: Value, load: Value) -> Bench {
    // Without a timer a host is idle as soon as there is nothing to deliver.
    Bench::new(host, &[("load", load)], json!({})).await
}

/// The bodies of one batch.
fn bodies(request: &Seen) -> Vec<Value> {
    serde_json::from_str(request.body["Data"]["events"].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_holds_no_more_than_it_may() {
    let bench = bench(event_hubs(json!({"maxEventBatchSize": 2})), trigger(json!({}))).await;
    for body in ["a", "b", "c"] {
        bench.send(body).await;
    }
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/load").iter().map(|batch| bodies(batch).len()).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_for_company_but_for_the_first_of_a_partition() {
    let bench = bench(event_hubs(json!({"minEventBatchSize": 3, "maxWaitTime": "00:10:00"})), trigger(json!({}))).await;
    bench.send("1").await;
    let host = bench.start(Until::Stopped).quiet().await;
    bench.until_seen("/load", 1).await;
    for body in ["2", "3", "4"] {
        bench.send(body).await;
    }
    let seen = bench.until_seen("/load", 2).await;
    assert_eq!(seen.iter().map(|batch| bodies(batch).len()).collect::<Vec<_>>(), [1, 3]);
    host.stopped(|| ()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_wait_too_long_come_without_company() {
    let bench =
        bench(event_hubs(json!({"minEventBatchSize": 50, "maxWaitTime": "00:00:01"})), trigger(json!({}))).await;
    bench.send("1").await;
    let host = bench.start(Until::Stopped).quiet().await;
    bench.until_seen("/load", 1).await;
    bench.send("2").await;
    bench.until_seen("/load", 2).await;
    host.stopped(|| ()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_may_come_after_several_batches_and_the_handler_is_told() {
    let options = event_hubs(json!({"batchCheckpointFrequency": 2}));
    let bench = bench(options, trigger(json!({}))).await;
    bench.send("a").await;
    bench.run_until_idle().await.unwrap();
    let told = |request: &Seen| request.body["Metadata"]["PartitionContext"]["IsCheckpointingAfterInvocation"].clone();
    assert_eq!(told(&bench.seen("/load")[0]), false);
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/load").len(), 2, "without a checkpoint it comes again");

    let host = bench.start(Until::Stopped).quiet().await;
    bench.until_seen("/load", 3).await;
    bench.send("b").await;
    let seen = bench.until_seen("/load", 4).await;
    assert_eq!((told(&seen[2]), told(&seen[3])), (json!(false), json!(true)));
    host.stopped(|| ()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checkpoint_moves_on_after_a_failure() {
    let bench = Bench::new(json!({}), &[("load", trigger(json!({})))], json!({"/load": [{"status": 500}, {}]})).await;
    bench.send("lost").await;
    bench.run_until_idle().await.unwrap();
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/load").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_by_one_the_events_come_in_order_and_their_members_stand_in_the_metadata() {
    let bench = bench(json!({}), trigger(json!({"cardinality": "one", "dataType": null}))).await;
    bench.send(r#"{"id": 1, "PartitionContext": "forged"}"#).await;
    bench.send("second").await;
    bench.run_until_idle().await.unwrap();
    let seen = bench.seen("/load");
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].body["Metadata"]["id"], "\"1\"");
    assert_eq!(seen[0].body["Metadata"]["PartitionContext"], "\"forged\"");
    assert_eq!(seen[0].body["Metadata"]["TriggerPartitionContext"]["EventHubName"], "files");
    assert_eq!(seen[1].body["Data"]["events"], "\"second\"");
    assert_eq!(
        (&seen[0].body["Metadata"]["SequenceNumber"], &seen[1].body["Metadata"]["SequenceNumber"]),
        (&json!("0"), &json!("1"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_data_type_one_bad_event_fails_its_batch_before_the_handler_is_called() {
    let bench = bench(json!({}), trigger(json!({"dataType": null}))).await;
    bench.send(r#"{"good": true}"#).await;
    bench.send("bad").await;
    let (outcome, events) = bench.start(Until::Idle).outcome().await;
    outcome.unwrap();
    assert_eq!(bench.seen("/load").len(), 0);
    let failure = events.iter().find_map(|event| match event {
        HostEvent::InvocationEnded { function, failure, .. } if function == "load" => failure.clone(),
        _ => None,
    });
    assert!(failure.unwrap().contains("event 1 is not JSON"));
    bench.send(r#"{"good": true}"#).await;
    bench.run_until_idle().await.unwrap();
    assert_eq!(bodies(&bench.seen("/load")[0]), [json!({"good": true})], "the checkpoint has passed the batch");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_without_a_checkpoint_begins_where_it_is_told() {
    let bench = bench(event_hubs(json!({"initialOffsetOptions": {"type": "fromEnd"}})), trigger(json!({}))).await;
    bench.send("early").await;
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/load").len(), 0);

    // A journal's times are cut to the microsecond.
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    bench.send("late").await;
    let options = json!({"type": "fromEnqueuedTime", "enqueuedTimeUtc": now});
    bench.configure(event_hubs(json!({"initialOffsetOptions": options})));
    bench.run_until_idle().await.unwrap();
    assert_eq!(bodies(&bench.seen("/load")[0]), [json!("bGF0ZQ==")]);
}

/// The worst for a handler, and nothing that it can see but by the hub's incarnation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_checkpoint_is_taken_for_one_of_a_hub_that_was_made_anew() {
    let bench = bench(json!({}), trigger(json!({}))).await;
    bench.send("old").await;
    bench.run_until_idle().await.unwrap();
    bench.hub.delete("files").await.unwrap();
    bench.send("swallowed").await;
    bench.send("new").await;
    bench.run_until_idle().await.unwrap();
    let all: Vec<Value> = bench.seen("/load").iter().flat_map(bodies).collect();
    assert_eq!(all, [json!("b2xk"), json!("bmV3")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_consumer_group_gets_every_event_and_rivals_in_one_share_them() {
    let functions = [
        ("load", trigger(json!({}))),
        ("rival", trigger(json!({}))),
        ("other", trigger(json!({"consumerGroup": "other"}))),
    ];
    let bench = Bench::new(json!({}), &functions, json!({})).await;
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        bench.send_keyed(key, "x").await;
    }
    bench.run_until_idle().await.unwrap();
    let count = |path: &str| bench.seen(path).iter().map(|batch| bodies(batch).len()).sum::<usize>();
    assert_eq!(count("/other"), 8);
    assert_eq!(count("/load") + count("/rival"), 8);
    assert!(count("/load") > 0 && count("/rival") > 0);
}
