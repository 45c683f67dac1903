//! What goes wrong between us and the service: busy servers, refusals, answers that are lost.

use std::error::Error;

use bytes::Bytes;
use millrace::stations::containers::{Condition, ContainerError, Containers};

use super::proxy::{Act, Proxy, Seen};
use super::{blob, open};
use crate::azurite::{Account, azurite, storage};

fn busy(status: u16, headers: &'static str) -> Act {
    let body = "<?xml version=\"1.0\"?><Error><Code>ServerBusy</Code><Message>Ingress is over the account limit.\n\
                RequestId:1\nTime:2026</Message></Error>";
    Act::Answer { status, headers, body: body.to_owned() }
}

fn count(all: &[Seen], what: &str) -> usize {
    all.iter().filter(|seen| seen.line.contains(what)).count()
}

/// An account of Azurite's, seen through a proxy.
fn through(script: impl Fn(&Seen, &[Seen]) -> Act + Send + Sync + 'static) -> Option<(Account, Proxy)> {
    let azurite = azurite()?;
    let proxy = Proxy::start(azurite.port, script);
    Some((azurite.account().at(proxy.port), proxy))
}

#[tokio::test]
async fn a_busy_service_is_asked_again() {
    let answers = [busy(503, "x-ms-error-code: ServerBusy\r\n"), busy(429, "retry-after: 0\r\n"), Act::LoseAnswer];
    let answers = std::sync::Mutex::new(answers.into_iter());
    let script = move |seen: &Seen, _: &[Seen]| match seen.line.contains("/wanted") {
        true => answers.lock().unwrap().next().unwrap_or(Act::PassOn),
        false => Act::PassOn,
    };
    let Some((account, proxy)) = through(script) else { return };
    let state = open(&account.by_key()).await.state;
    assert_eq!(state.get(&blob("wanted")).await.unwrap(), None);
    let seen = proxy.seen();
    assert_eq!(count(&seen, "/wanted"), 4);
    assert!(seen.iter().all(|seen| seen.header("x-ms-version") == Some("2026-02-06")), "{seen:?}");
}

#[tokio::test]
async fn a_service_that_wants_a_long_pause_is_left_alone_with_its_own_words() {
    let script = |seen: &Seen, _: &[Seen]| match seen.line.contains("/wanted") {
        true => busy(503, "x-ms-error-code: ServerBusy\r\nretry-after: 600\r\n"),
        false => Act::PassOn,
    };
    let Some((account, proxy)) = through(script) else { return };
    let error = open(&account.by_key()).await.state.get(&blob("wanted")).await.unwrap_err();
    assert_eq!(count(&proxy.seen(), "/wanted"), 1);
    assert_eq!(
        error.source().unwrap().to_string(),
        "127.0.0.1 answered 503 ServerBusy to the account key (Ingress is over the account limit); the service is busy or in \
         trouble; it is tried again later"
    );
}

#[tokio::test]
async fn a_refusal_names_the_role_and_never_the_signature() {
    let script = |seen: &Seen, _: &[Seen]| match seen.line.contains("/wanted") {
        true => Act::Answer {
            status: 403,
            headers: "x-ms-error-code: AuthorizationPermissionMismatch\r\n",
            body: String::new(),
        },
        false => Act::PassOn,
    };
    let Some((account, proxy)) = through(script) else { return };
    let error = open(&account.by_signature()).await.state.get(&blob("wanted")).await.unwrap_err();
    let printed = format!("{error:?} {error} {}", error.source().unwrap());
    assert!(
        printed.contains("403 AuthorizationPermissionMismatch to the shared access signature; give it the role"),
        "{printed}"
    );
    assert!(proxy.seen().iter().all(|seen| seen.line.contains("sig=")) && !printed.contains("sig="), "{printed}");
}

#[tokio::test]
async fn a_wrong_key_is_said_when_the_containers_are_opened() {
    let Some(azurite) = azurite() else { return };
    let connection = azurite.account().by_key().replace("AccountKey=YSB", "AccountKey=YYY");
    let error = Containers::open(&storage(&connection)).await.err().unwrap();
    assert!(error.to_string().ends_with("cannot be opened"), "{error}");
    let reason = error.source().unwrap().to_string();
    assert!(reason.starts_with("127.0.0.1 answered 403 AuthorizationFailure to the account key"), "{reason}");
    assert!(!format!("{error:?}").contains("YYYr"), "{error:?}");
}

