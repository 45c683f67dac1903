//! Trying the ends: each is reached as the functions will reach it, and says as whom that was, or what failed and what to do.
//!
//! Nothing of a partner's is touched and nobody's work is disturbed; what a trial writes has a name of its own and is removed
//! again. A trial has a limit and concerns no other: all of them go on at the same time.

pub mod containers;
pub mod hub;
pub mod sftp;
pub mod share;
pub mod warehouse;
mod whom;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt};
use tokio::time::timeout;

use super::met::Met;
use crate::telemetry::chain;

pub use whom::Whom;

/// Why an end is of no use as it is: an error of its station, or words.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Trials that go on at the same time.
const AT_A_TIME: usize = 16;

/// What was seen of an end, one fact after another. It outlives a trial that is cut off.
#[derive(Clone, Default)]
pub struct Seen {
    facts: Arc<Mutex<Vec<String>>>,
    kinds: Arc<Mutex<Vec<&'static Met>>>,
}

impl Seen {
    pub fn note(&self, fact: impl Into<String>) {
        self.facts.lock().expect("nothing panics while it holds facts").push(fact.into());
    }

    /// An end of a kind that has not met everything yet, which whoever reads the finding is told.
    pub fn note_kind(&self, kind: &'static Met) {
        self.kinds.lock().expect("nothing panics while it holds kinds").push(kind);
    }

    fn facts(&self) -> Vec<String> {
        self.facts.lock().expect("nothing panics while it holds facts").clone()
    }

    fn kinds(&self) -> Vec<&'static Met> {
        self.kinds.lock().expect("nothing panics while it holds kinds").clone()
    }
}

/// One end, about to be tried.
pub struct Trial {
    /// As the user knows it: the setting's name, the source's.
    end: String,
    seen: Seen,
    limit: Duration,
    work: BoxFuture<'static, Result<(), Fault>>,
}

/// What came of a trial.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub end: String,
    /// What was seen before the trial ended, well or not.
    pub facts: Vec<String>,
    /// `None`: all of it is as it should be.
    pub fault: Option<String>,
    /// What kinds of ends it was, and what those have not met.
    pub kinds: Vec<&'static Met>,
}

impl Trial {
    pub fn new<F>(end: impl Into<String>, limit: Duration, work: impl FnOnce(Seen) -> F) -> Self
    where
        F: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let seen = Seen::default();
        let work = Box::pin(work(seen.clone()));
        Trial { end: end.into(), seen, limit, work }
    }

    /// Of an end that cannot even be tried.
    pub fn failed(end: impl Into<String>, fault: impl Into<Fault>) -> Self {
        let fault = fault.into();
        Trial::new(end, Duration::MAX, |_| async { Err(fault) })
    }

    async fn run(self) -> Finding {
        let Trial { end, seen, limit, work } = self;
        let fault = match timeout(limit, work).await {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(chain(fault.as_ref())),
            Err(_) => Some(format!(
                "it was given up after {} seconds: look at the address, and at the firewalls on the way",
                limit.as_secs()
            )),
        };
        Finding { end, facts: seen.facts(), fault, kinds: seen.kinds() }
    }
}

/// What comes of the trials, in their order, each as soon as it and those before it are known.
pub fn try_all(trials: Vec<Trial>) -> impl Stream<Item = Finding> {
    stream::iter(trials).map(Trial::run).buffered(AT_A_TIME)
}
