//! Whom a token of Entra ID stands for, by its own words. Nothing is verified: that is for the service to which it is shown;
//! this is for people, who look for the same ids in the portal.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Names of <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Of the application: what roles and `CREATE USER` call the client id.
    client_id: Option<String>,
    /// Of the identity in its directory: what role assignments call the principal id.
    object_id: Option<String>,
    /// Of a person.
    user: Option<String>,
}

impl Claims {
    /// `None`: it is no JSON Web Token, or names nobody.
    pub(super) fn of(token: &str) -> Option<Claims> {
        let payload = token.split('.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let all: Map<String, Value> = serde_json::from_slice(&payload).ok()?;
        let first_of = |names: &[&str]| names.iter().find_map(|name| all.get(*name)?.as_str().map(str::to_owned));
        let claims = Claims {
            client_id: first_of(&["appid", "azp"]),
            object_id: first_of(&["oid"]),
            user: first_of(&["upn", "unique_name", "preferred_username"]),
        };
        (claims.client_id.is_some() || claims.object_id.is_some() || claims.user.is_some()).then_some(claims)
    }
}

/// `user ann@acme.example, client id 04b0…, object id 5d1e…`
impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [("user", &self.user), ("client id", &self.client_id), ("object id", &self.object_id)];
        let named = named.iter().filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?)));
        f.write_str(&crate::words::shown(&named.collect::<Vec<_>>().join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(payload), "signature")
    }

    #[test]
    fn a_token_says_whom_it_stands_for() {
        let of_app = token(r#"{"aud":"x","appid":"app-1","oid":"object-2","exp":1}"#);
        assert_eq!(Claims::of(&of_app).unwrap().to_string(), "client id app-1, object id object-2");
        let of_person = token(r#"{"appid":"cli","oid":"o","upn":"ann@acme.example"}"#);
        let said = Claims::of(&of_person).unwrap().to_string();
        assert_eq!(said, "user ann@acme.example, client id cli, object id o");
    }

    #[test]
    fn what_is_no_token_says_nothing() {
        for text in ["", "opaque", "a.b.c", &token("[]"), &token("{}"), &token(r#"{"oid":7}"#)] {
            assert_eq!(Claims::of(text), None, "{text}");
        }
    }

    #[test]
    fn several_names_of_one_person_are_no_reason_to_say_nothing() {
        let both = token(r#"{"oid":"o","upn":"ann@acme.example","unique_name":"ann@acme.example"}"#);
        assert!(Claims::of(&both).unwrap().to_string().contains("ann@acme.example"));
    }
}
