//! What Azure's storage services (blobs, files) have in common: an account, how one logs in to it, and requests that are
//! signed, bounded in time and tried again. Knows HTTP; not what a blob or a share is.
//!
//! Signatures and HTTP come from `object_store`; the requests are ours, so that all of them have one version of the
//! service, one set of timeouts and one way to fail.

mod answer;
mod client;
mod error;
mod patience;

use std::fmt;

use url::Url;

use crate::identity::Principal;
use crate::secret::Secret;

pub use answer::Answer;
pub use client::{StorageClient, StorageRequest, Verb};
pub use error::StorageError;

/// One service of one storage account, as settings name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageAccount {
    /// The setting that names it, for messages.
    pub setting: String,
    /// `acme`; what signatures name.
    pub account: String,
    /// `https://acme.blob.core.windows.net/`, or Azurite's `http://127.0.0.1:10000/devstoreaccount1/`. Ends with `/`.
    pub endpoint: Url,
    pub login: StorageLogin,
}

/// What opens a storage account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageLogin {
    /// The account's key in base64.
    AccountKey(Secret),
    /// The query of a shared access signature, without `?`.
    SharedAccessSignature(Secret),
    Identity(Principal),
}

impl fmt::Display for StorageLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageLogin::AccountKey(_) => f.write_str("the account key"),
            StorageLogin::SharedAccessSignature(_) => f.write_str("the shared access signature"),
            StorageLogin::Identity(principal) => principal.fmt(f),
        }
    }
}
