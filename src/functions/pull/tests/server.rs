//! A server in memory, whose partner can be made to act, and whose connection can be made to break, just before any
//! call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::StreamExt;
use tokio::task::yield_now;

use crate::stations::sftp::*;

/// Small, so that a small file has many of them.
const BLOCK_BYTES: usize = 1000;

type Files = BTreeMap<RemotePath, (Bytes, i64)>;
/// Called before each call with its name, path, and the files; an error breaks the connection.
type Hook = Box<dyn FnMut(&str, &RemotePath, &mut Files) -> Result<(), ()> + Send>;

#[derive(Clone, Default)]
pub struct Server {
    files: Arc<Mutex<Files>>,
    hook: Arc<Mutex<Option<Hook>>>,
    is_away: bool,
    /// The line goes silent after so many blocks of a file.
    blocks_before_silence: Option<usize>,
}

pub fn path(text: impl AsRef<[u8]>) -> RemotePath {
    RemotePath::new(text.as_ref()).unwrap()
}

impl Server {
    pub fn away() -> Self {
        Server { is_away: true, ..Server::default() }
    }

    pub fn silent_after(blocks: usize) -> Self {
        Server { blocks_before_silence: Some(blocks), ..Server::default() }
    }

    pub fn put(&self, name: &str, body: &str, modified: i64) {
        self.files.lock().unwrap().insert(path(name), (Bytes::copy_from_slice(body.as_bytes()), modified));
    }

    pub fn names(&self) -> Vec<String> {
        self.files.lock().unwrap().keys().map(RemotePath::to_string).collect()
    }

    pub fn body(&self, name: &str) -> Option<Bytes> {
        self.files.lock().unwrap().get(&path(name)).map(|(body, _)| body.clone())
    }

    pub fn before_each_call(&self, hook: impl FnMut(&str, &RemotePath, &mut Files) -> Result<(), ()> + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }

    pub fn undisturbed(&self) {
        *self.hook.lock().unwrap() = None;
    }

    fn call(&self, operation: &'static str, path: &RemotePath) -> Result<std::sync::MutexGuard<'_, Files>, SftpError> {
        let mut files = self.files.lock().unwrap();
        if let Some(hook) = self.hook.lock().unwrap().as_mut() {
            hook(operation, path, &mut files).map_err(|()| lost(operation, path))?;
        }
        Ok(files)
    }
}

fn lost(operation: &'static str, path: &RemotePath) -> SftpError {
    SftpError::Lost { server: "memory".into(), operation, path: path.clone(), source: "cut".into() }
}

fn gone(path: &RemotePath) -> SftpError {
    SftpError::Gone { server: "memory".into(), path: path.clone() }
}

fn file(path: &RemotePath, (body, modified): &(Bytes, i64)) -> RemoteFile {
    let modified = DateTime::from_timestamp(*modified, 0).unwrap();
    RemoteFile { path: path.clone(), size_bytes: body.len() as u64, modified }
}

#[async_trait]
impl Connector for Server {
    async fn connect(&self, endpoint: &SftpEndpoint) -> Result<Arc<dyn Sftp>, SftpError> {
        if self.is_away {
            let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            return Err(SftpError::Connect { server: endpoint.server(), source });
        }
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Sftp for Server {
    async fn list(&self, directory: &RemotePath) -> Result<Vec<RemoteFile>, SftpError> {
        yield_now().await;
        let files = self.call("list", directory)?;
        let inside = files.iter().filter(|(path, _)| path.parent().as_ref() == Some(directory));
        Ok(inside.map(|(path, content)| file(path, content)).collect())
    }

    async fn stat(&self, path: &RemotePath) -> Result<Option<RemoteFile>, SftpError> {
        yield_now().await;
        Ok(self.call("stat", path)?.get(path).map(|content| file(path, content)))
    }

    async fn read(&self, file: &RemoteFile, offset: u64) -> Result<RemoteBytes, SftpError> {
        yield_now().await;
        let body = self.call("open", &file.path)?.get(&file.path).ok_or_else(|| gone(&file.path))?.0.clone();
        let end = body.len().min(file.size_bytes as usize + 1);
        let (server, path) = (self.clone(), file.path.clone());
        let starts: Vec<usize> = (offset as usize..end).step_by(BLOCK_BYTES).collect();
        let blocks = futures::stream::iter(starts).map(move |start| {
            drop(server.call("read", &path)?);
            Ok(body.slice(start..end.min(start + BLOCK_BYTES)))
        });
        Ok(match self.blocks_before_silence {
            Some(limit) => blocks.take(limit).chain(futures::stream::pending()).boxed(),
            None => blocks.boxed(),
        })
    }

    async fn rename(&self, from: &RemotePath, to: &RemotePath) -> Result<(), SftpError> {
        yield_now().await;
        let mut files = self.call("rename", from)?;
        if files.contains_key(to) {
            return Err(SftpError::Occupied { server: "memory".into(), path: to.clone() });
        }
        let content = files.remove(from).ok_or_else(|| gone(from))?;
        files.insert(to.clone(), content);
        Ok(())
    }

    async fn remove(&self, path: &RemotePath) -> Result<(), SftpError> {
        yield_now().await;
        self.call("remove", path)?.remove(path).map(|_| ()).ok_or_else(|| gone(path))
    }

    async fn create_directory(&self, path: &RemotePath) -> Result<(), SftpError> {
        yield_now().await;
        self.call("creation", path).map(|_| ())
    }
}
