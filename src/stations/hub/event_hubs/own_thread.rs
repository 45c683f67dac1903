//! One thread on which the AMQP client does all its work.
//!
//! The client writes a batch first and notes afterwards that it waits for its acknowledgement (`send_payload_with_transfer` of
//! fe2o3-amqp 0.16). With several threads, an acknowledgement that comes between the two is lost: the send waits until our limit
//! ends, and its batch goes again. On one thread nothing can come between them.

use std::future::Future;
use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct OwnThread {
    runtime: Handle,
    /// The thread ends when this is dropped.
    _alive: oneshot::Sender<()>,
}

impl OwnThread {
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel::<()>();
        thread::Builder::new().name("event-hubs".to_owned()).spawn(move || {
            // Nothing is ever sent: the error is the sender's end.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
        Ok(OwnThread { runtime: handle, _alive: alive })
    }

    /// Does the work there. It is given up when nobody waits for it any more.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let mut task = GivenUp(self.runtime.spawn(work));
        match (&mut task.0).await {
            Ok(outcome) => outcome,
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => unreachable!("only this future gives the work up, and the thread lives as long as it"),
            },
        }
    }
}

struct GivenUp<T>(JoinHandle<T>);

impl<T> Drop for GivenUp<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_on_the_one_thread_and_given_up_with_its_caller() {
        let thread = OwnThread::start().unwrap();
        let name = || thread::current().name().map(str::to_owned);
        assert_eq!(thread.run(async move { name() }).await.as_deref(), Some("event-hubs"));

        let (given_up, is_given_up) = oneshot::channel::<()>();
        let endless = async move {
            let _dropped_with_the_work = given_up;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = thread.run(endless) => {}
            () = tokio::task::yield_now() => {}
        }
        assert!(is_given_up.await.is_err());
    }
}
