//! A broker that speaks AMQP as Event Hubs does, as far as its clients need: tokens, properties, producers, consumers with
//! owner levels, numbers, retention. It does wrong when a test tells it to.
//!
//! Written after what the clients send and the service's AMQP guide
//! (<https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide>); it counts because Azure's own
//! Python client works against it (`event_hubs::python`), where a Python with it is at hand. It keeps everything in memory and knows no TLS.

use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use chrono::Utc;
use fe2o3_amqp::acceptor::{ConnectionAcceptor, SaslAnonymousMechanism, SessionAcceptor};
use fe2o3_amqp::types::definitions::Fields;
use fe2o3_amqp::types::primitives::{Symbol, Value};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::hub_conformance::{LastNumbers, LetsGo};

mod codec;
mod faults;
mod hubs;
mod links;
mod nodes;

pub use faults::Faults;
use hubs::{Content, Hubs, Reader};

/// The only key that opens the broker.
pub const KEY_NAME: &str = "RootManageSharedAccessKey";
pub const KEY: &str = "SAS_KEY_VALUE";
/// The only bearer token that opens the broker.
pub const BEARER: &str = "a bearer's token";
/// The largest message that the broker takes, as in the standard tier.
pub const LINK_LIMIT_BYTES: u64 = 1 << 20;

/// A broker of one namespace. Ends with its test.
pub struct Broker {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Its thread ends when this is dropped.
    _alive: oneshot::Sender<()>,
}

pub struct Shared {
    hubs: Mutex<Hubs>,
    faults: Mutex<Faults>,
    /// Counts whatever a waiting consumer may be waiting for.
    changes: watch::Sender<u64>,
    connections: Mutex<Vec<std::net::TcpStream>>,
    tokens: Mutex<Vec<Token>>,
}

/// A token that somebody put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: String,
    pub audience: String,
}

impl Broker {
    /// With these hubs of so many partitions.
    pub async fn start(hubs: &[(&str, usize)]) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            hubs: Mutex::new(Hubs::of(hubs)),
            faults: Mutex::default(),
            changes: watch::Sender::new(0),
            connections: Mutex::default(),
            tokens: Mutex::default(),
        });
        let (alive, ended) = oneshot::channel::<()>();
        let served = shared.clone();
        // One thread for everything: the library's links lose frames that come while another thread makes them.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = listen(listener, served) => {}
                    _ = ended => {}
                }
            });
        });
        Broker { address, shared, _alive: alive }
    }

    pub fn connection_string(&self) -> String {
        format!(
            "Endpoint=sb://{};SharedAccessKeyName={KEY_NAME};SharedAccessKey={KEY};UseDevelopmentEmulator=true;",
            self.address
        )
    }

    /// `amqp://127.0.0.1:<port>`
    pub fn address(&self) -> String {
        format!("amqp://{}", self.address)
    }

    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.shared.faults.lock().unwrap()
    }

    /// How often anybody connected.
    pub fn connections(&self) -> usize {
        self.shared.connections.lock().unwrap().len()
    }

    pub fn tokens(&self) -> Vec<Token> {
        self.shared.tokens.lock().unwrap().clone()
    }

    /// How many events a partition was given.
    pub fn given(&self, hub: &str, partition: &str) -> u64 {
        let hubs = self.shared.hubs.lock().unwrap();
        hubs.partition(hub, partition).unwrap().next
    }

    pub fn put(&self, hub: &str, partition: &str, body: &str) {
        let content = Content { body: body.as_bytes().to_vec(), ..Content::default() };
        self.shared.hubs.lock().unwrap().partition_mut(hub, partition).unwrap().append(content);
        self.shared.changed();
    }

    /// Somebody who reads as the Functions host does: with an owner level.
    pub fn let_host_in(&self, hub: &str, group: &str, partition: &str) -> Reader {
        let mut hubs = self.shared.hubs.lock().unwrap();
        let let_in = hubs.partition_mut(hub, partition).unwrap().let_in(group, Some(0));
        let_in.unwrap_or_else(|_| panic!("somebody with a higher level reads {group}"))
    }

    /// Everybody's connection breaks.
    pub fn cut(&self) {
        for connection in self.shared.connections.lock().unwrap().iter() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.cut();
    }
}

#[async_trait]
impl LetsGo for Broker {
    fn last_numbers_that_are_gone(&self) -> LastNumbers {
        LastNumbers::LookLate
    }

    async fn forget_before(&self, hub: &str, partition: &str, number: u64) {
        self.shared.hubs.lock().unwrap().partition_mut(hub, partition).unwrap().forget_before(number);
    }

    async fn compact(&self, hub: &str, partition: &str, first: u64, last: u64) {
        let mut hubs = self.shared.hubs.lock().unwrap();
        hubs.partition_mut(hub, partition).unwrap().events.retain(|event| !(first..=last).contains(&event.number));
    }

    async fn make_anew(&self, hub: &str) {
        self.shared.hubs.lock().unwrap().make_anew(hub);
        self.shared.changed();
    }
}

impl Shared {
    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, shared.clone()));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let stream = stream.into_std().unwrap();
    shared.connections.lock().unwrap().push(stream.try_clone().unwrap());
    let stream = TcpStream::from_std(stream).unwrap();
    let acceptor = ConnectionAcceptor::builder()
        .container_id("broker")
        .max_frame_size(65536)
        .properties(said_in_full())
        .sasl_acceptor(SaslAnonymousMechanism::new())
        .build();
    // Who goes away in the middle of a handshake is no concern of others.
    let Ok(mut connection) = acceptor.accept(stream).await else { return };
    let login = Arc::new(nodes::Login::default());
    let sessions = SessionAcceptor::builder().handle_max(255_u32).properties(said_in_full()).build();
    while let Ok(session) = sessions.accept(&mut connection).await {
        tokio::spawn(links::serve(session, shared.clone(), login.clone()));
    }
}

/// The Python client takes each frame to have all its fields, and the library leaves out those at the end that say nothing:
/// properties are the last ones. A default is left out, too.
fn said_in_full() -> Fields {
    let product = (Symbol::from("product"), Value::String("millrace's broker for tests".to_owned()));
    [product].into_iter().collect()
}

/// Milliseconds since 1970: what AMQP has for a time.
fn now() -> i64 {
    Utc::now().timestamp_millis()
}
