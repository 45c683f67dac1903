//! Whether anything is left to do: the question behind [`super::Until::Idle`].
//!
//! The protocol has no word for "nothing is left", so the answer is put together from what each part knows. A *source*
//! (a container, a partition) says when it was last found with nothing to deliver. A *timer* says in its answer, as
//! `ReturnValue: {"pending": n, "failed": n}`, how much it has seen and not finished; the real host ignores that value.
//! The host is idle when nothing is in flight, two runs in a row of every such timer have had nothing pending and
//! nothing has moved since the first of them began, and every source has been looked at since the last of them ended.
//! It is stuck when a timer's runs fail again and again and nothing moves between them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use serde_json::Value;

use super::answer::InvocationResult;

/// Runs that fail in a row, with nothing moving between them, before the host calls itself stuck.
const FAILING_RUNS: u32 = 5;
/// How many messages are kept to explain it.
const MESSAGES: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Busy,
    Idle,
    /// With the messages of late, oldest first.
    Stuck(Vec<String>),
}

#[derive(Default)]
pub(super) struct Progress {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Grows whenever a delivery begins or ends.
    moves: u64,
    in_flight: usize,
    /// Invocations that failed and are to be tried again, or are being tried again.
    retrying: usize,
    /// When each source was last looked at and found with nothing to deliver.
    sources: BTreeMap<String, Option<Instant>>,
    timers: BTreeMap<String, Timer>,
    messages: VecDeque<String>,
}

#[derive(Default)]
struct Timer {
    reports: bool,
    /// The last two runs that reported, older first.
    runs: VecDeque<Run>,
    failing_runs: u32,
    last_failure: Option<(u64, Option<Report>)>,
}

struct Run {
    moves_before: u64,
    ended: Instant,
    report: Report,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Report {
    pending: u64,
    failed: u64,
}

/// A run that has begun: what it must be compared with when it ends.
pub(super) struct RunBegun {
    moves_before: u64,
}

impl Progress {
    /// Another script host takes over: its listeners name themselves anew.
    pub(super) fn forget_listeners(&self) {
        let mut inner = self.lock();
        inner.sources.clear();
        inner.timers.clear();
    }

    /// Names a source, which counts as busy until it says otherwise.
    pub(super) fn add_source(&self, source: &str) {
        self.lock().sources.insert(source.to_owned(), None);
    }

    pub(super) fn add_timer(&self, function: &str) {
        self.lock().timers.insert(function.to_owned(), Timer::default());
    }

    /// A delivery from this source begins or ends.
    pub(super) fn moved(&self, source: &str) {
        let mut inner = self.lock();
        inner.moves += 1;
        inner.sources.insert(source.to_owned(), None);
    }

    /// The source was looked at from `began` on and had nothing to deliver.
    pub(super) fn quiet(&self, source: &str, began: Instant) {
        self.lock().sources.insert(source.to_owned(), Some(began));
    }

    pub(super) fn run_begins(&self) -> RunBegun {
        RunBegun { moves_before: self.lock().moves }
    }

    pub(super) fn run_ended(&self, function: &str, begun: RunBegun, outcome: &Result<InvocationResult, String>) {
        let report = outcome.as_ref().ok().and_then(|result| read_report(&result.return_value));
        let mut inner = self.lock();
        let moves = inner.moves;
        let timer = inner.timers.entry(function.to_owned()).or_default();
        if outcome.is_err() || report.is_some_and(|report| report.failed > 0) {
            let same_again = timer.last_failure == Some((moves, report));
            timer.failing_runs = if same_again { timer.failing_runs + 1 } else { 1 };
            timer.last_failure = Some((moves, report));
        } else {
            timer.failing_runs = 0;
            timer.last_failure = None;
        }
        match report {
            Some(report) => {
                timer.reports = true;
                timer.runs.push_back(Run { moves_before: begun.moves_before, ended: Instant::now(), report });
                if timer.runs.len() > 2 {
                    timer.runs.pop_front();
                }
            }
            None => timer.runs.clear(),
        }
    }

    /// Keeps a message that may explain why nothing moves.
    pub(super) fn note(&self, message: String) {
        let mut inner = self.lock();
        inner.messages.push_back(message);
        if inner.messages.len() > MESSAGES {
            inner.messages.pop_front();
        }
    }

    /// Counts an invocation as in flight until the guard is dropped.
    pub(super) fn invocation(self: &Arc<Self>) -> InFlight {
        self.lock().in_flight += 1;
        InFlight(self.clone())
    }

    /// Counts an invocation as one that is retried until the guard is dropped.
    pub(super) fn retrying(self: &Arc<Self>) -> Retrying {
        self.lock().retrying += 1;
        Retrying(self.clone())
    }

    /// How many invocations are in flight, and how many of them are retried.
    pub(super) fn outstanding(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.in_flight, inner.retrying)
    }

