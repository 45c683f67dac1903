//! `Warehouse`: the database with the summaries and the ledger, as `sqlite:<file>` or as an ADO connection string.

use std::path::PathBuf;
use std::time::Duration;

use super::connection::{Connection, ConnectionText};
use super::connection_string::ConnectionString;
use super::{END, Settings, SettingsError, WAREHOUSE};
use crate::identity::Principal;
use crate::secret::Secret;
use crate::stations::warehouse::location::WarehouseLocation;
use crate::stations::warehouse::sqlserver::location::{
    DEFAULT_COMMAND_TIMEOUT, DEFAULT_PORT, SHORTEST_LOGIN_TIMEOUT, SqlLogin, SqlServerLocation, Transport,
};

const FORMS: &str = "write sqlite:<file>, or an ADO connection string such as \
                     Server=tcp:<server>.database.windows.net,1433;Database=<database>;Authentication=Active Directory Default";

/// What we read of a connection string: the name that we use, and the others that ADO knows for it.
const READ: &[(&str, &[&str])] = &[
    ("Server", &["Data Source", "Address", "Addr", "Network Address"]),
    ("Database", &["Initial Catalog"]),
    ("User ID", &["UID", "User"]),
    ("Password", &["PWD"]),
    ("Authentication", &[]),
    ("Encrypt", &[]),
    ("TrustServerCertificate", &["Trust Server Certificate"]),
    ("TrustServerCertificateCA", &[]),
    ("HostNameInCertificate", &["Host Name In Certificate"]),
    ("Connect Timeout", &["Connection Timeout", "Timeout"]),
    ("Command Timeout", &[]),
    ("Application Name", &["App"]),
    ("Integrated Security", &["Trusted_Connection"]),
    ("ApplicationIntent", &["Application Intent"]),
];

/// What others put into connection strings and what makes no difference here.
const IGNORED: &[&str] = &[
    "Persist Security Info",
    "PersistSecurityInfo",
    "MultipleActiveResultSets",
    "Multiple Active Result Sets",
    "MultiSubnetFailover",
    "Multi Subnet Failover",
    "Pooling",
    "Max Pool Size",
    "Min Pool Size",
    "Load Balance Timeout",
    "Connection Lifetime",
    "ConnectRetryCount",
    "Connect Retry Count",
    "ConnectRetryInterval",
    "Connect Retry Interval",
    "Packet Size",
    "Workstation ID",
    "WSID",
    "Current Language",
    "Language",
    "Enlist",
    "Column Encryption Setting",
    "PoolBlockingPeriod",
    "Pool Blocking Period",
    "IPAddressPreference",
    "IP Address Preference",
];

impl Settings {
    pub fn warehouse(&self) -> Result<WarehouseLocation, SettingsError> {
        match self.connection(WAREHOUSE, END)? {
            Connection::Properties(properties) => {
                Err(properties.unusable(format!("it is there as `{WAREHOUSE}__…` only"), FORMS))
            }
            Connection::Text(text) => match text.embedded("sqlite:") {
                Some(path) => Ok(WarehouseLocation::Sqlite(PathBuf::from(path))),
                None => {
                    Ado::read(&text)?.location(self).map(|location| WarehouseLocation::SqlServer(Box::new(location)))
                }
            },
        }
    }
}

/// An ADO connection string.
struct Ado<'a> {
    setting: &'a ConnectionText<'a>,
    pairs: ConnectionString,
}

impl<'a> Ado<'a> {
    fn read(setting: &'a ConnectionText<'a>) -> Result<Self, SettingsError> {
        let pairs =
            ConnectionString::parse(setting.text).map_err(|error| setting.unusable(error.to_string(), FORMS))?;
        let ado = Ado { setting, pairs };
        for (position, key) in ado.pairs.keys().enumerate() {
            if !known_keys().any(|known| known.eq_ignore_ascii_case(key)) {
                return Err(ado.unknown(position + 1, key));
            }
        }
        Ok(ado)
    }

    /// The key is not shown: it may be the rest of a password that held a `;`.
    fn unknown(&self, part: usize, key: &str) -> SettingsError {
        let lower = key.to_lowercase();
        let near = known_keys().find(|known| strsim::damerau_levenshtein(&known.to_lowercase(), &lower) <= 2);
        let problem = match near {
            Some(near) => format!("the key of its part {part} is unknown; did you mean `{near}`?"),
            None => format!("the key of its part {part} is unknown"),
        };
        self.setting.unusable(problem, "correct it; a password that holds a `;` stands in quotes")
    }

