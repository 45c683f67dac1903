//! Azure Storage: Azurite, the fake of Azure Files, and an identity at the protocol.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::App;
use crate::azure_blobs::proxy::{Act, Proxy};
use crate::azurite::azurite;
use crate::files_server::{FilesServer, Login, SHARE, TOKEN};

fn answer(status: u16, headers: &'static str, body: impl Into<String>) -> Act {
    Act::Answer { status, headers, body: body.into() }
}

#[test]
fn azurite_is_reached_by_key_and_by_signature_and_a_wrong_key_is_refused() {
    let Some(azurite) = azurite() else { return };
    let account = azurite.account();
    let app = App::new("");
    let said = app.check(&[("LandingStorage", &account.by_key())]).reached("LandingStorage").to_owned();
    let address = format!("http://127.0.0.1:{}/{}/", azurite.port, account.name);
    assert!(said.starts_with(&format!("{address} by the account key of account `{}`; ", account.name)), "{said}");
    assert!(said.ends_with("a blob was written, read and removed in millrace-state"), "{said}");

    let checked = app.check(&[("LandingStorage", &account.by_signature())]);
    let not_met = "`LandingStorage`: Blob Storage: was run against Azurite";
    assert_eq!(checked.stdout.matches(not_met).count(), 1, "{}", checked.stdout);
    let said = checked.reached("LandingStorage");
    assert!(said.contains("by the shared access signature of account"), "{said}");
    checked.is_silent_about("sig=");

    let key = account.by_key();
    let key = key.split("AccountKey=").nth(1).unwrap().split(';').next().unwrap();
    let wrong = account.by_key().replace(key, "aGlkZGVuIGtleQ==");
    let checked = app.check(&[("LandingStorage", &wrong)]);
    let said = checked.failed("LandingStorage");
    assert!(said.contains("container `") && said.contains("403"), "{said}");
    assert!(said.contains("check the key in the setting (keys are rotated)"), "{said}");
    checked.is_silent_about("aGlkZGVu");
}

#[test]
fn a_storage_account_that_is_not_there_is_named() {
    let app = App::new("");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let connection = format!("AccountName=acme;AccountKey=aGlkZGVu;BlobEndpoint=http://127.0.0.1:{port}/acme");
    let checked = app.check(&[("LandingStorage", &connection)]);
    let said = checked.failed("LandingStorage");
    let remedy = "127.0.0.1 cannot be reached; check the address in `LandingStorage` and the way there";
    assert!(said.contains(remedy), "{said}");
    checked.is_silent_about("aGlkZGVu");
}

#[test]
fn an_identity_is_named_as_its_token_says_and_a_missing_role_by_its_name() {
    let payload = BASE64_URL_SAFE_NO_PAD.encode(r#"{"appid":"app-of-the-token","oid":"object-of-the-token"}"#);
    let token = format!("head.{payload}.signature");
    let body = format!(
        r#"{{"access_token":"{token}","expires_on":"4102444800","resource":"https://storage.azure.com","token_type":"Bearer"}}"#
    );
    let tokens = Proxy::start(0, move |_, _| answer(200, "content-type: application/json\r\n", body.clone()));
    let blobs = Proxy::start(0, |seen, _| match &seen.line {
        line if line.contains("restype=container") && line.starts_with("PUT") => {
            answer(409, "x-ms-error-code: ContainerAlreadyExists\r\n", "")
        }
        line if line.contains("comp=list") => answer(200, "", "<EnumerationResults><Blobs/></EnumerationResults>"),
        _ => answer(403, "x-ms-error-code: AuthorizationPermissionMismatch\r\n", ""),
    });
    let app = App::new("");
    let checked = app.check(&[
        ("LandingStorage__blobServiceUri", &format!("http://127.0.0.1:{}", blobs.port)),
        ("LandingStorage", ""),
        ("IDENTITY_ENDPOINT", &format!("http://127.0.0.1:{}/msi/token", tokens.port)),
        ("IDENTITY_HEADER", "the-platforms-secret"),
    ]);
    let said = checked.failed("LandingStorage");
    let whom = "by the app's system-assigned identity (client id app-of-the-token, object id object-of-the-token)";
    assert!(said.contains(whom), "{said}");
    assert!(said.contains("can be listed; put of blob `connect-trials/"), "how far it came: {said}");
    assert!(said.contains("give it the role Storage Blob Data Contributor"), "{said}");
    for secret in [&token, "the-platforms-secret", &payload] {
        checked.is_silent_about(secret);
    }
}

#[test]
fn a_share_of_azure_files_is_tried_in_the_form_of_a_transfer() {
    let server = FilesServer::start();
    let app = App::new("");
    let checked = app.check(&[("StagingShare", &server.setting(Login::Key))]);
    let said = checked.reached("StagingShare");
    let expected = format!(
        "http://127.0.0.1:{}/{SHARE} by the account key of account `acme`; a file was written, read and removed",
        server.port
    );
    assert_eq!(said, expected);
    checked.is_silent_about(&server.key);
    let checked = app.check(&[("StagingShare", &server.setting(Login::ShareSignature))]);
    assert!(checked.reached("StagingShare").contains("by the shared access signature of account"));
    checked.is_silent_about("sig=");
    assert_eq!(server.file_names(), [""; 0]);

    let by_identity = [
        ("StagingShare", &*format!("http://127.0.0.1:{}/{SHARE}/of millrace", server.port)),
        ("IDENTITY_ENDPOINT", &*format!("http://127.0.0.1:{}/msi/token", server.port)),
        ("IDENTITY_HEADER", "the-platforms-secret"),
        ("AZURE_CLIENT_ID", "client-of-the-app"),
    ];
    let checked = app.check(&by_identity);
    let said = checked.reached("StagingShare");
    assert!(said.contains("/of millrace by the managed identity of client id `client-of-the-app`; "), "{said}");
    checked.is_silent_about(TOKEN);
    checked.is_silent_about("the-platforms-secret");

    server.remove_share();
    let checked = app.check(&[("StagingShare", &server.setting(Login::Key))]);
    let said = checked.failed("StagingShare");
    assert!(said.contains("create the share, or correct its name in `StagingShare`"), "{said}");
}
