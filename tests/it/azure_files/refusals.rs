//! What the service refuses, and what a person is told of it.

use std::error::Error;

use millrace::secret::Secret;
use millrace::settings::Settings;
use millrace::stations::Disposition;
use millrace::stations::azure_storage::StorageLogin;
use millrace::stations::share::{ShareError, ShareLocation, open};

use super::{bytes, name};
use crate::files_server::{FilesServer, Login};

/// The error with its causes. Whatever it is, the source still has the file.
fn said(error: ShareError) -> String {
    assert_eq!(error.disposition(), Disposition::Retry);
    let mut text = format!("{error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn location(server: &FilesServer, login: Login) -> ShareLocation {
    let values = [("LandingStorage", "file:x"), ("EventHubConnection", "file:x"), ("Warehouse", "sqlite:x")];
    let mut values: Vec<_> = values.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    values.push(("StagingShare".to_owned(), server.setting(login)));
    Settings::from_values(values).ends().unwrap().share
}

#[tokio::test]
async fn a_full_share_is_called_one_and_works_again_when_there_is_room() {
    let server = FilesServer::start();
    let share = server.share(Login::Key);
    server.set_quota(6);
    share.write_at(&name("a"), 0, bytes("0123"), 8).await.unwrap();
    let error = said(share.write_at(&name("a"), 4, bytes("4567"), 8).await.unwrap_err());
    assert_eq!(
        error,
        format!(
            "write of staged copy `{}` on share `http://127.0.0.1:{}/staging` failed: 127.0.0.1 answered 403 \
             ShareSizeLimitReached to the account key (The specified share is full); the share is full: raise its quota (page \
             Edit quota), or remove from it what is not millrace's; staged copies go by themselves when their files have landed",
            name("a").as_str(),
            server.port
        )
    );
    assert_eq!(share.length(&name("a")).await.unwrap(), Some(4));
    server.set_quota(8);
    share.write_at(&name("a"), 4, bytes("4567"), 8).await.unwrap();
    assert_eq!(share.read(&name("a"), 0..8).await.unwrap(), "01234567");
}

#[tokio::test]
async fn a_share_that_is_missing_is_named_and_not_taken_for_an_empty_one() {
    let server = FilesServer::start();
    server.remove_share();
    for share in [server.share(Login::Key), server.share_below(Login::Key, "a/b")] {
        let expected = "create the share, or correct its name in `StagingShare`";
        let length = said(share.length(&name("a")).await.unwrap_err());
        assert!(length.contains("404 ShareNotFound") && length.ends_with(expected), "{length}");
        for error in [
            share.write_at(&name("a"), 0, bytes("x"), 1).await.unwrap_err(),
            share.read(&name("a"), 0..1).await.unwrap_err(),
            share.delete(&name("a")).await.unwrap_err(),
            share.list().await.unwrap_err(),
        ] {
            let error = said(error);
            assert!(error.ends_with(expected), "{error}");
        }
    }
}

#[tokio::test]
async fn a_login_that_is_refused_says_which_and_what_to_do_and_no_secret() {
    let server = FilesServer::start();
    for (login, expected) in [
        (Login::Key, "answered 403 AuthenticationFailed to the account key"),
        (Login::AccountSignature, "answered 403 AuthenticationFailed to the shared access signature"),
        (Login::ShareSignature, "answered 403 AuthenticationFailed to the shared access signature"),
    ] {
        let ShareLocation::AzureFiles(mut wrong) = location(&server, login) else { panic!("the fake is no directory") };
        let secret = match wrong.account.login {
            StorageLogin::AccountKey(_) => "c2VjcmV0".to_owned(),
            StorageLogin::SharedAccessSignature(query) => format!("{}secret", query.reveal()),
            StorageLogin::Identity(_) => panic!("the fake's settings have a secret"),
        };
        wrong.account.login = match login {
            Login::Key => StorageLogin::AccountKey(Secret::new(&secret)),
            _ => StorageLogin::SharedAccessSignature(Secret::new(&secret)),
        };
        let share = open(&ShareLocation::AzureFiles(wrong.clone())).await.unwrap();
        let error = share.length(&name("a")).await.unwrap_err();
        let printed = format!("{error:?} {wrong:?}");
        let error = said(error);
        assert!(error.contains(expected), "{error}");
        for text in [error, printed] {
            assert!(!text.contains("sig=") && !text.contains(&secret), "{text}");
        }
    }
}

#[tokio::test]
async fn the_share_of_the_settings_is_the_one_that_is_opened() {
    let server = FilesServer::start();
    for login in [Login::Key, Login::AccountSignature, Login::ShareSignature] {
        let share = open(&location(&server, login)).await.unwrap();
        share.write_at(&name("a"), 0, bytes("x"), 1).await.unwrap();
        assert_eq!(server.file_names().len(), 1, "{login:?}");
        share.delete(&name("a")).await.unwrap();
    }
}
