//! Events as lines, in the manner of `func start`.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{HostEvent, LogLevel};

/// The lines for one event, each with the time in front. Colours and streams are the caller's business.
pub fn render(event: &HostEvent, at: DateTime<Utc>) -> Vec<String> {
    let stamp = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let texts = match event {
        HostEvent::Listening { address, routes } => {
            let mut texts = vec![format!("Host listens on http://{address}")];
            texts.extend(routes.iter().map(|(function, url)| format!("    {function}: {url}")));
            texts
        }
        HostEvent::HandlerStarted { process_id, port } => {
            let process = process_id.map_or("unknown".to_owned(), |id| id.to_string());
            vec![format!("Handler started as process {process} for port {port}")]
        }
        HostEvent::HandlerReady { after } => vec![format!("Handler ready after {} ms", after.as_millis())],
        HostEvent::HandlerExited { reason } => vec![format!("Handler exited: {reason}")],
        HostEvent::HandlerLog { level, line, .. } => match level {
            LogLevel::Information => vec![line.clone()],
            LogLevel::Warning => vec![format!("warning: {line}")],
            LogLevel::Error => vec![format!("error: {line}")],
        },
        HostEvent::InvocationStarted { function, id, reason } => {
            vec![format!("Executing 'Functions.{function}' (Reason='{reason}', Id={id})")]
        }
        HostEvent::InvocationEnded { function, id, failure, logs, took } => {
            let mut texts = logs.clone();
            let outcome = if failure.is_none() { "Succeeded" } else { "Failed" };
            texts
                .push(format!("Executed 'Functions.{function}' ({outcome}, Id={id}, Duration={}ms)", took.as_millis()));
            texts.extend(failure.iter().map(|reason| format!("error: {reason}")));
            texts
        }
        HostEvent::BlobPoisoned { function, blob, tries } => {
            vec![format!("error: blob `{blob}` failed {tries} times in `{function}` and is on the poison list")]
        }
        HostEvent::Warning { message } => vec![format!("warning: {message}")],
        HostEvent::Stopped => vec!["Host stopped".to_owned()],
    };
    texts.into_iter().map(|text| format!("[{stamp}] {text}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_invocation_reads_as_func_prints_it() {
        let at = "2026-08-22T06:00:00.0123Z".parse().unwrap();
        let event = HostEvent::InvocationEnded {
            function: "pull".into(),
            id: uuid::Uuid::nil(),
            failure: Some("500".into()),
            logs: vec!["landed 1".into()],
            took: Duration::from_millis(12),
        };
        assert_eq!(
            render(&event, at),
            [
                "[2026-08-22T06:00:00.012Z] landed 1",
                "[2026-08-22T06:00:00.012Z] Executed 'Functions.pull' (Failed, Id=00000000-0000-0000-0000-000000000000, Duration=12ms)",
                "[2026-08-22T06:00:00.012Z] error: 500",
            ]
        );
    }
}
