//! Timers: what a run is told, and when it happens.

use super::*;

fn yearly(options: Value) -> Value {
    let mut binding = json!({"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 0 0 1 1 *"});
    for (key, value) in options.as_object().unwrap() {
        binding[key] = value.clone();
    }
    json!({"bindings": [binding]})
}

async fn bench(timer: Value) -> Bench {
    Bench::new(json!({}), &[("pull", timer)], json!({})).await
}

impl Bench {
    fn stored_status(&self) -> Option<Value> {
        let text = fs::read(self.gate("state/timers/pull.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn store_status(&self, status: &Value) {
        fs::create_dir_all(self.gate("state/timers")).unwrap();
        fs::write(self.gate("state/timers/pull.json"), status.to_string()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_run_is_told_of_year_1() {
    let bench = bench(yearly(json!({"runOnStartup": true}))).await;
    let host = bench.start(Until::Stopped).quiet().await;
    let seen = bench.until_seen("/pull", 1).await;
    let timer = &seen[0].body["Data"]["timer"];
    assert_eq!(timer["ScheduleStatus"]["Last"], "0001-01-01T00:00:00");
    assert_eq!(timer["ScheduleStatus"]["LastUpdated"], "0001-01-01T00:00:00");
    assert!(timer["ScheduleStatus"]["Next"].as_str().unwrap().ends_with("-01-01T00:00:00+00:00"));
    assert_eq!(timer["IsPastDue"], false);
    wait_until("the status after the run", || bench.stored_status().filter(|status| status["last"].is_string())).await;
    let events = host.stopped(|| ()).await;
    let details = events.iter().find_map(|event| match event {
        HostEvent::InvocationStarted { details, .. } => details.clone(),
        _ => None,
    });
    assert_eq!(details.unwrap(), "UnscheduledInvocationReason: RunOnStartup");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fell_due_while_the_host_was_down_runs_late() {
    let bench = bench(yearly(json!({}))).await;
    let last = "2020-06-01T00:00:00Z";
    bench.store_status(&json!({"last": last, "next": "2021-01-01T00:00:00Z", "last_updated": last}));
    let host = bench.start(Until::Stopped).quiet().await;
    let seen = bench.until_seen("/pull", 1).await;
    let timer = &seen[0].body["Data"]["timer"];
    assert_eq!(timer["IsPastDue"], true);
    assert_eq!(timer["ScheduleStatus"]["Next"], "2021-01-01T00:00:00+00:00");
    wait_until("another status", || bench.stored_status().filter(|status| status["last"] != last)).await;
    host.stopped(|| ()).await;

    let host = bench.start(Until::Stopped).quiet().await;
    assert_eq!(host.post("/admin/functions/pull").await.status().as_u16(), 202);
    let seen = bench.until_seen("/pull", 2).await;
    assert_eq!(seen.len(), 2, "it is past due once");
    assert_ne!(seen[1].body["Data"]["timer"]["ScheduleStatus"]["Last"], "2020-06-01T00:00:00+00:00");
    host.stopped(|| ()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_monitor_there_is_no_status() {
    let bench = bench(yearly(json!({"runOnStartup": true, "useMonitor": false}))).await;
    let host = bench.start(Until::Stopped).quiet().await;
    let seen = bench.until_seen("/pull", 1).await;
    assert_eq!(seen[0].body["Data"]["timer"]["ScheduleStatus"], Value::Null);
    host.stopped(|| ()).await;
    assert!(bench.stored_status().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_takes_longer_than_its_interval_delays_the_next() {
    let mut bench = Bench::new(json!({}), &[("pull", timer()), ("sweep", timer())], json!({})).await;
    let gate = bench.gate("open");
    bench.behaviour = json!({"/pull": [{"wait_for": gate}, {}]});
    let host = bench.start(Until::Stopped).quiet().await;
    bench.until_seen("/pull", 1).await;
    let sweeps = bench.seen("/sweep").len();
    bench.until_seen("/sweep", sweeps + 2).await;
    assert_eq!(bench.seen("/pull").len(), 1, "the other timer has fired twice meanwhile");
    fs::write(gate, "").unwrap();
    bench.until_seen("/pull", 2).await;
    host.stopped(|| ()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_timer_is_retried_by_its_policy_and_told_of_it_from_the_first_try() {
    let mut pull = yearly(json!({"runOnStartup": true}));
    pull["retry"] = json!({"strategy": "exponentialBackoff", "maxRetryCount": -1, "minimumInterval": "00:00:01", "maximumInterval": "00:00:01"});
    let bench = Bench::new(json!({}), &[("pull", pull)], json!({"/pull": [{"status": 500}, {}]})).await;
    let host = bench.start(Until::Stopped).quiet().await;
    let seen = bench.until_seen("/pull", 2).await;
    let context = |request: &Seen| request.body["Metadata"]["RetryContext"].clone();
    assert_eq!(context(&seen[0]), json!({"RetryCount": 0, "MaxRetryCount": -1, "Exception": null}));
    assert_eq!((&context(&seen[1])["RetryCount"], &context(&seen[1])["MaxRetryCount"]), (&json!(1), &json!(-1)));
    assert!(context(&seen[1])["Exception"]["Message"].as_str().unwrap().contains("500"));
    host.stopped(|| ()).await;
}
