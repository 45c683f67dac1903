//! The HTTP server that the host talks to: readiness, dispatch, limits, deadlines, panics contained.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::web::{self, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use futures::StreamExt;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tracing::{error, info};

use super::answer::InvocationAnswer;
use super::body::{BodyLimits, BodyReader};
use super::envelope::Invocation;
use super::limits::Limits;
use super::{ForwardedRequest, Functions};
use crate::telemetry::panic_text;

/// The path below which the host forwards HTTP requests; host.json does not change it.
const HTTP_PREFIX: &str = "/api/";

struct Server {
    functions: Arc<dyn Functions>,
    /// Work runs here and not on the server's own threads, each of which answers `GET /`.
    runtime: Handle,
    turns: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Serves the host until the process ends.
///
/// The socket opens here and not earlier: the host takes any answer for readiness. It is the IPv4 loopback address, where
/// the host looks.
///
/// # Errors
/// If the port cannot be opened.
pub async fn serve(functions: Arc<dyn Functions>, port: u16) -> io::Result<()> {
    let server = web::Data::new(Server { functions, runtime: Handle::current(), turns: Mutex::new(HashMap::new()) });
    let bound = HttpServer::new(move || {
        App::new()
            .app_data(server.clone())
            .route("/", web::get().to(HttpResponse::Ok))
            .route("/{function}", web::post().to(invoke))
            .default_service(web::to(forwarded))
    })
    .workers(2)
    .client_request_timeout(std::time::Duration::ZERO)
    .disable_signals()
    .bind((Ipv4Addr::LOCALHOST, port))?;
    info!("ready on 127.0.0.1:{port}");
    bound.run().await
}

async fn invoke(server: web::Data<Server>, request: HttpRequest, body: Payload) -> HttpResponse {
    let function = request.match_info().get("function").unwrap_or_default().to_owned();
    let Some(limits) = server.functions.limits(&function) else {
        return HttpResponse::NotFound().json(json!({ "error": format!("this handler has no function `{function}`") }));
    };
    let invocation_id = header(&request, "x-azure-functions-invocationid").unwrap_or_default();
    let began = Instant::now();
    let body = match read(body, limits.body).await {
        Ok(body) => body,
        Err((status, reason)) => {
            error!(function, invocation_id, "{reason}");
            return HttpResponse::build(status).json(json!({ "error": reason }));
        }
    };
    let invocation = match Invocation::parse(&function, &invocation_id, &body) {
        Ok(invocation) => invocation,
        Err(fault) => {
            error!(function, invocation_id, "{fault}");
            return HttpResponse::BadRequest().json(json!({ "error": fault.to_string() }));
        }
    };
    drop(body);

    let answer = server.run(invocation, limits, began).await;
    if let InvocationAnswer::Failed { reason } = &answer {
        error!(function, invocation_id, "{function} failed: {reason}");
    }
    let (status, body) = answer.encode();
    HttpResponse::build(StatusCode::from_u16(status).expect("our answers have valid status codes")).json(body)
}

impl Server {
    /// Waits for the function's turn, then runs it to its end, its deadline or its panic.
    async fn run(&self, invocation: Invocation, limits: Limits, began: Instant) -> InvocationAnswer {
        let function = invocation.function.clone();
        let deadline = began + limits.deadline;
        let too_late =
            || InvocationAnswer::failed(format!("not finished within {} seconds", limits.deadline.as_secs()));
        let turns = self.turns_of(&function, limits.concurrency);
        let Ok(turn) = timeout_at(deadline, turns.acquire_owned()).await else {
            return too_late();
        };
        let functions = self.functions.clone();
        let mut task = self.runtime.spawn(async move {
            let _turn = turn;
            functions.invoke(invocation).await
        });
        match timeout_at(deadline, &mut task).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(ended)) if ended.is_panic() => InvocationAnswer::failed(format!(
                "{function} panicked: {}; please report it",
                panic_text(&*ended.into_panic())
            )),
            Ok(Err(_)) => InvocationAnswer::failed("the handler is stopping"),
            Err(_) => {
                task.abort();
                too_late()
            }
        }
    }

    fn turns_of(&self, function: &str, concurrency: usize) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().expect("no holder of this lock panics");
        turns.entry(function.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(concurrency))).clone()
    }
}

async fn forwarded(server: web::Data<Server>, request: HttpRequest) -> HttpResponse {
    let not_found = || HttpResponse::NotFound().json(json!({ "error": format!("nothing is at {}", request.path()) }));
    let Some(route) = request.path().strip_prefix(HTTP_PREFIX) else {
        return not_found();
    };
    let forwarded = ForwardedRequest {
        method: request.method().as_str().to_owned(),
        route: route.to_owned(),
        query: url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect(),
        accept: header(&request, "accept"),
    };
    let functions = server.functions.clone();
    let task = server.runtime.spawn(async move { functions.answer_http(forwarded).await });
    match task.await {
        Ok(Some(answer)) => {
            let status = StatusCode::from_u16(answer.status).expect("our answers have valid status codes");
            HttpResponse::build(status).content_type(answer.content_type).body(answer.body)
        }
        Ok(None) => not_found(),
        Err(ended) => {
            error!(route, "the page failed: {ended}");
            HttpResponse::InternalServerError().json(json!({ "error": "the page failed; the log says why" }))
        }
    }
}

async fn read(mut body: Payload, limits: BodyLimits) -> Result<Vec<u8>, (StatusCode, String)> {
    let mut reader = BodyReader::new(limits);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| (StatusCode::BAD_REQUEST, format!("the request body broke off: {error}")))?;
        reader.push(&piece).map_err(|error| (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?;
    }
    Ok(reader.finish())
}

fn header(request: &HttpRequest, name: &str) -> Option<String> {
    request.headers().get(name)?.to_str().ok().map(str::to_owned)
}
