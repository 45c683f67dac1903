//! Tokens are kept, asked for once at a time, and asked for anew before they end.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;

/// Numbers its tokens, each good for an hour of the clock, and hands one out for each permit.
#[derive(Debug)]
struct Numbering {
    clock: Clock,
    permits: Semaphore,
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl TokenCredential for Numbering {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        match self.permits.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return Err(azure_core::Error::with_message(ErrorKind::Credential, "nobody is logged in")),
        }
        let ends = (self.clock.now() + TimeDelta::hours(1)).timestamp();
        let ends = OffsetDateTime::from_unix_timestamp(ends).unwrap();
        Ok(AccessToken::new(format!("{} {number}", scopes[0]), ends))
    }
}

fn source(permits: usize) -> (Arc<Numbering>, TokenSource) {
    let clock = Clock::set_to(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let permits = Semaphore::new(permits);
    let credential = Arc::new(Numbering { clock: clock.clone(), permits, asked: AtomicUsize::new(0) });
    (Arc::clone(&credential), TokenSource::over(Principal::DeveloperTools, credential, clock))
}

async fn text(source: &TokenSource, scope: Scope) -> String {
    source.token(scope).await.unwrap().text.reveal().to_owned()
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end() {
    let (credential, source) = source(9);
    assert_eq!(text(&source, Scope::Storage).await, "https://storage.azure.com/.default 1");
    credential.clock.advance(TimeDelta::minutes(55));
    assert_eq!(text(&source, Scope::Storage).await, "https://storage.azure.com/.default 1");
    credential.clock.advance(TimeDelta::minutes(2));
    assert_eq!(text(&source, Scope::Storage).await, "https://storage.azure.com/.default 2");
    assert_eq!(text(&source, Scope::Sql).await, "https://database.windows.net/.default 3");
    assert_eq!(text(&source, Scope::EventHubs).await, "https://eventhubs.azure.net/.default 4");
}

#[tokio::test]
async fn one_request_serves_all_who_wait() {
    let (credential, source) = source(0);
    let asking = futures::future::join_all((0..20).map(|_| text(&source, Scope::Storage)));
    let permitting = async {
        tokio::task::yield_now().await;
        credential.permits.add_permits(20);
    };
    let (tokens, ()) = tokio::join!(asking, permitting);
    assert!(tokens.iter().all(|token| token.ends_with(" 1")), "{tokens:?}");
    assert_eq!(credential.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nobody_waits_for_a_new_token_while_the_old_one_serves() {
    let (credential, source) = source(1);
    text(&source, Scope::Storage).await;
    credential.clock.advance(TimeDelta::minutes(57));
    let refreshing = text(&source, Scope::Storage);
    let meanwhile = async {
        tokio::task::yield_now().await;
        let token = text(&source, Scope::Storage).await;
        credential.permits.add_permits(1);
        token
    };
    let (new, old) = tokio::join!(refreshing, meanwhile);
    assert!(new.ends_with(" 2") && old.ends_with(" 1"), "{new}, {old}");
}

#[tokio::test]
async fn a_refusal_hurts_only_when_the_old_token_is_spent_and_says_as_whom_it_was() {
    let (credential, source) = source(1);
    text(&source, Scope::Storage).await;
    credential.permits.close();
    credential.clock.advance(TimeDelta::minutes(57));
    assert!(text(&source, Scope::Storage).await.ends_with(" 1"));
    assert!(text(&source, Scope::Storage).await.ends_with(" 1"));
    assert_eq!(credential.asked.load(Ordering::SeqCst), 2, "a pause lies between two requests");
    credential.clock.advance(TimeDelta::minutes(3));
    let error = source.token(Scope::Storage).await.unwrap_err();
    assert!(
        error.to_string().starts_with(
            "no token for https://storage.azure.com/.default as the user of the Azure CLI or the Azure Developer CLI; \
             log in with `az login`"
        ),
        "{error}"
    );
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "nobody is logged in");
}

#[tokio::test]
async fn azures_sdk_is_given_the_same_tokens() {
    let (credential, source) = source(9);
    let scopes = [Scope::EventHubs.as_str()];
    let token = source.get_token(&scopes, None).await.unwrap();
    assert_eq!(token.token.secret(), text(&source, Scope::EventHubs).await);
    assert_eq!(credential.asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_service_principals_secret_is_never_printed() {
    let secret = Secret::new("hidden");
    let (tenant_id, client_id) = ("acme.example".to_owned(), "loader".to_owned());
    let source = TokenSource::new(Principal::ClientSecret { tenant_id, client_id, secret }).unwrap();
    let printed = format!("{source:?} {} {}", source.principal(), remedy(source.principal()));
    assert!(printed.contains("`loader` of tenant `acme.example`") && !printed.contains("hidden"), "{printed}");
}
