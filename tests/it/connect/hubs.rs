//! Event Hubs, at our broker: properties, the right to send, consumer groups; nothing is sent and nobody is turned out.

use super::App;
use crate::broker::{Broker, KEY};

const STREAM: &str = "[feed.stream]\nhub = \"orders\"\nconsumer_group = \"loaders\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubs_are_reached_and_nothing_is_sent() {
    let broker = Broker::start(&[("files", 2), ("orders", 1)]).await;
    let app = App::new(STREAM);
    let checked = app.check(&[("EventHubConnection", &broker.connection_string())]);
    let files = checked.reached("EventHubConnection, hub `files`");
    let whom = format!("{} by the key of policy `RootManageSharedAccessKey`; 2 partitions, made 2", broker.address());
    assert!(files.starts_with(&whom), "{files}");
    assert!(files.ends_with("may send (nothing was sent)"), "{files}");
    let stream = checked.reached("EventHubConnection, hub `orders`");
    for group in ["loaders", "millrace"] {
        let words = format!("consumer group `{group}` lets us in, as far as a hub without events can tell");
        assert!(stream.contains(&words), "{stream}");
    }
    assert_eq!((broker.given("files", "0"), broker.given("files", "1"), broker.given("orders", "0")), (0, 0, 0));
    checked.is_silent_about(KEY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_reads_goes_on_and_a_stranger_in_the_repair_group_is_told() {
    let broker = Broker::start(&[("files", 1), ("orders", 1)]).await;
    broker.put("orders", "0", "one");
    let host = broker.let_host_in("orders", "loaders", "0");
    let app = App::new(STREAM);
    let settings = [("EventHubConnection", broker.connection_string())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let stream = app.check(&settings).reached("EventHubConnection, hub `orders`").to_owned();
    assert!(stream.contains("consumer group `loaders` is there, and a host reads through it"), "{stream}");
    assert!(stream.contains("consumer group `millrace` can be read through"), "{stream}");
    assert!(!host.was_turned_out(), "the host was disturbed");

    let _stranger = broker.let_host_in("orders", "millrace", "0");
    let checked = app.check(&settings);
    let stream = checked.failed("EventHubConnection, hub `orders`");
    assert!(stream.contains("`repair_group` must be one that nobody else reads through"), "{stream}");
    checked.reached("EventHubConnection, hub `files`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_namespace_lacks_is_named() {
    let broker = Broker::start(&[("orders", 1)]).await;
    broker.faults().missing_group = Some("loaders".to_owned());
    let app = App::new(STREAM);
    let connection = broker.connection_string();
    let checked = app.check(&[("EventHubConnection", &connection)]);
    let files = checked.failed("EventHubConnection, hub `files`");
    assert!(files.contains("does the namespace have this hub"), "{files}");
    let stream = checked.failed("EventHubConnection, hub `orders`");
    assert!(stream.contains("give hub `orders` the consumer group `loaders` if it has none"), "{stream}");

    let wrong = connection.replace("RootManageSharedAccessKey", "another");
    let checked = app.check(&[("EventHubConnection", &wrong)]);
    let files = checked.failed("EventHubConnection, hub `files`");
    assert!(files.contains("check the key, or the roles of the identity: Azure Event Hubs Data Sender"), "{files}");
    checked.is_silent_about(KEY);
}

#[test]
fn a_namespace_that_is_not_there_is_told_with_where_to_look() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let connection = format!(
        "Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=app;SharedAccessKey=aGlkZGVu;UseDevelopmentEmulator=true"
    );
    let checked = App::new("").check(&[("EventHubConnection", &connection)]);
    let files = checked.failed("EventHubConnection, hub `files`");
    assert!(files.starts_with(&format!("amqp://127.0.0.1:{port} by the key of policy `app`; ")), "{files}");
    assert!(
        files.ends_with(
            "check the address in `EventHubConnection`, and that port 5671 (5672 of an emulator) is open from here"
        ),
        "{files}"
    );
    checked.is_silent_about("aGlkZGVu");
}
