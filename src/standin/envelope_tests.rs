//! The payloads of the protocol reference, pinned as JSON values.

use bytes::Bytes;

use super::*;
use crate::names::{BlobName, ETag};
use crate::standin::definition::{DataType, MessageEncoding};
use crate::standin::storage_queue::QueueMessage;
use crate::stations::containers::BlobFacts;
use crate::stations::hub::HubEvent;

fn system<'a>(function: &'a str, now: &str, guid: &str) -> SystemFacts<'a> {
    SystemFacts { function, now: now.parse().unwrap(), guid: guid.parse().unwrap() }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_timer_carries_its_status() {
    let status = ScheduleStatus {
        last: Some("2026-08-22T05:55:00.0012345Z".parse().unwrap()),
        next: "2026-08-22T06:00:00Z".parse().unwrap(),
        last_updated: Some("2026-08-22T05:55:00.0012345Z".parse().unwrap()),
    };
    let facts = TimerFacts { adjust_for_dst: true, status: Some(&status), is_past_due: false, zone: Tz::UTC };
    let system = system("NightlyReport", "2026-08-22T06:00:00.0123456Z", "3d0a9a8e-6c34-4d0d-9c2e-0a4c1f3f6f10");
    let expected = r#"{
      "Data": { "timer": {
          "Schedule": { "AdjustForDST": true },
          "ScheduleStatus": {
            "Last": "2026-08-22T05:55:00.0012345+00:00",
            "Next": "2026-08-22T06:00:00+00:00",
            "LastUpdated": "2026-08-22T05:55:00.0012345+00:00"
          },
          "IsPastDue": false } },
      "Metadata": { "sys": {
          "MethodName": "NightlyReport",
          "UtcNow": "2026-08-22T06:00:00.0123456Z",
          "RandGuid": "3d0a9a8e-6c34-4d0d-9c2e-0a4c1f3f6f10" } } }"#;
    assert_eq!(timer("timer", &facts, &system), parsed(expected));
}

#[test]
fn a_timer_that_never_ran_is_in_year_one_and_a_frequent_one_has_no_status() {
    let system = system("pull", "2026-08-22T06:00:00Z", "3d0a9a8e-6c34-4d0d-9c2e-0a4c1f3f6f10");
    let now = "2026-08-22T06:00:00Z".parse().unwrap();
    let fresh = ScheduleStatus { last: None, next: now, last_updated: None };
    let facts = |status| TimerFacts { adjust_for_dst: true, status, is_past_due: false, zone: Tz::UTC };
    let first = timer("t", &facts(Some(&fresh)), &system);
    assert_eq!(first["Data"]["t"]["ScheduleStatus"]["Last"], "0001-01-01T00:00:00");
    assert_eq!(first["Data"]["t"]["ScheduleStatus"]["LastUpdated"], "0001-01-01T00:00:00");
    let frequent = timer("t", &facts(None), &system);
    assert_eq!(frequent["Data"]["t"]["ScheduleStatus"], Value::Null);
    assert_eq!(frequent["Metadata"]["sys"]["UtcNow"], "2026-08-22T06:00:00.0000000Z");
}

