//! Trouble at each request of a transfer in turn: busy servers, answers that are lost, processes that die, and requests that
//! are carried out when nobody waits for them any more.

use std::io::{Read, Write};
use std::net::TcpStream;

use millrace::stations::share::{Share, ShareError};

use super::name;
use crate::azure_blobs::proxy::{Act, Proxy, Seen};
use crate::files_server::{FilesServer, Login};

const BODY: &[u8] = b"0123456789abcdef";
const BLOCK: usize = 6;

fn refused(status: u16, headers: &'static str) -> Act {
    Act::Answer { status, headers, body: String::new() }
}

async fn stage(share: &dyn Share, from: usize) -> Result<(), ShareError> {
    for start in (from..BODY.len()).step_by(BLOCK) {
        let block = BODY[start..BODY.len().min(start + BLOCK)].to_vec();
        share.write_at(&name("a"), start as u64, block.into(), BODY.len() as u64).await?;
    }
    Ok(())
}

/// A whole transfer as a pull does it.
async fn transfer(share: &dyn Share) -> Result<(), ShareError> {
    let length = share.length(&name("a")).await?.unwrap_or(0);
    assert_eq!(staged(share, length).await?, BODY[..length as usize], "what is said to be staged is not");
    stage(share, length as usize).await?;
    assert_eq!(staged(share, BODY.len() as u64).await?, BODY);
    share.delete(&name("a")).await
}

async fn staged(share: &dyn Share, length: u64) -> Result<Vec<u8>, ShareError> {
    Ok(if length == 0 { Vec::new() } else { share.read(&name("a"), 0..length).await?.to_vec() })
}

/// How many requests a transfer takes, with nothing in its way.
async fn undisturbed() -> usize {
    let server = FilesServer::start();
    transfer(server.share(Login::Key).as_ref()).await.unwrap();
    server.served().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_outlives_passing_trouble_at_any_request() {
    let requests = undisturbed().await;
    assert!(requests > 8, "a transfer takes more than {requests} requests");
    let troubled = |at: usize, trouble: fn() -> Act| async move {
        let server = FilesServer::start();
        let proxy = Proxy::start(server.port, move |_, before| match before.len() == at {
            true => trouble(),
            false => Act::PassOn,
        });
        let share = server.share_at(proxy.port);
        let outcome = transfer(share.as_ref()).await;
        assert!(outcome.is_ok(), "trouble at request {at}: {outcome:?}\n{:?}", server.served());
        assert!(proxy.seen().len() > at, "trouble never came");
        assert_eq!(server.file_names(), [""; 0], "after trouble at request {at}");
    };
    let troubles: [fn() -> Act; 4] = [
        || refused(503, "x-ms-error-code: ServerBusy\r\nretry-after: 0\r\n"),
        || refused(500, "x-ms-error-code: OperationTimedOut\r\n"),
        || refused(429, "retry-after: 1\r\n"),
        || Act::LoseAnswer,
    ];
    let all = (0..requests).flat_map(|at| troubles.map(|trouble| troubled(at, trouble)));
    futures::future::join_all(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_at_any_request_leaves_what_it_says_it_left() {
    let requests = undisturbed().await;
    // Whether the last request is carried out, nobody knows.
    let died = |at: usize, last: fn() -> Act| async move {
        let server = FilesServer::start();
        let proxy = Proxy::start(server.port, move |_, before| match before.len() {
            number if number < at => Act::PassOn,
            number if number == at => last(),
            _ => refused(403, "x-ms-error-code: AuthorizationFailure\r\n"),
        });
        let outcome = transfer(server.share_at(proxy.port).as_ref()).await;
        assert!(outcome.is_err(), "request {at} was not the last");
        let next = server.share(Login::Key);
        let length = next.length(&name("a")).await.unwrap().unwrap_or(0);
        assert_eq!(staged(next.as_ref(), length).await.unwrap(), BODY[..length as usize], "died at request {at}");
        transfer(next.as_ref()).await.unwrap();
        assert_eq!(server.file_names(), [""; 0], "died at request {at}");
    };
    let lasts: [fn() -> Act; 2] = [|| refused(403, "x-ms-error-code: AuthorizationFailure\r\n"), || Act::LoseAnswer];
    let all = (0..requests).flat_map(|at| lasts.map(|last| died(at, last)));
    futures::future::join_all(all).await;
}

/// Of the requests that create and rename, those whose answers get lost: the creation and the next renaming, then, after
/// one that is answered at once, the first try of each that says how much is staged.
const LOST: [usize; 5] = [0, 2, 5, 7, 9];

/// Tries that were given up, and which the service carries out, or carries out again, long after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_late_take_nothing_back_and_claim_nothing() {
    let server = FilesServer::start();
    let proxy = Proxy::start(server.port, |seen, before| {
        let number = before.iter().filter(|seen| is_write_without_body(seen)).count();
        if is_write_without_body(seen) && LOST.contains(&number) { Act::LoseAnswer } else { Act::PassOn }
    });
    stage(server.share_at(proxy.port).as_ref(), 0).await.unwrap();
    let writes: Vec<Seen> = proxy.seen().into_iter().filter(is_write_without_body).collect();
    assert_eq!(writes.len(), 11, "{writes:?}");
    let late = LOST.map(|number| writes[number].clone());

    let staged_now = async |of: &Seen| {
        let share = server.share(Login::Key);
        let length = share.length(&name("a")).await.unwrap().unwrap_or(0);
        assert_eq!(staged(share.as_ref(), length).await.unwrap(), BODY[..length as usize], "after {}", of.line);
        length as usize
    };
    for seen in &late {
        send_again(server.port, seen);
        assert_eq!(staged_now(seen).await, BODY.len(), "after {}", seen.line);
    }

    // The same while the file is staged anew, and has come only so far.
    let again = server.share(Login::Key);
    again.delete(&name("a")).await.unwrap();
    again.write_at(&name("a"), 0, BODY[..BLOCK].to_vec().into(), BODY.len() as u64).await.unwrap();
    for seen in &late {
        send_again(server.port, seen);
        assert_eq!(staged_now(seen).await, BLOCK, "after {}", seen.line);
    }
    again.delete(&name("a")).await.unwrap();
    assert_eq!(server.file_names(), [""; 0], "what late requests leave goes with the rest");
}

fn is_write_without_body(seen: &Seen) -> bool {
    seen.line.starts_with("PUT") && seen.header("content-length") == Some("0")
}

fn send_again(port: u16, seen: &Seen) {
    let mut service = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut request = format!("{} HTTP/1.1\r\nconnection: close\r\n", seen.line);
    for (name, value) in seen.headers.iter().filter(|(name, _)| name != "connection") {
        request += &format!("{name}: {value}\r\n");
    }
    service.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    service.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 ") && !answer.contains("AuthenticationFailed"), "{answer}");
}
