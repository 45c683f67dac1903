//! Handlers and hosts that die.

use super::*;

fn starts(events: &[HostEvent]) -> usize {
    events.iter().filter(|event| matches!(event, HostEvent::HandlerStarted { .. })).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_third_crash_ends_the_host_and_quotes_the_last_words() {
    let bench = Bench::new(json!({}), &[("pull", timer())], json!({"exit_at_start": 3})).await;
    let (outcome, events) = bench.start(Until::Stopped).outcome().await;
    let Err(HostError::HandlerGaveUp { reason }) = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("cannot start") && reason.contains('3'), "{reason}");
    assert_eq!(starts(&events), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_is_not_ready_in_time_is_counted_like_a_crash() {
    let host = json!({"customHandler": {"initializationTimeout": "00:00:01"}});
    let bench = Bench::new(host, &[("pull", timer())], json!({"never_listens": true})).await;
    let (outcome, events) = bench.start(Until::Stopped).outcome().await;
    let Err(HostError::HandlerGaveUp { reason }) = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("did not answer within 1s"), "{reason}");
    assert_eq!(starts(&events), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_code_200_is_a_free_restart() {
    let restart = json!({"exit": 200});
    let nothing = nothing_pending()[0].clone();
    let behaviour = json!({"/pull": [restart, restart, restart, restart, nothing]});
    let bench = Bench::new(json!({}), &[("pull", timer())], behaviour).await;
    let (outcome, events) = bench.start(Until::Idle).outcome().await;
    outcome.unwrap();
    assert_eq!(starts(&events), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_code_0_is_never_restarted_and_every_invocation_fails() {
    let bench = Bench::new(json!({}), &[("pull", timer())], json!({"/pull": [{"exit": 0}]})).await;
    let (outcome, events) = bench.start(Until::Idle).outcome().await;
    assert!(matches!(outcome, Err(HostError::Stuck { .. })), "{outcome:?}");
    assert_eq!(starts(&events), 1);
    assert_eq!(bench.seen("/pull").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_body_hangs_until_the_timeout_and_costs_the_handler_its_life() {
    let nothing = nothing_pending()[0].clone();
    let behaviour = json!({"/pull": [{"empty": true}, nothing]});
    let bench = Bench::new(json!({"functionTimeout": "00:00:02"}), &[("pull", timer())], behaviour).await;
    let (outcome, events) = bench.start(Until::Idle).outcome().await;
    outcome.unwrap();
    assert_eq!(starts(&events), 2);
    let failure = events.iter().find_map(|event| match event {
        HostEvent::InvocationEnded { failure, .. } => failure.clone(),
        _ => None,
    });
    assert!(failure.unwrap().starts_with("Timeout value of 00:00:02 exceeded by function 'Functions.pull'"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_takes_the_other_invocations_with_it() {
    let behaviour =
        json!({"/pull": nothing_pending(), "/announce": [{"hang": true}, {}], "/load": [{"hang": true}, {}]});
    let functions = [("pull", timer()), ("announce", blob()), ("load", hub(3))];
    let bench = Bench::new(json!({"functionTimeout": "00:00:03"}), &functions, behaviour).await;
    bench.land("a.csv", "x").await;
    bench.send("x").await;
    bench.run_until_idle().await.unwrap();
    assert_eq!((bench.seen("/announce").len(), bench.seen("/load").len()), (2, 2));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_dies_kills_the_handler_and_its_batch_is_delivered_again() {
    let mut bench =
        Bench::new(json!({}), &[("pull", timer()), ("load", hub(0))], json!({"/load": [{"hang": true}]})).await;
    bench.send("x").await;
    let mut running = bench.start(Until::Stopped);
    let process = running
        .until(|event| match event {
            HostEvent::HandlerStarted { process_id, .. } => process_id,
            _ => None,
        })
        .await;
    running.until(|_| (!bench.seen("/load").is_empty()).then_some(())).await;
    running.host.abort();
    assert!(running.host.await.unwrap_err().is_cancelled());
    wait_until("the end of the handler with its host", || is_gone(process).then_some(())).await;

    bench.behaviour = json!({"/pull": nothing_pending()});
    bench.run_until_idle().await.unwrap();
    assert_eq!(bench.seen("/load").len(), 2);
}
