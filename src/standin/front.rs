//! The host's own HTTP: `/api/<route>` is forwarded to the handler, `/admin` runs a timer by hand and tells the host's
//! state. Function keys are not checked, as under `func start`.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::json;

use super::definition::{Function, Trigger};
use super::invoker::{ForwardedRequest, HOST_VERSION};
use super::{HostError, HostEvent, Shared, timers};

/// The real host's limit on requests to HTTP triggers (`FUNCTIONS_REQUEST_BODY_SIZE_LIMIT`).
const BODY_LIMIT_BYTES: usize = 104_857_600;

/// Headers that belong to one connection (RFC 9110, section 7.6.1), or that the next hop writes itself.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
];

pub(super) struct Front {
    handle: ServerHandle,
}

impl Front {
    pub(super) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // The order to stop is sent by the call; the future would only wait for the end.
        drop(self.handle.stop(false));
    }
}

/// Opens the socket and serves until stopped.
pub(super) async fn serve(shared: Arc<Shared>, address: SocketAddr) -> Result<Front, HostError> {
    let (front, bound) = start(shared.clone(), address)?;
    let routes = shared.app.functions.iter().filter_map(|function| {
        let route = path_of(&shared.app, function)?;
        Some((function.name.clone(), format!("http://{bound}{route}")))
    });
    shared.reporter.report(HostEvent::Listening { address: bound, routes: routes.collect() }).await;
    Ok(front)
}

fn start(shared: Arc<Shared>, address: SocketAddr) -> Result<(Front, SocketAddr), HostError> {
    let data = web::Data::from(shared);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .app_data(web::PayloadConfig::new(BODY_LIMIT_BYTES))
            .route("/", web::get().to(welcome))
            .route("/admin/host/status", web::get().to(host_status))
            .route("/admin/functions/{name}", web::post().to(run_by_hand))
            .default_service(web::to(forward))
    })
    .workers(1)
    .disable_signals()
    .bind(address)
    .map_err(|source| HostError::Listen { address, source })?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    let running = server.run();
    let handle = running.handle();
    tokio::spawn(running);
    Ok((Front { handle }, bound))
}

async fn welcome() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("The host is up and running.\n")
}

async fn host_status() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "id": "standin", "state": "Running", "version": HOST_VERSION, "errors": [] }))
}

/// `POST /admin/functions/<name>`: 202 at once, and the run goes on by itself, also beside a scheduled one.
async fn run_by_hand(shared: web::Data<Shared>, name: web::Path<String>) -> HttpResponse {
    let Some(function) = shared.app.functions.iter().find(|function| function.name.eq_ignore_ascii_case(&name)) else {
        return refused(StatusCode::NOT_FOUND, format!("there is no function `{name}`"));
    };
    if !matches!(function.trigger, Trigger::Timer { .. }) {
        return refused(
            StatusCode::BAD_REQUEST,
            format!("function `{name}` is no timer: only timers are run by hand here"),
        );
    }
    let function = function.clone();
    actix_web::rt::spawn(async move {
        if let Err(failure) = timers::run(&shared, &function, false).await {
            let message = super::invoker::chain(&failure);
            shared.reporter.report(HostEvent::Warning { message }).await;
        }
    });
    HttpResponse::Accepted().finish()
}

async fn forward(shared: web::Data<Shared>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let called = shared.app.functions.iter().find(|function| is_called_by(&shared.app, function, &request));
    let Some(function) = called else {
        return HttpResponse::NotFound().finish();
    };
    let Some(forwarded) = to_forward(&request, body) else {
        return refused(StatusCode::BAD_REQUEST, "the request's method or headers cannot be forwarded".to_owned());
    };
    match shared.invoker.forward(function, forwarded).await {
        Ok(response) => answer(response).await,
        // The real host tells the caller no more than this; the reason is in its log.
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

fn path_of(app: &super::App, function: &Function) -> Option<String> {
    let Trigger::Http { route, .. } = &function.trigger else {
        return None;
    };
    let prefix = if app.route_prefix.is_empty() { String::new() } else { format!("/{}", app.route_prefix) };
    Some(format!("{prefix}/{route}"))
}

/// Routes match in any case, as in ASP.NET.
fn is_called_by(app: &super::App, function: &Function, request: &HttpRequest) -> bool {
    let Trigger::Http { methods, .. } = &function.trigger else {
        return false;
    };
    let called = request.path().trim_end_matches('/');
    let path_matches = path_of(app, function).is_some_and(|path| path.eq_ignore_ascii_case(called));
    path_matches && (methods.is_empty() || methods.iter().any(|method| method == request.method().as_str()))
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

async fn answer(response: reqwest::Response) -> HttpResponse {
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut answer = HttpResponse::build(status);
    for (name, value) in response.headers() {
        if HOP_BY_HOP.contains(&name.as_str()) {
            continue;
        }
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            answer.append_header((name, value));
        }
    }
    match response.bytes().await {
        Ok(body) => answer.body(body),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

fn refused(status: StatusCode, reason: String) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "error": reason }))
}
