use super::*;
use serde_json::json;

fn app_with(mut host: Value, functions: &[(&str, Value)]) -> tempfile::TempDir {
    if host["customHandler"]["description"].is_null() {
        host["customHandler"]["description"] = json!({"defaultExecutablePath": "millrace"});
    }
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
    assert_eq!(app.handler.initialization_timeout, Duration::from_secs(30));
    assert_eq!((app.event_hubs.max_batch_size, app.poison_blob_threshold), (100, 5));
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
    assert_eq!((app.function_timeout, app.event_hubs.max_batch_size), (None, 7));
    assert_eq!(app.route_prefix, "x");
    assert!(app.functions[0].retry.is_none(), "HTTP is not retried");
    assert_eq!(app.warnings.len(), 1);
    assert!(
        matches!(&app.functions[0].trigger, Trigger::Http { route, methods } if route == "status" && methods == &["GET"])
    );
}

#[test]
fn what_the_stand_in_would_do_differently_is_refused() {
    let one = |binding: Value| json!({"bindings": [binding]});
    let hub = one(json!({"type": "eventHubTrigger", "name": "e", "eventHubName": "files", "cardinality": "several"}));
    let grid = one(json!({"type": "eventGridTrigger", "name": "e"}));
    let queue = one(json!({"type": "queueTrigger", "name": "q", "queueName": "Landed"}));
    let table = json!({"bindings": [timer()["bindings"][0], {"type": "table", "direction": "out", "name": "t"}]});
    let input = json!({"bindings": [timer()["bindings"][0], {"type": "blob", "direction": "in", "name": "b"}]});
    assert!(fault(json!({}), &[("load", hub)]).contains("cardinality"));
    assert!(fault(json!({}), &[("g", grid)]).contains("eventGridTrigger"));
    assert!(fault(json!({}), &[("q", queue)]).contains("queueName"));
    assert!(fault(json!({}), &[("t", table)]).contains("output type `table`"));
    assert!(fault(json!({}), &[("i", input)]).contains("no inputs"));
    assert!(fault(json!({}), &[("host", timer())]).contains("folder's name"));
    assert!(fault(json!({}), &[]).contains("no function found"));
    assert!(fault(json!({"functionTimeout": "10"}), &[("pull", timer())]).contains("functionTimeout"));
    let routes = json!({"customHandler": {"http": {"routes": [{"route": "{*any}"}]}}});
    assert!(fault(routes, &[("pull", timer())]).contains("http.routes"));
}

#[test]
fn numbers_that_contradict_each_other_are_refused() {
    let extension = |name: &str, options: Value| json!({"extensions": {name: options}});
    for (options, word) in [
        (json!({"minEventBatchSize": 101}), "minEventBatchSize"),
        (json!({"maxWaitTime": "00:11:00"}), "maxWaitTime"),
        (json!({"initialOffsetOptions": {"type": "fromMiddle"}}), "fromEnd"),
        (json!({"initialOffsetOptions": {"type": "fromEnqueuedTime"}}), "enqueuedTimeUtc"),
    ] {
        let fault = fault(extension("eventHubs", options), &[("pull", timer())]);
        assert!(fault.contains(word), "{fault}");
    }
    let fault = fault(extension("queues", json!({"batchSize": 33})), &[("pull", timer())]);
    assert!(fault.contains("batchSize"), "{fault}");
}

#[test]
fn the_queue_options_have_their_defaults() {
    let folder =
        app_with(json!({"extensions": {"queues": {"batchSize": 4, "messageEncoding": "none"}}}), &[("pull", timer())]);
    let queues = App::read(folder.path(), &settings()).unwrap().queues;
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!((queues.batch_size, queues.new_batch_threshold), (4, 2 * cores));
    assert_eq!((queues.max_dequeue_count, queues.visibility_timeout), (5, Duration::ZERO));
    assert_eq!(queues.encoding, MessageEncoding::None);
}

