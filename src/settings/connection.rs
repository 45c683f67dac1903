//! One connection by the convention of Azure Functions: `NAME` holds a text (a connection string, or the address of an
//! embedded end), or `NAME__…` names an end and as whom to go there. The exact `NAME` wins.

use super::{Settings, SettingsError};
use crate::identity::Principal;
use crate::secret::Secret;

/// Where App Service and Functions serve tokens of the app's managed identity. `azure_identity` reads it too.
pub const IDENTITY_ENDPOINT: &str = "IDENTITY_ENDPOINT";
/// Which user-assigned identity to take where a connection does not say.
pub const AZURE_CLIENT_ID: &str = "AZURE_CLIENT_ID";

/// What the settings say of one connection.
pub enum Connection<'a> {
    Text(ConnectionText<'a>),
    Properties(ConnectionProperties<'a>),
}

/// A setting that holds the whole connection. The text may be a secret: errors name the setting.
pub struct ConnectionText<'a> {
    pub setting: String,
    pub text: &'a str,
}

/// Settings `NAME__…`.
pub struct ConnectionProperties<'a> {
    settings: &'a Settings,
    /// `NAME`, which may have the prefix `AzureWebJobs`.
    pub name: String,
}

impl Settings {
    /// The connection `name`; `what` completes the message where there is none.
    pub(super) fn connection(&self, name: &str, what: &'static str) -> Result<Connection<'_>, SettingsError> {
        let connection = self.connection_named(name);
        connection.ok_or_else(|| SettingsError::Missing { name: name.to_owned(), what })?.resolved()
    }

    /// A connection to storage. The Functions host looks for `AzureWebJobsNAME` too, and takes it first; to be sure that it
    /// and we mean the same account, both must say the same if both are there.
    pub(super) fn storage_connection(&self, name: &str, what: &'static str) -> Result<Connection<'_>, SettingsError> {
        let prefixed = format!("AzureWebJobs{name}");
        match (self.connection_named(&prefixed), self.connection_named(name)) {
            (None, _) => self.connection(name, what),
            (Some(connection), None) => connection.resolved(),
            (Some(Connection::Text(one)), Some(Connection::Text(other))) if one.text == other.text => {
                Connection::Text(other).resolved()
            }
            (Some(_), Some(_)) => Err(SettingsError::Unusable {
                name: name.to_owned(),
                problem: format!("`{prefixed}` is there too, and the Functions host would take that one"),
                remedy: "remove one of the two",
            }),
        }
    }

    /// Settings `NAME__…` beside a text `NAME` that names an end and not as whom to go there.
    pub(super) fn properties_beside(&self, text: &ConnectionText<'_>) -> ConnectionProperties<'_> {
        ConnectionProperties { settings: self, name: text.setting.clone() }
    }

    fn connection_named(&self, name: &str) -> Option<Connection<'_>> {
        if let Some(text) = self.get(name) {
            return Some(Connection::Text(ConnectionText { setting: name.to_owned(), text }));
        }
        let has_properties = self.properties_of(name).next().is_some();
        has_properties.then(|| Connection::Properties(ConnectionProperties { settings: self, name: name.to_owned() }))
    }

    /// Settings `NAME__…` that hold something, by the rest of their names.
    pub(super) fn properties_of<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let prefix = format!("{name}__");
        let all = self.values.iter();
        all.filter_map(move |(key, value)| {
            let property = key.strip_prefix(&prefix)?;
            (!value.is_empty()).then_some((property, value.as_str()))
        })
    }
}

impl Connection<'_> {
    fn resolved(self) -> Result<Self, SettingsError> {
        if let Connection::Text(text) = &self {
            super::resolved(&text.setting, text.text)?;
        }
        Ok(self)
    }
}

impl ConnectionText<'_> {
    /// The rest of the text behind `scheme`, if it begins so: `file:`, `sqlite:`.
    pub fn embedded(&self, scheme: &str) -> Option<&str> {
        self.text.strip_prefix(scheme).filter(|rest| !rest.is_empty())
    }

    pub fn unusable(&self, problem: impl Into<String>, remedy: &'static str) -> SettingsError {
        SettingsError::Unusable { name: self.setting.clone(), problem: problem.into(), remedy }
    }
}

impl<'a> ConnectionProperties<'a> {
    /// `NAME__property`, whatever the case of the property's letters, as in .NET.
    pub fn get(&self, property: &str) -> Option<&'a str> {
        let mut all = self.settings.properties_of(&self.name);
        all.find_map(|(key, value)| key.eq_ignore_ascii_case(property).then_some(value))
    }

    pub fn unusable(&self, problem: impl Into<String>, remedy: &'static str) -> SettingsError {
        SettingsError::Unusable { name: self.name.clone(), problem: problem.into(), remedy }
    }

    /// As whom to ask Azure, by the rules of the Functions host.
    pub fn principal(&self) -> Result<Principal, SettingsError> {
        let (tenant_id, client_id, secret) = (self.get("tenantId"), self.get("clientId"), self.get("clientSecret"));
        match self.get("credential") {
            // Without a client id this is the system-assigned identity, whatever AZURE_CLIENT_ID says.
            Some(kind) if kind.eq_ignore_ascii_case("managedidentity") => {
                return Ok(Principal::ManagedIdentity { client_id: client_id.map(str::to_owned) });
            }
            Some(_) => {
                return Err(self.unusable(
                    format!("`{}__credential` is not `managedidentity`", self.name),
                    "write `managedidentity`, or remove it; a service principal needs __tenantId, __clientId and \
                     __clientSecret",
                ));
            }
            None => {}
        }
        match (tenant_id, client_id, secret) {
            (Some(tenant_id), Some(client_id), Some(secret)) => Ok(Principal::ClientSecret {
                tenant_id: tenant_id.to_owned(),
                client_id: client_id.to_owned(),
                secret: Secret::new(secret),
            }),
            (Some(_), _, _) | (_, _, Some(_)) => Err(self.unusable(
                format!("of `{0}__tenantId`, `{0}__clientId` and `{0}__clientSecret` some are missing", self.name),
                "a service principal needs all three; a managed identity needs at most __clientId",
            )),
            (None, client_id, None) => Ok(self.settings.app_principal(client_id)),
        }
    }
}

