//! A fake of Azure Files, since no emulator has file shares: one account whose shares live in memory.
//!
//! It knows what Microsoft's documentation says of logins, headers, limits, names and errors, and recomputes signatures by
//! an implementation of its own. It never was compared with the real service; that Microsoft's SDK for Python works against
//! it (`sdk.rs`) is what it has to show.

mod answers;
mod login;
mod names;
mod sdk;
mod service;
mod store;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{Duration, Utc};
use millrace::secret::Secret;
use millrace::stations::azure_storage::{StorageAccount, StorageLogin};
use millrace::stations::share::{AzureFilesLocation, Share, ShareLocation};

use store::{Entry, Store};

pub const ACCOUNT: &str = "acme";
pub const SHARE: &str = "staging";
/// What the token endpoint hands out, and all that the service takes.
pub const TOKEN: &str = "the-apps-token";
/// More than any request has.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// How a client logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    Key,
    /// A signature for the account.
    AccountSignature,
    /// A signature for the share.
    ShareSignature,
}

/// Runs until it is dropped.
pub struct FilesServer {
    pub port: u16,
    pub key: String,
    store: Arc<Mutex<Store>>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl FilesServer {
    /// With an empty share, [`SHARE`].
    pub fn start() -> FilesServer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = BASE64_STANDARD.encode(uuid::Uuid::new_v4().as_bytes());
        let store = Arc::new(Mutex::new(Store::new(ACCOUNT, &key, TOKEN)));
        store.lock().unwrap().create_share(SHARE);
        let data = web::Data::from(Arc::clone(&store));
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let serving = async move {
                let server = HttpServer::new(move || {
                    let body_limit = web::PayloadConfig::new(BODY_LIMIT);
                    App::new().app_data(data.clone()).app_data(body_limit).default_service(web::to(service::serve))
                });
                let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
                sender.send(server.handle()).unwrap();
                server.await.unwrap();
            };
            actix_web::rt::System::new().block_on(serving);
        });
        FilesServer { port, key, store, handle: receiver.recv().unwrap(), thread: Some(thread) }
    }

    /// The setting for a client of the share.
    pub fn setting(&self, login: Login) -> String {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        match login {
            Login::Key => {
                format!("AccountName={ACCOUNT};AccountKey={};FileEndpoint={endpoint};ShareName={SHARE}", self.key)
            }
            Login::AccountSignature | Login::ShareSignature => format!("{endpoint}/{SHARE}?{}", self.signature(login)),
        }
    }

    fn signature(&self, login: Login) -> String {
        let expiry = (Utc::now() + Duration::hours(1)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
        match login {
            Login::ShareSignature => login::share_signature(ACCOUNT, &self.key, SHARE, "rcwdl", &expiry),
            Login::AccountSignature | Login::Key => {
                login::account_signature(ACCOUNT, &self.key, "rcwdl", "co", &expiry)
            }
        }
    }

    pub fn share(&self, login: Login) -> Arc<dyn Share> {
        open(self.location(login, "", self.port))
    }

    /// In a directory of the share.
    pub fn share_below(&self, login: Login, directory: &str) -> Arc<dyn Share> {
        open(self.location(login, directory, self.port))
    }

    /// Reached by a proxy at another port.
    pub fn share_at(&self, port: u16) -> Arc<dyn Share> {
        open(self.location(Login::Key, "", port))
    }

    fn location(&self, login: Login, directory: &str, port: u16) -> AzureFilesLocation {
        let login = match login {
            Login::Key => StorageLogin::AccountKey(Secret::new(&self.key)),
            _ => StorageLogin::SharedAccessSignature(Secret::new(self.signature(login))),
        };
        let endpoint = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let account = StorageAccount { setting: "StagingShare".into(), account: ACCOUNT.into(), endpoint, login };
        let directories = directory.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        AzureFilesLocation { account, share: SHARE.into(), directories }
    }

    /// Files of the share, whatever directory they are in.
    pub fn file_names(&self) -> Vec<String> {
        self.in_share(|entries| {
            let files = entries.iter().filter(|entry| entry.file().is_some());
            files.map(|entry| entry.path.clone()).collect()
        })
    }

    fn in_share<T>(&self, look: impl FnOnce(&[Entry]) -> T) -> T {
        let store = self.store.lock().unwrap();
        let entries: Vec<Entry> = store.shares[SHARE].entries.values().cloned().collect();
        look(&entries)
    }

    /// A file that is not ours, or one made to look as if it were.
    pub fn put_file(&self, path: &str, bytes: &[u8]) {
        self.store.lock().unwrap().shares.get_mut(SHARE).unwrap().put(path, bytes);
    }

    pub fn set_quota(&self, bytes: u64) {
        self.store.lock().unwrap().shares.get_mut(SHARE).unwrap().quota_bytes = bytes;
    }

    /// The most that a page of a list has, whatever is asked for.
    pub fn set_page_files(&self, files: usize) {
        self.store.lock().unwrap().page_files = files;
    }

    pub fn remove_share(&self) {
        self.store.lock().unwrap().shares.remove(SHARE);
    }

    /// `PUT /staging/a?comp=range` and its status, in their order.
    pub fn served(&self) -> Vec<(String, u16)> {
        self.store.lock().unwrap().served.clone()
    }
}

impl Drop for FilesServer {
    fn drop(&mut self) {
        futures::executor::block_on(self.handle.stop(false));
        let _ = self.thread.take().expect("it is dropped once").join();
    }
}

fn open(location: AzureFilesLocation) -> Arc<dyn Share> {
    let location = ShareLocation::AzureFiles(Box::new(location));
    futures::executor::block_on(millrace::stations::share::open(&location)).unwrap()
}
