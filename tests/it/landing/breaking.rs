//! Pulls over a connection that breaks at every call.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use millrace::pipeline::After;
use millrace::stations::sftp::{
    Connector, READ_BYTES, RemoteBytes, RemoteFile, RemotePages, RemotePath, Sftp, SftpEndpoint, SftpError,
    SshConnector,
};

use super::{Place, bytes_of_length, write_with_time};
use crate::sshd::Sshd;

/// Sessions that break after so many calls and blocks, all sessions counted together.
struct Breaking {
    calls_left: Arc<AtomicI64>,
}

struct BreakingSession {
    session: Arc<dyn Sftp>,
    calls_left: Arc<AtomicI64>,
}

fn count(calls_left: &AtomicI64, path: &RemotePath) -> Result<(), SftpError> {
    if calls_left.fetch_sub(1, Ordering::Relaxed) > 0 {
        return Ok(());
    }
    let (server, operation, source) = ("a breaking line".into(), "test", "the line is cut".into());
    Err(SftpError::Lost { server, operation, path: path.clone(), source })
}

#[async_trait]
impl Connector for Breaking {
    async fn connect(&self, endpoint: &SftpEndpoint) -> Result<Arc<dyn Sftp>, SftpError> {
        let session = SshConnector::default().connect(endpoint).await?;
        Ok(Arc::new(BreakingSession { session, calls_left: Arc::clone(&self.calls_left) }))
    }
}

#[async_trait]
impl Sftp for BreakingSession {
    async fn list(&self, directory: &RemotePath) -> Result<RemotePages, SftpError> {
        count(&self.calls_left, directory)?;
        self.session.list(directory).await
    }

    async fn stat(&self, path: &RemotePath) -> Result<Option<RemoteFile>, SftpError> {
        count(&self.calls_left, path)?;
        self.session.stat(path).await
    }

    async fn read(&self, file: &RemoteFile, offset: u64) -> Result<RemoteBytes, SftpError> {
        count(&self.calls_left, &file.path)?;
        let (calls_left, path) = (Arc::clone(&self.calls_left), file.path.clone());
        let blocks = self.session.read(file, offset).await?;
        Ok(blocks.map(move |block| count(&calls_left, &path).and(block)).boxed())
    }

    async fn rename(&self, from: &RemotePath, to: &RemotePath) -> Result<(), SftpError> {
        count(&self.calls_left, from)?;
        self.session.rename(from, to).await
    }

    async fn remove(&self, path: &RemotePath) -> Result<(), SftpError> {
        count(&self.calls_left, path)?;
        self.session.remove(path).await
    }

    async fn create_directory(&self, path: &RemotePath) -> Result<(), SftpError> {
        count(&self.calls_left, path)?;
        self.session.create_directory(path).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_breaks_anywhere_delays_files_and_neither_loses_nor_repeats_them() {
    let Some(sshd) = Sshd::start() else { return };
    let bodies = [bytes_of_length(READ_BYTES + 1), bytes_of_length(5000)];
    let mut calls = 0;
    loop {
        for (number, body) in bodies.iter().enumerate() {
            write_with_time(&sshd.out().join(format!("{number}.csv")), body, 60);
        }
        let calls_left = Arc::new(AtomicI64::new(calls));
        let breaking = Breaking { calls_left: Arc::clone(&calls_left) };
        let place = Place::new(&sshd, After::Delete, Arc::new(breaking)).await;
        let broken = place.tick().await;
        let landed_before = place.landed().await;

        calls_left.store(i64::MAX, Ordering::Relaxed);
        for _ in 0..2 {
            let report = place.tick().await;
            assert_eq!(report.failed(), 0, "after {calls} calls: {report:?}");
        }
        let landed = place.landed().await;
        assert!(landed_before.iter().all(|facts| landed.contains(facts)), "after {calls} calls a file landed twice");
        for (number, body) in bodies.iter().enumerate() {
            assert!(place.body(&format!("flights/{number}.csv")).await == *body, "after {calls} calls");
        }
        assert_eq!(std::fs::read_dir(sshd.out()).unwrap().count(), 0, "after {calls} calls the source is not empty");
        if broken.failed() == 0 {
            break;
        }
        calls += 1;
    }
    assert!(calls > 15, "two files take more than {calls} calls");
}
