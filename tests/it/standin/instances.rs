//! Several instances: who gets what.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_partitions_blobs_and_messages_and_one_has_the_timers() {
    let functions = [("pull", timer()), ("announce", blob()), ("load", hub(0)), ("note", queue())];
    let mut bench = Bench::new(json!({}), &functions, json!({"/pull": nothing_pending()})).await;
    bench.instances = 2;
    for (number, key) in ["a", "b", "c", "d", "e", "f", "g", "h"].into_iter().enumerate() {
        bench.send_keyed(key, "x").await;
        bench.land(&format!("flights/{number}.csv"), "x").await;
    }
    let (outcome, events) = bench.start(Until::Idle).outcome().await;
    outcome.unwrap();
    let started = events.iter().filter(|event| matches!(event, HostEvent::HandlerStarted { .. })).count();
    assert_eq!(started, 2);

    let workers = |path: &str| -> BTreeSet<String> { bench.seen(path).iter().map(worker).collect() };
    assert_eq!(workers("/pull").len(), 1);
    assert_eq!(workers("/announce").len(), 2);
    assert_eq!(workers("/load").len(), 2);
    let mut of_partition: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for batch in bench.seen("/load") {
        let partition = batch.body["Metadata"]["PartitionContext"]["PartitionId"].as_str().unwrap().to_owned();
        of_partition.entry(partition).or_default().insert(worker(&batch));
    }
    assert!(of_partition.values().all(|workers| workers.len() == 1), "{of_partition:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_port_does_not_serve_two_instances() {
    let mut bench = Bench::new(json!({"customHandler": {"port": 9}}), &[("pull", timer())], json!({})).await;
    bench.instances = 2;
    let (outcome, _) = bench.start(Until::Idle).outcome().await;
    assert!(matches!(outcome, Err(HostError::PortForSeveral { port: 9, instances: 2 })), "{outcome:?}");
}

fn worker(request: &Seen) -> String {
    request.entry["worker"].as_str().unwrap().to_owned()
}
