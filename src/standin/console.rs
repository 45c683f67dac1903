//! The handler's stdout and stderr, line by line, with the levels that `WorkerProcess.cs` of azure-functions-host gives
//! them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use super::{HostEvent, Reporter};

/// A longer line is shown in pieces.
const LINE_LIMIT_BYTES: u64 = 64 * 1024;
/// How many lines of stderr the message about an exit quotes; warnings are none of them.
const LAST_WORDS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    Stdout,
    Stderr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Information,
    Warning,
    Error,
}

/// Reports each line until the stream ends. Invalid UTF-8 is replaced.
pub(super) async fn read_lines(
    stream: impl AsyncRead + Unpin,
    kind: LogStream,
    stderr_is_for_errors_only: bool,
    reporter: Reporter,
    last_words: Option<Arc<Mutex<VecDeque<String>>>>,
) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut bytes = Vec::new();
        match (&mut reader).take(LINE_LIMIT_BYTES).read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
        if is_for_the_host(&line) {
            continue;
        }
        let level = level_of(kind, stderr_is_for_errors_only, &line);
        if let (Some(last_words), LogLevel::Error) = (&last_words, level) {
            let mut kept = last_words.lock().expect("nothing panics while it holds the last lines");
            kept.push_back(line.clone());
            if kept.len() > LAST_WORDS {
                kept.pop_front();
            }
        }
        reporter.report(HostEvent::HandlerLog { stream: kind, level, line }).await;
    }
}

/// Lines with these prefixes go to the platform's own log, where no user sees them.
fn is_for_the_host(line: &str) -> bool {
    line.starts_with("LanguageWorkerConsoleLog") || line.starts_with("azfuncjsonlog:")
}

fn level_of(kind: LogStream, stderr_is_for_errors_only: bool, line: &str) -> LogLevel {
    let lower = line.to_lowercase();
    match kind {
        LogStream::Stdout => LogLevel::Information,
        LogStream::Stderr if lower.contains("warn") => LogLevel::Warning,
        LogStream::Stderr if stderr_is_for_errors_only => LogLevel::Error,
        LogStream::Stderr
            if ["error", "fail", "severe", "unhandled exception"].iter().any(|word| lower.contains(word)) =>
        {
            LogLevel::Error
        }
        LogStream::Stderr => LogLevel::Information,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stderr_is_an_error_unless_it_warns() {
        assert_eq!(level_of(LogStream::Stdout, true, "ERROR"), LogLevel::Information);
        assert_eq!(level_of(LogStream::Stderr, true, "plain"), LogLevel::Error);
        assert_eq!(level_of(LogStream::Stderr, true, "a WARNing"), LogLevel::Warning);
        assert_eq!(level_of(LogStream::Stderr, false, "plain"), LogLevel::Information);
        assert_eq!(level_of(LogStream::Stderr, false, "it failed"), LogLevel::Error);
    }

    #[test]
    fn the_platforms_own_lines_are_kept_from_the_user() {
        assert!(is_for_the_host("LanguageWorkerConsoleLog: x"));
        assert!(is_for_the_host("azfuncjsonlog:{}"));
        assert!(!is_for_the_host("landed"));
    }

    #[tokio::test]
    async fn lines_are_reported_in_order_and_the_last_three_are_kept() {
        let (sender, mut events) = tokio::sync::mpsc::channel(16);
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let text: &[u8] = b"one\r\ntwo\nthree\na warning\n\xff four";
        read_lines(text, LogStream::Stderr, true, Reporter { events: sender, progress: None }, Some(kept.clone()))
            .await;
        let mut lines = Vec::new();
        while let Some(HostEvent::HandlerLog { line, .. }) = events.recv().await {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "two", "three", "a warning", "\u{fffd} four"]);
        assert_eq!(*kept.lock().unwrap(), ["two", "three", "\u{fffd} four"]);
    }
}