impl Settings {
    /// The app's own identity in Azure, the developer's elsewhere.
    pub fn app_principal(&self, client_id: Option<&str>) -> Principal {
        match self.get(IDENTITY_ENDPOINT) {
            Some(_) => {
                let client_id = client_id.or_else(|| self.get(AZURE_CLIENT_ID));
                Principal::ManagedIdentity { client_id: client_id.map(str::to_owned) }
            }
            None => Principal::DeveloperTools,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    fn principal(values: &[(&str, &str)]) -> Result<Principal, SettingsError> {
        let settings = settings(values);
        match settings.connection("Hub", "").unwrap() {
            Connection::Text(_) => panic!("there are properties only"),
            Connection::Properties(properties) => properties.principal(),
        }
    }

    fn managed(client_id: Option<&str>) -> Principal {
        Principal::ManagedIdentity { client_id: client_id.map(str::to_owned) }
    }

    #[test]
    fn the_exact_name_wins() {
        let settings = settings(&[("Hub", "Endpoint=sb://x"), ("Hub__fullyQualifiedNamespace", "y")]);
        let Connection::Text(found) = settings.connection("Hub", "").unwrap() else { panic!("a text is there") };
        assert_eq!((found.setting.as_str(), found.text), ("Hub", "Endpoint=sb://x"));
    }

    #[test]
    fn a_property_is_found_in_any_case_and_only_behind_its_own_name() {
        let settings = settings(&[("Hub", ""), ("Hub__FULLYQualifiedNamespace", "y"), ("Hub2__clientId", "z")]);
        let Connection::Properties(found) = settings.connection("Hub", "").unwrap() else { panic!("no text is there") };
        assert_eq!(found.get("fullyQualifiedNamespace"), Some("y"));
        assert_eq!(found.get("clientId"), None);
    }

    #[test]
    fn the_identity_follows_the_functions_host() {
        let uri = ("Hub__fullyQualifiedNamespace", "y");
        let endpoint = ("IDENTITY_ENDPOINT", "http://localhost/token");
        let of_app = ("AZURE_CLIENT_ID", "app");
        let own = ("Hub__clientId", "own");
        let said = ("Hub__credential", "ManagedIdentity");
        assert_eq!(principal(&[uri]).unwrap(), Principal::DeveloperTools);
        assert_eq!(principal(&[uri, of_app]).unwrap(), Principal::DeveloperTools);
        assert_eq!(principal(&[uri, endpoint]).unwrap(), managed(None));
        assert_eq!(principal(&[uri, endpoint, of_app]).unwrap(), managed(Some("app")));
        assert_eq!(principal(&[uri, endpoint, of_app, own]).unwrap(), managed(Some("own")));
        assert_eq!(principal(&[uri, said, of_app]).unwrap(), managed(None));
        assert_eq!(principal(&[uri, said, own]).unwrap(), managed(Some("own")));
        let service_principal = [uri, ("Hub__tenantId", "t"), own, ("Hub__clientSecret", "s")];
        assert!(matches!(principal(&service_principal).unwrap(), Principal::ClientSecret { .. }));
    }

    #[test]
    fn half_a_service_principal_is_refused() {
        let error = principal(&[("Hub__tenantId", "t"), ("Hub__clientSecret", "hidden")]).unwrap_err().to_string();
        assert!(error.contains("`Hub__clientId`") && !error.contains("hidden"), "{error}");
        let error = principal(&[("Hub__credential", "workloadidentity")]).unwrap_err().to_string();
        assert!(error.contains("`Hub__credential` is not `managedidentity`"), "{error}");
    }

    #[test]
    fn storage_is_looked_for_behind_the_hosts_prefix_too() {
        let found = |values: &[(&str, &str)]| match settings(values).storage_connection("Land", "") {
            Ok(Connection::Text(text)) => Ok(text.setting),
            Ok(Connection::Properties(properties)) => Ok(properties.name),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(found(&[("AzureWebJobsLand", "a=b")]).unwrap(), "AzureWebJobsLand");
        assert_eq!(found(&[("AzureWebJobsLand__blobServiceUri", "a")]).unwrap(), "AzureWebJobsLand");
        assert_eq!(found(&[("AzureWebJobsLand", "a=b"), ("Land", "a=b")]).unwrap(), "Land");
        let error = found(&[("AzureWebJobsLand", "a=b"), ("Land", "c=d")]).unwrap_err();
        assert!(error.ends_with("the Functions host would take that one; remove one of the two"), "{error}");
    }
}
