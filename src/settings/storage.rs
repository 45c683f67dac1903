//! `LandingStorage`: the account that holds landing, quarantine, curated and millrace-state.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use url::{Host, Url};

use super::connection::{Connection, ConnectionProperties, ConnectionText};
use super::connection_string::ConnectionString;
use super::{END, LANDING_STORAGE, Settings, SettingsError};
use crate::secret::Secret;
use crate::stations::azure_storage::{StorageAccount, StorageLogin};
use crate::stations::containers::StorageLocation;

/// What Azurite and its predecessors were born with; public, and of use on one's own machine only
/// (<https://learn.microsoft.com/azure/storage/common/storage-connect-azurite>).
const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1";
const DEVELOPMENT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const DEVELOPMENT_PORT: u16 = 10000;

const BLOB: &str = "blob";
const REMEDY: &str = "copy the connection string anew from the storage account's page Access keys or Shared access \
                      signature";

impl Settings {
    pub(super) fn storage(&self) -> Result<StorageLocation, SettingsError> {
        match self.storage_connection(LANDING_STORAGE, END)? {
            Connection::Text(connection) => match connection.embedded("file:") {
                Some(directory) => Ok(StorageLocation::Directory(PathBuf::from(directory))),
                None => by_connection_string(&connection).map(StorageLocation::Azure),
            },
            Connection::Properties(properties) => by_identity(&properties).map(StorageLocation::Azure),
        }
    }
}

fn by_connection_string(connection: &ConnectionText<'_>) -> Result<StorageAccount, SettingsError> {
    if !connection.text.contains('=') || connection.text.starts_with("http") {
        return Err(connection.unusable(
            "it is neither `file:<directory>` nor a storage account's connection string",
            "for an account's address and the app's identity, set LandingStorage__blobServiceUri instead",
        ));
    }
    let parsed = ConnectionString::parse(connection.text)
        .map_err(|fault| connection.unusable(format!("as a connection string, {fault}"), REMEDY))?;
    let account = StorageAccount {
        setting: connection.setting.clone(),
        account: String::new(),
        endpoint: blob_endpoint(connection, &parsed)?,
        login: login(connection, &parsed)?,
    };
    let named = if is_development(&parsed) { Some(DEVELOPMENT_ACCOUNT) } else { parsed.get("AccountName") };
    let name = match (named, &account.login) {
        (Some(name), _) => name.to_owned(),
        (None, StorageLogin::AccountKey(_)) => {
            return Err(connection.unusable("it has an `AccountKey` and no `AccountName`", REMEDY));
        }
        (None, _) => account_of(&account.endpoint),
    };
    Ok(StorageAccount { account: name, ..account })
}

fn is_development(parsed: &ConnectionString) -> bool {
    parsed.says_true("UseDevelopmentStorage")
}

fn login(connection: &ConnectionText<'_>, parsed: &ConnectionString) -> Result<StorageLogin, SettingsError> {
    if is_development(parsed) {
        return Ok(StorageLogin::AccountKey(Secret::new(DEVELOPMENT_KEY)));
    }
    // With both, the Azure SDKs take the key.
    if let Some(key) = parsed.get("AccountKey") {
        return match BASE64_STANDARD.decode(key) {
            Ok(_) => Ok(StorageLogin::AccountKey(Secret::new(key))),
            Err(_) => Err(connection.unusable("its `AccountKey` is not base64", REMEDY)),
        };
    }
    match parsed.get("SharedAccessSignature") {
        Some(signature) => {
            Ok(StorageLogin::SharedAccessSignature(Secret::new(signature.strip_prefix('?').unwrap_or(signature))))
        }
        None => {
            let keys: Vec<&str> = parsed.keys().collect();
            let problem = format!(
                "it has neither `AccountKey` nor `SharedAccessSignature` nor `UseDevelopmentStorage`, but {}",
                keys.join(", ")
            );
            Err(connection.unusable(problem, REMEDY))
        }
    }
}

