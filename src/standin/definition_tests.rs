use super::*;
use serde_json::json;

fn app_with(host: Value, functions: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("host.json"), host.to_string()).unwrap();
    for (name, function) in functions {
        fs::create_dir_all(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("function.json"), function.to_string()).unwrap();
    }
    folder
}

fn timer() -> Value {
    json!({"bindings": [{"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "%PullSchedule%"}]})
}

fn settings() -> Settings {
    Settings::from([("PullSchedule".to_owned(), "*/2 * * * * *".to_owned())])
}

fn fault(host: Value, functions: &[(&str, Value)]) -> String {
    let folder = app_with(host, functions);
    App::read(folder.path(), &settings()).unwrap_err().to_string()
}

#[test]
fn functions_are_found_at_the_root_and_below_functions() {
    let folder = app_with(json!({"version": "2.0"}), &[("pull", timer()), ("functions/sweep", timer())]);
    let app = App::read(folder.path(), &settings()).unwrap();
    assert_eq!(app.functions.iter().map(|function| function.name.as_str()).collect::<Vec<_>>(), ["pull", "sweep"]);
    assert_eq!(app.function_timeout, Some(Duration::from_secs(1800)));
    assert_eq!(app.initialization_timeout, Duration::from_secs(30));
    assert_eq!((app.max_event_batch_size, app.poison_blob_threshold), (100, 5));
}

#[test]
fn a_setting_that_is_missing_is_named() {
    let folder = app_with(json!({}), &[("pull", timer())]);
    let error = App::read(folder.path(), &Settings::new()).unwrap_err().to_string();
    assert!(error.contains("`%PullSchedule%` does not resolve to a value"), "{error}");
}

#[test]
fn host_json_changes_what_has_a_default() {
    let host = json!({
        "functionTimeout": "-1",
        "customHandler": {"initializationTimeout": "00:00:05", "enableForwardingHttpRequest": true},
        "extensions": {"eventHubs": {"maxEventBatchSize": 7}, "http": {"routePrefix": "x"}},
        "retry": {"strategy": "fixedDelay", "maxRetryCount": 1, "delayInterval": "00:00:01"},
    });
    let status = json!({"bindings": [
        {"type": "httpTrigger", "direction": "in", "name": "request", "route": "status", "methods": ["get"]},
        {"type": "http", "direction": "out", "name": "response"},
    ]});
    let folder = app_with(host, &[("status", status)]);
    let app = App::read(folder.path(), &settings()).unwrap();
    assert_eq!((app.function_timeout, app.max_event_batch_size), (None, 7));
    assert_eq!(app.route_prefix, "x");
    assert!(app.functions[0].retry.is_some());
    assert!(
        matches!(&app.functions[0].trigger, Trigger::Http { route, methods } if route == "status" && methods == &["GET"])
    );
}

#[test]
fn what_the_stand_in_would_do_differently_is_refused() {
    let blob = |properties: Value| json!({"bindings": [{"type": "blobTrigger", "name": "b", "path": "landing/{name}", "properties": properties}]});
    let hub = json!({"bindings": [{"type": "eventHubTrigger", "name": "e", "eventHubName": "files"}]});
    let http = json!({"bindings": [{"type": "httpTrigger", "name": "r", "route": "status"}]});
    let queue = json!({"bindings": [{"type": "queueTrigger", "name": "q"}]});
    assert!(fault(json!({}), &[("announce", blob(json!({})))]).contains("supportsDeferredBinding"));
    assert!(fault(json!({}), &[("load", hub)]).contains("cardinality"));
    assert!(fault(json!({}), &[("status", http)]).contains("enableForwardingHttpRequest"));
    assert!(fault(json!({}), &[("q", queue)]).contains("queueTrigger"));
    assert!(fault(json!({}), &[("host", timer())]).contains("folder's name"));
    assert!(fault(json!({}), &[]).contains("no function found"));
    assert!(fault(json!({"functionTimeout": "10"}), &[("pull", timer())]).contains("functionTimeout"));
}
