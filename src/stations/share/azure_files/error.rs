//! What can go wrong with a request to Azure Files, with what to do about it.

use thiserror::Error;

use crate::stations::azure_storage::{Answer, StorageAccount, StorageError, StorageLogin};

#[derive(Debug, Error)]
pub(super) enum AzureFilesError {
    #[error(transparent)]
    Storage(#[from] StorageError),

    #[error("{host} answered {status} {code} to {login}{message}; {remedy}")]
    Refused { host: String, login: String, status: u16, code: String, message: String, remedy: &'static str },

    #[error("the write would leave a hole")]
    Hole,

    #[error("the write would go beyond the file's end")]
    BeyondTheEnd,

    /// Another pull stages or removes the same file.
    #[error("somebody else works on it at the same time")]
    Contended,

    #[error("the service is too busy to say for certain that the file was created")]
    Unsettled,
}

impl AzureFilesError {
    pub fn refused(account: &StorageAccount, answer: &Answer) -> Self {
        let (message, code) = (answer.message(), answer.code().unwrap_or("without a code"));
        AzureFilesError::Refused {
            host: account.host(),
            login: account.login.to_string(),
            status: answer.status,
            code: code.to_owned(),
            message: if message.is_empty() { message } else { format!(" ({message})") },
            remedy: remedy(answer.status, code, &account.login),
        }
    }
}

/// What a person can do. Codes: <https://learn.microsoft.com/rest/api/storageservices/file-service-error-codes> and
/// <https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes>. The first page leaves out
/// `ShareSizeLimitReached`, which the service gives all the same.
fn remedy(status: u16, code: &str, login: &StorageLogin) -> &'static str {
    match (status, code) {
        (_, "ShareSizeLimitReached") => {
            "the share is full: raise its quota (page Edit quota), or remove from it what is not millrace's; staged copies go by \
             themselves when their files have landed"
        }
        (_, "ShareNotFound") => "create the share, or correct its name in `StagingShare`",
        (_, "ShareDisabled" | "ShareBeingDeleted" | "AccountIsDisabled") => {
            "see what has become of the share and its account in the portal"
        }
        (
            _,
            "SharingViolation"
            | "FileLockConflict"
            | "DeletePending"
            | "CannotDeleteFileOrDirectory"
            | "FileOpenBySmbClient"
            | "ReadOnlyAttribute"
            | "LeaseIdMissing",
        ) => {
            "a program that has the share mounted keeps the file open, locked or read-only: end it, or give millrace a share of its own"
        }
        (401 | 403, _) => match login {
            StorageLogin::Identity(_) => {
                "give it the role Storage File Data Privileged Contributor on the account (roles for SMB do not count here; a new \
                 role takes some minutes), and see whether the account's firewall keeps this machine out"
            }
            StorageLogin::SharedAccessSignature(_) => {
                "the signature needs the rights rcwdl on files (of an account's: service file, resource types container and \
                 object); it may have expired, or the account's firewall keeps this machine out"
            }
            StorageLogin::AccountKey(_) => {
                "check the key in the setting (keys are rotated, and an account may refuse them all), this machine's clock, and \
                 the account's firewall"
            }
        },
        (400, "InvalidHeaderValue" | "InvalidQueryParameterValue" | "FeatureVersionMismatch") => {
            "the service does not know what this version of millrace asks of it; is it Azure Files with SMB?"
        }
        _ => "see the service's documentation of that code",
    }
}