#[tokio::test]
async fn a_login_that_may_create_nothing_opens_what_is_there() {
    let refuse = |seen: &Seen, _: &[Seen]| match seen.line.starts_with("PUT") && seen.line.contains("restype=container")
    {
        true => Act::Answer {
            status: 403,
            headers: "x-ms-error-code: AuthorizationPermissionMismatch\r\n",
            body: String::new(),
        },
        false => Act::PassOn,
    };
    let Some((account, _proxy)) = through(refuse) else { return };
    let error = Containers::open(&storage(&account.by_key())).await.err().unwrap();
    assert!(error.source().unwrap().to_string().contains("404 ContainerNotFound"), "{error:?}");
    open(&account.at(azurite().unwrap().port).by_key()).await;
    let state = open(&account.by_key()).await.state;
    state.put(&blob("a"), Bytes::from_static(b"x")).await.unwrap();
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_has_won_all_the_same() {
    let script = |seen: &Seen, before: &[Seen]| match seen.line.contains("comp=blocklist") {
        true if count(before, "comp=blocklist") == 0 => Act::LoseAnswer,
        _ => Act::PassOn,
    };
    let Some((account, proxy)) = through(script) else { return };
    let landing = open(&account.by_key()).await.landing;
    let mut upload = landing.upload(&blob("flights/1.csv")).await.unwrap();
    upload.write(Bytes::from_static(b"once")).await.unwrap();
    let etag = upload.commit(Condition::Absent).await.unwrap();
    assert_eq!(landing.read(&blob("flights/1.csv"), 0..4, &etag).await.unwrap(), "once");
    assert_eq!(count(&proxy.seen(), "comp=blocklist"), 2);
}

#[tokio::test]
async fn a_record_whose_answer_is_lost_was_created_by_us_and_not_by_a_rival() {
    let script = |seen: &Seen, before: &[Seen]| match seen.line.starts_with("PUT") && seen.line.contains("/once") {
        true if count(before, &seen.line) == 0 => Act::LoseAnswer,
        _ => Act::PassOn,
    };
    let Some((account, _proxy)) = through(script) else { return };
    let state = open(&account.by_key()).await.state;
    assert!(state.put_new(&blob("once/ours"), Bytes::from_static(b"same")).await.unwrap());
    // The rival's record is there already, with the same content.
    let direct = open(&account.at(azurite().unwrap().port).by_key()).await.state;
    direct.put_new(&blob("once/theirs"), Bytes::from_static(b"same")).await.unwrap();
    assert!(!state.put_new(&blob("once/theirs"), Bytes::from_static(b"same")).await.unwrap());
}

/// A service may look at the blocks before it looks at the condition.
#[tokio::test]
async fn blocks_that_are_gone_since_a_rivals_commit_are_superseded() {
    let script = |seen: &Seen, _: &[Seen]| match seen.line.contains("comp=blocklist") {
        true => Act::Answer { status: 400, headers: "x-ms-error-code: InvalidBlockList\r\n", body: String::new() },
        false => Act::PassOn,
    };
    let Some((account, _proxy)) = through(script) else { return };
    let landing = open(&account.by_key()).await.landing;
    landing.put(&blob("flights/1.csv"), Bytes::from_static(b"theirs")).await.unwrap();
    let upload = landing.upload(&blob("flights/1.csv")).await.unwrap();
    let error = upload.commit(Condition::Absent).await.unwrap_err();
    assert!(matches!(error, ContainerError::Superseded { .. }), "{error}");
}

#[tokio::test]
async fn a_lease_is_not_taken_for_another_version() {
    let script = |seen: &Seen, _: &[Seen]| match seen.line.starts_with("DELETE") {
        true => Act::Answer { status: 412, headers: "x-ms-error-code: LeaseIdMissing\r\n", body: String::new() },
        false => Act::PassOn,
    };
    let Some((account, _proxy)) = through(script) else { return };
    let landing = open(&account.by_key()).await.landing;
    let etag = landing.put(&blob("leased"), Bytes::from_static(b"x")).await.unwrap();
    let error = landing.delete_version(&blob("leased"), &etag).await.unwrap_err();
    assert!(matches!(error, ContainerError::Store { .. }), "{error}");
}

#[tokio::test]
async fn nobody_there_is_said_with_the_setting() {
    let Some(azurite) = azurite() else { return };
    // Taken and given back: nobody listens there.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let location = storage(&azurite.account().at(port).by_key());
    let error = Containers::open(&location).await.err().unwrap();
    let reason = error.source().unwrap().to_string();
    assert_eq!(reason, "127.0.0.1 cannot be reached; check the address in `LandingStorage` and the way there");
}
