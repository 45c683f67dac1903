//! The custom-handler protocol: envelope in, envelope out, over HTTP on the loopback address.
//!
//! The host decides what arrives and how it is encoded; this module decides what a function sees of it. It knows no
//! station: [`server::serve`] is given a [`Functions`], which does the work.

pub mod answer;
pub mod body;
pub mod envelope;
pub mod limits;
pub mod parent;
pub mod routes;
pub mod server;
pub mod status_page;

use async_trait::async_trait;

use answer::{HttpAnswer, InvocationAnswer};
use envelope::Invocation;
use limits::Limits;

/// An HTTP request that the host forwarded as it came.
#[derive(Clone, Debug, Default)]
pub struct ForwardedRequest {
    pub method: String,
    /// Below `/api/`: the function's route.
    pub route: String,
    pub query: Vec<(String, String)>,
    /// The `Accept` header.
    pub accept: Option<String>,
}

/// What the server dispatches to.
#[async_trait]
pub trait Functions: Send + Sync + 'static {
    /// `None`: there is no such function.
    fn limits(&self, function: &str) -> Option<Limits>;

    /// Runs one invocation that came as an envelope.
    async fn invoke(&self, invocation: Invocation) -> InvocationAnswer;

    /// Answers a forwarded HTTP request; `None`: there is no such route.
    async fn answer_http(&self, request: ForwardedRequest) -> Option<HttpAnswer>;
}
