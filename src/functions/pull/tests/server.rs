//! A server in memory, whose partner can be made to act, and whose connection can be made to break, just before any
//! call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::{StreamExt, stream};
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
    /// Entries that are no files, by the directory that lists them.
    oddities: Arc<Mutex<Vec<(RemotePath, RemoteEntry)>>>,
    /// Folders that this account may not list.
    closed: Arc<Mutex<BTreeSet<RemotePath>>>,
    hook: Arc<Mutex<Option<Hook>>>,
    is_away: bool,
    is_read_only: bool,
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

    pub fn read_only() -> Self {
        Server { is_read_only: true, ..Server::default() }
    }

    pub fn silent_after(blocks: usize) -> Self {
        Server { blocks_before_silence: Some(blocks), ..Server::default() }
    }

    pub fn put(&self, name: &str, body: &str, modified: i64) {
        self.put_path(path(name), body, modified);
    }

    pub fn put_path(&self, path: RemotePath, body: &str, modified: i64) {
        self.files.lock().unwrap().insert(path, (Bytes::copy_from_slice(body.as_bytes()), modified));
    }

    /// Lists something that is no file in a directory.
    pub fn put_oddity(&self, directory: &str, entry: RemoteEntry) {
        self.oddities.lock().unwrap().push((path(directory), entry));
    }

    pub fn close(&self, directory: &str) {
        self.closed.lock().unwrap().insert(path(directory));
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

    fn change(
        &self,
        operation: &'static str,
        path: &RemotePath,
    ) -> Result<std::sync::MutexGuard<'_, Files>, SftpError> {
        if self.is_read_only {
            return Err(denied(operation, path));
        }
        self.call(operation, path)
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

fn denied(operation: &'static str, path: &RemotePath) -> SftpError {
    SftpError::Denied { server: "memory".into(), operation, path: path.clone() }
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
    /// In pages of two.
    async fn list(&self, directory: &RemotePath) -> Result<RemotePages, SftpError> {
        yield_now().await;
        let files = self.call("list", directory)?;
        if self.closed.lock().unwrap().contains(directory) {
            return Err(denied("list", directory));
        }
        let mut entries = Vec::new();
        let mut folders = BTreeSet::new();
        for (path, content) in files.iter() {
            if path.parent().as_ref() == Some(directory) {
                entries.push(RemoteEntry::File(file(path, content)));
            } else if let Some(below) = path.below(directory) {
                let first = below.split(|byte| *byte == b'/').next().unwrap();
                folders.insert(directory.join(first).unwrap());
            }
        }
        entries.extend(folders.into_iter().map(RemoteEntry::Directory));
        let oddities = self.oddities.lock().unwrap();
        entries.extend(oddities.iter().filter(|(folder, _)| folder == directory).map(|(_, entry)| entry.clone()));
        let pages: Vec<Result<Vec<RemoteEntry>, SftpError>> = entries.chunks(2).map(|page| Ok(page.to_vec())).collect();
        Ok(stream::iter(pages).boxed())
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
        let blocks = stream::iter(starts).map(move |start| {
            drop(server.call("read", &path)?);
            Ok(body.slice(start..end.min(start + BLOCK_BYTES)))
        });
        Ok(match self.blocks_before_silence {
            Some(limit) => blocks.take(limit).chain(stream::pending()).boxed(),
            None => blocks.boxed(),
        })
    }

    async fn rename(&self, from: &RemotePath, to: &RemotePath) -> Result<(), SftpError> {
        yield_now().await;
        let mut files = self.change("rename", from)?;
        if files.contains_key(to) {
            return Err(SftpError::Occupied { server: "memory".into(), path: to.clone() });
        }
        let content = files.remove(from).ok_or_else(|| gone(from))?;
        files.insert(to.clone(), content);
        Ok(())
    }

    async fn remove(&self, path: &RemotePath) -> Result<(), SftpError> {
        yield_now().await;
        self.change("remove", path)?.remove(path).map(|_| ()).ok_or_else(|| gone(path))
    }

    async fn create_directory(&self, path: &RemotePath) -> Result<(), SftpError> {
        yield_now().await;
        self.change("creation", path).map(|_| ())
    }
}
