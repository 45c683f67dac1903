use futures::StreamExt;
use tokio::sync::Notify;

use super::*;

#[tokio::test]
async fn findings_come_in_order_while_all_trials_go_on_at_the_same_time() {
    let second_is_done = Arc::new(Notify::new());
    let (waits, tells) = (second_is_done.clone(), second_is_done);
    let first = Trial::new("first", Duration::MAX, |seen| async move {
        waits.notified().await;
        seen.note("waited for the second");
        Ok(())
    });
    let second = Trial::new("second", Duration::MAX, |_| async move {
        tells.notify_one();
        Err("it is away".into())
    });
    let findings: Vec<Finding> = try_all(vec![first, second]).collect().await;
    let expected = [
        Finding { end: "first".into(), facts: vec!["waited for the second".into()], fault: None, kinds: Vec::new() },
        Finding { end: "second".into(), facts: Vec::new(), fault: Some("it is away".into()), kinds: Vec::new() },
    ];
    assert_eq!(findings, expected);
}

#[tokio::test]
async fn a_trial_that_hangs_is_given_up_and_what_it_saw_is_told() {
    let hangs = Trial::new("an end", Duration::ZERO, |seen| async move {
        seen.note("it answered once");
        std::future::pending().await
    });
    let findings: Vec<Finding> = try_all(vec![hangs]).collect().await;
    assert_eq!(findings[0].facts, ["it answered once"]);
    let fault = findings[0].fault.as_deref().unwrap();
    assert!(fault.starts_with("it was given up after 0 seconds"), "{fault}");
}

#[tokio::test]
async fn a_fault_is_told_with_its_causes() {
    let outer =
        crate::stations::hub::HubError::Read { hub: "files".into(), source: "the connection was refused".into() };
    let findings: Vec<Finding> = try_all(vec![Trial::failed("a hub", outer)]).collect().await;
    assert_eq!(findings[0].fault.as_deref(), Some("read of hub `files` failed: the connection was refused"));
}
