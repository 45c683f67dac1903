//! Who may do what: Shared Key, shared access signatures and bearer tokens, written down from the documentation without a
//! look at anybody's client.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Duration, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::answers::Refusal;
use super::store::Store;

const SIGNED_VERSION: &str = "2025-11-05";
/// How far a request's date may be off.
const CLOCK_SKEW: Duration = Duration::minutes(15);

/// A request, as far as it is signed.
pub struct Signed<'a> {
    pub method: &'a str,
    /// As it stands in the request.
    pub path: &'a str,
    /// Decoded.
    pub query: &'a [(String, String)],
    /// Names in lower case.
    pub headers: &'a BTreeMap<String, String>,
}

/// What an operation needs of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// One of these.
    pub rights: &'static str,
    /// `c` container, `o` object.
    pub resource_type: char,
}

/// How a request was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    Key,
    Signature,
    Token,
}

pub fn check(store: &Store, request: &Signed<'_>, share: &str, needs: Needs) -> Result<Entrance, Refusal> {
    let get = |name: &str| request.headers.get(name).map(String::as_str);
    match get("authorization").map(|value| value.split_once(' ').unwrap_or((value, ""))) {
        Some(("SharedKey", rest)) => {
            let date = get("x-ms-date").or(get("date")).and_then(|text| DateTime::parse_from_rfc2822(text).ok());
            let is_now = date.is_some_and(|date| (Utc::now() - date.with_timezone(&Utc)).abs() < CLOCK_SKEW);
            let signature = sign(&store.key, &string_to_sign(&store.account, request));
            let is_right = rest == format!("{}:{signature}", store.account);
            if is_now && is_right { Ok(Entrance::Key) } else { Err(Refusal::AUTHENTICATION_FAILED) }
        }
        Some(("Bearer", token)) if token != store.token => Err(Refusal::INVALID_AUTHENTICATION_INFO),
        Some(("Bearer", _)) => match get("x-ms-file-request-intent") {
            Some("backup") => Ok(Entrance::Token),
            Some(_) => Err(Refusal::INVALID_HEADER),
            None => Err(Refusal::MISSING_HEADER),
        },
        Some(_) => Err(Refusal::AUTHENTICATION_FAILED),
        None => check_signature(store, request.query, share, needs).map(|()| Entrance::Signature),
    }
}

/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>
fn string_to_sign(account: &str, request: &Signed<'_>) -> String {
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let mut lines = vec![request.method.to_owned(), header("content-encoding"), header("content-language")];
    lines.push(Some(header("content-length")).filter(|length| length != "0").unwrap_or_default());
    lines.extend([header("content-md5"), header("content-type")]);
    let has_own_date = request.headers.contains_key("x-ms-date");
    lines.push(if has_own_date { String::new() } else { header("date") });
    lines.extend(["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"].map(header));
    for (name, value) in request.headers.iter().filter(|(name, _)| name.starts_with("x-ms-")) {
        lines.push(format!("{name}:{}", value.trim()));
    }
    lines.push(format!("/{account}{}", request.path));
    let mut query: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in request.query {
        query.entry(name.to_lowercase()).or_default().push(value);
    }
    for (name, mut values) in query {
        values.sort_unstable();
        lines.push(format!("{name}:{}", values.join(",")));
    }
    lines.join("\n")
}

/// <https://learn.microsoft.com/rest/api/storageservices/create-account-sas> and `create-service-sas`.
pub fn check_signature(store: &Store, query: &[(String, String)], share: &str, needs: Needs) -> Result<(), Refusal> {
    let get = |name: &str| query.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    if get("sig").is_empty() {
        return Err(Refusal::NO_AUTHENTICATION_INFORMATION);
    }
    let (is_of_account, text) = match get("ss").is_empty() {
        false => (true, account_string(&store.account, &get)),
        true => (false, share_string(&store.account, share, &get)),
    };
    let expiry = DateTime::parse_from_rfc3339(get("se")).map_err(|_| Refusal::AUTHENTICATION_FAILED)?;
    if sign(&store.key, &text) != get("sig") || expiry.with_timezone(&Utc) < Utc::now() {
        return Err(Refusal::AUTHENTICATION_FAILED);
    }
    if is_of_account && !(get("ss").contains('f') && get("srt").contains(needs.resource_type)) {
        return Err(Refusal::RESOURCE_TYPE_MISMATCH);
    }
    if !get("sp").contains(|right| needs.rights.contains(right)) {
        return Err(Refusal::PERMISSION_MISMATCH);
    }
    Ok(())
}

fn account_string<'a>(account: &str, get: &dyn Fn(&str) -> &'a str) -> String {
    let fields = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses"].map(get);
    format!("{account}\n{}\n", fields.join("\n"))
}

fn share_string<'a>(account: &str, share: &str, get: &dyn Fn(&str) -> &'a str) -> String {
    let resource = format!("/file/{account}/{share}");
    let after = ["si", "sip", "spr", "sv", "rscc", "rscd", "rsce", "rscl", "rsct"].map(get);
    [get("sp"), get("st"), get("se"), &resource].into_iter().chain(after).collect::<Vec<_>>().join("\n")
}

/// The query of a signature for an account's file service.
pub fn account_signature(account: &str, key: &str, rights: &str, types: &str, expiry: &str) -> String {
    let fields = [("sv", SIGNED_VERSION), ("ss", "f"), ("srt", types), ("sp", rights), ("se", expiry)];
    signed(key, &fields, |get| account_string(account, get))
}

/// The query of a signature for a share.
pub fn share_signature(account: &str, key: &str, share: &str, rights: &str, expiry: &str) -> String {
    let fields = [("sv", SIGNED_VERSION), ("sr", "s"), ("sp", rights), ("se", expiry)];
    signed(key, &fields, |get| share_string(account, share, get))
}

fn signed<'a>(
    key: &str,
    fields: &[(&'a str, &'a str)],
    text: impl FnOnce(&dyn Fn(&str) -> &'a str) -> String,
) -> String {
    let get = |name: &str| fields.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value);
    let signature = sign(key, &text(&get));
    let all = fields.iter().copied().chain([("sig", signature.as_str())]);
    let pairs = all.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    pairs.collect::<Vec<_>>().join("&")
}

fn sign(key: &str, text: &str) -> String {
    BASE64_STANDARD.encode(hmac_sha256(&BASE64_STANDARD.decode(key).unwrap(), text.as_bytes()))
}

/// RFC 2104.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    match key.len() > block.len() {
        true => block[..32].copy_from_slice(&Sha256::digest(key)),
        false => block[..key.len()].copy_from_slice(key),
    }
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

/// RFC 4231, test cases 1, 2 and 6.
#[test]
fn the_signatures_are_those_of_the_standard() {
    let hex = |key: &[u8], message: &[u8]| hex::encode(hmac_sha256(key, message));
    assert_eq!(hex(&[0x0b; 20], b"Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_eq!(
        hex(b"Jefe", b"what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert_eq!(
        hex(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    );
}
