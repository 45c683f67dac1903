//! As whom one goes to a service of Azure.

use super::Seen;
use crate::identity::{IdentityError, Scope, TokenSource};
use crate::operations::met::{self, Met};
use crate::stations::azure_storage::{StorageAccount, StorageLogin};
use crate::stations::hub::event_hubs::{EventHubsLocation, Login, SharedAccess};
use crate::stations::warehouse::sqlserver::location::SqlLogin;

/// A secret by its kind, or an identity, which a token names.
pub enum Whom {
    /// `the account key of `acme``
    Holder(String),
    Identity(TokenSource, Scope),
}

impl Whom {
    pub fn of_storage(account: &StorageAccount) -> Result<Self, IdentityError> {
        Ok(match &account.login {
            StorageLogin::Identity(principal) => Whom::Identity(TokenSource::new(principal.clone())?, Scope::Storage),
            login => Whom::Holder(format!("{login} of account `{}`", account.account)),
        })
    }

    pub fn of_hubs(location: &EventHubsLocation) -> Result<Self, IdentityError> {
        Ok(match &location.login {
            Login::SharedAccess { access: SharedAccess::Key { name, .. }, .. } => {
                Whom::Holder(format!("the key of policy `{name}`"))
            }
            Login::SharedAccess { access: SharedAccess::Signature(_), .. } => {
                Whom::Holder("the shared access signature".to_owned())
            }
            Login::Identity(principal) => Whom::Identity(TokenSource::new(principal.clone())?, Scope::EventHubs),
        })
    }

    pub fn of_sql(login: &SqlLogin) -> Result<Self, IdentityError> {
        Ok(match login {
            SqlLogin::Password { user, .. } => Whom::Holder(format!("the password of `{user}`")),
            SqlLogin::Entra(principal) => Whom::Identity(TokenSource::new(principal.clone())?, Scope::Sql),
        })
    }

    /// Notes at which place of which kind as whom. Asks for a token where one is needed: what it says of itself is what the
    /// portal shows.
    pub async fn note(&self, place: &str, kind: &'static Met, seen: &Seen) -> Result<(), IdentityError> {
        seen.note_kind(kind);
        match self.named(seen).await {
            Ok(name) => seen.note(format!("{place} by {name}")),
            Err(fault) => {
                seen.note(place);
                return Err(fault);
            }
        }
        Ok(())
    }

    async fn named(&self, seen: &Seen) -> Result<String, IdentityError> {
        match self {
            Whom::Holder(name) => Ok(name.clone()),
            Whom::Identity(tokens, scope) => {
                seen.note_kind(&met::IDENTITY);
                let token = tokens.token(*scope).await?;
                let claims = token.claims().map(|claims| format!(" ({claims})")).unwrap_or_default();
                Ok(format!("{}{claims}", tokens.principal()))
            }
        }
    }
}
