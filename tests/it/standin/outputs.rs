//! What becomes of an answer's outputs.

use super::*;

fn with_outputs() -> Value {
    let mut pull = timer();
    let bindings = pull["bindings"].as_array_mut().unwrap();
    bindings.push(
        json!({"type": "eventHub", "direction": "out", "name": "events", "eventHubName": "out", "connection": "C"}),
    );
    bindings.push(
        json!({"type": "queue", "direction": "out", "name": "messages", "queueName": "out-queue", "connection": "C"}),
    );
    pull
}

fn answer(outputs: Value) -> Value {
    json!({"body": {"Outputs": outputs, "ReturnValue": {"pending": 0, "failed": 0}}})
}

async fn events_of(bench: &Bench) -> Vec<String> {
    let mut bodies = Vec::new();
    for partition in 0..bench.hub.partition_count("out").await.unwrap() {
        for event in bench.hub.read("out", partition, 0, 100, 1 << 20).await.unwrap() {
            bodies.push(String::from_utf8(event.body.to_vec()).unwrap());
        }
    }
    bodies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_go_where_the_function_says_and_texts_that_look_like_base64_are_damaged() {
    let outputs = json!({"events": ["one", {"two": 2}], "messages": "aGVsbG8=", "undeclared": "x"});
    let behaviour = json!({"/pull": [answer(outputs), answer(json!({}))]});
    let bench = Bench::new(json!({}), &[("pull", with_outputs())], behaviour).await;
    bench.run_until_idle().await.unwrap();
    assert_eq!(events_of(&bench).await, ["one", "{\n  \"two\": 2\n}"]);
    // What the queue got is `hello`, in the queue's own encoding.
    assert_eq!(bench.queues.open("out-queue").unwrap().peek_all().unwrap(), ["aGVsbG8="]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_that_cannot_be_sent_fails_the_invocation_after_it_reported_success() {
    let mut pull = with_outputs();
    pull["bindings"][1]["eventHubName"] = json!("no hub of this name");
    let behaviour = json!({"/pull": [answer(json!({"events": "one"})), answer(json!({}))]});
    let bench = Bench::new(json!({}), &[("pull", pull)], behaviour).await;
    let (outcome, events) = bench.start(Until::Idle).outcome().await;
    outcome.unwrap();
    let failure = events.iter().find_map(|event| match event {
        HostEvent::InvocationEnded { failure, .. } => failure.clone(),
        _ => None,
    });
    assert!(failure.unwrap().contains("no hub of this name"));
}