#[test]
fn a_deferred_blob_carries_its_address_and_properties() {
    let facts = BlobFacts {
        name: BlobName::new("2026/data 1#.csv").unwrap(),
        etag: ETag::new("0x8D").unwrap(),
        size_bytes: 14,
        last_modified: "2026-08-22T06:01:02.7Z".parse().unwrap(),
    };
    let blob =
        BlobTriggerFacts { facts: &facts, container_url: "https://acct.blob.core.windows.net/incoming", token: "name" };
    let system = system("ImportCsv", "2026-08-22T06:01:07.5550001Z", "b9d3d2a3-0c65-4d0a-a3e0-6b1f5e0f0c11");
    let request = deferred_blob("blob", &blob, &system);
    assert_eq!(request["Metadata"]["Uri"], r#""https://acct.blob.core.windows.net/incoming/2026/data%201%23.csv""#);
    assert_eq!(request["Metadata"]["name"], r#""2026/data 1#.csv""#);
    assert_eq!(request["Metadata"]["Properties"]["LastModified"], "2026-08-22T06:01:02+00:00");
    assert_eq!(request["Metadata"]["Properties"]["ContentLength"], 14);
    assert_eq!(request["Metadata"]["Properties"]["ETag"], parsed("{}"));
    assert_eq!(request["Metadata"]["Properties"].as_object().unwrap().len(), 45);
    assert_eq!(request["Data"]["blob"]["Source"], "AzureStorageBlobs");
    assert_eq!(request["Metadata"]["sys"]["UtcNow"], "2026-08-22T06:01:07.5550001Z");
}

fn event(sequence_number: u64, offset: u64, enqueued_at: &str, body: &'static str) -> HubEvent {
    HubEvent {
        sequence_number,
        offset: Some(offset.to_string()),
        enqueued_at: enqueued_at.parse().unwrap(),
        partition_key: None,
        body: Bytes::from(body),
    }
}

fn two_events() -> [HubEvent; 2] {
    [
        event(1041, 4295049216, "2026-08-22T06:02:00.125Z", r#"{"id":1,"t":"2026-08-22T06:02:00Z"}"#),
        event(1042, 4295049312, "2026-08-22T06:02:01.25Z", r#"{"id":2,"t":"2026-08-22T06:02:01Z"}"#),
    ]
}

fn partition_3() -> PartitionContext<'static> {
    PartitionContext {
        namespace: "ns.servicebus.windows.net",
        hub: "readings",
        consumer_group: "$Default",
        partition: "3",
        is_checkpointing_after_invocation: true,
    }
}

/// The reference's batch, but for its user properties, which a journal does not have.
#[test]
fn a_batch_of_events_is_arrays_inside_strings() {
    let events = two_events();
    let batch = EventBatch { context: partition_3(), events: &events, data_type: DataType::Binary };
    let system = system("Ingest", "2026-08-22T06:02:01.9000000Z", "5b4f0d53-7f3a-4ae2-8d0c-3f6b8d2f7a12");
    let expected = r#"{
      "Data": {
        "events": "[\"eyJpZCI6MSwidCI6IjIwMjYtMDgtMjJUMDY6MDI6MDBaIn0=\",\"eyJpZCI6MiwidCI6IjIwMjYtMDgtMjJUMDY6MDI6MDFaIn0=\"]"
      },
      "Metadata": {
        "TriggerPartitionContext": {
          "IsCheckpointingAfterInvocation": true, "FullyQualifiedNamespace": "ns.servicebus.windows.net",
          "EventHubName": "readings", "ConsumerGroup": "$Default", "PartitionId": "3" },
        "PartitionContext": {
          "IsCheckpointingAfterInvocation": true, "FullyQualifiedNamespace": "ns.servicebus.windows.net",
          "EventHubName": "readings", "ConsumerGroup": "$Default", "PartitionId": "3" },
        "PartitionKeyArray": "[null,null]",
        "OffsetArray": "[\"4295049216\",\"4295049312\"]",
        "OffsetStringArray": "[\"4295049216\",\"4295049312\"]",
        "SequenceNumberArray": "[1041,1042]",
        "EnqueuedTimeUtcArray": "[\"2026-08-22T06:02:00.125\",\"2026-08-22T06:02:01.25\"]",
        "PropertiesArray": "[{},{}]",
        "SystemPropertiesArray": "[{\"x-opt-sequence-number\":1041,\"x-opt-offset\":4295049216,\"x-opt-enqueued-time\":\"2026-08-22T06:02:00.125+00:00\",\"SequenceNumber\":1041,\"Offset\":4295049216,\"OffsetString\":\"4295049216\",\"PartitionKey\":null,\"EnqueuedTimeUtc\":\"2026-08-22T06:02:00.125\"},{\"x-opt-sequence-number\":1042,\"x-opt-offset\":4295049312,\"x-opt-enqueued-time\":\"2026-08-22T06:02:01.25+00:00\",\"SequenceNumber\":1042,\"Offset\":4295049312,\"OffsetString\":\"4295049312\",\"PartitionKey\":null,\"EnqueuedTimeUtc\":\"2026-08-22T06:02:01.25\"}]",
        "sys": {
          "MethodName": "Ingest", "UtcNow": "2026-08-22T06:02:01.9000000Z",
          "RandGuid": "5b4f0d53-7f3a-4ae2-8d0c-3f6b8d2f7a12" } } }"#;
    assert_eq!(event_batch("events", &batch, &system), Ok(parsed(expected)));
}

#[test]
fn the_same_events_as_texts_and_as_values() {
    let events = two_events();
    let system = system("Ingest", "2026-08-22T06:02:01Z", "5b4f0d53-7f3a-4ae2-8d0c-3f6b8d2f7a12");
    let data = |data_type| {
        let batch = EventBatch { context: partition_3(), events: &events, data_type };
        event_batch("events", &batch, &system).unwrap()["Data"].clone()
    };
    assert_eq!(
        data(DataType::String),
        parsed(
            r#"{ "events": "[\"{\\\"id\\\":1,\\\"t\\\":\\\"2026-08-22T06:02:00Z\\\"}\",\"{\\\"id\\\":2,\\\"t\\\":\\\"2026-08-22T06:02:01Z\\\"}\"]" }"#
        )
    );
    assert_eq!(
        data(DataType::Missing),
        parsed(
            r#"{ "events": "[{\"id\":1,\"t\":\"2026-08-22T06:02:00Z\"},{\"id\":2,\"t\":\"2026-08-22T06:02:01Z\"}]" }"#
        )
    );
}

#[test]
fn without_a_data_type_one_bad_event_spoils_the_batch() {
    let events = [event(7, 0, "2026-08-22T06:02:00Z", "{}"), event(8, 9, "2026-08-22T06:02:00Z", "{")];
    let system = system("Ingest", "2026-08-22T06:02:01Z", "5b4f0d53-7f3a-4ae2-8d0c-3f6b8d2f7a12");
    let batch = EventBatch { context: partition_3(), events: &events, data_type: DataType::Missing };
    let fault = event_batch("events", &batch, &system).unwrap_err().to_string();
    assert!(fault.contains("event 8 is not JSON"), "{fault}");
}

#[test]
fn a_single_event_has_its_facts_beside_it_and_its_members_among_them() {
    let event = event(1041, 4295049216, "2026-08-22T06:02:00.125Z", r#"{"id":1,"SequenceNumber":9}"#);
    let system = system("Ingest", "2026-08-22T06:02:01Z", "5b4f0d53-7f3a-4ae2-8d0c-3f6b8d2f7a12");
    let request = single_event("event", &partition_3(), &event, DataType::Missing, &system);
    assert_eq!(request["Data"]["event"], parsed(r#""\"{\\\"id\\\":1,\\\"SequenceNumber\\\":9}\"""#));
    let metadata = &request["Metadata"];
    assert_eq!(metadata["SequenceNumber"], "\"9\"", "whoever sends can forge it");
    assert_eq!(metadata["id"], "\"1\"");
    assert_eq!(metadata["EnqueuedTimeUtc"], "2026-08-22T06:02:00");
    assert_eq!(metadata["OffsetString"], "\"4295049216\"");
    assert_eq!(metadata.get("PartitionKey"), None);
    assert_eq!(metadata["PartitionContext"]["PartitionId"], "3");
    let binary = single_event("event", &partition_3(), &event, DataType::Binary, &system);
    assert_eq!(binary["Data"]["event"], "eyJpZCI6MSwiU2VxdWVuY2VOdW1iZXIiOjl9");
    assert_eq!(binary["Metadata"]["SequenceNumber"], "1041");
}

/// The reference's message.
#[test]
fn a_queue_message_is_a_text_with_its_members_merged() {
    let message = QueueMessage {
        id: "800ae4b3-bdd2-4c08-badd-f08e5a34b865".parse().unwrap(),
        text: "eyJvcmRlcklkIjo3fQ==".into(),
        dequeue_count: 1,
        inserted_at: "2026-08-22T06:03:00.4Z".parse().unwrap(),
        expires_at: "2026-08-29T06:03:00.4Z".parse().unwrap(),
        next_visible_at: "2026-08-22T06:13:01Z".parse().unwrap(),
        pop_receipt: uuid::Uuid::nil(),
    };
    let system = system("OnOrder", "2026-08-22T06:03:01.1000000Z", "24ad4c06-24ad-4e5b-8294-3da9714877e9");
    let body = decode_message(&message, MessageEncoding::Base64).unwrap();
    let expected = r#"{
      "Data": { "msg": "\"{\\\"orderId\\\":7}\"" },
      "Metadata": {
        "DequeueCount": "1",
        "ExpirationTime": "2026-08-29T06:03:00+00:00",
        "Id": "\"800ae4b3-bdd2-4c08-badd-f08e5a34b865\"",
        "InsertionTime": "2026-08-22T06:03:00+00:00",
        "NextVisibleTime": "2026-08-22T06:13:01+00:00",
        "PopReceipt": "\"AAAAAAAAAAAAAAAAAAAAAA==\"",
        "orderId": "\"7\"",
        "sys": { "MethodName": "OnOrder", "UtcNow": "2026-08-22T06:03:01.1000000Z", "RandGuid": "24ad4c06-24ad-4e5b-8294-3da9714877e9" } } }"#;
    assert_eq!(queue_message("msg", &message, &body, DataType::Missing, &system), parsed(expected));
    let binary = queue_message("msg", &message, &body, DataType::Binary, &system);
    assert_eq!(
        (&binary["Data"]["msg"], binary["Metadata"].get("orderId")),
        (&parsed("\"eyJvcmRlcklkIjo3fQ==\""), None)
    );
    let raw = QueueMessage { text: "{}".into(), ..message };
    assert!(decode_message(&raw, MessageEncoding::Base64).unwrap_err().to_string().contains("base64"));
    assert_eq!(decode_message(&raw, MessageEncoding::None).unwrap(), b"{}");
}

#[test]
fn a_request_that_is_not_forwarded_is_an_object() {
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let facts = HttpFacts {
        url: "http://127.0.0.1:7071/api/status?format=json&a=1&a=2",
        method: "POST",
        query: &[text("format", "json"), text("a", "1"), text("a", "2")],
        headers: &[text("content-type", "text/plain"), text("x-a", "1"), text("x-a", "2")],
        body: b"hello",
    };
    let system = system("status", "2026-08-22T06:03:01.1000000Z", "24ad4c06-24ad-4e5b-8294-3da9714877e9");
    let request = http_request("request", &facts, &system);
    let data = &request["Data"]["request"];
    assert_eq!(data["Query"], parsed(r#"{"format": "json", "a": "1,2"}"#));
    assert_eq!(data["Headers"], parsed(r#"{"Content-Type": ["text/plain"], "X-A": ["1", "2"]}"#));
    assert_eq!((&data["Method"], &data["Body"]), (&parsed("\"POST\""), &parsed("\"hello\"")));
    assert_eq!(request["Metadata"]["format"], "\"json\"");
    let octets = [text("content-type", "application/octet-stream")];
    let binary = HttpFacts { headers: &octets, ..facts };
    assert_eq!(http_request("request", &binary, &system)["Data"]["request"]["Body"], "aGVsbG8=");
}

#[test]
fn a_retry_keeps_the_request_and_counts() {
    let system = system("load", "2026-08-22T06:02:01Z", "5b4f0d53-7f3a-4ae2-8d0c-3f6b8d2f7a12");
    let facts = TimerFacts { adjust_for_dst: true, status: None, is_past_due: false, zone: Tz::UTC };
    let mut request = timer("t", &facts, &system);
    set_retry_context(&mut request, 0, 5, None);
    assert_eq!(
        request["Metadata"]["RetryContext"],
        parsed(r#"{"RetryCount": 0, "MaxRetryCount": 5, "Exception": null}"#)
    );
    set_retry_context(&mut request, 2, 5, Some("500"));
    assert_eq!(request["Metadata"]["RetryContext"]["RetryCount"], 2);
    assert_eq!(request["Metadata"]["RetryContext"]["Exception"]["Message"], "500");
}
