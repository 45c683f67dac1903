//! HTTP to functions, in all three ways, and to the host itself.

use super::*;

fn status() -> Value {
    json!({"bindings": [
        {"type": "httpTrigger", "direction": "in", "name": "request", "authLevel": "function", "methods": ["get", "put"], "route": "status"},
        {"type": "http", "direction": "out", "name": "response"},
    ]})
}

async fn bench(handler: Value, behaviour: Value) -> Bench {
    Bench::new(json!({"customHandler": handler}), &[("status", status()), ("pull", timer())], behaviour).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_is_forwarded_to_the_original_path_and_comes_back_as_it_is() {
    for way in ["enableForwardingHttpRequest", "enableProxyingHttpRequest"] {
        let behaviour = json!({"/api/status?format=json": [{"status": 418, "body": {"tea": "pot"}}]});
        let bench = bench(json!({way: true}), behaviour).await;
        let host = bench.start(Until::Stopped).quiet().await;
        let url = host.url("/api/status?format=json");
        let request = host.client.get(&url).header("Accept", "application/json").header("User-Agent", "me/1");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 418, "{way}");
        assert_eq!(answer.text().await.unwrap(), r#"{"tea": "pot"}"#);
        let seen = &bench.seen("/api/status")[0];
        assert_eq!(seen.header("Accept").unwrap(), "application/json");
        assert!(seen.header("X-Azure-Functions-InvocationId").is_some());
        assert_eq!(seen.header("Host").unwrap(), host.address.to_string());
        assert!(seen.header("User-Agent").unwrap().starts_with("me/1 Azure-Functions-Host/4."));
        assert_eq!(host.client.post(&url).send().await.unwrap().status().as_u16(), 404);
        host.stopped(|| ()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_forwarding_the_request_is_an_envelope_and_the_response_an_output() {
    let response =
        json!({"statusCode": 418, "headers": {"Content-Type": "application/json"}, "body": "{\"tea\":\"pot\"}"});
    let answers = |response: Value| json!({"body": {"Outputs": {"response": response, "undeclared": 1}}});
    let behaviour =
        json!({"/status": [answers(response), {"body": {}}, answers(json!("no response")), {"status": 500}]});
    let bench = bench(json!({}), behaviour).await;
    let host = bench.start(Until::Stopped).quiet().await;
    let answer = host.client.put(host.url("/api/status?a=1")).body("hello").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 418);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.text().await.unwrap(), r#"{"tea":"pot"}"#);
    let request = &bench.seen("/status")[0].body["Data"]["request"];
    assert_eq!(
        (&request["Method"], &request["Query"], &request["Body"]),
        (&json!("PUT"), &json!({"a": "1"}), &json!("hello"))
    );
    assert_eq!(request["Url"], host.url("/api/status?a=1"));

    let nothing = host.get("/api/status").await;
    assert_eq!((nothing.status().as_u16(), nothing.text().await.unwrap()), (200, "{}".to_owned()));
    assert_eq!(host.get("/api/status").await.status().as_u16(), 500, "an output of another form fails the invocation");
    assert_eq!(host.get("/api/status").await.status().as_u16(), 500);
    let events = host.stopped(|| ()).await;
    let last_failure = events.iter().rev().find_map(|event| match event {
        HostEvent::InvocationEnded { function, failure, .. } if function == "status" => failure.clone(),
        _ => None,
    });
    assert!(last_failure.unwrap().contains("500"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_answers_for_itself_and_runs_a_timer_by_hand() {
    let yearly =
        json!({"bindings": [{"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 0 0 1 1 *"}]});
    let bench = Bench::new(json!({}), &[("sweep", yearly)], json!({})).await;
    let host = bench.start(Until::Stopped).quiet().await;
    assert_eq!(host.get("/").await.status().as_u16(), 200);
    assert_eq!(host.get("/admin/host/status").await.json::<Value>().await.unwrap()["state"], "Running");
    assert_eq!(host.post("/admin/host/ping").await.status().as_u16(), 200);
    assert_eq!(host.post("/admin/functions/nobody").await.status().as_u16(), 404);
    assert_eq!(host.post("/admin/functions/Sweep").await.status().as_u16(), 202);
    let seen = bench.until_seen("/sweep", 1).await;
    assert_eq!(seen[0].body["Data"]["timer"]["IsPastDue"], false);
    host.stopped(|| ()).await;
}
