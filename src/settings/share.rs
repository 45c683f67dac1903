//! `StagingShare`: where pulled files wait for their landing.
//!
//! | form | is |
//! |---|---|
//! | `file:<directory>` | a mounted share, or any folder |
//! | `https://<account>.file.core.windows.net/<share>` | Azure Files over REST as the app's identity; `StagingShare__clientId`, … say as whom |
//! | the same with `?sv=…&sig=…` | … with a shared access signature |
//! | `AccountName=…;AccountKey=…;ShareName=<share>` | … with the account's key: the portal's connection string, and the share |
//!
//! A share may be followed by directories, `/<share>/<directory>`, in all forms.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use url::Url;

use super::connection::{Connection, ConnectionText};
use super::connection_string::ConnectionString;
use super::storage::{account_of, is_this_machine, with_slash};
use super::{END, STAGING_SHARE, Settings, SettingsError};
use crate::secret::Secret;
use crate::stations::azure_storage::{StorageAccount, StorageLogin};
use crate::stations::share::{AzureFilesLocation, ShareLocation};

const ADDRESS: &str = "write https://<account>.file.core.windows.net/<share>";
const STRING: &str =
    "write the connection string of the storage account's page Access keys, and ;ShareName=<share> behind it";

impl Settings {
    pub(super) fn share(&self) -> Result<ShareLocation, SettingsError> {
        let connection = match self.connection(STAGING_SHARE, END)? {
            Connection::Text(connection) => connection,
            Connection::Properties(properties) => {
                let problem = format!("there are settings `{STAGING_SHARE}__…`, which say as whom, and not where");
                return Err(
                    properties.unusable(problem, "set StagingShare to https://<account>.file.core.windows.net/<share>")
                );
            }
        };
        if let Some(directory) = connection.embedded("file:") {
            return Ok(ShareLocation::Directory(PathBuf::from(directory)));
        }
        let location = if connection.text.starts_with("https://") || connection.text.starts_with("http://") {
            self.at_address(&connection)
        } else if connection.text.contains('=') {
            by_connection_string(&connection)
        } else {
            Err(connection.unusable("it is neither `file:<directory>` nor a share's address", ADDRESS))
        };
        location.map(|location| ShareLocation::AzureFiles(Box::new(location)))
    }

    fn at_address(&self, connection: &ConnectionText<'_>) -> Result<AzureFilesLocation, SettingsError> {
        let no_address = || connection.unusable("its address is not that of a share", ADDRESS);
        let url = Url::parse(connection.text).map_err(|_| no_address())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(no_address());
        }
        if url.scheme() == "http" && !is_this_machine(&url) {
            let problem = "a token or a signature would go over http, for everybody to read";
            return Err(connection.unusable(problem, "write https://"));
        }
        let login = match url.query() {
            None | Some("") => StorageLogin::Identity(self.properties_beside(connection).principal()?),
            Some(query) if url.query_pairs().any(|(name, value)| name == "sig" && !value.is_empty()) => {
                StorageLogin::SharedAccessSignature(Secret::new(query))
            }
            Some(_) => {
                return Err(connection.unusable(
                    "behind the `?` of its address is no shared access signature, which has a `sig=`",
                    "copy the signature anew, or leave it out with the `?` to go there as the app's identity",
                ));
            }
        };
        let path = percent_decode_str(url.path()).decode_utf8().map_err(|_| no_address())?;
        let (share, directories) = share_and_directories(connection, &path, ADDRESS)?;
        let mut root = url.clone();
        root.set_path("");
        let endpoint = with_slash(root).ok_or_else(no_address)?;
        let account =
            StorageAccount { setting: connection.setting.clone(), account: account_of(&endpoint), endpoint, login };
        Ok(AzureFilesLocation { account, share, directories })
    }
}

