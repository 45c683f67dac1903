//! host.json's section `customHandler`: which program, with which arguments, where, and how HTTP reaches it
//! (`HttpWorkerOptionsSetup.cs`, `HttpWorkerDescription.cs` and `DefaultWorkerProcessFactory.cs` of azure-functions-host).

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::document::Document;
use super::{DefinitionError, Settings};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomHandler {
    /// As the host starts it: absolute where the file is in the app's folder, else a name for a look-up in `PATH`.
    pub executable: PathBuf,
    pub arguments: Vec<String>,
    pub working_directory: PathBuf,
    pub initialization_timeout: Duration,
    /// `None`: any free one.
    pub port: Option<u16>,
    pub http: HttpMode,
    pub stderr_is_for_errors_only: bool,
}

/// How requests reach a function that has nothing but HTTP in and out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMode {
    /// As an envelope, like everything else.
    Envelope,
    /// As they came; both bodies are buffered.
    Forwarding,
    /// As they came; the response is passed on as it comes.
    Proxying,
}

impl Document<'_> {
    pub(super) fn custom_handler(
        &self,
        root: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<CustomHandler, DefinitionError> {
        let section = &self.json["customHandler"];
        let description = &section["description"];
        if section["type"] == "none" {
            warnings.push("CustomHandlerType None is not supported. Defaulting to Http.".to_owned());
        }
        if !section["http"]["routes"].is_null() {
            return Err(self.fault(
                "customHandler.http.routes cannot stand beside function.json files: remove it, or the functions",
            ));
        }
        let Some(executable) = description["defaultExecutablePath"].as_str().filter(|path| !path.is_empty()) else {
            return Err(self.fault("customHandler.description.defaultExecutablePath must name the handler's program"));
        };
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let folder_of = |member: &str| {
            description[member].as_str().filter(|path| !path.is_empty()).map_or(root.clone(), |path| root.join(path))
        };
        let executable = expanded(executable, self.settings);
        let in_the_app = folder_of("workerDirectory").join(&executable);
        let http = match (&section["enableForwardingHttpRequest"], &section["enableProxyingHttpRequest"]) {
            (_, Value::Bool(true)) => HttpMode::Proxying,
            (Value::Bool(true), _) => HttpMode::Forwarding,
            _ => HttpMode::Envelope,
        };
        Ok(CustomHandler {
            executable: if in_the_app.is_file() { in_the_app } else { executable.into() },
            arguments: self.command_line(description),
            working_directory: folder_of("workingDirectory"),
            initialization_timeout: self.span_or("customHandler.initializationTimeout", Duration::from_secs(30))?,
            port: self.port()?,
            http,
            stderr_is_for_errors_only: description["useStdErrorStreamForErrorsOnly"] != false,
        })
    }

    fn port(&self) -> Result<Option<u16>, DefinitionError> {
        let member = "customHandler.port";
        match self.at(member) {
            Value::Null => Ok(None),
            value => {
                let port = value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
                port.map(Some).ok_or_else(|| self.fault(format!("{member} is {value}: it must be between 1 and 65535")))
            }
        }
    }

    /// The host writes one command line, which the system takes apart again: an argument with a blank is two.
    fn command_line(&self, description: &Value) -> Vec<String> {
        let listed = |member: &str| {
            let list = description[member].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(|text| format!(" {}", expanded(text, self.settings)))
        };
        let mut line: String = listed("arguments").collect();
        if let Some(path) = description["defaultWorkerPath"].as_str().filter(|path| !path.is_empty()) {
            line.push_str(&format!(" \"{}\"", expanded(path, self.settings)));
        }
        line.extend(listed("workerArguments"));
        split(&line)
    }
}

/// `%NAME%` from the environment; unknown names become empty.
fn expanded(text: &str, settings: &Settings) -> String {
    let mut rest = text;
    let mut expanded = String::new();
    while let Some((before, after)) = rest.split_once('%') {
        let Some((name, behind)) = after.split_once('%').filter(|(name, _)| !name.is_empty()) else {
            break;
        };
        expanded.push_str(before);
        expanded.push_str(settings.get(name).map_or("", String::as_str));
        rest = behind;
    }
    expanded + rest
}

/// Cut at blanks, which double quotes protect; `\"` is a quote.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&'"') => {
                word.get_or_insert_default().push('"');
                characters.next();
            }
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' | '\t' if !is_quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_expanded_and_unknown_ones_become_empty() {
        let settings = Settings::from([("A".to_owned(), "x".to_owned())]);
        assert_eq!(expanded("--a=%A%/%B%/100%", &settings), "--a=x//100%");
        assert_eq!(expanded("%%", &settings), "%%");
    }

    #[test]
    fn a_command_line_is_cut_at_blanks_outside_of_quotes() {
        assert_eq!(split(r#" serve "a b" c"d e"f "" \"g "#), ["serve", "a b", "cd ef", "", "\"g"]);
    }
}
