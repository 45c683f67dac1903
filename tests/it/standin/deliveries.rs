//! What reaches the handler, how often, and when the host calls it done.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

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
    let poison = bench.queues.open("webjobs-blobtrigger-poison").unwrap().peek_all().unwrap();
    assert_eq!(poison.len(), 1);
    let message: Value = serde_json::from_slice(&STANDARD.decode(&poison[0]).unwrap()).unwrap();
    assert_eq!(message["BlobName"], "flights/bad.csv");
    assert_eq!(message["FunctionId"], "Host.Functions.announce");
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/announce").len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_deferred_binding_the_whole_content_arrives() {
    let announce = json!({"bindings": [
        {"type": "blobTrigger", "direction": "in", "name": "blob", "path": "landing/{name}", "connection": "LandingStorage"},
    ]});
    let behaviour = json!({"/pull": nothing_pending()});
    let bench = Bench::new(json!({}), &[("pull", timer()), ("announce", announce)], behaviour).await;
    bench.land("flights/a.csv", "hello").await;
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/announce")[0].body["Data"]["blob"], "aGVsbG8=");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handler_runs_as_host_json_and_the_settings_say() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/standin/handler.py");
    let host = json!({"customHandler": {"description": {
        "defaultExecutablePath": "%PYTHON%", "arguments": [script, "--at=%PLACE%", "\"a b\""], "workingDirectory": "work",
    }}});
    let mut bench = Bench::new(host, &[("pull", timer())], json!({"/pull": nothing_pending()})).await;
    fs::create_dir(bench.gate("app").join("work")).unwrap();
    for (name, value) in [
        ("PYTHON", "python3"),
        ("PLACE", "here"),
        ("AzureFunctionsJobHost__customHandler__description__workerArguments__0", "last"),
    ] {
        bench.settings.insert(name.to_owned(), value.to_owned());
    }
    bench.run_until_idle().await.unwrap();
    let entry = &bench.seen("/pull")[0].entry;
    assert_eq!(entry["arguments"], json!(["--at=here", "a b", "last"]));
    let app = bench.gate("app").canonicalize().unwrap();
    assert_eq!(entry["directory"], app.join("work").to_str().unwrap());
    let environment = &entry["environment"];
    assert_eq!(environment["FUNCTIONS_APP_ROOT_PATH"], bench.gate("app").to_str().unwrap());
    assert_eq!(environment["FUNCTIONS_CUSTOMHANDLER_PORT"], environment["FUNCTIONS_HTTPWORKER_PORT"]);
    assert_eq!(environment["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"], environment["FUNCTIONS_HTTPWORKER_ID"]);
    assert_eq!(environment["PLACE"], "here");
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
