//! One account's requests: signed with its login, bounded in time, tried again while trouble may pass.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use object_store::ClientOptions;
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential, split_sas};
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use url::Url;

use super::patience::{is_passing, pause_after, wish_of};
use super::{Answer, StorageAccount, StorageError, StorageLogin};
use crate::identity::{Scope, TokenSource};

/// For one try, its body included. A block of a few MiB needs a tenth of it on a slow line.
const TRY_LIMIT: Duration = Duration::from_secs(90);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Azure's balancers forget a connection that was quiet for four minutes.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// A client of one account. It keeps connections open, so there should be one of it.
pub struct StorageClient {
    account: StorageAccount,
    version: &'static str,
    http: HttpClient,
    credential: Credential,
}

enum Credential {
    Fixed(AzureCredential),
    Identity(TokenSource),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Head,
    Put,
    Delete,
}

/// A request before it is signed. Doing it twice must do no more than doing it once, or the caller must look at
/// [`Answer::may_have_happened_before`].
#[derive(Clone, Debug)]
pub struct StorageRequest {
    pub verb: Verb,
    /// Without a login.
    pub url: Url,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl StorageRequest {
    pub fn new(verb: Verb, url: Url) -> Self {
        StorageRequest { verb, url, headers: Vec::new(), body: Bytes::new() }
    }

    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl StorageClient {
    /// `version` is the version of the service, `x-ms-version`.
    pub fn new(account: StorageAccount, version: &'static str) -> Result<Self, StorageError> {
        let unmade = |source: object_store::Error| StorageError::Unmade { host: account.host(), source: source.into() };
        let agent = concat!("millrace/", env!("CARGO_PKG_VERSION"));
        let options = ClientOptions::new()
            .with_allow_http(account.endpoint.scheme() == "http")
            .with_timeout(TRY_LIMIT)
            .with_connect_timeout(CONNECT_LIMIT)
            .with_pool_idle_timeout(IDLE_LIMIT)
            .with_user_agent(agent.parse().expect("letters, digits and a slash make a header"));
        let http = ReqwestConnector::default().connect(&options).map_err(unmade)?;
        let credential = match &account.login {
            StorageLogin::AccountKey(key) => {
                let key = AzureAccessKey::try_new(key.reveal()).map_err(|error| unmade(error.into()))?;
                Credential::Fixed(AzureCredential::AccessKey(key))
            }
            StorageLogin::SharedAccessSignature(signature) => {
                Credential::Fixed(AzureCredential::SASToken(split_sas(signature.reveal()).map_err(unmade)?))
            }
            StorageLogin::Identity(principal) => Credential::Identity(TokenSource::new(principal.clone())?),
        };
        Ok(StorageClient { account, version, http, credential })
    }

    pub fn account(&self) -> &StorageAccount {
        &self.account
    }

    /// The service's refusal as an error.
    pub fn refusal(&self, answer: &Answer) -> StorageError {
        StorageError::refused(&self.account, answer)
    }

    /// An answer of the service that is not what it documents.
    pub fn strange(&self, problem: impl Into<String>) -> StorageError {
        StorageError::Strange { host: self.account.host(), problem: problem.into() }
    }

    /// Sends until there is an answer that is no passing trouble. A refusal is an answer too.
    ///
    /// # Errors
    /// Where no answer comes, or none but trouble, until patience ends.
    pub async fn send(&self, request: &StorageRequest) -> Result<Answer, StorageError> {
        let mut may_have_happened = false;
        for try_number in 1.. {
            let (failure, wish) = match self.try_once(request).await? {
                Ok(answer) if !is_passing(answer.status) => {
                    return Ok(Answer { may_have_happened_before: may_have_happened, ..answer });
                }
                Ok(answer) => (self.refusal(&answer), wish_of(answer.header("retry-after"))),
                Err(source) => {
                    let (host, setting) = (self.account.host(), self.account.setting.clone());
                    (StorageError::Unreachable { host, setting, source }, None)
                }
            };
            may_have_happened = true;
            let Some(pause) = pause_after(try_number, wish, chance()) else { return Err(failure) };
            tracing::debug!(error = &failure as &dyn std::error::Error, try_number, "trying again");
            tokio::time::sleep(pause).await;
        }
        unreachable!("tries end before numbers do")
    }

    /// The inner error is one of the line, which may pass.
    async fn try_once(
        &self,
        request: &StorageRequest,
    ) -> Result<Result<Answer, object_store::client::HttpError>, StorageError> {
        let signed = self.signed(request).await?;
        let response = match self.http.execute(signed).await {
            Ok(response) => response,
            Err(error) => return Ok(Err(error)),
        };
        let status = response.status().as_u16();
        let headers: BTreeMap<String, String> = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let body = response.into_body().bytes().await;
        Ok(body.map(|body| Answer { status, headers, body, may_have_happened_before: false }))
    }

    async fn signed(&self, request: &StorageRequest) -> Result<HttpRequest, StorageError> {
        let unmade = |source: Box<dyn std::error::Error + Send + Sync>| {
            let host = self.account.host();
            StorageError::Unmade { host, source }
        };
        let mut signed = HttpRequest::new(HttpRequestBody::from(request.body.clone()));
        let verb = match request.verb {
            Verb::Get => "GET",
            Verb::Head => "HEAD",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        };
        *signed.method_mut() = verb.parse().map_err(|_| unmade("its verb is none".into()))?;
        *signed.uri_mut() = request.url.as_str().parse().map_err(|_| unmade("its address is too long".into()))?;
        let length = request.body.len().to_string();
        let always = [("content-length", length.as_str()), ("x-ms-version", self.version)];
        let own = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in always.into_iter().chain(own) {
            let value = value.parse().map_err(|_| unmade(format!("its header `{name}` holds what none may").into()))?;
            signed.headers_mut().insert(name, value);
        }
        let of_identity;
        let credential = match &self.credential {
            Credential::Fixed(credential) => credential,
            Credential::Identity(source) => {
                let token = source.token(Scope::Storage).await?;
                of_identity = AzureCredential::BearerToken(token.text.reveal().to_owned());
                &of_identity
            }
        };
        let authorizer = AzureAuthorizer::new(credential, &self.account.account);
        authorizer.try_authorize(&mut signed).map_err(|error| unmade(error.into()))?;
        Ok(signed)
    }
}

/// A number in 0..1, another one each time: enough to spread clients, and for nothing else.
fn chance() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}