    fn unusable(&self, problem: impl Into<String>, remedy: &'static str) -> SettingsError {
        self.setting.unusable(problem, remedy)
    }

    /// The value of a key, by any of its names.
    fn get(&self, key: &str) -> Option<&str> {
        let others = READ.iter().find(|(name, _)| *name == key).map_or(&[][..], |(_, others)| others);
        std::iter::once(&key).chain(others).find_map(|name| self.pairs.get(name))
    }

    fn switch(&self, key: &'static str) -> Result<Option<bool>, SettingsError> {
        match self.get(key).map(str::to_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "yes") => Ok(Some(true)),
            Some("false" | "no") => Ok(Some(false)),
            Some(_) => Err(self.unusable(format!("its `{key}` is neither true nor false"), "write True or False")),
        }
    }

    fn seconds(&self, key: &'static str) -> Result<Option<Duration>, SettingsError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        let seconds = text.parse::<u32>();
        let seconds = seconds.map_err(|_| self.unusable(format!("its `{key}` is no number"), "write whole seconds"))?;
        Ok(Some(Duration::from_secs(u64::from(seconds))))
    }

    fn location(&self, settings: &Settings) -> Result<SqlServerLocation, SettingsError> {
        let (host, port) = self.server()?;
        if self.get("ApplicationIntent").is_some_and(|intent| intent.eq_ignore_ascii_case("ReadOnly")) {
            return Err(self.unusable("its `ApplicationIntent` is ReadOnly", "the warehouse is written: remove it"));
        }
        let login_timeout = self.seconds("Connect Timeout")?.unwrap_or(SHORTEST_LOGIN_TIMEOUT);
        let command_timeout = match self.seconds("Command Timeout")? {
            None => Some(DEFAULT_COMMAND_TIMEOUT),
            // ADO's way to say: without end.
            Some(Duration::ZERO) => None,
            Some(limit) => Some(limit),
        };
        Ok(SqlServerLocation {
            transport: self.transport(&host)?,
            host,
            port,
            database: self.get("Database").map(str::to_owned),
            login: self.login(settings)?,
            application_name: self.get("Application Name").unwrap_or("millrace").to_owned(),
            login_timeout: login_timeout.max(SHORTEST_LOGIN_TIMEOUT),
            command_timeout,
        })
    }

    /// `tcp:host,port`
    fn server(&self) -> Result<(String, u16), SettingsError> {
        let Some(server) = self.get("Server") else {
            return Err(self.unusable("it has no `Server`", FORMS));
        };
        let address = server.strip_prefix("tcp:").unwrap_or(server).trim();
        let (host, port) = match address.split_once(',') {
            None => (address, DEFAULT_PORT),
            Some((host, port)) => {
                let port = port.trim().parse().ok().filter(|port| *port != 0);
                (host.trim(), port.ok_or_else(|| self.unusable("its `Server` has no port behind the comma", FORMS))?)
            }
        };
        if host.contains('\\') {
            return Err(self.unusable(
                "its `Server` names an instance",
                "write the instance's port instead: Server=tcp:<host>,<port>",
            ));
        }
        match host {
            "" => Err(self.unusable("its `Server` is empty", FORMS)),
            "." | "(local)" => Ok(("localhost".to_owned(), port)),
            host if host.contains(':') && !host.starts_with('[') && host.parse::<std::net::Ipv6Addr>().is_err() => {
                Err(self.unusable("its `Server` is no host name", FORMS))
            }
            host => Ok((host.to_owned(), port)),
        }
    }

    fn transport(&self, host: &str) -> Result<Transport, SettingsError> {
        let trusts_anyone = self.switch("TrustServerCertificate")?.unwrap_or(false);
        let authorities = self.get("TrustServerCertificateCA").map(PathBuf::from);
        let host_name = self.get("HostNameInCertificate").map(str::to_owned);
        match self.get("Encrypt").map(str::to_lowercase).as_deref() {
            None | Some("true" | "yes" | "mandatory") => {}
            Some("false" | "no" | "optional") if is_this_machine(host) => return Ok(Transport::Plain),
            Some("false" | "no" | "optional") => {
                return Err(self.unusable(
                    "its `Encrypt` is off",
                    "remove it: passwords and rows go encrypted to any server but one on this machine",
                ));
            }
            Some("strict") => {
                return Err(self.unusable(
                    "its `Encrypt` is Strict, which is not spoken here",
                    "write Encrypt=True: the certificate is checked all the same",
                ));
            }
            Some(_) => return Err(self.unusable("its `Encrypt` is neither true nor false", "write Encrypt=True")),
        }
        match (trusts_anyone, authorities) {
            (true, Some(_)) => Err(self.unusable(
                "it has both `TrustServerCertificate=True` and `TrustServerCertificateCA`",
                "remove the first: it trusts anyone",
            )),
            (true, None) => Ok(Transport::TrustingAnyone),
            (false, authorities) => Ok(Transport::Checked { host_name, authorities }),
        }
    }

    fn login(&self, settings: &Settings) -> Result<SqlLogin, SettingsError> {
        if self.switch_or_sspi("Integrated Security")? {
            return Err(self.unusable(
                "it asks for a Windows login",
                "take a SQL login (User ID and Password), or Authentication=Active Directory Default",
            ));
        }
        let (user, password) = (self.get("User ID"), self.get("Password"));
        let client_id = user.map(str::to_owned);
        let method = self.get("Authentication").map(|method| method.to_lowercase().replace(' ', ""));
        match method.as_deref() {
            None | Some("sqlpassword" | "notspecified") => match (user, password) {
                (Some(user), Some(password)) => {
                    Ok(SqlLogin::Password { user: user.to_owned(), password: Secret::new(password) })
                }
                _ => Err(self.unusable(
                    "it has no `User ID` or no `Password`",
                    "give both, or Authentication=Active Directory Default for the app's identity",
                )),
            },
            Some("activedirectorydefault") if password.is_none() => Ok(SqlLogin::Entra(settings.app_principal(user))),
            Some("activedirectorymanagedidentity" | "activedirectorymsi") if password.is_none() => {
                Ok(SqlLogin::Entra(Principal::ManagedIdentity { client_id }))
            }
            Some("activedirectorydefault" | "activedirectorymanagedidentity" | "activedirectorymsi") => Err(self.unusable(
                "it has a `Password` beside its `Authentication`, which needs none",
                "remove the password",
            )),
            Some(_) => Err(self.unusable(
                "its `Authentication` is none that works here",
                "write Active Directory Default (the app's identity in Azure, yours elsewhere), Active Directory Managed \
                 Identity (User ID is its client id), or Sql Password",
            )),
        }
    }

    fn switch_or_sspi(&self, key: &'static str) -> Result<bool, SettingsError> {
        if self.get(key).is_some_and(|value| value.eq_ignore_ascii_case("SSPI")) {
            return Ok(true);
        }
        Ok(self.switch(key)?.unwrap_or(false))
    }
}

