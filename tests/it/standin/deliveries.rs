//! What reaches the handler, how often, and when the host calls it done.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_blobs_and_events_reach_the_handler_once() {
    let functions = [("pull", timer()), ("announce", blob()), ("load", hub(0))];
    let bench = Bench::new(json!({"version": "2.0"}), &functions, json!({"/pull": nothing_pending()})).await;
    bench.land("flights/a b.csv", "x").await;
    bench.send("first").await;
    bench.send("second").await;
    bench.run_until_idle().await.unwrap();

    let announced = bench.seen("/announce");
    assert_eq!(announced.len(), 1);
    assert_eq!(announced[0].body["Metadata"]["name"], r#""flights/a b.csv""#);
    assert!(announced[0].body["Metadata"]["Uri"].as_str().unwrap().ends_with(r#"/landing/flights/a%20b.csv""#));
    assert_eq!(announced[0].header("Transfer-Encoding").unwrap(), "chunked");
    assert_eq!(announced[0].header("Content-Type").unwrap(), "application/json; charset=utf-8");
    let bodies: Vec<String> =
        bench.seen("/load").iter().map(|batch| batch.body["Data"]["events"].as_str().unwrap().to_owned()).collect();
    assert_eq!(bodies, [r#"["Zmlyc3Q=","c2Vjb25k"]"#]);
    let pull = &bench.seen("/pull")[0];
    assert_eq!(pull.body["Data"]["timer"]["ScheduleStatus"], Value::Null);
    assert_eq!(pull.body["Metadata"]["sys"]["MethodName"], "pull");

    bench.run_until_idle().await.unwrap();
    assert_eq!((bench.seen("/announce").len(), bench.seen("/load").len()), (1, 1));
    bench.land("flights/a b.csv", "a new version").await;
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/announce").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_fails_five_times_is_poison() {
    let behaviour = json!({"/pull": nothing_pending(), "/announce": [{"status": 500}]});
    let bench = Bench::new(json!({}), &[("pull", timer()), ("announce", blob())], behaviour).await;
    bench.land("flights/bad.csv", "x").await;
    let (outcome, events) = bench.start(Until::Idle).outcome().await;
    outcome.unwrap();
    assert_eq!(bench.seen("/announce").len(), 5);
    let poisoned = events
        .iter()
        .any(|event| matches!(event, HostEvent::BlobPoisoned { blob, tries: 5, .. } if blob == "flights/bad.csv"));
    assert!(poisoned);
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/announce").len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_retried_under_one_id_and_then_passed_over() {
    let behaviour = json!({"/pull": nothing_pending(), "/load": [{"status": 500}]});
    let bench = Bench::new(json!({}), &[("pull", timer()), ("load", hub(2))], behaviour).await;
    bench.send("bad").await;
    bench.run_until_idle().await.unwrap();
    let tries = bench.seen("/load");
    let counts: Vec<_> = tries.iter().map(|t| t.body["Metadata"]["RetryContext"]["RetryCount"].clone()).collect();
    assert_eq!(counts, [0, 1, 2]);
    assert_eq!(tries[0].body["Metadata"]["RetryContext"]["MaxRetryCount"], 2);
    let id = |request: &Seen| request.header("X-Azure-Functions-InvocationId").unwrap();
    assert!(tries.iter().all(|request| id(request) == id(&tries[0])));
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/load").len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_waits_for_what_a_timer_still_has_to_do() {
    let pending = |count: u32| json!({"body": {"ReturnValue": {"pending": count, "failed": 0}}});
    let behaviour = json!({"/pull": [pending(2), pending(0), pending(1), pending(0), pending(0)]});
    let bench = Bench::new(json!({}), &[("pull", timer())], behaviour).await;
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/pull").len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_keeps_failing_ends_the_wait_with_its_messages() {
    let behaviour =
        json!({"/pull": [{"say": "acme: no route to host", "body": {"ReturnValue": {"pending": 0, "failed": 1}}}]});
    let bench = Bench::new(json!({}), &[("pull", timer())], behaviour).await;
    let stuck = bench.run_until_idle().await;
    let Err(HostError::Stuck { messages }) = stuck else { panic!("{stuck:?}") };
    assert!(messages.contains(&"acme: no route to host".to_owned()), "{messages:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_is_forwarded_to_the_original_path_and_comes_back_as_it_is() {
    let status = json!({"bindings": [
        {"type": "httpTrigger", "direction": "in", "name": "request", "authLevel": "function", "methods": ["get"], "route": "status"},
        {"type": "http", "direction": "out", "name": "response"},
    ]});
    let behaviour = json!({"/api/status?format=json": [{"status": 418, "body": {"tea": "pot"}}]});
    let host = json!({"customHandler": {"enableForwardingHttpRequest": true}});
    let bench = Bench::new(host, &[("status", status), ("pull", timer())], behaviour).await;
    let mut running = bench.start(Until::Stopped);
    let address = running
        .until(|event| match event {
            HostEvent::Listening { address, .. } => Some(address),
            _ => None,
        })
        .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let drained = tokio::spawn(async move {
        while running.events.recv().await.is_some() {}
        drop(running._stop)
    });
    let url = format!("http://{address}/api/status?format=json");
    let answer = client.get(&url).header("Accept", "application/json").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 418);
    assert_eq!(answer.text().await.unwrap(), r#"{"tea": "pot"}"#);
    let seen = &bench.seen("/api/status")[0];
    assert_eq!(seen.header("Accept").unwrap(), "application/json");
    assert!(seen.header("X-Azure-Functions-InvocationId").is_some());
    assert_eq!(client.post(&url).send().await.unwrap().status().as_u16(), 404);
    assert_eq!(client.get(format!("http://{address}/admin/host/status")).send().await.unwrap().status().as_u16(), 200);
    let by_hand = format!("http://{address}/admin/functions/pull");
    assert_eq!(client.post(by_hand).send().await.unwrap().status().as_u16(), 202);
    assert_eq!(client.get(format!("http://{address}/")).send().await.unwrap().status().as_u16(), 200);
    drained.abort();
}
