//! An HTTP trigger's request where the host does not forward it (`HttpRequestExtensions.GetRequestAsJObject`).

use serde_json::{Map, Value, json};

use super::{SystemFacts, base64};
use crate::standin::metadata::Metadata;

pub struct HttpFacts<'a> {
    pub url: &'a str,
    pub method: &'a str,
    /// Decoded, in their order; of a name that comes twice the values are joined by commas.
    pub query: &'a [(String, String)],
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

pub fn http_request(binding: &str, request: &HttpFacts<'_>, system: &SystemFacts<'_>) -> Value {
    let mut query: Map<String, Value> = Map::new();
    for (name, value) in request.query {
        let joined = match query.get(name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value.clone(),
        };
        query.insert(name.clone(), Value::String(joined));
    }
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in request.headers {
        let values = headers.entry(title_case(name)).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(json!(value));
        }
    }
    let mut value = json!({
        "Url": request.url,
        "Method": request.method,
        "Query": query,
        "Headers": headers,
        "Params": {},
        "Identities": [nobody()],
    });
    if !request.body.is_empty() {
        let content_type = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let content_type = content_type.map(|(_, value)| value.to_ascii_lowercase()).unwrap_or_default();
        let is_binary = content_type.starts_with("application/octet-stream") || content_type.starts_with("multipart/");
        value["Body"] = if is_binary { base64(request.body) } else { json!(String::from_utf8_lossy(request.body)) };
    }
    let mut metadata = Metadata::default();
    // Query values become binding data too, under their names.
    for (name, text) in query {
        metadata.set_inside_string(&name, text);
    }
    metadata.set("Query", value["Query"].clone());
    metadata.set("Headers", header_metadata(request.headers));
    metadata.set_system(system);
    json!({ "Data": { binding: value }, "Metadata": metadata.finish() })
}

fn header_metadata(headers: &[(String, String)]) -> Value {
    headers.iter().map(|(name, value)| (title_case(name), json!(value))).collect::<Map<_, _>>().into()
}

/// Whoever calls without a key, as under `func start`.
/// [?] Written from the shape of `ClaimsIdentity`, never seen on a running host.
fn nobody() -> Value {
    json!({
        "AuthenticationType": null,
        "IsAuthenticated": false,
        "Actor": null,
        "BootstrapContext": null,
        "Claims": [],
        "Label": null,
        "Name": null,
        "NameClaimType": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        "RoleClaimType": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    })
}

/// Kestrel knows the usual headers by these names.
fn title_case(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    });
    words.collect::<Vec<_>>().join("-")
}
