//! Tokens for all of Azure: as whom the app goes there, asked of `azure_identity` and kept until shortly before they end.
//!
//! Settings say as whom ([`Principal`]); a station says for what ([`Scope`]). One request for a token of a scope is on its
//! way at a time, and while an old token still serves, nobody waits for a new one.

mod claims;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use azure_core::credentials::{AccessToken, Secret as AzureSecret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::time::OffsetDateTime;
use azure_identity::{
    ClientSecretCredential, DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId,
};
use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use crate::clock::Clock;
use crate::secret::Secret;
use crate::stations::Disposition;

/// From then on a new token is asked for while the old one serves. Below the five minutes from which `azure_identity`
/// asks anew itself: earlier it would hand out the same token again.
const AGEING: TimeDelta = TimeDelta::minutes(4);
/// From then on a token may end on its way.
const SPENT: TimeDelta = TimeDelta::seconds(30);
/// How long after a request another one is made for a token that still serves.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// `az` needs several seconds; `azure_identity` tries again by itself.
const LIMIT: Duration = Duration::from_secs(60);

/// As whom to ask for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The app's identity in Azure: system-assigned, or the user-assigned one of this client id.
    ManagedIdentity { client_id: Option<String> },
    /// A service principal.
    ClientSecret { tenant_id: String, client_id: String, secret: Secret },
    /// Whoever is logged in to the Azure CLI or the Azure Developer CLI.
    DeveloperTools,
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Blobs and file shares.
    Storage,
    Sql,
    EventHubs,
}

/// Hands out tokens of one principal. Cheap to clone.
#[derive(Clone)]
pub struct TokenSource {
    inner: Arc<Inner>,
}

struct Inner {
    principal: Principal,
    credential: Arc<dyn TokenCredential>,
    clock: Clock,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// The tokens of one scope.
#[derive(Default)]
struct Slot {
    held: Mutex<Option<Token>>,
    request: tokio::sync::Mutex<LastRequest>,
}

#[derive(Default)]
struct LastRequest {
    at: Option<DateTime<Utc>>,
}

/// A bearer token.
#[derive(Clone, Debug)]
pub struct Token {
    pub text: Secret,
    pub ends: DateTime<Utc>,
}

pub use claims::Claims;

impl Token {
    /// Whom it stands for, as far as it says so; nothing is verified.
    pub fn claims(&self) -> Option<Claims> {
        Claims::of(self.text.reveal())
    }
}

#[derive(Debug, Error)]
pub enum IdentityError {
    #[error("{principal} cannot be asked for a token; {}", remedy(principal))]
    Unusable { principal: Principal, source: Box<azure_core::Error> },
    #[error("no token for {scope} as {principal}; {}", remedy(principal))]
    Refused { principal: Principal, scope: String, source: Box<azure_core::Error> },
    #[error("no token for {scope} as {principal} within {} seconds; {}", LIMIT.as_secs(), remedy(principal))]
    Late { principal: Principal, scope: String },
}

impl IdentityError {
    /// Roles and logins are mended from outside.
    pub fn disposition(&self) -> Disposition {
        Disposition::Retry
    }
}

impl Scope {
    /// The name as Entra ID knows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Storage => "https://storage.azure.com/.default",
            Scope::Sql => "https://database.windows.net/.default",
            Scope::EventHubs => "https://eventhubs.azure.net/.default",
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::ManagedIdentity { client_id: None } => f.write_str("the app's system-assigned identity"),
            Principal::ManagedIdentity { client_id: Some(id) } => write!(f, "the managed identity of client id `{id}`"),
            Principal::ClientSecret { tenant_id, client_id, .. } => {
                write!(f, "the service principal `{client_id}` of tenant `{tenant_id}`")
            }
            Principal::DeveloperTools => f.write_str("the user of the Azure CLI or the Azure Developer CLI"),
        }
    }
}

fn remedy(principal: &Principal) -> &'static str {
    match principal {
        Principal::ManagedIdentity { client_id: None } => {
            "switch on the app's identity (page Identity, System assigned), or name a user-assigned one by \
             <connection>__clientId or AZURE_CLIENT_ID"
        }
        Principal::ManagedIdentity { client_id: Some(_) } => {
            "assign that identity to the app (page Identity, User assigned), or correct <connection>__clientId or \
             AZURE_CLIENT_ID"
        }
        Principal::ClientSecret { .. } => {
            "check <connection>__tenantId, __clientId and __clientSecret; secrets of service principals expire"
        }
        Principal::DeveloperTools => {
            "log in with `az login` or `azd auth login`; in Azure the app's identity is taken instead (IDENTITY_ENDPOINT is \
             set there)"
        }
    }
}