fn by_connection_string(connection: &ConnectionText<'_>) -> Result<AzureFilesLocation, SettingsError> {
    let parsed = ConnectionString::parse(connection.text)
        .map_err(|fault| connection.unusable(format!("as a connection string, {fault}"), STRING))?;
    if parsed.says_true("UseDevelopmentStorage") {
        return Err(connection.unusable("no emulator has file shares", "write file:<directory>"));
    }
    let Some(share) = parsed.get("ShareName") else {
        return Err(connection.unusable("it has no `ShareName`", STRING));
    };
    let (share, directories) = share_and_directories(connection, share, STRING)?;
    let endpoint = file_endpoint(connection, &parsed)?;
    // With both, the Azure SDKs take the key.
    let login = match (parsed.get("AccountKey"), parsed.get("SharedAccessSignature")) {
        (Some(key), _) if BASE64_STANDARD.decode(key).is_ok() => StorageLogin::AccountKey(Secret::new(key)),
        (Some(_), _) => return Err(connection.unusable("its `AccountKey` is not base64", STRING)),
        (None, Some(_)) if endpoint.scheme() == "http" && !is_this_machine(&endpoint) => {
            let problem = "its signature would go over http, for everybody to read";
            return Err(connection.unusable(problem, "write DefaultEndpointsProtocol=https"));
        }
        (None, Some(signature)) => {
            StorageLogin::SharedAccessSignature(Secret::new(signature.strip_prefix('?').unwrap_or(signature)))
        }
        (None, None) => {
            return Err(connection.unusable("it has neither `AccountKey` nor `SharedAccessSignature`", STRING));
        }
    };
    let account = match (parsed.get("AccountName"), &login) {
        (Some(name), _) => name.to_owned(),
        (None, StorageLogin::AccountKey(_)) => {
            return Err(connection.unusable("it has an `AccountKey` and no `AccountName`", STRING));
        }
        (None, _) => account_of(&endpoint),
    };
    let account = StorageAccount { setting: connection.setting.clone(), account, endpoint, login };
    Ok(AzureFilesLocation { account, share, directories })
}

fn file_endpoint(connection: &ConnectionText<'_>, parsed: &ConnectionString) -> Result<Url, SettingsError> {
    if let Some(address) = parsed.get("FileEndpoint") {
        let url = Url::parse(address).ok().and_then(with_slash);
        return url.ok_or_else(|| connection.unusable("its `FileEndpoint` is not an http or https URL", STRING));
    }
    let Some(account) = parsed.get("AccountName") else {
        return Err(connection.unusable("it has neither `AccountName` nor `FileEndpoint`", STRING));
    };
    let scheme = parsed.get("DefaultEndpointsProtocol").unwrap_or("https");
    let suffix = parsed.get("EndpointSuffix").unwrap_or("core.windows.net");
    let url = Url::parse(&format!("{scheme}://{account}.file.{suffix}")).ok().and_then(with_slash);
    url.ok_or_else(|| {
        connection.unusable("its `DefaultEndpointsProtocol`, `AccountName` and `EndpointSuffix` make no URL", STRING)
    })
}

/// `/staging/millrace/` to `staging` and `[millrace]`, by the rules of
/// <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-shares--directories--files--and-metadata>.
fn share_and_directories(
    connection: &ConnectionText<'_>,
    path: &str,
    remedy: &'static str,
) -> Result<(String, Vec<String>), SettingsError> {
    let mut parts = path.trim_matches('/').split('/').map(str::to_owned);
    let share = parts.next().filter(|share| is_share_name(share)).ok_or_else(|| {
        connection.unusable(
            "it names no share; a share's name has 3 to 63 characters a-z, 0-9 and -, and no - at an end or beside another",
            remedy,
        )
    })?;
    let directories: Vec<String> = parts.collect();
    match directories.iter().find(|name| !is_directory_name(name)) {
        Some(_) => Err(connection.unusable(
            "a directory behind its share cannot be: it is empty, is too long, ends with a dot or a blank, or has one of \
             \\ : | < > * ? \"",
            remedy,
        )),
        None => Ok((share, directories)),
    }
}

fn is_share_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && name.split('-').all(|part| !part.is_empty())
}

