//! The payloads of the protocol reference, pinned as JSON values.

use bytes::Bytes;

use super::*;
use crate::names::{BlobName, ETag};

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
        last_updated: "2026-08-22T05:55:00.0012345Z".parse().unwrap(),
    };
    let facts = TimerFacts { adjust_for_dst: true, status: Some(&status), is_past_due: false };
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
    let fresh = ScheduleStatus { last: None, next: now, last_updated: now };
    let first = timer("t", &TimerFacts { adjust_for_dst: true, status: Some(&fresh), is_past_due: true }, &system);
    assert_eq!(first["Data"]["t"]["ScheduleStatus"]["Last"], "0001-01-01T00:00:00");
    let frequent = timer("t", &TimerFacts { adjust_for_dst: true, status: None, is_past_due: false }, &system);
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

/// The reference's batch, but for its user properties, which a journal does not have.
#[test]
fn a_batch_of_events_is_arrays_inside_strings() {
    let event = |sequence_number, offset, enqueued_at: &str, body: &'static str| JournalEvent {
        sequence_number,
        offset,
        enqueued_at: enqueued_at.parse().unwrap(),
        partition_key: String::new(),
        body: Bytes::from(body),
    };
    let events = [
        event(1041, 4295049216, "2026-08-22T06:02:00.125Z", r#"{"id":1,"t":"2026-08-22T06:02:00Z"}"#),
        event(1042, 4295049312, "2026-08-22T06:02:01.25Z", r#"{"id":2,"t":"2026-08-22T06:02:01Z"}"#),
    ];
    let context = PartitionContext {
        namespace: "ns.servicebus.windows.net",
        hub: "readings",
        consumer_group: "$Default",
        partition: 3,
    };
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
    assert_eq!(event_batch("events", &context, &events, &system), parsed(expected));
}

#[test]
fn a_retry_keeps_the_request_and_counts() {
    let system = system("load", "2026-08-22T06:02:01Z", "5b4f0d53-7f3a-4ae2-8d0c-3f6b8d2f7a12");
    let mut request = timer("t", &TimerFacts { adjust_for_dst: true, status: None, is_past_due: false }, &system);
    set_retry_context(&mut request, 0, 5, None);
    assert_eq!(
        request["Metadata"]["RetryContext"],
        parsed(r#"{"RetryCount": 0, "MaxRetryCount": 5, "Exception": null}"#)
    );
    set_retry_context(&mut request, 2, 5, Some("500"));
    assert_eq!(request["Metadata"]["RetryContext"]["RetryCount"], 2);
    assert_eq!(request["Metadata"]["RetryContext"]["Exception"]["Message"], "500");
}