impl TokenSource {
    pub fn new(principal: Principal) -> Result<Self, IdentityError> {
        let credential = match credential(&principal) {
            Ok(credential) => credential,
            Err(source) => return Err(IdentityError::Unusable { principal, source: Box::new(source) }),
        };
        Ok(TokenSource::over(principal, credential, Clock::System))
    }

    fn over(principal: Principal, credential: Arc<dyn TokenCredential>, clock: Clock) -> Self {
        TokenSource { inner: Arc::new(Inner { principal, credential, clock, slots: Mutex::default() }) }
    }

    pub fn principal(&self) -> &Principal {
        &self.inner.principal
    }

    /// A token that serves for half a minute at least.
    pub async fn token(&self, scope: Scope) -> Result<Token, IdentityError> {
        self.inner.token_for(scope.as_str()).await
    }
}

/// `azure_identity` reads the environment of the platform itself: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
fn credential(principal: &Principal) -> azure_core::Result<Arc<dyn TokenCredential>> {
    Ok(match principal {
        Principal::ManagedIdentity { client_id } => {
            let user_assigned_id = client_id.clone().map(UserAssignedId::ClientId);
            let options = ManagedIdentityCredentialOptions { user_assigned_id, ..Default::default() };
            ManagedIdentityCredential::new(Some(options))?
        }
        Principal::ClientSecret { tenant_id, client_id, secret } => {
            let secret = AzureSecret::new(secret.reveal().to_owned());
            ClientSecretCredential::new(tenant_id, client_id.clone(), secret, None)?
        }
        Principal::DeveloperTools => DeveloperToolsCredential::new(None)?,
    })
}

impl Inner {
    async fn token_for(&self, scope: &str) -> Result<Token, IdentityError> {
        let slot = self.slot(scope);
        let held = slot.held();
        let now = self.clock.now();
        match held {
            Some(token) if token.ends - now > AGEING => Ok(token),
            Some(token) if token.ends - now > SPENT => match slot.request.try_lock() {
                Ok(last) if last.at.is_none_or(|at| now - at > PAUSE) => match self.request(scope, &slot, last).await {
                    Ok(new) => Ok(new),
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the old token serves for a while yet"
                        );
                        Ok(token)
                    }
                },
                // Somebody else asks for a new one, or has just done so.
                _ => Ok(token),
            },
            _ => {
                let last = slot.request.lock().await;
                match slot.held() {
                    // Somebody else was quicker.
                    Some(token) if token.ends - self.clock.now() > SPENT => Ok(token),
                    _ => self.request(scope, &slot, last).await,
                }
            }
        }
    }

    async fn request(
        &self,
        scope: &str,
        slot: &Slot,
        mut last: tokio::sync::MutexGuard<'_, LastRequest>,
    ) -> Result<Token, IdentityError> {
        last.at = Some(self.clock.now());
        let (principal, scope_name) = (self.principal.clone(), scope.to_owned());
        let scopes = [scope];
        match tokio::time::timeout(LIMIT, self.credential.get_token(&scopes, None)).await {
            Err(_) => Err(IdentityError::Late { principal, scope: scope_name }),
            Ok(Err(source)) => Err(IdentityError::Refused { principal, scope: scope_name, source: Box::new(source) }),
            Ok(Ok(token)) => {
                let ends = DateTime::from_timestamp(token.expires_on.unix_timestamp(), 0).unwrap_or_default();
                let token = Token { text: Secret::new(token.token.secret()), ends };
                slot.hold(token.clone());
                Ok(token)
            }
        }
    }

    fn slot(&self, scope: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().expect("no holder of the slots panics");
        Arc::clone(slots.entry(scope.to_owned()).or_default())
    }
}

impl Slot {
    fn held(&self) -> Option<Token> {
        self.held.lock().expect("no holder of a token panics").clone()
    }

    fn hold(&self, token: Token) {
        *self.held.lock().expect("no holder of a token panics") = Some(token);
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("principal", &self.inner.principal).finish_non_exhaustive()
    }
}

/// For clients of Azure's SDK, which name their scope themselves.
#[async_trait::async_trait]
impl TokenCredential for TokenSource {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let [scope] = scopes else {
            return Err(azure_core::Error::with_message(ErrorKind::Credential, "a token is for one scope"));
        };
        let token =
            self.inner.token_for(scope).await.map_err(|error| azure_core::Error::new(ErrorKind::Credential, error))?;
        let ends = OffsetDateTime::from_unix_timestamp(token.ends.timestamp())
            .map_err(|error| azure_core::Error::new(ErrorKind::DataConversion, error))?;
        Ok(AccessToken::new(token.text.reveal().to_owned(), ends))
    }
}

#[cfg(test)]
mod tests;
