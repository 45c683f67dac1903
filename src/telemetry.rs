//! Logs, in the form that the Functions host understands: a line a message; stdout for what is fine, stderr for what is
//! not. The host ties neither to an invocation, so every line names its subject.

use std::error::Error;
use std::io;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::MakeWriterExt;

/// Starts logging for the handler. The host takes stderr for errors (for warnings where a line says so) and adds the time.
pub fn start_for_host(filter: &str) {
    let writer = io::stderr.with_max_level(Level::WARN).or_else(io::stdout);
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(writer)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .init();
}

/// Starts logging for a command: only what is wrong, on stderr.
pub fn start_for_command(filter: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .init();
}

/// An error with its causes, in one line. A cause that only repeats what stands there already is left out.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

/// The message of a panic, as far as it has one.
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("read of `a.csv` failed")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_chain_is_one_line_with_every_cause() {
        let error = Outer(io::Error::other("disk\nfull"));
        assert_eq!(chain(&error), "read of `a.csv` failed: disk full");
    }
}
