//! One JSON file and how its members are read, with faults that name them.

use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use serde_json::Value;

use super::{DefinitionError, Settings};
use crate::standin::retry::RetryPolicy;

pub(super) struct Document<'a> {
    pub path: PathBuf,
    pub json: Value,
    pub settings: &'a Settings,
    pub zone: Tz,
}

impl Document<'_> {
    pub(super) fn fault(&self, fault: impl Into<String>) -> DefinitionError {
        DefinitionError::Fault { path: self.path.clone(), fault: fault.into() }
    }

    /// `a.b.c`, or null.
    pub(super) fn at(&self, member: &str) -> &Value {
        member.split('.').fold(&self.json, |value, name| &value[name])
    }

    /// A whole number above 0.
    pub(super) fn number(&self, member: &str, otherwise: u32) -> Result<u32, DefinitionError> {
        match self.count(member, otherwise)? {
            0 => Err(self.fault(format!("{member} is 0: it must be a whole number above 0"))),
            number => Ok(number),
        }
    }

    /// A whole number, 0 included.
    pub(super) fn count(&self, member: &str, otherwise: u32) -> Result<u32, DefinitionError> {
        let value = self.at(member);
        if value.is_null() {
            return Ok(otherwise);
        }
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| self.fault(format!("{member} is {value}: it must be a whole number above 0")))
    }

    pub(super) fn timeout(&self) -> Result<Option<Duration>, DefinitionError> {
        match self.json["functionTimeout"].as_str() {
            None => Ok(Some(Duration::from_secs(30 * 60))),
            Some("-1") => Ok(None),
            Some(text) => self.span("functionTimeout", text).map(Some),
        }
    }

    pub(super) fn span_or(&self, member: &str, otherwise: Duration) -> Result<Duration, DefinitionError> {
        match self.at(member).as_str() {
            None => Ok(otherwise),
            Some(text) => self.span(member, text),
        }
    }

    fn span(&self, member: &str, text: &str) -> Result<Duration, DefinitionError> {
        parse_span(text).ok_or_else(|| self.fault(format!("{member} is `{text}`: write `hh:mm:ss` above zero")))
    }

    pub(super) fn retry(&self) -> Result<Option<RetryPolicy>, DefinitionError> {
        match &self.json["retry"] {
            Value::Null => Ok(None),
            retry => RetryPolicy::read(retry).map(Some).map_err(|fault| self.fault(fault)),
        }
    }

    /// A text member with its `%NAME%`s resolved.
    pub(super) fn text(&self, binding: &Value, member: &str) -> Result<String, DefinitionError> {
        let Some(text) = binding[member].as_str() else {
            let kind = binding["type"].as_str().unwrap_or("binding");
            return Err(self.fault(format!("the {kind}'s `{member}` must be a text")));
        };
        let mut resolved = String::new();
        for (position, part) in text.split('%').enumerate() {
            if position % 2 == 0 {
                resolved.push_str(part);
                continue;
            }
            let value = self.settings.get(part).ok_or_else(|| {
                self.fault(format!(
                    "`%{part}%` does not resolve to a value: set `{part}` in local.settings.json or the environment"
                ))
            })?;
            resolved.push_str(value);
        }
        Ok(resolved)
    }
}

/// `hh:mm:ss` above zero.
pub(in crate::standin) fn parse_span(text: &str) -> Option<Duration> {
    let parts: Vec<u64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else {
        return None;
    };
    let is_span = hours <= 23 && minutes <= 59 && seconds <= 59 && hours + minutes + seconds > 0;
    is_span.then(|| Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
}
