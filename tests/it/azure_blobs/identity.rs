//! The app's identity, at the protocol: the program asks App Service's token endpoint, and sends what it gets.
//!
//! Azurite takes tokens over https only, so the blob service is a few answers here.

use std::process::{Command, Output};

use super::proxy::{Act, Proxy, Seen};
use crate::support::{millrace, text};

const TOKEN: &str = "the-apps-token";

fn answer(status: u16, headers: &'static str, body: impl Into<String>) -> Act {
    Act::Answer { status, headers, body: body.into() }
}

/// An account with empty containers.
fn blob_service() -> Proxy {
    Proxy::start(0, |seen, _| match &seen.line {
        line if line.contains("comp=list") => answer(200, "", "<EnumerationResults><Blobs/></EnumerationResults>"),
        line if line.contains("restype=container") => answer(201, "", ""),
        _ => answer(404, "x-ms-error-code: BlobNotFound\r\n", ""),
    })
}

/// As App Service serves tokens, version 2019-08-01.
fn token_endpoint() -> Proxy {
    Proxy::start(0, |_, _| {
        let body = format!(
            r#"{{"access_token":"{TOKEN}","expires_on":"4102444800","resource":"https://storage.azure.com","token_type":"Bearer"}}"#
        );
        answer(200, "content-type: application/json\r\n", body)
    })
}

/// `millrace status` on ends of its own, but for storage.
fn status(settings: &[(&str, String)]) -> Output {
    let place = tempfile::tempdir().unwrap();
    let mut command: Command = millrace();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("status").args(["--workspace", "none"]);
    for (name, kind, file) in
        [("StagingShare", "file", "share"), ("EventHubConnection", "file", "hub"), ("Warehouse", "sqlite", "w.db")]
    {
        command.env(name, format!("{kind}:{}", place.path().join(file).display()));
    }
    command.env("IDENTITY_HEADER", "the-platforms-secret");
    command.envs(settings.iter().map(|(name, value)| (name, value))).output().unwrap()
}

fn storage_at(service: &Proxy) -> (&'static str, String) {
    ("LandingStorage__blobServiceUri", format!("http://127.0.0.1:{}", service.port))
}

fn tokens_at(endpoint: &Proxy) -> (&'static str, String) {
    ("IDENTITY_ENDPOINT", format!("http://127.0.0.1:{}/msi/token", endpoint.port))
}

#[test]
fn the_apps_token_goes_with_every_request_and_is_asked_for_once() {
    let (service, tokens) = (blob_service(), token_endpoint());
    let of_app = ("AZURE_CLIENT_ID", "client-of-the-app".to_owned());
    let output = status(&[storage_at(&service), tokens_at(&tokens), of_app]);
    assert!(output.status.success(), "{}", text(&output.stderr));

    let asked = tokens.seen();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let Seen { line, .. } = &asked[0];
    assert!(line.starts_with("GET /msi/token?"), "{line}");
    for wanted in ["api-version=2019-08-01", "resource=https%3A%2F%2Fstorage.azure.com", "client_id=client-of-the-app"]
    {
        assert!(line.contains(wanted), "{wanted} in {line}");
    }
    assert_eq!(asked[0].header("x-identity-header"), Some("the-platforms-secret"));

    let sent = service.seen();
    assert!(sent.len() > 4, "{sent:?}");
    let bearer = format!("Bearer {TOKEN}");
    for seen in sent {
        assert_eq!(seen.header("authorization"), Some(bearer.as_str()), "{seen:?}");
        assert_eq!(seen.header("x-ms-version"), Some("2026-02-06"), "{seen:?}");
    }
    let printed = text(&output.stdout) + &text(&output.stderr);
    assert!(!printed.contains(TOKEN) && !printed.contains("the-platforms-secret"), "{printed}");
}

#[test]
fn an_identity_that_is_not_assigned_is_named_with_what_to_do() {
    let service = blob_service();
    let tokens = Proxy::start(0, |_, _| answer(400, "", r#"{"statusCode":400,"message":"No User Assigned Identity"}"#));
    let own = ("LandingStorage__clientId", "client-of-the-storage".to_owned());
    let managed = ("LandingStorage__credential", "managedidentity".to_owned());
    let output = status(&[storage_at(&service), tokens_at(&tokens), own, managed]);
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(
        said.contains(
            "no token for https://storage.azure.com/.default as the managed identity of client id `client-of-the-storage`; \
             assign that identity to the app"
        ),
        "{said}"
    );
    assert!(tokens.seen().iter().all(|seen| seen.line.contains("client_id=client-of-the-storage")));
    assert!(service.seen().is_empty());
}
