//! Hosts that stop, drain, or give way to another because the app has changed.

use super::*;

/// A host with one event in flight that ends when the gate opens.
async fn with_an_event_in_flight(settings: &[(&str, &str)]) -> (Bench, Quiet, PathBuf) {
    let functions = [("pull", timer()), ("load", hub(0))];
    let mut bench = Bench::new(json!({}), &functions, json!({})).await;
    let gate = bench.gate("open");
    bench.behaviour = json!({"/pull": nothing_pending(), "/load": [{"wait_for": gate}]});
    bench.settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    bench.send("x").await;
    let host = bench.start(Until::Stopped).quiet().await;
    bench.until_seen("/load", 1).await;
    (bench, host, gate)
}

fn succeeded(events: &[HostEvent], wanted: &str) -> usize {
    let is_success = |event: &&HostEvent| matches!(event, HostEvent::InvocationEnded { function, failure: None, .. } if function == wanted);
    events.iter().filter(is_success).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stops_lets_what_runs_end_and_checkpoints_nothing() {
    let (bench, host, gate) = with_an_event_in_flight(&[]).await;
    let events = host.stopped(|| fs::write(gate, "").unwrap()).await;
    assert_eq!(succeeded(&events, "load"), 1);
    assert!(matches!(events.last(), Some(HostEvent::Stopped)));
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/load").len(), 2, "it is delivered again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_drains_when_it_stops_checkpoints_what_ran() {
    let (bench, host, gate) = with_an_event_in_flight(&[("FUNCTIONS_ENABLE_DRAIN_ON_APP_STOPPING", "true")]).await;
    host.stopped(|| fs::write(gate, "").unwrap()).await;
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/load").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stops_leaves_the_retry_loop_and_the_next_one_counts_anew() {
    let mut load = hub(9);
    load["retry"]["delayInterval"] = json!("00:10:00");
    let behaviour = json!({"/pull": nothing_pending(), "/load": [{"status": 500}, {}]});
    let bench = Bench::new(json!({}), &[("pull", timer()), ("load", load)], behaviour).await;
    bench.send("x").await;
    let host = bench.start(Until::Stopped).quiet().await;
    bench.until_seen("/load", 1).await;
    let drained = async || host.get("/admin/host/drain/status").await.json::<Value>().await.unwrap();
    while drained().await["outstandingRetries"] != 1 {
        tokio::task::yield_now().await;
    }
    let events = host.stopped(|| ()).await;
    let leaves =
        |event: &HostEvent| matches!(event, HostEvent::Warning { message } if message.contains("exiting retry loop"));
    assert!(events.iter().any(leaves));
    bench.run_until_idle().await.unwrap();
    let seen = bench.seen("/load");
    assert_eq!((seen.len(), &seen[1].body["Metadata"]["RetryContext"]["RetryCount"]), (2, &json!(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_host_takes_nothing_new_until_it_is_resumed() {
    let (bench, host, gate) = with_an_event_in_flight(&[]).await;
    let status = async || -> Value { host.get("/admin/host/drain/status").await.json().await.unwrap() };
    assert_eq!(status().await["state"], "Disabled");
    assert_eq!(host.post("/admin/host/drain").await.status().as_u16(), 202);
    let draining = status().await;
    assert_eq!((&draining["state"], &draining["outstandingRetries"]), (&json!("InProgress"), &json!(0)));
    fs::write(gate, "").unwrap();
    let mut state = draining;
    while state["state"] != "Completed" {
        tokio::task::yield_now().await;
        state = status().await;
    }
    bench.send("y").await;
    let pulls = bench.seen("/pull").len();
    assert_eq!(bench.seen("/load").len(), 1);
    assert_eq!(host.post("/admin/host/resume").await.json::<Value>().await.unwrap()["state"], "Running");
    bench.until_seen("/load", 2).await;
    bench.until_seen("/pull", pulls + 1).await;
    assert_eq!(status().await["state"], "Disabled");
    host.stopped(|| ()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_app_has_a_second_handler_before_the_first_is_killed() {
    let functions = [("pull", timer()), ("load", hub(0))];
    let mut bench = Bench::new(json!({}), &functions, json!({})).await;
    let gate = bench.gate("open");
    bench.behaviour = json!({"/pull": nothing_pending(), "/load": [{"wait_for": gate}, {}]});
    bench.send("x").await;
    let mut running = bench.start(Until::Stopped);
    let started = |event| match event {
        HostEvent::HandlerStarted { process_id, port } => Some((process_id.unwrap(), port)),
        _ => None,
    };
    let (first, first_port) = running.until(started).await;
    running.until(|_| (!bench.seen("/load").is_empty()).then_some(())).await;
    bench.configure(json!({"functionTimeout": "00:04:00"}));
    let (second, second_port) = running.until(started).await;
    running.until(|event| matches!(event, HostEvent::HandlerReady { .. }).then_some(())).await;
    assert!(!is_gone(first), "what it runs is waited for");
    assert_ne!((first, first_port), (second, second_port));
    fs::write(gate, "").unwrap();
    running
        .until(|event| {
            matches!(event, HostEvent::InvocationEnded { function, failure: None, .. } if function == "load")
                .then_some(())
        })
        .await;
    let quiet = tokio::spawn(async move {
        while running.events.recv().await.is_some() {}
        drop(running.stop);
    });
    wait_until("the end of the first handler", || is_gone(first).then_some(())).await;
    // The first script host stopped without a checkpoint: the batch comes again, to the second handler.
    let seen = bench.until_seen("/load", 2).await;
    assert_eq!((&seen[0].entry["process"], &seen[1].entry["process"]), (&json!(first), &json!(second)));
    quiet.abort();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_port_of_its_own_the_first_handler_is_gone_before_the_second_comes() {
    // Below the range from which systems give ports to whoever asks for any.
    let port = (20_000..30_000).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
    let host = json!({"customHandler": {"port": port}});
    let bench = Bench::new(host, &[("pull", timer())], json!({"/pull": nothing_pending()})).await;
    let mut running = bench.start(Until::Stopped);
    let started = |event| match event {
        HostEvent::HandlerStarted { process_id, port } => Some((process_id.unwrap(), port)),
        _ => None,
    };
    let (first, first_port) = running.until(started).await;
    running.until(|event| matches!(event, HostEvent::HandlerReady { .. }).then_some(())).await;
    bench.configure(json!({"customHandler": {"port": port}, "functionTimeout": "00:04:00"}));
    let (_, second_port) = running.until(started).await;
    assert!(is_gone(first));
    assert_eq!((first_port, second_port), (port, port));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_app_that_cannot_be_read_is_said_and_the_old_one_goes_on() {
    let bench = Bench::new(json!({}), &[("pull", timer())], json!({"/pull": nothing_pending()})).await;
    let mut running = bench.start(Until::Stopped);
    running.until(|event| matches!(event, HostEvent::HandlerReady { .. }).then_some(())).await;
    fs::write(bench.gate("app").join("host.json"), "{").unwrap();
    let warning = running
        .until(|event| match event {
            HostEvent::Warning { message } => Some(message),
            _ => None,
        })
        .await;
    assert!(warning.contains("host.json` is not JSON"), "{warning}");
    let before = bench.seen("/pull").len();
    running.until(|_| (bench.seen("/pull").len() > before).then_some(())).await;
    bench.configure(json!({}));
    running.until(|event| matches!(event, HostEvent::Restarting).then_some(())).await;
}
