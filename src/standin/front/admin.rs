//! `/admin`: `HostController.cs` of azure-functions-host, as far as somebody here asks for it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::{Order, Way};
use crate::standin::course::Course;
use crate::standin::definition::Trigger;
use crate::standin::invoker::{HOST_VERSION, chain};
use crate::standin::timers;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/admin/host/status", web::get().to(status))
        .route("/admin/host/ping", web::get().to(HttpResponse::Ok))
        .route("/admin/host/ping", web::post().to(HttpResponse::Ok))
        .route("/admin/host/drain", web::post().to(drain))
        .route("/admin/host/drain/status", web::get().to(drain_status))
        .route("/admin/host/resume", web::post().to(resume))
        .route("/admin/functions/{name}", web::post().to(run_by_hand));
}

async fn status() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "id": "standin", "state": "Running", "version": HOST_VERSION, "errors": [] }))
}

/// Listeners take nothing new; what runs goes on, and the handler with it.
async fn drain(way: web::Data<Way>) -> HttpResponse {
    way.shared().course.advance_to(Course::Draining);
    HttpResponse::Accepted().finish()
}

async fn drain_status(way: web::Data<Way>) -> HttpResponse {
    let shared = way.shared();
    let (invocations, retries) = shared.ends.progress.outstanding();
    let state = match shared.course.now() {
        Course::Running => "Disabled",
        _ if invocations == 0 && retries == 0 => "Completed",
        _ => "InProgress",
    };
    HttpResponse::Ok().json(json!({
        "state": state,
        "outstandingInvocations": invocations,
        "outstandingRetries": retries,
    }))
}

async fn resume(way: web::Data<Way>) -> HttpResponse {
    if way.shared().course.now() != Course::Running {
        // A full channel means that somebody else has asked already.
        let _ = way.orders.try_send(Order::Resume);
    }
    HttpResponse::Ok().json(json!({ "state": "Running" }))
}

/// `POST /admin/functions/<name>`: 202 at once, and the run goes on by itself, also beside a scheduled one.
async fn run_by_hand(way: web::Data<Way>, name: web::Path<String>) -> HttpResponse {
    let shared = way.shared();
    let Some(function) = shared.app.functions.iter().find(|function| function.name.eq_ignore_ascii_case(&name)) else {
        return refused(StatusCode::NOT_FOUND, format!("there is no function `{name}`"));
    };
    if !matches!(function.trigger, Trigger::Timer { .. }) {
        let reason = format!("function `{name}` is no timer: only timers are run by hand here");
        return refused(StatusCode::BAD_REQUEST, reason);
    }
    let function = function.clone();
    actix_web::rt::spawn(async move {
        if let Err(failure) = timers::run_by_hand(&shared, &function).await {
            shared.warn(chain(&failure)).await;
        }
    });
    HttpResponse::Accepted().finish()
}

fn refused(status: StatusCode, reason: String) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "error": reason }))
}
