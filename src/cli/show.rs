//! What people see while a host runs: a bar on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};

use chrono::Utc;
use futures::TryStreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;
use tokio::time::{Duration, interval};

use crate::records::loaded;
use crate::standin::{HostEvent, LogLevel, render};
use crate::stations::containers::Containers;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What the handler says and what goes wrong.
    Story,
    /// Everything, as `func start` prints it.
    Log,
}

/// Where lines go: stdout belongs to the JSON if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    ToStdout,
    ToStderr,
}

/// Shows a host's events until there are no more.
pub struct Show {
    pub detail: Detail,
    pub lines: Lines,
    pub containers: Containers,
}

impl Show {
    pub async fn run(self, mut events: mpsc::Receiver<HostEvent>) {
        let bar = self.bar();
        let mut ticks = interval(Duration::from_millis(250));
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.show(&event, &bar),
                    None => break,
                },
                _ = ticks.tick(), if !bar.is_hidden() => self.count(&bar).await,
            }
        }
        bar.finish_and_clear();
    }

    fn bar(&self) -> ProgressBar {
        if self.detail == Detail::Log || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style =
            ProgressStyle::with_template("{spinner} {pos} of {len} landed files are loaded {wide_bar} {elapsed}");
        bar.set_style(style.expect("the template is ours and has no fault"));
        bar
    }

    async fn count(&self, bar: &ProgressBar) {
        let landed = self.containers.landing.list("", None).try_fold(0, |count, _| async move { Ok(count + 1) });
        let Ok(landed) = landed.await else { return };
        // A bar of nothing would look full; before the first landing there is one file to wait for.
        bar.set_length(landed.max(1));
        bar.set_position(loaded::count(&self.containers.state).await.unwrap_or(0).min(landed));
        bar.tick();
    }

    fn show(&self, event: &HostEvent, bar: &ProgressBar) {
        match self.detail {
            Detail::Log => render(event, Utc::now()).iter().for_each(|line| self.print(line, bar)),
            Detail::Story => self.tell(event, bar),
        }
    }

    fn tell(&self, event: &HostEvent, bar: &ProgressBar) {
        match event {
            HostEvent::HandlerLog { level, line, .. } => {
                let line = without_level(line);
                match level {
                    LogLevel::Information => self.print(line, bar),
                    LogLevel::Warning => self.print(&format!("warning: {line}"), bar),
                    LogLevel::Error => self.print(&format!("error: {line}"), bar),
                }
            }
            HostEvent::HandlerExited { reason } => self.print(reason, bar),
            HostEvent::BlobPoisoned { function, blob, tries } => {
                self.print(&format!("error: `{blob}` failed {tries} times in `{function}`"), bar);
            }
            HostEvent::MessagePoisoned { function, queue, tries } => {
                self.print(
                    &format!("error: a message failed {tries} times in `{function}` and is in queue `{queue}`"),
                    bar,
                );
            }
            HostEvent::Restarting => self.print("the app has changed: it is started anew", bar),
            HostEvent::Warning { message } => self.print(&format!("warning: {message}"), bar),
            HostEvent::InvocationEnded { function, failure: Some(reason), .. } => {
                self.print(&format!("{function} failed and is tried again: {reason}"), bar);
            }
            HostEvent::Listening { .. }
            | HostEvent::HandlerStarted { .. }
            | HostEvent::HandlerReady { .. }
            | HostEvent::InvocationStarted { .. }
            | HostEvent::InvocationEnded { .. }
            | HostEvent::Information { .. }
            | HostEvent::Stopped => {}
        }
    }

    fn print(&self, line: &str, bar: &ProgressBar) {
        bar.suspend(|| print_to(self.lines, line));
    }
}

/// Prints a line; a reader that went away (`| head`) is no reason to stop.
pub fn print_to(lines: Lines, line: &str) {
    let _ = match lines {
        Lines::ToStdout => writeln!(io::stdout(), "{line}"),
        Lines::ToStderr => writeln!(io::stderr(), "{line}"),
    };
}

/// The handler's own level, which the host has read from its stream already.
fn without_level(line: &str) -> &str {
    let line = line.trim_start();
    ["INFO ", "WARN ", "ERROR "].iter().find_map(|level| line.strip_prefix(level)).unwrap_or(line)
}