#[test]
fn a_policy_for_all_is_obeyed_by_timers_and_event_hubs_and_warned_of_elsewhere() {
    let host = json!({"retry": {"strategy": "fixedDelay", "maxRetryCount": -1, "delayInterval": "00:00:01"}});
    let queue = json!({"bindings": [{"type": "queueTrigger", "name": "q", "queueName": "landed"}]});
    let hub = json!({"bindings": [{"type": "eventHubTrigger", "name": "e", "eventHubName": "files"}]});
    let folder = app_with(host, &[("pull", timer()), ("q", queue), ("load", hub)]);
    let app = App::read(folder.path(), &settings()).unwrap();
    let retried: Vec<_> =
        app.functions.iter().filter(|function| function.retry.is_some()).map(|f| f.name.as_str()).collect();
    assert_eq!(retried, ["load", "pull"]);
    assert_eq!(app.warnings.len(), 1);
    assert!(app.warnings[0].contains("'q'"), "{:?}", app.warnings);
}

#[test]
fn the_handler_is_what_the_section_says_with_settings_in_it() {
    let host = json!({"customHandler": {
        "description": {
            "defaultExecutablePath": "bin/%NAME%", "workingDirectory": "work", "arguments": ["serve", "--at=%PLACE% --x=%NOWHERE%"],
        },
        "port": 9000,
    }});
    let folder = app_with(host, &[("pull", timer())]);
    let mut settings = settings();
    for (name, value) in [
        ("NAME", "handler"),
        ("PLACE", "here"),
        ("AzureFunctionsJobHost__customHandler__enableProxyingHttpRequest", "true"),
        ("AzureFunctionsJobHost__customHandler__initializationTimeout", "00:00:07"),
    ] {
        settings.insert(name.to_owned(), value.to_owned());
    }
    let handler = App::read(folder.path(), &settings).unwrap().handler;
    assert_eq!(handler.executable, Path::new("bin/handler"), "what is not in the folder is looked up in PATH");
    assert_eq!(handler.arguments, ["serve", "--at=here", "--x="]);
    assert_eq!(handler.working_directory, folder.path().join("work"));
    assert_eq!((handler.port, handler.http), (Some(9000), HttpMode::Proxying));
    assert_eq!(handler.initialization_timeout, Duration::from_secs(7));

    fs::create_dir(folder.path().join("bin")).unwrap();
    fs::write(folder.path().join("bin/handler"), "").unwrap();
    let handler = App::read(folder.path(), &settings).unwrap().handler;
    assert_eq!(handler.executable, folder.path().join("bin/handler"));
}

#[test]
fn a_time_zone_is_a_setting() {
    let folder = app_with(json!({}), &[("pull", timer())]);
    let mut settings = settings();
    settings.insert("WEBSITE_TIME_ZONE".to_owned(), "Europe/Berlin".to_owned());
    let app = App::read(folder.path(), &settings).unwrap();
    assert!(
        matches!(&app.functions[0].trigger, Trigger::Timer { schedule, .. } if schedule.zone() == Tz::Europe__Berlin)
    );
    settings.insert("WEBSITE_TIME_ZONE".to_owned(), "W. Europe Standard Time".to_owned());
    assert!(App::read(folder.path(), &settings).unwrap_err().to_string().contains("Europe/Berlin"));
}

#[test]
fn a_function_outside_of_the_list_is_not_there() {
    let folder = app_with(json!({"functions": ["pull"]}), &[("pull", timer()), ("sweep", timer())]);
    assert_eq!(App::read(folder.path(), &settings()).unwrap().functions.len(), 1);
}

#[test]
fn a_disabled_function_is_not_run_and_the_host_says_so() {
    let mut asleep = timer();
    asleep["disabled"] = json!(true);
    let mut by_setting = timer();
    by_setting["disabled"] = json!("NO_PULL");
    let functions = [("announce", asleep), ("load", timer()), ("pull", by_setting), ("sweep", timer())];
    let folder = app_with(json!({}), &functions);
    let names = |settings: &Settings| {
        let app = App::read(folder.path(), settings).unwrap();
        (app.functions.into_iter().map(|function| function.name).collect::<Vec<_>>(), app.warnings)
    };
    let mut settings = settings();
    settings.insert("AzureWebJobs.load.Disabled".to_owned(), "True".to_owned());
    let (running, said) = names(&settings);
    assert_eq!(running, ["pull", "sweep"]);
    assert!(said.contains(&"function 'load' is disabled".to_owned()), "{said:?}");

    settings.insert("AzureWebJobs.load.Disabled".to_owned(), "false".to_owned());
    settings.insert("NO_PULL".to_owned(), "1".to_owned());
    assert_eq!(names(&settings).0, ["load", "sweep"]);
}