fn is_directory_name(name: &str) -> bool {
    !name.is_empty()
        && name.encode_utf16().count() <= 255
        && !name.ends_with(['.', ' '])
        && !name.chars().any(|c| c.is_control() || "\\:|<>*?\"".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Principal;
    use crate::settings::tests::settings;

    fn location(values: &[(&str, &str)]) -> Result<AzureFilesLocation, String> {
        match settings(values).share() {
            Ok(ShareLocation::AzureFiles(location)) => Ok(*location),
            Ok(ShareLocation::Directory(_)) => Err("a directory".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn said(text: &str) -> Result<AzureFilesLocation, String> {
        location(&[("StagingShare", text)])
    }

    #[test]
    fn an_address_alone_is_opened_by_an_identity() {
        let found = said("https://acme.file.core.windows.net/staging").unwrap();
        assert_eq!((found.account.account.as_str(), found.share.as_str()), ("acme", "staging"));
        assert_eq!(found.account.endpoint.as_str(), "https://acme.file.core.windows.net/");
        assert_eq!(found.account.login, StorageLogin::Identity(Principal::DeveloperTools));
        let as_own = [
            ("StagingShare", "https://acme.file.core.windows.net/staging/"),
            ("StagingShare__clientId", "own"),
            ("IDENTITY_ENDPOINT", "http://localhost/token"),
        ];
        let principal = Principal::ManagedIdentity { client_id: Some("own".to_owned()) };
        assert_eq!(location(&as_own).unwrap().account.login, StorageLogin::Identity(principal));
    }

    #[test]
    fn a_signature_stands_behind_the_address() {
        let found = said("https://acme.file.core.windows.net/staging?sv=2025-11-05&sig=a%2Bb").unwrap();
        assert_eq!(found.account.endpoint.as_str(), "https://acme.file.core.windows.net/");
        let signature = Secret::new("sv=2025-11-05&sig=a%2Bb");
        assert_eq!(found.account.login, StorageLogin::SharedAccessSignature(signature));
    }

    #[test]
    fn a_connection_string_names_its_share_too() {
        let text = "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5;EndpointSuffix=core.chinacloudapi.cn;\
                    ShareName=staging/a b/c";
        let found = said(text).unwrap();
        assert_eq!(found.account.endpoint.as_str(), "https://acme.file.core.chinacloudapi.cn/");
        assert_eq!(found.account.login, StorageLogin::AccountKey(Secret::new("a2V5")));
        assert_eq!((found.share.as_str(), found.directories), ("staging", vec!["a b".to_owned(), "c".to_owned()]));
        let text = "FileEndpoint=http://127.0.0.1:4711/;SharedAccessSignature=?sig=x;ShareName=staging";
        let found = said(text).unwrap();
        assert_eq!(found.account.endpoint.as_str(), "http://127.0.0.1:4711/");
        assert_eq!(found.account.login, StorageLogin::SharedAccessSignature(Secret::new("sig=x")));
    }

    #[test]
    fn directories_of_an_address_are_taken_as_they_are_meant() {
        let found = said("https://acme.file.core.windows.net/staging/M%C3%BCnchen%20%231/x").unwrap();
        assert_eq!(found.directories, ["München #1", "x"]);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_text() {
        for (text, expected) in [
            ("hidden", "neither `file:<directory>` nor a share's address"),
            ("file:", "neither `file:<directory>`"),
            ("https://acme.file.core.windows.net/", "it names no share"),
            ("https://acme.file.core.windows.net/Hidden", "it names no share"),
            ("https://acme.file.core.windows.net/hid--den", "it names no share"),
            ("https://acme.file.core.windows.net/staging?hidden", "no shared access signature"),
            ("https://acme.file.core.windows.net/staging/hidden.", "a directory behind its share cannot be"),
            ("https://acme.file.core.windows.net/staging//hidden", "a directory behind its share cannot be"),
            ("http://acme.file.core.windows.net/staging?sig=hidden", "would go over http"),
            ("https://hidden:pass@acme.file.core.windows.net/staging", "not that of a share"),
            ("AccountName=acme;AccountKey=hidden=", "it has no `ShareName`"),
            ("AccountName=acme;AccountKey=hidden!;ShareName=staging", "its `AccountKey` is not base64"),
            ("AccountName=acme;ShareName=staging", "neither `AccountKey` nor `SharedAccessSignature`"),
            ("AccountKey=a2V5;ShareName=staging", "neither `AccountName` nor `FileEndpoint`"),
            ("FileEndpoint=https://x;AccountKey=a2V5;ShareName=staging", "an `AccountKey` and no `AccountName`"),
            ("FileEndpoint=hidden;AccountKey=a2V5;ShareName=staging", "its `FileEndpoint` is not"),
            ("FileEndpoint=http://x/;SharedAccessSignature=sig=hidden;ShareName=staging", "would go over http"),
            ("UseDevelopmentStorage=true;ShareName=staging", "no emulator has file shares"),
            ("AccountName=acme;hidden", "its part 2 has no `=`"),
        ] {
            let error = said(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("hidden"), "{error}");
            assert!(error.starts_with("setting `StagingShare` cannot be used: "), "{error}");
        }
        let error = location(&[("StagingShare__clientId", "own")]).unwrap_err();
        assert!(error.contains("which say as whom, and not where"), "{error}");
    }
}
