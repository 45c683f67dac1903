//! What can go wrong with a request to Azure Storage, with what to do about it.

use object_store::client::HttpError;
use thiserror::Error;

use super::{Answer, StorageAccount, StorageLogin};
use crate::identity::IdentityError;

#[derive(Debug, Error)]
pub enum StorageError {
    #[error(transparent)]
    Token(#[from] IdentityError),

    /// The service refused, or was in trouble until patience ended.
    #[error("{host} answered {status} {code} to {login}{message}; {remedy}")]
    Refused { host: String, login: String, status: u16, code: String, message: String, remedy: &'static str },

    #[error("{host} cannot be reached; check the address in `{setting}` and the way there")]
    Unreachable { host: String, setting: String, source: HttpError },

    #[error("{host} gave an answer that cannot be understood: {problem}")]
    Strange { host: String, problem: String },

    #[error("a request to {host} cannot be made")]
    Unmade { host: String, source: Box<dyn std::error::Error + Send + Sync> },
}

impl StorageError {
    pub(super) fn refused(account: &StorageAccount, answer: &Answer) -> Self {
        let (message, code) = (answer.message(), answer.code().unwrap_or("without a code"));
        StorageError::Refused {
            host: account.host(),
            login: account.login.to_string(),
            status: answer.status,
            code: code.to_owned(),
            message: if message.is_empty() { message } else { format!(" ({message})") },
            remedy: remedy(answer.status, code, &account.login),
        }
    }
}

/// What a person can do. Codes: <https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes>.
fn remedy(status: u16, code: &str, login: &StorageLogin) -> &'static str {
    match (status, code) {
        // Who has the right key may do everything, and Azurite answers so to a wrong one.
        (_, "AuthorizationFailure") if matches!(login, StorageLogin::AccountKey(_)) => {
            "check the key in the setting (keys are rotated), or the account's firewall keeps this machine out"
        }
        (_, "AuthorizationPermissionMismatch" | "InsufficientAccountPermissions") => {
            "give it the role Storage Blob Data Contributor on the account (Storage Blob Data Owner for the blob trigger), or \
             a signature with the rights racwdl; a new role takes some minutes"
        }
        (_, "AuthorizationFailure") => {
            "its rights do not reach so far (role Storage Blob Data Contributor, or a signature for services, containers and \
             objects), or the account's firewall keeps this machine out"
        }
        (401 | 403, _) => {
            "check the key or signature in the setting (signatures expire, keys are rotated), and this machine's clock"
        }
        (_, "ContainerNotFound") => "create the container, or give the app the right to do it and start it again",
        (_, "InvalidHeaderValue") => "an old Azurite does not know this version of the service: take a newer one",
        (408 | 429 | 500..=599, _) => "the service is busy or in trouble; it is tried again later",
        _ => "see the service's documentation of that code",
    }
}

impl StorageAccount {
    /// Who is asked, for messages: without the path, and never with a query.
    pub fn host(&self) -> String {
        self.endpoint.host_str().unwrap_or_default().to_owned()
    }
}