    pub(super) fn verdict(&self) -> Verdict {
        let inner = self.lock();
        if inner.timers.values().any(|timer| timer.failing_runs >= FAILING_RUNS) {
            return Verdict::Stuck(inner.messages.iter().cloned().collect());
        }
        let reporting: Vec<&Timer> = inner.timers.values().filter(|timer| timer.reports).collect();
        let timers_are_done = if inner.timers.is_empty() {
            true
        } else {
            !reporting.is_empty() && reporting.iter().all(|timer| timer.is_done(inner.moves))
        };
        let last_run = reporting.iter().filter_map(|timer| timer.runs.back()).map(|run| run.ended).max();
        let looked_at_since = |looked_at: &Option<Instant>| looked_at.is_some_and(|began| Some(began) > last_run);
        if timers_are_done && inner.in_flight == 0 && inner.sources.values().all(looked_at_since) {
            Verdict::Idle
        } else {
            Verdict::Busy
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it holds the progress")
    }
}

impl Timer {
    fn is_done(&self, moves: u64) -> bool {
        let nothing = Report { pending: 0, failed: 0 };
        self.runs.len() == 2
            && self.runs.iter().all(|run| run.report == nothing)
            && self.runs.front().is_some_and(|first| first.moves_before == moves)
    }
}

pub(super) struct InFlight(Arc<Progress>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}

pub(super) struct Retrying(Arc<Progress>);

impl Drop for Retrying {
    fn drop(&mut self) {
        self.0.lock().retrying -= 1;
    }
}

fn read_report(return_value: &Value) -> Option<Report> {
    let pending = return_value.get("pending")?.as_u64()?;
    let failed = return_value.get("failed").and_then(Value::as_u64).unwrap_or(0);
    Some(Report { pending, failed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn progress() -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        progress.add_source("landing");
        progress.add_timer("pull");
        progress.add_timer("sweep");
        progress
    }

    fn answered(pending: u64, failed: u64) -> Result<InvocationResult, String> {
        Ok(InvocationResult { return_value: json!({"pending": pending, "failed": failed}), ..Default::default() })
    }

    fn run(progress: &Progress, outcome: &Result<InvocationResult, String>) {
        let begun = progress.run_begins();
        progress.run_ended("pull", begun, outcome);
        progress.quiet("landing", Instant::now());
    }

    #[test]
    fn two_runs_with_nothing_pending_and_nothing_moving_are_idle() {
        let progress = progress();
        progress.quiet("landing", Instant::now());
        assert_eq!(progress.verdict(), Verdict::Busy);
        run(&progress, &answered(0, 0));
        assert_eq!(progress.verdict(), Verdict::Busy);
        run(&progress, &answered(0, 0));
        assert_eq!(progress.verdict(), Verdict::Idle);
    }

    #[test]
    fn a_delivery_between_the_runs_starts_the_count_again() {
        let progress = progress();
        run(&progress, &answered(0, 0));
        progress.moved("landing");
        run(&progress, &answered(0, 0));
        assert_eq!(progress.verdict(), Verdict::Busy);
        run(&progress, &answered(0, 0));
        assert_eq!(progress.verdict(), Verdict::Idle);
    }

    #[test]
    fn what_is_pending_in_flight_or_not_looked_at_is_not_idle() {
        let progress = progress();
        run(&progress, &answered(0, 0));
        run(&progress, &answered(1, 0));
        assert_eq!(progress.verdict(), Verdict::Busy);
        run(&progress, &answered(0, 0));
        run(&progress, &answered(0, 0));
        let invocation = progress.invocation();
        assert_eq!(progress.verdict(), Verdict::Busy);
        drop(invocation);
        progress.add_source("files/0");
        assert_eq!(progress.verdict(), Verdict::Busy);
        progress.quiet("files/0", Instant::now());
        assert_eq!(progress.verdict(), Verdict::Idle);
    }

    #[test]
    fn runs_that_fail_again_and_again_are_stuck_and_say_why() {
        let progress = progress();
        progress.note("the server is away".into());
        for _ in 1..FAILING_RUNS {
            run(&progress, &answered(3, 1));
        }
        assert_eq!(progress.verdict(), Verdict::Busy);
        run(&progress, &answered(3, 1));
        assert_eq!(progress.verdict(), Verdict::Stuck(vec!["the server is away".into()]));
    }

    #[test]
    fn progress_between_failing_runs_keeps_the_host_going() {
        let progress = progress();
        for number in 0..4 * u64::from(FAILING_RUNS) {
            run(&progress, &answered(100 - number, 1));
            assert_eq!(progress.verdict(), Verdict::Busy);
        }
        for _ in 0..FAILING_RUNS {
            run(&progress, &Err("500".into()));
        }
        assert!(matches!(progress.verdict(), Verdict::Stuck(_)));
    }
}
