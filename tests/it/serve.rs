//! The payloads of the custom-handler protocol, posted at a running `millrace serve`, each with its answer.

use std::net::TcpListener;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use millrace::names::{BlobName, FeedName};
use millrace::records::landed::LandedFile;
use millrace::stations::containers::{Containers, StorageLocation};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::flights::{FILES, text_of};
use crate::support::{Place, Running, millrace, text, wait_for};

/// A handler as the host starts it, over the embedded ends of a place.
struct Handler {
    place: Place,
    _process: Running,
    url: String,
    client: Client,
}

impl Handler {
    fn start() -> Self {
        let place = Place::new();
        let migrated = millrace()
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["migrate", "--workspace"])
            .arg(place.workspace())
            .envs(settings(&place))
            .output()
            .unwrap();
        assert!(migrated.status.success(), "{}", text(&migrated.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = millrace()
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .arg("serve")
            .envs(settings(&place))
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let handler = Handler {
            place,
            _process: Running(process),
            url: format!("http://127.0.0.1:{port}"),
            client: Client::new(),
        };
        wait_for("the handler's socket", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        handler
    }

    async fn post(&self, function: &str, body: &Value) -> (StatusCode, Value) {
        self.post_bytes(function, body.to_string().into_bytes()).await
    }

    async fn post_bytes(&self, function: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let answer = self
            .client
            .post(format!("{}/{function}", self.url))
            .header("Content-Type", "application/json; charset=utf-8")
            .header("X-Azure-Functions-InvocationId", "7d1e4a52-0d3c-4f6e-9d35-0c9f6b0c7b11")
            .body(body)
            .send()
            .await
            .unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn containers(&self) -> Containers {
        Containers::open(&StorageLocation::Directory(self.place.workspace().join("storage"))).await.unwrap()
    }

    /// Lands a month of flights as somebody's upload, and returns what a message about it says.
    async fn landed(&self) -> LandedFile {
        let landing = self.containers().await.landing;
        let blob = BlobName::new("flights/uploaded.csv").unwrap();
        landing.put(&blob, text_of(FILES[0]).into()).await.unwrap();
        let facts = landing.head(&blob).await.unwrap().unwrap();
        LandedFile {
            feed: FeedName::new("flights").unwrap(),
            blob,
            etag: facts.etag,
            size_bytes: facts.size_bytes,
            sha256: None,
            format: "csv".to_owned(),
            compression: "none".to_owned(),
        }
    }

    async fn landing_url(&self) -> String {
        self.containers().await.landing.url().to_owned()
    }
}

pub fn settings(place: &Place) -> Vec<(String, String)> {
    let end = |scheme: &str, name: &str| format!("{scheme}{}", place.workspace().join(name).display());
    vec![
        ("LandingStorage".to_owned(), end("file:", "storage")),
        ("StagingShare".to_owned(), end("file:", "share")),
        ("EventHubConnection".to_owned(), end("file:", "hub")),
        ("Warehouse".to_owned(), end("sqlite:", "warehouse.db")),
    ]
}

fn sys(function: &str) -> Value {
    json!({"MethodName": function, "UtcNow": "2026-08-22T06:00:00.0123456Z",
           "RandGuid": "3d0a9a8e-6c34-4d0d-9c2e-0a4c1f3f6f10"})
}

fn timer(function: &str) -> Value {
    json!({
        "Data": { "timer": {
            "Schedule": { "AdjustForDST": true },
            "ScheduleStatus": {
                "Last": "2026-08-22T05:55:00.0012345+00:00",
                "Next": "2026-08-22T06:00:00+00:00",
                "LastUpdated": "2026-08-22T05:55:00.0012345+00:00"
            },
            "IsPastDue": false
        }},
        "Metadata": { "sys": sys(function) }
    })
}

fn blob(uri: &str, content: &str) -> Value {
    json!({
        "Data": { "blob": content },
        "Metadata": {
            "Uri": format!("\"{uri}\""),
            "Properties": { "LastModified": "2026-08-22T06:01:02+00:00", "BlobType": 0, "ContentLength": 14, "ETag": {} },
            "Metadata": {},
            "name": "\"flights/uploaded.csv\"",
            "sys": sys("announce")
        }
    })
}

pub fn batch(events: Value) -> Value {
    let context = json!({"IsCheckpointingAfterInvocation": true, "FullyQualifiedNamespace": "ns.servicebus.windows.net",
                         "EventHubName": "files", "ConsumerGroup": "$Default", "PartitionId": "3"});
    json!({
        "Data": { "events": events },
        "Metadata": {
            "TriggerPartitionContext": context, "PartitionContext": context,
            "PartitionKeyArray": "[null]", "OffsetArray": "[\"4295049216\"]", "SequenceNumberArray": "[1041]",
            "EnqueuedTimeUtcArray": "[\"2026-08-22T06:02:00.125\"]", "PropertiesArray": "[{}]",
            "RetryContext": { "RetryCount": 0, "MaxRetryCount": 5, "Exception": null },
            "sys": sys("load")
        }
    })
}

#[tokio::test]
async fn readiness_is_answered_at_once_and_for_ever() {
    let handler = Handler::start();
    for _ in 0..3 {
        let answer = handler.client.get(&handler.url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.text().await.unwrap(), "");
    }
}

#[tokio::test]
async fn timers_are_answered_with_an_object() {
    let handler = Handler::start();
    let (status, answer) = handler.post("sweep", &timer("sweep")).await;
    assert_eq!((status, &answer["ReturnValue"]["looked_at"]), (StatusCode::OK, &json!(0)), "{answer}");

    // The sources' secrets are not set: that is the feeds' failure, not the invocation's.
    let (status, answer) = handler.post("pull", &timer("pull")).await;
    assert_eq!((status, &answer["ReturnValue"]["failed"]), (StatusCode::OK, &json!(2)), "{answer}");
    assert!(answer.to_string().contains("FLIGHTS_SFTP_KEY"), "the answer names the setting: {answer}");
    assert!(answer["Outputs"].is_object());
}

#[tokio::test]
async fn a_blobs_address_is_announced_in_both_encodings_and_past_its_content() {
    let handler = Handler::start();
    let landed = handler.landed().await;
    let uri = format!("{}/{}", handler.landing_url().await, landed.blob);

    let (status, answer) = handler.post("announce", &blob(&uri, "")).await;
    assert_eq!((status, &answer["ReturnValue"]["announced"]), (StatusCode::OK, &json!(landed.blob)), "{answer}");

    let mut plain = blob(&uri, "");
    plain["Metadata"]["Uri"] = json!(uri);
    assert_eq!(handler.post("announce", &plain).await.0, StatusCode::OK);

    // An old extension sends the whole blob: 48 MB of base64 are read past.
    let heavy = blob(&uri, &"aWQsbmFtZQoxLGFkYQo=".repeat(2_400_000));
    let (status, answer) = handler.post("announce", &heavy).await;
    assert_eq!((status, &answer["ReturnValue"]["announced"]), (StatusCode::OK, &json!(landed.blob)));
}

#[tokio::test]
async fn a_queue_message_is_announced_by_what_it_says_whatever_the_metadata_say() {
    let handler = Handler::start();
    let landed = handler.landed().await;
    let uri = format!("{}/{}", handler.landing_url().await, landed.blob);
    let event = json!({ "eventType": "Microsoft.Storage.BlobCreated", "data": { "url": uri } }).to_string();
    let forms = [json!(STANDARD.encode(&event)), json!(json!(event).to_string())];
    for form in forms {
        let forged = json!({ "Uri": "\"https://elsewhere/landing/flights/x.csv\"", "sys": sys("announce") });
        let (status, answer) =
            handler.post("announce", &json!({ "Data": { "message": form }, "Metadata": forged })).await;
        assert_eq!((status, &answer["ReturnValue"]["announced"]), (StatusCode::OK, &json!(landed.blob)), "{answer}");
    }
    // What a retry would not mend is refused, and does not come again.
    for (message, reason) in
        [("hello", "not JSON"), (r#"{"eventType":"Microsoft.Storage.BlobCreated"}"#, "no `data.url`")]
    {
        let body =
            json!({ "Data": { "message": STANDARD.encode(message) }, "Metadata": { "Uri": json!(uri).to_string() } });
        let (status, answer) = handler.post("announce", &body).await;
        assert_eq!(status, StatusCode::OK);
        assert!(answer["ReturnValue"]["refused"].as_str().unwrap().contains(reason), "{answer}");
    }
}

#[tokio::test]
async fn an_address_elsewhere_is_refused_and_not_tried_again() {
    let handler = Handler::start();
    let (status, answer) =
        handler.post("announce", &blob("https://acct.blob.core.windows.net/incoming/x.csv", "")).await;
    assert_eq!(status, StatusCode::OK);
    let refused = answer["ReturnValue"]["refused"].as_str().unwrap();
    assert!(refused.contains("is not in the landing container"), "{refused}");
}

#[tokio::test]
async fn a_batch_loads_once_however_it_is_encoded() {
    let handler = Handler::start();
    let landed = handler.landed().await;
    let message = landed.encode(&handler.landing_url().await, Utc::now());
    let base64 = STANDARD.encode(&message);
    let as_text = String::from_utf8(message.clone()).unwrap();

    let (status, answer) = handler.post("load", &batch(json!(json!([base64]).to_string()))).await;
    assert_eq!((status, &answer["ReturnValue"]["committed"]), (StatusCode::OK, &json!(1)), "{answer}");
    let other_forms = [
        json!([base64]),
        json!(json!([as_text]).to_string()),
        json!(format!("[{as_text}]")),
        json!([serde_json::from_slice::<Value>(&message).unwrap()]),
    ];
    for form in other_forms {
        let (status, answer) = handler.post("load", &batch(form.clone())).await;
        assert_eq!(
            (status, &answer["ReturnValue"]["already_applied"]),
            (StatusCode::OK, &json!(1)),
            "{form}: {answer}"
        );
    }
}

#[tokio::test]
async fn forged_metadata_changes_nothing() {
    let handler = Handler::start();
    let landed = handler.landed().await;
    let message = STANDARD.encode(landed.encode(&handler.landing_url().await, Utc::now()));
    let mut forged = batch(json!(json!([message]).to_string()));
    for (key, value) in
        [("DequeueCount", "\"99\""), ("Uri", "\"https://evil.example\""), ("sys", "{\"MethodName\":\"pull\"}")]
    {
        forged["Metadata"][key] = json!(value);
    }
    let (status, answer) = handler.post("load", &forged).await;
    assert_eq!((status, &answer["ReturnValue"]["committed"]), (StatusCode::OK, &json!(1)), "{answer}");
}

#[tokio::test]
async fn a_foreign_message_is_kept_and_does_not_block_its_batch() {
    let handler = Handler::start();
    let landed = handler.landed().await;
    let ours = STANDARD.encode(landed.encode(&handler.landing_url().await, Utc::now()));
    let foreign = STANDARD.encode(br#"{"hello":"world"}"#);
    let (status, answer) = handler.post("load", &batch(json!(json!([foreign, ours]).to_string()))).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        answer["ReturnValue"],
        json!({"committed": 1, "already_applied": 0, "retracted": 0, "superseded": 0, "dead_lettered": 1})
    );
}

#[tokio::test]
async fn what_is_no_invocation_is_refused_with_a_body() {
    let handler = Handler::start();
    for body in [&b""[..], b"not json", b"[]"] {
        let (status, answer) = handler.post_bytes("load", body.to_vec()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(answer["error"].as_str().unwrap().contains("is not an invocation"), "{answer}");
    }
    assert_eq!(handler.post("no_such_function", &timer("x")).await.0, StatusCode::NOT_FOUND);
    let (status, answer) = handler.post("load", &json!({"Data": {}, "Metadata": {}})).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "the host has the answer of a failed invocation: {answer}");
    let (status, _) = handler.post_bytes("sweep", vec![b' '; 2 << 20]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_status_page_is_forwarded_or_comes_in_an_envelope() {
    let handler = Handler::start();
    handler.landed().await;
    let page = handler.client.get(format!("{}/api/status", handler.url)).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("flights"));
    let browser = handler.client.get(format!("{}/api/status?code=k", handler.url)).header("Accept", "text/html,*/*");
    let page = browser.send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let page = page.text().await.unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("?code=k&amp;format=json"), "{page}");
    let refused = handler.client.get(format!("{}/api/status?format=xml", handler.url)).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let report: Value = handler
        .client
        .get(format!("{}/api/status?format=json", handler.url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(report["feeds"][0]["waiting"], 1);
    let by_accept = handler.client.get(format!("{}/api/status", handler.url)).header("Accept", "application/json");
    assert!(by_accept.send().await.unwrap().json::<Value>().await.unwrap()["feeds"].is_array());

    let request = json!({"Data": {"request": {"Url": "http://localhost:7071/api/status", "Method": "GET", "Query": "{}",
        "Headers": {"Accept": ["*/*"]}, "Params": {}, "Identities": "[]"}}, "Metadata": {"sys": sys("status")}});
    let (status, answer) = handler.post("status", &request).await;
    assert_eq!((status, &answer["Outputs"]["response"]["statusCode"]), (StatusCode::OK, &json!(200)), "{answer}");
}
