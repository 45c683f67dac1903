//! Events as lines, as `func start` prints them: the words are those of `DisplayFunctionsInfoUtilities.cs` of
//! azure-functions-core-tools and of `FunctionInstanceLogger.cs` of azure-webjobs-sdk.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{HostEvent, ListedFunction};

/// The lines for one event. What the host logs has the time in front, what the tool itself says has not. Colours and
/// streams are the caller's business.
pub fn render(event: &HostEvent, at: DateTime<Utc>) -> Vec<String> {
    let texts = match event {
        HostEvent::Listening { address, functions } => return introduction(&address.to_string(), functions),
        HostEvent::HandlerStarted { process_id, port } => {
            let process = process_id.map_or("unknown".to_owned(), |id| id.to_string());
            vec![format!("Handler process with Id={process} started for port {port}")]
        }
        HostEvent::HandlerReady { after } => {
            vec![format!("Worker process started and initialized. ({}ms)", after.as_millis())]
        }
        HostEvent::HandlerExited { reason } => vec![reason.clone()],
        // What the handler prints stands there as it is: its own words say how bad it is.
        HostEvent::HandlerLog { line, .. } => vec![line.clone()],
        HostEvent::InvocationStarted { function, id, reason, details } => {
            let mut texts = vec![format!("Executing 'Functions.{function}' (Reason='{reason}', Id={id})")];
            texts.extend(details.iter().map(|details| format!("Trigger Details: {details}")));
            texts
        }
        HostEvent::InvocationEnded { function, id, failure, logs, took } => {
            let mut texts = logs.clone();
            let outcome = if failure.is_none() { "Succeeded" } else { "Failed" };
            texts
                .push(format!("Executed 'Functions.{function}' ({outcome}, Id={id}, Duration={}ms)", took.as_millis()));
            texts.extend(failure.clone());
            texts
        }
        HostEvent::BlobPoisoned { tries, .. } => vec![moved(*tries, "webjobs-blobtrigger-poison")],
        HostEvent::MessagePoisoned { queue, tries, .. } => vec![moved(*tries, queue)],
        HostEvent::Restarting => vec!["Host configuration has changed. Signaling restart.".to_owned()],
        HostEvent::Information { message } | HostEvent::Warning { message } => vec![message.clone()],
        HostEvent::Stopped => vec!["Job host stopped".to_owned()],
    };
    let stamp = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.map(|line| format!("[{stamp}] {line}")).collect()
}

fn moved(tries: u32, queue: &str) -> String {
    format!("Message has reached MaxDequeueCount of {tries}. Moving message to queue '{queue}'.")
}

fn introduction(address: &str, functions: &[ListedFunction]) -> Vec<String> {
    let mut lines = vec![String::new(), "Functions:".to_owned(), String::new()];
    // Those that are called over HTTP come first.
    for function in functions {
        if let Some(url) = &function.url {
            let methods =
                if function.methods.is_empty() { String::new() } else { format!("[{}]", function.methods.join(",")) };
            lines.extend([format!("\t{}: {methods} {url}", function.name), String::new()]);
        }
    }
    for function in functions.iter().filter(|function| function.url.is_none()) {
        lines.extend([format!("\t{}: {}", function.name, function.trigger), String::new()]);
    }
    lines.extend([format!("Now listening on: http://{address}"), String::new()]);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at() -> DateTime<Utc> {
        "2026-11-26T07:00:00.1234Z".parse().unwrap()
    }

    #[test]
    fn an_invocation_reads_as_func_prints_it() {
        let started = HostEvent::InvocationStarted {
            function: "load".into(),
            id: uuid::Uuid::nil(),
            reason: "(null)".into(),
            details: Some("PartitionId: 0, Count: 1".into()),
        };
        assert_eq!(
            render(&started, at()),
            [
                "[2026-11-26T07:00:00.123Z] Executing 'Functions.load' (Reason='(null)', Id=00000000-0000-0000-0000-000000000000)",
                "[2026-11-26T07:00:00.123Z] Trigger Details: PartitionId: 0, Count: 1",
            ]
        );
        let ended = HostEvent::InvocationEnded {
            function: "load".into(),
            id: uuid::Uuid::nil(),
            failure: Some("500".into()),
            logs: vec!["landed 1".into()],
            took: Duration::from_millis(12),
        };
        assert_eq!(
            render(&ended, at()),
            [
                "[2026-11-26T07:00:00.123Z] landed 1",
                "[2026-11-26T07:00:00.123Z] Executed 'Functions.load' (Failed, Id=00000000-0000-0000-0000-000000000000, Duration=12ms)",
                "[2026-11-26T07:00:00.123Z] 500",
            ]
        );
    }

    #[test]
    fn the_functions_are_listed_with_those_of_http_first() {
        let listed = |name: &str, trigger, url: Option<&str>, methods: &[&str]| ListedFunction {
            name: name.into(),
            trigger,
            url: url.map(str::to_owned),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        };
        let functions = vec![
            listed("load", "eventHubTrigger", None, &[]),
            listed("status", "httpTrigger", Some("http://127.0.0.1:7071/api/status"), &["GET"]),
        ];
        let event = HostEvent::Listening { address: ([127, 0, 0, 1], 7071).into(), functions };
        assert_eq!(
            render(&event, at()),
            [
                "",
                "Functions:",
                "",
                "\tstatus: [GET] http://127.0.0.1:7071/api/status",
                "",
                "\tload: eventHubTrigger",
                "",
                "Now listening on: http://127.0.0.1:7071",
                "",
            ]
        );
    }
}
