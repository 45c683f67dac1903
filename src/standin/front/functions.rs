//! Requests to HTTP triggers, in the way that host.json chooses: forwarded whole, forwarded with a response that is passed on
//! as it comes, or as an envelope whose answer has the response among its outputs.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};

use super::{Way, path_of};
use crate::standin::definition::{Function, HttpMode, OutputKind, Trigger};
use crate::standin::envelope::{self, HttpFacts, SystemFacts};
use crate::standin::invoker::{CALLED, ForwardedRequest, Occasion, with_return_value};
use crate::standin::outputs;
use crate::standin::script_host::Shared;

/// Headers that belong to one connection (RFC 9110, section 7.6.1), or that the next hop writes itself. `Host` is none of
/// them: the handler sees where the caller went.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
];

pub(super) async fn call(way: web::Data<Way>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let shared = way.shared();
    let called = shared.app.functions.iter().find(|function| is_called_by(&shared, function, &request));
    let Some(function) = called else {
        return HttpResponse::NotFound().finish();
    };
    // A body whose length is not known beforehand is not passed on (`HttpRequestExtensions.cs`).
    let body = if request.headers().contains_key("content-length") { body } else { web::Bytes::new() };
    let answer = match shared.app.handler.http {
        HttpMode::Envelope => in_envelope(&shared, function, &request, &body).await,
        // Only functions with nothing but HTTP in and out.
        _ if !function.is_http_in_and_out() => in_envelope(&shared, function, &request, &body).await,
        mode => forwarded(&shared, function, &request, body, mode).await,
    };
    // The real host tells the caller no more than this; the reason is in its log.
    answer.unwrap_or_else(|| HttpResponse::InternalServerError().finish())
}

/// Routes match in any case, as in ASP.NET.
fn is_called_by(shared: &Shared, function: &Function, request: &HttpRequest) -> bool {
    let Trigger::Http { methods, .. } = &function.trigger else {
        return false;
    };
    let called = request.path().trim_end_matches('/');
    let path_matches = path_of(shared, function).is_some_and(|path| path.eq_ignore_ascii_case(called));
    path_matches && (methods.is_empty() || methods.iter().any(|method| method == request.method().as_str()))
}

async fn forwarded(
    shared: &Shared,
    function: &Function,
    request: &HttpRequest,
    body: web::Bytes,
    mode: HttpMode,
) -> Option<HttpResponse> {
    let response = shared.any_instance().forward(function, to_forward(request, body)?).await.ok()?;
    let mut answer = HttpResponse::build(status(response.status().as_u16()));
    for (name, value) in response.headers() {
        add_header(&mut answer, name.as_str(), value.as_bytes());
    }
    if mode == HttpMode::Proxying {
        return Some(answer.streaming(response.bytes_stream()));
    }
    response.bytes().await.ok().map(|body| answer.body(body))
}

fn to_forward(request: &HttpRequest, body: web::Bytes) -> Option<ForwardedRequest> {
    let mut headers = reqwest::header::HeaderMap::new();
    for (name, value) in request.headers() {
        if HOP_BY_HOP.contains(&name.as_str()) {
            continue;
        }
        let name = reqwest::header::HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        headers.append(name, reqwest::header::HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).ok()?;
    let path_and_query = request.uri().path_and_query().map_or("/".to_owned(), ToString::to_string);
    Some(ForwardedRequest { method, path_and_query, headers, body })
}

async fn in_envelope(shared: &Shared, function: &Function, request: &HttpRequest, body: &[u8]) -> Option<HttpResponse> {
    let host = request.connection_info().host().to_owned();
    let path_and_query = request.uri().path_and_query().map_or("/".to_owned(), ToString::to_string);
    let query: Vec<_> = url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let as_text = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let headers: Vec<_> = request.headers().iter().map(as_text).collect();
    let facts = HttpFacts {
        url: &format!("http://{host}{path_and_query}"),
        method: request.method().as_str(),
        query: &query,
        headers: &headers,
        body,
    };
    let envelope = envelope::http_request(&function.binding, &facts, &SystemFacts::now(&function.name));
    let occasion = Occasion { reason: CALLED.to_owned(), details: None };
    let result = shared.any_instance().invoke(function, &occasion, Ok(envelope)).await.ok()?;
    let Some(output) = function.outputs.iter().find(|output| output.kind == OutputKind::Http) else {
        // Without an output there is nothing to say.
        return Some(HttpResponse::NoContent().finish());
    };
    let response = outputs::http_output(&output.name, &with_return_value(&result)).ok()?;
    let mut answer = HttpResponse::build(status(response.status));
    for (name, value) in &response.headers {
        add_header(&mut answer, name, value.as_bytes());
    }
    Some(answer.body(response.body))
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY)
}

/// Passes over what belongs to the connection, and what is no header.
fn add_header(answer: &mut HttpResponseBuilder, name: &str, value: &[u8]) {
    if HOP_BY_HOP.contains(&name.to_ascii_lowercase().as_str()) {
        return;
    }
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
        answer.append_header((name, value));
    }
}
