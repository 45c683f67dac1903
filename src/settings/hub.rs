//! `EventHubConnection`: the namespace whose hubs carry announcements and streams.

use std::path::PathBuf;

use url::Url;

use super::connection::{Connection, ConnectionProperties, ConnectionText};
use super::connection_string::ConnectionString;
use super::{END, EVENT_HUB_CONNECTION, Settings, SettingsError};
use crate::secret::Secret;
use crate::stations::hub::HubLocation;
use crate::stations::hub::event_hubs::{EventHubsLocation, Login, SharedAccess};

const REMEDY: &str = "copy the connection string anew from the Event Hubs namespace's page Shared access policies";
/// Of AMQP without TLS, which only emulators speak.
const PLAIN_PORT: u16 = 5672;

impl Settings {
    pub(super) fn hub(&self) -> Result<HubLocation, SettingsError> {
        match self.connection(EVENT_HUB_CONNECTION, END)? {
            Connection::Text(connection) => match connection.embedded("file:") {
                Some(directory) => Ok(HubLocation::Journal(PathBuf::from(directory))),
                None => by_connection_string(&connection).map(HubLocation::EventHubs),
            },
            Connection::Properties(properties) => by_identity(&properties).map(HubLocation::EventHubs),
        }
    }
}

fn by_connection_string(connection: &ConnectionText<'_>) -> Result<EventHubsLocation, SettingsError> {
    if !connection.text.contains('=') {
        return Err(connection.unusable(
            "it is neither `file:<directory>` nor an Event Hubs connection string",
            "for the app's identity, set EventHubConnection__fullyQualifiedNamespace to <namespace>.servicebus.windows.net",
        ));
    }
    let parsed = ConnectionString::parse(connection.text)
        .map_err(|fault| connection.unusable(format!("as a connection string, {fault}"), REMEDY))?;
    let Some(endpoint) = parsed.get("Endpoint") else {
        return Err(connection.unusable("it has no `Endpoint`", REMEDY));
    };
    let url = Url::parse(endpoint).ok();
    let Some((namespace, port)) = url.as_ref().and_then(|url| Some((url.host_str()?.to_owned(), url.port()))) else {
        return Err(connection.unusable("its `Endpoint` is not sb://<namespace>.servicebus.windows.net/", REMEDY));
    };
    // The client would ignore both the port and that it is an emulator.
    let address = match (parsed.says_true("UseDevelopmentEmulator"), port) {
        (true, port) => Some(format!("amqp://{namespace}:{}", port.unwrap_or(PLAIN_PORT))),
        (false, Some(port)) => Some(format!("amqps://{namespace}:{port}")),
        (false, None) => None,
    };
    let login =
        Login::SharedAccess { access: access(connection, &parsed)?, hub: parsed.get("EntityPath").map(str::to_owned) };
    Ok(EventHubsLocation { namespace, address, login })
}

fn access(connection: &ConnectionText<'_>, parsed: &ConnectionString) -> Result<SharedAccess, SettingsError> {
    let (name, key) = (parsed.get("SharedAccessKeyName"), parsed.get("SharedAccessKey"));
    let access = match (name, key, parsed.get("SharedAccessSignature")) {
        (Some(name), Some(key), _) => SharedAccess::Key { name: name.to_owned(), key: Secret::new(key) },
        (None, None, Some(signature)) if signature.starts_with("SharedAccessSignature ") => {
            SharedAccess::Signature(Secret::new(signature))
        }
        (None, None, Some(_)) => {
            return Err(connection.unusable(
                "its `SharedAccessSignature` does not begin with `SharedAccessSignature sr=`",
                "write the whole token, its first word included",
            ));
        }
        (Some(_), None, _) => return Err(connection.unusable("it has no `SharedAccessKey`", REMEDY)),
        (None, Some(_), _) => return Err(connection.unusable("it has no `SharedAccessKeyName`", REMEDY)),
        (None, None, None) => {
            return Err(connection.unusable("it has neither `SharedAccessKey` nor `SharedAccessSignature`", REMEDY));
        }
    };
    Ok(access)
}