fn blob_endpoint(connection: &ConnectionText<'_>, parsed: &ConnectionString) -> Result<Url, SettingsError> {
    if is_development(parsed) {
        let proxy = parsed.get("DevelopmentStorageProxyUri").unwrap_or("http://127.0.0.1");
        let address = Url::parse(proxy).ok().and_then(|mut url| {
            // As in the Azure SDKs: the proxy's scheme and host count, its port does not.
            url.set_port(Some(DEVELOPMENT_PORT)).ok()?;
            url.set_path(DEVELOPMENT_ACCOUNT);
            Some(url)
        });
        let unusable = || connection.unusable("its `DevelopmentStorageProxyUri` is not a URL", "write http://<host>");
        return address.and_then(with_slash).ok_or_else(unusable);
    }
    if let Some(address) = parsed.get("BlobEndpoint") {
        let url = Url::parse(address).ok().and_then(with_slash);
        return url.ok_or_else(|| connection.unusable("its `BlobEndpoint` is not an http or https URL", REMEDY));
    }
    let Some(account) = parsed.get("AccountName") else {
        return Err(connection.unusable("it has neither `AccountName` nor `BlobEndpoint`", REMEDY));
    };
    let scheme = parsed.get("DefaultEndpointsProtocol").unwrap_or("https");
    let suffix = parsed.get("EndpointSuffix").unwrap_or("core.windows.net");
    let url = Url::parse(&format!("{scheme}://{account}.{BLOB}.{suffix}")).ok().and_then(with_slash);
    url.ok_or_else(|| {
        connection.unusable("its `DefaultEndpointsProtocol`, `AccountName` and `EndpointSuffix` make no URL", REMEDY)
    })
}

fn by_identity(properties: &ConnectionProperties<'_>) -> Result<StorageAccount, SettingsError> {
    let name = &properties.name;
    let address = properties.get("blobServiceUri").or_else(|| properties.get("serviceUri")).map(str::to_owned);
    let of_account =
        || properties.get("accountName").map(|account| format!("https://{account}.{BLOB}.core.windows.net"));
    const WRITE: &str = "write https://<account>.blob.core.windows.net";
    let Some(address) = address.or_else(of_account) else {
        return Err(properties.unusable(format!("`{name}__blobServiceUri` is missing"), WRITE));
    };
    let url = Url::parse(&address).ok().filter(|url| url.query().is_none()).and_then(with_slash);
    let endpoint = url.ok_or_else(|| properties.unusable("its address is not an https URL without a query", WRITE))?;
    if endpoint.scheme() == "http" && !is_this_machine(&endpoint) {
        return Err(properties.unusable("a token would go over http, for everybody to read", "write https://"));
    }
    Ok(StorageAccount {
        setting: name.clone(),
        account: account_of(&endpoint),
        endpoint,
        login: StorageLogin::Identity(properties.principal()?),
    })
}

/// The URL ending with `/`, so that containers can be joined to it; `None` if it is no service's.
pub(super) fn with_slash(mut url: Url) -> Option<Url> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return None;
    }
    url.set_fragment(None);
    url.set_query(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{path}/"));
    Some(url)
}

pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The account that an address names: before the first dot of its host or, at an emulator's, the first part of its path.
pub(super) fn account_of(endpoint: &Url) -> String {
    let in_path = endpoint.path_segments().and_then(|mut segments| segments.next()).filter(|first| !first.is_empty());
    let in_host = match endpoint.host() {
        Some(Host::Domain(name)) => name.split('.').next(),
        _ => None,
    };
    in_path.or(in_host).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Principal;
    use crate::settings::tests::settings;

    fn account(values: &[(&str, &str)]) -> Result<StorageAccount, String> {
        match settings(values).storage() {
            Ok(StorageLocation::Azure(account)) => Ok(account),
            Ok(StorageLocation::Directory(_)) => Err("a directory".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn by_string(text: &str) -> Result<StorageAccount, String> {
        account(&[("LandingStorage", text)])
    }

    #[test]
    fn a_connection_string_of_the_portal_names_account_key_and_address() {
        let text =
            "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5;EndpointSuffix=core.chinacloudapi.cn";
        let account = by_string(text).unwrap();
        assert_eq!((account.setting.as_str(), account.account.as_str()), ("LandingStorage", "acme"));
        assert_eq!(account.endpoint.as_str(), "https://acme.blob.core.chinacloudapi.cn/");
        assert_eq!(account.login, StorageLogin::AccountKey(Secret::new("a2V5")));
    }

    #[test]
    fn a_signature_comes_with_an_address_and_loses_its_question_mark() {
        let account =
            by_string("BlobEndpoint=https://acme.blob.core.windows.net;SharedAccessSignature=?sv=1&sig=x").unwrap();
        assert_eq!(account.account, "acme");
        assert_eq!(account.endpoint.as_str(), "https://acme.blob.core.windows.net/");
        assert_eq!(account.login, StorageLogin::SharedAccessSignature(Secret::new("sv=1&sig=x")));
    }

    #[test]
    fn development_storage_is_azurite_on_its_own_port() {
        let account = by_string("UseDevelopmentStorage=true").unwrap();
        assert_eq!(account.account, DEVELOPMENT_ACCOUNT);
        assert_eq!(account.endpoint.as_str(), "http://127.0.0.1:10000/devstoreaccount1/");
        let account = by_string("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite").unwrap();
        assert_eq!(account.endpoint.as_str(), "http://azurite:10000/devstoreaccount1/");
    }

    #[test]
    fn an_emulators_address_names_its_account_in_the_path() {
        let account =
            by_string("SharedAccessSignature=sig=x;BlobEndpoint=http://127.0.0.1:4711/devstoreaccount1").unwrap();
        assert_eq!(account.account, "devstoreaccount1");
        assert_eq!(account.endpoint.as_str(), "http://127.0.0.1:4711/devstoreaccount1/");
    }

    #[test]
    fn an_address_alone_is_opened_by_an_identity() {
        for name in [
            "LandingStorage__blobServiceUri",
            "LandingStorage__serviceUri",
            "AzureWebJobsLandingStorage__blobServiceUri",
        ] {
            let account = account(&[(name, "https://acme.blob.core.windows.net")]).unwrap();
            assert_eq!(account.endpoint.as_str(), "https://acme.blob.core.windows.net/", "{name}");
            assert_eq!(account.login, StorageLogin::Identity(Principal::DeveloperTools));
        }
        let account = account(&[("LandingStorage__accountName", "acme")]).unwrap();
        assert_eq!(
            (account.account.as_str(), account.endpoint.as_str()),
            ("acme", "https://acme.blob.core.windows.net/")
        );
    }

    #[test]
    fn a_token_goes_over_http_to_this_machine_only() {
        let open = |address| account(&[("LandingStorage__blobServiceUri", address)]);
        assert!(open("http://127.0.0.1:10000/devstoreaccount1").is_ok());
        assert!(open("http://acme.blob.core.windows.net").unwrap_err().contains("over http"));
        assert!(open("https://acme.blob.core.windows.net/?sv=1&sig=hidden").unwrap_err().contains("without a query"));
    }

    #[test]
    fn what_is_wrong_with_a_connection_string_is_said_without_it() {
        for (text, expected) in [
            ("hidden", "neither `file:<directory>` nor a storage account's connection string"),
            ("file:", "neither `file:<directory>`"),
            ("https://acme.blob.core.windows.net/?sig=hidden", "set LandingStorage__blobServiceUri instead"),
            ("AccountKey=hidden=", "neither `AccountName` nor `BlobEndpoint`"),
            ("AccountName=acme;AccountKye=hidden", "nor `UseDevelopmentStorage`, but AccountName, AccountKye; copy"),
            ("AccountName=acme;AccountKey=hidden!", "its `AccountKey` is not base64"),
            ("AccountName=acme;hidden", "its part 2 has no `=`"),
            ("BlobEndpoint=hidden;SharedAccessSignature=sig=hidden", "its `BlobEndpoint` is not an http or https URL"),
            ("BlobEndpoint=https://x;AccountKey=a2V5", "an `AccountKey` and no `AccountName`"),
        ] {
            let error = by_string(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(
                !error.contains("hidden") && error.starts_with("setting `LandingStorage` cannot be used: "),
                "{error}"
            );
        }
    }
}
