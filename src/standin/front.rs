//! The host's own HTTP: `/api/<route>` reaches the handler, forwarded or as an envelope, and `/admin` runs a timer by hand,
//! drains, and tells the host's state. Function keys are not checked, as under `func start`.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use tokio::sync::{mpsc, watch};

use super::definition::{Function, Trigger};
use super::script_host::Shared;
use super::{HostError, HostEvent, ListedFunction};

mod admin;
mod functions;

/// The real host's limit on requests to HTTP triggers (`FUNCTIONS_REQUEST_BODY_SIZE_LIMIT`).
const BODY_LIMIT_BYTES: usize = 104_857_600;

pub(super) struct Front {
    handle: ServerHandle,
}

/// What somebody wants of the host by HTTP.
pub(super) enum Order {
    /// Another script host in place of one that drains.
    Resume,
}

/// The script host of the moment, and the way to ask for another.
struct Way {
    current: watch::Receiver<Arc<Shared>>,
    orders: mpsc::Sender<Order>,
}

impl Way {
    fn shared(&self) -> Arc<Shared> {
        self.current.borrow().clone()
    }
}

impl Front {
    /// Opens the socket and serves until stopped.
    pub(super) async fn serve(
        address: SocketAddr,
        current: watch::Receiver<Arc<Shared>>,
        orders: mpsc::Sender<Order>,
    ) -> Result<Front, HostError> {
        let shared = current.borrow().clone();
        let (front, bound) = start(Way { current, orders }, address)?;
        let functions = shared.app.functions.iter().map(|function| listed(&shared, function, bound)).collect();
        shared.report(HostEvent::Listening { address: bound, functions }).await;
        Ok(front)
    }

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

fn start(way: Way, address: SocketAddr) -> Result<(Front, SocketAddr), HostError> {
    let way = web::Data::new(way);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(way.clone())
            .app_data(web::PayloadConfig::new(BODY_LIMIT_BYTES))
            .route("/", web::get().to(welcome))
            .configure(admin::routes)
            .default_service(web::to(functions::call))
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

fn listed(shared: &Shared, function: &Function, bound: SocketAddr) -> ListedFunction {
    let methods = match &function.trigger {
        Trigger::Http { methods, .. } => methods.clone(),
        _ => Vec::new(),
    };
    ListedFunction {
        name: function.name.clone(),
        trigger: function.trigger.type_name(),
        url: path_of(shared, function).map(|path| format!("http://{bound}{path}")),
        methods,
    }
}

/// Where a function is called; `None`: not over HTTP.
fn path_of(shared: &Shared, function: &Function) -> Option<String> {
    let Trigger::Http { route, .. } = &function.trigger else {
        return None;
    };
    let prefix = &shared.app.route_prefix;
    let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
    Some(format!("{prefix}/{route}"))
}