fn known_keys() -> impl Iterator<Item = &'static str> {
    let read = READ.iter().flat_map(|(name, others)| std::iter::once(name).chain(*others));
    read.chain(IGNORED).copied()
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    fn parse_with(text: &str, more: &[(&str, &str)]) -> Result<WarehouseLocation, SettingsError> {
        let values: Vec<(&str, &str)> = std::iter::once((WAREHOUSE, text)).chain(more.iter().copied()).collect();
        settings(&values).warehouse()
    }

    fn server(text: &str) -> SqlServerLocation {
        match parse_with(text, &[]).unwrap() {
            WarehouseLocation::SqlServer(location) => *location,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(text: &str) -> String {
        parse_with(text, &[]).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_sqlite() {
        assert_eq!(parse_with("sqlite:a.db", &[]).unwrap(), WarehouseLocation::Sqlite(PathBuf::from("a.db")));
    }

    #[test]
    fn the_string_of_the_portal_is_read() {
        let location = server(
            "Server=tcp:acme.database.windows.net,1433;Initial Catalog=sales;Persist Security Info=False;User ID=app;\
             Password=\"a;b\";MultipleActiveResultSets=False;Encrypt=True;TrustServerCertificate=False;\
             Connection Timeout=30;",
        );
        assert_eq!((location.host.as_str(), location.port), ("acme.database.windows.net", 1433));
        assert_eq!(location.database.as_deref(), Some("sales"));
        let password = Secret::new("a;b");
        assert_eq!(location.login, SqlLogin::Password { user: "app".to_owned(), password });
        assert_eq!(location.transport, Transport::Checked { host_name: None, authorities: None });
        assert_eq!(location.login_timeout, Duration::from_secs(30));
        assert_eq!(location.command_timeout, Some(DEFAULT_COMMAND_TIMEOUT));
        assert!(!format!("{location:?}").contains("a;b"));
    }

    #[test]
    fn a_login_never_has_less_than_half_a_minute() {
        let login = "Server=a;User ID=u;Password=p";
        for (timeout, expected) in [("15", 30), ("90", 90)] {
            let location = server(&format!("{login};Connect Timeout={timeout};Command Timeout=0"));
            assert_eq!(location.login_timeout, Duration::from_secs(expected));
            assert_eq!(location.command_timeout, None);
        }
        assert!(refusal(&format!("{login};Connect Timeout=soon")).contains("whole seconds"));
    }

    #[test]
    fn identities_follow_the_authentication() {
        let login = |text: &str, more: &[(&str, &str)]| match parse_with(&format!("Server=a;{text}"), more).unwrap() {
            WarehouseLocation::SqlServer(location) => location.login,
            other => panic!("{other:?}"),
        };
        let managed = |client_id: Option<&str>| {
            SqlLogin::Entra(Principal::ManagedIdentity { client_id: client_id.map(str::to_owned) })
        };
        let in_azure = [("IDENTITY_ENDPOINT", "http://localhost/token"), ("AZURE_CLIENT_ID", "app")];
        let default = "Authentication=Active Directory Default";
        assert_eq!(login(default, &[]), SqlLogin::Entra(Principal::DeveloperTools));
        assert_eq!(login(default, &in_azure), managed(Some("app")));
        assert_eq!(login("Authentication=ActiveDirectoryDefault;User ID=own", &in_azure), managed(Some("own")));
        assert_eq!(login("Authentication=Active Directory Managed Identity", &[]), managed(None));
        assert_eq!(login("Authentication=Active Directory MSI;UID=own", &[]), managed(Some("own")));
    }

    #[test]
    fn encryption_is_left_out_only_within_this_machine() {
        let login = "User ID=u;Password=p";
        assert_eq!(server(&format!("Server=127.0.0.1,1434;{login};Encrypt=False")).transport, Transport::Plain);
        assert_eq!(server(&format!("Server=.;{login};Encrypt=no")).transport, Transport::Plain);
        let trusting = format!("Server=127.0.0.1;{login};TrustServerCertificate=true");
        assert_eq!(server(&trusting).transport, Transport::TrustingAnyone);
        let refused = refusal(&format!("Server=db.acme.example;{login};Encrypt=False"));
        assert!(refused.contains("its `Encrypt` is off"), "{refused}");
        let checked = format!("Server=db;{login};HostNameInCertificate=x;TrustServerCertificateCA=ca.pem");
        let authorities = Some(PathBuf::from("ca.pem"));
        assert_eq!(server(&checked).transport, Transport::Checked { host_name: Some("x".to_owned()), authorities });
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_remedy_and_without_the_secret() {
        for (text, words) in [
            ("hidden", "has no `=`"),
            ("file:hidden", "has no `=`"),
            ("Database=hidden", "it has no `Server`"),
            ("Server=a;User ID=u;Password=hid;den=x;", "the key of its part 4 is unknown"),
            ("Server=a;User ID=u;Pasword=hidden", "did you mean `Password`?"),
            ("Server=a;User ID=hidden", "no `User ID` or no `Password`"),
            ("Server=a\\hidden;User ID=u;Password=p", "names an instance"),
            ("Server=a,x;User ID=u;Password=hidden", "no port behind the comma"),
            ("Server=a;Integrated Security=SSPI", "a Windows login"),
            ("Server=a;Authentication=Active Directory Password;User ID=u;Password=hidden", "is none that works here"),
            ("Server=a;Authentication=Active Directory Default;Password=hidden", "remove the password"),
            ("Server=a;User ID=u;Password=hidden;Encrypt=perhaps", "neither true nor false"),
            ("Server=a;User ID=u;Password=hidden;Encrypt=Strict", "write Encrypt=True"),
            ("Server=a;User ID=u;Password=hidden;ApplicationIntent=ReadOnly", "the warehouse is written"),
            (
                "Server=a;User ID=u;Password=p;TrustServerCertificate=true;TrustServerCertificateCA=hidden",
                "trusts anyone",
            ),
        ] {
            let refused = refusal(text);
            assert!(refused.contains("setting `Warehouse` cannot be used") && refused.contains(words), "{refused}");
            assert!(!refused.contains("hidden") && !refused.contains("den=x"), "{refused}");
        }
    }
}
