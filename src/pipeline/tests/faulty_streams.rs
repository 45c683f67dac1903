//! Faulty `[feed.stream]` tables.

use super::{FLIGHTS, check_cases, faults};

/// The stream's keys begin on line 12.
fn faults_of_stream(stream: &str) -> String {
    faults(&format!("{FLIGHTS}[feed.stream]\n{stream}"))
}

/// Another feed streams the same hub, with groups of its own; its `[feed.stream]` is on line 18, and what is given follows.
fn faults_of_second_stream(second: &str) -> String {
    faults_of_stream(&format!(
        "hub = \"departures\"\n[[feed]]\nname = \"other\"\nformat = \"ndjson\"\n[feed.columns]\na = \"int64\"\n[feed.stream]\n{second}"
    ))
}

#[test]
fn a_stream_needs_a_hub_that_azure_takes() {
    let cases = [
        ("", r#"pipeline.toml:11: feed `flights`, stream: `hub` is missing; write `hub = "events"`"#),
        (
            "hub = 7",
            r#"pipeline.toml:12: feed `flights`, stream: `hub` must be a string, but a whole number stands here; write `hub = "events"`"#,
        ),
        (
            r#"hub = "files""#,
            r#"pipeline.toml:12: feed `flights`, stream: `hub` is `files`, through which millrace says to itself which files have landed; name the hub to which the events are sent: `hub = "events"`"#,
        ),
        (
            r#"hub = "Files""#,
            r#"pipeline.toml:12: feed `flights`, stream: `hub` is `files`, through which millrace says to itself which files have landed; name the hub to which the events are sent: `hub = "events"`"#,
        ),
        (
            r#"hub = """#,
            r#"pipeline.toml:12: feed `flights`, stream: `hub` is ``, and Azure takes letters, digits, `.`, `-` and `_`; write the hub's name as Azure has it: `hub = "events"`"#,
        ),
        (
            r#"hub = "my events""#,
            r#"pipeline.toml:12: feed `flights`, stream: `hub` is `my events`, and Azure takes letters, digits, `.`, `-` and `_`; write the hub's name as Azure has it: `hub = "events"`"#,
        ),
        (
            r#"hub = "-events""#,
            r#"pipeline.toml:12: feed `flights`, stream: `hub` is `-events`, and Azure wants a letter or a digit at both ends; write the hub's name as Azure has it: `hub = "events"`"#,
        ),
        (
            r#"hub = "%EventsHub%""#,
            r#"pipeline.toml:12: feed `flights`, stream: `hub` is the hub's own name, and not an address, a connection string or a setting (not shown here); write `hub = "events"`; where the hub is, the setting EventHubConnection says"#,
        ),
        (
            r#"hub = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKey=hunter2;EntityPath=events""#,
            r#"pipeline.toml:12: feed `flights`, stream: `hub` is the hub's own name, and not an address, a connection string or a setting (not shown here); write `hub = "events"`; where the hub is, the setting EventHubConnection says"#,
        ),
        (
            r#"hub = "events"
consumergroup = "x""#,
            "pipeline.toml:13: feed `flights`, stream: unknown key `consumergroup`; did you mean `consumer_group`?",
        ),
        (
            r#"hub = "events"
namespace = "x""#,
            "pipeline.toml:13: feed `flights`, stream: unknown key `namespace`; known here: `hub`, `consumer_group`, `repair_group` and `start`",
        ),
        (
            r#"hub = "events"
start = "latests""#,
            "pipeline.toml:13: feed `flights`, stream: `start` cannot be `latests`; did you mean `latest`?",
        ),
        (
            r#"hub = "events"
start = "now""#,
            "pipeline.toml:13: feed `flights`, stream: `start` cannot be `now`; write `earliest`, for all that the hub still has, or `latest`, for what comes",
        ),
    ];
    check_cases(&cases, faults_of_stream);
    let own = format!("hub = \"{}\"", crate::records::landed::FILES_HUB);
    assert!(faults_of_stream(&own).contains("millrace says to itself"));
    let long = format!("hub = \"{}\"", "e".repeat(257));
    assert!(faults_of_stream(&long).contains("Azure takes at most 256 characters"));
    let longest = format!("hub = \"{}\"", "e".repeat(256));
    assert_eq!(faults_of_stream(&longest), "no faults");
}

#[test]
fn a_stream_is_read_through_two_groups() {
    let cases = [
        (
            r#"hub = "events"
repair_group = "$default""#,
            "pipeline.toml:13: feed `flights`, stream: `consumer_group` and `repair_group` are both `$default`: the two readers would turn each other out; give the hub a consumer group for repairs alone, and write its name as `repair_group`",
        ),
        (
            r#"hub = "events"
consumer_group = "millrace""#,
            "pipeline.toml:13: feed `flights`, stream: `consumer_group` and `repair_group` are both `millrace`: the two readers would turn each other out; give the hub a consumer group for repairs alone, and write its name as `repair_group`",
        ),
        (
            r#"hub = "events"
consumer_group = "$Preview""#,
            r#"pipeline.toml:13: feed `flights`, stream: `consumer_group` is `$Preview`, and Azure takes letters, digits, `.`, `-` and `_`; write a consumer group of the hub, such as `consumer_group = "$Default"`"#,
        ),
        (
            r#"hub = "events"
repair_group = "a-group-with-a-name-that-is-longer-than-azure-takes""#,
            r#"pipeline.toml:13: feed `flights`, stream: `repair_group` is `a-group-with-a-name-that-is-longer-than-azure-takes`, and Azure takes at most 50 characters; write a consumer group of the hub, such as `repair_group = "millrace"`"#,
        ),
        (
            r#"hub = "events"
consumer_group = "counting"
repair_group = "$Default"
start = "earliest""#,
            "no faults",
        ),
    ];
    check_cases(&cases, faults_of_stream);
}

#[test]
fn feeds_that_stream_one_hub_have_groups_of_their_own() {
    let cases = [
        (
            r#"hub = "departures""#,
            "pipeline.toml:18: feed `other`, stream: it reads hub `departures` through the consumer group `$Default`, and so does feed `flights`: each would take the other's partitions; give the hub another consumer group, and write its name as `consumer_group`\n\
             pipeline.toml:18: feed `other`, stream: it reads hub `departures` through the consumer group `millrace`, and so does feed `flights`: each would take the other's partitions; give the hub another consumer group, and write its name as `repair_group`",
        ),
        (
            r#"hub = "Departures"
consumer_group = "Millrace"
repair_group = "mending""#,
            "pipeline.toml:18: feed `other`, stream: it reads hub `Departures` through the consumer group `Millrace`, and so does feed `flights`: each would take the other's partitions; give the hub another consumer group, and write its name as `consumer_group`",
        ),
        (
            r#"hub = "departures"
consumer_group = "others"
repair_group = "mending""#,
            "no faults",
        ),
        (r#"hub = "arrivals""#, "no faults"),
    ];
    check_cases(&cases, faults_of_second_stream);
}