fn by_identity(properties: &ConnectionProperties<'_>) -> Result<EventHubsLocation, SettingsError> {
    const WRITE: &str = "write <namespace>.servicebus.windows.net, without a scheme";
    let name = &properties.name;
    let Some(namespace) = properties.get("fullyQualifiedNamespace") else {
        return Err(properties.unusable(format!("`{name}__fullyQualifiedNamespace` is missing"), WRITE));
    };
    let is_host = namespace.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    if !is_host {
        return Err(properties.unusable(format!("`{name}__fullyQualifiedNamespace` is no host's name"), WRITE));
    }
    let login = Login::Identity(properties.principal()?);
    Ok(EventHubsLocation { namespace: namespace.to_owned(), address: None, login })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Principal;
    use crate::settings::tests::settings;

    fn hub(text: &str) -> Result<EventHubsLocation, String> {
        match settings(&[("EventHubConnection", text)]).hub() {
            Ok(HubLocation::EventHubs(location)) => Ok(location),
            Ok(HubLocation::Journal(directory)) => panic!("a journal in {}", directory.display()),
            Err(error) => Err(error.to_string()),
        }
    }

    const OF_AZURE: &str = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=app;SharedAccessKey=hidden=";

    #[test]
    fn a_key_opens_a_namespace_or_one_hub() {
        let location = hub(OF_AZURE).unwrap();
        assert_eq!((location.namespace.as_str(), location.address), ("ns.servicebus.windows.net", None));
        let access = SharedAccess::Key { name: "app".to_owned(), key: Secret::new("hidden=") };
        assert_eq!(location.login, Login::SharedAccess { access: access.clone(), hub: None });
        let of_one = hub(&format!("{OF_AZURE};EntityPath=events")).unwrap();
        assert_eq!(of_one.login, Login::SharedAccess { access, hub: Some("events".to_owned()) });
    }

    #[test]
    fn an_emulator_is_spoken_to_in_the_clear_at_its_own_port() {
        for (endpoint, address) in [
            ("sb://localhost", "amqp://localhost:5672"),
            ("sb://localhost:5699/", "amqp://localhost:5699"),
            ("sb://127.0.0.1:5699", "amqp://127.0.0.1:5699"),
        ] {
            let text = format!(
                "Endpoint={endpoint};SharedAccessKeyName=Root;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
            );
            assert_eq!(hub(&text).unwrap().address.as_deref(), Some(address));
        }
        let elsewhere = hub("Endpoint=sb://ns.example:5673/;SharedAccessKeyName=a;SharedAccessKey=b").unwrap();
        assert_eq!(elsewhere.address.as_deref(), Some("amqps://ns.example:5673"));
    }

    #[test]
    fn a_signature_is_taken_as_it_is() {
        let text = "Endpoint=sb://ns.example/;SharedAccessSignature=SharedAccessSignature sr=a&sig=b&se=1&skn=c";
        let signature = Secret::new("SharedAccessSignature sr=a&sig=b&se=1&skn=c");
        let access = SharedAccess::Signature(signature);
        assert_eq!(hub(text).unwrap().login, Login::SharedAccess { access, hub: None });
    }

    #[test]
    fn what_is_no_connection_says_what_is_missing_and_never_the_key() {
        for (text, expected) in [
            ("ns.servicebus.windows.net", "it is neither `file:<directory>` nor an Event Hubs connection string"),
            ("SharedAccessKeyName=app;SharedAccessKey=hidden", "it has no `Endpoint`"),
            (
                "Endpoint=ns;SharedAccessKeyName=app;SharedAccessKey=hidden",
                "its `Endpoint` is not sb://<namespace>.servicebus.windows.net/",
            ),
            ("Endpoint=sb://ns/;SharedAccessKey=hidden", "it has no `SharedAccessKeyName`"),
            ("Endpoint=sb://ns/;SharedAccessKeyName=app", "it has no `SharedAccessKey`"),
            ("Endpoint=sb://ns/", "it has neither `SharedAccessKey` nor `SharedAccessSignature`"),
            (
                "Endpoint=sb://ns/;SharedAccessSignature=sr=hidden",
                "its `SharedAccessSignature` does not begin with `SharedAccessSignature sr=`",
            ),
        ] {
            let error = hub(text).unwrap_err();
            assert!(
                error.starts_with(&format!("setting `EventHubConnection` cannot be used: {expected}; ")),
                "{error}"
            );
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn an_identity_needs_the_namespace_alone() {
        let named = |value| settings(&[("EventHubConnection__fullyQualifiedNamespace", value)]).hub();
        let location = HubLocation::EventHubs(EventHubsLocation {
            namespace: "ns.servicebus.windows.net".to_owned(),
            address: None,
            login: Login::Identity(Principal::DeveloperTools),
        });
        assert_eq!(named("ns.servicebus.windows.net").unwrap(), location);
        let error = named("sb://ns.servicebus.windows.net/").unwrap_err().to_string();
        assert!(
            error.ends_with("is no host's name; write <namespace>.servicebus.windows.net, without a scheme"),
            "{error}"
        );
        let error = settings(&[("EventHubConnection__clientId", "x")]).hub().unwrap_err().to_string();
        assert!(error.contains("`EventHubConnection__fullyQualifiedNamespace` is missing"), "{error}");
    }
}
