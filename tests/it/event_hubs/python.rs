//! The broker counts for something only as long as a client that was written for the real service works against it, and
//! understands what ours sends.

use std::process::Stdio;

use tokio::process::Command;

use super::*;
use crate::support::text;

/// A Python with Microsoft's package, if it is not the first `python3` that is found.
const PYTHON: &str = "MILLRACE_TEST_PYTHON";
const PACKAGE: &str = "azure-eventhub";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn microsofts_sdk_for_python_works_against_the_broker() {
    let python = std::env::var(PYTHON).unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import azure.eventhub"]).output().await;
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED: `{python}` has no {PACKAGE}; pip install {PACKAGE}, or name a Python that has it in {PYTHON}"
        );
        return;
    }
    let broker = Broker::start(&[(HUB, 2)]).await;
    let client = client(&broker.connection_string(), PATIENT);
    client.send_many(HUB, keyed(["from us 0", "from us 1", "from us 2"])).await.unwrap();
    let ours = if broker.given(HUB, "0") == 3 { "0" } else { "1" };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/event_hubs/sdk.py");
    let output = Command::new(&python)
        .arg(script)
        .args([&broker.connection_string(), HUB, ours])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(120), output).await.unwrap().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(text(&output.stdout).trim(), "it works", "{said}");
    // What it sent behind ours.
    let events = client.read(HUB, GROUP, ours, 3, WIDE).await.unwrap();
    let bodies: Vec<_> = events.iter().take(3).map(|event| &event.body[..]).collect();
    assert_eq!(bodies, [b"from the sdk 0", b"from the sdk 1", b"from the sdk 2"]);
}
